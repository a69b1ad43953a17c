//! Following: what the worker tells everyone of how far it is.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use schemas::lookup::Position;
use tokio::sync::watch;

/// What the worker tells everyone.
pub struct Following {
    /// The newest record's own time, in epoch milliseconds.
    pub log_time_ms: AtomicI64,
    /// When state last had everything of the log.
    pub current_at_ms: AtomicI64,
    /// Whether the log answers.
    pub connected: AtomicBool,
    /// Set while changed people fill the hot tier: folding waits for a checkpoint.
    pub full: AtomicBool,
    /// Set while the hot tier takes more than it should: filling waits, so that folding needn't.
    pub crowded: AtomicBool,
    /// Set to end the worker.
    pub stop: AtomicBool,
    /// How far state has read.
    pub position: watch::Sender<Position>,
}

impl Following {
    /// Before anything was read.
    pub fn new(position: watch::Sender<Position>, now_ms: i64) -> Self {
        Following {
            log_time_ms: AtomicI64::new(i64::MIN),
            current_at_ms: AtomicI64::new(now_ms),
            connected: AtomicBool::new(false),
            full: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            position,
        }
    }

    /// How long ago state last had everything of the log, in milliseconds.
    pub fn stale_ms(&self, now_ms: i64) -> i64 {
        (now_ms - self.current_at_ms.load(Ordering::Relaxed)).max(0)
    }
}
