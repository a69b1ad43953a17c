//! A decision: a flag's value, variant and payload, and the reason for it.

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

impl Decision<'_> {
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
    /// A rule matched.
    ConditionMatch,
    /// A rule matched, and its rollout left the person out.
    OutOfRolloutBound,
    /// No rule matched.
    NoConditionMatch,
    /// It can't be decided.
    Failed(Why<'a>),
}

impl Reason<'_> {
    /// PostHog's order of reasons: the highest is told.
    pub fn score(self) -> u8 {
        match self {
            Reason::ConditionMatch => 4,
            Reason::OutOfRolloutBound => 3,
            Reason::NoConditionMatch => 2,
            Reason::Failed(_) => 0,
        }
    }

    /// The code in answers and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Reason::ConditionMatch => "condition_match",
            Reason::OutOfRolloutBound => "out_of_rollout_bound",
            Reason::NoConditionMatch => "no_condition_match",
            Reason::Failed(why) => why.code(),
        }
    }

    /// PostHog's sentence; `index` is the rule's.
    pub fn description(self, index: Option<usize>) -> String {
        match self {
            Reason::ConditionMatch => {
                format!("Matched condition set {}", index.map_or(0, |index| index + 1))
            }
            Reason::OutOfRolloutBound => "Out of rollout bound".to_owned(),
            Reason::NoConditionMatch => "No matching condition set".to_owned(),
            Reason::Failed(why) => why.description().to_owned(),
        }
    }
}
