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
    fields.event()
}

/// What a record may have, as it was found.
#[derive(Debug, Default)]
struct Fields<'a> {
    uuid: Scalar<'a>,
    token: Scalar<'a>,
    event: Scalar<'a>,
    distinct_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    properties: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// The event that they make up.
    fn event(self) -> Result<Event<'a>, Skip> {
        Ok(Event {
            name: self.event.event_name()?,
            distinct_id: self.distinct_id.distinct_id()?,
            timestamp_ms: self.timestamp.timestamp_ms()?,
            uuid: self.uuid.text(),
            token: self.token.text(),
            team_id: None,
            properties: self.properties.and_then(Object::plain),
            person_id: None,
            person_properties: None,
        })
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<FieldName>()? {
            match key {
                FieldName::Uuid => fields.uuid = map.next_value()?,
                FieldName::Token => first(&mut fields.token, map.next_value()?),
                FieldName::Event => first(&mut fields.event, map.next_value()?),
                FieldName::DistinctId => fields.distinct_id = map.next_value()?,
                FieldName::Timestamp => fields.timestamp = map.next_value()?,
                FieldName::Properties => fields.properties = Some(map.next_value()?),
                FieldName::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

/// Of a field that comes twice, the first counts: an event that nobody watches is read no further.
fn first<'a>(field: &mut Scalar<'a>, value: Scalar<'a>) {
    if let Scalar::Absent = field {
        *field = value;
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
