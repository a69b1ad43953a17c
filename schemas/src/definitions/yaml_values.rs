//! Typed values in a flag's file: all of one kind.

use super::node::{Fields, Node, Yaml};
use super::problem::{Place, Problems};
use crate::flag_value::{FlagValue, Kind, NUMBER_MAX};

/// The value, or none and a problem.
pub(super) fn value(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<FlagValue> {
    let value = FlagValue::of(node.to_json());
    if value.is_none() {
        let message = match node.value {
            Yaml::Number(_) => format!("{what} is beyond {NUMBER_MAX}, where JSON isn't exact"),
            Yaml::Text(_) => format!("{what} is an empty text"),
            _ => format!("{what} is {}", node.kind()),
        };
        let fix = "write `true` or `false`, a text, a number or a map";
        problems.add(node.place, message, fix);
    }
    value
}

/// What those get whom no rule gives anything: what the file says; else nothing of a flag whose
/// values say it isn't one to be on or off, and off of all others.
pub(super) fn default(
    fields: &Fields<'_>,
    kind: Option<Kind>,
    problems: &mut Problems<'_>,
) -> Option<FlagValue> {
    match (fields.get("default"), kind) {
        (Some(given), _) => value(given, "`default`", problems),
        (None, None | Some(Kind::Boolean)) => Some(FlagValue::off()),
        (None, Some(_)) => Some(FlagValue::nothing()),
    }
}

/// The kind of the flag's values; none of one that has no `value` and no `default`. None and a
/// problem if they aren't of one, or there is no place for them.
pub(super) fn kind(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Option<Kind>> {
    let found = found(fields);
    let Some(first) = found.iter().find(|found| found.is_said) else {
        return Some(None);
    };
    if let Some(other) = found.iter().find(|found| found.kind != first.kind) {
        let (of, as_well) = (first.kind.name(), other.kind.name());
        let message =
            format!("the flag has values of type {of} and of type {as_well}: {}", other.what);
        problems.add(other.place, message, "make all values of a flag one type");
        return None;
    }
    if matches!(first.kind, Kind::Number | Kind::Object)
        && let Some(place) = payload(fields)
    {
        let message = format!("a value of type {} stands where a payload would", first.kind.name());
        problems.add(place, message, "put all of it into an object as `value`");
        return None;
    }
    Some(Some(first.kind))
}

/// A value that the flag may have.
struct Found {
    kind: Kind,
    place: Place,
    what: String,
    /// Whether the file says it, and doesn't leave it to be `true` or the variant's name.
    is_said: bool,
}

impl Found {
    fn said(node: &Node) -> Option<Found> {
        // What isn't a value is a problem of its own.
        let kind = FlagValue::of(node.to_json())?.kind()?;
        let what = format!("`{}`", node.to_json());
        Some(Found { kind, place: node.place, what, is_said: true })
    }

    fn implied(kind: Kind, place: Place, what: String) -> Found {
        Found { kind, place, what, is_said: false }
    }
}

fn found(fields: &Fields<'_>) -> Vec<Found> {
    let mut found: Vec<Found> = fields.get("default").and_then(Found::said).into_iter().collect();
    let arms = match fields.get("variants").map(|node| &node.value) {
        Some(Yaml::Map(arms)) => arms.as_slice(),
        _ => &[],
    };
    found.extend(arms.iter().filter_map(|(key, arm)| match arm.entry("value") {
        Some(value) => Found::said(value),
        None => {
            let what = format!("the variant's name `{}`", key.text);
            Some(Found::implied(Kind::Text, key.place, what))
        }
    }));
    found.extend(rules(fields).iter().filter_map(|rule| match rule.entry("value") {
        Some(value) => Found::said(value),
        None if arms.is_empty() => {
            let what = "a rule without a `value` gives `true`".to_owned();
            Some(Found::implied(Kind::Boolean, rule.place, what))
        }
        None => None,
    }));
    found
}

/// Where the first payload stands.
fn payload(fields: &Fields<'_>) -> Option<Place> {
    let of_rules = rules(fields).iter().filter_map(|rule| rule.entry("payload"));
    fields.get("payloads").into_iter().chain(of_rules).map(|node| node.place).next()
}

fn rules<'n>(fields: &Fields<'n>) -> &'n [Node] {
    match fields.get("rules").map(|node| &node.value) {
        Some(Yaml::List(rules)) => rules,
        _ => &[],
    }
}
