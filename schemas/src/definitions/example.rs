//! The examples of a cohort's file: `{ 5m ago: added to cart, price: 60 }`, and who is in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::node::{Fields, Key, Node};
use super::problem::Problems;
use crate::example::{Example, Happened};
use crate::time::{YEAR_2000_MS, length_ms, parse_timestamp_ms};

/// When an example is asked that doesn't say: 2026-01-07T12:00:00Z, a Wednesday.
const AT_MS: i64 = 1_767_787_200_000;

/// The members of `examples`; none where the file has none.
pub(super) fn read(cohort: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<Example>> {
    let Some(node) = cohort.get("examples") else {
        return Some(Vec::new());
    };
    let members = node.list("`examples`", problems)?;
    let examples: Vec<_> = members.iter().map(|member| example(member, problems)).collect();
    examples.into_iter().collect()
}

fn example(node: &Node, problems: &mut Problems<'_>) -> Option<Example> {
    let what = "an example";
    let known = ["events", "in", "at", "person", "group", "distinct_id"];
    let fields = node.fields(what, &known, problems)?;
    let at_ms = fields.get("at").map_or(Some(AT_MS), |node| instant(node, problems));
    let is_in = fields.need("in", what, "in: true", problems);
    let truth = is_in.and_then(|node| node.truth("`in`", problems));
    let properties = match fields.get("person") {
        Some(node) => node.map("`person`", problems).map(|entries| properties(entries.iter())),
        None => Some(Map::new()),
    };
    let groups = match fields.get("group") {
        Some(node) => groups(node, problems),
        None => Some(BTreeMap::new()),
    };
    let distinct_id = match fields.get("distinct_id") {
        Some(node) => node.text("`distinct_id`", problems),
        None => Some("somebody"),
    };
    let events = events(&fields, at_ms, problems);
    let place = is_in?.place;
    Some(Example {
        file: problems.file().to_owned(),
        line: place.line,
        column: place.column,
        at_ms: at_ms?,
        distinct_id: distinct_id?.to_owned(),
        properties: properties?,
        groups: groups?,
        events: events?,
        is_in: truth?,
    })
}

/// The properties of each group that the person is in, by its type.
fn groups(
    node: &Node,
    problems: &mut Problems<'_>,
) -> Option<BTreeMap<String, Map<String, Value>>> {
    let types = node.map("`group`", problems)?.iter().map(|(of, node)| {
        let entries = node.map(&format!("`{}`", of.text), problems)?;
        Some((of.text.clone(), properties(entries.iter())))
    });
    types.collect()
}

fn instant(node: &Node, problems: &mut Problems<'_>) -> Option<i64> {
    let text = node.text("`at`", problems)?;
    let instant = parse_timestamp_ms(text).filter(|at_ms| *at_ms >= YEAR_2000_MS);
    if instant.is_none() {
        let message = format!("`at: {text}` isn't an instant since the year 2000");
        problems.add(node.place, message, "write it like `2026-03-29T10:00:00Z`");
    }
    instant
}

fn events(
    fields: &Fields<'_>,
    at_ms: Option<i64>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Happened>> {
    let Some(node) = fields.get("events") else {
        return Some(Vec::new());
    };
    let members = node.list("`events`", problems)?;
    let events: Vec<_> = members.iter().map(|member| event(member, at_ms, problems)).collect();
    events.into_iter().collect()
}

/// One event: the key that is a time has its name, the others are its properties.
fn event(node: &Node, at_ms: Option<i64>, problems: &mut Problems<'_>) -> Option<Happened> {
    let entries = node.map("an event", problems)?;
    let example = "write it like `{ 5m ago: added to cart, price: 60 }`";
    let mut times = entries.iter().filter(|(key, _)| When::of(&key.text).is_some());
    let Some((when, named)) = times.next() else {
        problems.add(node.place, "this event doesn't say when it happened", example);
        return None;
    };
    if let Some((again, _)) = times.next() {
        problems.add(again.place, "this event says twice when it happened", example);
        return None;
    }
    let name = named.text("an event's name", problems)?;
    let at_ms = at_ms?;
    let time_ms = match When::of(&when.text)? {
        When::Ago(ago_ms) => at_ms.saturating_sub(ago_ms),
        When::At(time_ms) => time_ms,
    };
    if time_ms > at_ms || time_ms < YEAR_2000_MS {
        let message = match time_ms > at_ms {
            true => "this event happens after the cohort is asked",
            false => "this event happened before the year 2000",
        };
        problems.add(when.place, message, "write an earlier time, or change `at`");
        return None;
    }
    let others = entries.iter().filter(|(key, _)| key.place != when.place);
    Some(Happened { name: name.to_owned(), time_ms, properties: properties(others) })
}

fn properties<'n>(entries: impl Iterator<Item = &'n (Key, Node)>) -> Map<String, Value> {
    entries.map(|(key, node)| (key.text.clone(), node.to_json())).collect()
}

/// A time as a key of an event.
enum When {
    Ago(i64),
    At(i64),
}

impl When {
    /// `now`, `5m ago`, or an instant.
    fn of(key: &str) -> Option<When> {
        match key.strip_suffix(" ago") {
            Some(length) => Some(When::Ago(length_ms(length)?)),
            None if key == "now" => Some(When::Ago(0)),
            None => parse_timestamp_ms(key).map(When::At),
        }
    }
}
