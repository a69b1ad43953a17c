//! Stretches: the newest K and the earliest K hits of each aligned stretch of time.
//!
//! Later hits push nothing out of an earlier stretch, so a range of time that lies in the past
//! is counted exactly up to K, at any rate of events: a range at least as long as a stretch is
//! never strictly inside one, so that it asks for whole stretches, for the newest of one and
//! for the earliest of another.
//!
//! When a copy tells that an event of a full stretch happened earlier, others that were dropped
//! may lie between: then eight bytes after the entries tell since when the stretches are whole.

use super::entry::Entry;
use super::newest::{Window, union};
use super::{Kept, Range, stored_of};
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
    let lost = window.lost_ms().is_some_and(|lost_ms| lost_ms > range.after_ms);
    let mut counted = Count { seen: 0, more: lost };
    for stretch in entries.chunk_by(|a, b| index(*a, length_ms) == index(*b, length_ms)) {
        let inside = stretch.iter().filter(|entry| range.contains(entry.time_ms())).count();
        counted.seen += inside;
        // Where 2 K are kept, some between them may have been dropped: they lie inside only if
        // K of what is kept do.
        counted.more |= stretch.len() == 2 * k && inside >= k;
    }
    counted
}

/// Since when the stretches are whole once all of `until_ms` and before is gone: where that takes
/// a part of a full stretch, others that were dropped from it were later.
pub(super) fn lost_after(k: u16, length_ms: i64, window: Window<'_>, until_ms: i64) -> Option<i64> {
    let k = usize::from(k);
    let entries: Vec<Entry> = window.entries().collect();
    let stretches = entries.chunk_by(|a, b| index(*a, length_ms) == index(*b, length_ms));
    let torn = stretches.filter(|stretch| {
        let stay = stretch.partition_point(|entry| entry.time_ms() > until_ms);
        stretch.len() == 2 * k && (1..2 * k).contains(&stay)
    });
    torn.map(|stretch| stretch[k - 1].time_ms()).max().max(window.lost_ms())
}

/// What is stored once an entry was added; none if that changes nothing.
pub(super) fn add(kept: Kept, length_ms: i64, stored: &[u8], entry: Entry) -> Option<Vec<u8>> {
    let held = Window::new(stored);
    let (entries, lost_ms) = (held.entries().collect(), held.lost_ms());
    let mut stretches = Stretches { entries, lost_ms, k: kept.k.into(), length_ms };
    stretches.add(entry);
    stretches.stored(kept.horizon_ms, stored)
}

/// What is stored of both, each event at the earlier of its times; none if that changes nothing.
/// Copies leave before anything is dropped for them.
pub(super) fn merge(
    kept: Kept,
    length_ms: i64,
    stored: &[u8],
    other: Window<'_>,
) -> Option<Vec<u8>> {
    let (held, k) = (Window::new(stored), usize::from(kept.k));
    let lost_by = |one, two| lost_by(k, length_ms, one, two);
    let lost = [held.lost_ms(), other.lost_ms(), lost_by(held, other), lost_by(other, held)];
    let union = union(held, other);
    let stretches = union.chunk_by(|a, b| index(*a, length_ms) == index(*b, length_ms));
    let entries = stretches.flat_map(|stretch| {
        let newest = stretch.len().min(k);
        let earliest = newest.max(stretch.len().saturating_sub(k));
        stretch[..newest].iter().chain(&stretch[earliest..]).copied()
    });
    let lost_ms = lost.into_iter().max().flatten();
    let stretches = Stretches { entries: entries.collect(), lost_ms, k, length_ms };
    stretches.stored(kept.horizon_ms, stored)
}

/// Since when `other` is whole, as `held` tells: that events of its full stretches happened
/// earlier, so that what they had made it drop is missing.
fn lost_by(k: usize, length_ms: i64, held: Window<'_>, other: Window<'_>) -> Option<i64> {
    let entries: Vec<Entry> = other.entries().collect();
    let stretches = entries.chunk_by(|a, b| index(*a, length_ms) == index(*b, length_ms));
    let was_earlier =
        |entry: &Entry| held.entries().any(|first| first.tag() == entry.tag() && first < *entry);
    let torn =
        stretches.filter(|stretch| stretch.len() == 2 * k && stretch.iter().any(was_earlier));
    torn.map(|stretch| stretch[k - 1].time_ms()).max()
}

/// What is kept of all stretches, newest first.
struct Stretches {
    entries: Vec<Entry>,
    lost_ms: Option<i64>,
    k: usize,
    length_ms: i64,
}

impl Stretches {
    fn add(&mut self, entry: Entry) {
        if let Some(twin) = self.entries.iter().position(|held| held.tag() == entry.tag()) {
            if self.entries[twin] <= entry {
                return;
            }
            // Of a full stretch some may have been dropped that would be among the newest now.
            let (begin, end) = self.stretch(self.entries[twin]);
            if end - begin == 2 * self.k {
                let newest_dropped_ms = self.entries[begin + self.k - 1].time_ms();
                self.lost_ms = self.lost_ms.max(Some(newest_dropped_ms));
            }
            self.entries.remove(twin);
        }
        let at = self.entries.partition_point(|held| *held > entry);
        self.entries.insert(at, entry);
        let (begin, end) = self.stretch(entry);
        if end - begin > 2 * self.k {
            self.entries.remove(begin + self.k);
        }
    }

    /// Where the stretch of `entry` begins and ends.
    fn stretch(&self, entry: Entry) -> (usize, usize) {
        let here = index(entry, self.length_ms);
        let begin = self.entries.partition_point(|held| index(*held, self.length_ms) > here);
        let end = self.entries.partition_point(|held| index(*held, self.length_ms) >= here);
        (begin, end)
    }

    /// The bytes that are stored of this instead of `stored`.
    fn stored(mut self, horizon_ms: i64, stored: &[u8]) -> Option<Vec<u8>> {
        self.leave(horizon_ms);
        let lost = self.lost_ms.map(i64::to_le_bytes);
        let changed = [stored_of(&self.entries), lost.into_iter().flatten().collect()].concat();
        (changed != stored).then_some(changed)
    }

    /// Whole stretches leave, so that what is left doesn't depend on the order of arrival.
    fn leave(&mut self, horizon_ms: i64) {
        let newest_ms = self.entries.first().map_or(i64::MIN, |newest| newest.time_ms());
        let gone_ms = newest_ms.saturating_sub(horizon_ms).saturating_sub(SKEW_MS_MAX);
        let length_ms = self.length_ms;
        self.entries
            .retain(|held| (index(*held, length_ms) + 1).saturating_mul(length_ms) > gone_ms);
        self.lost_ms = self.lost_ms.filter(|lost_ms| *lost_ms > gone_ms);
    }
}

fn index(entry: Entry, length_ms: i64) -> i64 {
    entry.time_ms().div_euclid(length_ms)
}
