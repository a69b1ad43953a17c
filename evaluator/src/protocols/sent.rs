//! What an SDK sent in one request, and the records of the log that it becomes.
//!
//! A sender's clock is corrected by `sent_at`, as PostHog does it; one bad event in a batch
//! doesn't cost the others.

use std::borrow::Cow;
use std::fmt;

use schemas::append::Outgoing;
use schemas::forgetting;
use schemas::ids::cut_distinct_id;
use schemas::own::{PREFIX, is_own};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use uuid::{NoContext, Timestamp, Uuid};

use super::body::not_json;
use super::fields::{Fields, is_deep};
use super::refusal::Refusal;

/// The largest event: what Kafka's brokers take by default, less the record's own overhead.
const EVENT_BYTES_MAX: usize = 1_000_000;
/// The same as it is sent: spaces and escapes, and what is cut, are not kept.
const RAW_EVENT_BYTES_MAX: usize = 4 * EVENT_BYTES_MAX;
/// The most events of one request: the smallest of JSON are a byte, and each costs memory.
const EVENTS_MAX: usize = 100_000;
const TOKEN_NAMES: [&str; 3] = ["token", "api_key", "$token"];

/// A request: a batch object, an array, or one event.
pub struct Sent<'a> {
    envelope: Fields<'a>,
    events: Vec<&'a RawValue>,
    /// What events without a name are.
    unnamed: Option<&'static str>,
}

/// The events of a request, ready for the log.
#[derive(Debug, Default)]
pub struct Batch {
    /// Those that are in order.
    pub records: Vec<Outgoing>,
    /// Why each of the others isn't.
    pub mistakes: Vec<Refusal>,
}

/// Our clock, and the sender's at the time of sending.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Told by the query; the body's own word goes before it.
    pub sent_at_ms: Option<i64>,
    /// When the request arrived.
    pub now_ms: i64,
}

impl<'a> Sent<'a> {
    /// Reads a request; its events are not read yet. Those without a name are `unnamed`.
    ///
    /// # Errors
    /// When it is neither an object nor an array, or holds more than [`EVENTS_MAX`] events.
    pub fn parse(text: &'a str, unnamed: Option<&'static str>) -> Result<Self, Refusal> {
        let text = text.trim_start();
        let (envelope, events) = if text.starts_with('[') {
            (Fields::default(), list(text)?)
        } else {
            let envelope = Fields::parse(text).map_err(|error| not_json(&error))?;
            match envelope.raw("batch") {
                Some(batch) => (envelope, list(batch.get())?),
                None => {
                    let event = serde_json::from_str(text).map_err(|error| not_json(&error))?;
                    (envelope, vec![event])
                }
            }
        };
        Ok(Sent { envelope, events, unnamed })
    }

    /// The request's token, or the one that its events agree on.
    ///
    /// # Errors
    /// When there is none, or there are two.
    pub fn token(&self) -> Result<Cow<'a, str>, Refusal> {
        if let Some(token) = token_in(&self.envelope) {
            return Ok(token);
        }
        let mut agreed: Option<Cow<'a, str>> = None;
        let events = self.events.iter();
        for event in events.filter_map(|event| Fields::parse(event.get()).ok()) {
            let among = || event.property("token").filter(|token| !token.is_empty());
            let Some(token) = token_in(&event).or_else(among) else {
                continue;
            };
            if agreed.as_ref().is_some_and(|agreed| *agreed != token) {
                let what = "Events of two projects in one request.";
                return Err(Refusal::Invalid(what.to_owned()));
            }
            agreed = Some(token);
        }
        agreed.ok_or(Refusal::NoToken)
    }

    /// Its events as records of the log.
    pub fn batch(&self, token: &str, clocks: Clocks) -> Batch {
        let sent_at_ms = self.envelope.time_ms("sent_at").or(clocks.sent_at_ms);
        let clocks = Clocks { sent_at_ms, ..clocks };
        let mut batch =
            Batch { records: Vec::with_capacity(self.events.len()), mistakes: Vec::new() };
        for event in &self.events {
            match record(event, token, clocks, self.unnamed) {
                Ok(record) => batch.records.push(record),
                Err(mistake) => batch.mistakes.push(mistake),
            }
        }
        batch
    }
}

/// The value of a record, as `event.schema.json` has it.
#[derive(Serialize)]
struct Record<'a> {
    uuid: Cow<'a, str>,
    token: &'a str,
    event: &'a str,
    distinct_id: &'a str,
    timestamp: i64,
    properties: Cow<'a, RawValue>,
}

/// An event as a record of the log; `unnamed` is its name where it has none.
///
/// # Errors
/// When something is missing or wrong in it.
pub fn record(
    event: &RawValue,
    token: &str,
    clocks: Clocks,
    unnamed: Option<&'static str>,
) -> Result<Outgoing, Refusal> {
    if event.get().len() > RAW_EVENT_BYTES_MAX {
        return Err(too_large(event.get().len()));
    }
    if is_deep(event.get()) {
        return Err(Refusal::Invalid("An event that nests too deep.".to_owned()));
    }
    let fields = Fields::parse(event.get()).map_err(|error| not_json(&error))?;
    let name = fields.text("event").filter(|name| !name.is_empty());
    let name = name.or(unnamed.map(Cow::Borrowed)).ok_or_else(|| missing("event"))?;
    if is_own(&name) {
        let what = match name.as_ref() {
            forgetting::EVENT => {
                "Only POST /api/forget, with the project's secret, deletes a person.".to_owned()
            }
            _ => format!("Only Sluice itself sends events whose names begin with {PREFIX:?}."),
        };
        return Err(Refusal::Invalid(what));
    }
    let id = fields.scalar("distinct_id").or_else(|| fields.scalar("$distinct_id"));
    let id = id.or_else(|| fields.property("distinct_id"));
    let id = id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| missing("distinct_id"))?;
    let distinct_id = cut_distinct_id(&id);
    let uuid = fields.text("uuid").filter(|uuid| !uuid.is_empty());
    let record = Record {
        uuid: uuid.unwrap_or_else(|| Cow::Owned(new_uuid(clocks.now_ms).to_string())),
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
    let key = key_of(token, distinct_id);
    Ok(Outgoing { key, value, partition: None })
}

/// The key of a person's records.
pub fn key_of(token: &str, distinct_id: &str) -> String {
    format!("{token}:{distinct_id}")
}

/// Version 7, from the clock that the whole request follows.
pub fn new_uuid(now_ms: i64) -> Uuid {
    let (seconds, ms) = (now_ms.div_euclid(1_000), now_ms.rem_euclid(1_000));
    let nanos = ms as u32 * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds.max(0) as u64, nanos))
}

/// PostHog's rule: what the sender's clock says, moved by how far that clock is off; an
/// `offset` counts back from now; what can't be read is now.
fn timestamp_ms(event: &Fields<'_>, clocks: Clocks) -> i64 {
    let Clocks { sent_at_ms, now_ms } = clocks;
    let Some(stated_ms) = event.time_ms("timestamp") else {
        return now_ms.saturating_sub(event.number("offset").unwrap_or(0).max(0));
    };
    let trusted = || event.property("$ignore_sent_at").as_deref() == Some("true");
    match sent_at_ms.or_else(|| event.time_ms("sent_at")) {
        Some(sent_at_ms) if !trusted() => {
            now_ms.saturating_add(stated_ms.saturating_sub(sent_at_ms))
        }
        _ => stated_ms,
    }
}

/// The event's properties; what old SDKs send beside them moves in, and wins.
fn properties<'a>(event: &Fields<'a>) -> Result<Cow<'a, RawValue>, Refusal> {
    let given = event.raw("properties");
    if given.is_some_and(|raw| !raw.get().starts_with('{')) {
        let what = "The properties of an event must be an object.";
        return Err(Refusal::Invalid(what.to_owned()));
    }
    let mut beside = ["$set", "$set_once", "$unset"]
        .into_iter()
        .filter_map(|name| Some((name, event.raw(name)?)))
        .peekable();
    match given {
        Some(given) if beside.peek().is_none() => return Ok(Cow::Borrowed(given)),
        _ => {}
    }
    let bad = |error| not_json(&error);
    let given = given.map_or("{}", RawValue::get);
    let mut joined: Map<String, Value> = serde_json::from_str(given).map_err(bad)?;
    for (name, raw) in beside {
        let value: Value = serde_json::from_str(raw.get()).map_err(bad)?;
        match (joined.get_mut(name), value) {
            (Some(Value::Object(held)), Value::Object(more)) => held.extend(more),
            (_, value) => drop(joined.insert(name.to_owned(), value)),
        }
    }
    to_raw_value(&joined).map(Cow::Owned).map_err(bad)
}

fn token_in<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let mut tokens = TOKEN_NAMES.iter().filter_map(|name| fields.text(name));
    tokens.find(|token| !token.is_empty())
}

fn missing(field: &str) -> Refusal {
    Refusal::Invalid(format!("An event without {field:?}, which must not be empty."))
}

fn too_large(bytes: usize) -> Refusal {
    let what = format!("An event of {bytes} bytes; at most {EVENT_BYTES_MAX} are taken.");
    Refusal::TooLarge(what)
}

/// A list of events, none of them read.
///
/// # Errors
/// When it is no list, or holds more than [`EVENTS_MAX`].
pub fn list(text: &str) -> Result<Vec<&RawValue>, Refusal> {
    let Events(events) = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    if events.len() > EVENTS_MAX {
        let what = format!("More than {EVENTS_MAX} events in one request; send fewer at a time.");
        return Err(Refusal::TooLarge(what));
    }
    Ok(events)
}

/// A list of events; of one that is too long, one more than is taken.
struct Events<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Events<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventsVisitor)
    }
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Events<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Events<'de>, A::Error> {
        let mut events = Vec::new();
        while events.len() <= EVENTS_MAX {
            match seq.next_element()? {
                Some(event) => events.push(event),
                None => return Ok(Events(events)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Events(events))
    }
}
