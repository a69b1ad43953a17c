//! Which cohort names which: in what order they stand, and what is missing or goes in a circle.

use std::collections::BTreeMap;

use super::draft::{Draft, FlagDraft, ProjectDraft, RuleDraft};
use super::problem::{Problem, Problems, suggestion};

/// YAML conditions that name a cohort the project doesn't have.
pub(super) fn missing_cohorts(draft: &ProjectDraft) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut look = |file: &str, condition: &Draft| {
        let mut problems = Problems::of(file);
        condition.walk(&mut |inner| {
            if let Draft::Cohort { key, at: Some(place) } = inner
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
