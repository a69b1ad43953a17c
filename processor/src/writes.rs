//! The person properties that an event writes: `$set`, `$set_once` and `$unset`, or all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use rustc_hash::FxHashSet;
use schemas::own::is_own;
use schemas::properties::{Kind, Register};
use schemas::window::Entry;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Writes<'a> {
    #[serde(borrow, rename = "$set", default)]
    set: Option<&'a RawValue>,
    #[serde(borrow, rename = "$set_once", default)]
    set_once: Option<&'a RawValue>,
    #[serde(borrow, rename = "$unset", default)]
    unset: Option<&'a RawValue>,
}

/// Calls `write` with every property that an event with these properties, a JSON object,
/// writes. What isn't an object of properties, or a list of names for `$unset`, writes nothing;
/// nor does anybody write what only Sluice does.
pub fn writes(properties: &str, stamp: Entry, mut write: impl FnMut(Register<'_>)) {
    let Ok(writes) = serde_json::from_str::<Writes<'_>>(properties) else {
        return;
    };
    for (kind, object) in [(Kind::Set, writes.set), (Kind::SetOnce, writes.set_once)] {
        let object = object.map(RawValue::get).unwrap_or_default();
        writes_of(object, kind, stamp, &mut write);
    }
    let names = writes.unset.map(RawValue::get).unwrap_or_default();
    let names = serde_json::from_str::<Vec<String>>(names).unwrap_or_default();
    for key in names.into_iter().filter(|key| !is_own(key)) {
        write(Register { key: key.into(), kind: Kind::Unset, stamp, value: "".into() });
    }
}

/// Calls `write` with every property of `object`; what isn't a JSON object writes nothing.
pub fn writes_of(object: &str, kind: Kind, stamp: Entry, mut write: impl FnMut(Register<'_>)) {
    let values = serde_json::from_str::<BTreeMap<String, &RawValue>>(object).unwrap_or_default();
    for (key, value) in values.into_iter().filter(|(key, _)| !is_own(key)) {
        write(Register { key: key.into(), kind, stamp, value: value.get().into() });
    }
}

/// A property of a person and its value as JSON.
pub type Told<'a> = (Cow<'a, str>, &'a str);

/// Those of a person's properties, a JSON object, that somebody asks for.
pub fn told<'a>(person_properties: &'a str, asked: &FxHashSet<String>) -> Vec<Told<'a>> {
    let mut deserializer = serde_json::Deserializer::from_str(person_properties);
    // They were checked as JSON when they were opened: nothing is left to fail here.
    deserializer.deserialize_map(Snapshot { asked }).unwrap_or_default()
}

/// The write that a property told by an event amounts to: at the event's time it was so, as if
/// the event had set it.
pub fn write_of<'a>((key, value): &'a Told<'_>, stamp: Entry) -> Register<'a> {
    let (key, value) = (Cow::Borrowed(key.as_ref()), Cow::Borrowed(*value));
    Register { key, kind: Kind::Set, stamp, value }
}

struct Snapshot<'s> {
    asked: &'s FxHashSet<String>,
}

impl<'de> Visitor<'de> for Snapshot<'_> {
    type Value = Vec<Told<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a person's properties: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Told<'de>>, A::Error> {
        let mut told = Vec::new();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if self.asked.contains(key.as_ref()) && !is_own(&key) {
                told.push((key, map.next_value::<&RawValue>()?.get()));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(told)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_snapshot_only_what_is_asked_for_is_taken() {
        let person =
            r#" {"email":"a@b.c","pl\u0061n":"pro","tags":["x", {"plan":1}],"none":null} "#;
        let asked = ["plan", "tags", "none", "city"].map(str::to_owned).into_iter().collect();
        let told = told(person, &asked);
        let told: Vec<String> = told.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(told, [r#"plan "pro""#, r#"tags ["x", {"plan":1}]"#, "none null"]);
    }
}
