//! What became of a record.

use schemas::event::Skip;
use schemas::ids::ProjectId;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It changed a window, a property or a link.
    Folded,
    /// No condition, no property and no link is concerned; whom the pipeline takes the sender
    /// for may be kept all the same.
    Unwatched,
    /// Its event is in already, or newer ones are all that is kept.
    Known,
    /// It was left out.
    Skipped(Skip),
}

impl Outcome {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Folded => "folded",
            Outcome::Unwatched => "unwatched",
            Outcome::Known => "known",
            Outcome::Skipped(skip) => skip.label(),
        }
    }
}

/// What a record did, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What became of it.
    pub outcome: Outcome,
    /// Whose event it is, where that is known.
    pub project: Option<ProjectId>,
    /// Whether its time had to be pulled back to the log's.
    pub clamped: bool,
}

impl Effect {
    pub(super) fn skipped(skip: Skip, project: Option<ProjectId>) -> Effect {
        Effect { outcome: Outcome::Skipped(skip), project, clamped: false }
    }
}
