//! What an event changes, once it is known what it says.

use schemas::ids::ProjectId;
use schemas::usage::Call;
use schemas::window::Entry;

use crate::grouping::Grouping;
use crate::linking::Linking;
use crate::writes::Told;

/// What an event changes: windows by its hits, and besides.
pub(super) struct Change<'e> {
    pub project: ProjectId,
    pub distinct_id: &'e str,
    pub entry: Entry,
    /// The properties that writes are among.
    pub writes: Option<&'e str>,
    pub told: Vec<Told<'e>>,
    pub linking: Option<Linking>,
    /// What is said of a group.
    pub grouping: Option<Grouping<'e>>,
    /// That a flag was called.
    pub call: Option<Call>,
    /// The person whom the pipeline takes the sender for.
    pub person_id: Option<&'e str>,
}
