//! Forgetting: with the project's secret a person is deleted, through the log, so that no replay
//! brings them back.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use schemas::append::{Append, Outgoing};
use schemas::catalog::Project;
use schemas::forgetting;
use schemas::ids::cut_distinct_id;
use schemas::lookup::{Facts, Lookup, Sought};
use serde::Deserialize;
use serde_json::json;

use super::access::opened;
use super::body::{Query, decode, not_json};
use super::capture::refused;
use super::position::{asked_position, asked_wait, tell_position};
use super::refusal::Refusal;
use super::sent::{key_of, new_uuid};
use crate::app::App;

/// The route.
pub const PATH: &str = "/api/forget";
/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
struct Asked {
    distinct_id: String,
    /// The project's name; whoever says it is told where the secret opens another.
    project: Option<String>,
}

/// Forgets a person: every id that they are known by.
pub async fn forget<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = Query::parse(uri.query());
    let done = delete(&app, &query, &headers, &body).await;
    done.unwrap_or_else(IntoResponse::into_response)
}

async fn delete<L: Lookup, A: Append>(
    app: &App<L, A>,
    query: &Query,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let catalog = app.catalog.load_full();
    let project = opened(&catalog, headers)?;
    let id = asked(project, &decode(headers, query, body, BODY_BYTES_MAX)?)?;
    let at_least = asked_position(headers)?;
    if !at_least.is_empty() {
        app.lookup.reach(&at_least, asked_wait(headers)?).await;
    }
    let now_ms = (app.clock)();
    let sought = Sought {
        project: project.id,
        distinct_ids: &[id.as_str()],
        groups: &[],
        at_least: &at_least,
        now_ms,
    };
    let facts = app.lookup.lookup(sought).await;
    if let Some(unknown) = facts.unknown {
        let why = unknown.description();
        return Err(Refusal::Unavailable(format!("{why}; nobody was deleted: ask again")));
    }
    if facts.position.is_empty() {
        let what = "The log has no partition yet; nobody was deleted: ask again";
        return Err(Refusal::Unavailable(what.to_owned()));
    }
    let known = facts.distinct_ids.iter().map(String::as_str).filter(|known| *known != id);
    let ids: Vec<&str> = std::iter::once(id.as_str()).chain(known).collect();
    let records = tombstones(project, &ids, &facts, now_ms);
    let position = app.append.append(records).await.map_err(|error| refused(&error))?;
    let complete = facts.incomplete.is_none();
    let told = json!({ "forgotten": ids, "complete": complete });
    let mut response = axum::Json(told).into_response();
    tell_position(response.headers_mut(), &position);
    Ok(response)
}

/// The id that is to be forgotten.
fn asked(project: &Project, text: &str) -> Result<String, Refusal> {
    let asked: Asked = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    if let Some(name) = asked.project.filter(|name| *name != project.name) {
        let opens = &project.name;
        let what = format!("The secret opens the project {opens:?}, and {name:?} was asked for.");
        return Err(Refusal::Invalid(what));
    }
    if asked.distinct_id.is_empty() {
        return Err(Refusal::Invalid("The \"distinct_id\" must not be empty.".to_owned()));
    }
    Ok(cut_distinct_id(&asked.distinct_id).to_owned())
}

/// An event for each id in each partition: whatever lies before it there has to go, and what
/// comes after may stay, also when the log is read anew, one partition before the other. They
/// are dated so that what is known and was stamped ahead goes too.
fn tombstones(project: &Project, ids: &[&str], facts: &Facts, now_ms: i64) -> Vec<Outgoing> {
    let kept = |id| project.matchers.iter().find(|m| m.id == id).map(|matcher| matcher.kept);
    let until_ms = facts.record.newest_ms(kept).map_or(now_ms, |newest_ms| newest_ms.max(now_ms));
    let partitions: Vec<i32> = facts.position.keys().copied().collect();
    let records = ids.iter().flat_map(|id| {
        let value = json!({
            "uuid": new_uuid(now_ms).to_string(),
            "token": project.token,
            "event": forgetting::EVENT,
            "distinct_id": id,
            "timestamp": until_ms,
            "properties": {},
        });
        let value = value.to_string().into_bytes();
        let key = key_of(&project.token, id);
        partitions.iter().map(move |partition| Outgoing {
            key: key.clone(),
            value: value.clone(),
            partition: Some(*partition),
        })
    });
    records.collect()
}
