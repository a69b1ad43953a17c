//! Conditions on the first time and the last: `first`, `last`, `known`, `stopped`, `restarted`.

use super::super::behaviours::Events;
use super::super::dates::Dates;
use super::super::draft::Draft;
use super::super::node::{Fields, Node, Yaml};
use super::super::problem::Problems;
use super::{ago, dates, events, number};
use crate::behaviour::{Ago, Then};

/// The ways of saying when it was, of which a condition has one: dates are two that go together.
const WAYS: [&str; 5] = ["within", "between", "ago", "after", "before"];

/// "The first (or last) time lay then".
pub(super) fn first_or_last(kind: &str, node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = format!("a `{kind}` condition");
    let known: Vec<&str> = [kind, "where"].into_iter().chain(WAYS).collect();
    let fields = node.fields(&what, &known, problems)?;
    let events = events::read(&fields, kind, &what, problems);
    let thens = moment(&fields, &what, problems);
    let (events, thens) = (events?, thens?);
    Some(Draft::each(thens, |then| {
        if kind == "first" { events.clone().first(then) } else { events.clone().last(then) }
    }))
}

/// All that is said of when it was.
fn moment(fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<Vec<Then>> {
    let mut said: Vec<(&str, &Node)> =
        WAYS.into_iter().filter_map(|way| Some((way, fields.get(way)?))).collect();
    said.sort_by_key(|(_, node)| (node.place.line, node.place.column));
    match said[..] {
        [("ago", node)] => Some(vec![Then::Ago(ago::age(node, "ago", problems)?)]),
        [("after" | "before", _)]
        | [("after", _), ("before", _)]
        | [("before", _), ("after", _)] => Some(dates::read(fields, problems)?.thens()),
        [] | [_] => Some(vec![Then::Ago(ago::window(fields, what, problems)?)]),
        [_, .., (_, last)] => {
            let message = format!("{what} says twice when it was");
            let fix = "keep one of `within`, `between` and `ago`, or the dates";
            problems.add(last.place, message, fix);
            None
        }
    }
}

/// "Known for so long", or since before or after a date: the first event of any kind.
pub(super) fn known(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let asked = node.fields("a `known` condition", &["known"], problems)?.get("known")?;
    if !matches!(asked.value, Yaml::Map(_)) {
        let ago = ago::age(asked, "known", problems)?;
        return Some(Events::any().first(Then::Ago(ago)));
    }
    let fields = asked.fields("`known`", &["after", "before"], problems)?;
    let dates = dates::read(&fields, problems)?;
    if dates == Dates::ANY {
        let fix = "write `{ before: 2026-01-31 }`, `{ after: 2026-01-31 }` or both dates";
        problems.add(asked.place, "`known` should have a date", fix);
        return None;
    }
    Some(Draft::each(dates.thens(), |then| Events::any().first(then)))
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
    Some(events?.last(Then::Ago(Ago { from_ms, until_ms })))
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
