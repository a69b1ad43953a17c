//! Following: what workers tell everyone of how far they are, and are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use schemas::lookup::Position;
use tokio::sync::watch;

use crate::store::Partition;

/// What workers tell everyone, and are told. Where each partition is, that partition tells.
pub struct Following {
    /// The newest record's own time, in epoch milliseconds.
    pub log_time_ms: AtomicI64,
    /// When this node began.
    began_at_ms: i64,
    /// Whether the log answers.
    pub connected: AtomicBool,
    /// Set while changed people fill the hot tier: folding waits for a checkpoint.
    pub full: AtomicBool,
    /// Set while the hot tier takes more than it should: filling waits, so that folding needn't.
    pub crowded: AtomicBool,
    /// Set to end the workers.
    pub stop: AtomicBool,
    /// How far state has read.
    pub position: watch::Sender<Position>,
}

impl Following {
    /// Before anything was read.
    pub fn new(position: watch::Sender<Position>, now_ms: i64) -> Self {
        Following {
            log_time_ms: AtomicI64::new(i64::MIN),
            began_at_ms: now_ms,
            connected: AtomicBool::new(false),
            full: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            position,
        }
    }

    /// When state last had everything of the log, which has these partitions: the one that is
    /// furthest behind counts. One that isn't followed yet says nothing.
    pub fn current_at_ms(&self, partitions: &[Arc<Partition>]) -> i64 {
        let told = partitions.iter().filter_map(|partition| partition.current_at_ms());
        told.min().unwrap_or(self.began_at_ms)
    }

    /// How long ago that was, in milliseconds.
    pub fn stale_ms(&self, partitions: &[Arc<Partition>], now_ms: i64) -> i64 {
        (now_ms - self.current_at_ms(partitions)).max(0)
    }
}
