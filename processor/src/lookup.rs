//! Lookups answered here: this node follows every partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use schemas::ids::ProjectId;
use schemas::lookup::{Facts, Lookup};
use schemas::record::Record;
use schemas::unknown::Unknown;

use crate::store::Store;
use crate::worker::Following;

/// State that is so old is said to be stale, in milliseconds: a node that follows is
/// a fraction of this behind.
const STALE_AFTER_MS: i64 = 2_000;

/// This node's own state.
pub struct Here {
    /// What is known.
    pub store: Arc<Store>,
    /// How far that is.
    pub following: Arc<Following>,
    /// Set once every partition has been found.
    pub found: Arc<AtomicBool>,
    /// Conditions turn unknown when state is older than this, in milliseconds; never if absent.
    pub unknown_after_ms: Option<i64>,
}

impl Here {
    fn caught_up(&self) -> bool {
        self.found.load(Ordering::Acquire)
            && self.store.partitions().iter().all(|partition| partition.caught_up())
    }

    fn read(&self, project: ProjectId, distinct_ids: &[&str]) -> Result<Record, Unknown> {
        let mut joined = Record::default();
        for id in distinct_ids {
            let read = self.store.read(project, id).map_err(|error| {
                tracing::error!(%error, "a person can't be read");
                Unknown::Store
            })?;
            if joined.is_empty() {
                joined = read;
            } else {
                joined.merge(&read, self.store.kept());
            }
        }
        Ok(joined)
    }
}

impl Lookup for Here {
    async fn lookup(&self, project: ProjectId, distinct_ids: &[&str], now_ms: i64) -> Facts {
        // Position before people: the answer has at least what it says.
        let position = self.store.position();
        let coverage = self.store.coverages();
        let stale_ms = self.following.stale_ms(now_ms);
        // Asked before the person is read: what is folded meanwhile may be missing.
        let caught_up = self.caught_up();
        let (record, mut unknown) = match self.read(project, distinct_ids) {
            Ok(record) => (record, None),
            Err(unknown) => (Record::default(), Some(unknown)),
        };
        if !caught_up {
            unknown = unknown.or(Some(Unknown::CatchingUp));
        } else if self.unknown_after_ms.is_some_and(|bound_ms| stale_ms > bound_ms) {
            unknown = unknown.or(Some(Unknown::Stale));
        }
        let stale_ms = if stale_ms > STALE_AFTER_MS { stale_ms } else { 0 };
        Facts { record, coverage, unknown, position, stale_ms }
    }

    fn ready(&self, _: i64) -> Result<(), String> {
        if self.store.is_damaged() {
            return Err("the store is damaged; restart to rebuild it from the log".to_owned());
        }
        if !self.found.load(Ordering::Acquire) {
            return Err("the log has not answered yet".to_owned());
        }
        let partitions = self.store.partitions();
        let behind = partitions.iter().filter(|partition| !partition.caught_up()).count();
        match behind {
            0 => Ok(()),
            _ => Err(format!(
                "{behind} of {} partitions are catching up with the log",
                partitions.len()
            )),
        }
    }
}
