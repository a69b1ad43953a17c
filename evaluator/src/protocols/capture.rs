//! Capture: events as PostHog's SDKs send them become records of the log.
//!
//! A request's clock is corrected by `sent_at`, as PostHog does it; one bad event in a batch
//! doesn't cost the others.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rustc_hash::FxHashMap;
use schemas::append::{Append, AppendError, Outgoing};
use schemas::ids::cut_distinct_id;
use schemas::lookup::Lookup;
use schemas::time::parse_timestamp_ms;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::{Query, decode, not_json};
use super::flags::position_text;
use super::refusal::Refusal;
use crate::server::App;

/// The routes, without a slash at the end.
pub const PATHS: [&str; 4] = ["/batch", "/e", "/i/v0/e", "/capture"];
/// The largest event: what Kafka's brokers take by default, less the record's own overhead.
const EVENT_BYTES_MAX: usize = 1_000_000;
const TOKEN_NAMES: [&str; 3] = ["token", "api_key", "$token"];

type Fields<'a> = FxHashMap<Cow<'a, str>, &'a RawValue>;

/// Takes events into the log.
pub async fn capture<L: Lookup, A: Append>(
    State(app): State<App<L, A>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match take(&app, &uri, &headers, &body).await {
        Ok(response) => response,
        Err(refusal) => {
            app.metrics.captured("refused", 1);
            refusal.into_response()
        }
    }
}

async fn take<L: Lookup, A: Append>(
    app: &App<L, A>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let query = Query::parse(uri.query());
    let Batch { records, skipped } = {
        let text = decode(headers, &query, body)?;
        let sent = Sent::parse(&text)?;
        let token = sent.token()?;
        if token.starts_with("phx_") {
            return Err(Refusal::PersonalKey);
        }
        if app.catalog.load().project(&token).is_none() {
            return Err(Refusal::UnknownToken);
        }
        sent.records(&token, (app.clock)())?
    };
    let accepted = records.len() as u64;
    let position = app.append.append(records).await.map_err(|error| match error {
        AppendError::TooLarge { .. } => Refusal::TooLarge(error.to_string()),
        AppendError::Full | AppendError::Unavailable(_) => Refusal::Unavailable(error.to_string()),
    })?;
    app.metrics.captured("accepted", accepted);
    app.metrics.captured("skipped", skipped);
    let mut response = if query.beacon {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ([json], r#"{"status":1}"#).into_response()
    };
    if let Ok(position) = HeaderValue::from_str(&position_text(&position)) {
        response.headers_mut().insert("sluice-position", position);
    }
    Ok(response)
}

/// The events of a request, ready for the log.
struct Batch {
    records: Vec<Outgoing>,
    skipped: u64,
}

/// A request: a batch object, an array, or one event.
struct Sent<'a> {
    envelope: Fields<'a>,
    events: Vec<&'a RawValue>,
    /// Whether it was one event, whose mistake is the request's.
    single: bool,
}

impl<'a> Sent<'a> {
    fn parse(text: &'a str) -> Result<Self, Refusal> {
        let text = text.trim_start();
        if text.starts_with('[') {
            let events = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            return Ok(Sent { envelope: Fields::default(), events, single: false });
        }
        let envelope: Fields<'a> = fields(text).map_err(|error| not_json(&error))?;
        match envelope.get("batch") {
            Some(batch) => {
                let events = serde_json::from_str(batch.get()).map_err(|error| not_json(&error))?;
                Ok(Sent { envelope, events, single: false })
            }
            None => {
                let event = serde_json::from_str(text).map_err(|error| not_json(&error))?;
                Ok(Sent { envelope, events: vec![event], single: true })
            }
        }
    }

    /// The request's token, or the one that its events agree on.
    fn token(&self) -> Result<Cow<'a, str>, Refusal> {
        if let Some(token) = token_in(&self.envelope) {
            return Ok(token);
        }
        let mut agreed: Option<Cow<'a, str>> = None;
        for event in &self.events {
            let Ok(event) = fields(event.get()) else {
                continue;
            };
            let Some(token) = token_in(&event).or_else(|| in_properties(&event, "token")) else {
                continue;
            };
            match &agreed {
                Some(agreed) if *agreed != token => {
                    return Err(Refusal::Invalid("Events of two projects in one request.".into()));
                }
                _ => agreed = Some(token),
            }
        }
        agreed.ok_or(Refusal::NoToken)
    }

    fn records(&self, token: &str, now_ms: i64) -> Result<Batch, Refusal> {
        let sent_at = self.envelope.get("sent_at").and_then(|raw| time_of(raw));
        let mut batch = Batch { records: Vec::with_capacity(self.events.len()), skipped: 0 };
        let mut first_mistake = None;
        for event in &self.events {
            match record(event, token, Clocks { now_ms, sent_at }) {
                Ok(record) => batch.records.push(record),
                Err(refusal) => {
                    batch.skipped += 1;
                    first_mistake.get_or_insert(refusal);
                }
            }
        }
        match first_mistake {
            Some(refusal) if self.single || batch.records.is_empty() => Err(refusal),
            None if batch.records.is_empty() => {
                Err(Refusal::Invalid("The batch holds no events.".to_owned()))
            }
            _ => Ok(batch),
        }
    }
}

/// Our clock, and the sender's at the time of sending.
#[derive(Clone, Copy)]
struct Clocks {
    now_ms: i64,
    sent_at: Option<i64>,
}

#[derive(Serialize)]
struct Record<'a> {
    uuid: Cow<'a, str>,
    token: &'a str,
    event: &'a str,
    distinct_id: &'a str,
    timestamp: i64,
    properties: Cow<'a, RawValue>,
}

fn record(event: &RawValue, token: &str, clocks: Clocks) -> Result<Outgoing, Refusal> {
    let fields = fields(event.get()).map_err(|error| not_json(&error))?;
    let name = text_in(&fields, "event").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| missing("event"))?;
    let id = id_in(&fields).ok_or_else(|| missing("distinct_id"))?;
    let distinct_id = cut_distinct_id(&id);
    let uuid = text_in(&fields, "uuid").filter(|uuid| !uuid.is_empty());
    let record = Record {
        uuid: uuid.unwrap_or_else(|| Cow::Owned(uuid::Uuid::now_v7().to_string())),
        token,
        event: &name,
        distinct_id,
        timestamp: timestamp_ms(&fields, clocks),
        properties: properties(&fields)?,
    };
    let value = serde_json::to_vec(&record).map_err(|error| not_json(&error))?;
    if value.len() > EVENT_BYTES_MAX {
        return Err(too_large(value.len()));
    }
    Ok(Outgoing { key: format!("{token}:{distinct_id}"), value })
}

/// PostHog's rule: what the sender's clock says, moved by how far that clock is off; an
/// `offset` counts back from now; what can't be read is now.
fn timestamp_ms(fields: &Fields<'_>, clocks: Clocks) -> i64 {
    let Clocks { now_ms, sent_at } = clocks;
    let stated = fields.get("timestamp").and_then(|raw| time_of(raw));
    let ignores_sent_at = in_properties(fields, "$ignore_sent_at").is_some_and(|it| it == "true");
    let sent_at = sent_at.or_else(|| fields.get("sent_at").and_then(|raw| time_of(raw)));
    if let Some(stated_ms) = stated {
        return match sent_at.filter(|_| !ignores_sent_at) {
            Some(sent_at_ms) => now_ms.saturating_add(stated_ms.saturating_sub(sent_at_ms)),
            None => stated_ms,
        };
    }
    let offset_ms: Option<i64> = fields.get("offset").and_then(|raw| raw.get().parse().ok());
    now_ms.saturating_sub(offset_ms.unwrap_or(0).max(0))
}

/// The event's properties; `$set` and `$set_once` beside them, as old SDKs send, move in.
fn properties<'a>(fields: &Fields<'a>) -> Result<Cow<'a, RawValue>, Refusal> {
    let given = fields.get("properties").filter(|raw| raw.get().starts_with('{')).copied();
    let beside = ["$set", "$set_once", "$unset"]
        .into_iter()
        .filter_map(|name| Some((name, *fields.get(name)?)));
    let mut joined: Option<serde_json::Map<String, Value>> = None;
    for (name, raw) in beside {
        let joined = joined.get_or_insert_with(|| {
            given.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        });
        let value: Value = serde_json::from_str(raw.get()).map_err(|error| not_json(&error))?;
        joined.entry(name).or_insert(value);
    }
    match (joined, given) {
        (Some(joined), _) => {
            let raw = serde_json::value::to_raw_value(&joined).map_err(|error| not_json(&error))?;
            Ok(Cow::Owned(raw))
        }
        (None, Some(given)) => Ok(Cow::Borrowed(given)),
        (None, None) => {
            let raw = RawValue::from_string("{}".to_owned()).map_err(|error| not_json(&error))?;
            Ok(Cow::Owned(raw))
        }
    }
}

fn fields(object: &str) -> serde_json::Result<Fields<'_>> {
    serde_json::from_str::<FxHashMap<Name<'_>, &RawValue>>(object)
        .map(|fields| fields.into_iter().map(|(Name(name), raw)| (name, raw)).collect())
}

/// A field's name, borrowed unless it has escapes.
#[derive(PartialEq, Eq, Hash, serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn token_in<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let tokens = TOKEN_NAMES.iter().filter_map(|name| text_in(fields, name));
    tokens.into_iter().find(|token| !token.is_empty())
}

/// The distinct id: beside the event's name, or else among its properties. What is neither
/// text nor a number is its own JSON text, as at PostHog.
fn id_in<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let beside = fields.get("distinct_id").and_then(|raw| scalar(raw));
    let id = beside.or_else(|| in_properties(fields, "distinct_id"));
    id.filter(|id| !id.is_empty())
}

fn in_properties<'a>(event: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
    let properties = fields(event.get("properties")?.get()).ok()?;
    scalar(properties.get(name)?)
}

fn text_in<'a>(fields: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
    let raw = fields.get(name)?.get();
    if raw.starts_with('"') { scalar(fields.get(name)?) } else { None }
}

/// Text as it is, null as nothing, anything else as its JSON text.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get() {
        "null" => None,
        text if text.starts_with('"') => {
            serde_json::from_str::<Name<'_>>(text).ok().map(|Name(text)| text)
        }
        other => Some(Cow::Borrowed(other)),
    }
}

/// RFC 3339 text, or epoch milliseconds.
fn time_of(raw: &RawValue) -> Option<i64> {
    let text = scalar(raw)?;
    if raw.get().starts_with('"') { parse_timestamp_ms(&text) } else { text.parse().ok() }
}

fn missing(field: &str) -> Refusal {
    Refusal::Invalid(format!("An event without {field:?}: it must be text and not empty."))
}

fn too_large(bytes: usize) -> Refusal {
    Refusal::TooLarge(format!("An event of {bytes} bytes; at most {EVENT_BYTES_MAX} are taken."))
}
