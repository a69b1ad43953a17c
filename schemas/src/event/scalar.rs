//! A field that should hold text or a number, and may hold anything.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Skip, Text};
use crate::ids::cut_distinct_id;
use crate::time::parse_timestamp_ms;

/// What a field holds.
#[derive(Debug, Default)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Number(serde_json::Number),
    Other,
}

impl<'a> Scalar<'a> {
    /// The text, if it is one.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A project's number at PostHog, if one is stated.
    pub fn team_id(self) -> Result<Option<i64>, Skip> {
        match self {
            Scalar::Absent => Ok(None),
            Scalar::Number(number) => number.as_i64().map(Some).ok_or(Skip::UnknownTeam),
            Scalar::Text(_) | Scalar::Other => Err(Skip::UnknownTeam),
        }
    }

    /// The name of an event.
    pub fn event_name(self) -> Result<Text<'a>, Skip> {
        self.text().filter(|name| !name.is_empty()).ok_or(Skip::NoEvent)
    }

    /// A distinct id, cut; a number counts as its text.
    pub fn distinct_id(self) -> Result<Text<'a>, Skip> {
        let id = match self {
            Scalar::Text(text) => cut(text),
            Scalar::Number(number) => Cow::Owned(number.to_string()),
            Scalar::Absent | Scalar::Other => return Err(Skip::NoDistinctId),
        };
        if id.is_empty() { Err(Skip::NoDistinctId) } else { Ok(id) }
    }

    /// The id of a person, cut likewise, if there is one.
    pub fn person_id(self) -> Option<Text<'a>> {
        self.text().map(cut).filter(|id| !id.is_empty())
    }

    /// An instant in epoch milliseconds, if one is stated.
    pub fn timestamp_ms(self) -> Result<Option<i64>, Skip> {
        let stated_ms = match self {
            Scalar::Absent => return Ok(None),
            Scalar::Text(text) => parse_timestamp_ms(&text),
            Scalar::Number(number) => epoch_ms(&number),
            Scalar::Other => None,
        };
        stated_ms.map(Some).ok_or(Skip::BadTimestamp)
    }
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
