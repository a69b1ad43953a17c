//! Deciding one flag: enrolment, holdout, then its rules in order, as PostHog does
//! (`posthog.md` 4.3).

use std::borrow::Cow;

use schemas::flag::{Aggregation, Bucketing, Flag, Rule, Rules, enrollment_key};
use schemas::unknown::Unknown;
use serde_json::Value;

use crate::cohort::Asked;
use crate::decision::{Decision, Outcome, Reason};
use crate::rollout;
use crate::truth::{Truth, Why};

/// What a flag is for whoever is asked about.
pub fn decide<'a>(flag: &'a Flag, asked: &Asked<'a>) -> Decision<'a> {
    let rules = match &flag.rules {
        Ok(rules) => rules,
        Err(fault) => return Decision::failed_for(flag, Why::Fault(fault)),
    };
    if flag.lacks_dependency {
        return Decision { reason: Reason::MissingDependency, ..Decision::off(flag) };
    }
    let enrolled = rules.enrollment.then(|| enrolled(flag, rules, asked)).flatten();
    let decided = enrolled.or_else(|| held_out(flag, rules, asked));
    decided.unwrap_or_else(|| by_rules(flag, rules, asked))
}

/// What those get who enrolled, or refused to; nothing of who did neither.
fn enrolled<'a>(flag: &'a Flag, rules: &'a Rules, asked: &Asked<'a>) -> Option<Decision<'a>> {
    let enrolled = match asked.person().property(&enrollment_key(&flag.key)) {
        Ok(None) => return None,
        Ok(Some(value)) => match value.as_ref() {
            Value::Bool(enrolled) => *enrolled,
            other => other == "true",
        },
        Err(unknown) => return Some(Decision::failed_for(flag, Why::Unknown(unknown))),
    };
    let payload = rules.payloads.get("true").filter(|_| enrolled).map(String::as_str);
    let outcome = Outcome { enabled: enrolled, variant: None, payload };
    Some(Decision { flag, outcome, reason: Reason::Enrollment, condition_index: Some(0) })
}

/// What those get who are held out.
fn held_out<'a>(flag: &'a Flag, rules: &'a Rules, asked: &Asked<'a>) -> Option<Decision<'a>> {
    let holdout = rules.holdout.as_ref()?;
    let context = asked.context();
    let identifier = match (&rules.aggregation, flag.bucketing) {
        // Nobody is held out of what they have no group for.
        (Aggregation::Group(of), _) => asked.groups().key(of.as_deref()?)?,
        // A value that is kept after logging in doesn't count here.
        (Aggregation::Person, Bucketing::DistinctId) => &context.distinct_id,
        (Aggregation::Person, Bucketing::Device) => {
            context.device_id.as_deref().unwrap_or(&context.distinct_id)
        }
    };
    rollout::is_held_out(identifier, holdout.percent).then(|| {
        let payload = rules.payloads.get(&holdout.variant).map(String::as_str);
        let outcome = Outcome { enabled: true, variant: Some(&holdout.variant), payload };
        Decision { flag, outcome, reason: Reason::Holdout, condition_index: None }
    })
}

/// What became of a rule.
enum Ruled<'a> {
    /// It didn't match, for this reason.
    Missed(Reason<'a>),
    /// It gives this.
    Gives(Outcome<'a>),
    /// It can't be decided; if it matches it gives this, or nothing.
    Open(Why<'a>, Option<Outcome<'a>>),
}

fn by_rules<'a>(flag: &'a Flag, rules: &'a Rules, asked: &Asked<'a>) -> Decision<'a> {
    let mut told: Option<(Reason<'a>, usize)> = None;
    let mut outcome = Outcome::default();
    // Why some rule is open, and what such rules may give.
    let mut open: Option<Why<'a>> = None;
    let mut possible: Vec<Outcome<'a>> = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let reason = match ruled(flag, rules, rule, asked) {
            Ruled::Missed(reason) => reason,
            Ruled::Gives(given) => {
                outcome = given;
                Reason::ConditionMatch
            }
            Ruled::Open(why, Some(given)) => {
                open.get_or_insert(why);
                possible.push(given);
                continue;
            }
            // An open rule whose rollout misses changes nothing: the rollout has decided it.
            Ruled::Open(..) => Reason::OutOfRolloutBound,
        };
        if told.is_none_or(|(best, _)| reason.score() >= best.score()) {
            told = Some((reason, index));
        }
        let is_last = rule.ends_on_miss && reason == Reason::OutOfRolloutBound;
        if reason == Reason::ConditionMatch || is_last {
            break;
        }
    }
    match open {
        Some(why) if possible.iter().any(|other| *other != outcome) => {
            Decision::failed_for(flag, why)
        }
        _ => {
            let condition_index = told.map(|(_, index)| index);
            let reason = told.map_or(Reason::NoConditionMatch, |(reason, _)| reason);
            Decision { flag, outcome, reason, condition_index }
        }
    }
}

fn ruled<'a>(flag: &'a Flag, rules: &'a Rules, rule: &'a Rule, asked: &Asked<'a>) -> Ruled<'a> {
    let identity = Identity::of(flag, &rule.aggregation, asked);
    if matches!(identity, Identity::NoGroup) {
        return Ruled::Missed(Reason::NoGroupType);
    }
    let why = match asked.holds(&rule.when) {
        Truth::False => return Ruled::Missed(Reason::NoConditionMatch),
        Truth::True => None,
        Truth::Open(why) => Some(why),
    };
    let given = match (identity, is_certain(rules, rule)) {
        (Identity::Known(identifier), _) => {
            let is_within = rollout::is_within(&flag.key, &identifier, rule.rollout_percent);
            is_within.then(|| outcome_of(flag, rules, rule, &identifier))
        }
        // Whoever is hashed, it is the same.
        (_, true) => Some(outcome_of(flag, rules, rule, "")),
        (Identity::Unknown(unknown), false) => {
            let why = why.unwrap_or(Why::Unknown(unknown));
            // It may give any variant, or none.
            return Ruled::Open(why, Some(Outcome { enabled: true, ..Outcome::default() }));
        }
        (Identity::NoGroup | Identity::NoDevice, false) => None,
    };
    match (why, given) {
        (None, Some(given)) => Ruled::Gives(given),
        (None, None) => Ruled::Missed(Reason::OutOfRolloutBound),
        // What comes after is asked only if it doesn't match.
        (Some(why), None) if rule.ends_on_miss => Ruled::Open(why, Some(Outcome::default())),
        (Some(why), given) => Ruled::Open(why, given),
    }
}

/// Whose hash decides.
pub(crate) enum Identity<'a> {
    /// Theirs.
    Known(Cow<'a, str>),
    /// Nobody's: the request names no group of the type.
    NoGroup,
    /// Nobody's: the request names no device.
    NoDevice,
    /// Of somebody whose earlier value is kept, and can't be read.
    Unknown(Unknown),
}

impl<'a> Identity<'a> {
    /// Whose hash decides a condition of this flag.
    pub fn of(flag: &Flag, aggregation: &Aggregation, asked: &Asked<'a>) -> Identity<'a> {
        let context = asked.context();
        match (aggregation, flag.bucketing) {
            (Aggregation::Group(of), _) => {
                match of.as_deref().and_then(|of| asked.groups().key(of)) {
                    Some(key) => Identity::Known(Cow::Borrowed(key)),
                    None => Identity::NoGroup,
                }
            }
            (Aggregation::Person, Bucketing::Device) => match &context.device_id {
                Some(device) => Identity::Known(Cow::Borrowed(device)),
                None => Identity::NoDevice,
            },
            (Aggregation::Person, Bucketing::DistinctId) if flag.keeps_value => {
                match asked.person().kept_identifier(&flag.key) {
                    Ok(kept) => Identity::Known(kept),
                    Err(unknown) => Identity::Unknown(unknown),
                }
            }
            (Aggregation::Person, Bucketing::DistinctId) => {
                Identity::Known(Cow::Borrowed(&context.distinct_id))
            }
        }
    }
}

/// Whether a rule that matches gives the same to everybody, whatever their hash.
fn is_certain(rules: &Rules, rule: &Rule) -> bool {
    let is_pinned = rule.variant.as_ref().is_some_and(|pinned| has(rules, pinned));
    let mut effective = rules.variants.iter().filter(|variant| variant.percent > 0.0);
    let one = effective.next().is_none_or(|only| only.percent >= 100.0);
    rule.rollout_percent >= 100.0 && (is_pinned || one)
}

fn has(rules: &Rules, variant: &str) -> bool {
    rules.variants.iter().any(|other| other.key == variant)
}

fn outcome_of<'a>(flag: &Flag, rules: &'a Rules, rule: &'a Rule, identifier: &str) -> Outcome<'a> {
    let pinned = rule.variant.as_deref().filter(|pinned| has(rules, pinned));
    let variant = pinned.or_else(|| rollout::variant(&flag.key, identifier, &rules.variants));
    let stored = rules.payloads.get(variant.unwrap_or("true"));
    let payload = rule.payload.as_ref().or(stored).map(String::as_str);
    Outcome { enabled: true, variant, payload }
}
