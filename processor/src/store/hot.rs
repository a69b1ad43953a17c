//! The hot tier of one partition: people in memory, in shards by hash, each under its own lock.
//!
//! Folding, checks and the checkpoint each hold one shard for a moment. A person who is folded
//! without having been read is *partial*: what is durable is merged in at the first check or
//! checkpoint, in any order, because records merge.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::Kept;

use super::copies::Copies;
use super::forgotten::Forgotten;
use super::keys::PersonKey;

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

struct Person {
    key: Box<[u8]>,
    record: Record,
    hash: u32,
    state: u8,
}

#[derive(Default)]
struct Shard {
    /// Boxed, so that a table that has grown for a few more people takes little.
    people: HashTable<Box<Person>>,
    bytes: usize,
    /// How many sweeps have let people go: whoever read durable state before one must not
    /// bring it back after.
    departures: u64,
}

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
        let person = shard.person(key);
        let before = person.record.capacity();
        self.forgotten.apply(key.bytes(), &mut person.record);
        if change(&mut person.record) {
            person.state |= DIRTY;
        }
        let after = person.record.capacity();
        shard.bytes = shard.bytes + after - before;
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
                person.state |= ASKED;
                let record = person.record.clone();
                if person.state & WHOLE == WHOLE {
                    Peek::Whole(record)
                } else {
                    Peek::Partial(record, ticket)
                }
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
        let person = shard.person(key);
        let before = person.record.capacity();
        self.forgotten.apply(key.bytes(), &mut person.record);
        if let Some(durable) = durable {
            person.record.merge(durable, kept);
        }
        person.state |= WHOLE | ASKED;
        let after = person.record.capacity();
        shard.bytes = shard.bytes + after - before;
    }

    /// Copies every changed person of a shard, in key order. They stay until [`Hot::settle`].
    pub fn take(&self, shard: usize) -> Vec<Taken> {
        let mut taken = Vec::new();
        let mut shard = self.shards[shard].lock();
        for person in shard.people.iter_mut().filter(|person| person.state & DIRTY == DIRTY) {
            person.state = (person.state & !DIRTY) | WRITING;
            taken.push(Taken {
                hash: super::keys::hash(&person.key),
                key: person.key.clone(),
                record: person.record.clone(),
                partial: person.state & WHOLE == 0,
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
        let shard = &mut *shard;
        for (hash, key, record) in durable {
            if let Some(person) = shard.people.find_mut(spread(*hash as u32), |p| p.key == *key) {
                let before = person.record.capacity();
                self.forgotten.apply(key, &mut person.record);
                if let Some(record) = record {
                    person.record.merge(record, &kept);
                }
                person.state |= WHOLE;
                shard.bytes = shard.bytes + person.record.capacity() - before;
            }
        }
    }

    /// Ends a checkpoint: what it took is durable, or has to be taken again.
    pub fn settle(&self, durable: bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            for person in shard.people.iter_mut().filter(|p| p.state & WRITING == WRITING) {
                person.state &= !WRITING;
                if !durable {
                    person.state |= DIRTY;
                }
            }
        }
    }

    /// Lets go of people in a shard whom `stays` doesn't keep and whom nothing holds: neither
    /// changed, nor being written. It may take from a record what no condition can see. With
    /// `spare_asked`, whoever was asked for stays once more.
    pub fn sweep(&self, shard: usize, spare_asked: bool, stays: impl Fn(&mut Record) -> bool) {
        let mut shard = self.shards[shard].lock();
        let before = shard.people.len();
        let mut freed = 0;
        shard.people.retain(|person| {
            let held = person.state & (DIRTY | WRITING) != 0;
            let spared = spare_asked && person.state & ASKED == ASKED;
            if spare_asked {
                person.state &= !ASKED;
            }
            if held || spared {
                return true;
            }
            let bytes = person.record.capacity();
            let stays = stays(&mut person.record);
            freed += bytes.saturating_sub(person.record.capacity());
            if !stays {
                freed += person.key.len() + person.record.capacity();
            }
            stays
        });
        shard.bytes -= freed;
        if shard.people.len() == before {
            return;
        }
        shard.departures += 1;
        if shard.people.len() < shard.people.capacity() / 4 {
            shard.people.shrink_to_fit(|person| spread(person.hash));
        }
    }

    /// What is known of a person here, and whether the durable record has to be merged in;
    /// without a sign that anyone asked.
    pub fn glance(&self, key: &PersonKey) -> Option<(Record, bool)> {
        let mut shard = self.shard(key.hash()).lock();
        let person = shard.find(key)?;
        Some((person.record.clone(), person.state & WHOLE == 0))
    }

    /// Copies whoever of a shard isn't durable as they are into `copies`, one behind the other.
    pub fn copy(&self, shard: usize, copies: &mut Copies) {
        let shard = self.shards[shard].lock();
        for person in shard.people.iter().filter(|p| p.state & (DIRTY | WRITING) != 0) {
            let whole = person.state & WHOLE == WHOLE;
            copies.add(&person.key, person.record.as_bytes(), whole);
        }
    }

    /// Whether anybody has changed since a checkpoint took them.
    pub fn is_dirty(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.lock().people.iter().any(|p| p.state & DIRTY == DIRTY))
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
        shard.bytes + shard.people.allocation_size() + shard.people.len() * PERSON_BYTES
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[shard_of(hash)]
    }
}

/// The shard of whoever has this hash.
pub fn shard_of(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize
}

/// What a person takes besides key and record, with what the allocator adds to three pieces.
const PERSON_BYTES: usize = size_of::<Person>() + 3 * 8;

impl Shard {
    /// The person, made with nothing known where there is none.
    fn person(&mut self, key: &PersonKey) -> &mut Person {
        let hash = key.hash() as u32;
        match self.people.entry(spread(hash), |p| is(p, key), |p| spread(p.hash)) {
            Entry::Occupied(person) => person.into_mut(),
            Entry::Vacant(place) => {
                self.bytes += key.bytes().len();
                let key = key.bytes().into();
                let person = Person { key, record: Record::default(), hash, state: 0 };
                place.insert(Box::new(person)).into_mut()
            }
        }
    }

    fn find(&mut self, key: &PersonKey) -> Option<&mut Person> {
        let found = self.people.find_mut(spread(key.hash() as u32), |person| is(person, key));
        found.map(Box::as_mut)
    }
}

fn is(person: &Person, key: &PersonKey) -> bool {
    *person.key == *key.bytes()
}

/// A table wants its upper bits mixed too; the lower half of the hash is what people keep.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
