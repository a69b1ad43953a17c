//! A cohort before it is saved: compiled against the project as it is, for what is kept already.

use std::collections::BTreeMap;

use super::compile::{Resolver, Sharing};
use super::dates::Dates;
use super::draft::{Draft, MatcherDraft};
use super::problem::{Place, Problem, Problems, suggestion};
use super::references::missing_group_type;
use super::{node, yaml};
use crate::catalog::{Project, Registered};
use crate::cohort::Condition;

/// The code of a condition that nothing is kept for.
const NOT_KEPT: &str = "condition_not_kept";
/// What the text is called where a file would be named.
const FILE: &str = "cohort";

/// A cohort that isn't saved.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Who would be in. Its cohorts are the project's; what nothing is kept for can't be
    /// evaluated.
    pub members: Condition,
    /// What nothing is kept for, in words.
    pub not_kept: Vec<String>,
}

/// Compiles the text of a cohort's file for a project that doesn't have it.
///
/// # Errors
/// Every mistake in it.
pub fn preview(project: &Project, text: &str) -> Result<Preview, Vec<Problem>> {
    let mut problems = Problems::of(FILE);
    let node = node::parse(text, &mut problems);
    let cohort = node.and_then(|node| yaml::cohort(&node, &mut problems));
    let places = project.cohorts.iter().enumerate().map(|(at, cohort)| (cohort.key.clone(), at));
    let places: BTreeMap<String, usize> = places.collect();
    if let Some(cohort) = &cohort {
        cohort.members.walk(&mut |inner| {
            if let Draft::Cohort { key, at } = inner
                && !places.contains_key(key)
            {
                let fix = suggestion(key, places.keys().map(String::as_str));
                let message = format!("there is no cohort `{key}`");
                problems.add(at.unwrap_or_default(), message, fix);
            }
            missing_group_type(inner, &project.group_types, &mut problems);
        });
    }
    let found = problems.into_found();
    let Some(mut cohort) = cohort.filter(|_| found.is_empty()) else {
        return Err(found);
    };
    let mut kept = Kept { project, numbers: numbers(project), missing: Vec::new() };
    kept.retain(&mut cohort.members);
    let resolver = Resolver {
        sharing: Sharing::all(project.id, &project.time_zone),
        numbers: kept.numbers,
        places,
        flags: BTreeMap::new(),
        group_types: project.group_types.clone(),
    };
    let mut not_kept = kept.missing;
    not_kept.dedup();
    Ok(Preview { members: resolver.condition(&cohort.members), not_kept })
}

/// The project's matchers by their canonical text.
fn numbers(project: &Project) -> BTreeMap<String, Registered> {
    let numbered = project.matchers.iter().map(|matcher| {
        let draft = MatcherDraft {
            event: matcher.event.clone(),
            filters: matcher.filters.clone(),
            dates: Dates::until(matcher.until_ms),
            take: matcher.take.clone(),
            needs: matcher.kept,
        };
        (
            draft.canonical(project.id, &project.time_zone),
            Registered { id: matcher.id, kept: matcher.kept },
        )
    });
    let mut numbers: BTreeMap<String, Registered> = BTreeMap::new();
    for (canonical, registered) in numbered {
        // Beside a matcher that is raised, the one before it goes on for a while.
        let known = numbers.entry(canonical).or_insert(registered);
        if registered.id > known.id {
            *known = registered;
        }
    }
    numbers
}

/// What is kept of a project's people.
struct Kept<'p> {
    project: &'p Project,
    numbers: BTreeMap<String, Registered>,
    missing: Vec<String>,
}

impl Kept<'_> {
    /// Leaves a fault in the place of each condition that nothing is kept for.
    fn retain(&mut self, draft: &mut Draft) {
        let missing = match draft {
            Draft::All(inner) | Draft::Any(inner) => {
                return inner.iter_mut().for_each(|draft| self.retain(draft));
            }
            Draft::Not(inner) => return self.retain(inner),
            Draft::Behaviour(behaviour) => {
                let matchers = behaviour.matchers();
                let missing = matchers.into_iter().find(|matcher| !self.has(matcher));
                missing.map(|matcher| match matcher.event.as_str() {
                    "" => "events of any kind".to_owned(),
                    event => format!("`{event}`"),
                })
            }
            // What the pipeline tells of people is kept only where some condition asks for it.
            Draft::Person(filter) => {
                let told = self.project.team_id.is_some() && filter.key != "distinct_id";
                let missing = told && !self.project.person_keys.contains(&filter.key);
                missing.then(|| format!("the person property `{}`", filter.key))
            }
            Draft::Listed(_)
            | Draft::Group(..)
            | Draft::Flag(..)
            | Draft::Cohort { .. }
            | Draft::Fault(_) => None,
        };
        if let Some(what) = missing {
            let message = format!(
                "not enough is kept of {what} to answer this before the cohort is saved; then it \
                 is filled from the log"
            );
            self.missing.push(message.clone());
            *draft = Draft::fault(NOT_KEPT, message);
        }
    }

    fn has(&self, matcher: &MatcherDraft) -> bool {
        let known = self.numbers.get(&matcher.canonical(self.project.id, &self.project.time_zone));
        known.is_some_and(|known| {
            known.kept.k >= matcher.needs.k && known.kept.horizon_ms >= matcher.needs.horizon_ms
        })
    }
}

/// What a project says to whoever asks for a cohort that it doesn't have.
pub fn no_such_cohort(project: &Project, key: &str) -> Problem {
    let mut problems = Problems::of(&project.name);
    let fix = suggestion(key, project.cohorts.iter().map(|cohort| cohort.key.as_str()));
    problems.add(Place::default(), format!("there is no cohort `{key}`"), fix);
    problems.into_found().remove(0)
}
