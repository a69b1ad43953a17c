//! Which events a condition is about: a name, and what `where` asks of each.

use super::super::behaviours::Events;
use super::super::node::{Fields, Node};
use super::super::problem::Problems;
use super::super::property;

/// The events that `key` names, such as `did: purchase`.
pub(super) fn read(
    fields: &Fields<'_>,
    key: &str,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<Events> {
    let named = fields.need(key, what, &format!("{key}: purchase"), problems);
    let name = named.and_then(|node| node.text(&format!("`{key}`"), problems));
    let filters = filters(fields, problems);
    Some(Events { filters: filters?, ..Events::named(name?.to_owned()) })
}

/// The events of a map that says nothing else.
pub(super) fn alone(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<Events> {
    let fields = node.fields(what, &["did", "where"], problems)?;
    read(&fields, "did", what, problems)
}

fn filters(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<crate::filter::Filter>> {
    match fields.get("where") {
        Some(asked) => property::read(asked, "`where`", problems),
        None => Some(Vec::new()),
    }
}
