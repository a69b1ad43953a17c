//! Capture v1: a batch of events with a token in a header, and what became of each event
//! (`posthog.md` 2.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use schemas::append::{Append, Outgoing};
use schemas::lookup::Lookup;
use schemas::time::parse_timestamp_ms;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::body::{self, not_json};
use super::capture::{BODY_BYTES_MAX, refused};
use super::encoding::unpack;
use super::fields::Fields;
use super::lenient::leniently;
use super::position::tell_position;
use super::refusal::Refusal;
use super::sent::{Clocks, list, record};
use crate::app::App;

/// The route, without a slash at the end.
pub const PATH: &str = "/i/v1/analytics/events";
/// Names a request, in its answer too.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("posthog-request-id");
const REQUEST_TIMESTAMP: HeaderName = HeaderName::from_static("posthog-request-timestamp");

/// Fields that stand beside an event's properties, and the property that each of them is.
const BESIDE: [(&str, &str); 2] = [("session_id", "$session_id"), ("window_id", "$window_id")];
/// The same of its options.
const OPTIONS: [(&str, &str); 4] = [
    ("cookieless_mode", "$cookieless_mode"),
    ("disable_skew_correction", "$ignore_sent_at"),
    ("process_person_profile", "$process_person_profile"),
    ("product_tour_id", "$product_tour_id"),
];

/// JSON by name, unread.
type Raw<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Serialize)]
struct Answer {
    results: BTreeMap<String, Outcome>,
}

#[derive(Serialize)]
struct Outcome {
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

/// A batch's events, those that are in order apart.
struct Sorted {
    records: Vec<Outgoing>,
    mistakes: Vec<(String, Refusal)>,
    accepted: Vec<String>,
}

/// Takes events into the log, and tells of each what became of it.
pub async fn capture<L: Lookup, A: Append>(
    State(app): State<Arc<App<L, A>>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let mut response = match take(&app, &headers, request).await {
        Ok(response) => response,
        Err(refusal) => {
            app.metrics.captured(refusal.code(), 1);
            refusal.into_response()
        }
    };
    if let Some(id) = headers.get(REQUEST_ID) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    response
}

async fn take<L: Lookup, A: Append>(
    app: &App<L, A>,
    headers: &HeaderMap,
    request: Request,
) -> Result<Response, Refusal> {
    let token = token(headers)?;
    if app.catalog.load().project(token).is_none() {
        return Err(Refusal::UnknownToken);
    }
    suits(headers)?;
    // Both bounds hold: of what is sent, and of what it becomes.
    let body = body::read(request.into_body(), BODY_BYTES_MAX).await?;
    let sent_at = headers.get(REQUEST_TIMESTAMP).and_then(|sent_at| sent_at.to_str().ok());
    let sent_at_ms = sent_at.and_then(parse_timestamp_ms);
    let clocks = Clocks { sent_at_ms, now_ms: (app.clock)() };
    let (encoding, token) = (text(headers, header::CONTENT_ENCODING).to_owned(), token.to_owned());
    let sorted = body::aside(body, move |body| {
        let body = unpack(&encoding, body, BODY_BYTES_MAX)?;
        leniently(&String::from_utf8_lossy(&body), |text| sort(text, &token, clocks))
    });
    let sorted = sorted.await?;
    for (_, mistake) in &sorted.mistakes {
        app.metrics.captured(mistake.code(), 1);
    }
    let dropped = sorted.mistakes.into_iter().map(|(uuid, mistake)| {
        (uuid, Outcome { result: "drop", details: mistake.detail().map(str::to_owned) })
    });
    let accepted = sorted.accepted.into_iter();
    let accepted = accepted.map(|uuid| (uuid, Outcome { result: "ok", details: None }));
    let results = accepted.chain(dropped).collect();
    if sorted.records.is_empty() {
        return Ok(Json(Answer { results }).into_response());
    }
    let events = sorted.records.len() as u64;
    let position = app.append.append(sorted.records).await.map_err(|error| refused(&error))?;
    app.metrics.captured("accepted", events);
    let mut response = Json(Answer { results }).into_response();
    tell_position(response.headers_mut(), &position);
    Ok(response)
}

fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
    let token = token.filter(|token| !token.is_empty()).ok_or(Refusal::NoToken)?;
    if token.starts_with("phx_") { Err(Refusal::PersonalKey) } else { Ok(token) }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

/// Whether the body is of a type that is taken.
fn suits(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = text(headers, header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !kind.is_empty() && !kind.eq_ignore_ascii_case("application/json") {
        let what = format!("The body has to be application/json, and is {kind:?}.");
        return Err(Refusal::Unsupported(what));
    }
    Ok(())
}

fn sort(text: &str, token: &str, clocks: Clocks) -> Result<Sorted, Refusal> {
    let envelope = Fields::parse(text).map_err(|error| not_json(&error))?;
    let batch = envelope.raw("batch");
    let batch = batch.ok_or_else(|| invalid("The body has no \"batch\" of events."))?;
    let events = list(batch.get())?;
    if events.is_empty() {
        return Err(invalid("The batch holds no events."));
    }
    let records = Vec::with_capacity(events.len());
    let mut sorted = Sorted { records, mistakes: Vec::new(), accepted: Vec::new() };
    for event in events {
        let fields = Fields::parse(event.get()).ok();
        let uuid = fields.and_then(|fields| fields.text("uuid")).filter(|uuid| !uuid.is_empty());
        let nameless = || invalid("An event has no \"uuid\", by which its result is told.");
        let uuid = uuid.ok_or_else(nameless)?.into_owned();
        let kept = joined(event).and_then(|event| record(&event, token, clocks, None));
        match kept {
            Ok(record) => {
                sorted.records.push(record);
                sorted.accepted.push(uuid);
            }
            Err(mistake) => sorted.mistakes.push((uuid, mistake)),
        }
    }
    Ok(sorted)
}

/// The event with all that stands beside its properties among them, as it was sent before.
fn joined(event: &RawValue) -> Result<Box<RawValue>, Refusal> {
    let bad = |error| not_json(&error);
    let mut fields: Raw<'_> = serde_json::from_str(event.get()).map_err(bad)?;
    let mut properties = object(&fields, "properties")?;
    let options = object(&fields, "options")?;
    let beside = BESIDE.iter().map(|(name, property)| (fields.get(*name), property));
    let options = OPTIONS.iter().map(|(name, property)| (options.get(*name), property));
    for (raw, property) in beside.chain(options) {
        if let Some(raw) = raw.filter(|raw| raw.get() != "null") {
            properties.entry((*property).to_owned()).or_insert(raw);
        }
    }
    let properties = to_raw_value(&properties).map_err(bad)?;
    fields.insert("properties".to_owned(), &properties);
    to_raw_value(&fields).map_err(bad)
}

fn object<'a>(fields: &Raw<'a>, name: &str) -> Result<Raw<'a>, Refusal> {
    let raw = fields.get(name).filter(|raw| raw.get() != "null");
    let read = raw.map_or(Ok(Raw::new()), |raw| serde_json::from_str(raw.get()));
    read.map_err(|_| invalid(&format!("The {name} of an event must be an object.")))
}

fn invalid(what: &str) -> Refusal {
    Refusal::Invalid(what.to_owned())
}
