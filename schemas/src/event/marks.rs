//! Marks: where quotes, backslashes and what JSON has no place for in texts stand in a record,
//! found sixty-four bytes at a time.

use wide::u8x16;

const BLOCK_BYTES: usize = 64;
const LANES: usize = 16;

/// The marks of one block of a record.
#[derive(Debug)]
pub(super) struct Marks {
    block_at: usize,
    /// The lowest bit is the block's first byte.
    marked: u64,
}

impl Marks {
    /// Those of a record's first block.
    pub fn new(record: &[u8]) -> Self {
        Marks { block_at: 0, marked: marked(record) }
    }

    /// Where the first mark is from this place on, which lies behind any that was found before.
    /// Where there is none, there is none further on.
    #[inline]
    pub fn first(&mut self, record: &[u8], from: usize) -> Option<usize> {
        debug_assert!(from >= self.block_at);
        let within = from - self.block_at;
        if within < BLOCK_BYTES {
            let ahead = self.marked >> within;
            if ahead != 0 {
                return Some(from + ahead.trailing_zeros() as usize);
            }
        }
        self.first_of_next(record, from)
    }

    /// The same where this block has none.
    #[inline(never)]
    fn first_of_next(&mut self, record: &[u8], from: usize) -> Option<usize> {
        let next_at = (self.block_at + BLOCK_BYTES).max(from);
        let mut rest = record.get(next_at..)?;
        self.block_at = next_at;
        loop {
            self.marked = marked(rest);
            if self.marked != 0 {
                return Some(self.block_at + self.marked.trailing_zeros() as usize);
            }
            rest = rest.get(BLOCK_BYTES..)?;
            self.block_at += BLOCK_BYTES;
        }
    }
}

/// Whether `is_it` holds of what begins with any dollar sign or backslash of these bytes.
pub(crate) fn any_dollar(bytes: &[u8], mut is_it: impl FnMut(&[u8]) -> bool) -> bool {
    let [dollar, backslash] = [b'$', b'\\'].map(u8x16::splat);
    let mut rest = bytes;
    loop {
        let mut marked = of_block(rest, |bytes| bytes.simd_eq(dollar) | bytes.simd_eq(backslash));
        while marked != 0 {
            if is_it(&rest[marked.trailing_zeros() as usize..]) {
                return true;
            }
            marked &= marked - 1;
        }
        match rest.get(BLOCK_BYTES..) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
}

/// The marks of the first block of these bytes.
fn marked(bytes: &[u8]) -> u64 {
    let [quote, backslash, control] = [b'"', b'\\', 0x1f].map(u8x16::splat);
    of_block(bytes, |bytes| {
        let is_control = bytes.min(control).simd_eq(bytes);
        bytes.simd_eq(quote) | bytes.simd_eq(backslash) | is_control
    })
}

/// Of the first block of these bytes, those that are marked; a space, which nobody marks, stands
/// for what lies behind the end.
#[inline]
fn of_block(bytes: &[u8], is_marked: impl Fn(u8x16) -> u8x16) -> u64 {
    let of_whole = |block: &[u8; BLOCK_BYTES]| {
        let lanes = block.as_chunks::<LANES>().0.iter();
        lanes.rev().fold(0, |marked, lanes| {
            marked << LANES | u64::from(is_marked(u8x16::new(*lanes)).to_bitmask())
        })
    };
    match bytes.first_chunk() {
        Some(block) => of_whole(block),
        None => {
            let mut block = [b' '; BLOCK_BYTES];
            block[..bytes.len()].copy_from_slice(bytes);
            of_whole(&block)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_stand() {
        let is_mark = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        for len in [0, 1, 15, 16, 63, 64, 65, 127, 128, 129, 300] {
            for seed in 0..40usize {
                // Few marks, at other places for each seed; all bytes there are stand between.
                let few = if seed.is_multiple_of(4) { 211 } else { 23 };
                let byte = |at: usize| match (at * 31 + seed * 17) % few {
                    0 => b'"',
                    1 if seed % 3 == 0 => b'\\',
                    2 if seed % 5 == 0 => (at % 32) as u8,
                    _ => b' ' + ((at * 7 + seed) % 224) as u8,
                };
                let record: Vec<u8> = (0..len).map(byte).collect();
                let mut marks = Marks::new(&record);
                let mut from = seed;
                loop {
                    let naive = (from..len).find(|at| is_mark(&record[*at]));
                    assert_eq!(marks.first(&record, from), naive, "{record:?} from {from}");
                    let Some(found) = naive else { break };
                    from = found + 1 + found % (1 + seed * 3);
                }
            }
        }
    }

    #[test]
    fn dollars_and_backslashes_are_found_in_order() {
        for len in [0, 1, 63, 64, 65, 200] {
            for step in 1..70 {
                let byte = |at: usize| if at.is_multiple_of(step) { b"$\\"[at % 2] } else { b'"' };
                let bytes: Vec<u8> = (0..len).map(byte).collect();
                let mut found = Vec::new();
                let any = any_dollar(&bytes, |rest| {
                    found.push(len - rest.len());
                    false
                });
                let naive: Vec<usize> = (0..len).step_by(step).collect();
                assert_eq!((any, found), (false, naive), "{len}, one in {step}");
                let is_last = len > 0 && (len - 1).is_multiple_of(step);
                assert_eq!(any_dollar(&bytes, |rest| rest.len() == 1), is_last);
            }
        }
    }
}
