//! A condition in the words of YAML, whoever's words it came in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::condition;
use super::dates::{Dates, Stretch};
use super::draft::{Draft, GroupType, MatcherDraft};
use super::node;
use super::problem::Problems;
use crate::behaviour::{Aggregate, Ago, Behaviour, Compared, Operand, Sequence, Then, When};
use crate::decimal::ONE;
use crate::filter::{Date, Filter};
use crate::time::length;
use crate::window::{FOREVER_MS, Keep};

/// The condition as YAML, if YAML has words for it and they say the same: they are read back and
/// compared.
pub(super) fn retold(draft: &Draft, group_types: &BTreeMap<String, String>) -> Option<Value> {
    let told = Retelling { group_types }.condition(draft)?;
    let text = serde_saphyr::to_string(&told).ok()?;
    let mut problems = Problems::of("");
    let read = condition::read(&node::parse(&text, &mut problems)?, &mut problems)?;
    let same = canonical(&read, group_types) == canonical(draft, group_types);
    (same && problems.into_found().is_empty()).then_some(told)
}

/// Text that is the same for conditions that say the same, wherever they stand.
fn canonical(draft: &Draft, group_types: &BTreeMap<String, String>) -> String {
    let list = |word: &str, inner: &[Draft]| match inner {
        [only] => canonical(only, group_types),
        inner => {
            let inner: Vec<String> = inner.iter().map(|it| canonical(it, group_types)).collect();
            format!("{word}({})", inner.join(", "))
        }
    };
    match draft {
        Draft::All(inner) => list("all", inner),
        Draft::Any(inner) => list("any", inner),
        Draft::Not(inner) => format!("not({})", canonical(inner, group_types)),
        Draft::Cohort { key, .. } => format!("cohort({key:?})"),
        Draft::Person(filter) => format!("person({})", filter.canonical()),
        Draft::Group(of, filter) => {
            let of = match of {
                GroupType::Index(index) => group_types.get(index),
                GroupType::Named(name, _) => Some(name),
            };
            format!("group({of:?}, {})", filter.canonical())
        }
        other => format!("{other:?}"),
    }
}

struct Retelling<'a> {
    /// By index.
    group_types: &'a BTreeMap<String, String>,
}

impl Retelling<'_> {
    fn condition(&self, draft: &Draft) -> Option<Value> {
        match draft {
            Draft::All(inner) => self.list("all", inner),
            Draft::Any(inner) => self.list("any", inner),
            Draft::Not(inner) => Some(json!({ "not": self.condition(inner)? })),
            Draft::Person(filter) => Some(json!({ "person": asked(filter)? })),
            Draft::Group(GroupType::Index(index), filter) => {
                let of = self.group_types.get(index)?;
                Some(json!({ "group": { of: asked(filter)? } }))
            }
            Draft::Cohort { key, .. } => Some(json!({ "cohort": key })),
            Draft::Behaviour(behaviour) => self::behaviour(behaviour),
            // Everything else is of YAML alone, or of PostHog.
            _ => None,
        }
    }

    fn list(&self, word: &str, inner: &[Draft]) -> Option<Value> {
        match inner {
            [only] => self.condition(only),
            inner => {
                let told: Option<Vec<Value>> =
                    inner.iter().map(|draft| self.condition(draft)).collect();
                Some(json!({ word: told? }))
            }
        }
    }
}

fn behaviour(behaviour: &Behaviour<MatcherDraft>) -> Option<Value> {
    match behaviour {
        Behaviour::Number(Compared { left, comparison, right: Operand::Given(number) })
            if left.aggregate == Aggregate::Count =>
        {
            let mut told = events("did", &left.of)?;
            let stretch = Stretch { dates: left.of.dates, ago: left.ago };
            // A count is whole; another number would be read back as something else.
            let count = format!("{} {}", comparison.sign(), number.units() / ONE);
            if count != ">= 1" {
                told.insert("count".to_owned(), json!(count));
            }
            when(&mut told, stretch)?;
            Some(Value::Object(told))
        }
        Behaviour::When(asked) => moment(asked),
        Behaviour::Sequence(asked) => sequence(asked),
        _ => None,
    }
}

fn moment(asked: &When<MatcherDraft>) -> Option<Value> {
    let is_first = asked.of.needs.keep == Keep::Earliest;
    let word = if is_first { "first" } else { "last" };
    let Then::Ago(ago) = asked.then else { return dated(word, asked) };
    let Ago { from_ms, until_ms } = ago;
    if !is_first && until_ms > 0 && from_ms != FOREVER_MS {
        let mut told = events("stopped", &asked.of)?;
        told.insert("within".to_owned(), json!(length(from_ms)));
        told.insert("quiet".to_owned(), json!(length(until_ms)));
        return Some(Value::Object(told));
    }
    let mut told = events(word, &asked.of)?;
    when(&mut told, ago.into())?;
    Some(Value::Object(told))
}

fn dated(word: &str, asked: &When<MatcherDraft>) -> Option<Value> {
    let (when, date) = match asked.then {
        Then::Before(date @ (Date::At(_) | Date::Wall(_))) => ("before", date),
        Then::After(date @ (Date::At(_) | Date::Wall(_))) => ("after", date),
        _ => return None,
    };
    if asked.of.event.is_empty() {
        return Some(json!({ "known": { when: date.words() } }));
    }
    let mut told = events(word, &asked.of)?;
    told.insert(when.to_owned(), json!(date.words()));
    Some(Value::Object(told))
}

fn sequence(asked: &Sequence<MatcherDraft>) -> Option<Value> {
    let steps = asked.steps.iter().map(|step| {
        let mut told = events("did", &step.of)?;
        let after = match (step.after_ms_min, step.after_ms_max) {
            (0, i64::MAX) => None,
            (0, most) => Some(format!("<= {}", length(most))),
            _ => return None,
        };
        told.extend(after.map(|after| ("after".to_owned(), json!(after))));
        step.without.is_none().then_some(Value::Object(told))
    });
    let steps: Option<Vec<Value>> = steps.collect();
    let mut told = Map::from_iter([("sequence".to_owned(), json!(steps?))]);
    let dates = asked.steps.first().map_or(Dates::ANY, |step| step.of.dates);
    when(&mut told, Stretch { dates, ago: asked.ago })?;
    Some(Value::Object(told))
}

fn events(word: &str, of: &MatcherDraft) -> Option<Map<String, Value>> {
    let mut told = Map::from_iter([(word.to_owned(), json!(of.event))]);
    let mut asked = Map::new();
    for filter in &of.filters {
        // Of two on one property YAML has no words.
        if asked.insert(filter.key.clone(), filter.to_yaml()?).is_some() {
            return None;
        }
    }
    if !asked.is_empty() {
        told.insert("where".to_owned(), Value::Object(asked));
    }
    Some(told)
}

/// Of a time that is so long ago and between dates YAML has no words.
fn when(told: &mut Map<String, Value>, Stretch { dates, ago }: Stretch) -> Option<()> {
    if dates != Dates::ANY {
        let said = [("after", dates.after), ("before", dates.before)];
        let said = said.into_iter().filter_map(|(word, date)| Some((word.to_owned(), date?)));
        told.extend(said.map(|(word, date)| (word, json!(date.words()))));
        return (ago == Ago::EVER).then_some(());
    }
    let (key, value) = match ago {
        Ago { from_ms: FOREVER_MS, until_ms } => ("ago", json!(format!(">= {}", length(until_ms)))),
        Ago { from_ms, until_ms: 0 } => ("within", json!(length(from_ms))),
        Ago { from_ms, until_ms } => ("between", json!([length(from_ms), length(until_ms)])),
    };
    told.insert(key.to_owned(), value);
    Some(())
}

fn asked(filter: &Filter) -> Option<Value> {
    Some(json!({ &filter.key: filter.to_yaml()? }))
}
