//! `/flags/definitions`: what PostHog's SDKs poll, to decide flags by themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemas::append::Append;
use schemas::lookup::Lookup;

use super::access::named;
use super::body::Query;
use super::feed::feed;
use super::often::by_project;
use super::refusal::Refusal;
use crate::app::App;
use crate::limits::For;

/// The routes, without a slash at the end.
pub const PATHS: [&str; 2] = ["/flags/definitions", "/api/feature_flag/local_evaluation"];

/// Answers with the definitions of the token's project, or that they are as the SDK has them.
pub async fn definitions<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    told(&app, &uri, &headers).unwrap_or_else(IntoResponse::into_response)
}

fn told<L, A>(app: &App<L, A>, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
    let query = Query::parse(uri.query());
    let catalog = app.catalog.load();
    let project = named(&catalog, query.token.as_deref(), headers)?;
    let has_some = headers.contains_key(header::IF_NONE_MATCH);
    by_project(app, project, if has_some { For::Changes } else { For::Definitions })?;
    let feed = project.feed.get_or_init(|| feed(project));
    let head = [
        (header::ETAG, format!("W/\"{}\"", feed.tag)),
        (header::CACHE_CONTROL, "private, must-revalidate".to_owned()),
    ];
    if knows(headers, &feed.tag) {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((head, kind, Bytes::from_owner(feed.body.clone())).into_response())
}

/// Whether the request names the tag, weak, in quotes, or bare.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut named = sent.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    named.any(|named| {
        let named = named.trim();
        named.strip_prefix("W/").unwrap_or(named).trim_matches('"') == tag
    })
}
