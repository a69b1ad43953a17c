//! PostHog's record of `clickhouse_events_json`: `schemas/clickhouse.schema.json`.
//!
//! One row of its events table: properties are JSON inside a text, the project is a number, and
//! the person comes with the event, as PostHog's pipeline knew them once the event was processed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::object::Object;
use super::scalar::Scalar;
use super::{Event, Skip};

/// The mode of events that say nothing of a person's properties.
const PROPERTYLESS: &str = "propertyless";
/// What a column of UUIDs holds where there is none: nobody's, though many rows may have it.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// Reads a record's value, whose size was checked.
pub(super) fn parse(value: &[u8]) -> Result<Event<'_>, Skip> {
    let row: Row<'_> = serde_json::from_slice(value).map_err(|_| Skip::NotJson)?;
    let propertyless = row.person_mode.text().is_some_and(|mode| mode == PROPERTYLESS);
    let person_properties = row.person_properties.filter(|_| !propertyless);
    let person_id = row.person_id.person_id().filter(|id| id != NO_UUID);
    Ok(Event {
        name: row.event.event_name()?,
        distinct_id: row.distinct_id.distinct_id()?,
        timestamp_ms: row.timestamp.timestamp_ms()?,
        uuid: row.uuid.text(),
        token: None,
        team_id: row.team_id.team_id()?,
        properties: row.properties.and_then(Object::in_text),
        person_id,
        person_properties: person_properties.and_then(Object::in_text),
    })
}

#[derive(Debug, Default)]
struct Row<'a> {
    uuid: Scalar<'a>,
    event: Scalar<'a>,
    team_id: Scalar<'a>,
    distinct_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    properties: Option<&'a RawValue>,
    person_id: Scalar<'a>,
    person_properties: Option<&'a RawValue>,
    person_mode: Scalar<'a>,
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row of events: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let mut row = Row::default();
        while let Some(column) = map.next_key::<Column>()? {
            match column {
                Column::Uuid => row.uuid = map.next_value()?,
                Column::Event => row.event = map.next_value()?,
                Column::TeamId => row.team_id = map.next_value()?,
                Column::DistinctId => row.distinct_id = map.next_value()?,
                Column::Timestamp => row.timestamp = map.next_value()?,
                Column::Properties => row.properties = map.next_value()?,
                Column::PersonId => row.person_id = map.next_value()?,
                Column::PersonProperties => row.person_properties = map.next_value()?,
                Column::PersonMode => row.person_mode = map.next_value()?,
                Column::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(row)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Column {
    Uuid,
    Event,
    TeamId,
    DistinctId,
    Timestamp,
    Properties,
    PersonId,
    PersonProperties,
    PersonMode,
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;
    use crate::time::parse_timestamp_ms;

    /// As PostHog's pipeline writes it: `JSON.stringify` of a `RawKafkaEvent`, in one line.
    const PAGEVIEW: &str = include_str!("clickhouse/pageview.json");

    fn parse(record: &str) -> Result<Event<'_>, Skip> {
        Format::Clickhouse.parse(record.as_bytes())
    }

    /// The record without one of its fields, or with another value there.
    fn pageview_with(field: &str, value: &str) -> String {
        let mut row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(PAGEVIEW).expect("JSON");
        assert!(row.contains_key(field), "{field}");
        row.insert(field.to_owned(), serde_json::from_str(value).expect("JSON"));
        serde_json::Value::Object(row).to_string()
    }

    #[test]
    fn posthogs_record_is_read_as_it_is() {
        let event = parse(PAGEVIEW).expect("an event");
        assert_eq!(event.uuid.as_deref(), Some("0193f3a2-5d1c-7e9a-b1c2-1234567890ab"));
        assert_eq!((event.name.as_ref(), event.distinct_id.as_ref()), ("$pageview", "ann"));
        assert_eq!((event.team_id, event.token), (Some(2), None));
        assert_eq!(event.timestamp_ms, parse_timestamp_ms("2024-12-23T09:30:15.123Z"));
        assert_eq!(event.person_id.as_deref(), Some("018f2c1e-7a44-0000-9d1b-5f3e2a6c4b8d"));

        let properties = event.properties.expect("properties").open().expect("an object");
        let properties: serde_json::Value = serde_json::from_str(&properties).expect("JSON");
        assert_eq!(properties["title"], "Shoes \"on sale\" – 50 % \\ off\n");
        assert_eq!(properties["$set"]["plan"], "pro");
        let person = event.person_properties.expect("person properties").open();
        let person: serde_json::Value =
            serde_json::from_str(&person.expect("an object")).expect("JSON");
        assert_eq!(person["plan"], "pro");
        assert_eq!(person["name"], "Ann 😀");
    }

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        let record = pageview_with("properties", r#""{}""#);
        let event = parse(&record).expect("an event");
        let opened = event.properties.expect("properties").open();
        assert!(matches!(opened, Ok(std::borrow::Cow::Borrowed("{}"))));
    }

    #[test]
    fn propertyless_events_have_no_person_properties() {
        for (mode, has) in [("full", true), ("force_upgrade", true), ("propertyless", false)] {
            let record = pageview_with("person_mode", &format!("{mode:?}"));
            let event = parse(&record).expect("an event");
            assert_eq!(event.person_properties.is_some(), has, "{mode}");
            assert!(event.properties.is_some(), "{mode}");
        }
    }

    /// An empty text and the UUID of zeros are how a column says nothing.
    #[test]
    fn empty_columns_are_absent() {
        for empty in ["null", r#""""#] {
            let record = pageview_with("properties", empty);
            assert!(parse(&record).expect("an event").properties.is_none(), "{empty}");
            let record = pageview_with("person_properties", empty);
            assert!(parse(&record).expect("an event").person_properties.is_none(), "{empty}");
            let record = pageview_with("person_id", empty);
            assert_eq!(parse(&record).expect("an event").person_id, None, "{empty}");
        }
        let record = pageview_with("person_id", &format!("{NO_UUID:?}"));
        assert_eq!(parse(&record).expect("an event").person_id, None);
    }

    /// A link with it has to be bounded.
    #[test]
    fn a_persons_id_is_cut_as_others_are() {
        let record = pageview_with("person_id", &format!("{:?}", "é".repeat(70_000)));
        let person_id = parse(&record).expect("an event").person_id;
        assert_eq!(person_id.as_deref(), Some("é".repeat(200).as_str()));
    }

    #[test]
    fn a_text_that_holds_no_object_is_told_when_it_is_opened() {
        for held in ["garbage", "{\"a\":", "[1]", "7", "null", "{} {}", " "] {
            let text = serde_json::Value::from(held).to_string();
            let record = pageview_with("properties", &text);
            let opened = parse(&record).expect("an event").properties.expect("a text").open();
            assert_eq!(opened, Err(Skip::BadProperties), "{held:?}");
        }
        for other in ["{}", "[]", "7", r#""\ud800""#] {
            let record =
                PAGEVIEW.replacen("\"full\"", &format!("\"full\",\"properties\":{other}"), 1);
            let opened = parse(&record).expect("an event").properties.expect("a value").open();
            assert_eq!(opened, Err(Skip::BadProperties), "{other}");
        }
    }

    #[test]
    fn what_is_no_event_is_skipped_by_name() {
        for (field, value, skip) in [
            ("event", r#""""#, Skip::NoEvent),
            ("event", "7", Skip::NoEvent),
            ("distinct_id", r#""""#, Skip::NoDistinctId),
            ("distinct_id", "null", Skip::NoDistinctId),
            ("team_id", r#""2""#, Skip::UnknownTeam),
            ("team_id", "2.5", Skip::UnknownTeam),
            ("timestamp", r#""2024-12-23 25:00:00.000000""#, Skip::BadTimestamp),
        ] {
            assert_eq!(parse(&pageview_with(field, value)).err(), Some(skip), "{field}: {value}");
        }
        for record in ["", "garbage", "[]", "[1,2]", &PAGEVIEW[..200]] {
            assert_eq!(parse(record).err(), Some(Skip::NotJson), "{record}");
        }
    }
}
