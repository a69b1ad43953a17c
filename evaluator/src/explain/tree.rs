//! A condition as a tree of what is asked, each node with its truth and what it comes from.

use rustc_hash::FxHashSet;
use schemas::catalog::Project;
use schemas::cohort::{Cohort, CohortIndex, Condition};
use schemas::fault::Fault;
use schemas::filter::Filter;
use schemas::flag::{FlagAnswer, FlagIndex};
use schemas::unknown::Unknown;
use serde_json::Value;

use super::evidence::{self, Evidence};
use super::words::Words;
use crate::behaviour::Turns;
use crate::cohort::Asked;
use crate::truth::Truth;

/// A condition, asked.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Whether it holds.
    pub truth: Truth<'a>,
    /// What it is.
    pub said: Said<'a>,
}

/// What a condition is, and what it came from.
#[derive(Clone, Debug)]
pub enum Said<'a> {
    /// Every one of them.
    All(Vec<Node<'a>>),
    /// At least one of them.
    Any(Vec<Node<'a>>),
    /// Not that.
    Not(Box<Node<'a>>),
    /// The cohort of this key; it is told once, beside the tree.
    Cohort(&'a str),
    /// A property of the person.
    Property {
        /// What is asked of it.
        filter: &'a Filter,
        /// What it is; none where there is none.
        value: Result<Option<Value>, Unknown>,
        /// Who says so.
        source: Source,
    },
    /// A property of the person's group of this type.
    Group {
        /// The type of the group.
        group_type: &'a str,
        /// What is asked of it.
        filter: &'a Filter,
        /// What it is; none where there is none, or no group.
        value: Result<Option<Value>, Unknown>,
    },
    /// What this flag is for the person.
    Flag(&'a str, &'a FlagAnswer),
    /// One of so many distinct ids.
    Listed(usize),
    /// What the person's events show.
    Behaviour(Leaf<'a>),
    /// What can't be evaluated.
    Fault(&'a Fault),
}

/// Who tells a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The request.
    Given,
    /// What was kept of `$set` and the like.
    Kept,
}

/// A question about events.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// It as a sentence.
    pub asked: String,
    /// What of the person's events it looks at.
    pub evidence: Vec<Evidence<'a>>,
}

/// A cohort, asked.
#[derive(Clone, Debug)]
pub struct Expanded<'a> {
    /// As it is defined.
    pub cohort: &'a Cohort,
    /// Who is in.
    pub members: Node<'a>,
}

/// A walk through conditions, by which the cohorts and turns that belong to them are found.
pub(super) struct Tree<'a, 'q> {
    project: &'a Project,
    asked: &'q Asked<'a>,
    met: FxHashSet<CohortIndex>,
    met_flags: FxHashSet<FlagIndex>,
    cohorts: Vec<Expanded<'a>>,
    turns: Turns,
}

impl<'a, 'q> Tree<'a, 'q> {
    pub fn new(project: &'a Project, asked: &'q Asked<'a>) -> Self {
        let turns = Turns::after(asked.seen().now_ms);
        let (met, met_flags) = (FxHashSet::default(), FxHashSet::default());
        Tree { project, asked, met, met_flags, cohorts: Vec::new(), turns }
    }

    /// The condition, asked.
    pub fn node(&mut self, condition: &'a Condition) -> Node<'a> {
        let truth = self.asked.holds(condition);
        let said = match condition {
            Condition::All(parts) => Said::All(self.nodes(parts)),
            Condition::Any(parts) => Said::Any(self.nodes(parts)),
            Condition::Not(part) => Said::Not(Box::new(self.node(part))),
            Condition::Cohort(index) => {
                self.expand(*index);
                Said::Cohort(&self.project.cohorts[*index].key)
            }
            Condition::Person(filter) => self.property(filter),
            Condition::Group(group_type, filter) => {
                let value = self.asked.groups().property(group_type, &filter.key);
                let value = value.map(|value| value.map(|value| value.into_owned()));
                Said::Group { group_type, filter, value }
            }
            Condition::Flag(index, answer) => {
                let flag = &self.project.flags[*index];
                // What may change it may change this; it is explained when it is asked for.
                if self.met_flags.insert(*index) {
                    flag.conditions().for_each(|condition| drop(self.node(condition)));
                }
                Said::Flag(&flag.key, answer)
            }
            Condition::Listed(ids) => Said::Listed(ids.len()),
            Condition::Behaviour(behaviour) => {
                let seen = self.asked.seen();
                seen.add_turns(behaviour, &mut self.turns);
                Said::Behaviour(Leaf {
                    asked: Words(self.project).behaviour(behaviour),
                    evidence: evidence::of(self.project, seen, behaviour),
                })
            }
            Condition::Fault(fault) => Said::Fault(fault),
        };
        Node { truth, said }
    }

    /// Adds a cohort, unless it was met before.
    pub fn expand(&mut self, index: CohortIndex) {
        if !self.met.insert(index) {
            return;
        }
        let cohort = &self.project.cohorts[index];
        // Before those that it asks.
        let at = self.cohorts.len();
        let members = self.node(&cohort.members);
        self.cohorts.insert(at, Expanded { cohort, members });
    }

    /// The cohorts that were met, and when their answers or others may change.
    pub fn finish(self) -> (Vec<Expanded<'a>>, Turns) {
        (self.cohorts, self.turns)
    }

    fn nodes(&mut self, parts: &'a [Condition]) -> Vec<Node<'a>> {
        parts.iter().map(|part| self.node(part)).collect()
    }

    fn property(&mut self, filter: &'a Filter) -> Said<'a> {
        let person = self.asked.person();
        person.turns_ms(filter).into_iter().for_each(|at_ms| self.turns.add(at_ms, 0));
        let value = person.property(&filter.key).map(|value| value.map(|value| value.into_owned()));
        let source = if person.says(filter) { Source::Given } else { Source::Kept };
        Said::Property { filter, value, source }
    }
}
