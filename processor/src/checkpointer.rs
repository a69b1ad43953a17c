//! The checkpointer: one thread that makes state durable at intervals, early when memory
//! fills, and once more at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use crate::clocks::Clocks;
use crate::following::Following;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::priority;
use crate::store::Store;

/// How often memory is looked at between checkpoints.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How soon one checkpoint may follow another when memory is full.
const REST: Duration = Duration::from_millis(500);
/// How many times as long as a checkpoint takes passes until the next begins, at least: where they
/// are large, they still leave two thirds of the disk's time and of a processor's to others.
const SPACING: u32 = 3;

/// Makes checkpoints.
pub struct Checkpointer<L> {
    /// What is made durable.
    pub store: Arc<Store>,
    /// What learns how far that is.
    pub log: Arc<L>,
    /// What workers tell, and are told.
    pub following: Arc<Following>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells now, and how long a checkpoint takes.
    pub clocks: Clocks,
    /// Time from the beginning of a checkpoint to that of the next.
    pub interval: Duration,
    /// Bytes of people in memory at most.
    pub hot_bytes_max: usize,
}

impl<L: Log> Checkpointer<L> {
    /// Makes checkpoints until `stop` is dropped or used, and one last.
    pub fn run(self, stop: &mpsc::Receiver<()>) {
        priority::step_aside();
        priority::work_in_pieces();
        let mut round = 0;
        let mut last = (self.clocks.elapsed)();
        let mut spacing = self.interval;
        while stop.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            let memory = self.store.memory();
            self.metrics.hot_people.set(memory.people as i64);
            self.metrics.hot_bytes.set(memory.bytes as i64);
            let over = memory.bytes.saturating_sub(self.hot_bytes_max);
            self.following.crowded.store(over > 0, Ordering::Release);
            // Folding waits only where a checkpoint doesn't make room fast enough.
            self.following.full.store(over > self.hot_bytes_max / 4, Ordering::Release);
            let due = if over > 0 { REST.min(self.interval) } else { spacing };
            let now = (self.clocks.elapsed)();
            if now - last < due {
                continue;
            }
            last = now;
            if self.checkpoint() {
                self.store.sweep(round, self.hot_bytes_max);
                self.following.full.store(false, Ordering::Release);
                round += 1;
            }
            spacing = self.interval.max(((self.clocks.elapsed)() - last) * SPACING);
        }
        self.checkpoint();
    }

    /// Makes a checkpoint. Returns whether it is durable.
    pub fn checkpoint(&self) -> bool {
        let began = (self.clocks.elapsed)();
        let log_time_ms = self.following.log_time_ms.load(Ordering::Relaxed);
        match self.store.checkpoint(log_time_ms.min((self.clocks.now)())) {
            Ok(done) if done.bytes == 0 => true,
            Ok(done) => {
                let took = (self.clocks.elapsed)() - began;
                tracing::debug!(people = done.people, bytes = done.bytes, ?took, "checkpoint");
                self.metrics.checkpoints.inc();
                self.metrics.checkpoint_seconds.observe(took.as_secs_f64());
                self.log.settled(&done.position);
                true
            }
            Err(error) => {
                tracing::error!(%error, "no checkpoint; what changed stays in memory");
                self.metrics.checkpoint_failures.inc();
                false
            }
        }
    }
}
