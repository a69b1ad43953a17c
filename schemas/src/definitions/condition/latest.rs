//! `latest`: which value the newest event had, or the n-th newest.

use super::super::dates::Stretch;
use super::super::draft::Draft;
use super::super::node::{Key, Node, Yaml};
use super::super::problem::Problems;
use super::super::property;
use super::{dates, events};
use crate::behaviour::{Behaviour, Latest};
use crate::filter::Filter;
use crate::matcher::Take;
use crate::window::{ENTRIES_SUMMED, Keep, Kept};

/// "Latest category of product viewed is shoes, within 1h."
pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = "a `latest` condition";
    let known = ["latest", "of", "where", "is", "nth", "within", "after", "before"];
    let fields = node.fields(what, &known, problems)?;
    let property = fields.get("latest")?.text("`latest`", problems);
    let events = events::read(&fields, "of", what, problems);
    let stretch = dates::stretch(&fields, what, problems);
    let nth = fields.get("nth").map_or(Some(1), |node| nth(node, problems));
    let asked = fields.need("is", what, "is: shoes", problems);
    let filter = property.zip(asked).and_then(|(key, asked)| test(key, asked, problems));
    let (nth, Stretch { dates, ago }) = (nth?, stretch?);
    let needs = Kept { keep: Keep::Values, k: nth, horizon_ms: ago.from_ms };
    let of = events?.between(dates).taking(Take::Passes(filter?), needs);
    Some(Draft::asking(Behaviour::Latest(Latest { of, nth, ago })))
}

/// The one test that `is` asks of the value, written as under `where`.
fn test(key: &str, asked: &Node, problems: &mut Problems<'_>) -> Option<Filter> {
    let key = Key { place: asked.place, text: key.to_owned() };
    let tests = Yaml::Map(vec![(key, asked.clone())]);
    let mut filters = property::read(&Node { place: asked.place, value: tests }, "`is`", problems)?;
    if filters.len() != 1 {
        problems.add(
            asked.place,
            format!("`is` asks {} things of one value", filters.len()),
            "write one test; two `latest` conditions under `all:` ask two",
        );
        return None;
    }
    filters.pop()
}

fn nth(node: &Node, problems: &mut Problems<'_>) -> Option<u16> {
    let given = match &node.value {
        Yaml::Number(number) => number.as_u64(),
        _ => None,
    };
    let nth = given.filter(|n| (1..=u64::from(ENTRIES_SUMMED)).contains(n));
    if nth.is_none() {
        let message = "`nth` should say which value, counted from the newest";
        let fix = format!("write a number from 1, the newest, to {ENTRIES_SUMMED}");
        problems.add(node.place, message, fix);
    }
    nth.map(|n| n as u16)
}
