//! Copies of hot people: many in one piece of memory, sorted once their shard is let go.

use schemas::scan::HASH_BYTES;

use super::keys;

/// People in the order of their places.
#[derive(Default)]
pub struct Copies {
    /// Place and record of each, one behind the other.
    bytes: Vec<u8>,
    people: Vec<Copied>,
    next: usize,
}

struct Copied {
    at: usize,
    record_at: usize,
    end: usize,
    whole: bool,
}

/// One of them.
pub struct Copy<'c> {
    /// Where the person stands.
    pub place: &'c [u8],
    /// What is kept of them.
    pub record: &'c [u8],
    /// Whether nothing durable is missing there.
    pub whole: bool,
}

impl Copies {
    /// Adds a person: project and id, and what is kept. Room for the hash is left, because this
    /// is done under a lock.
    pub fn add(&mut self, person: &[u8], record: &[u8], whole: bool) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HASH_BYTES]);
        self.bytes.extend_from_slice(person);
        let record_at = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.people.push(Copied { at, record_at, end: self.bytes.len(), whole });
    }

    /// Puts them in the order of their places, from the first after `after` on.
    pub fn sort(&mut self, after: &[u8]) {
        for person in &self.people {
            let (place, id) = self.bytes[person.at..person.record_at].split_at_mut(HASH_BYTES);
            place.copy_from_slice(&keys::hash(id).to_be_bytes());
        }
        let bytes = &self.bytes;
        let place = |person: &Copied| &bytes[person.at..person.record_at];
        self.people.retain(|person| place(person) > after);
        self.people.sort_unstable_by(|a, b| place(a).cmp(place(b)));
        self.next = 0;
    }

    /// The next of them.
    pub fn here(&self) -> Option<Copy<'_>> {
        let person = self.people.get(self.next)?;
        Some(Copy {
            place: &self.bytes[person.at..person.record_at],
            record: &self.bytes[person.record_at..person.end],
            whole: person.whole,
        })
    }

    /// Goes on to the one behind.
    pub fn step(&mut self) {
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use schemas::ids::ProjectId;

    use super::*;
    use crate::store::PersonKey;

    fn places(copies: &mut Copies) -> Vec<Vec<u8>> {
        let mut places = Vec::new();
        while let Some(copy) = copies.here() {
            places.push(copy.place.to_vec());
            copies.step();
        }
        places
    }

    #[test]
    fn whoever_was_met_last_is_not_met_again() {
        let mut copies = Copies::default();
        for id in ["ann", "ben", "cho"] {
            copies.add(PersonKey::new(ProjectId(1), id).bytes(), &[], true);
        }
        copies.sort(&[]);
        let all = places(&mut copies);
        assert!(all.len() == 3 && all.is_sorted());
        copies.sort(&all[0]);
        assert_eq!(places(&mut copies), all[1..]);
    }
}
