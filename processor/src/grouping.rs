//! The group properties that an event writes: `$groupidentify`'s `$group_set`.

use schemas::event::Event;
use schemas::group::{EVENT, Group};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What an event says of a group.
#[derive(Debug)]
pub struct Grouping<'a> {
    of: String,
    key: String,
    /// A JSON object of properties.
    pub set: &'a str,
}

impl Grouping<'_> {
    /// Which group.
    pub fn group(&self) -> Option<Group<'_>> {
        Group::named(&self.of, &self.key)
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "$group_type", default)]
    of: Value,
    #[serde(rename = "$group_key", default)]
    key: Value,
    #[serde(borrow, rename = "$group_set", default)]
    set: Option<&'a RawValue>,
}

/// Whether events of this name write properties of a group; no other's are looked at for it.
pub fn may_group(name: &str) -> bool {
    name == EVENT
}

/// What an event with these properties, a JSON object, says of a group, if it is one that does.
/// What names no group, or sets nothing of it, says nothing.
pub fn grouping_of<'a>(event: &Event<'_>, properties: &'a str) -> Option<Grouping<'a>> {
    if !may_group(&event.name) {
        return None;
    }
    let Named { of, key, set } = serde_json::from_str(properties).ok()?;
    let text = |value| match value {
        Value::String(text) => Some(text),
        // Keys are numbers at times, and requests name them as text.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let grouping = Grouping { of: text(of)?, key: text(key)?, set: set?.get() };
    grouping.group().is_some().then_some(grouping)
}
