//! Capture: events as PostHog's SDKs send them are appended to the log before they are answered.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemas::append::{Append, AppendError, Outgoing};
use schemas::lookup::{Lookup, Position};

use super::body::{Query, aside, decode};
use super::lenient::leniently;
use super::position::tell_position;
use super::refusal::Refusal;
use super::sent::{Batch, Clocks, Sent};
use crate::app::App;

/// The routes, without a slash at the end.
pub const PATHS: [&str; 7] =
    ["/batch", "/e", "/i/v0/e", "/i/v0/ai/batch", "/capture", "/track", ENGAGE];
/// Where old clients tell properties of a person, in events without a name.
const ENGAGE: &str = "/engage";
/// The largest body that is read, compressed or not; PostHog has the same bound.
pub const BODY_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Takes events into the log.
pub async fn capture<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = Query::parse(uri.query());
    let unnamed = uri.path().starts_with(ENGAGE).then_some("$identify");
    let batch = {
        let (app, query) = (Arc::clone(&app), query.clone());
        aside(body, move |body| {
            let text = decode(&headers, &query, &body, BODY_BYTES_MAX)?;
            leniently(&text, |text| read(&app, &query, unnamed, text))
        })
    };
    let batch = match batch.await {
        Ok(batch) => batch,
        Err(refusal) => {
            app.metrics.captured(refusal.code(), 1);
            return refusal.into_response();
        }
    };
    for mistake in &batch.mistakes {
        app.metrics.captured(mistake.code(), 1);
    }
    let records = match sound(batch) {
        Ok(records) => records,
        Err(refusal) => return refusal.into_response(),
    };
    let events = records.len() as u64;
    match app.append.append(records).await {
        Ok(position) => {
            app.metrics.captured("accepted", events);
            accepted(&query, &position)
        }
        Err(error) => {
            let refusal = refused(&error);
            app.metrics.captured(refusal.code(), events);
            refusal.into_response()
        }
    }
}

fn read<L: Lookup, A: Append>(
    app: &App<L, A>,
    query: &Query,
    unnamed: Option<&'static str>,
    text: &str,
) -> Result<Batch, Refusal> {
    let sent = Sent::parse(text, unnamed)?;
    let token = sent.token()?;
    if token.starts_with("phx_") {
        return Err(Refusal::PersonalKey);
    }
    if app.catalog.load().project(&token).is_none() {
        return Err(Refusal::UnknownToken);
    }
    let clocks = Clocks { sent_at_ms: query.sent_at_ms, now_ms: (app.clock)() };
    Ok(sent.batch(&token, clocks))
}

/// The records, if there are any to append: where all are bad, the first mistake is told.
fn sound(batch: Batch) -> Result<Vec<Outgoing>, Refusal> {
    if !batch.records.is_empty() {
        return Ok(batch.records);
    }
    let empty = || Refusal::Invalid("The batch holds no events.".to_owned());
    Err(batch.mistakes.into_iter().next().unwrap_or_else(empty))
}

/// What whoever sent events is told that the log didn't take.
pub fn refused(error: &AppendError) -> Refusal {
    match error {
        AppendError::ReadOnly(_) => Refusal::Invalid(error.to_string()),
        AppendError::TooLarge { .. } => Refusal::TooLarge(error.to_string()),
        AppendError::Full | AppendError::Unavailable(_) => Refusal::Unavailable(error.to_string()),
    }
}

fn accepted(query: &Query, position: &Position) -> Response {
    let mut response = done(query);
    tell_position(response.headers_mut(), position);
    response
}

/// What an SDK takes for success.
pub fn done(query: &Query) -> Response {
    if query.beacon {
        return StatusCode::NO_CONTENT.into_response();
    }
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], r#"{"status":1}"#).into_response()
}
