//! The worker: one thread that reads the log and folds, in batches, and says how far it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use fail::fail_point;
use schemas::catalog::Catalog;
use schemas::time::Clock;

use crate::fold::{Fold, Reading};
use crate::following::Following;
use crate::log::{Arrival, LogError, LogRecord, Reader};
use crate::metrics::{EventCounts, Metrics};
use crate::store::{Partition, Store};

/// Records folded between two looks at anything else.
const BATCH_RECORDS_MAX: usize = 1_000;
/// How long the worker waits for a record before it looks at its orders.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long it rests while there is no room for more changed people.
const FULL_WAIT: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 20 });

/// What the worker is told between batches.
pub enum Order {
    /// Fold by this catalog from now on; answered once that has begun.
    Use(Arc<Catalog>, mpsc::SyncSender<()>),
    /// Read this partition too.
    Assign(Assignment),
}

/// A partition to read.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Which one.
    pub partition: i32,
    /// From here.
    pub offset: i64,
    /// Since when that is everything, if the store doesn't know it already.
    pub since_ms: i64,
    /// Where the log ended when this node started, if the partition was there then: conditions
    /// are unknown until it is reached.
    pub catch_up_to: Option<i64>,
}

/// A partition as the worker reads it.
struct Followed {
    partition: Arc<Partition>,
    catch_up_to: Option<i64>,
    next_offset: i64,
    /// Nothing is left to read.
    at_end: bool,
    /// Nothing was left at some moment since progress was last published.
    ended: bool,
    /// When nothing was left to read.
    current_at_ms: i64,
    /// The log lost records here; coverage begins with the next that comes.
    truncated: bool,
}

/// Reads and folds.
pub struct Worker<R> {
    reader: R,
    orders: mpsc::Receiver<Order>,
    clock: Clock,
    following: Arc<Following>,
    metrics: Arc<Metrics>,
    store: Arc<Store>,
    catalog: Arc<Catalog>,
    fold: Fold,
    skew_ms: i64,
    followed: BTreeMap<i32, Followed>,
    counts: EventCounts,
}

/// What a worker is made of besides its reader.
pub struct Parts {
    /// What it is told.
    pub orders: mpsc::Receiver<Order>,
    /// Tells now; only freshness depends on it, never state.
    pub clock: Clock,
    /// What it tells.
    pub following: Arc<Following>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What it changes.
    pub store: Arc<Store>,
    /// What it begins with.
    pub catalog: Arc<Catalog>,
    /// How records are read.
    pub reading: Reading,
}

impl<R: Reader> Worker<R> {
    /// A worker with nothing assigned.
    pub fn new(reader: R, parts: Parts) -> Self {
        Worker {
            reader,
            orders: parts.orders,
            clock: parts.clock,
            following: parts.following,
            metrics: parts.metrics,
            store: parts.store,
            skew_ms: parts.reading.bounds.skew_ms,
            fold: Fold::new(parts.reading),
            catalog: parts.catalog,
            followed: BTreeMap::new(),
            counts: EventCounts::default(),
        }
    }

    /// Works until it is told to stop, or nobody can tell it anything any more.
    pub fn run(mut self) {
        while !self.following.stop.load(Ordering::Acquire) {
            if !self.turn() {
                return;
            }
        }
    }

    /// Does what it was told, and folds a batch. Returns whether anybody can tell it more.
    pub fn turn(&mut self) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order);
        }
        if self.followed.is_empty() || self.following.full.load(Ordering::Acquire) {
            match self.orders.recv_timeout(FULL_WAIT) {
                Ok(order) => self.obey(order),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            }
        } else if let Err(error) = self.read() {
            self.rest_after(&error);
        }
        true
    }

    /// Waits so long for an order, and obeys.
    #[cfg(test)]
    pub fn obey_within(&mut self, wait: Duration) {
        if let Ok(order) = self.orders.recv_timeout(wait) {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Use(catalog, begun) => {
                // One moment for all: no partition is read by the old catalog and taken for
                // complete by the new.
                let live = self.store.position();
                self.store.take_up(&catalog, &live);
                self.catalog = catalog;
                // Whoever asked may have gone; the catalog is in use all the same.
                let _ = begun.send(());
            }
            Order::Assign(assignment) => {
                if let Err(error) = self.assign(&assignment) {
                    tracing::error!(%error, partition = assignment.partition, "can't be read");
                }
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment) -> Result<(), LogError> {
        let Assignment { partition: id, offset, since_ms, catch_up_to } = *assignment;
        if self.followed.contains_key(&id) {
            return Ok(());
        }
        self.reader.assign(id, offset)?;
        let partition = self.store.partition(id, offset, since_ms);
        self.store.with_progress(&self.catalog, |_| ());
        tracing::info!(partition = id, offset, ?catch_up_to, "following");
        let followed = Followed {
            partition,
            catch_up_to,
            next_offset: offset,
            at_end: false,
            ended: false,
            current_at_ms: self.following.current_at_ms.load(Ordering::Relaxed),
            truncated: false,
        };
        self.followed.insert(id, followed);
        self.publish();
        Ok(())
    }

    fn read(&mut self) -> Result<(), LogError> {
        let mut met = Met {
            catalog: &self.catalog,
            fold: &mut self.fold,
            followed: &mut self.followed,
            counts: &mut self.counts,
            log_time_ms: i64::MIN,
            restarted: Vec::new(),
        };
        let read = self.reader.read(BATCH_RECORDS_MAX, IDLE_WAIT, &mut |arrival| met.meet(arrival));
        let (log_time_ms, restarted) = (met.log_time_ms, met.restarted);
        self.fold.settle(&mut |effect| self.counts.count(effect));
        fail_point!("worker.folded", |_| std::process::abort());
        for (partition, offset, seen_ms) in restarted {
            self.restart(partition, offset, seen_ms);
        }
        self.following.log_time_ms.fetch_max(log_time_ms, Ordering::Relaxed);
        // Counted before it is published: whoever sees its effect sees it counted.
        self.metrics.count_events(&mut self.counts, &self.catalog);
        self.publish();
        read.map(|_| ())
    }

    /// Coverage of a truncated partition begins with the first record that is left, or now.
    fn restart(&mut self, id: i32, offset: i64, seen_ms: Option<i64>) {
        let since_ms = seen_ms.unwrap_or_else(|| (self.clock)()) + self.skew_ms;
        tracing::error!(
            partition = id,
            offset,
            since_ms,
            "the log no longer has what was to be read next: events are lost, and conditions \
             that look further back than this are unknown until their windows have passed"
        );
        self.store.with_progress(&self.catalog, |progress| {
            if let Some(partition) = progress.partitions.get_mut(&id) {
                partition.restart(offset, since_ms);
            }
        });
        self.metrics.truncations.inc();
    }

    fn publish(&mut self) {
        let now_ms = (self.clock)();
        let connected = self.following.connected.load(Ordering::Relaxed);
        let mut current_at_ms = now_ms;
        for followed in self.followed.values_mut() {
            // The offset past a loss is told only once coverage tells of the loss.
            if !followed.truncated {
                followed.partition.advance(followed.next_offset);
            }
            let target = followed.catch_up_to.unwrap_or(i64::MIN);
            if !followed.truncated && (followed.at_end || followed.next_offset >= target) {
                followed.partition.set_caught_up(true);
            }
            if std::mem::take(&mut followed.ended) || (followed.at_end && connected) {
                followed.current_at_ms = now_ms;
            }
            current_at_ms = current_at_ms.min(followed.current_at_ms);
        }
        self.following.current_at_ms.store(current_at_ms, Ordering::Relaxed);
        let position = self.store.position();
        self.following.position.send_if_modified(|published| {
            let moved = *published != position;
            *published = position;
            moved
        });
    }

    fn rest_after(&mut self, error: &LogError) {
        tracing::debug!(%error, "the log can't be read; trying again");
        if let Ok(order) = self.orders.recv_timeout(FULL_WAIT) {
            self.obey(order);
        }
    }
}

/// One batch being folded.
struct Met<'w> {
    catalog: &'w Catalog,
    fold: &'w mut Fold,
    followed: &'w mut BTreeMap<i32, Followed>,
    counts: &'w mut EventCounts,
    log_time_ms: i64,
    /// Partitions that lost records: where they begin now, and the time of what was there.
    restarted: Vec<(i32, i64, Option<i64>)>,
}

impl Met<'_> {
    fn meet(&mut self, arrival: Arrival<'_>) {
        match arrival {
            Arrival::Record(record) => self.fold(record),
            Arrival::End { partition } => {
                if let Some(followed) = self.followed.get_mut(&partition) {
                    followed.at_end = true;
                    followed.ended = true;
                    if std::mem::take(&mut followed.truncated) {
                        self.restarted.push((partition, followed.next_offset, None));
                    }
                }
            }
            Arrival::Truncated { partition, first } => {
                if let Some(followed) = self.followed.get_mut(&partition) {
                    followed.next_offset = first;
                    followed.truncated = true;
                    followed.at_end = false;
                    followed.catch_up_to = Some(i64::MAX);
                    // Until it is known since when the rest is complete, nothing is.
                    followed.partition.set_caught_up(false);
                }
            }
        }
    }

    fn fold(&mut self, record: LogRecord<'_>) {
        let Some(followed) = self.followed.get_mut(&record.partition) else {
            return;
        };
        let counts = &mut *self.counts;
        let mut count = |effect| counts.count(effect);
        self.fold.take(self.catalog, &followed.partition, record, &mut count);
        self.log_time_ms = self.log_time_ms.max(record.timestamp_ms);
        // A record that is delivered once more takes nothing back.
        followed.next_offset = followed.next_offset.max(record.offset + 1);
        followed.at_end = false;
        if std::mem::take(&mut followed.truncated) {
            let seen_ms = Some(record.timestamp_ms);
            self.restarted.push((record.partition, record.offset, seen_ms));
        }
    }
}

#[cfg(test)]
mod tests;
