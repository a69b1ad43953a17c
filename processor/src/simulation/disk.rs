//! A disk in memory: what was synced outlives a crash, and a checkpoint may break anywhere.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use schemas::record::Record;

use crate::store::{Durable, Put, StoreError, Walk, keys};

/// Where the next checkpoint breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// After so many records were written.
    After(usize),
    /// When all is written, and nothing synced.
    Unsynced,
    /// When all is durable, and nobody was told.
    Untold,
}

#[derive(Default)]
struct Synced {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    meta: BTreeMap<String, Vec<u8>>,
    breaks: Option<Break>,
}

/// The disk; clones share it, as a process started anew finds it.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<Synced>>);

impl SimulatedDisk {
    pub fn break_next(&self, at: Break) {
        self.0.lock().breaks = Some(at);
    }
}

/// What was synced when the walk began.
struct SimulatedWalk(VecDeque<(Vec<u8>, Vec<u8>)>);

impl Walk for SimulatedWalk {
    fn here(&self) -> Option<(&[u8], &[u8])> {
        self.0.front().map(|(key, record)| (keys::place(key), record.as_slice()))
    }

    fn step(&mut self) -> Result<(), StoreError> {
        self.0.pop_front();
        Ok(())
    }
}

fn broken() -> StoreError {
    StoreError::Disk(std::io::Error::other("the disk broke"))
}

impl Durable for SimulatedDisk {
    fn record(&self, partition: i32, hash: u64, key: &[u8]) -> Result<Option<Record>, StoreError> {
        let stored = self.0.lock().records.get(&keys::record(partition, hash, key)).cloned();
        Ok(stored.map(|bytes| Record::from_bytes(&bytes)).transpose()?)
    }

    fn progress(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().records.get(keys::CHECKPOINT).cloned())
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().meta.get(name).cloned())
    }

    fn write_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.lock().meta.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    fn forgotten(&self, each: &mut dyn FnMut(u128, i64)) -> Result<(), StoreError> {
        for (key, value) in self.0.lock().records.range(keys::FORGOTTEN.to_vec()..) {
            keys::read_forgotten(key, value).into_iter().for_each(|(hash, ms)| each(hash, ms));
        }
        Ok(())
    }

    fn walk<'d>(
        &'d self,
        partition: i32,
        after: &[u8],
        before: Option<&[u8]>,
    ) -> Result<Box<dyn Walk + 'd>, StoreError> {
        let from = Bound::Excluded(keys::at(partition, after));
        let until = before.map_or(keys::partition(partition + 1), |p| keys::at(partition, p));
        let synced = self.0.lock();
        let records = synced.records.range((from, Bound::Excluded(until)));
        let records = records.map(|(key, record)| (key.clone(), record.clone()));
        Ok(Box::new(SimulatedWalk(records.collect())))
    }

    fn checkpoint(
        &self,
        progress: &[u8],
        fill: &mut dyn FnMut(&mut Put<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let breaks = self.0.lock().breaks.take();
        let mut written = vec![(keys::CHECKPOINT.to_vec(), progress.to_vec())];
        fill(&mut |key, record| {
            assert!(written.last().is_some_and(|(last, _)| **last < *key), "out of order");
            written.push((key.to_vec(), record.to_vec()));
            match breaks {
                Some(Break::After(count)) if written.len() > count => Err(broken()),
                _ => Ok(()),
            }
        })?;
        if breaks == Some(Break::Unsynced) {
            return Err(broken());
        }
        let bytes = written.iter().map(|(_, record)| record.len() as u64).sum();
        self.0.lock().records.extend(written);
        if breaks == Some(Break::Untold) { Err(broken()) } else { Ok(bytes) }
    }
}
