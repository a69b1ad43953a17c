//! `/flags`: what PostHog's SDKs ask; the answer's shapes are in `answer.rs`.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemas::append::Append;
use schemas::ids::cut_distinct_id;
use schemas::lookup::{Facts, Lookup, Position};
use serde_json::{Map, Value};

use super::answer::{Answer, Shape, minimal};
use super::body::{Query, decode, not_json};
use super::refusal::Refusal;
use crate::context::Context;
use crate::decision::Decision;
use crate::evaluate::{evaluate, requested};
use crate::server::App;

const ALLOW: &str = "GET, POST, OPTIONS, HEAD";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers a request for flags.
pub async fn flags<L: Lookup, A: Append>(
    State(app): State<App<L, A>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match method {
        Method::POST => match check(&app, &uri, &headers, &body).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        },
        Method::GET => with_json(StatusCode::OK, minimal().to_string().into_bytes()),
        Method::HEAD => with_json(StatusCode::OK, Vec::new()),
        Method::OPTIONS => (StatusCode::NO_CONTENT, [(header::ALLOW, ALLOW)]).into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, ALLOW)]).into_response(),
    }
}

async fn check<L: Lookup, A: Append>(
    app: &App<L, A>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let query = Query::parse(uri.query());
    let text = decode(headers, &query, body)?;
    let asked: Map<String, Value> = serde_json::from_str(&text).map_err(|e| not_json(&e))?;
    let token = text_of(&asked, &["token", "$token", "api_key"]).ok_or(Refusal::NoToken)?;
    let context = context(&asked)?;
    let catalog = app.catalog.load_full();
    let project = catalog.project(&token).ok_or(Refusal::UnknownToken)?;
    let now_ms = (app.clock)();
    // Without a flag to decide there is nothing to look up.
    let facts = match requested(project, &context).next() {
        Some(_) => {
            let ids = [context.distinct_id.as_str()];
            Some(app.lookup.lookup(project.id, &ids, now_ms).await)
        }
        None => None,
    };
    let decisions = match &facts {
        Some(facts) => evaluate(project, &context, facts, now_ms),
        None => Vec::new(),
    };
    count(app, &decisions);
    let answer = Answer {
        decisions: &decisions,
        request_id: request_id(headers),
        evaluated_at_ms: now_ms,
        shape: Shape::of(&query),
        config: query.config.unwrap_or(query.version.is_none()),
    };
    let json = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = with_json(StatusCode::OK, json);
    if let Some(facts) = &facts {
        tell_facts(response.headers_mut(), facts);
    }
    Ok(response)
}

/// Parses what is asked; unknown keys are left alone.
fn context(asked: &Map<String, Value>) -> Result<Context, Refusal> {
    let distinct_id = text_of(asked, &["distinct_id", "$distinct_id"]);
    let distinct_id = distinct_id
        .ok_or_else(|| Refusal::Invalid("The distinct_id field is missing.".to_owned()))?;
    let properties = first(asked, &["person_properties", "$properties"]);
    let keys = first(asked, &["flag_keys", "flag_keys_to_evaluate"]).and_then(Value::as_array);
    let key = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Context {
        distinct_id: cut_distinct_id(&distinct_id).to_owned(),
        person_properties: properties.and_then(Value::as_object).cloned().unwrap_or_default(),
        flag_keys: keys.map(|keys| keys.iter().filter_map(key).collect()),
        disable_flags: asked.get("disable_flags").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn first<'v>(asked: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().filter_map(|name| asked.get(*name)).find(|value| !value.is_null())
}

/// Text, or a number as text; an empty token is none, an empty distinct id is one.
fn text_of<'v>(asked: &'v Map<String, Value>, names: &[&str]) -> Option<Cow<'v, str>> {
    match first(asked, names)? {
        Value::String(text) if text.is_empty() && names.contains(&"token") => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn count<L, A>(app: &App<L, A>, decisions: &[Decision<'_>]) {
    let failed = decisions.iter().filter(|decision| decision.failed()).count();
    let on = decisions.iter().filter(|decision| decision.outcome.enabled).count();
    app.metrics.checked("failed", failed as u64);
    app.metrics.checked("on", on as u64);
    app.metrics.checked("off", (decisions.len() - failed - on) as u64);
}

fn request_id(headers: &HeaderMap) -> uuid::Uuid {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    given.and_then(|id| id.parse().ok()).unwrap_or_else(uuid::Uuid::new_v4)
}

/// How new the facts were.
fn tell_facts(headers: &mut HeaderMap, facts: &Facts) {
    if let Ok(position) = HeaderValue::from_str(&position_text(&facts.position)) {
        headers.insert("sluice-position", position);
    }
    if facts.stale_ms > 0 {
        headers.insert("sluice-stale", HeaderValue::from(facts.stale_ms));
    }
}

/// `partition:next offset`, separated by commas.
pub fn position_text(position: &Position) -> String {
    let parts = position.iter().map(|(partition, next)| format!("{partition}:{next}"));
    parts.collect::<Vec<_>>().join(",")
}

fn with_json(status: StatusCode, json: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], json).into_response()
}
