//! The link that an event makes between two distinct ids: `$identify`, `$create_alias` and
//! `$merge_dangerously`.

use schemas::event::Event;
use schemas::ids::{cut_distinct_id, is_linkable};
use schemas::links::{Link, Role};
use schemas::window::Entry;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A link between an event's own distinct id and another.
#[derive(Debug, PartialEq, Eq)]
pub struct Linking {
    /// The other id.
    pub other: String,
    /// What the link makes of the event's own.
    role: Role,
}

impl Linking {
    /// The link as the event's own id bears it.
    pub fn of_own(&self, stamp: Entry) -> Link<'_> {
        Link { stamp, role: self.role, other: self.other.as_str().into() }
    }

    /// The same link as the other id bears it.
    pub fn of_other<'a>(&self, own: &'a str, stamp: Entry) -> Link<'a> {
        Link { stamp, role: self.role.reverse(), other: own.into() }
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, rename = "$anon_distinct_id", default)]
    anonymous: Option<&'a RawValue>,
    #[serde(borrow, default)]
    alias: Option<&'a RawValue>,
}

/// Whether events of this name link; no other's properties are looked at for it.
pub fn may_link(name: &str) -> bool {
    role_of(name).is_some()
}

/// The link that an event with these properties, a JSON object, makes, if it is one of those
/// that do. What names no other id, or a mistake by PostHog's list, links nothing.
pub fn linking_of(event: &Event<'_>, properties: &str) -> Option<Linking> {
    let role = role_of(&event.name)?;
    let named: Named<'_> = serde_json::from_str(properties).ok()?;
    let named = if event.name == "$identify" { named.anonymous } else { named.alias };
    let other = match serde_json::from_str(named?.get()).ok()? {
        Value::String(id) => id,
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let other = cut_distinct_id(&other);
    let links = other != event.distinct_id && is_linkable(other) && is_linkable(&event.distinct_id);
    links.then(|| Linking { other: other.to_owned(), role })
}

fn role_of(name: &str) -> Option<Role> {
    match name {
        "$identify" | "$create_alias" => Some(Role::Owns),
        "$merge_dangerously" => Some(Role::Absorbs),
        _ => None,
    }
}
