//! Sluice's own record: `schemas/event.schema.json`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::object::Object;
use super::scalar::Scalar;
use super::{Event, Skip};

/// Reads a record's value, whose size was checked.
pub(super) fn parse(value: &[u8]) -> Result<Event<'_>, Skip> {
    let fields: Fields<'_> = serde_json::from_slice(value).map_err(|_| Skip::NotJson)?;
    Ok(Event {
        name: fields.event.event_name()?,
        distinct_id: fields.distinct_id.distinct_id()?,
        timestamp_ms: fields.timestamp.timestamp_ms()?,
        uuid: fields.uuid.text(),
        token: fields.token.text(),
        team_id: None,
        properties: fields.properties.and_then(Object::plain),
        person_id: None,
        person_properties: None,
    })
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
