//! The newest-K entries of one matcher for one distinct id: fold, merge, ask.
//!
//! A window is a set of (time, tag) in which an event id stands once, with the earliest time
//! seen for it, cut to the K newest. Folding in any order, and folding twice, gives one result.

use crate::time::YEAR_2000_MS;

/// Bytes of one [`Entry`].
pub const ENTRY_BYTES: usize = 12;
/// The most entries a window keeps: thresholds above are refused in definitions.
pub const ENTRIES_MAX: u16 = 1_025;

const TAG_BITS: u32 = 54;
const TAG_MASK: u128 = (1 << TAG_BITS) - 1;
const TIME_MAX: i64 = (1 << (96 - TAG_BITS)) - 1;

/// One hit: 42 bits of milliseconds since the year 2000, then 54 bits that stand for the
/// event's id. Big-endian, so that bytes compare as (time, tag).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry([u8; ENTRY_BYTES]);

impl Entry {
    /// An entry at `time_ms`, clamped to the years 2000 to 2139.
    pub fn new(time_ms: i64, id_hash: u64) -> Self {
        let time = (time_ms - YEAR_2000_MS).clamp(0, TIME_MAX);
        let bits = ((time as u128) << TAG_BITS) | (u128::from(id_hash) & TAG_MASK);
        let mut bytes = [0; ENTRY_BYTES];
        bytes.copy_from_slice(&bits.to_be_bytes()[16 - ENTRY_BYTES..]);
        Entry(bytes)
    }

    /// When the event happened, in epoch milliseconds.
    pub fn time_ms(self) -> i64 {
        (self.bits() >> TAG_BITS) as i64 + YEAR_2000_MS
    }

    /// What stands for the event's id.
    pub fn tag(self) -> u64 {
        (self.bits() & TAG_MASK) as u64
    }

    /// The entry as it is stored.
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        self.0
    }

    /// Reads a stored entry.
    pub fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> Self {
        Entry(bytes)
    }

    fn bits(self) -> u128 {
        let mut wide = [0; 16];
        wide[16 - ENTRY_BYTES..].copy_from_slice(&self.0);
        u128::from_be_bytes(wide)
    }
}

/// What folding an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// The entry is kept, or an earlier time of the same event took its place.
    Kept,
    /// The event was there already, at this time or an earlier one.
    Duplicate,
    /// K newer entries are kept already.
    Older,
}

/// A window's entries, newest first, read where they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<'a>(&'a [u8]);

impl<'a> Window<'a> {
    /// No entry.
    pub const EMPTY: Window<'static> = Window(&[]);

    /// Reads stored entries; `bytes` must be whole entries.
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len().is_multiple_of(ENTRY_BYTES));
        Window(bytes)
    }

    /// Entries, newest first.
    pub fn entries(self) -> impl ExactSizeIterator<Item = Entry> + 'a {
        self.0.as_chunks::<ENTRY_BYTES>().0.iter().map(|bytes| Entry(*bytes))
    }

    /// How many entries there are.
    pub fn len(self) -> usize {
        self.0.len() / ENTRY_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
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
    fn an_entry_keeps_its_millisecond_and_orders_by_time() {
        let early = Entry::new(1_700_000_000_000, u64::MAX);
        let late = Entry::new(1_700_000_000_001, 0);
        assert_eq!(early.time_ms(), 1_700_000_000_000);
        assert_eq!(early.tag(), TAG_MASK as u64);
        assert!(early < late);
    }

    #[test]
    fn an_event_of_exactly_the_window_ago_is_out() {
        let bytes = Entry::new(1_700_000_000_000, 1).to_bytes();
        let window = Window::new(&bytes);
        assert_eq!(window.count(300_000, 1_700_000_299_999), 1);
        assert_eq!(window.count(300_000, 1_700_000_300_000), 0);
    }
}
