//! A partition of the log as state has it: its hot people, and how far it has been read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::Hot;
use super::forgotten::Forgotten;

/// Stands for no instant.
const UNTOLD_MS: i64 = i64::MIN;

/// One partition's hot people, and how far it has read. One worker tells the latter.
pub struct Partition {
    /// Its number.
    pub id: i32,
    /// Its people in memory.
    pub hot: Hot,
    next_offset: AtomicI64,
    caught_up: AtomicBool,
    current_at_ms: AtomicI64,
}

impl Default for Partition {
    fn default() -> Self {
        Partition {
            id: 0,
            hot: Hot::default(),
            next_offset: AtomicI64::new(0),
            caught_up: AtomicBool::new(false),
            current_at_ms: AtomicI64::new(UNTOLD_MS),
        }
    }
}

impl Partition {
    pub(super) fn new(id: i32, next_offset: i64, forgotten: &Arc<Forgotten>) -> Arc<Self> {
        let next_offset = AtomicI64::new(next_offset);
        let hot = Hot::new(Arc::clone(forgotten));
        Arc::new(Partition { id, hot, next_offset, ..Partition::default() })
    }

    /// The offset after the last record folded.
    pub fn next_offset(&self) -> i64 {
        self.next_offset.load(Ordering::Acquire)
    }

    /// Tells that everything before `next_offset` is folded.
    pub fn advance(&self, next_offset: i64) {
        self.next_offset.store(next_offset, Ordering::Release);
    }

    /// Whether everything that the log held when this node started is folded.
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Tells whether it is.
    pub fn set_caught_up(&self, caught_up: bool) {
        self.caught_up.store(caught_up, Ordering::Release);
    }

    /// When nothing of it was left to read; nothing before it is followed.
    pub fn current_at_ms(&self) -> Option<i64> {
        let at_ms = self.current_at_ms.load(Ordering::Acquire);
        (at_ms != UNTOLD_MS).then_some(at_ms)
    }

    /// Tells when nothing of it was left to read.
    pub fn set_current_at_ms(&self, at_ms: i64) {
        self.current_at_ms.store(at_ms, Ordering::Release);
    }
}
