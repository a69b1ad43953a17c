//! The newest-K entries of one matcher for one distinct id: where an entry goes, how many count.
//!
//! A window is a set of (time, tag) in which an event id stands once, with the earliest time
//! seen for it, cut to the K newest. Folding in any order, and folding twice, gives one result.
//!
//! When a copy tells that a kept event happened before everything that is kept, others that were
//! pushed out may lie between: then eight bytes after the entries tell since when the window is
//! whole.

use super::entry::{ENTRY_BYTES, Entry};
use super::{Folded, Range};

/// Bytes of what [`Window::lost_ms`] tells.
pub const LOST_BYTES: usize = size_of::<i64>();

/// Whether these are entries, and perhaps since when none is lost.
pub(super) fn is_whole(stored: &[u8]) -> bool {
    matches!(stored.len() % ENTRY_BYTES, 0 | LOST_BYTES)
}

/// A window's entries, newest first, read where they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<'a>(&'a [u8]);

impl<'a> Window<'a> {
    /// No entry.
    pub const EMPTY: Window<'static> = Window(&[]);

    /// Reads stored entries; `bytes` must be whole entries.
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(is_whole(bytes));
        Window(bytes)
    }

    /// Entries, newest first.
    pub fn entries(self) -> impl ExactSizeIterator<Item = Entry> + 'a {
        self.0.as_chunks::<ENTRY_BYTES>().0.iter().map(|bytes| Entry::from_bytes(*bytes))
    }

    /// How many entries there are.
    pub fn len(self) -> usize {
        self.0.len() / ENTRY_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Entries of this instant and before may have been pushed out by others that have left.
    pub fn lost_ms(self) -> Option<i64> {
        let lost = self.0.as_chunks::<ENTRY_BYTES>().1;
        Some(i64::from_le_bytes(lost.try_into().ok()?))
    }

    /// The newest entry.
    pub fn newest(self) -> Option<Entry> {
        self.entries().next()
    }

    /// How many entries are younger than `within_ms` at `now_ms`: the window is
    /// `(now − W, now]`, and what is stamped a little ahead of `now` happens now.
    pub fn count(self, within_ms: i64, now_ms: i64) -> usize {
        let edge_ms = now_ms.saturating_sub(within_ms);
        self.entries().take_while(|entry| entry.time_ms() > edge_ms).count()
    }

    /// How many entries lie in a range of time.
    pub fn count_in(self, range: Range) -> usize {
        let newer = |entry: &Entry| entry.time_ms() > range.until_ms;
        let inside = |entry: &Entry| entry.time_ms() > range.after_ms;
        self.entries().skip_while(newer).take_while(inside).count()
    }

    /// Whether some event stands at another time in `other`.
    pub fn disagrees(self, other: Window<'_>) -> bool {
        let differs = |a: Entry, b: Entry| a.tag() == b.tag() && a != b;
        self.entries().any(|entry| other.entries().any(|held| differs(entry, held)))
    }

    /// Entries of this instant and before may have been pushed out by copies of events that
    /// happened earlier, as `other` tells: what folding those here would say.
    fn lost_by(self, other: Window<'_>, k: usize) -> Option<i64> {
        let oldest = self.entries().last().filter(|_| self.len() >= k)?;
        let is_last = |entry| match self.placing(entry, k as u16) {
            Placing::Instead { at, .. } => at + 1 == k,
            _ => false,
        };
        other.entries().any(is_last).then(|| oldest.time_ms())
    }

    /// Where `entry` goes in a window that keeps `k`, and which entry it takes out.
    pub fn placing(self, entry: Entry, k: u16) -> Placing {
        let mut at = None;
        let mut twin = None;
        for (index, kept) in self.entries().enumerate() {
            if kept.tag() == entry.tag() {
                twin = Some(index);
                if kept <= entry {
                    return Placing::Not(Folded::Duplicate);
                }
            }
            if at.is_none() && kept < entry {
                at = Some(index);
            }
        }
        match (twin, at) {
            // The twin is later than the entry, so it lies before the entry's place.
            (Some(twin), at) => Placing::Instead { twin, at: at.unwrap_or(self.len()) - 1 },
            (None, Some(at)) => Placing::At(at),
            (None, None) if self.len() >= usize::from(k) => Placing::Not(Folded::Older),
            (None, None) => Placing::At(self.len()),
        }
    }
}

/// What is stored of both, each event at the earlier of its times.
pub(super) fn merge(one: Window<'_>, other: Window<'_>, k: u16) -> Vec<u8> {
    let k = usize::from(k);
    let mut entries = union(one, other);
    entries.truncate(k);
    let lost = [one.lost_ms(), other.lost_ms(), one.lost_by(other, k), other.lost_by(one, k)];
    let lost = lost.into_iter().flatten().max().map(i64::to_le_bytes);
    let entries = entries.into_iter().flat_map(Entry::to_bytes);
    entries.chain(lost.into_iter().flatten()).collect()
}

/// Every event of both, newest first, at the earlier of its times.
pub(super) fn union(one: Window<'_>, other: Window<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = one.entries().chain(other.entries()).collect();
    entries.sort_unstable_by_key(|entry| (entry.tag(), *entry));
    entries.dedup_by_key(|entry| entry.tag());
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries
}

/// Where an entry goes in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// Nowhere.
    Not(Folded),
    /// Before the entry that is at this index now; what exceeds K leaves at the end.
    At(usize),
    /// The same event's later copy at `twin` leaves, and the entry ends up at `at`.
    Instead {
        /// Index of the copy that leaves.
        twin: usize,
        /// Index of the entry once the copy has left.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_exactly_the_window_ago_is_out() {
        let bytes = Entry::new(1_700_000_000_000, 1).to_bytes();
        let window = Window::new(&bytes);
        assert_eq!(window.count(300_000, 1_700_000_299_999), 1);
        assert_eq!(window.count(300_000, 1_700_000_300_000), 0);
    }
}
