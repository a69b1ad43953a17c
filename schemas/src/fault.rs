//! What is wrong with a definition that loads all the same.

/// Why a definition can't be evaluated; the flag that needs it fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason code of the failed flag, as at PostHog where it has one.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// The code of a flag that can't be read.
const FLAG_UNREADABLE: &str = "flag_data_parsing_error";
/// The code of a flag with a cohort that can't be read.
const COHORT_UNREADABLE: &str = "cohort_filters_parsing_error";
/// The code of a flag that is valid at PostHog and needs what Sluice can't do.
const NOT_SUPPORTED: &str = "not_supported";

impl Fault {
    /// A flag can't be read.
    pub(crate) fn of_flag(message: impl Into<String>) -> Fault {
        Fault { code: FLAG_UNREADABLE, message: message.into() }
    }

    /// A cohort can't be read.
    pub(crate) fn of_cohort(message: impl Into<String>) -> Fault {
        Fault { code: COHORT_UNREADABLE, message: message.into() }
    }

    /// What is asked for is valid at PostHog, and Sluice can't do it.
    pub(crate) fn unsupported(message: impl Into<String>) -> Fault {
        Fault { code: NOT_SUPPORTED, message: message.into() }
    }

    /// Whether Sluice can't do what is asked for.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.code == NOT_SUPPORTED
    }

    /// The same in a cohort: what can't be read there is the cohort's filters.
    pub(crate) fn in_cohort(self) -> Fault {
        let code = if self.code == FLAG_UNREADABLE { COHORT_UNREADABLE } else { self.code };
        Fault { code, ..self }
    }
}
