//! Evaluation: every flag of a request, from one set of facts at one instant. Total and pure.

use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::flag::{Flag, Rule, Rules};
use schemas::lookup::Facts;

use crate::cohort::Asked;
use crate::context::Context;
use crate::decision::{Decision, Outcome, Reason};
use crate::person::Person;
use crate::rollout;
use crate::truth::{Truth, Why};

/// The flags that the request asks for: active ones, and only those named if any are.
pub fn requested<'a>(
    project: &'a Project,
    context: &'a Context,
) -> impl Iterator<Item = &'a Flag> + 'a {
    let named = context.flag_keys.as_ref();
    project.flags.iter().filter(move |flag| {
        !context.disable_flags && flag.active && named.is_none_or(|keys| keys.contains(&flag.key))
    })
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
        (deciding, flag) if std::ptr::eq(deciding, project) => {
            decide(flag, &context.distinct_id, &asked)
        }
        (deciding, flag) => {
            let asked = Asked::new(deciding, context, facts, now_ms);
            decide(flag, &context.distinct_id, &asked)
        }
    };
    requested(project, context).map(decide_one).collect()
}

/// The definitions that decide a flag, and the flag as it is there: the project's own, or earlier
/// ones as long as those stand.
pub(crate) fn deciding<'a>(project: &'a Project, flag: &'a Flag) -> (&'a Project, &'a Flag) {
    match project.standing.flags.get(&flag.key) {
        None => (project, flag),
        Some(earlier) => {
            let before = earlier.flags.iter().find(|other| other.key == flag.key);
            (earlier, before.unwrap_or(flag))
        }
    }
}

/// Whether some flag that the request asks for depends on more than the request itself.
pub fn needs_facts(project: &Project, context: &Context) -> bool {
    let mut walk = Walk { project, context, walked: vec![false; project.cohorts.len()] };
    requested(project, context).any(|flag| {
        if project.standing.flags.contains_key(&flag.key) {
            return true;
        }
        let rules = flag.rules.as_ref().map(|rules| rules.rules.as_slice());
        let mut conditions = rules.unwrap_or_default().iter().map(|rule| &rule.when);
        conditions.any(|condition| walk.needs(condition))
    })
}

/// A walk through conditions that ends at the first that needs facts.
struct Walk<'a> {
    project: &'a Project,
    context: &'a Context,
    /// A cohort that was walked through to its end needs none.
    walked: Vec<bool>,
}

impl Walk<'_> {
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
            Condition::Person(filter) => !Person::is_given(self.context, filter),
            Condition::Behaviour(_) => true,
            Condition::Listed(ids) => !Person::is_given_as_listed(self.context, ids),
            Condition::Fault(_) => false,
        }
    }
}

fn decide<'a>(flag: &'a Flag, identifier: &str, asked: &Asked<'a>) -> Decision<'a> {
    let failed = |why| Decision {
        flag,
        outcome: Outcome::default(),
        reason: Reason::Failed(why),
        condition_index: None,
    };
    let rules = match &flag.rules {
        Ok(rules) => rules,
        Err(fault) => return failed(Why::Fault(fault)),
    };
    let mut told = (Reason::NoConditionMatch, None);
    let mut outcome = Outcome::default();
    // Rules that may match, and what they would give.
    let mut open: Option<Why<'a>> = None;
    let mut possible: Vec<Outcome<'a>> = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let reason = match asked.holds(&rule.when) {
            Truth::False => Reason::NoConditionMatch,
            Truth::True if is_within(flag, identifier, rule) => {
                outcome = outcome_of(flag, rules, rule, identifier);
                Reason::ConditionMatch
            }
            Truth::Open(why) if is_within(flag, identifier, rule) => {
                open.get_or_insert(why);
                possible.push(outcome_of(flag, rules, rule, identifier));
                continue;
            }
            // An open rule whose rollout misses changes nothing: the rollout has decided it.
            Truth::True | Truth::Open(_) => Reason::OutOfRolloutBound,
        };
        if reason.score() >= told.0.score() {
            told = (reason, Some(index));
        }
        if reason == Reason::ConditionMatch {
            break;
        }
    }
    match open {
        Some(why) if possible.iter().any(|other| *other != outcome) => failed(why),
        _ => Decision { flag, outcome, reason: told.0, condition_index: told.1 },
    }
}

/// Whether the rule's rollout has the identifier.
pub(crate) fn is_within(flag: &Flag, identifier: &str, rule: &Rule) -> bool {
    rollout::is_within(&flag.key, identifier, rule.rollout_percent)
}

fn outcome_of<'a>(flag: &Flag, rules: &'a Rules, rule: &'a Rule, identifier: &str) -> Outcome<'a> {
    let named = rule.variant.as_ref();
    let pinned = named.and_then(|named| rules.variants.iter().find(|v| v.key == *named));
    let variant = match pinned {
        Some(variant) => Some(variant.key.as_str()),
        None => rollout::variant(&flag.key, identifier, &rules.variants),
    };
    let stored = rules.payloads.get(variant.unwrap_or("true"));
    let payload = rule.payload.as_ref().or(stored).map(String::as_str);
    Outcome { enabled: true, variant, payload }
}
