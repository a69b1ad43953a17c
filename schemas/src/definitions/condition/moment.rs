//! Conditions on the first time and the last: `first`, `last`, `known`, `stopped`, `restarted`.

use super::super::behaviours::Events;
use super::super::draft::Draft;
use super::super::node::{Fields, Node};
use super::super::problem::Problems;
use super::{ago, events, number};
use crate::behaviour::Ago;

/// "The first (or last) time lay then", said with `within`, `between` or `ago`.
pub(super) fn first_or_last(kind: &str, node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = format!("a `{kind}` condition");
    let known = [kind, "where", "within", "between", "ago"];
    let fields = node.fields(&what, &known, problems)?;
    let events = events::read(&fields, kind, &what, problems);
    let ago = moment(&fields, &what, problems);
    let (events, ago) = (events?, ago?);
    Some(if kind == "first" { events.first(ago) } else { events.last(ago) })
}

fn moment(fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<Ago> {
    let Some(node) = fields.get("ago") else {
        return ago::window(fields, what, problems);
    };
    if let Some(other) = fields.get("within").or(fields.get("between")) {
        let message = format!("{what} says twice when it was");
        problems.add(other.place, message, "keep one of `within`, `between` and `ago`");
        return None;
    }
    ago::age(node, "ago", problems)
}

/// "Known for so long": the first event of any kind.
pub(super) fn known(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let fields = node.fields("a `known` condition", &["known"], problems)?;
    let ago = ago::age(fields.get("known")?, "known", problems)?;
    Some(Events::any().first(ago))
}

/// "Did it within this time, and has been quiet for that."
pub(super) fn stopped(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = "a `stopped` condition";
    let fields = node.fields(what, &["stopped", "where", "within", "quiet"], problems)?;
    let events = events::read(&fields, "stopped", what, problems);
    let within_ms = ago::within(&fields, what, problems);
    let quiet = fields.need("quiet", what, "quiet: 7d", problems);
    let quiet_ms = quiet.and_then(|node| ago::length(node, "quiet", problems));
    let (from_ms, until_ms) = (within_ms?, quiet_ms?);
    if from_ms <= until_ms {
        let place = quiet.map_or(node.place, |quiet| quiet.place);
        let message = "nobody did it within that time and was quiet for all of it";
        problems.add(place, message, "write a `within` that is longer than `quiet`");
        return None;
    }
    Some(events?.last(Ago { from_ms, until_ms }))
}

/// "Did it before the quiet time, not in it, and since."
pub(super) fn restarted(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = "a `restarted` condition";
    let fields = node.fields(what, &["restarted", "where", "quiet"], problems)?;
    let events = events::read(&fields, "restarted", what, problems);
    let quiet = fields.need("quiet", what, "quiet: [30d, 1d]", problems);
    let quiet = quiet.and_then(|node| ago::range(node, "quiet", problems));
    let restarted = events?.restarted(quiet?);
    restarted.map_err(|too_much| number::refuse(node.place, too_much, problems)).ok()
}
