//! Three-valued truth, after Kleene: a condition holds, doesn't, or is open, and then says why.

use schemas::fault::Fault;
use schemas::unknown::Unknown;

/// Why a condition is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why<'a> {
    /// It can't be known now.
    Unknown(Unknown),
    /// Its definition can't be evaluated.
    Fault(&'a Fault),
}

impl<'a> Why<'a> {
    /// The reason code of the flag that fails for it.
    pub fn code(self) -> &'static str {
        match self {
            Why::Unknown(unknown) => unknown.code(),
            Why::Fault(fault) => fault.code,
        }
    }

    /// The same as a sentence.
    pub fn description(self) -> &'a str {
        match self {
            Why::Unknown(unknown) => unknown.description(),
            Why::Fault(fault) => &fault.message,
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth<'a> {
    /// Certainly.
    True,
    /// Certainly not.
    False,
    /// Nobody can tell, for this reason.
    Open(Why<'a>),
}

impl From<bool> for Truth<'_> {
    fn from(value: bool) -> Self {
        if value { Truth::True } else { Truth::False }
    }
}

impl<'a> Truth<'a> {
    /// AND: one that is false decides; else the first open one does.
    pub fn all(truths: impl Iterator<Item = Truth<'a>>) -> Truth<'a> {
        let mut all = Truth::True;
        for truth in truths {
            match (all, truth) {
                (_, Truth::False) => return Truth::False,
                (Truth::True, Truth::Open(_)) => all = truth,
                _ => {}
            }
        }
        all
    }

    /// OR: one that is true decides; else the first open one does.
    pub fn any(truths: impl Iterator<Item = Truth<'a>>) -> Truth<'a> {
        let mut any = Truth::False;
        for truth in truths {
            match (any, truth) {
                (_, Truth::True) => return Truth::True,
                (Truth::False, Truth::Open(_)) => any = truth,
                _ => {}
            }
        }
        any
    }
}

impl std::ops::Not for Truth<'_> {
    type Output = Self;

    /// What is open stays open.
    fn not(self) -> Self {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            open => open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_anyway_is_not_open() {
        let open = Truth::Open(Why::Unknown(Unknown::Filling));
        let all = |truths: [Truth<'static>; 2]| Truth::all(truths.into_iter());
        let any = |truths: [Truth<'static>; 2]| Truth::any(truths.into_iter());
        assert_eq!(all([open, Truth::False]), Truth::False);
        assert_eq!(all([open, Truth::True]), open);
        assert_eq!(any([open, Truth::True]), Truth::True);
        assert_eq!(any([open, Truth::False]), open);
        assert_eq!(!open, open);
        assert_eq!(Truth::all([].into_iter()), Truth::True);
        assert_eq!(Truth::any([].into_iter()), Truth::False);
    }
}
