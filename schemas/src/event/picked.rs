//! The properties of an event that somebody asks for, picked from all that it has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// Properties by name; one that comes twice has its last value.
#[derive(Debug, Default)]
pub struct Picked<'p>(Vec<(&'p str, Json)>);

impl<'p> Picked<'p> {
    /// Those of these names, of properties that are JSON text of an object. None where they are
    /// nested too deeply to be read.
    pub fn from_text(properties: &str, wanted: &'p [String]) -> Self {
        let mut deserializer = serde_json::Deserializer::from_str(properties);
        Picking(wanted).deserialize(&mut deserializer).unwrap_or_default()
    }

    /// Keeps a value, instead of one that this name had before.
    pub(super) fn keep(&mut self, name: &'p str, value: Json) {
        self.0.push((name, value));
    }

    /// The value of this name.
    pub fn value(&self, key: &str) -> Option<&Json> {
        self.0.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// Picks what has these names; of what is no object, nothing.
struct Picking<'p>(&'p [String]);

impl<'de, 'p> DeserializeSeed<'de> for Picking<'p> {
    type Value = Picked<'p>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Picked<'p>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'p> Visitor<'de> for Picking<'p> {
    type Value = Picked<'p>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("properties: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'p>, A::Error> {
        let mut picked = Picked::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            match self.0.iter().find(|wanted| **wanted == key) {
                Some(wanted) => picked.keep(wanted, map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(picked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Picked<'p>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Picked::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Picked<'p>, E> {
        Ok(Picked::default())
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_no_object_nothing_is_picked() {
        let wanted = ["a".to_owned()];
        for properties in ["[]", r#"["a","b"]"#, r#""a""#, "7", "-7", "0.5", "true", "null", ""] {
            assert!(Picked::from_text(properties, &wanted).0.is_empty(), "{properties}");
        }
    }
}
