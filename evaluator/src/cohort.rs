//! Conditions asked of facts: behaviour, properties, and other cohorts, each cohort once.

use std::cell::RefCell;

use schemas::catalog::Project;
use schemas::cohort::{CohortIndex, Condition};
use schemas::filter::Moment;
use schemas::lookup::Facts;

use crate::behaviour::Seen;
use crate::context::Context;
use crate::person::Person;
use crate::truth::{Truth, Why};

/// One person, asked at one instant.
pub struct Asked<'a> {
    project: &'a Project,
    person: Person<'a>,
    seen: Seen<'a>,
    cohorts: RefCell<Vec<Option<Truth<'a>>>>,
}

impl<'a> Asked<'a> {
    /// The person whom `context` is about, at `now_ms`.
    pub fn new(project: &'a Project, context: &'a Context, facts: &'a Facts, now_ms: i64) -> Self {
        let cohorts = RefCell::new(vec![None; project.cohorts.len()]);
        let seen = Seen { facts, zone: &project.time_zone, now_ms };
        let moment = Moment { now_ms, zone: &project.time_zone };
        Asked { project, person: Person::new(context, facts, moment), seen, cohorts }
    }

    /// The person's properties.
    pub fn person(&self) -> &Person<'a> {
        &self.person
    }

    /// The person's events.
    pub fn seen(&self) -> Seen<'a> {
        self.seen
    }

    /// Whether the condition holds.
    pub fn holds(&self, condition: &'a Condition) -> Truth<'a> {
        match condition {
            Condition::All(all) => Truth::all(all.iter().map(|part| self.holds(part))),
            Condition::Any(any) => Truth::any(any.iter().map(|part| self.holds(part))),
            Condition::Not(not) => !self.holds(not),
            Condition::Behaviour(behaviour) => self.seen.holds(behaviour),
            Condition::Listed(ids) => self.person.is_listed(ids),
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
}
