//! A decision: a flag's value, variant and payload, and the reason for it.

use std::borrow::Cow;

use schemas::flag::Flag;

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
}

/// What somebody gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// On or off.
    pub enabled: bool,
    /// Which variant, where there are several.
    pub variant: Option<&'a str>,
    /// JSON text, as it is stored.
    pub payload: Option<&'a str>,
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
            Reason::ConditionMatch => 4,
            Reason::OutOfRolloutBound => 3,
            Reason::NoConditionMatch => 2,
            Reason::NoGroupType => 1,
            Reason::Failed(_) => 0,
            Reason::MissingDependency => -1,
        }
    }

    /// The code in answers and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Enrollment => "super_condition_value",
            Reason::Holdout => "holdout_condition_value",
            Reason::ConditionMatch => "condition_match",
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
            Reason::ConditionMatch => {
                let number = index.map_or(0, |index| index + 1);
                return Cow::Owned(format!("Matched condition set {number}"));
            }
            Reason::OutOfRolloutBound => "Out of rollout bound",
            Reason::NoConditionMatch => "No matching condition set",
            Reason::NoGroupType => "No group type",
            Reason::Enrollment => "Super condition value",
            Reason::Holdout => "Holdout condition value",
            Reason::MissingDependency => "Flag cannot be evaluated due to missing dependency",
            Reason::Failed(why) => why.description(),
        })
    }
}
