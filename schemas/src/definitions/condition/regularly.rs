//! `regularly`: an event in at least so many of the last hours, days or weeks.

use super::super::draft::Draft;
use super::super::node::{Node, Yaml};
use super::super::problem::Problems;
use super::{events, number};
use crate::behaviour::Period;

/// "Regularly purchase, at least 3 of last 7 days."
pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = "a `regularly` condition";
    let fields = node.fields(what, &["regularly", "where", "at least", "of last"], problems)?;
    let events = events::read(&fields, "regularly", what, problems);
    let at_least = fields.need("at least", what, "at least: 3", problems);
    let least = at_least.and_then(|node| whole(node, problems));
    let of_last = fields.need("of last", what, "of last: 7 days", problems);
    let last = of_last.and_then(|node| periods(node, problems));
    let (least, (last, period)) = (least?, last?);
    if least > last {
        let place = at_least.map_or(node.place, |node| node.place);
        let message = format!("there are no {least} periods in the last {last}");
        problems.add(place, message, format!("write a number from 1 to {last}"));
        return None;
    }
    let regularly = events?.regularly(least, last, period);
    let place = of_last.map_or(node.place, |node| node.place);
    regularly.map_err(|too_much| number::refuse(place, too_much, problems)).ok()
}

fn whole(node: &Node, problems: &mut Problems<'_>) -> Option<u16> {
    let given = match &node.value {
        Yaml::Number(number) => number.as_u64(),
        Yaml::Text(text) => text.parse().ok(),
        _ => None,
    };
    let number = given.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    if number.is_none() {
        let message = "`at least` should be a whole number of periods";
        problems.add(node.place, message, "write it like `at least: 3`");
    }
    number
}

fn periods(node: &Node, problems: &mut Problems<'_>) -> Option<(u16, Period)> {
    let text = match &node.value {
        Yaml::Text(text) => text.as_str(),
        _ => "",
    };
    let period = text.split_once(' ').and_then(|(number, unit)| {
        let period = match unit.trim() {
            "hour" | "hours" => Period::Hour,
            "day" | "days" => Period::Day,
            "week" | "weeks" => Period::Week,
            _ => return None,
        };
        Some((number.parse().ok().filter(|n| *n > 0)?, period))
    });
    if period.is_none() {
        let message = "`of last` should be a number of hours, days or weeks";
        problems.add(node.place, message, "write it like `24 hours`, `7 days` or `4 weeks`");
    }
    period
}
