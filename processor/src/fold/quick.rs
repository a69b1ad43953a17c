//! The quick way: most events concern windows alone, or nothing, and are read no further than that.

use schemas::catalog::{Catalog, Project};
use schemas::event::{Event, Picked, Skip};
use schemas::gate::Watching;
use schemas::own::is_own;
use schemas::usage;
use schemas::window::Entry;

use super::change::Change;
use super::{Effect, Fold, Outcome};
use crate::grouping::may_group;
use crate::hits::{Candidate, Given};
use crate::linking::may_link;
use crate::log::LogRecord;
use crate::store::Partition;
use crate::writes::may_write;

impl Fold {
    /// Folds an event that says nothing besides what conditions watch for. Nothing where it has to
    /// be read whole. What nobody watches is read up to its name: whether the rest of such a
    /// record is in order isn't looked at.
    pub(super) fn fold_quickly(
        &mut self,
        partition: &Partition,
        catalog: &Catalog,
        record: LogRecord<'_>,
    ) -> Option<Effect> {
        let value = record.value?;
        let glance = self.reading.format.glance(value)?;
        let name = glance.name();
        let project = catalog.project(glance.token()?)?;
        if says_more(name) || may_write(value) {
            return None;
        }
        let watching = project.gate.at(name);
        if watching.is_empty() {
            let outcome = Outcome::Unwatched;
            return Some(Effect { outcome, project: Some(project.id), clamped: false });
        }
        let (event, picked) = glance.pick(&watching.properties)?;
        let folded = self.fold_picked(partition, project, (watching, event, picked), record);
        Some(folded.unwrap_or_else(|skip| Effect::skipped(skip, Some(project.id))))
    }

    fn fold_picked(
        &mut self,
        partition: &Partition,
        project: &Project,
        (watching, event, picked): (&Watching, Event<'_>, Picked<'_>),
        record: LogRecord<'_>,
    ) -> Result<Effect, Skip> {
        let time = event.time_ms(record.timestamp_ms, self.reading.bounds.skew_ms)?;
        let picked = Given::Picked(picked);
        let candidate = Candidate { watching, time_ms: time.time_ms, properties: picked };
        let late = self.find_hits(project, candidate, record.timestamp_ms);
        let effect =
            |outcome| Ok(Effect { outcome, project: Some(project.id), clamped: time.clamped });
        if self.hits.is_empty() {
            return if late { Err(Skip::Late) } else { effect(Outcome::Unwatched) };
        }
        let id_hash = event.id_hash(record.partition, record.offset, record.timestamp_ms);
        let entry = Entry::new(time.time_ms, id_hash);
        let change = Change::of_hits(project.id, &event.distinct_id, entry);
        let changed = self.keep(partition, &change);
        effect(if changed { Outcome::Folded } else { Outcome::Known })
    }
}

/// Whether events of this name say something besides what conditions watch for.
fn says_more(name: &str) -> bool {
    may_link(name) || may_group(name) || name == usage::EVENT || is_own(name)
}
