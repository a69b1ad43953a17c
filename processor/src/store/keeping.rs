//! Keeping: which matchers are in use, and what of a record no condition can see any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use rustc_hash::FxHashMap;
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::Kept;

/// What records are kept for: the matchers in use, and the log's time.
#[derive(Default)]
pub struct Keeping {
    /// Nothing until definitions are read: nothing expires before.
    matchers: ArcSwapOption<FxHashMap<MatcherId, Kept>>,
    log_time_ms: AtomicI64,
}

impl Keeping {
    /// Replaces the matchers in use.
    pub fn use_matchers(&self, matchers: FxHashMap<MatcherId, Kept>) {
        self.matchers.store(Some(Arc::new(matchers)));
    }

    /// Moves the log's time on; it never runs backwards.
    pub fn advance(&self, log_time_ms: i64) {
        self.log_time_ms.fetch_max(log_time_ms, Ordering::Relaxed);
    }

    /// What a matcher keeps; nothing once it is out of use.
    pub fn kept(&self) -> impl Fn(MatcherId) -> Option<Kept> + use<> {
        let matchers = self.matchers.load_full();
        move |matcher| matchers.as_ref()?.get(&matcher).copied()
    }

    /// Drops from a record what no condition can see any more. Returns whether it holds
    /// anything then.
    pub fn expire(&self, record: &mut Record) -> bool {
        let matchers = self.matchers.load();
        let Some(matchers) = matchers.as_ref() else {
            return true;
        };
        let kept = |matcher| matchers.get(&matcher).copied();
        record.expire(kept, self.log_time_ms.load(Ordering::Relaxed))
    }
}
