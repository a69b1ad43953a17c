//! Evaluation: every flag of a request, from one set of facts at one instant. Total and pure.

use rustc_hash::FxHashSet;
use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::flag::{Flag, FlagIndex, enrollment_key};
use schemas::lookup::Facts;

use crate::cohort::Asked;
use crate::context::Context;
use crate::decision::Decision;
use crate::group::Groups;
use crate::person::Person;

/// The flags that the request asks for: active ones, and only those named if any are.
pub fn requested<'a>(
    project: &'a Project,
    context: &'a Context,
) -> impl Iterator<Item = &'a Flag> + 'a {
    let asked = |flag: &&Flag| flag.active && context.asks_for(flag) && context.may_have(flag);
    project.flags.iter().filter(asked)
}

/// Decides every flag that the request asks for, at `now_ms`.
pub fn evaluate<'a>(
    project: &'a Project,
    context: &'a Context,
    facts: &'a Facts,
    now_ms: i64,
) -> Vec<Decision<'a>> {
    let asked = Asked::new(project, context, facts, now_ms);
    let decide_one = |flag: &'a Flag| match deciding(project, flag) {
        (deciding, index) if std::ptr::eq(deciding, project) => asked.flag(index),
        (deciding, index) => Asked::new(deciding, context, facts, now_ms).flag(index),
    };
    requested(project, context).map(decide_one).collect()
}

/// The definitions that decide a flag, and where it stands there: the project's own, or earlier
/// ones as long as those stand.
pub(crate) fn deciding<'a>(project: &'a Project, flag: &Flag) -> (&'a Project, FlagIndex) {
    let find = |project: &'a Project| {
        let at = project.flags.binary_search_by(|other| other.key.as_str().cmp(&flag.key));
        at.ok().map(|at| (project, at))
    };
    let earlier = project.standing.flags.get(&flag.key).and_then(|earlier| find(earlier));
    earlier.or_else(|| find(project)).unwrap_or((project, 0))
}

/// Whether some flag that the request asks for depends on more than the request itself.
pub fn needs_facts(project: &Project, context: &Context) -> bool {
    let mut walk = Walk::new(project, context);
    requested(project, context).any(|flag| {
        if project.standing.flags.contains_key(&flag.key) {
            return true;
        }
        walk.flag_needs(flag)
    })
}

/// A walk through conditions that ends at the first that needs facts.
struct Walk<'a> {
    project: &'a Project,
    context: &'a Context,
    /// A cohort that was walked through to its end needs none.
    walked: Vec<bool>,
    /// Nor does a flag.
    walked_flags: FxHashSet<FlagIndex>,
}

impl<'a> Walk<'a> {
    fn new(project: &'a Project, context: &'a Context) -> Self {
        let walked = vec![false; project.cohorts.len()];
        Walk { project, context, walked, walked_flags: FxHashSet::default() }
    }

    fn flag_needs(&mut self, flag: &Flag) -> bool {
        let enrolls = flag.rules.as_ref().is_ok_and(|rules| rules.enrollment);
        flag.keeps_value
            || (enrolls && !Person::is_given(self.context, &enrollment_key(&flag.key)))
            || flag.conditions().any(|condition| self.needs(condition))
    }

    fn needs(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().any(|part| self.needs(part))
            }
            Condition::Not(part) => self.needs(part),
            Condition::Cohort(index) => {
                let walked = std::mem::replace(&mut self.walked[*index], true);
                let project = self.project;
                !walked && self.needs(&project.cohorts[*index].members)
            }
            Condition::Flag(index, _) => {
                let project = self.project;
                self.walked_flags.insert(*index) && self.flag_needs(&project.flags[*index])
            }
            Condition::Person(filter) => !Person::is_given(self.context, &filter.key),
            Condition::Group(of, filter) => !Groups::is_given(self.context, of, filter),
            Condition::Behaviour(_) => true,
            Condition::Listed(ids) => !Person::is_given_as_listed(self.context, ids),
            Condition::Fault(_) => false,
        }
    }
}
