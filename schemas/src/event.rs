//! An event as the log has it: a record's bytes become an [`Event`], or a named [`Skip`].

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ids::cut_distinct_id;
use crate::time::{YEAR_2000_MS, parse_timestamp_ms};

/// The largest record that is read, in bytes.
pub const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A parsed event, borrowing from its record where it can.
#[derive(Debug)]
pub struct Event<'a> {
    /// The event id; where absent, partition and offset identify the event.
    pub uuid: Option<Text<'a>>,
    /// The project's token; where absent, the topic's project is meant.
    pub token: Option<Text<'a>>,
    /// What happened.
    pub name: Text<'a>,
    /// Who did it, cut to 200 characters.
    pub distinct_id: Text<'a>,
    /// When, in epoch milliseconds, as the sender says; where absent, the record's time.
    pub timestamp_ms: Option<i64>,
    /// A JSON object, not parsed yet.
    pub properties: Option<&'a RawValue>,
}

/// Text of a record, borrowed unless it had escapes.
pub type Text<'a> = Cow<'a, str>;

/// Why a record, or a hit, is left out. Each is a label of `sluice_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// A record without a value.
    Tombstone,
    /// Not a JSON object.
    NotJson,
    /// Larger than [`RECORD_BYTES_MAX`].
    TooLarge,
    /// `event` is missing, empty or no text.
    NoEvent,
    /// `distinct_id` is missing, empty, or neither text nor a number.
    NoDistinctId,
    /// `timestamp` is neither RFC 3339 nor epoch milliseconds.
    BadTimestamp,
    /// The token opens no project, or none is given where there are several projects.
    UnknownToken,
    /// Before the year 2000, or further back than any window and the lateness reach.
    Late,
}

impl Skip {
    /// Every reason, for metrics that are there from the start.
    pub const ALL: [Skip; 8] = [
        Skip::Tombstone,
        Skip::NotJson,
        Skip::TooLarge,
        Skip::NoEvent,
        Skip::NoDistinctId,
        Skip::BadTimestamp,
        Skip::UnknownToken,
        Skip::Late,
    ];

    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Skip::Tombstone => "tombstone",
            Skip::NotJson => "not_json",
            Skip::TooLarge => "too_large",
            Skip::NoEvent => "no_event",
            Skip::NoDistinctId => "no_distinct_id",
            Skip::BadTimestamp => "bad_timestamp",
            Skip::UnknownToken => "unknown_token",
            Skip::Late => "late",
        }
    }
}

impl<'a> Event<'a> {
    /// Reads a record's value.
    ///
    /// # Errors
    /// The reason why the record is no event; nothing else of the log is affected.
    pub fn parse(value: &'a [u8]) -> Result<Self, Skip> {
        if value.len() > RECORD_BYTES_MAX {
            return Err(Skip::TooLarge);
        }
        let fields: Fields<'a> = serde_json::from_slice(value).map_err(|_| Skip::NotJson)?;
        let name = fields.event.text().filter(|name| !name.is_empty()).ok_or(Skip::NoEvent)?;
        let distinct_id = match fields.distinct_id {
            Scalar::Text(text) => cut(text),
            Scalar::Number(number) => Cow::Owned(number.to_string()),
            Scalar::Absent | Scalar::Other => return Err(Skip::NoDistinctId),
        };
        if distinct_id.is_empty() {
            return Err(Skip::NoDistinctId);
        }
        let timestamp_ms = match fields.timestamp {
            Scalar::Absent => None,
            Scalar::Text(text) => Some(parse_timestamp_ms(&text).ok_or(Skip::BadTimestamp)?),
            Scalar::Number(number) => Some(epoch_ms(&number).ok_or(Skip::BadTimestamp)?),
            Scalar::Other => return Err(Skip::BadTimestamp),
        };
        let properties = fields.properties.filter(|raw| raw.get().starts_with('{'));
        let (uuid, token) = (fields.uuid.text(), fields.token.text());
        Ok(Event { uuid, token, name, distinct_id, timestamp_ms, properties })
    }

    /// When the event counts as having happened, bounded by its record's own time: at most
    /// `skew_ms` ahead of it, never before the year 2000.
    ///
    /// # Errors
    /// [`Skip::Late`] before the year 2000.
    pub fn time_ms(&self, record_ms: i64, skew_ms: i64) -> Result<EventTime, Skip> {
        let latest_ms = record_ms.saturating_add(skew_ms);
        let stated_ms = self.timestamp_ms.unwrap_or(record_ms);
        let time_ms = stated_ms.min(latest_ms);
        if time_ms < YEAR_2000_MS {
            return Err(Skip::Late);
        }
        Ok(EventTime { time_ms, clamped: stated_ms > latest_ms })
    }

    /// What stands for the event's id in windows: a stable hash of its uuid, or of where and
    /// when the log has it: in a log that was made anew, another event lies there.
    pub fn id_hash(&self, partition: i32, offset: i64, record_ms: i64) -> u64 {
        match &self.uuid {
            Some(uuid) => xxhash_rust::xxh3::xxh3_64(uuid.as_bytes()),
            None => {
                let mut place = [0; 20];
                place[..4].copy_from_slice(&partition.to_le_bytes());
                place[4..12].copy_from_slice(&offset.to_le_bytes());
                place[12..].copy_from_slice(&record_ms.to_le_bytes());
                xxhash_rust::xxh3::xxh3_64(&place)
            }
        }
    }
}

/// An event's time, bounded by its record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Epoch milliseconds.
    pub time_ms: i64,
    /// Whether the sender's clock ran ahead by more than the skew.
    pub clamped: bool,
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut_distinct_id(text)),
        Cow::Owned(text) => Cow::Owned(cut_distinct_id(&text).to_owned()),
    }
}

fn epoch_ms(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().filter(|ms| ms.is_finite()).map(|ms| ms as i64))
}

/// A field that should hold text or a number, and may hold anything.
#[derive(Debug, Default)]
enum Scalar<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Number(serde_json::Number),
    Other,
}

impl<'a> Scalar<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Fields<'a> {
    uuid: Scalar<'a>,
    token: Scalar<'a>,
    event: Scalar<'a>,
    distinct_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    properties: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<FieldName>()? {
            match key {
                FieldName::Uuid => fields.uuid = map.next_value()?,
                FieldName::Token => fields.token = map.next_value()?,
                FieldName::Event => fields.event = map.next_value()?,
                FieldName::DistinctId => fields.distinct_id = map.next_value()?,
                FieldName::Timestamp => fields.timestamp = map.next_value()?,
                FieldName::Properties => fields.properties = Some(map.next_value()?),
                FieldName::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum FieldName {
    Uuid,
    Token,
    Event,
    DistinctId,
    Timestamp,
    Properties,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text or a number")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(serde_json::Number::from_f64(number).map_or(Scalar::Other, Scalar::Number))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Absent)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip_of(record: &str) -> Option<Skip> {
        Event::parse(record.as_bytes()).err()
    }

    #[test]
    fn an_event_is_read_whole() {
        let record = br#"{"uuid":"u","token":"shop","event":"purchase","distinct_id":"ann",
            "timestamp":1700000000000,"properties":{"price":5},"more":[1,{"deep":null}]}"#;
        let event = Event::parse(record).expect("an event");
        assert_eq!((event.name.as_ref(), event.distinct_id.as_ref()), ("purchase", "ann"));
        assert_eq!(event.timestamp_ms, Some(1_700_000_000_000));
        assert_eq!(event.properties.map(RawValue::get), Some(r#"{"price":5}"#));
    }

    #[test]
    fn what_is_no_event_is_skipped_by_name() {
        for (record, skip) in [
            ("", Skip::NotJson),
            ("garbage", Skip::NotJson),
            ("[]", Skip::NotJson),
            ("{}", Skip::NoEvent),
            (r#"{"event":7,"distinct_id":"a"}"#, Skip::NoEvent),
            (r#"{"event":"e"}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":""}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":{"a":1}}"#, Skip::NoDistinctId),
            (r#"{"event":"e","distinct_id":"a","timestamp":"noon"}"#, Skip::BadTimestamp),
            (r#"{"event":"e","distinct_id":"a","timestamp":[]}"#, Skip::BadTimestamp),
        ] {
            assert_eq!(skip_of(record), Some(skip), "{record}");
        }
    }

    #[test]
    fn a_fast_clock_is_bounded_by_the_log_and_the_year_1_is_late() {
        let at = |stated_ms| Event { timestamp_ms: Some(stated_ms), ..event() };
        let record_ms = 1_700_000_000_000;
        let ahead = at(253_402_300_799_000).time_ms(record_ms, 5_000);
        assert_eq!(ahead, Ok(EventTime { time_ms: record_ms + 5_000, clamped: true }));
        assert_eq!(at(-62_135_596_800_000).time_ms(record_ms, 5_000), Err(Skip::Late));
    }

    #[test]
    fn a_long_id_is_cut_and_a_number_is_text() {
        let long = "é".repeat(1_000);
        let record = format!(r#"{{"event":"e","distinct_id":"{long}"}}"#);
        let event = Event::parse(record.as_bytes()).expect("an event");
        assert_eq!(event.distinct_id.chars().count(), 200);
        let event = Event::parse(br#"{"event":"e","distinct_id":123.45}"#).expect("an event");
        assert_eq!(event.distinct_id, "123.45");
    }

    fn event() -> Event<'static> {
        Event::parse(br#"{"event":"e","distinct_id":"a"}"#).expect("an event")
    }
}
