//! Numbers that events make, compared with a given number or with another number of the person.

use super::super::behaviours::{Events, TooMuch};
use super::super::dates::Stretch;
use super::super::draft::{Draft, MatcherDraft};
use super::super::node::{Fields, Node};
use super::super::problem::{Place, Problems};
use super::super::property;
use super::{COUNT_MAX, comparison, dates, events};
use crate::behaviour::{Aggregate, Behaviour, Compared, Number, Operand};
use crate::comparison::Comparison;
use crate::window::ENTRIES_SUMMED;

/// Words that name a number, and how events make it.
const WORDS: [(&str, Aggregate); 6] = [
    ("did", Aggregate::Count),
    ("distinct", Aggregate::Distinct),
    ("sum", Aggregate::Sum),
    ("average", Aggregate::Average),
    ("smallest", Aggregate::Smallest),
    ("largest", Aggregate::Largest),
];

/// What is made into a number: which events, in which way, of which property.
#[derive(Clone)]
struct Made {
    events: Events,
    aggregate: Aggregate,
    property: String,
}

/// A condition of one of these kinds, such as `did` or `sum`.
pub(super) fn read(kind: &str, node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = format!("a `{kind}` condition");
    // What counts is asked for a count, what sums for a number.
    let compared = if matches!(kind, "did" | "distinct") { "count" } else { "is" };
    let more = ["where", compared, "within", "between", "after", "before", "compared with"];
    let known: Vec<&str> = words(kind).iter().chain(&more).copied().collect();
    let fields = node.fields(&what, &known, problems)?;
    let made = made(kind, &fields, &what, problems);
    let stretch = dates::stretch(&fields, &what, problems);
    if let Some(other) = fields.get("compared with") {
        let example = format!("{compared}: \"> 1x\"");
        let factor = fields.need(compared, &what, &example, problems);
        let factor = factor.and_then(|node| comparison::factor(node, compared, problems));
        let other = another(other, made.as_ref(), stretch, problems);
        let ((comparison, thousandths), other) = (factor?, other?);
        let right = Operand::Of(other, thousandths);
        return Some(asking(made?.number(stretch?), comparison, right));
    }
    match kind {
        "did" => {
            let asked = comparison::count(fields.get("count"), COUNT_MAX, problems);
            let Stretch { dates, ago } = stretch?;
            let counted = made?.events.between(dates).count(asked?, ago);
            counted.map_err(|too_much| refuse(node.place, too_much, problems)).ok()
        }
        "distinct" => {
            let asked = comparison::count(fields.get("count"), ENTRIES_SUMMED, problems);
            let (comparison, n) = asked?;
            let right = Operand::Given(crate::decimal::Decimal::whole(n.into()));
            Some(asking(made?.number(stretch?), comparison, right))
        }
        _ => {
            let asked = fields.need("is", &what, "is: \"> 100\"", problems);
            let asked = asked.and_then(|node| comparison::number(node, "is", problems));
            let (comparison, number) = asked?;
            Some(asking(made?.number(stretch?), comparison, Operand::Given(number)))
        }
    }
}

/// Says that more would have to be kept than is allowed.
pub(super) fn refuse(place: Place, TooMuch(why): TooMuch, problems: &mut Problems<'_>) {
    let fix = "write a lower number, a longer time, or one that began less long ago";
    problems.add(place, why, fix);
}

impl Made {
    fn number(self, Stretch { dates, ago }: Stretch) -> Number<MatcherDraft> {
        self.events.between(dates).number(self.aggregate, &self.property, ago)
    }
}

fn asking(
    left: Number<MatcherDraft>,
    comparison: Comparison,
    right: Operand<MatcherDraft>,
) -> Draft {
    Draft::asking(Behaviour::Number(Compared { left, comparison, right }))
}

/// The keys that say what is made into a number.
fn words(kind: &str) -> Vec<&str> {
    if kind == "did" { vec!["did"] } else { vec![kind, "of"] }
}

fn made(kind: &str, fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<Made> {
    let aggregate = WORDS.iter().find(|(word, _)| *word == kind)?.1;
    if aggregate == Aggregate::Count {
        let events = events::read(fields, kind, what, problems)?;
        return Some(Made { events, aggregate, property: String::new() });
    }
    let property = fields.get(kind)?.text(&format!("`{kind}`"), problems);
    let events = events::read(fields, "of", what, problems);
    Some(Made { events: events?, aggregate, property: property?.to_owned() })
}

/// The number that `compared with` names. What it leaves out is as in the number before it:
/// with a window alone, it is the same at another time.
fn another(
    node: &Node,
    before: Option<&Made>,
    stretch_before: Option<Stretch>,
    problems: &mut Problems<'_>,
) -> Option<Number<MatcherDraft>> {
    let what = "`compared with`";
    let named: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    let entries = node.map(what, problems)?;
    let kind = named.iter().find(|word| entries.iter().any(|(key, _)| key.text == **word));
    let mut known = vec!["where", "within", "between", "after", "before"];
    known.extend(kind.map_or(named.clone(), |kind| words(kind)));
    let fields = node.fields(what, &known, problems)?;
    if entries.is_empty() {
        let fix = "name an event, or another time: `{ between: [10m, 5m] }`";
        problems.add(node.place, "`compared with` names no other number", fix);
        return None;
    }
    let made = match kind {
        Some(kind) => made(kind, &fields, what, problems),
        None => match fields.get("where") {
            Some(asked) => property::read(asked, "`where`", problems).and_then(|filters| {
                let before = before?.clone();
                Some(Made { events: Events { filters, ..before.events }, ..before })
            }),
            None => before.cloned(),
        },
    };
    let is_told =
        ["within", "between", "after", "before"].iter().any(|key| fields.get(key).is_some());
    let stretch = if is_told { dates::stretch(&fields, what, problems) } else { stretch_before };
    Some(made?.number(stretch?))
}
