//! Values: the newest K hits with what their matcher took from each event.
//!
//! Stored: `count of older ones u16 | older ones, newest first | newest ones, newest first`, 28
//! bytes each. Of hits that K newer ones pushed out, a little is kept: with [`Keep::Values`] the
//! newest of each value, with [`Keep::Numbers`] the newest, the smallest and the largest. What is
//! newer than all of those is whole, be it K hits or, where a copy told that one of them happened
//! earlier, fewer.

use super::entry::{ENTRY_BYTES, Entry};
use super::{Hit, Keep, Kept};

const VALUE_BYTES: usize = 16;
const HIT_BYTES: usize = ENTRY_BYTES + VALUE_BYTES;
const HEADER_BYTES: usize = 2;

/// The most that are kept of numbers which newer ones pushed out.
pub(super) const EXTREMES: usize = 3;

/// Bytes of so many hits.
pub(super) const fn bytes(hits: usize) -> usize {
    HEADER_BYTES + hits * HIT_BYTES
}

/// What a matcher takes from an event: a hash that stands for a text, or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value([u8; VALUE_BYTES]);

impl Value {
    /// Nothing.
    pub const NONE: Value = Value([0; VALUE_BYTES]);

    /// That something passed.
    pub const PASSED: Value = Value([1; VALUE_BYTES]);

    /// Stands for whatever has this hash.
    pub fn hashed(hash: u128) -> Value {
        Value(hash.to_be_bytes())
    }

    /// A number, in units of [`crate::decimal::Decimal`]; values order as their numbers do.
    pub fn number(units: i128) -> Value {
        Value(((units as u128) ^ (1 << 127)).to_be_bytes())
    }

    /// The number that [`Value::number`] was made of.
    pub fn units(self) -> i128 {
        (u128::from_be_bytes(self.0) ^ (1 << 127)) as i128
    }
}

/// What is stored of a matcher that takes values.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    older: &'a [u8],
    newest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Reads what is stored; nothing where that is cut off.
    pub fn new(stored: &'a [u8]) -> Self {
        let parts = stored.split_at_checked(HEADER_BYTES).and_then(|(header, hits)| {
            let older = usize::from(u16::from_le_bytes([header[0], header[1]]));
            hits.split_at_checked(older * HIT_BYTES)
        });
        let (older, newest) = parts.unwrap_or_default();
        Values { older, newest }
    }

    /// The newest K, newest first.
    pub fn newest(self) -> impl ExactSizeIterator<Item = Hit> + 'a {
        hits(self.newest)
    }

    /// What is left of older ones, newest first.
    pub fn older(self) -> impl ExactSizeIterator<Item = Hit> + 'a {
        hits(self.older)
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Hit> + 'a {
        self.newest().chain(self.older())
    }
}

/// Whether these are hits, and no more of them older ones than there are.
pub(super) fn is_whole(stored: &[u8]) -> bool {
    let bytes = stored.len().checked_sub(HEADER_BYTES);
    let held = Values::new(stored);
    bytes == Some((held.newest().len() + held.older().len()) * HIT_BYTES)
}

fn hits(stored: &[u8]) -> impl ExactSizeIterator<Item = Hit> + '_ {
    stored.as_chunks::<HIT_BYTES>().0.iter().map(|bytes| {
        let (mut entry, mut value) = ([0; ENTRY_BYTES], [0; VALUE_BYTES]);
        entry.copy_from_slice(&bytes[..ENTRY_BYTES]);
        value.copy_from_slice(&bytes[ENTRY_BYTES..]);
        Hit { entry: Entry::from_bytes(entry), value: Value(value) }
    })
}

/// What is stored once hits were added, and others that were pushed out elsewhere; none if that
/// changes nothing. Whatever is newer than all that was pushed out is there.
pub(super) fn merge(
    kept: Kept,
    stored: &[u8],
    hits: impl Iterator<Item = Hit>,
    pushed_out: impl Iterator<Item = Hit>,
) -> Option<Vec<u8>> {
    let held = Values::new(stored);
    let mut newest: Vec<Hit> = held.newest().collect();
    hits.for_each(|hit| insert(&mut newest, hit));
    let mut older: Vec<Hit> = held.older().chain(pushed_out).collect();
    let newest_of_older = older.iter().map(|hit| hit.entry).max();
    let whole = newest.partition_point(|hit| Some(hit.entry) > newest_of_older);
    older.extend(newest.drain(whole.min(kept.k.into())..));
    if older.len() > held.older().len() {
        older = match kept.keep {
            Keep::Numbers => extremes(&older),
            _ => newest_of_each(older, kept.k),
        };
    }
    let changed = stored_of(&older, &newest);
    (changed != stored).then_some(changed)
}

/// What is stored without hits of `until_ms` and before.
pub(super) fn after(stored: &[u8], until_ms: i64) -> Vec<u8> {
    let held = Values::new(stored);
    let stays = |hit: &Hit| hit.entry.time_ms() > until_ms;
    let older: Vec<Hit> = held.older().filter(stays).collect();
    let newest: Vec<Hit> = held.newest().filter(stays).collect();
    if older.is_empty() && newest.is_empty() { Vec::new() } else { stored_of(&older, &newest) }
}

/// An event stands once, at the earliest time seen for it; of two values at one time the smaller
/// stays, whichever came first.
fn insert(newest: &mut Vec<Hit>, hit: Hit) {
    if let Some(twin) = newest.iter().position(|other| other.entry.tag() == hit.entry.tag()) {
        if order(&newest[twin]) <= order(&hit) {
            return;
        }
        newest.remove(twin);
    }
    let at = newest.partition_point(|other| other.entry > hit.entry);
    newest.insert(at, hit);
}

fn order(hit: &Hit) -> (Entry, Value) {
    (hit.entry, hit.value)
}

/// The newest hit of each value, and of those the newest `k`.
fn newest_of_each(mut hits: Vec<Hit>, k: u16) -> Vec<Hit> {
    hits.sort_unstable_by_key(|hit| std::cmp::Reverse(order(hit)));
    let mut seen = rustc_hash::FxHashSet::default();
    hits.retain(|hit| seen.insert(hit.value));
    hits.truncate(usize::from(k));
    hits
}

/// The newest hit, the smallest and the largest: the newest of those that are equally so.
fn extremes(hits: &[Hit]) -> Vec<Hit> {
    let newest = hits.iter().max_by_key(|hit| order(hit));
    let smallest = hits.iter().min_by_key(|hit| (hit.value, std::cmp::Reverse(hit.entry)));
    let largest = hits.iter().max_by_key(|hit| (hit.value, hit.entry));
    let mut kept: Vec<Hit> = [newest, smallest, largest].into_iter().flatten().copied().collect();
    kept.sort_unstable_by_key(|hit| std::cmp::Reverse(order(hit)));
    kept.dedup();
    kept
}

fn stored_of(older: &[Hit], newest: &[Hit]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(bytes(older.len() + newest.len()));
    stored.extend_from_slice(&(older.len() as u16).to_le_bytes());
    for hit in older.iter().chain(newest) {
        stored.extend_from_slice(&hit.entry.to_bytes());
        stored.extend_from_slice(&hit.value.0);
    }
    stored
}
