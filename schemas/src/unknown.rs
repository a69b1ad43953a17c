//! Why something can't be known: what an answer says instead of a silent "not a member".

/// Why a condition can't be known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unknown {
    /// The node hasn't read the log as far as it reached when the node started.
    CatchingUp,
    /// The condition's matcher is still being filled from the log.
    Filling,
    /// The log reaches less far back than the condition's window.
    Coverage,
    /// More events than are kept of a person could decide the condition.
    Overflow,
    /// The log has been out of reach for longer than the configured lag.
    Stale,
    /// State hasn't read the log as far as the request asks for.
    Behind,
    /// The store couldn't be read.
    Store,
    /// More distinct ids belong to the person than are joined.
    TooManyIds,
}

impl Unknown {
    /// The reason as it stands in answers and metric labels.
    pub fn code(self) -> &'static str {
        match self {
            Unknown::CatchingUp => "catching_up",
            Unknown::Filling => "condition_filling",
            Unknown::Coverage => "coverage_incomplete",
            Unknown::Overflow => "window_overflow",
            Unknown::Stale => "log_out_of_reach",
            Unknown::Behind => "position_not_reached",
            Unknown::Store => "store_unreadable",
            Unknown::TooManyIds => "too_many_ids",
        }
    }

    /// The reason as a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Unknown::CatchingUp => "This node is still catching up with the log",
            Unknown::Filling => "A condition is new and still being filled from the log",
            Unknown::Coverage => "The log reaches less far back than a condition's window",
            Unknown::Overflow => "More events than are kept of a person could decide a condition",
            Unknown::Stale => "The log has been out of reach for too long",
            Unknown::Behind => "The log was not read up to the position asked for in time",
            Unknown::Store => "The store could not be read",
            Unknown::TooManyIds => "More distinct ids belong to the person than are joined",
        }
    }
}
