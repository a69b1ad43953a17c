//! An entry: when a hit happened, and what stands for the event that it was.

use crate::time::YEAR_2000_MS;

/// Bytes of one [`Entry`].
pub const ENTRY_BYTES: usize = 12;

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
}
