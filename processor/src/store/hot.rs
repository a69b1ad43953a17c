//! The hot tier of one partition: people in memory, in shards by hash, each under its own lock.
//!
//! Folding, checks and the checkpoint each hold one shard for a moment. A person who is folded
//! without having been read is *partial*: what is durable is merged in at the first check or
//! checkpoint, in any order, because records merge.

use std::array;
use std::hint::black_box;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::Kept;

use super::copies::Copies;
use super::forgotten::Forgotten;
use super::keys::PersonKey;
use super::shard::{Shard, change, hash_of, record_of, spread};

/// Shards of a partition. The top bits of a person's hash tell the shard, so that shards in
/// order are people in key order.
pub const SHARDS: usize = 256;
const SHARD_SHIFT: u32 = u64::BITS - SHARDS.trailing_zeros();
const _: () = assert!(SHARDS.is_power_of_two());

/// Changed since the last checkpoint took it.
const DIRTY: u8 = 1;
/// Taken by a checkpoint that isn't durable yet.
const WRITING: u8 = 2;
/// Nothing durable is missing here.
const WHOLE: u8 = 4;
/// Asked for since the last sweep.
const ASKED: u8 = 8;

/// What the hot tier knows of a person.
pub enum Peek {
    /// Everything.
    Whole(Record),
    /// What was folded lately; the durable record has to be merged in.
    Partial(Record, Ticket),
    /// Nothing.
    Absent(Ticket),
}

/// Proof of when a person was looked for.
#[derive(Clone, Copy)]
pub struct Ticket {
    departures: u64,
}

/// A changed person, copied for a checkpoint.
pub struct Taken {
    /// The person's hash.
    pub hash: u64,
    /// Project and id.
    pub key: Box<[u8]>,
    /// What is to be written.
    pub record: Record,
    /// Whether the durable record has to be merged in first.
    pub partial: bool,
}

/// A change of a person's record that is due, because of something that was at `time_ms`.
pub struct Due<T> {
    /// Whose.
    pub key: PersonKey,
    /// When it was.
    pub time_ms: i64,
    /// What changes.
    pub what: T,
}

/// How many changes are made together at most.
pub const TOGETHER_MAX: usize = 16;

/// What is durable of a person whom a checkpoint took: hash, key, and record if there is one.
pub type Found = (u64, Box<[u8]>, Option<Record>);

/// The hot people of one partition.
pub struct Hot {
    shards: Box<[Mutex<Shard>]>,
    forgotten: Arc<Forgotten>,
}

impl Default for Hot {
    fn default() -> Self {
        Hot::new(Arc::default())
    }
}

impl Hot {
    /// Nobody, yet, and nothing of what is forgotten.
    pub fn new(forgotten: Arc<Forgotten>) -> Self {
        Hot { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), forgotten }
    }

    /// Changes a person's record by `change`, which tells whether it did, because of something
    /// that was at `time_ms`; not if that is forgotten.
    pub fn update(&self, key: &PersonKey, time_ms: i64, change: impl FnOnce(&mut Record) -> bool) {
        let mut shard = self.shard(key.hash()).lock();
        if self.forgotten.covers(key.bytes(), time_ms) {
            return;
        }
        shard.change(key, |record| {
            self.forgotten.apply(key.bytes(), record);
            if change(record) { DIRTY } else { 0 }
        });
    }

    /// Makes changes that are due by `change`, which tells whether it did, each as
    /// [`Hot::update`] would. All these people are looked for before the first is changed, so that
    /// memory is waited for once and not once for each.
    pub fn update_all<T>(
        &self,
        due: &mut [Due<T>],
        mut change: impl FnMut(&mut T, &mut Record) -> bool,
    ) {
        debug_assert!(due.len() <= TOGETHER_MAX);
        // Whoever holds a shard may be interrupted by threads of a higher priority, and checks
        // wait for that one: several are held for a look alone, and whom somebody else holds
        // isn't waited for.
        let held: [Option<(u64, MutexGuard<'_, Shard>)>; TOGETHER_MAX] = array::from_fn(|at| {
            let hash = due.get(at)?.key.hash();
            Some((hash, self.shard(hash).try_lock()?))
        });
        let looked = held.iter().flatten().map(|(hash, shard)| shard.look(*hash));
        black_box(looked.fold(0, |all, one| all ^ one));
        drop(held);
        for Due { key, time_ms, what } in due {
            self.update(key, *time_ms, |record| change(what, record));
        }
    }

    /// Forgets a person until then, in every partition. Returns whether that is new.
    pub fn forget(&self, key: &PersonKey, until_ms: i64) -> bool {
        self.forgotten.forget(key.bytes(), until_ms)
    }

    /// Whether what a person did then is forgotten.
    pub fn has_forgotten(&self, key: &PersonKey, time_ms: i64) -> bool {
        self.forgotten.covers(key.bytes(), time_ms)
    }

    /// What is known of a person here.
    pub fn peek(&self, key: &PersonKey) -> Peek {
        let mut shard = self.shard(key.hash()).lock();
        let ticket = Ticket { departures: shard.departures };
        match shard.find(key) {
            None => Peek::Absent(ticket),
            Some(person) => {
                person.set(ASKED);
                let record = record_of(person);
                if person.is(WHOLE) { Peek::Whole(record) } else { Peek::Partial(record, ticket) }
            }
        }
    }

    /// Brings what is durable of a person here, without what is forgotten, unless anyone has left
    /// since `ticket`: the durable record may have changed then.
    pub fn complete(
        &self,
        key: &PersonKey,
        durable: Option<&Record>,
        ticket: Ticket,
        kept: impl Fn(MatcherId) -> Option<Kept>,
    ) {
        let mut shard = self.shard(key.hash()).lock();
        if shard.departures != ticket.departures {
            return;
        }
        shard.change(key, |record| {
            self.forgotten.apply(key.bytes(), record);
            if let Some(durable) = durable {
                record.merge(durable, kept);
            }
            WHOLE | ASKED
        });
    }

    /// Copies every changed person of a shard, in key order. They stay until [`Hot::settle`].
    pub fn take(&self, shard: usize) -> Vec<Taken> {
        let mut taken = Vec::new();
        let mut shard = self.shards[shard].lock();
        for person in shard.people.iter_mut().filter(|person| person.is(DIRTY)) {
            person.clear(DIRTY);
            person.set(WRITING);
            taken.push(Taken {
                hash: super::keys::hash(person.key()),
                key: person.key().into(),
                record: record_of(person),
                partial: !person.is(WHOLE),
            });
        }
        drop(shard);
        taken.sort_unstable_by(|a, b| (a.hash, &a.key).cmp(&(b.hash, &b.key)));
        taken
    }

    /// Merges durable records, without what is forgotten, into people that a checkpoint holds, who
    /// are whole then.
    pub fn absorb(
        &self,
        shard: usize,
        durable: &[Found],
        kept: impl Fn(MatcherId) -> Option<Kept>,
    ) {
        let mut shard = self.shards[shard].lock();
        let Shard { people, bytes, scratch, .. } = &mut *shard;
        for (hash, key, record) in durable {
            if let Some(person) = people.find_mut(spread(*hash), |p| *p.key() == **key) {
                change(person, bytes, scratch, |held| {
                    self.forgotten.apply(key, held);
                    if let Some(record) = record {
                        held.merge(record, &kept);
                    }
                    WHOLE
                });
            }
        }
    }

    /// Ends a checkpoint: what it took is durable, or has to be taken again.
    pub fn settle(&self, durable: bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            for person in shard.people.iter_mut().filter(|person| person.is(WRITING)) {
                person.clear(WRITING);
                if !durable {
                    person.set(DIRTY);
                }
            }
        }
    }

    /// Lets go of people in a shard whom `stays` doesn't keep and whom nothing holds: neither
    /// changed, nor being written. It may take from a record what no condition can see. With
    /// `spare_asked`, whoever was asked for stays once more.
    pub fn sweep(&self, shard: usize, spare_asked: bool, stays: impl Fn(&mut Record) -> bool) {
        let mut shard = self.shards[shard].lock();
        let Shard { people, bytes, scratch, departures } = &mut *shard;
        let before = people.len();
        people.retain(|person| {
            let spared = spare_asked && person.is(ASKED);
            if spare_asked {
                person.clear(ASKED);
            }
            if person.is_any(DIRTY | WRITING) || spared {
                return true;
            }
            let mut is_staying = false;
            change(person, bytes, scratch, |record| {
                is_staying = stays(record);
                0
            });
            if !is_staying {
                *bytes -= person.bytes();
            }
            is_staying
        });
        if people.len() == before {
            return;
        }
        *departures += 1;
        if people.len() < people.capacity() / 4 {
            people.shrink_to_fit(hash_of);
        }
    }

    /// What is known of a person here, and whether the durable record has to be merged in;
    /// without a sign that anyone asked.
    pub fn glance(&self, key: &PersonKey) -> Option<(Record, bool)> {
        let mut shard = self.shard(key.hash()).lock();
        let person = shard.find(key)?;
        Some((record_of(person), !person.is(WHOLE)))
    }

    /// Copies whoever of a shard isn't durable as they are into `copies`, one behind the other.
    pub fn copy(&self, shard: usize, copies: &mut Copies) {
        let shard = self.shards[shard].lock();
        for person in shard.people.iter().filter(|person| person.is_any(DIRTY | WRITING)) {
            copies.add(person.key(), person.record(), person.is(WHOLE));
        }
    }

    /// Whether anybody has changed since a checkpoint took them.
    pub fn is_dirty(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.lock().people.iter().any(|person| person.is(DIRTY)))
    }

    /// How many people are hot.
    pub fn people(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().people.len()).sum()
    }

    /// Bytes the hot tier takes, allocator overhead estimated.
    pub fn bytes(&self) -> usize {
        (0..SHARDS).map(|shard| self.shard_bytes(shard)).sum()
    }

    /// Bytes that one shard takes.
    pub fn shard_bytes(&self, shard: usize) -> usize {
        let shard = self.shards[shard].lock();
        shard.bytes + shard.people.allocation_size()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[shard_of(hash)]
    }
}

/// The shard of whoever has this hash.
pub fn shard_of(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize
}

#[cfg(test)]
mod tests;
