//! A log in memory that does to its readers what a log may: small batches, records once more,
//! no answer, records gone.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use schemas::lookup::Position;

use crate::log::{Arrival, Bounds, Log, LogError, LogRecord, Reader};

/// One record: the log's time, and the value.
type Kept = (i64, Option<Vec<u8>>);

#[derive(Default)]
struct Part {
    first: usize,
    records: Vec<Kept>,
}

/// The log; clones share it, as processes share a broker.
#[derive(Clone)]
pub struct SimulatedLog {
    parts: Arc<Mutex<Vec<Part>>>,
    rng: Arc<Mutex<Rng>>,
}

impl SimulatedLog {
    pub fn new(rng: Rng) -> Self {
        SimulatedLog { parts: Arc::default(), rng: Arc::new(Mutex::new(rng)) }
    }

    pub fn add_partition(&self) {
        self.parts.lock().push(Part::default());
    }

    pub fn append(&self, partition: usize, time_ms: i64, value: Option<Vec<u8>>) -> i64 {
        let mut parts = self.parts.lock();
        let records = &mut parts[partition].records;
        records.push((time_ms, value));
        records.len() as i64 - 1
    }

    /// Drops what comes before `first`.
    pub fn truncate(&self, partition: usize, first: i64) {
        let part = &mut self.parts.lock()[partition];
        part.first = part.first.max(first as usize);
    }

    pub fn firsts(&self) -> Vec<i64> {
        self.parts.lock().iter().map(|part| part.first as i64).collect()
    }

    pub fn ends(&self) -> Vec<i64> {
        self.parts.lock().iter().map(|part| part.records.len() as i64).collect()
    }
}

impl Log for SimulatedLog {
    type Reader = SimulatedReader;

    fn prepare(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn partitions(&self) -> Result<Vec<i32>, LogError> {
        Ok((0..self.parts.lock().len() as i32).collect())
    }

    fn bounds(&self, partition: i32) -> Result<Bounds, LogError> {
        let part = &self.parts.lock()[partition as usize];
        Ok(Bounds { first: part.first as i64, end: part.records.len() as i64 })
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, LogError> {
        let part = &self.parts.lock()[partition as usize];
        let later = part.records.iter().position(|(at_ms, _)| *at_ms >= time_ms);
        Ok(later.unwrap_or(part.records.len()).max(part.first) as i64)
    }

    fn reader(&self, purpose: &str) -> Result<SimulatedReader, LogError> {
        // A probe is answered, or nothing would ever begin.
        let calm = purpose == "probe";
        if purpose.starts_with("worker") && self.rng.lock().u8(..) < 20 {
            return Err(LogError::Disk(std::io::ErrorKind::OutOfMemory.into()));
        }
        Ok(SimulatedReader { log: self.clone(), assigned: Vec::new(), calm })
    }

    fn settled(&self, _: &Position) {}

    fn lineage(&self) -> String {
        "simulated".to_owned()
    }
}

/// Reads it: partition, where reading began, and the next offset.
pub struct SimulatedReader {
    log: SimulatedLog,
    assigned: Vec<(i32, i64, i64)>,
    calm: bool,
}

impl Reader for SimulatedReader {
    fn assign(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        self.assigned.push((partition, offset, offset));
        Ok(())
    }

    fn read(
        &mut self,
        records_max: usize,
        _: Duration,
        each: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<usize, LogError> {
        let (parts, mut rng) = (self.log.parts.lock(), self.log.rng.lock());
        if !self.calm {
            rng.shuffle(&mut self.assigned);
        }
        let mut count = 0;
        for (partition, from, next) in &mut self.assigned {
            if !self.calm && rng.u8(..) < 20 {
                return Err(LogError::NoAnswer(*partition));
            }
            if !self.calm && rng.u8(..) < 20 {
                // Delivered once more, as after a lost acknowledgement.
                *next = (*next - rng.i64(1..6)).max(*from);
            }
            let part = &parts[*partition as usize];
            let first = part.first as i64;
            if *next < first {
                (*from, *next) = (first, first);
                each(Arrival::Truncated { partition: *partition, first });
            }
            let batch = if self.calm { records_max } else { rng.usize(1..12).min(records_max) };
            let end = part.records.len().min(*next as usize + batch);
            for (offset, (timestamp_ms, value)) in
                part.records.iter().enumerate().take(end).skip(*next as usize)
            {
                let (partition, offset) = (*partition, offset as i64);
                let value = value.as_deref();
                let timestamp_ms = *timestamp_ms;
                each(Arrival::Record(LogRecord { partition, offset, timestamp_ms, value }));
                count += 1;
            }
            *next = (*next).max(end as i64);
            if *next as usize == part.records.len() {
                each(Arrival::End { partition: *partition });
            }
        }
        Ok(count)
    }
}
