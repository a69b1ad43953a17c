//! Three-valued truth: a condition holds, doesn't, or can't be known, and then says why.

/// Why a condition can't be known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unknown {
    /// The node hasn't read the log as far as it reached when the node started.
    CatchingUp,
    /// The condition's matcher is still being filled from the log.
    Filling,
    /// The log reaches less far back than the condition's window.
    Coverage,
    /// The log has been out of reach for longer than the configured lag.
    Stale,
    /// The store couldn't be read.
    Store,
}

impl Unknown {
    /// The reason as it stands in answers and metric labels.
    pub fn code(self) -> &'static str {
        match self {
            Unknown::CatchingUp => "catching_up",
            Unknown::Filling => "condition_filling",
            Unknown::Coverage => "coverage_incomplete",
            Unknown::Stale => "log_out_of_reach",
            Unknown::Store => "store_unreadable",
        }
    }
}

/// Kleene's third value beside true and false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Certainly holds.
    True,
    /// Certainly doesn't.
    False,
    /// Can't be known, for this reason.
    Unknown(Unknown),
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Truth::True } else { Truth::False }
    }
}

impl Truth {
    /// False decides an AND; without one, the first unknown does.
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
            (Truth::True, Truth::True) => Truth::True,
        }
    }

    /// True decides an OR; without one, the first unknown does.
    pub fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::True, _) | (_, Truth::True) => Truth::True,
            (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
            (Truth::False, Truth::False) => Truth::False,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    /// Unknown stays unknown.
    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            unknown => unknown,
        }
    }
}
