//! Drafts become a project: cohorts in order, matchers shared and numbered.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::draft::{DidDraft, Draft, FlagDraft, ProjectDraft, RuleDraft};
use super::problem::{Problem, Problems, suggestion};
use crate::catalog::{Matcher, Project, Registry};
use crate::cohort::{Cohort, CohortIndex, Condition, Did, Fault};
use crate::flag::{Flag, Rule, Rules};
use crate::ids::{MatcherId, ProjectId};

/// The code of a flag that needs a cohort which isn't there, as at PostHog.
const NOT_FOUND: &str = "dependency_not_found_cohort";
/// The code of a flag whose cohorts refer to each other in a circle, as at PostHog.
const CYCLE: &str = "dependency_cycle_cohort";

/// The project, unless YAML names cohorts that don't exist or go round in a circle. In what
/// came from PostHog the same makes the flags fail that need them.
pub(super) fn project(
    mut draft: ProjectDraft,
    registry: &mut Registry,
) -> Result<Project, Vec<Problem>> {
    let mut problems = missing_cohorts(&draft);
    let (order, cyclic) = order(&draft);
    problems.extend(cycles(&draft, &cyclic));
    if !problems.is_empty() {
        return Err(problems);
    }
    for key in &cyclic {
        if let Some(cohort) = draft.cohorts.get_mut(key) {
            let message = format!("cohort `{key}` refers to itself, directly or through others");
            cohort.members = Draft::fault(CYCLE, message);
        }
    }
    let order: Vec<String> = order.into_iter().chain(cyclic).collect();
    let id = registry.project(&draft.name);
    let (matchers, numbers) = matchers(&draft, id, registry);
    let places = order
        .iter()
        .enumerate()
        .map(|(at, key)| (key.clone(), at))
        .collect();
    let resolver = Resolver {
        project: id,
        numbers,
        places,
    };
    Ok(assemble(draft, id, matchers, &order, &resolver))
}

/// YAML conditions that name a cohort the project doesn't have.
fn missing_cohorts(draft: &ProjectDraft) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut look = |file: &str, condition: &Draft| {
        let mut problems = Problems::of(file);
        condition.walk(&mut |inner| {
            if let Draft::Cohort {
                key,
                at: Some(place),
            } = inner
                && !draft.cohorts.contains_key(key)
            {
                let message = format!("there is no cohort `{key}`");
                let fix = suggestion(key, draft.cohorts.keys().map(String::as_str));
                problems.add(*place, message, fix);
            }
        });
        found.extend(problems.into_found());
    };
    for cohort in draft.cohorts.values() {
        look(&cohort.file, &cohort.members);
    }
    for flag in draft.flags.values() {
        for rule in rules_of(flag) {
            look(&flag.file, &rule.when);
        }
    }
    found
}

fn rules_of(flag: &FlagDraft) -> &[RuleDraft] {
    flag.rules.as_ref().map_or(&[], |rules| &rules.rules)
}

/// The cohorts that this one names and that exist.
fn named<'d>(draft: &'d ProjectDraft, key: &str) -> Vec<&'d str> {
    let mut named = Vec::new();
    if let Some(cohort) = draft.cohorts.get(key) {
        cohort.members.walk(&mut |inner| {
            if let Draft::Cohort { key, .. } = inner
                && let Some((key, _)) = draft.cohorts.get_key_value(key)
            {
                named.push(key.as_str());
            }
        });
    }
    named
}

/// Cohorts such that each names only those before it, and those for which that can't be:
/// they are in a circle, or name one that is.
fn order(draft: &ProjectDraft) -> (Vec<String>, Vec<String>) {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut namers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in draft.cohorts.keys() {
        let named = named(draft, key);
        waiting.insert(key, named.len());
        for other in named {
            namers.entry(other).or_default().push(key);
        }
    }
    let mut ready: Vec<&str> = waiting
        .iter()
        .filter(|(_, n)| **n == 0)
        .map(|(k, _)| *k)
        .collect();
    let mut order = Vec::new();
    while let Some(key) = ready.pop() {
        order.push(key.to_owned());
        waiting.remove(key);
        for namer in namers.get(key).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(namer) {
                *left -= 1;
                if *left == 0 {
                    ready.push(namer);
                }
            }
        }
    }
    (order, waiting.into_keys().map(str::to_owned).collect())
}

/// One problem for each circle that a YAML file is part of.
fn cycles(draft: &ProjectDraft, cyclic: &[String]) -> Vec<Problem> {
    let mut seen: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for start in cyclic {
        let mut path: Vec<&str> = vec![start];
        let circle = loop {
            let Some(last) = path.last().copied() else {
                break &path[..];
            };
            let next = named(draft, last)
                .into_iter()
                .find(|key| cyclic.iter().any(|c| c == key));
            let Some(next) = next else { break &path[..0] };
            if let Some(from) = path.iter().position(|key| *key == next) {
                break &path[from..];
            }
            path.push(next);
        };
        if circle.iter().any(|key| seen.contains(key)) {
            continue;
        }
        seen.extend(circle);
        let yaml = circle.iter().find(|key| draft.cohorts[**key].strict);
        if let (Some(yaml), Some(first)) = (yaml, circle.first()) {
            found.push(circle_problem(draft, yaml, &[circle, &[first]].concat()));
        }
    }
    found
}

fn circle_problem(draft: &ProjectDraft, yaml: &str, circle: &[&str]) -> Problem {
    let cohort = &draft.cohorts[yaml];
    let next = circle
        .windows(2)
        .find(|pair| pair[0] == yaml)
        .map_or(yaml, |pair| pair[1]);
    let mut place = None;
    cohort.members.walk(&mut |inner| {
        if let Draft::Cohort { key, at } = inner
            && key == next
            && place.is_none()
        {
            place = *at;
        }
    });
    let mut problems = Problems::of(&cohort.file);
    let message = format!(
        "these cohorts refer to each other in a circle: {}",
        circle.join(" → ")
    );
    problems.add(
        place.unwrap_or_default(),
        message,
        "take one of the references out",
    );
    problems.into_found().remove(0)
}

/// Every matcher once, with all that its conditions need, and its number by canonical text.
fn matchers(
    draft: &ProjectDraft,
    id: ProjectId,
    registry: &mut Registry,
) -> (Vec<Matcher>, BTreeMap<String, MatcherId>) {
    let mut needed: BTreeMap<String, (&DidDraft, u16, i64)> = BTreeMap::new();
    let rules = draft
        .flags
        .values()
        .flat_map(rules_of)
        .map(|rule| &rule.when);
    let conditions = draft
        .cohorts
        .values()
        .map(|cohort| &cohort.members)
        .chain(rules);
    for condition in conditions {
        condition.walk(&mut |inner| {
            if let Draft::Did(did) = inner {
                let (k, horizon_ms) = did.needs();
                let entry = needed
                    .entry(did.canonical(id))
                    .or_insert((did, k, horizon_ms));
                entry.1 = entry.1.max(k);
                entry.2 = entry.2.max(horizon_ms);
            }
        });
    }
    let mut numbers = BTreeMap::new();
    let mut matchers = Vec::new();
    for (canonical, (did, k, horizon_ms)) in needed {
        let registered = registry.matcher(&canonical, k, horizon_ms);
        matchers.push(Matcher {
            id: registered.id,
            event: did.event.clone(),
            filters: did.filters.clone(),
            k: registered.k,
            horizon_ms: registered.horizon_ms,
        });
        numbers.insert(canonical, registered.id);
    }
    (matchers, numbers)
}

/// Turns drafts of conditions into conditions.
struct Resolver {
    project: ProjectId,
    numbers: BTreeMap<String, MatcherId>,
    places: BTreeMap<String, CohortIndex>,
}

impl Resolver {
    fn condition(&self, draft: &Draft) -> Condition {
        match draft {
            Draft::All(inner) => Condition::All(self.conditions(inner)),
            Draft::Any(inner) => Condition::Any(self.conditions(inner)),
            Draft::Not(inner) => Condition::Not(Box::new(self.condition(inner))),
            Draft::Did(did) => Condition::Did(Did {
                // Every draft's matcher was numbered before.
                matcher: self.numbers[&did.canonical(self.project)],
                comparison: did.comparison,
                n: did.n,
                within_ms: did.within_ms,
            }),
            Draft::Person(filter) => Condition::Person(filter.clone()),
            Draft::Cohort { key, .. } => match self.places.get(key) {
                Some(place) => Condition::Cohort(*place),
                None => {
                    let message = format!("there is no cohort `{key}` in the project");
                    Condition::Fault(Fault {
                        code: NOT_FOUND,
                        message,
                    })
                }
            },
            Draft::Fault(fault) => Condition::Fault(fault.clone()),
        }
    }

    fn conditions(&self, drafts: &[Draft]) -> Vec<Condition> {
        drafts.iter().map(|draft| self.condition(draft)).collect()
    }

    fn flag(&self, draft: FlagDraft) -> Flag {
        let rules = draft.rules.map(|rules| Rules {
            rules: rules
                .rules
                .into_iter()
                .map(|rule| Rule {
                    when: self.condition(&rule.when),
                    rollout_percent: rule.rollout_percent,
                    variant: rule.variant,
                    payload: rule.payload,
                })
                .collect(),
            variants: rules.variants,
            payloads: rules.payloads,
        });
        Flag {
            rules,
            ..draft.flag
        }
    }
}

fn assemble(
    draft: ProjectDraft,
    id: ProjectId,
    matchers: Vec<Matcher>,
    order: &[String],
    resolver: &Resolver,
) -> Project {
    let mut gate: FxHashMap<String, Vec<usize>> = FxHashMap::default();
    for (at, matcher) in matchers.iter().enumerate() {
        gate.entry(matcher.event.clone()).or_default().push(at);
    }
    let cohorts = order.iter().map(|key| {
        let cohort = &draft.cohorts[key];
        Cohort {
            key: key.clone(),
            description: cohort.description.clone(),
            id: cohort.id,
            members: resolver.condition(&cohort.members),
        }
    });
    Project {
        id,
        name: draft.name,
        token: draft.token,
        secrets: draft.secrets,
        time_zone: draft.time_zone,
        property_matching: draft.matching,
        cohorts: cohorts.collect(),
        flags: draft
            .flags
            .into_values()
            .map(|flag| resolver.flag(flag))
            .collect(),
        matchers,
        gate,
        group_types: draft.group_types,
    }
}
