//! A worker: a thread that reads its share of the partitions and folds, in batches, and says how
//! far it is. Workers share the state that they fold into and the catalog that they fold by.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fail::fail_point;
use schemas::catalog::Catalog;
use schemas::time::Clock;

use crate::fold::{Fold, Reading};
use crate::following::Following;
use crate::log::{Arrival, Log, LogError, LogRecord, Reader};
use crate::metrics::{EventCounts, Metrics};
use crate::priority::{self, Pieces};
use crate::ruling::Ruling;
use crate::store::{Partition, Store};

/// Records folded between two looks at anything else: as many as the catalog is held for.
const BATCH_RECORDS_MAX: usize = 1_000;
/// How long a worker waits for a record before it looks at what it was assigned.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long it rests while there is no room for more changed people, or nothing to read.
const FULL_WAIT: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 20 });

/// A partition to read, from its next offset on.
pub struct Assignment {
    /// Which one.
    pub partition: Arc<Partition>,
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
    /// The log lost records here; coverage begins with the next that comes.
    truncated: bool,
}

impl Followed {
    /// Whether everybody knows how far it was read.
    fn is_published(&self) -> bool {
        self.truncated || self.partition.next_offset() == self.next_offset
    }
}

/// Reads and folds.
pub struct Worker<L: Log> {
    log: Arc<L>,
    name: String,
    /// There is none before anything is assigned: it takes threads and connections.
    reader: Option<L::Reader>,
    assignments: mpsc::Receiver<Assignment>,
    /// What was assigned, and can't be read yet.
    waiting: Vec<Assignment>,
    /// That has failed, and was told.
    refused: bool,
    clock: Clock,
    following: Arc<Following>,
    metrics: Arc<Metrics>,
    store: Arc<Store>,
    ruling: Arc<Ruling>,
    fold: Fold,
    skew_ms: i64,
    followed: BTreeMap<i32, Followed>,
    counts: EventCounts,
}

/// What a worker is made of besides its log.
pub struct Parts {
    /// What it is to read.
    pub assignments: mpsc::Receiver<Assignment>,
    /// Tells now; only freshness depends on it, never state.
    pub clock: Clock,
    /// What it tells.
    pub following: Arc<Following>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What it changes.
    pub store: Arc<Store>,
    /// What it folds by.
    pub ruling: Arc<Ruling>,
    /// How records are read.
    pub reading: Reading,
}

impl<L: Log> Worker<L> {
    /// A worker of this name with nothing assigned.
    pub fn new(log: Arc<L>, name: String, parts: Parts) -> Self {
        Worker {
            log,
            name,
            reader: None,
            assignments: parts.assignments,
            waiting: Vec::new(),
            refused: false,
            clock: parts.clock,
            following: parts.following,
            metrics: parts.metrics,
            store: parts.store,
            ruling: parts.ruling,
            skew_ms: parts.reading.bounds.skew_ms,
            fold: Fold::new(parts.reading),
            followed: BTreeMap::new(),
            counts: EventCounts::default(),
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        // What it starts to read with, such as librdkafka's threads, is as it is.
        priority::step_aside();
        priority::work_in_pieces();
        while !self.following.stop.load(Ordering::Acquire) {
            self.turn();
        }
    }

    /// Begins to read what it was assigned, and folds a batch.
    pub fn turn(&mut self) {
        self.waiting.extend(self.assignments.try_iter());
        self.begin();
        if self.followed.is_empty() || self.following.full.load(Ordering::Acquire) {
            self.rest();
        } else if let Err(error) = self.read() {
            tracing::debug!(%error, "the log can't be read; trying again");
            self.rest();
        }
    }

    /// Begins to read what is waiting. What can't be read yet is tried again at the next turn.
    fn begin(&mut self) {
        for assignment in std::mem::take(&mut self.waiting) {
            let partition = assignment.partition.id;
            let Err(error) = self.assign(&assignment) else {
                self.refused = false;
                continue;
            };
            if !std::mem::replace(&mut self.refused, true) {
                tracing::error!(%error, partition, "can't be read yet; trying again");
            }
            self.waiting.push(assignment);
        }
    }

    fn assign(&mut self, assignment: &Assignment) -> Result<(), LogError> {
        let Assignment { partition, catch_up_to } = assignment;
        let (id, next_offset) = (partition.id, partition.next_offset());
        if self.followed.contains_key(&id) {
            return Ok(());
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.log.reader(&self.name)?),
        };
        reader.assign(id, next_offset)?;
        tracing::info!(partition = id, offset = next_offset, ?catch_up_to, "following");
        let followed = Followed {
            partition: Arc::clone(partition),
            catch_up_to: *catch_up_to,
            next_offset,
            at_end: false,
            ended: false,
            truncated: false,
        };
        self.followed.insert(id, followed);
        self.publish();
        Ok(())
    }

    /// Waits a while, or until something is assigned.
    fn rest(&mut self) {
        match self.assignments.recv_timeout(FULL_WAIT) {
            Ok(assignment) => self.waiting.push(assignment),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            // Nothing will be assigned any more; what was goes on being read.
            Err(mpsc::RecvTimeoutError::Disconnected) => thread::park_timeout(FULL_WAIT),
        }
    }

    fn read(&mut self) -> Result<(), LogError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let mut met = Met {
            fold: &mut self.fold,
            followed: &mut self.followed,
            counts: &mut self.counts,
            pieces: Pieces::default(),
            log_time_ms: i64::MIN,
            restarted: Vec::new(),
        };
        let ruling = Arc::clone(&self.ruling);
        let mut held = None;
        let read = reader.read(BATCH_RECORDS_MAX, IDLE_WAIT, &mut |arrival| {
            // Held no sooner than something has come: nobody is held up by a silent log.
            met.meet(held.get_or_insert_with(|| ruling.hold()), arrival);
        });
        let (log_time_ms, restarted) = (met.log_time_ms, met.restarted);
        self.fold.settle(&mut |effect| self.counts.count(effect));
        fail_point!("worker.folded", |_| std::process::abort());
        if let Some(catalog) = &held {
            for (partition, offset, seen_ms) in restarted {
                self.restart(catalog, partition, offset, seen_ms);
            }
            self.following.log_time_ms.fetch_max(log_time_ms, Ordering::Relaxed);
            // Counted before it is published: whoever sees its effect sees it counted.
            self.metrics.count_events(&mut self.counts, catalog);
        }
        // Published while the catalog is held: up to there all was folded by this one.
        debug_assert!(held.is_some() || self.followed.values().all(Followed::is_published));
        self.publish();
        drop(held);
        read.map(|_| ())
    }

    /// Coverage of a truncated partition begins with the first record that is left, or now.
    fn restart(&self, catalog: &Catalog, id: i32, offset: i64, seen_ms: Option<i64>) {
        let since_ms = seen_ms.unwrap_or_else(|| (self.clock)()) + self.skew_ms;
        tracing::error!(
            partition = id,
            offset,
            since_ms,
            "the log no longer has what was to be read next: events are lost, and conditions \
             that look further back than this are unknown until their windows have passed"
        );
        self.store.with_progress(catalog, |progress| {
            if let Some(partition) = progress.partitions.get_mut(&id) {
                partition.restart(offset, since_ms);
            }
        });
        self.metrics.truncations.inc();
    }

    fn publish(&mut self) {
        let now_ms = (self.clock)();
        let connected = self.following.connected.load(Ordering::Relaxed);
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
                followed.partition.set_current_at_ms(now_ms);
            }
        }
        // Looked at under the channel's lock, so that a worker that is slow to tell takes nothing
        // back of what another has told.
        self.following.position.send_if_modified(|published| {
            let position = self.store.position();
            let moved = *published != position;
            *published = position;
            moved
        });
    }
}

/// One batch being folded.
struct Met<'w> {
    fold: &'w mut Fold,
    followed: &'w mut BTreeMap<i32, Followed>,
    counts: &'w mut EventCounts,
    pieces: Pieces,
    log_time_ms: i64,
    /// Partitions that lost records: where they begin now, and the time of what was there.
    restarted: Vec<(i32, i64, Option<i64>)>,
}

impl Met<'_> {
    fn meet(&mut self, catalog: &Catalog, arrival: Arrival<'_>) {
        match arrival {
            Arrival::Record(record) => self.fold(catalog, record),
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

    fn fold(&mut self, catalog: &Catalog, record: LogRecord<'_>) {
        let Some(followed) = self.followed.get_mut(&record.partition) else {
            return;
        };
        let counts = &mut *self.counts;
        let mut count = |effect| counts.count(effect);
        self.fold.take(catalog, &followed.partition, record, &mut count);
        self.log_time_ms = self.log_time_ms.max(record.timestamp_ms);
        // A record that is delivered once more takes nothing back.
        followed.next_offset = followed.next_offset.max(record.offset + 1);
        followed.at_end = false;
        if std::mem::take(&mut followed.truncated) {
            let seen_ms = Some(record.timestamp_ms);
            self.restarted.push((record.partition, record.offset, seen_ms));
        }
        self.pieces.step();
    }
}

#[cfg(test)]
mod tests;
