//! Waiting: hits that were found and aren't kept yet, until there are enough of them to be kept
//! together.

use std::sync::Arc;

use schemas::ids::{MatcherId, ProjectId};
use schemas::window::{Entry, Kept, Value};

use super::{Effect, Fold, Outcome, fold_hits};
use crate::store::{Due, Partition, PersonKey, TOGETHER_MAX};

/// What an event hits.
pub(super) type Found = Vec<(MatcherId, Kept, Value)>;

/// What waits.
#[derive(Default)]
pub(super) struct Waiting {
    /// The partition that all of it is of; none where nothing waits.
    partition: Option<Arc<Partition>>,
    due: Vec<Due<Hits>>,
    /// How many of these; the others are memory to be used again.
    waiting: usize,
}

/// An event's hits, and what is told of it once they are kept.
struct Hits {
    entry: Entry,
    found: Found,
    effect: Effect,
}

/// Whose event it is, and what is to be kept and told of it.
pub(super) struct PutOff<'e> {
    pub project: ProjectId,
    pub distinct_id: &'e str,
    pub entry: Entry,
    pub clamped: bool,
}

impl Waiting {
    /// Whether an event of this partition has to wait for what waits already.
    pub fn is_in_the_way_of(&self, partition: &Partition) -> bool {
        let of_another = |waiting: &Arc<Partition>| waiting.id != partition.id;
        self.waiting == TOGETHER_MAX || self.partition.as_ref().is_some_and(of_another)
    }

    /// Puts off an event with what it hits, whose memory is taken.
    pub fn put_off(&mut self, partition: &Arc<Partition>, event: &PutOff<'_>, found: &mut Found) {
        debug_assert!(!self.is_in_the_way_of(partition));
        self.partition.get_or_insert_with(|| Arc::clone(partition));
        let PutOff { project, distinct_id, entry, clamped } = *event;
        let effect = Effect { outcome: Outcome::Known, project: Some(project), clamped };
        if self.waiting == self.due.len() {
            let what = Hits { entry, found: Found::new(), effect };
            self.due.push(Due { key: PersonKey::default(), time_ms: 0, what });
        }
        let due = &mut self.due[self.waiting];
        due.key.set(project, distinct_id);
        due.time_ms = entry.time_ms();
        (due.what.entry, due.what.effect) = (entry, effect);
        std::mem::swap(&mut due.what.found, found);
        self.waiting += 1;
    }
}

impl Fold {
    /// Keeps what waits, and tells what became of each event.
    pub fn settle(&mut self, each: &mut impl FnMut(Effect)) {
        let waiting = std::mem::take(&mut self.waiting.waiting);
        let Some(partition) = self.waiting.partition.take() else { return };
        let due = &mut self.waiting.due[..waiting];
        partition.hot.update_all(due, |hits, record| {
            let changed = fold_hits(record, &hits.found, hits.entry);
            if changed {
                hits.effect.outcome = Outcome::Folded;
            }
            changed
        });
        due.iter().for_each(|due| each(due.what.effect));
    }
}
