//! Windows: what is kept of a matcher's hits for one distinct id, and how a hit changes it.
//!
//! There are several ways to keep hits, [`Keep`]; each merges in any order and any number of
//! times. Stored bytes of a window are entries newest first, but for [`values`].

mod entry;
mod newest;
pub mod stretches;
#[cfg(test)]
mod tests;
pub mod values;

use std::iter::{empty, once};

use serde::{Deserialize, Serialize};

pub use entry::{ENTRY_BYTES, Entry};
pub use newest::{LOST_BYTES, Placing, Window};
pub use values::Value;

/// The most entries a window keeps: thresholds above are refused in definitions.
pub const ENTRIES_MAX: u16 = 1_025;
/// How many entries are kept where no threshold says how many are enough, such as for sums.
pub const ENTRIES_SUMMED: u16 = 256;
/// The horizon of what is kept however old it is.
pub const FOREVER_MS: i64 = i64::MAX;

/// How hits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Keep {
    /// The newest K.
    #[default]
    Newest,
    /// The earliest.
    Earliest,
    /// The newest K and the earliest K of each stretch of this many milliseconds.
    Stretches(i64),
    /// The newest K with their values, and of older ones the newest of each value.
    Values,
    /// The newest K with their numbers, and of older ones the extremes.
    Numbers,
}

/// What is kept for a matcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// In which way.
    #[serde(default)]
    pub keep: Keep,
    /// How many entries.
    pub k: u16,
    /// For how long, in milliseconds.
    pub horizon_ms: i64,
}

/// An event that a matcher accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// When, and by which event.
    pub entry: Entry,
    /// What the matcher takes from the event; [`Value::NONE`] if it takes nothing.
    pub value: Value,
}

/// What folding a hit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// The entry is kept, or an earlier time of the same event took its place.
    Kept,
    /// The event was there already, at this time or an earlier one.
    Duplicate,
    /// K newer entries are kept already.
    Older,
}

/// A stretch of time: after the one instant, up to and including the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Epoch milliseconds; this instant is out.
    pub after_ms: i64,
    /// Epoch milliseconds; this instant is in.
    pub until_ms: i64,
}

impl Range {
    /// All time.
    pub const EVER: Range = Range { after_ms: i64::MIN, until_ms: i64::MAX };

    /// What lies in both.
    pub fn and(self, other: Range) -> Range {
        Range {
            after_ms: self.after_ms.max(other.after_ms),
            until_ms: self.until_ms.min(other.until_ms),
        }
    }

    /// Whether an instant lies in it.
    pub fn contains(self, time_ms: i64) -> bool {
        self.after_ms < time_ms && time_ms <= self.until_ms
    }
}

impl From<Entry> for Hit {
    /// A hit of a matcher that takes nothing from events.
    fn from(entry: Entry) -> Self {
        Hit { entry, value: Value::NONE }
    }
}

impl Kept {
    /// The newest `k`, for so long.
    pub fn newest(k: u16, horizon_ms: i64) -> Self {
        Kept { keep: Keep::Newest, k, horizon_ms }
    }

    /// The most bytes that are stored of one person, whatever they do.
    pub fn bytes_max(self) -> usize {
        let k = usize::from(self.k);
        match self.keep {
            Keep::Newest => k * ENTRY_BYTES + LOST_BYTES,
            Keep::Earliest => ENTRY_BYTES,
            Keep::Stretches(length_ms) => {
                let entries = stretches::entries_most(self.k, length_ms, self.horizon_ms);
                let entries = usize::try_from(entries).unwrap_or(usize::MAX);
                entries.saturating_mul(ENTRY_BYTES).saturating_add(LOST_BYTES)
            }
            Keep::Values => values::bytes(2 * k),
            Keep::Numbers => values::bytes(k + values::EXTREMES),
        }
    }

    /// Whether that is more than is kept of one person for one matcher.
    pub fn is_too_much(self) -> bool {
        match self.keep {
            Keep::Stretches(length_ms) => {
                let entries = stretches::entries_most(self.k, length_ms, self.horizon_ms);
                entries > stretches::STRETCHED_ENTRIES_MAX
            }
            _ => false,
        }
    }

    /// The stored bytes of a window once `hit` is folded into `stored`; none if that changes
    /// nothing. The newest are folded in place, by [`crate::record::Record`].
    pub fn fold(self, stored: &[u8], hit: Hit) -> Option<Vec<u8>> {
        match self.keep {
            Keep::Newest => None,
            Keep::Earliest => earliest(stored, hit.entry),
            Keep::Stretches(length_ms) => stretches::add(self, length_ms, stored, hit.entry),
            Keep::Values | Keep::Numbers => values::merge(self, stored, once(hit), empty()),
        }
    }

    /// The stored bytes of a window once another one of the same matcher is merged in; likewise.
    pub fn merge(self, stored: &[u8], other: &[u8]) -> Option<Vec<u8>> {
        let window = || Window::new(other);
        match self.keep {
            Keep::Newest => Some(newest::merge(Window::new(stored), window(), self.k)),
            Keep::Earliest => earliest(stored, window().newest()?),
            Keep::Stretches(length_ms) => stretches::merge(self, length_ms, stored, window()),
            Keep::Values | Keep::Numbers => {
                let other = values::Values::new(other);
                values::merge(self, stored, other.newest(), other.older())
            }
        }
    }

    /// What is stored without what was at `until_ms` and before.
    pub fn after(self, stored: &[u8], until_ms: i64) -> Vec<u8> {
        if matches!(self.keep, Keep::Values | Keep::Numbers) {
            return values::after(stored, until_ms);
        }
        let window = Window::new(stored);
        let lost_ms = match self.keep {
            Keep::Stretches(length_ms) => {
                stretches::lost_after(self.k, length_ms, window, until_ms)
            }
            _ => window.lost_ms(),
        };
        let entries = window.entries().filter(|entry| entry.time_ms() > until_ms);
        let mut after = stored_of(&entries.collect::<Vec<_>>());
        let lost_ms = lost_ms.filter(|lost_ms| *lost_ms > until_ms);
        after.extend(lost_ms.map(i64::to_le_bytes).into_iter().flatten());
        after
    }

    /// The newest entry that is stored.
    pub fn newest_of(self, stored: &[u8]) -> Option<Entry> {
        match self.keep {
            Keep::Values | Keep::Numbers => values::Values::new(stored).newest().next(),
            _ => return Window::new(stored).newest(),
        }
        .map(|hit| hit.entry)
    }

    /// Whether some condition may still see what is stored when the log is at `log_time_ms`.
    pub fn is_visible(self, stored: &[u8], log_time_ms: i64) -> bool {
        let held_ms = match self.keep {
            Keep::Values | Keep::Numbers => {
                values::Values::new(stored).all().map(|hit| hit.entry.time_ms()).max()
            }
            _ => {
                let window = Window::new(stored);
                // That others are missing is to be seen as long as they would be.
                window.newest().map(Entry::time_ms).max(window.lost_ms())
            }
        };
        held_ms.is_some_and(|held_ms| held_ms > log_time_ms.saturating_sub(self.horizon_ms))
    }
}

fn earliest(stored: &[u8], entry: Entry) -> Option<Vec<u8>> {
    let earlier = Window::new(stored).newest().is_some_and(|held| held <= entry);
    (!earlier).then(|| entry.to_bytes().to_vec())
}

/// Whether these bytes may be stored of a window, in whichever way it keeps hits.
pub(crate) fn is_whole(stored: &[u8]) -> bool {
    newest::is_whole(stored) || values::is_whole(stored)
}

fn stored_of(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_bytes()).collect()
}
