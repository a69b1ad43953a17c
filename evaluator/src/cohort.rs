//! Conditions asked of facts: windows, properties, and other cohorts, each cohort once.

use std::cell::RefCell;

use schemas::catalog::Project;
use schemas::cohort::{CohortIndex, Condition, Did};
use schemas::comparison::Comparison;
use schemas::lookup::{Coverage, Facts};
use schemas::unknown::Unknown;

use crate::context::Context;
use crate::person::Person;
use crate::truth::{Truth, Why};

/// One person, asked at one instant.
pub struct Asked<'a> {
    project: &'a Project,
    facts: &'a Facts,
    person: Person<'a>,
    now_ms: i64,
    cohorts: RefCell<Vec<Option<Truth<'a>>>>,
}

impl<'a> Asked<'a> {
    /// The person whom `context` is about, at `now_ms`.
    pub fn new(project: &'a Project, context: &'a Context, facts: &'a Facts, now_ms: i64) -> Self {
        let cohorts = RefCell::new(vec![None; project.cohorts.len()]);
        Asked { project, facts, person: Person::new(context, facts), now_ms, cohorts }
    }

    /// Whether the condition holds.
    pub fn holds(&self, condition: &'a Condition) -> Truth<'a> {
        match condition {
            Condition::All(all) => Truth::all(all.iter().map(|part| self.holds(part))),
            Condition::Any(any) => Truth::any(any.iter().map(|part| self.holds(part))),
            Condition::Not(not) => !self.holds(not),
            Condition::Did(did) => self.did(did),
            Condition::Person(filter) => self.person.passes(filter),
            Condition::Cohort(index) => self.is_in(*index),
            Condition::Fault(fault) => Truth::Open(Why::Fault(fault)),
        }
    }

    /// Whether the person is in the cohort.
    pub fn is_in(&self, cohort: CohortIndex) -> Truth<'a> {
        // A cohort refers only to cohorts before it, so this ends.
        if let Some(known) = self.cohorts.borrow()[cohort] {
            return known;
        }
        let truth = self.holds(&self.project.cohorts[cohort].members);
        self.cohorts.borrow_mut()[cohort] = Some(truth);
        truth
    }

    fn did(&self, did: &Did) -> Truth<'a> {
        if let Some(unknown) = self.facts.unknown {
            return Truth::Open(Why::Unknown(unknown));
        }
        let seen = self.facts.record.window(did.matcher).count(did.within_ms, self.now_ms);
        let unseen = match self.facts.coverage.get(&did.matcher) {
            Some(Coverage::Since(since_ms)) => {
                let edge_ms = self.now_ms.saturating_sub(did.within_ms);
                if *since_ms <= edge_ms { None } else { Some(Unknown::Coverage) }
            }
            Some(Coverage::Filling { .. }) | None => Some(Unknown::Filling),
        };
        match unseen {
            None => did.comparison.holds(seen, usize::from(did.n)).into(),
            Some(unknown) => at_least(did.comparison, seen, usize::from(did.n))
                .map_or(Truth::Open(Why::Unknown(unknown)), Truth::from),
        }
    }
}

/// Whether every count from `seen` on compares so with `n`, or none does; nothing if some do.
fn at_least(comparison: Comparison, seen: usize, n: usize) -> Option<bool> {
    match comparison {
        Comparison::AtLeast if seen >= n => Some(true),
        Comparison::Less if seen >= n => Some(false),
        Comparison::Greater | Comparison::NotEqual if seen > n => Some(true),
        Comparison::AtMost | Comparison::Equal if seen > n => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_decides_only_what_more_events_could_not_change() {
        use Comparison::*;
        for comparison in [Equal, NotEqual, Greater, AtLeast, Less, AtMost] {
            for (seen, n) in (0..5).flat_map(|seen| (0..5).map(move |n| (seen, n))) {
                let possible = (seen..20).map(|count| comparison.holds(count, n));
                let (mut some, mut all) = (false, true);
                possible.for_each(|holds| (some, all) = (some | holds, all & holds));
                let expected = if all {
                    Some(true)
                } else if !some {
                    Some(false)
                } else {
                    None
                };
                assert_eq!(at_least(comparison, seen, n), expected, "{comparison:?} {seen} {n}");
            }
        }
    }
}
