//! The checkpoint: changed people and the offsets they reach, durable together or not at all.
//!
//! Offsets are noted first and people copied after, a shard at a time, so a record may be newer
//! than the offset beside it; folding it again changes nothing. Folding waits for one shard's
//! copy at most.

use std::sync::Arc;

use schemas::lookup::Position;

use super::durable::Put;
use super::hot::{Found, SHARDS, Taken};
use super::{Partition, PersonKey, Store, StoreError, forgotten, keys};

/// How many people's durable records are read at once.
const READ_PEOPLE_MAX: usize = 256;

/// What a checkpoint wrote.
#[derive(Clone, Debug)]
pub struct CheckpointDone {
    /// What is durable now: everything before these offsets.
    pub position: Position,
    /// How many people had changed.
    pub people: usize,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What the hot tier takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// People in it.
    pub people: usize,
    /// Bytes of it.
    pub bytes: usize,
}

impl Store {
    /// Makes everything folded so far durable. `log_time_ms` is the newest record's time,
    /// never later than now: what no condition can see then is left out.
    ///
    /// # Errors
    /// When it couldn't be written: the people stay changed, and the next one takes them.
    pub fn checkpoint(&self, log_time_ms: i64) -> Result<CheckpointDone, StoreError> {
        self.keep.advance(log_time_ms);
        let partitions = self.partitions.load_full();
        // Held while offsets are noted, so that coverage and offset are of one moment.
        let held = self.progress.lock();
        let mut progress = held.clone();
        for partition in partitions.iter() {
            if let Some(noted) = progress.partitions.get_mut(&partition.id) {
                noted.next_offset = partition.next_offset();
            }
        }
        drop(held);
        let encoded = serde_json::to_vec(&progress)?;
        let mut last = self.last_checkpoint.lock();
        // Noted after the offsets: whoever is forgotten before them is among these.
        let forgotten = self.forget_everywhere(&partitions);
        if *last == encoded && !partitions.iter().any(|partition| partition.hot.is_dirty()) {
            return Ok(CheckpointDone { position: progress.position(), people: 0, bytes: 0 });
        }
        let mut people = 0;
        let written = self.durable.checkpoint(&encoded, &mut |put| {
            write_forgotten(&forgotten, put)?;
            for partition in partitions.iter() {
                for shard in 0..SHARDS {
                    people += self.write_shard(partition, shard, put)?;
                    // Those who answer may go first, while no shard is held.
                    std::thread::yield_now();
                }
            }
            Ok(())
        });
        partitions.iter().for_each(|partition| partition.hot.settle(written.is_ok()));
        written.as_ref().inspect_err(|error| self.note_damage(error)).ok();
        let bytes = written?;
        self.forgotten.settle(&forgotten);
        *last = encoded;
        Ok(CheckpointDone { position: progress.position(), people, bytes })
    }

    /// Has this checkpoint write what is left of people who were forgotten since the last, in
    /// every partition. Returns who they are.
    fn forget_everywhere(&self, partitions: &[Arc<Partition>]) -> Vec<(PersonKey, i64)> {
        let forgotten = self.forgotten.fresh();
        for (key, _) in &forgotten {
            partitions.iter().for_each(|partition| partition.hot.update(key, i64::MAX, |_| true));
        }
        forgotten
    }

    fn write_shard(
        &self,
        partition: &Arc<Partition>,
        shard: usize,
        put: &mut Put<'_>,
    ) -> Result<usize, StoreError> {
        let mut taken = partition.hot.take(shard);
        self.join_durable(partition, shard, &mut taken)?;
        for person in &mut taken {
            // What expired here has expired in the older durable record too; what is forgotten
            // hasn't.
            let is_left = self.keep.expire(&mut person.record);
            if is_left || self.forgotten.until_ms(&person.key).is_some() {
                let key = keys::record(partition.id, person.hash, &person.key);
                put(&key, person.record.as_bytes())?;
            }
        }
        Ok(taken.len())
    }

    /// Reads what is durable of people who were folded unread, and joins it with them here and
    /// in the hot tier.
    fn join_durable(
        &self,
        partition: &Partition,
        shard: usize,
        taken: &mut [Taken],
    ) -> Result<(), StoreError> {
        let kept = self.keep.kept();
        let mut partial: Vec<_> = taken.iter_mut().filter(|person| person.partial).collect();
        let mut joined: Vec<Found> = Vec::with_capacity(partial.len());
        for people in partial.chunks_mut(READ_PEOPLE_MAX) {
            let places: Vec<_> = people.iter().map(|p| (p.hash, p.key.as_ref())).collect();
            let durable = self.durable.records(partition.id, &places)?;
            for (person, mut durable) in people.iter_mut().zip(durable) {
                let records = durable.iter_mut().chain([&mut person.record]);
                records.for_each(|record| self.forgotten.apply(&person.key, record));
                if let Some(durable) = &durable {
                    person.record.merge(durable, &kept);
                }
                joined.push((person.hash, person.key.clone(), durable));
            }
        }
        if !joined.is_empty() {
            partition.hot.absorb(shard, &joined, &kept);
        }
        Ok(())
    }

    /// What the hot tier takes now.
    pub fn memory(&self) -> Memory {
        let partitions = self.partitions.load();
        let people = partitions.iter().map(|partition| partition.hot.people()).sum();
        let bytes = partitions.iter().map(|partition| partition.hot.bytes()).sum();
        Memory { people, bytes }
    }

    /// Lets go of people in memory: in a sixteenth of the shards, the `round`-th, whoever no
    /// condition can see; and while more than `bytes_max` are held, whoever nobody asked for
    /// since the last time. All of them are durable, or nothing is left of them.
    pub fn sweep(&self, round: usize, bytes_max: usize) {
        const ROUNDS: usize = 16;
        let partitions = self.partitions.load();
        for partition in partitions.iter() {
            for shard in (round % ROUNDS..SHARDS).step_by(ROUNDS) {
                partition.hot.sweep(shard, false, |record| self.keep.expire(record));
            }
        }
        let mut held = self.memory().bytes;
        if held <= bytes_max {
            return;
        }
        // Room is made for a while, so that not every checkpoint has to.
        let enough = bytes_max / 8 * 7;
        for spare_asked in [true, false] {
            for shard in 0..SHARDS {
                for partition in partitions.iter() {
                    let before = partition.hot.shard_bytes(shard);
                    partition.hot.sweep(shard, spare_asked, |_| false);
                    held -= before.saturating_sub(partition.hot.shard_bytes(shard)).min(held);
                }
                if held <= enough {
                    return;
                }
            }
        }
    }
}

/// They come first in the file, in the order of their keys.
fn write_forgotten(people: &[(PersonKey, i64)], put: &mut Put<'_>) -> Result<(), StoreError> {
    let mut lines: Vec<(u128, i64)> =
        people.iter().map(|(key, until_ms)| (forgotten::hash(key.bytes()), *until_ms)).collect();
    lines.sort_unstable();
    lines
        .into_iter()
        .try_for_each(|(hash, until_ms)| put(&keys::forgotten(hash), &until_ms.to_be_bytes()))
}
