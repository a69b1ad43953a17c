//! Standing: what an edit has changed is decided as before, until what the edit needs is filled.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::{Catalog, Project};
use crate::cohort::Condition;
use crate::flag::Flag;
use crate::gate::Gate;
use crate::ids::MatcherId;

/// The flags and cohorts of a project that are decided by earlier definitions for now.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Flags by key, each with the project that decides it.
    pub flags: FxHashMap<String, Arc<Project>>,
    /// Cohorts by key, likewise.
    pub cohorts: FxHashMap<String, Arc<Project>>,
}

impl Catalog {
    /// This catalog, in which whatever needs a matcher that isn't ready is decided as `before`
    /// where that was ready. It still feeds every matcher and person property of `before`: for what
    /// stands, and for requests that are being answered by `before`.
    pub fn standing_on(&self, before: &Catalog, is_ready: impl Fn(MatcherId) -> bool) -> Catalog {
        let projects = self.projects().iter().map(|project| {
            let same = before.projects().iter().find(|other| other.id == project.id);
            let project = Project::clone(project);
            match same {
                Some(before) => project.standing_on(before, &is_ready),
                None => project,
            }
        });
        Catalog::new(projects.collect())
    }
}

impl Project {
    fn standing_on(
        mut self,
        before: &Arc<Project>,
        is_ready: &impl Fn(MatcherId) -> bool,
    ) -> Project {
        let ready = |project: &Project, needed: FxHashSet<MatcherId>| {
            let known = |id: &MatcherId| project.matchers.iter().any(|m| m.id == *id);
            needed.iter().all(|id| known(id) && is_ready(*id))
        };
        let mut standing = Standing::default();
        for flag in self.flags.iter().filter(|flag| flag.active) {
            let decided = before.standing.flags.get(&flag.key).unwrap_or(before);
            let earlier = decided.flags.iter().find(|other| other.key == flag.key && other.active);
            if !ready(&self, self.needs_of(flag))
                && earlier.is_some_and(|earlier| ready(decided, decided.needs_of(earlier)))
            {
                standing.flags.insert(flag.key.clone(), Arc::clone(decided));
            }
        }
        for cohort in &self.cohorts {
            let decided = before.standing.cohorts.get(&cohort.key).unwrap_or(before);
            let earlier = decided.cohorts.iter().find(|other| other.key == cohort.key);
            if !ready(&self, self.needs([&cohort.members]))
                && earlier.is_some_and(|it| ready(decided, decided.needs([&it.members])))
            {
                standing.cohorts.insert(cohort.key.clone(), Arc::clone(decided));
            }
        }
        for matcher in &before.matchers {
            if !self.matchers.iter().any(|held| held.id == matcher.id) {
                self.matchers.push(matcher.clone());
            }
        }
        self.person_keys.extend(before.person_keys.iter().cloned());
        self.gate = Gate::of(&self.matchers);
        self.standing = standing;
        self
    }

    fn needs_of(&self, flag: &Flag) -> FxHashSet<MatcherId> {
        self.needs(flag.conditions())
    }

    /// The matchers that conditions ask, directly or through cohorts and other flags.
    pub fn needs<'c>(
        &'c self,
        conditions: impl IntoIterator<Item = &'c Condition>,
    ) -> FxHashSet<MatcherId> {
        let mut needed = FxHashSet::default();
        let (mut walked, mut walked_flags) = (FxHashSet::default(), FxHashSet::default());
        let mut left: Vec<&Condition> = conditions.into_iter().collect();
        while let Some(condition) = left.pop() {
            match condition {
                Condition::All(inner) | Condition::Any(inner) => left.extend(inner),
                Condition::Not(inner) => left.push(inner),
                Condition::Behaviour(behaviour) => {
                    needed.extend(behaviour.matchers().iter().map(|watched| watched.matcher));
                }
                Condition::Cohort(index) if walked.insert(*index) => {
                    left.push(&self.cohorts[*index].members);
                }
                Condition::Flag(index, _) if walked_flags.insert(*index) => {
                    left.extend(self.flags[*index].conditions());
                }
                _ => {}
            }
        }
        needed
    }
}
