//! Which matchers an event hits: its name first, its properties only if some filter asks.

use std::borrow::Cow;
use std::fmt;

use schemas::catalog::{Matcher, Project};
use schemas::filter::{Filter, Moment};
use schemas::window::Value;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

/// Calls `hit` with every matcher of the project that accepts an event of this name, this time
/// in epoch milliseconds and these properties, a JSON object, and with what it takes from it.
pub fn hits<'p>(
    project: &'p Project,
    name: &str,
    time_ms: i64,
    properties: Option<&str>,
    mut hit: impl FnMut(&'p Matcher, Value),
) {
    let named = project.gate.get(name).map_or(&[][..], Vec::as_slice);
    let asked = || named.iter().chain(&project.of_any_event).map(|at| &project.matchers[*at]);
    let mut picked: Option<Picked<'p>> = None;
    // A date of so long ago counts back from the event: the same log gives the same state.
    let moment = Moment { now_ms: time_ms, zone: &project.time_zone };
    for matcher in asked() {
        if matcher.filters.is_empty() && matcher.take.property().is_none() {
            hit(matcher, Value::NONE);
            continue;
        }
        let picked = picked.get_or_insert_with(|| pick(asked(), properties));
        let passes = |filter: &Filter| filter.matches(picked.value(&filter.key), moment);
        if matcher.filters.iter().all(passes) {
            let property = matcher.take.property().and_then(|key| picked.value(key));
            if let Some(value) = matcher.take.of(property, moment) {
                hit(matcher, value);
            }
        }
    }
}

/// The properties that matchers ask for; a name that comes twice has its last value.
#[derive(Default)]
struct Picked<'p>(Vec<(&'p str, Json)>);

impl Picked<'_> {
    fn value(&self, key: &str) -> Option<&Json> {
        self.0.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

fn pick<'p>(matchers: impl Iterator<Item = &'p Matcher>, properties: Option<&str>) -> Picked<'p> {
    let Some(properties) = properties else {
        return Picked::default();
    };
    let wanted = matchers.flat_map(|matcher| {
        let filtered = matcher.filters.iter().map(|filter| filter.key.as_str());
        filtered.chain(matcher.take.property())
    });
    let mut deserializer = serde_json::Deserializer::from_str(properties);
    // They were checked as JSON when they were read; only a nesting beyond serde_json's
    // bound is left to fail here, and then no filter holds.
    Wanted(wanted.collect()).deserialize(&mut deserializer).unwrap_or_default()
}

struct Wanted<'p>(Vec<&'p str>);

impl<'de, 'p> DeserializeSeed<'de> for Wanted<'p> {
    type Value = Picked<'p>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Picked<'p>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, 'p> Visitor<'de> for Wanted<'p> {
    type Value = Picked<'p>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("properties: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'p>, A::Error> {
        let mut picked = Picked::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            match self.0.iter().find(|wanted| **wanted == key) {
                Some(wanted) => picked.0.push((wanted, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(picked)
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
