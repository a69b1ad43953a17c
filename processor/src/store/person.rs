//! A person in memory: one piece of bytes, with room for what comes next.
//!
//! State, length of the key, length of the record, the key, the record; little-endian. A million
//! people are a million pieces, so what each takes besides key and record counts.

use super::PersonKey;

const KEY_LEN_AT: usize = 1;
const RECORD_LEN_AT: usize = KEY_LEN_AT + 4;
const KEY_AT: usize = RECORD_LEN_AT + 4;
/// Memory is handed out by so much at least.
const GRAIN_BYTES: usize = 16;

/// Who, what is kept of them, and how that stands.
pub struct Person(Box<[u8]>);

impl Person {
    /// Somebody of whom nothing is kept yet.
    pub fn new(key: &PersonKey) -> Self {
        Person::of(0, key.bytes(), &[])
    }

    fn of(state: u8, key: &[u8], record: &[u8]) -> Self {
        let [key_len, record_len] = [key, record].map(length);
        let taken = taken(KEY_AT + key.len() + record.len());
        let mut bytes = Vec::with_capacity(taken);
        bytes.push(state);
        bytes.extend_from_slice(&key_len);
        bytes.extend_from_slice(&record_len);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(record);
        bytes.resize(taken, 0);
        Person(bytes.into_boxed_slice())
    }

    /// Project and id.
    pub fn key(&self) -> &[u8] {
        &self.0[KEY_AT..self.record_at()]
    }

    /// The record, as it is stored.
    pub fn record(&self) -> &[u8] {
        let at = self.record_at();
        &self.0[at..at + self.record_len()]
    }

    /// Something of the piece's beginning and end.
    pub fn look(&self) -> u8 {
        self.0[0] ^ self.0[self.0.len() - 1]
    }

    /// Whether all of these hold.
    pub fn is(&self, state: u8) -> bool {
        self.0[0] & state == state
    }

    /// Whether any of these holds.
    pub fn is_any(&self, state: u8) -> bool {
        self.0[0] & state != 0
    }

    /// Has these hold.
    pub fn set(&mut self, state: u8) {
        self.0[0] |= state;
    }

    /// Has none of these hold.
    pub fn clear(&mut self, state: u8) {
        self.0[0] &= !state;
    }

    /// Keeps another record, in the same piece where it has room and doesn't waste much.
    pub fn keep(&mut self, record: &[u8]) {
        let at = self.record_at();
        let needed = at + record.len();
        if needed > self.0.len() || taken(needed) * 2 < self.0.len() {
            *self = Person::of(self.0[0], self.key(), record);
            return;
        }
        self.0[RECORD_LEN_AT..KEY_AT].copy_from_slice(&length(record));
        self.0[at..needed].copy_from_slice(record);
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    fn record_at(&self) -> usize {
        KEY_AT + self.length_at(KEY_LEN_AT)
    }

    fn record_len(&self) -> usize {
        self.length_at(RECORD_LEN_AT)
    }

    fn length_at(&self, at: usize) -> usize {
        let len = self.0[at..].first_chunk();
        u32::from_le_bytes(*len.expect("a person has a header")) as usize
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("ids, names and records are bounded").to_le_bytes()
}

/// What is handed out for so many bytes: mimalloc has four sizes between a power of two and the
/// next. What is more than needed is room to grow.
fn taken(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(GRAIN_BYTES))
}

#[cfg(test)]
mod tests {
    use schemas::ids::ProjectId;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_whatever_it_grows_and_shrinks_to() {
        let key = PersonKey::new(ProjectId(7), "käthe");
        let mut person = Person::new(&key);
        assert_eq!((person.bytes(), person.is_any(!0)), (32, false), "of an id of six bytes");
        person.keep(&[7; 30]);
        assert_eq!(person.bytes(), 64);
        person.set(5);
        for len in (0..200).chain([70_000]).chain((0..200).rev()) {
            let record: Vec<u8> = (0..len).map(|at| at as u8).collect();
            person.keep(&record);
            assert_eq!((person.key(), person.record()), (key.bytes(), record.as_slice()));
            assert!(person.is(5) && !person.is_any(!5));
            let least = KEY_AT + key.bytes().len() + record.len();
            assert!(person.bytes() >= least && person.bytes() <= 2 * (least + 64), "{len}");
        }
        person.keep(&[7; 30]);
        for (len, bytes) in [(0, 64), (50, 80), (0, 32), (981, 1_024), (1_005, 1_024)] {
            person.keep(&vec![7; len]);
            assert_eq!(person.bytes(), bytes, "with {len}");
        }
        person.clear(4);
        assert!(person.is(1) && !person.is_any(4));
    }
}
