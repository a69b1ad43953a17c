//! A log that does what a test tells it to, reading by reading.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use parking_lot::Mutex;
use schemas::lookup::Position;

use super::{Arrival, Bounds, Log, LogError, LogRecord, Reader};

/// What a reading hands over.
#[derive(Clone, Debug)]
pub enum Told {
    /// A record: partition, offset, time and value.
    Record(i32, i64, i64, String),
    /// The partition's end.
    End(i32),
    /// The partition lost what was to be read, and begins at this offset now.
    Truncated(i32, i64),
    /// The log doesn't answer any more.
    Failure,
    /// Somebody meets the reader here: both wait for each other.
    Meet(Arc<Barrier>),
}

/// What the log will answer.
#[derive(Default)]
pub struct Script {
    /// What its partitions hold.
    pub bounds: BTreeMap<i32, Bounds>,
    /// What they hold once anything has been asked of them.
    pub bounds_later: Option<BTreeMap<i32, Bounds>>,
    /// Whatever reader asks gets the next of these; nothing arrives once there are none.
    pub readings: VecDeque<Vec<Told>>,
    /// How many readers can't be made, before one can.
    pub refusals: usize,
}

/// The log and its readers, which share the script.
#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    /// A log of one partition, of this first and this end offset.
    pub fn holding(first: i64, end: i64) -> Self {
        let log = Scripted::default();
        log.hold(0, first, end);
        log
    }

    /// Changes what a partition holds.
    pub fn hold(&self, partition: i32, first: i64, end: i64) {
        self.0.lock().bounds.insert(partition, Bounds { first, end });
    }

    /// Changes what partition 0 holds as soon as it has answered one more question.
    pub fn hold_later(&self, first: i64, end: i64) {
        self.0.lock().bounds_later = Some(BTreeMap::from([(0, Bounds { first, end })]));
    }

    /// Appends a reading to the script.
    pub fn tell(&self, reading: &[Told]) {
        self.0.lock().readings.push_back(reading.to_vec());
    }

    /// Refuses the next so many readers.
    pub fn refuse(&self, readers: usize) {
        self.0.lock().refusals = readers;
    }

    /// How many readings nobody has asked for.
    pub fn untold(&self) -> usize {
        self.0.lock().readings.len()
    }

    fn answer(&self, partition: i32) -> Bounds {
        let mut script = self.0.lock();
        let held = script.bounds[&partition];
        if let Some(later) = script.bounds_later.take() {
            script.bounds = later;
        }
        held
    }
}

impl Log for Scripted {
    type Reader = Scripted;

    fn prepare(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn partitions(&self) -> Result<Vec<i32>, LogError> {
        Ok(self.0.lock().bounds.keys().copied().collect())
    }

    fn bounds(&self, partition: i32) -> Result<Bounds, LogError> {
        Ok(self.answer(partition))
    }

    /// Every record is younger than any instant that is asked for.
    fn offset_at(&self, partition: i32, _: i64) -> Result<i64, LogError> {
        Ok(self.answer(partition).first)
    }

    fn reader(&self, _: &str) -> Result<Scripted, LogError> {
        let mut script = self.0.lock();
        if let Some(left) = script.refusals.checked_sub(1) {
            script.refusals = left;
            return Err(LogError::Disk(std::io::ErrorKind::OutOfMemory.into()));
        }
        Ok(self.clone())
    }

    fn settled(&self, _: &Position) {}

    fn lineage(&self) -> String {
        "scripted".to_owned()
    }
}

impl Reader for Scripted {
    fn assign(&mut self, _: i32, _: i64) -> Result<(), LogError> {
        Ok(())
    }

    fn read(
        &mut self,
        _: usize,
        _: Duration,
        each: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<usize, LogError> {
        let told = self.0.lock().readings.pop_front().unwrap_or_default();
        for arrival in &told {
            match arrival {
                Told::Record(partition, offset, timestamp_ms, value) => {
                    let (partition, offset, timestamp_ms) = (*partition, *offset, *timestamp_ms);
                    let value = Some(value.as_bytes());
                    each(Arrival::Record(LogRecord { partition, offset, timestamp_ms, value }));
                }
                Told::End(partition) => each(Arrival::End { partition: *partition }),
                Told::Truncated(partition, first) => {
                    each(Arrival::Truncated { partition: *partition, first: *first });
                }
                Told::Meet(barrier) => drop(barrier.wait()),
                Told::Failure => return Err(LogError::NoTopic("scripted".to_owned())),
            }
        }
        Ok(told.len())
    }
}
