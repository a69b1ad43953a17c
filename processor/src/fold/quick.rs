//! The quick way: most events concern windows alone, or nothing, and are read no further than that.

use std::sync::Arc;

use schemas::catalog::{Catalog, Project};
use schemas::event::{Brief, Picked, Skip};
use schemas::gate::Watching;
use schemas::own::is_own;
use schemas::usage;
use schemas::window::Entry;

use super::waiting::PutOff;
use super::{Effect, Fold, Outcome};
use crate::grouping::may_group;
use crate::hits::{Candidate, Given};
use crate::linking::may_link;
use crate::log::LogRecord;
use crate::store::Partition;

/// What became of an event that was read quickly.
pub(super) enum Quick {
    /// All that there is to do.
    Done(Effect),
    /// Its hits wait to be kept.
    PutOff,
}

impl Fold {
    /// Folds an event that says nothing besides what conditions watch for. Nothing where it has to
    /// be read whole. What nobody watches is read up to its name: whether the rest of such a
    /// record is in order isn't looked at.
    pub(super) fn fold_quickly(
        &mut self,
        catalog: &Catalog,
        partition: &Arc<Partition>,
        record: LogRecord<'_>,
    ) -> Option<Quick> {
        let value = record.value?;
        let glance = self.reading.format.glance(value)?;
        let name = glance.name();
        let project = catalog.project(glance.token()?)?;
        if says_more(name) {
            return None;
        }
        let watching = project.gate.at(name);
        if watching.is_empty() {
            if glance.may_write() {
                return None;
            }
            let outcome = Outcome::Unwatched;
            return Some(Quick::Done(Effect {
                outcome,
                project: Some(project.id),
                clamped: false,
            }));
        }
        let picked = glance.pick(&watching.properties)?;
        let found = self.find_quickly(project, (watching, picked), record);
        Some(match found {
            Ok(event) if self.hits.is_empty() => {
                let (outcome, project) = (Outcome::Unwatched, Some(event.project));
                Quick::Done(Effect { outcome, project, clamped: event.clamped })
            }
            Ok(event) => {
                self.waiting.put_off(partition, &event, &mut self.hits);
                Quick::PutOff
            }
            Err(skip) => Quick::Done(Effect::skipped(skip, Some(project.id))),
        })
    }

    /// Finds what an event hits.
    fn find_quickly<'e>(
        &mut self,
        project: &Project,
        (watching, (brief, picked)): (&Watching, (Brief<'e>, Picked<'_>)),
        record: LogRecord<'_>,
    ) -> Result<PutOff<'e>, Skip> {
        let time = brief.time_ms(record.timestamp_ms, self.reading.bounds.skew_ms)?;
        let picked = Given::Picked(picked);
        let candidate = Candidate { watching, time_ms: time.time_ms, properties: picked };
        if self.find_hits(project, candidate, record.timestamp_ms) && self.hits.is_empty() {
            return Err(Skip::Late);
        }
        let id_hash = brief.id_hash(record.partition, record.offset, record.timestamp_ms);
        Ok(PutOff {
            project: project.id,
            distinct_id: brief.distinct_id,
            entry: Entry::new(time.time_ms, id_hash),
            clamped: time.clamped,
        })
    }
}

/// Whether events of this name say something besides what conditions watch for.
fn says_more(name: &str) -> bool {
    may_link(name) || may_group(name) || name == usage::EVENT || is_own(name)
}
