//! The person properties that an event writes: `$set`, `$set_once` and `$unset`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use schemas::event::Event;
use schemas::properties::{Kind, Register};
use schemas::window::Entry;
use serde::Deserialize;
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

/// What every write's name begins with, the second way with an escaped dollar sign.
static SIGNS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [Finder::new("$set"), Finder::new("$unset"), Finder::new("\\u0024")]);

/// Whether an event's bytes can hold a write at all; what this denies is never parsed for one.
pub fn may_write(event: &Event<'_>) -> bool {
    event.properties.is_some_and(|properties| {
        let bytes = properties.get().as_bytes();
        SIGNS.iter().any(|sign| sign.find(bytes).is_some())
    })
}

/// Calls `write` with every property that the event writes. What isn't an object of
/// properties, or a list of names for `$unset`, writes nothing.
pub fn writes(event: &Event<'_>, stamp: Entry, mut write: impl FnMut(Register<'_>)) {
    let Some(properties) = event.properties else {
        return;
    };
    let Ok(writes) = serde_json::from_str::<Writes<'_>>(properties.get()) else {
        return;
    };
    for (kind, object) in [(Kind::Set, writes.set), (Kind::SetOnce, writes.set_once)] {
        let object = object.map(RawValue::get).unwrap_or_default();
        let Ok(values) = serde_json::from_str::<BTreeMap<String, &RawValue>>(object) else {
            continue;
        };
        for (key, value) in values {
            write(Register { key: key.into(), kind, stamp, value: value.get().into() });
        }
    }
    let names = writes.unset.map(RawValue::get).unwrap_or_default();
    for key in serde_json::from_str::<Vec<String>>(names).unwrap_or_default() {
        write(Register { key: key.into(), kind: Kind::Unset, stamp, value: "".into() });
    }
}
