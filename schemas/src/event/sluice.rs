//! Sluice's own record: `schemas/event.schema.json`.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::object::Object;
use super::picked::{Picked, Picking};
use super::scalar::Scalar;
use super::{Event, Skip};

/// Reads a record's value, whose size was checked.
pub(super) fn parse(value: &[u8]) -> Result<Event<'_>, Skip> {
    let mut json = serde_json::Deserializer::from_slice(value);
    let fields = Reading { wanted: None }.deserialize(&mut json);
    let fields = fields.and_then(|fields| json.end().map(|()| fields));
    fields.map_err(|_| Skip::NotJson)?.event()
}

/// The same, with the properties of these names alone. Nothing where the record can't be read so.
pub(super) fn pick<'a, 'p>(value: &'a [u8], wanted: &[&'p str]) -> Option<(Event<'a>, Picked<'p>)> {
    // Checked once for all, and not text by text.
    let mut json = serde_json::Deserializer::from_str(str::from_utf8(value).ok()?);
    let mut fields = Reading { wanted: Some(wanted) }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    let picked = std::mem::take(&mut fields.picked);
    Some((fields.event().ok()?, picked))
}

#[derive(Debug, Default)]
struct Fields<'a, 'p> {
    uuid: Scalar<'a>,
    token: Scalar<'a>,
    event: Scalar<'a>,
    distinct_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    properties: Option<&'a RawValue>,
    picked: Picked<'p>,
}

impl<'a> Fields<'a, '_> {
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

/// Reads fields, with the properties as they are written unless some are wanted.
struct Reading<'w, 'p> {
    wanted: Option<&'w [&'p str]>,
}

impl<'de, 'p> DeserializeSeed<'de> for Reading<'_, 'p> {
    type Value = Fields<'de, 'p>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, 'p> Visitor<'de> for Reading<'_, 'p> {
    type Value = Fields<'de, 'p>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<FieldName>()? {
            match key {
                FieldName::Uuid => fields.uuid = map.next_value()?,
                FieldName::Token => first(&mut fields.token, map.next_value()?),
                FieldName::Event => first(&mut fields.event, map.next_value()?),
                FieldName::DistinctId => fields.distinct_id = map.next_value()?,
                FieldName::Timestamp => fields.timestamp = map.next_value()?,
                FieldName::Properties => match self.wanted {
                    Some(wanted) => fields.picked = map.next_value_seed(Picking(wanted))?,
                    None => fields.properties = Some(map.next_value()?),
                },
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
