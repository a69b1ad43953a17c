//! The forgotten: people of whom nothing up to an instant may be known, in whatever order and
//! partition it comes.
//!
//! They stay here for good, as hashes of project and distinct id: 32 bytes each in memory, and on
//! disk beside the checkpoint that had them first. Whatever is folded, read, merged or written
//! asks here, so that a durable record that nobody has read, or an old event that comes late,
//! brings nothing back; and because it is asked *before* anything is kept, nothing of before the
//! instant can stand in the way of what came after, such as a first time.
//!
//! An event that came twice, dated once before the instant and once after it, is the one thing
//! that may count or not by what was in memory when it came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use schemas::record::Record;

use super::keeping::Keeping;
use super::keys::{self, PersonKey};

/// Until when people are forgotten.
#[derive(Default)]
pub struct Forgotten {
    keep: Arc<Keeping>,
    /// Whether there is anybody: nothing else is asked where there isn't.
    any: AtomicBool,
    until_ms: RwLock<FxHashMap<u128, i64>>,
    /// What isn't durable yet: whose, project and id, and until when.
    fresh: Mutex<BTreeMap<Vec<u8>, i64>>,
}

impl Forgotten {
    /// Nobody, yet; records are kept as `keep` tells.
    pub fn new(keep: Arc<Keeping>) -> Self {
        Forgotten { keep, ..Forgotten::default() }
    }

    /// Notes what is durable already.
    pub fn load(&self, hash: u128, until_ms: i64) {
        self.until_ms.write().insert(hash, until_ms);
        self.any.store(true, Ordering::Release);
    }

    /// Forgets a person, until this instant in epoch milliseconds or a later one that was told
    /// before. Returns whether that is new.
    pub fn forget(&self, person: &[u8], until_ms: i64) -> bool {
        let mut known = self.until_ms.write();
        let held = known.entry(hash(person)).or_insert(i64::MIN);
        if *held >= until_ms {
            return false;
        }
        *held = until_ms;
        self.fresh.lock().insert(person.to_vec(), until_ms);
        self.any.store(true, Ordering::Release);
        true
    }

    /// Until when nothing of the person is known, if they are forgotten.
    pub fn until_ms(&self, person: &[u8]) -> Option<i64> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.until_ms.read().get(&hash(person)).copied()
    }

    /// Whether what was then is forgotten.
    pub fn covers(&self, person: &[u8], time_ms: i64) -> bool {
        self.until_ms(person).is_some_and(|until_ms| time_ms <= until_ms)
    }

    /// Drops from a person's record what is forgotten, and its links with others that were
    /// forgotten since.
    pub fn apply(&self, person: &[u8], record: &mut Record) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        if let Some(until_ms) = self.until_ms(person) {
            record.forget(until_ms, self.keep.kept());
        }
        if let Some(project) = keys::project(person).filter(|_| record.has_links()) {
            record.unlink(|link| {
                let other = PersonKey::new(project, &link.other);
                self.covers(other.bytes(), link.stamp.time_ms())
            });
        }
    }

    /// What the next checkpoint has to write.
    pub fn fresh(&self) -> Vec<(PersonKey, i64)> {
        let fresh = self.fresh.lock();
        fresh.iter().map(|(person, until_ms)| (PersonKey::of(person), *until_ms)).collect()
    }

    /// Tells that this is durable.
    pub fn settle(&self, written: &[(PersonKey, i64)]) {
        let mut fresh = self.fresh.lock();
        for (key, until_ms) in written {
            if fresh.get(key.bytes()) == Some(until_ms) {
                fresh.remove(key.bytes());
            }
        }
    }
}

/// A hash that is the same in every version: it is stored.
pub fn hash(person: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(person)
}

#[cfg(test)]
mod tests {
    use schemas::ids::ProjectId;

    use super::*;

    #[test]
    fn whoever_is_forgotten_again_while_that_is_written_is_written_again() {
        let forgotten = Forgotten::default();
        let ann = PersonKey::new(ProjectId(1), "ann");
        assert!(forgotten.forget(ann.bytes(), 5));
        let first = forgotten.fresh();
        assert!(forgotten.forget(ann.bytes(), 9) && !forgotten.forget(ann.bytes(), 9));
        forgotten.settle(&first);
        let second = forgotten.fresh();
        assert_eq!(second.iter().map(|(_, until_ms)| *until_ms).collect::<Vec<_>>(), [9]);
        forgotten.settle(&second);
        assert!(forgotten.fresh().is_empty());
    }
}
