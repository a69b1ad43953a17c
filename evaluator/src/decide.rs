//! Deciding one flag: enrolment, holdout, then its rules in order, as PostHog does
//! (`posthog.md` 4.3 and 3.7).

use std::borrow::Cow;

use schemas::flag::{
    Aggregation, Bucketing, ConfigVersion, Flag, Release, Rule, RuleType, Rules, Variant,
    enrollment_key,
};
use schemas::unknown::Unknown;
use serde_json::Value;

use crate::cohort::Asked;
use crate::decision::{Decision, Given, Outcome, Reason};
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
    if flag.config_version == ConfigVersion::Two {
        return by_rules(flag, rules, asked);
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
    let stored = rules.payloads.get("true").filter(|_| enrolled).map(String::as_str);
    let outcome = Outcome { value: Given::Switch(enrolled), arm: None, stored };
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
    rollout::is_held_out(holdout, identifier).then(|| {
        let stored = rules.payloads.get(&holdout.variant).map(String::as_str);
        let (value, arm) = (Given::Text(&holdout.variant), Some(holdout.variant.as_str()));
        let outcome = Outcome { value, arm, stored };
        Decision { flag, outcome, reason: Reason::Holdout, condition_index: None }
    })
}

/// What became of a rule.
enum Ruled<'a> {
    /// It says nothing, for this reason: what comes after is asked.
    Missed(Reason<'a>),
    /// It decides.
    Decides(Settled<'a>),
    /// It can't be decided; if it matches it gives this.
    Open(Why<'a>, Outcome<'a>),
}

/// What is given, and why.
type Settled<'a> = (Reason<'a>, Outcome<'a>);

fn by_rules<'a>(flag: &'a Flag, rules: &'a Rules, asked: &Asked<'a>) -> Decision<'a> {
    let by_two = flag.config_version == ConfigVersion::Two;
    let mut told: Option<(Reason<'a>, usize)> = None;
    let mut outcome = default_of(rules);
    if by_two && matches!(Identity::of(flag, &rules.aggregation, asked), Identity::NoGroup) {
        let outcome = Outcome { value: Given::Nothing, ..Outcome::default() };
        return Decision { outcome, reason: Reason::NoGroupType, ..Decision::off(flag) };
    }
    // Why some rule is open, and what such rules may give.
    let mut open: Option<Why<'a>> = None;
    let mut possible: Vec<Outcome<'a>> = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        match ruled(flag, rules, rule, asked) {
            Ruled::Missed(reason) => {
                if !by_two && told.is_none_or(|(best, _)| reason.score() >= best.score()) {
                    told = Some((reason, index));
                }
            }
            Ruled::Decides((reason, given)) => {
                outcome = given;
                told = Some((reason, index));
                break;
            }
            Ruled::Open(why, given) => {
                open.get_or_insert(why);
                possible.push(given);
            }
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
    if let (Identity::Unknown(unknown), false) = (&identity, is_certain(rules, &rule.release)) {
        let why = why.unwrap_or(Why::Unknown(*unknown));
        return Ruled::Open(why, open_outcome(rules, &rule.release));
    }
    match (why, settled(flag, rules, &rule.release, &identity)) {
        (None, Some(settled)) => Ruled::Decides(settled),
        // An open rule whose rollout misses changes nothing: the rollout has decided it.
        (_, None) => Ruled::Missed(Reason::OutOfRolloutBound),
        // What comes after is asked only if it doesn't match.
        (Some(why), Some((_, given))) => Ruled::Open(why, given),
    }
}

/// What a rule that matches gives; none to those whom its rollout leaves to the next.
fn settled<'a>(
    flag: &'a Flag,
    rules: &'a Rules,
    release: &'a Release,
    identity: &Identity<'_>,
) -> Option<Settled<'a>> {
    let default = |reason| Some((reason, default_of(rules)));
    if release.paused {
        return default(Reason::Paused);
    }
    let identifier = match identity {
        // Rules never hash nobody's id, and so it has no share in anything.
        Identity::Known(identifier) => {
            let is_somebody = flag.config_version == ConfigVersion::One || !identifier.is_empty();
            (is_somebody || is_for_all(release)).then_some(identifier.as_ref())
        }
        // Whoever is hashed, it is the same.
        _ => is_certain(rules, release).then_some(""),
    };
    let held_out = release.holdout.as_ref().zip(identifier);
    if held_out.is_some_and(|(holdout, who)| rollout::is_held_out(holdout, who)) {
        return default(Reason::Holdout);
    }
    let seed = rules.seed(&flag.key, release);
    let within = identifier.filter(|who| rollout::is_within(seed, who, release.rollout_percent));
    match within {
        Some(identifier) => {
            let is_split = release
                .origin
                .as_ref()
                .is_some_and(|origin| origin.rule_type == RuleType::Experiment && origin.is_linked);
            let reason = if is_split { Reason::Split } else { Reason::ConditionMatch };
            Some((reason, outcome_of(flag, rules, release, identifier)))
        }
        None if release.ends_on_miss => default(Reason::OutOfRolloutBound),
        None => None,
    }
}

fn is_for_all(release: &Release) -> bool {
    release.origin.as_ref().is_some_and(|origin| origin.rule_type == RuleType::TargetedRelease)
}

fn default_of(rules: &Rules) -> Outcome<'_> {
    Outcome { value: Given::of(&rules.default), ..Outcome::default() }
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
fn is_certain(rules: &Rules, release: &Release) -> bool {
    let is_given = release.value.is_some() || pinned(rules, release).is_some();
    let mut effective = rules.variants(release).iter().filter(|variant| variant.percent > 0.0);
    let one = effective.next().is_none_or(|only| only.percent >= 100.0);
    release.rollout_percent >= 100.0 && release.holdout.is_none() && (is_given || one)
}

/// What a rule may give of which nobody knows whom it hashes.
fn open_outcome<'a>(rules: &Rules, release: &Release) -> Outcome<'a> {
    let is_switch = rules.variants(release).is_empty() && release.value.is_none();
    // Any variant, the default, or what the next rule says: nothing is the same as that.
    let is_same = is_switch && !release.ends_on_miss;
    let value = if is_same { Given::Switch(true) } else { Given::Nothing };
    Outcome { value, ..Outcome::default() }
}

fn pinned<'a>(rules: &'a Rules, release: &Release) -> Option<&'a Variant> {
    let named = release.variant.as_deref()?;
    rules.variants.iter().find(|variant| variant.key == named)
}

fn outcome_of<'a>(
    flag: &Flag,
    rules: &'a Rules,
    release: &'a Release,
    identifier: &str,
) -> Outcome<'a> {
    let own = release.payload.as_deref();
    if let Some(value) = &release.value {
        let value = Given::of(value);
        let of_on = || rules.payloads.get("true").filter(|_| value == Given::Switch(true));
        return Outcome { value, arm: None, stored: own.or_else(|| of_on().map(String::as_str)) };
    }
    let seed = rules.seed(&flag.key, release);
    let hashed = || rollout::variant(seed, identifier, rules.variants(release));
    // A rule's own weights are all there is; only the last bits may be missing.
    let variant = pinned(rules, release).or_else(hashed).or(release.variants.last());
    let value = match variant {
        Some(Variant { value: Some(value), .. }) => Given::of(value),
        Some(variant) => Given::Text(&variant.key),
        None => Given::Switch(true),
    };
    let arm = variant.map(|variant| variant.key.as_str());
    let stored = own.or_else(|| rules.payloads.get(arm.unwrap_or("true")).map(String::as_str));
    Outcome { value, arm, stored }
}
