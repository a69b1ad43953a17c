//! What is wrong with a definition that loads all the same.

/// Why a definition can't be evaluated; the flag that needs it fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason code of the failed flag, as at PostHog where it has one.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}
