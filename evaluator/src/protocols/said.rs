//! Rules as PostHog's release conditions, for SDKs that decide by themselves and know no others.
//!
//! What PostHog's JSON can't say is a filter on a cohort that no answer has: an SDK that meets it
//! asks the server (`posthog.md` 2.2).

use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::flag::{
    Aggregation, Flag, FlagAnswer, FlagIndex, Release, Rule, RuleType, Rules, Variant,
};
use serde_json::{Value, json};

/// The id of the cohort that isn't there: the last that PostHog could give.
pub const ABSENT_COHORT: i64 = i32::MAX as i64;

/// The rules of a flag as release conditions.
pub fn conditions(project: &Project, flag: &Flag) -> Vec<Value> {
    let Ok(rules) = &flag.rules else { return vec![asking()] };
    let conditions = rules.rules.iter().map(|rule| {
        json!({
            "properties": filters(project, flag, rules, rule),
            "rollout_percentage": percentage(rule.release.rollout_percent),
            "variant": rule.release.variant,
        })
    });
    // Release conditions know of no other default.
    let default = (!rules.default.is_off()).then(asking);
    conditions.chain(default).collect()
}

/// The filters of a rule, all of which must hold.
fn filters(project: &Project, flag: &Flag, rules: &Rules, rule: &Rule) -> Vec<Value> {
    let mut said = Said { filters: Vec::new(), is_whole: true };
    said.add(project, &rule.when);
    // Groups have their place in PostHog's flags only.
    said.is_whole &= rule.aggregation == Aggregation::Person && is_condition(flag, rules, rule);
    if !said.is_whole {
        // Before all others: behind a filter that it can't decide, an SDK would go on to the next
        // rule instead of asking.
        said.filters.insert(0, of_nobody());
    }
    said.filters
}

/// Whether whom a rule is for gets by it what a release condition would give them.
fn is_condition(flag: &Flag, rules: &Rules, rule: &Rule) -> bool {
    let Release { rollout_percent, value, variant, payload, origin, .. } = &rule.release;
    // Who is nobody has a place in a condition's share, and none in a rule's.
    let is_for_all = origin.as_ref().is_none_or(|of| of.rule_type == RuleType::TargetedRelease);
    let is_on = value.as_ref().is_none_or(|value| *value.json() == Value::Bool(true));
    let arms = if value.is_none() { rules.variants.as_slice() } else { &[] };
    let named = |arm: &Variant| variant.as_ref().is_none_or(|variant| arm.key == *variant);
    let are_names = arms.iter().filter(|arm| named(arm)).all(|arm| arm.value.is_none());
    // An SDK would deal out a variant where a value is given.
    let is_undealt = value.is_none() || rules.variants.is_empty();
    let everybody = *rollout_percent >= 100.0;
    let is_hashed = !everybody || (!arms.is_empty() && variant.is_none());
    let is_by_key = rules.seed(&flag.key, &rule.release) == flag.key;
    // The policy of one rule, as a payload of one, has no place.
    let goes_on = everybody || !rule.release.ends_on_miss;
    is_for_all
        && is_on
        && are_names
        && is_undealt
        && (is_by_key || !is_hashed)
        && goes_on
        && payload.is_none()
}

/// A filter that no SDK can decide.
fn of_nobody() -> Value {
    json!({ "key": "id", "type": "cohort", "operator": "in", "value": ABSENT_COHORT })
}

fn asking() -> Value {
    json!({ "properties": [of_nobody()], "rollout_percentage": 100, "variant": null })
}

/// Whole where it is: to SDKs in Go `100.0` is no number from 0 to 100, and one such flag is none
/// at all.
pub fn percentage(percent: f64) -> Value {
    let whole = percent as u8;
    if f64::from(whole) == percent { json!(whole) } else { json!(percent) }
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
