//! Following: finds the log's partitions, hands each to the worker, and watches the lag.

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
use crate::store::Store;
use crate::worker::{Assignment, Order};

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
    /// Where assignments go.
    pub orders: mpsc::Sender<Order>,
    /// What the worker tells.
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
            self.metrics.stale_ms.set(self.following.stale_ms((self.clock)()));
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
                let assignment = self.assignment(partition, found_before)?;
                // The store knows of it before anybody is told that all have been found.
                let Assignment { offset, since_ms, .. } = assignment;
                let known = self.store.partition(partition, offset, since_ms);
                if assignment.catch_up_to.is_none() {
                    known.set_caught_up(true);
                }
                if self.orders.send(Order::Assign(assignment)).is_err() {
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

    /// A partition that comes after the start is read from its first record.
    fn assignment(&self, partition: i32, came_later: bool) -> Result<Assignment, LogError> {
        let bounds = self.log.bounds(partition)?;
        let catch_up_to = (!came_later).then_some(bounds.end);
        let partitions = self.store.partitions();
        if let Some(known) = partitions.iter().find(|known| known.id == partition) {
            let offset = known.next_offset();
            // Beyond the end, the log was made anew: caught up only once it has been read.
            let catch_up_to = if offset > bounds.end { Some(i64::MAX) } else { catch_up_to };
            return Ok(Assignment { partition, offset, since_ms: i64::MIN, catch_up_to });
        }
        let now_ms = (self.clock)();
        let Beginning { offset, since_ms } = match self.start {
            Start::Latest if !came_later => Beginning { offset: bounds.end, since_ms: now_ms },
            Start::Windows if !came_later => {
                let after_ms =
                    now_ms.saturating_sub(self.horizon_ms).saturating_sub(self.bounds.lateness_ms);
                beginning(&*self.log, partition, after_ms, self.bounds.skew_ms, now_ms)?
            }
            _ => beginning(&*self.log, partition, i64::MIN, self.bounds.skew_ms, now_ms)?,
        };
        Ok(Assignment { partition, offset, since_ms, catch_up_to })
    }
}

#[cfg(test)]
mod tests;
