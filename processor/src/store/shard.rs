//! A shard of the hot tier: people in a table, and how one of them is changed.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use schemas::record::Record;

use super::keys::{self, PersonKey};
use super::person::Person;

/// The largest piece of memory that a shard keeps for changing records in.
const SCRATCH_BYTES_MAX: usize = 4 << 10;

#[derive(Default)]
pub(super) struct Shard {
    pub people: HashTable<Person>,
    /// What the people take, but not their table.
    pub bytes: usize,
    /// A record that is being changed.
    pub scratch: Record,
    /// How many sweeps have let people go: whoever read durable state before one must not
    /// bring it back after.
    pub departures: u64,
}

impl Shard {
    /// Changes a person's record, made with nothing known where there is none. `by` tells what
    /// holds from then on.
    pub fn change(&mut self, key: &PersonKey, by: impl FnOnce(&mut Record) -> u8) {
        let Shard { people, bytes, scratch, .. } = self;
        let person = match people.entry(spread(key.hash()), |p| is(p, key), hash_of) {
            Entry::Occupied(person) => person.into_mut(),
            Entry::Vacant(place) => {
                let person = Person::new(key);
                *bytes += person.bytes();
                place.insert(person).into_mut()
            }
        };
        change(person, bytes, scratch, by);
    }

    /// Has whoever seems to have this hash brought from memory.
    pub fn look(&self, hash: u64) -> u8 {
        self.people.find(spread(hash), |_| true).map_or(0, Person::look)
    }

    pub fn find(&mut self, key: &PersonKey) -> Option<&mut Person> {
        self.people.find_mut(spread(key.hash()), |person| is(person, key))
    }
}

/// Changes a person's record in `scratch`, and keeps what has become of it.
pub(super) fn change(
    person: &mut Person,
    bytes: &mut usize,
    scratch: &mut Record,
    by: impl FnOnce(&mut Record) -> u8,
) {
    scratch.copy(person.record());
    person.set(by(scratch));
    if scratch.as_bytes() != person.record() {
        *bytes -= person.bytes();
        person.keep(scratch.as_bytes());
        *bytes += person.bytes();
    }
    if scratch.capacity() > SCRATCH_BYTES_MAX {
        *scratch = Record::default();
    }
}

pub(super) fn record_of(person: &Person) -> Record {
    let mut record = Record::default();
    record.copy(person.record());
    record
}

fn is(person: &Person, key: &PersonKey) -> bool {
    *person.key() == *key.bytes()
}

pub(super) fn hash_of(person: &Person) -> u64 {
    spread(keys::hash(person.key()))
}

/// A table wants its upper bits mixed too: all people of a shard share them.
pub(super) fn spread(hash: u64) -> u64 {
    u64::from(hash as u32).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
