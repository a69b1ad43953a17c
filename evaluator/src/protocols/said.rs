//! A rule written in YAML as PostHog's filters, for SDKs that decide by themselves.
//!
//! What PostHog's JSON can't say is a filter on a cohort that no answer has: an SDK that meets it
//! asks the server (`posthog.md` 2.2).

use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::flag::{Aggregation, Flag, FlagAnswer, FlagIndex, Rule};
use serde_json::{Value, json};

/// The id of the cohort that isn't there: the last that PostHog could give.
pub const ABSENT_COHORT: i64 = i32::MAX as i64;

/// The filters of a rule, all of which must hold.
pub fn filters(project: &Project, rule: &Rule) -> Vec<Value> {
    let mut said = Said { filters: Vec::new(), is_whole: true };
    said.add(project, &rule.when);
    // A payload of one rule alone has no place, and groups have theirs in PostHog's flags only.
    said.is_whole &= rule.payload.is_none() && rule.aggregation == Aggregation::Person;
    if !said.is_whole {
        // Before all others: behind a filter that it can't decide, an SDK would go on to the next
        // rule instead of asking.
        let asks =
            json!({ "key": "id", "type": "cohort", "operator": "in", "value": ABSENT_COHORT });
        said.filters.insert(0, asks);
    }
    said.filters
}

/// The flags that have to be decided before this one is, each behind those that it depends on,
/// and itself the last; none where that can't be.
pub fn chain(project: &Project, target: FlagIndex) -> Vec<&str> {
    let mut chain = Vec::new();
    if !project.flags[target].lacks_dependency {
        follow(project, target, &mut chain);
    }
    chain.iter().map(|at| project.flags[*at].key.as_str()).collect()
}

struct Said {
    filters: Vec<Value>,
    /// Whether the filters say all of it.
    is_whole: bool,
}

impl Said {
    fn add(&mut self, project: &Project, condition: &Condition) {
        match condition {
            Condition::All(inner) => inner.iter().for_each(|inner| self.add(project, inner)),
            Condition::Cohort(at) => self.add(project, &project.cohorts[*at].members),
            Condition::Person(filter) => match filter.to_posthog(project.property_matching) {
                Some(filter) => self.filters.push(filter),
                None => self.is_whole = false,
            },
            Condition::Flag(target, answer) => self.filters.push(json!({
                "key": project.flags[*target].key,
                "type": "flag",
                "operator": "flag_evaluates_to",
                "value": match answer {
                    FlagAnswer::On => json!(true),
                    FlagAnswer::Off => json!(false),
                    FlagAnswer::Variant(variant) => json!(variant),
                },
                "dependency_chain": chain(project, *target),
            })),
            _ => self.is_whole = false,
        }
    }
}

fn follow(project: &Project, at: FlagIndex, chain: &mut Vec<FlagIndex>) {
    if chain.contains(&at) {
        return;
    }
    let flag = &project.flags[at];
    // An inactive flag is off whatever it names.
    if flag.active {
        depended_on(flag).into_iter().for_each(|other| follow(project, other, chain));
    }
    chain.push(at);
}

/// The flags that a flag's own rules name.
fn depended_on(flag: &Flag) -> Vec<FlagIndex> {
    let mut named = Vec::new();
    let mut left: Vec<&Condition> = flag.conditions().collect();
    while let Some(condition) = left.pop() {
        match condition {
            Condition::All(inner) | Condition::Any(inner) => left.extend(inner),
            Condition::Not(inner) => left.push(inner),
            Condition::Flag(at, _) => named.push(*at),
            _ => {}
        }
    }
    named
}
