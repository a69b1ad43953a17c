//! `sequence`: steps that came one after the other, and what didn't happen in between.

use super::super::behaviours::{self, Events};
use super::super::dates::Stretch;
use super::super::draft::{Draft, MatcherDraft};
use super::super::node::{Fields, Node, Yaml};
use super::super::problem::Problems;
use super::{dates, events};
use crate::behaviour::{Aggregate, Ago, Behaviour, Compared, Number, Operand, Step};
use crate::comparison::Comparison;
use crate::decimal::Decimal;
use crate::time::parse_length_ms;

/// How many steps a sequence may have.
const STEPS_MAX: usize = 5;

/// What all steps share.
struct Whole {
    same: Option<String>,
    stretch: Stretch,
    without: Option<Events>,
}

/// "Sequence: product viewed, added to cart at most 1m after; within 10m."
pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let what = "a `sequence` condition";
    let known = ["sequence", "within", "after", "before", "same", "without", "unfinished"];
    let fields = node.fields(what, &known, problems)?;
    let whole = whole(&fields, what, problems);
    let unfinished =
        fields.get("unfinished").map_or(Some(false), |node| node.truth("`unfinished`", problems));
    let list = fields.get("sequence")?;
    let members = list.list("`sequence`", problems)?;
    if !(2..=STEPS_MAX).contains(&members.len()) {
        let message =
            format!("a sequence has 2 to {STEPS_MAX} steps, and this has {}", members.len());
        problems.add(list.place, message, "write steps like `- { did: product viewed }`");
        return None;
    }
    let steps: Vec<Option<Told>> =
        (0..).zip(members).map(|(at, member)| step(at, member, &fields, problems)).collect();
    let steps: Vec<Told> = steps.into_iter().collect::<Option<_>>()?;
    let (whole, unfinished) = (whole?, unfinished?);
    let steps: Vec<Step<MatcherDraft>> =
        (0..).zip(steps).map(|(at, told)| told.step(at, &whole)).collect();
    let (ago, same) = (whole.stretch.ago, whole.same.is_some());
    if !unfinished {
        return Some(behaviours::sequence(steps, ago, same));
    }
    let begun = match &steps[..steps.len() - 1] {
        [only] => happened(only.of.clone(), ago),
        begun => behaviours::sequence(begun.to_vec(), ago, same),
    };
    let finished = behaviours::sequence(steps, ago, same);
    Some(Draft::All(vec![begun, finished.negated_if(true)]))
}

/// A step alone: it came at least once.
fn happened(of: MatcherDraft, ago: Ago) -> Draft {
    let left = Number { of, aggregate: Aggregate::Count, ago };
    let right = Operand::Given(Decimal::whole(1));
    let comparison = Comparison::AtLeast;
    Draft::asking(Behaviour::Number(Compared { left, comparison, right }))
}

fn whole(fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<Whole> {
    let stretch = dates::stretch(fields, what, problems);
    let same = match fields.get("same") {
        Some(node) => node.text("`same`", problems).map(|key| Some(key.to_owned())),
        None => Some(None),
    };
    let without = without(fields, problems);
    Some(Whole { same: same?, stretch: stretch?, without: without? })
}

fn without(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Option<Events>> {
    match fields.get("without") {
        Some(node) => events::alone(node, "`without`", problems).map(Some),
        None => Some(None),
    }
}

/// A step as it was told.
struct Told {
    events: Events,
    after_ms: (i64, i64),
    without: Option<Events>,
}

impl Told {
    fn step(self, at: usize, whole: &Whole) -> Step<MatcherDraft> {
        let of_all = whole.without.clone().filter(|_| at > 0);
        let without = self.without.or(of_all);
        let Stretch { dates, ago } = whole.stretch;
        let of = |events: Events, same| events.between(dates).step(same, ago.from_ms);
        Step {
            of: of(self.events, whole.same.as_deref()),
            after_ms_min: self.after_ms.0,
            after_ms_max: self.after_ms.1,
            // It breaks the sequence whichever value it has.
            without: without.map(|events| of(events, None)),
        }
    }
}

fn step(at: usize, node: &Node, of_all: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Told> {
    let what = "a step";
    let fields = node.fields(what, &["did", "where", "after", "without"], problems)?;
    let events = events::read(&fields, "did", what, problems);
    for key in ["after", "without"] {
        if at == 0
            && let Some(wrong) = fields.get(key)
        {
            let message = format!("there is no step before the first that `{key}` could speak of");
            problems.add(wrong.place, message, "move it to a later step");
            return None;
        }
    }
    if let (Some(here), Some(_)) = (fields.get("without"), of_all.get("without")) {
        let message = "`without` stands at the step and at the whole sequence";
        problems.add(here.place, message, "keep the one at the steps, or that of the whole");
        return None;
    }
    let after_ms = match fields.get("after") {
        Some(node) => after_ms(node, problems),
        None => Some((0, i64::MAX)),
    };
    let without = without(&fields, problems);
    Some(Told { events: events?, after_ms: after_ms?, without: without? })
}

/// How long after the step before: `"<= 1m"`, `">= 10s"`, or from one to the other, `[10s, 1m]`.
fn after_ms(node: &Node, problems: &mut Problems<'_>) -> Option<(i64, i64)> {
    let length = |text: &str| parse_length_ms(text).ok();
    let asked = match &node.value {
        Yaml::Text(text) => Comparison::split(text).and_then(|(sign, text)| match sign {
            Comparison::AtMost => Some((0, length(text)?)),
            Comparison::AtLeast => Some((length(text)?, i64::MAX)),
            _ => None,
        }),
        Yaml::List(ends) => match ends.iter().map(|end| &end.value).collect::<Vec<_>>()[..] {
            [Yaml::Text(least), Yaml::Text(most)] => length(least).zip(length(most)),
            _ => None,
        },
        _ => None,
    };
    let asked = asked.filter(|(least, most)| least <= most);
    if asked.is_none() {
        let message = "`after` doesn't say how long after the step before";
        let fix = "write it like `\"<= 1m\"`, `\">= 10s\"` or `[10s, 1m]`, from 1s to 400d";
        problems.add(node.place, message, fix);
    }
    asked
}
