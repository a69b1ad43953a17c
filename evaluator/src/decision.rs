//! A decision: a flag's value, variant and payload, and the reason for it.

use std::borrow::Cow;

use schemas::flag::{ConfigVersion, Flag, Origin};
use schemas::flag_value::FlagValue;
use serde_json::Value;

use crate::truth::Why;

/// What a flag is for somebody now.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// Which flag.
    pub flag: &'a Flag,
    /// What they get.
    pub outcome: Outcome<'a>,
    /// Why.
    pub reason: Reason<'a>,
    /// The rule that decided, if one did.
    pub condition_index: Option<usize>,
}

impl<'a> Decision<'a> {
    /// Off, whoever asks.
    pub fn off(flag: &'a Flag) -> Self {
        let reason = Reason::NoConditionMatch;
        Decision { flag, outcome: Outcome::default(), reason, condition_index: None }
    }

    /// Undecided.
    pub fn failed_for(flag: &'a Flag, why: Why<'a>) -> Self {
        Decision { reason: Reason::Failed(why), ..Decision::off(flag) }
    }

    /// Whether the flag couldn't be decided; nobody may take that for "off".
    pub fn failed(&self) -> bool {
        matches!(self.reason, Reason::Failed(_))
    }

    /// The rule of PostHog's that decided, where its rules have names.
    pub fn origin(&self) -> Option<&'a Origin> {
        let rules = self.flag.rules.as_ref().ok()?;
        rules.rules.get(self.condition_index?)?.release.origin.as_ref()
    }
}

/// What somebody gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// What the flag is.
    pub value: Given<'a>,
    /// The variant that they fell on, or that was given to all alike.
    pub arm: Option<&'a str>,
    /// JSON text, as it is stored beside the value.
    pub stored: Option<&'a str>,
}

/// A value that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// None: whoever asks takes their own.
    Nothing,
    /// On or off.
    Switch(bool),
    /// A text, such as a variant's name.
    Text(&'a str),
    /// A number or an object.
    Other(&'a FlagValue),
}

impl Default for Given<'_> {
    fn default() -> Self {
        Given::Switch(false)
    }
}

impl<'a> Given<'a> {
    /// The value of a definition.
    pub fn of(value: &'a FlagValue) -> Self {
        match value.json() {
            Value::Null => Given::Nothing,
            Value::Bool(on) => Given::Switch(*on),
            Value::String(text) => Given::Text(text),
            _ => Given::Other(value),
        }
    }

    /// It as JSON.
    pub fn json(self) -> Value {
        match self {
            Given::Nothing => Value::Null,
            Given::Switch(on) => Value::Bool(on),
            Given::Text(text) => Value::from(text),
            Given::Other(value) => value.json().clone(),
        }
    }
}

/// As shapes without typed values have it, and as flags ask it of each other.
impl<'a> Outcome<'a> {
    /// Whether the flag is anything but off.
    pub fn enabled(&self) -> bool {
        !matches!(self.value, Given::Nothing | Given::Switch(false))
    }

    /// The text that it is.
    pub fn variant(&self) -> Option<&'a str> {
        match self.value {
            Given::Text(text) => Some(text),
            _ => None,
        }
    }

    /// JSON text: a number or an object is its own payload.
    pub fn payload(&self) -> Option<&'a str> {
        match self.value {
            Given::Other(value) => Some(value.text()),
            _ => self.stored,
        }
    }
}

/// Why a flag is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The person enrolled, or refused to.
    Enrollment,
    /// The person is held out.
    Holdout,
    /// A rule matched.
    ConditionMatch,
    /// A rule of an experiment matched, and its variants were dealt out.
    Split,
    /// A rule matched whose experiment is paused.
    Paused,
    /// A rule matched, and its rollout left the person out.
    OutOfRolloutBound,
    /// No rule matched.
    NoConditionMatch,
    /// The rule is about groups of a type that the request names none of.
    NoGroupType,
    /// A flag that it depends on isn't there, or leads back to it.
    MissingDependency,
    /// It can't be decided.
    Failed(Why<'a>),
}

impl<'a> Reason<'a> {
    /// PostHog's order of reasons: the highest is told.
    pub fn score(self) -> i8 {
        match self {
            Reason::Enrollment => 6,
            Reason::Holdout => 5,
            Reason::ConditionMatch | Reason::Split | Reason::Paused => 4,
            Reason::OutOfRolloutBound => 3,
            Reason::NoConditionMatch => 2,
            Reason::NoGroupType => 1,
            Reason::Failed(_) => 0,
            Reason::MissingDependency => -1,
        }
    }

    /// The code in answers and metrics; what only rules have says so in the words of rules.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Enrollment => "super_condition_value",
            Reason::Holdout => "holdout_condition_value",
            Reason::ConditionMatch | Reason::Split => "condition_match",
            Reason::Paused => "experiment_paused",
            Reason::OutOfRolloutBound => "out_of_rollout_bound",
            Reason::NoConditionMatch => "no_condition_match",
            Reason::NoGroupType => "no_group_type",
            Reason::MissingDependency => "missing_dependency",
            Reason::Failed(why) => why.code(),
        }
    }

    /// PostHog's sentence; `index` is the rule's.
    pub fn description(self, index: Option<usize>) -> Cow<'a, str> {
        Cow::Borrowed(match self {
            Reason::ConditionMatch | Reason::Split => {
                return Cow::Owned(format!("Matched condition set {}", number(index)));
            }
            Reason::Paused => return Cow::Owned(format!("Rule {} is paused", number(index))),
            Reason::OutOfRolloutBound => "Out of rollout bound",
            Reason::NoConditionMatch => "No matching condition set",
            Reason::NoGroupType => "No group type",
            Reason::Enrollment => "Super condition value",
            Reason::Holdout => "Holdout condition value",
            Reason::MissingDependency => "Flag cannot be evaluated due to missing dependency",
            Reason::Failed(why) => why.description(),
        })
    }

    /// The code in records with typed values, where flags of rules have words of their own.
    pub fn typed_code(self, of: ConfigVersion) -> &'static str {
        match (of, self) {
            (ConfigVersion::One, _) => self.code(),
            (_, Reason::ConditionMatch) => "targeting_match",
            (_, Reason::Split) => "experiment_split",
            (_, Reason::OutOfRolloutBound) => "rollout_miss",
            (_, Reason::NoConditionMatch) => "no_rule_match",
            (_, Reason::Holdout) => "holdout",
            (_, Reason::NoGroupType) => "missing_group_key",
            (_, reason) => reason.code(),
        }
    }

    /// The sentence in records with typed values.
    pub fn typed_description(self, of: ConfigVersion, index: Option<usize>) -> Cow<'a, str> {
        let number = number(index);
        match (of, self) {
            (ConfigVersion::One, _) => self.description(index),
            (_, Reason::ConditionMatch | Reason::Split) => format!("Matched rule {number}").into(),
            (_, Reason::OutOfRolloutBound) => format!("Rule {number} rollout miss").into(),
            (_, Reason::Holdout) => format!("Rule {number} holdout").into(),
            (_, Reason::NoConditionMatch) => "No rule matched".into(),
            (_, Reason::NoGroupType) => "No group key".into(),
            (_, reason) => reason.description(index),
        }
    }
}

/// Rules are counted from one.
fn number(index: Option<usize>) -> usize {
    index.map_or(0, |index| index + 1)
}
