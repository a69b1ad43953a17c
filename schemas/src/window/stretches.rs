//! Stretches: the newest K and the earliest K hits of each aligned stretch of time.
//!
//! Later hits push nothing out of an earlier stretch, so a range of time that lies in the past
//! is counted exactly up to K, at any rate of events: a range at least as long as a stretch is
//! never strictly inside one, so that it asks for whole stretches, for the newest of one and
//! for the earliest of another.

use super::entry::Entry;
use super::newest::Window;
use super::{Keep, Kept, Range, stored_of};
use crate::time::HOUR_MS;

/// The most entries that are kept of one person for one matcher.
pub const STRETCHED_ENTRIES_MAX: i64 = 4_096;

/// The most that an event may be stamped ahead of its record, in milliseconds; a stretch stays
/// for so long after its horizon.
pub const SKEW_MS_MAX: i64 = HOUR_MS;

/// How many entries a matcher may come to keep of one person.
pub fn entries_most(k: u16, length_ms: i64, horizon_ms: i64) -> i64 {
    let stretches = horizon_ms.saturating_add(SKEW_MS_MAX) / length_ms + 2;
    stretches.saturating_mul(2 * i64::from(k))
}

/// A number of hits: exact, or at least that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many are kept.
    pub seen: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// How many hits lie in a range that is at least a stretch long.
pub fn count(window: Window<'_>, k: u16, length_ms: i64, range: Range) -> Count {
    let k = usize::from(k);
    let entries: Vec<Entry> = window.entries().collect();
    let mut counted = Count { seen: 0, more: false };
    for stretch in entries.chunk_by(|a, b| index(*a, length_ms) == index(*b, length_ms)) {
        let inside = stretch.iter().filter(|entry| range.contains(entry.time_ms())).count();
        counted.seen += inside;
        // Where 2 K are kept, some between them may have been dropped: they lie inside only if
        // K of what is kept do.
        counted.more |= stretch.len() == 2 * k && inside >= k;
    }
    counted
}

pub(super) fn fold(kept: Kept, stored: &[u8], entry: Entry) -> Option<Vec<u8>> {
    let Keep::Stretches(length_ms) = kept.keep else {
        return None;
    };
    let mut entries: Vec<Entry> = Window::new(stored).entries().collect();
    if let Some(twin) = entries.iter().position(|held| held.tag() == entry.tag()) {
        if entries[twin] <= entry {
            return None;
        }
        entries.remove(twin);
    }
    let at = entries.partition_point(|held| *held > entry);
    entries.insert(at, entry);
    let here = index(entry, length_ms);
    let begin = entries.partition_point(|held| index(*held, length_ms) > here);
    let end = entries.partition_point(|held| index(*held, length_ms) >= here);
    if end - begin > 2 * usize::from(kept.k) {
        entries.remove(begin + usize::from(kept.k));
    }
    // Whole stretches leave, so that what is left doesn't depend on the order of arrival.
    let newest_ms = entries.first().map_or(i64::MIN, |newest| newest.time_ms());
    let gone_ms = newest_ms.saturating_sub(kept.horizon_ms).saturating_sub(SKEW_MS_MAX);
    entries.retain(|held| (index(*held, length_ms) + 1).saturating_mul(length_ms) > gone_ms);
    let changed = stored_of(&entries);
    (changed != stored).then_some(changed)
}

fn index(entry: Entry, length_ms: i64) -> i64 {
    entry.time_ms().div_euclid(length_ms)
}
