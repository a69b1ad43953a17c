//! Which cohort names which: in what order they stand, and what is missing or goes in a circle.

use std::collections::BTreeMap;

use super::draft::{Draft, FlagDraft, GroupType, ProjectDraft, RuleDraft};
use super::problem::{Problem, Problems, suggestion};

/// YAML conditions that name a cohort the project doesn't have.
pub(super) fn missing_cohorts(draft: &ProjectDraft) -> Vec<Problem> {
    look(draft, |inner, problems| {
        if let Draft::Cohort { key, at: Some(place) } = inner
            && !draft.cohorts.contains_key(key)
        {
            let message = format!("there is no cohort `{key}`");
            let fix = suggestion(key, draft.cohorts.keys().map(String::as_str));
            problems.add(*place, message, fix);
        }
    })
}

/// YAML conditions that name a group type the project doesn't have, where it says which it has.
pub(super) fn missing_group_types(draft: &ProjectDraft) -> Vec<Problem> {
    look(draft, |inner, problems| missing_group_type(inner, &draft.group_types, problems))
}

/// The problem with a condition on a group, if its type isn't one of those that are known.
pub(super) fn missing_group_type(
    condition: &Draft,
    known: &BTreeMap<String, String>,
    problems: &mut Problems<'_>,
) {
    if let Draft::Group(GroupType::Named(of, place), _) = condition
        && !known.is_empty()
        && !known.values().any(|name| name == of)
    {
        let message = format!("the project has no groups of type `{of}`");
        let fix = suggestion(of, known.values().map(String::as_str));
        problems.add(*place, message, fix);
    }
}

/// What `check` finds wrong in each condition of each file.
fn look(draft: &ProjectDraft, check: impl Fn(&Draft, &mut Problems<'_>)) -> Vec<Problem> {
    let cohorts = draft.cohorts.values().map(|cohort| (&cohort.file, &cohort.members));
    let flags = draft.flags.values();
    let rules = flags.flat_map(|flag| rules_of(flag).iter().map(|rule| (&flag.file, &rule.when)));
    let mut found = Vec::new();
    for (file, condition) in cohorts.chain(rules) {
        let mut problems = Problems::of(file);
        condition.walk(&mut |inner| check(inner, &mut problems));
        found.extend(problems.into_found());
    }
    found
}

/// The flag's rules; none where it can't be read.
pub(super) fn rules_of(flag: &FlagDraft) -> &[RuleDraft] {
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
pub(super) fn order(draft: &ProjectDraft) -> (Vec<String>, Vec<String>) {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut namers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in draft.cohorts.keys() {
        let named = named(draft, key);
        waiting.insert(key, named.len());
        for other in named {
            namers.entry(other).or_default().push(key);
        }
    }
    let mut ready: Vec<&str> = waiting.iter().filter(|(_, n)| **n == 0).map(|(k, _)| *k).collect();
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
pub(super) fn cycles(draft: &ProjectDraft, cyclic: &[String]) -> Vec<Problem> {
    let mut seen: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for start in cyclic {
        let mut path: Vec<&str> = vec![start];
        let circle = loop {
            let Some(last) = path.last().copied() else {
                break &path[..];
            };
            let next = named(draft, last).into_iter().find(|key| cyclic.iter().any(|c| c == key));
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
    let next = circle.windows(2).find(|pair| pair[0] == yaml).map_or(yaml, |pair| pair[1]);
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
    let message = format!("these cohorts refer to each other in a circle: {}", circle.join(" → "));
    problems.add(place.unwrap_or_default(), message, "take one of the references out");
    problems.into_found().remove(0)
}
