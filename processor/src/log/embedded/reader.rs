//! The reader of the embedded log: from an offset on, batch by batch.

use std::sync::Arc;
use std::time::Duration;

use rocksdb::ReadOptions;

use super::super::layout::{Stored, key_of, offset_of};
use super::super::{Arrival, Bounds, LogError, LogRecord, Reader};
use super::{Inner, PARTITION};

/// Reads the embedded log.
pub struct EmbeddedReader {
    inner: Arc<Inner>,
    next: Option<i64>,
}

impl EmbeddedReader {
    /// Nothing is assigned yet.
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        EmbeddedReader { inner, next: None }
    }

    /// Waits until there is something from `next` on.
    fn await_growth(&self, next: i64, wait: Duration) -> Bounds {
        let mut bounds = self.inner.bounds.lock();
        if bounds.end <= next && !wait.is_zero() {
            self.inner.grown.wait_for(&mut bounds, wait);
        }
        *bounds
    }
}

impl Reader for EmbeddedReader {
    fn assign(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        debug_assert_eq!(partition, PARTITION);
        self.next = Some(offset);
        Ok(())
    }

    fn read(
        &mut self,
        records_max: usize,
        wait: Duration,
        each: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<usize, LogError> {
        let Some(mut next) = self.next else {
            return Ok(0);
        };
        let bounds = self.await_growth(next, wait);
        if next < bounds.first || next > bounds.end {
            next = bounds.first;
            each(Arrival::Truncated { partition: PARTITION, first: next });
        }
        let mut left = records_max;
        let mut once = ReadOptions::default();
        // Whoever reads the log reads on: nobody asks again for what was read.
        once.fill_cache(false);
        let mut batches = self.inner.db.raw_iterator_opt(once);
        if next < bounds.end {
            batches.seek(key_of(next));
        }
        while left > 0 && next < bounds.end && batches.valid() {
            let Some((last, bytes)) = batches.item().and_then(|(k, v)| Some((offset_of(k)?, v)))
            else {
                break;
            };
            next = hand_over((last, bytes), next, &mut left, each)?;
            batches.next();
        }
        batches.status()?;
        self.next = Some(next);
        if next >= bounds.end {
            each(Arrival::End { partition: PARTITION });
        }
        Ok(records_max - left)
    }
}

/// Hands over what a batch holds from `next` on, and counts down what is `left` to read. Returns
/// the offset to go on at.
fn hand_over(
    (last, bytes): (i64, &[u8]),
    next: i64,
    left: &mut usize,
    each: &mut dyn FnMut(Arrival<'_>),
) -> Result<i64, LogError> {
    let partition = PARTITION;
    let batch = Stored::read(bytes).ok_or(LogError::Torn(last))?;
    let (timestamp_ms, first) = (batch.time_ms, last + 1 - i64::from(batch.records));
    if first > next {
        // Trimmed since the bounds were read.
        each(Arrival::Truncated { partition, first });
    }
    let mut offset = first;
    for value in batch {
        if *left == 0 {
            return Ok(offset);
        }
        if offset >= next {
            *left -= 1;
            let value = Some(value);
            each(Arrival::Record(LogRecord { partition, offset, timestamp_ms, value }));
        }
        offset += 1;
    }
    if offset == last + 1 { Ok(offset) } else { Err(LogError::Torn(offset)) }
}
