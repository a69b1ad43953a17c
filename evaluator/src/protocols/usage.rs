//! `/api/flags/<key>/usage`: when a flag was last called, by value and by SDK; the answer's shape
//! is `schemas/usage.schema.json`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::definitions::suggestion;
use schemas::lookup::{Calls, Lookup};
use schemas::unknown::Unknown;
use schemas::usage::{Mark, calls};
use serde::Serialize;
use serde_json::Value;

use super::access::opened;
use super::position::{asked_position, asked_wait, tell_facts};
use super::refusal::Refusal;
use crate::app::App;

/// The route, without a slash at the end.
pub const PATH: &str = "/api/flags/{flag}/usage";

/// Tells when a flag was last called.
pub async fn usage<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    Path(flag): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    opened(&app.catalog.load(), &headers)?;
    app.lookup.reach(&asked_position(&headers)?, asked_wait(&headers)?).await;
    let catalog = app.catalog.load_full();
    let project = opened(&catalog, &headers)?;
    let found = project.flag(&flag).ok_or_else(|| {
        let fix = suggestion(&flag, project.flags.iter().map(|flag| flag.key.as_str()));
        Refusal::NotThere(format!("The project {:?} has no flag {flag:?}: {fix}", project.name))
    })?;
    let now_ms = (app.clock)();
    let calls = app.lookup.calls(project.id, &found.key, now_ms).await;
    let told = Told { now: now_ms, ..Told::of(&project.name, &found.key, &calls) };
    let mut response = Json(told).into_response();
    tell_facts(response.headers_mut(), &calls.facts);
    Ok(response)
}

/// Times are epoch milliseconds.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    project: &'a str,
    flag: &'a str,
    now: i64,
    /// None where no call is known.
    last_called: Option<i64>,
    values: Vec<CalledValue>,
    errors: Vec<CalledError>,
    sdks: Vec<CalledBy>,
    /// Calls up to then aren't known; none where the log was read from its first record.
    since: Option<i64>,
    /// Why there may be more.
    unknown: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CalledValue {
    value: Value,
    last_called: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CalledError {
    error: String,
    last_called: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CalledBy {
    name: String,
    version: String,
    last_called: i64,
}

impl<'a> Told<'a> {
    fn of(project: &'a str, flag: &'a str, known: &Calls) -> Told<'a> {
        let since = Some(known.since_ms).filter(|since_ms| *since_ms != i64::MIN);
        let unknown = known.facts.unknown.map(Unknown::code);
        let mut told = Told { project, flag, since, unknown, ..Told::default() };
        for (mark, last_called) in calls(&known.facts.record) {
            told.last_called.get_or_insert(last_called);
            match mark {
                Mark::Value(value) => told.values.push(CalledValue { value, last_called }),
                Mark::Error(error) => told.errors.push(CalledError { error, last_called }),
                Mark::Sdk(name, version) => {
                    told.sdks.push(CalledBy { name, version, last_called });
                }
            }
        }
        told
    }
}
