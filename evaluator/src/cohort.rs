//! Conditions asked of facts: behaviour, properties, cohorts and flags, each of these once.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use schemas::catalog::Project;
use schemas::cohort::{CohortIndex, Condition};
use schemas::filter::Moment;
use schemas::flag::{FlagAnswer, FlagIndex};
use schemas::lookup::Facts;

use crate::behaviour::Seen;
use crate::context::Context;
use crate::decide::decide;
use crate::decision::{Decision, Reason};
use crate::group::Groups;
use crate::person::Person;
use crate::truth::{Truth, Why};

/// One person, asked at one instant.
pub struct Asked<'a> {
    project: &'a Project,
    context: &'a Context,
    person: Person<'a>,
    groups: Groups<'a>,
    seen: Seen<'a>,
    cohorts: RefCell<Vec<Option<Truth<'a>>>>,
    flags: RefCell<FxHashMap<FlagIndex, Decision<'a>>>,
}

impl<'a> Asked<'a> {
    /// The person whom `context` is about, at `now_ms`.
    pub fn new(project: &'a Project, context: &'a Context, facts: &'a Facts, now_ms: i64) -> Self {
        let cohorts = RefCell::new(vec![None; project.cohorts.len()]);
        let seen = Seen { facts, zone: &project.time_zone, now_ms };
        let moment = Moment { now_ms, zone: &project.time_zone };
        Asked {
            project,
            context,
            person: Person::new(context, facts, moment),
            groups: Groups::new(context, facts, moment),
            seen,
            cohorts,
            flags: RefCell::default(),
        }
    }

    /// What the request says.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The person's groups.
    pub fn groups(&self) -> Groups<'a> {
        self.groups
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
            Condition::Group(group_type, filter) => self.groups.passes(group_type, filter),
            Condition::Flag(index, answer) => self.is_flag(*index, answer),
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

    /// Whether a flag is that for the person.
    fn is_flag(&self, flag: FlagIndex, answer: &FlagAnswer) -> Truth<'a> {
        let decided = self.flag(flag);
        if let Reason::Failed(why) = decided.reason {
            return Truth::Open(why);
        }
        let outcome = decided.outcome;
        let is = match answer {
            FlagAnswer::On => outcome.enabled(),
            FlagAnswer::Off => !outcome.enabled(),
            FlagAnswer::Variant(asked) => outcome.variant() == Some(asked.as_str()),
        };
        is.into()
    }

    /// What a flag of this project is for the person. One that the request may not have is off.
    pub fn flag(&self, index: FlagIndex) -> Decision<'a> {
        // A flag whose dependencies lead back to it is off without asking them, so this ends.
        if let Some(known) = self.flags.borrow().get(&index) {
            return known.clone();
        }
        let flag = &self.project.flags[index];
        let decided = if flag.active && self.context.may_have(flag) {
            decide(flag, self)
        } else {
            Decision::off(flag)
        };
        self.flags.borrow_mut().insert(index, decided.clone());
        decided
    }
}
