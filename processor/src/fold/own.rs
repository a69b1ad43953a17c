//! Events of Sluice's own: somebody is forgotten, or keeps what flags gave them before logging in.

use schemas::event::{Event, Skip};
use schemas::ids::ProjectId;
use schemas::keeping::Kept;
use schemas::window::Entry;

use super::{Effect, Fold, Outcome};
use crate::log::LogRecord;
use crate::store::Partition;

impl Fold {
    /// Forgets whose event it is, until its own time, which is bounded as that of any event.
    pub(super) fn forget(
        &mut self,
        partition: &Partition,
        project: ProjectId,
        event: &Event<'_>,
        record_ms: i64,
    ) -> Result<Effect, Skip> {
        let time = event.time_ms(record_ms, self.reading.bounds.skew_ms)?;
        self.key.set(project, &event.distinct_id);
        let is_new = partition.hot.forget(&self.key, time.time_ms);
        let outcome = if is_new { Outcome::Folded } else { Outcome::Known };
        Ok(Effect { outcome, project: Some(project), clamped: time.clamped })
    }

    /// Keeps what an event of Sluice's own says: whom flags took its sender for.
    pub(super) fn keep_given(
        &mut self,
        partition: &Partition,
        project: ProjectId,
        event: &Event<'_>,
        record: LogRecord<'_>,
    ) -> Result<Effect, Skip> {
        let time = event.time_ms(record.timestamp_ms, self.reading.bounds.skew_ms)?;
        let properties = event.properties.as_ref().map(|object| object.open()).transpose()?;
        let kept = properties.as_deref().and_then(Kept::read);
        let id_hash = event.id_hash(record.partition, record.offset, record.timestamp_ms);
        let stamp = Entry::new(time.time_ms, id_hash);
        let mut outcome = Outcome::Unwatched;
        if let Some(kept) = kept.filter(|_| self.only.is_none()) {
            outcome = Outcome::Known;
            self.key.set(project, &event.distinct_id);
            partition.hot.update(&self.key, time.time_ms, |record| {
                let written = kept.registers(stamp).filter(|register| record.write(register));
                if written.count() > 0 {
                    outcome = Outcome::Folded;
                }
                outcome == Outcome::Folded
            });
        }
        Ok(Effect { outcome, project: Some(project), clamped: time.clamped })
    }
}
