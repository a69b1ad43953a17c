//! The follower: finds the log's partitions, hands each to its worker, and watches the lag.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use schemas::time::Clock;

use crate::fold::Bounds;
use crate::following::Following;
use crate::log::{Arrival, Log, LogError, Reader};
use crate::metrics::Metrics;
use crate::ruling::Ruling;
use crate::store::{Partition, Store};
use crate::worker::Assignment;

/// How often the log is asked for its partitions and their ends.
const LOOK_EVERY: Duration = Duration::from_millis(1_000);

/// Where to begin in a partition that the store knows nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Far enough back for every window.
    Windows,
    /// With the log's first record.
    Earliest,
    /// With what comes next.
    Latest,
}

/// Where reading begins, and since when that is everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The first offset to read.
    pub offset: i64,
    /// Every event after this instant is read; `i64::MIN` if the log's first record is.
    pub since_ms: i64,
}

/// Where to begin so that every event after `after_ms` is read, or as many as the log has.
///
/// # Errors
/// When the log is out of reach.
pub fn beginning<L: Log>(
    log: &L,
    partition: i32,
    after_ms: i64,
    skew_ms: i64,
    now_ms: i64,
) -> Result<Beginning, LogError> {
    // An event is at most the skew ahead of its record. Bounds are asked last: what the log
    // drops between the two questions is then seen.
    let asked = log.offset_at(partition, after_ms.saturating_sub(skew_ms))?;
    let first = log.bounds(partition)?.first;
    let offset = asked.max(first);
    if asked > first {
        return Ok(Beginning { offset, since_ms: after_ms });
    }
    if first == 0 {
        return Ok(Beginning { offset, since_ms: i64::MIN });
    }
    let (mut first_ms, mut ended) = (None, false);
    let mut reader = log.reader("probe")?;
    reader.assign(partition, first)?;
    reader.read(1, LOOK_EVERY, &mut |arrival| match arrival {
        Arrival::Record(record) => first_ms = Some(record.timestamp_ms),
        Arrival::End { .. } => ended = true,
        Arrival::Truncated { .. } => {}
    })?;
    // Nothing is left of what was there: everything from now on is read.
    let lost_ms = first_ms.or(ended.then_some(now_ms)).ok_or(LogError::NoAnswer(partition))?;
    let since_ms = lost_ms.saturating_add(skew_ms);
    Ok(Beginning { offset, since_ms: since_ms.max(after_ms) })
}

/// Follows the log's partitions.
pub struct Follower<L> {
    /// What is followed.
    pub log: Arc<L>,
    /// What has been read before.
    pub store: Arc<Store>,
    /// What records are folded by.
    pub ruling: Arc<Ruling>,
    /// Where assignments go: each partition to the worker that its number tells.
    pub workers: Vec<mpsc::Sender<Assignment>>,
    /// What workers tell.
    pub following: Arc<Following>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells now.
    pub clock: Clock,
    /// Where to begin without a stored offset.
    pub start: Start,
    /// How far back the longest window reaches, in milliseconds.
    pub horizon_ms: i64,
    /// How events' times are bounded.
    pub bounds: Bounds,
    /// Set once every partition that was there at start has been assigned.
    pub found: Arc<AtomicBool>,
}

impl<L: Log> Follower<L> {
    /// Follows until `stop` is dropped or used.
    pub fn run(self, stop: &mpsc::Receiver<()>) {
        let mut assigned = BTreeSet::new();
        let mut prepared = false;
        loop {
            let looked = self.look(&mut assigned, &mut prepared);
            let was_connected = self.following.connected.swap(looked.is_ok(), Ordering::Relaxed);
            match looked {
                Ok(()) if !was_connected => tracing::info!("the log answers"),
                Ok(()) => {}
                Err(error) if was_connected || assigned.is_empty() => {
                    tracing::warn!(%error, "the log doesn't answer; trying again");
                }
                Err(error) => tracing::debug!(%error, "the log still doesn't answer"),
            }
            self.metrics.connected.set(self.following.connected.load(Ordering::Relaxed).into());
            let stale_ms = self.following.stale_ms(&self.store.partitions(), (self.clock)());
            self.metrics.stale_ms.set(stale_ms);
            if stop.recv_timeout(LOOK_EVERY) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Hands over the partitions that aren't `assigned` yet, and measures the lag.
    ///
    /// # Errors
    /// When the log is out of reach.
    pub fn look(&self, assigned: &mut BTreeSet<i32>, prepared: &mut bool) -> Result<(), LogError> {
        if !*prepared {
            self.log.prepare()?;
            *prepared = true;
        }
        let found_before = self.found.load(Ordering::Relaxed);
        for partition in self.log.partitions()? {
            if !assigned.contains(&partition) {
                // The store knows of it before anybody is told that all have been found.
                let assignment = self.begin(partition, found_before)?;
                let worker = partition.unsigned_abs() as usize % self.workers.len();
                if self.workers[worker].send(assignment).is_err() {
                    return Ok(());
                }
                assigned.insert(partition);
            }
        }
        self.found.store(true, Ordering::Release);
        for partition in self.store.partitions().iter() {
            let end = self.log.bounds(partition.id)?.end;
            self.metrics.set_lag(partition.id, (end - partition.next_offset()).max(0));
        }
        Ok(())
    }

    /// Has the store begin with a partition, unless it did before.
    fn begin(&self, id: i32, came_later: bool) -> Result<Assignment, LogError> {
        let partitions = self.store.partitions();
        // Asked before the log is: of what came since, nothing is known.
        let current_at_ms = self.following.current_at_ms(&partitions);
        let end = self.log.bounds(id)?.end;
        let (partition, catch_up_to) = match partitions.iter().find(|known| known.id == id) {
            // Beyond the end, the log was made anew: caught up only once it has been read.
            Some(known) if known.next_offset() > end => (Arc::clone(known), Some(i64::MAX)),
            Some(known) => (Arc::clone(known), Some(end)),
            None => {
                let beginning = self.beginning(id, end, came_later)?;
                (self.add(id, beginning, came_later), (!came_later).then_some(end))
            }
        };
        partition.set_current_at_ms(current_at_ms);
        Ok(Assignment { partition, catch_up_to })
    }

    /// Adds a partition to the store, while nobody replaces the catalog that records are folded
    /// by: whoever does so finds it, and has it filled, or it is read by that catalog alone.
    fn add(&self, id: i32, beginning: Beginning, caught_up: bool) -> Arc<Partition> {
        let ruling = self.ruling.hold();
        let partition = self.store.partition(id, beginning.offset, beginning.since_ms);
        partition.set_caught_up(caught_up);
        // What is complete in all partitions may begin later now.
        self.store.with_progress(&ruling, |_| ());
        partition
    }

    /// Where to begin in a partition that ends there. One that comes after the start is read from
    /// its first record.
    fn beginning(&self, partition: i32, end: i64, came_later: bool) -> Result<Beginning, LogError> {
        let now_ms = (self.clock)();
        let after_ms = match self.start {
            Start::Latest if !came_later => {
                return Ok(Beginning { offset: end, since_ms: now_ms });
            }
            Start::Windows if !came_later => {
                now_ms.saturating_sub(self.horizon_ms).saturating_sub(self.bounds.lateness_ms)
            }
            _ => i64::MIN,
        };
        beginning(&*self.log, partition, after_ms, self.bounds.skew_ms, now_ms)
    }
}

#[cfg(test)]
mod tests;
