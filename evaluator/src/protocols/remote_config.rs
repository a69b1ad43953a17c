//! `…/remote_config`: the payload of a flag that is no more than configuration (`posthog.md` 2.4).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::catalog::{Catalog, Project};
use schemas::lookup::Lookup;
use serde_json::Value;

use super::access::{checked, named, opened};
use super::body::Query;
use super::often::by_project;
use super::refusal::Refusal;
use crate::app::App;
use crate::limits::For;

/// The route, without a slash at the end.
pub const PATH: &str = "/api/projects/{project}/feature_flags/{flag}/remote_config";

/// Answers with the payload of a remote configuration, or with nothing where there is none.
pub async fn remote_config<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    Path((project, flag)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let catalog = app.catalog.load();
    let query = Query::parse(uri.query());
    let project = match query.token.as_deref() {
        Some(token) => named(&catalog, Some(token), &headers),
        // Older SDKs send no token, as posthog-go 1.5 does, but a secret is of one project.
        None if project == "@current" => opened(&catalog, &headers),
        None => numbered(&catalog, &project).and_then(|it| checked(&catalog, it, &headers)),
    };
    let told = project.and_then(|project| {
        by_project(&app, project, For::RemoteConfig)?;
        payload(project, &flag)
    });
    match told {
        Ok(Some(payload)) => Json(payload).into_response(),
        Ok(None) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// The project of this number at PostHog.
fn numbered<'c>(catalog: &'c Catalog, number: &str) -> Result<&'c Project, Refusal> {
    let project = number.parse().ok().and_then(|number| catalog.project_of_team(number));
    let unknown = || {
        let what = format!("There is no project {number:?}: send `?token=`, or its `team_id`.");
        Refusal::NotThere(what)
    };
    project.map(AsRef::as_ref).ok_or_else(unknown)
}

/// The payload as PostHog stores it, by the flag's key or id; none where it says nothing.
fn payload<'p>(project: &'p Project, flag: &str) -> Result<Option<&'p Value>, Refusal> {
    let flags = || project.flags.iter().filter_map(|flag| Some((flag, flag.raw.as_deref()?)));
    let found = flags().find(|(held, _)| held.key == flag);
    let found = found.or_else(|| flags().find(|(held, _)| held.id.to_string() == flag));
    let is_true = |raw: &Value, key| raw.get(key).and_then(Value::as_bool) == Some(true);
    let raw = found.map(|(_, raw)| raw).filter(|raw| is_true(raw, "is_remote_configuration"));
    let Some(raw) = raw else {
        let what = format!("The project has no flag {flag:?} that is a remote configuration.");
        return Err(Refusal::NotThere(what));
    };
    if is_true(raw, "has_encrypted_payloads") {
        let what = format!(
            "The payload of {flag:?} is encrypted with a key that only PostHog has: ask PostHog, \
             or store it unencrypted."
        );
        return Err(Refusal::Invalid(what));
    }
    Ok(raw.pointer("/filters/payloads/true").filter(|payload| says_something(payload)))
}

fn says_something(payload: &Value) -> bool {
    match payload {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(members) => !members.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
