//! The log of a single node: one partition in a RocksDB of its own.
//!
//! An append returns once its records are fsynced, many callers sharing one fsync, and folded,
//! so that a check that follows sees them. Batches are kept under offsets; record times never
//! run backwards, so an instant is found by bisection.

mod database;
mod reader;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rocksdb::WriteBatch;
use schemas::append::{Append, AppendError, Outgoing};
use schemas::lookup::Position;
use schemas::time::Clock;
use tokio::sync::{oneshot, watch};

use self::database::{Database, durable};
pub use self::reader::EmbeddedReader;
use super::layout::{Batch, Stored, key_of};
use super::{Bounds, Log, LogError};
use crate::priority;

/// The only partition there is.
pub const PARTITION: i32 = 0;
/// How many records share one fsync at most.
const GROUP_RECORDS_MAX: usize = 20_000;
/// How many appends wait for the writer at most.
const QUEUE_APPENDS_MAX: usize = 4_096;
/// How long an append waits to be durable and folded before its sender is told to try again.
const APPEND_WAIT: Duration = Duration::from_secs(5);

/// How long records are kept, whatever state has read of them.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// At least so long, in milliseconds.
    pub age_ms: i64,
    /// Unless they take more than this.
    pub bytes: u64,
}

/// The embedded log.
pub struct Embedded {
    inner: Arc<Inner>,
    /// What is to be written; none while the log is closed.
    queue: Option<mpsc::SyncSender<Group>>,
    writer: Option<JoinHandle<()>>,
    folded: watch::Receiver<Position>,
}

struct Inner {
    db: Database,
    bounds: Mutex<Bounds>,
    grown: Condvar,
    retention: Retention,
    clock: Clock,
}

struct Group {
    records: Vec<Outgoing>,
    done: oneshot::Sender<Result<i64, AppendError>>,
}

impl Embedded {
    /// Opens or makes the log in `folder`. `folded` tells how far state has read.
    ///
    /// # Errors
    /// When RocksDB can't open it, it is of another version, or no thread can be had.
    pub fn open(
        folder: &Path,
        retention: Retention,
        folded: watch::Receiver<Position>,
        clock: Clock,
    ) -> Result<Self, LogError> {
        let db = Database::open(folder)?;
        let first = db.first()?;
        let end = db.end()?.unwrap_or(first);
        let bounds = Mutex::new(Bounds { first, end: end.max(first) });
        let inner = Arc::new(Inner { db, bounds, grown: Condvar::new(), retention, clock });
        let (queue, appends) = mpsc::sync_channel(QUEUE_APPENDS_MAX);
        let writer = Arc::clone(&inner);
        let writer =
            std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
                // Whoever sends events waits for it.
                priority::cut_in();
                writer.write_groups(&appends);
            })?;
        Ok(Embedded { inner, queue: Some(queue), writer: Some(writer), folded })
    }
}

impl Drop for Embedded {
    /// Waits for the thread that writes: RocksDB must not be left, or closed, by another thread
    /// while the process ends.
    fn drop(&mut self) {
        self.queue = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that writes the log had panicked");
        }
    }
}

impl Inner {
    /// Writes what has queued up, one fsync at a time, until the log is dropped.
    fn write_groups(&self, appends: &mpsc::Receiver<Group>) {
        let mut last_ms = self.last_time_ms();
        while let Ok(first) = appends.recv() {
            let mut records = first.records.len();
            let mut groups = vec![first];
            while records < GROUP_RECORDS_MAX {
                let Ok(next) = appends.try_recv() else { break };
                records += next.records.len();
                groups.push(next);
            }
            last_ms = last_ms.max((self.clock)());
            self.write(groups, last_ms);
        }
    }

    fn write(&self, groups: Vec<Group>, time_ms: i64) {
        let start = self.bounds.lock().end;
        let mut end = start;
        let mut writes = WriteBatch::default();
        let mut batch = Batch::new(time_ms);
        let mut ends = Vec::with_capacity(groups.len());
        for group in &groups {
            for record in &group.records {
                batch.push(record);
                end += 1;
                if batch.is_full() {
                    writes.put(key_of(end - 1), batch.as_bytes());
                    batch.clear();
                }
            }
            ends.push(end);
        }
        if !batch.is_empty() {
            writes.put(key_of(end - 1), batch.as_bytes());
        }
        let written = self.db.write_opt(writes, &durable()).map_err(|error| refusal(&error));
        if written.is_ok() {
            self.bounds.lock().end = end;
            self.grown.notify_all();
        }
        for (group, end) in groups.into_iter().zip(ends) {
            // Whoever asked may have given up; the records are there all the same.
            let _ = group.done.send(written.clone().map(|()| end));
        }
    }

    fn last_time_ms(&self) -> i64 {
        let Bounds { first, end } = *self.bounds.lock();
        if first == end { i64::MIN } else { self.time_ms(end - 1).ok().flatten().unwrap_or(0) }
    }

    fn time_ms(&self, offset: i64) -> Result<Option<i64>, LogError> {
        let mut batches = self.db.raw_iterator();
        batches.seek(key_of(offset));
        batches.status()?;
        Ok(batches.value().and_then(Stored::read).map(|batch| batch.time_ms))
    }

    /// Drops what is old or too much, but nothing that state hasn't read durably.
    fn trim(&self, settled: i64) -> Result<(), LogError> {
        let Bounds { first, end } = *self.bounds.lock();
        let mut cut = self.bisect((self.clock)() - self.retention.age_ms)?;
        let bytes = self.db.property_int_value("rocksdb.total-sst-files-size")?.unwrap_or(0);
        if bytes > self.retention.bytes && end > first {
            let excess = (bytes - self.retention.bytes) as f64 / bytes as f64;
            cut = cut.max(first + ((end - first) as f64 * excess) as i64);
        }
        let cut = cut.min(settled);
        if cut <= first {
            return Ok(());
        }
        // Files go at once, so what tells that they are gone has to be on disk before.
        self.db.note_first(cut)?;
        self.bounds.lock().first = cut;
        self.db.drop_files(first, cut)
    }

    fn bisect(&self, time_ms: i64) -> Result<i64, LogError> {
        let Bounds { first: mut low, end: mut high } = *self.bounds.lock();
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time_ms(middle)?.is_some_and(|at_ms| at_ms < time_ms) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

impl Log for Embedded {
    type Reader = EmbeddedReader;

    fn prepare(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn partitions(&self) -> Result<Vec<i32>, LogError> {
        Ok(vec![PARTITION])
    }

    fn bounds(&self, _: i32) -> Result<Bounds, LogError> {
        Ok(*self.inner.bounds.lock())
    }

    fn offset_at(&self, _: i32, time_ms: i64) -> Result<i64, LogError> {
        self.inner.bisect(time_ms)
    }

    fn reader(&self, _: &str) -> Result<EmbeddedReader, LogError> {
        Ok(EmbeddedReader::new(Arc::clone(&self.inner)))
    }

    fn settled(&self, position: &Position) {
        let settled = position.get(&PARTITION).copied().unwrap_or(0);
        if let Err(error) = self.inner.trim(settled) {
            tracing::warn!(%error, "old records could not be dropped; trying again later");
        }
    }

    fn lineage(&self) -> String {
        "embedded".to_owned()
    }
}

impl Append for Embedded {
    async fn append(&self, records: Vec<Outgoing>) -> Result<Position, AppendError> {
        if records.is_empty() {
            return Ok(self.folded.borrow().clone());
        }
        let (done, written) = oneshot::channel();
        let queued = self.queue.as_ref().map(|queue| queue.try_send(Group { records, done }));
        if !matches!(queued, Some(Ok(()))) {
            let what = format!("{QUEUE_APPENDS_MAX} requests are waiting already");
            return Err(AppendError::Unavailable(what));
        }
        let mut folded = self.folded.clone();
        let appended = async move {
            let gone = || AppendError::Unavailable("the node is stopping".to_owned());
            let end = written.await.map_err(|_| gone())??;
            let seen = |position: &Position| position.get(&PARTITION).is_some_and(|at| *at >= end);
            folded.wait_for(seen).await.map_err(|_| gone())?;
            Ok(Position::from([(PARTITION, end)]))
        };
        let late = || AppendError::Unavailable(format!("no answer within {APPEND_WAIT:?}"));
        tokio::time::timeout(APPEND_WAIT, appended).await.map_err(|_| late())?
    }
}

fn refusal(error: &rocksdb::Error) -> AppendError {
    let text = error.to_string();
    if text.contains("No space left") || text.contains("Space limit") {
        return AppendError::Full;
    }
    AppendError::Unavailable(text)
}

#[cfg(test)]
mod tests;
