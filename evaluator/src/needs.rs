//! What a request needs of what is kept: nothing where it tells everything itself.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;
use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::flag::{Flag, FlagIndex, enrollment_key};
use schemas::group::Group;

use crate::context::Context;
use crate::evaluate::{deciding, requested};
use crate::group::Groups;
use crate::person::Person;

/// What the flags that a request asks for need.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    /// Something that is kept of the person.
    pub person: bool,
    /// Something that is kept of the groups of these types that the request names.
    group_types: BTreeSet<&'a str>,
}

impl<'a> Needs<'a> {
    /// What the request's flags depend on besides the request itself.
    pub fn of(project: &'a Project, context: &'a Context) -> Self {
        let mut walk = Walk::new(project, context, Needs::default());
        for index in requested(project, context) {
            match deciding(project, index) {
                (deciding, index) if std::ptr::eq(deciding, project) => {
                    walk.flag(&project.flags[index]);
                }
                (earlier, index) => {
                    let needs = std::mem::take(&mut walk.needs);
                    let mut earlier_walk = Walk::new(earlier, context, needs);
                    earlier_walk.flag(&earlier.flags[index]);
                    walk.needs = earlier_walk.needs;
                }
            }
        }
        walk.needs
    }

    /// Whether anything that is kept is needed.
    pub fn any(&self) -> bool {
        self.person || !self.group_types.is_empty()
    }

    /// The groups of which something is.
    pub fn groups(&self, context: &'a Context) -> Vec<Group<'a>> {
        let types = self.group_types.iter();
        let named = types.filter_map(|of| Group::named(of, context.groups.get(*of)?));
        named.collect()
    }
}

/// A walk through conditions, each once.
struct Walk<'a> {
    project: &'a Project,
    context: &'a Context,
    needs: Needs<'a>,
    walked: Vec<bool>,
    walked_flags: FxHashSet<FlagIndex>,
}

impl<'a> Walk<'a> {
    fn new(project: &'a Project, context: &'a Context, needs: Needs<'a>) -> Self {
        let walked = vec![false; project.cohorts.len()];
        Walk { project, context, needs, walked, walked_flags: FxHashSet::default() }
    }

    /// Whether nothing more can be needed.
    fn is_over(&self) -> bool {
        self.needs.person && self.context.groups.is_empty()
    }

    fn flag(&mut self, flag: &'a Flag) {
        let enrolls = flag.rules.as_ref().is_ok_and(|rules| rules.enrollment);
        let enrolls = enrolls && !Person::is_given(self.context, &enrollment_key(&flag.key));
        self.needs.person |= flag.keeps_value || enrolls;
        flag.conditions().for_each(|condition| self.condition(condition));
    }

    fn condition(&mut self, condition: &'a Condition) {
        if self.is_over() {
            return;
        }
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| self.condition(part));
            }
            Condition::Not(part) => self.condition(part),
            Condition::Cohort(index) => {
                if !std::mem::replace(&mut self.walked[*index], true) {
                    self.condition(&self.project.cohorts[*index].members);
                }
            }
            Condition::Flag(index, _) => {
                if self.walked_flags.insert(*index) {
                    self.flag(&self.project.flags[*index]);
                }
            }
            Condition::Person(filter) => {
                self.needs.person |= !Person::is_given(self.context, &filter.key);
            }
            Condition::Group(of, filter) => {
                if !Groups::is_given(self.context, of, filter) {
                    self.needs.group_types.insert(of);
                }
            }
            Condition::Behaviour(_) => self.needs.person = true,
            Condition::Listed(ids) => {
                self.needs.person |= !Person::is_given_as_listed(self.context, ids);
            }
            Condition::Fault(_) => {}
        }
    }
}
