//! Keeping: which matchers are in use, and what of a record no condition can see any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::scan::Unheld;
use schemas::window::Kept;

/// How long a list waits to be gone on with.
const HELD_FOR_MS: i64 = 60_000;
/// How long it may take in all: what leaves windows meanwhile is kept for it.
const LIST_MS_MAX: i64 = 600_000;
/// The most lists that wait.
const LISTS_MAX: usize = 1_000;

/// What records are kept for: the matchers in use, the log's time, and lists under way.
pub struct Keeping {
    /// Nothing until definitions are read: nothing expires before.
    matchers: ArcSwapOption<FxHashMap<MatcherId, Kept>>,
    log_time_ms: AtomicI64,
    /// The instants that lists are about, and when each lapses.
    lists: Mutex<BTreeMap<i64, i64>>,
    /// The earliest of these instants.
    held_ms: AtomicI64,
}

impl Default for Keeping {
    fn default() -> Self {
        Keeping {
            matchers: ArcSwapOption::default(),
            log_time_ms: AtomicI64::new(0),
            lists: Mutex::default(),
            held_ms: AtomicI64::new(i64::MAX),
        }
    }
}

impl Keeping {
    /// Replaces the matchers in use.
    pub fn use_matchers(&self, matchers: FxHashMap<MatcherId, Kept>) {
        self.matchers.store(Some(Arc::new(matchers)));
    }

    /// Moves the log's time on; it never runs backwards.
    pub fn advance(&self, log_time_ms: i64) {
        self.log_time_ms.fetch_max(log_time_ms, Ordering::Relaxed);
        self.let_go(&mut self.lists.lock(), log_time_ms);
    }

    /// Keeps what a condition can see at `now_ms` for a list of that instant, as
    /// [`schemas::scan::Scan::hold`] says.
    ///
    /// # Errors
    /// When it has lapsed, or too many others are held.
    pub fn hold(&self, now_ms: i64, asked_ms: i64) -> Result<(), Unheld> {
        let mut lists = self.lists.lock();
        self.let_go(&mut lists, asked_ms);
        if !lists.contains_key(&now_ms) {
            if now_ms != asked_ms {
                return Err(Unheld::Lapsed);
            }
            if lists.len() >= LISTS_MAX {
                return Err(Unheld::TooMany);
            }
        }
        lists.insert(now_ms, (asked_ms + HELD_FOR_MS).min(now_ms + LIST_MS_MAX));
        self.tell_held(&lists);
        Ok(())
    }

    /// Lets go of lists that have lapsed.
    fn let_go(&self, lists: &mut BTreeMap<i64, i64>, at_ms: i64) {
        lists.retain(|_, lapses_ms| *lapses_ms > at_ms);
        self.tell_held(lists);
    }

    fn tell_held(&self, lists: &BTreeMap<i64, i64>) {
        let earliest = lists.first_key_value().map_or(i64::MAX, |(now_ms, _)| *now_ms);
        self.held_ms.store(earliest, Ordering::Release);
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
        let held_ms = self.held_ms.load(Ordering::Acquire);
        record.expire(kept, self.log_time_ms.load(Ordering::Relaxed).min(held_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_lapses_after_a_minute_and_after_ten_in_all() {
        let keep = Keeping::default();
        let held = |keep: &Keeping| keep.held_ms.load(Ordering::Acquire);
        assert_eq!(keep.hold(1_000, 5_000), Err(Unheld::Lapsed), "never begun");
        assert_eq!(keep.hold(1_000, 1_000), Ok(()));
        assert_eq!(keep.hold(9_000, 9_000), Ok(()));
        assert_eq!(held(&keep), 1_000);
        keep.advance(1_000 + HELD_FOR_MS);
        assert_eq!(held(&keep), 9_000, "nobody went on with the first");
        assert_eq!(keep.hold(1_000, 1_001 + HELD_FOR_MS), Err(Unheld::Lapsed));
        let mut asked_ms = 9_000;
        while asked_ms + HELD_FOR_MS / 2 < 9_000 + LIST_MS_MAX {
            asked_ms += HELD_FOR_MS / 2;
            assert_eq!(keep.hold(9_000, asked_ms), Ok(()), "at {asked_ms}");
        }
        assert_eq!(keep.hold(9_000, 9_000 + LIST_MS_MAX), Err(Unheld::Lapsed));
        assert_eq!(held(&keep), i64::MAX);
    }

    #[test]
    fn so_many_lists_wait_and_no_more() {
        let keep = Keeping::default();
        let begin = |now_ms| keep.hold(now_ms, now_ms);
        assert!((0..LISTS_MAX as i64).all(|now_ms| begin(now_ms) == Ok(())));
        assert_eq!(begin(5_000), Err(Unheld::TooMany));
        assert_eq!(begin(7), Ok(()), "of an instant that is held already");
        assert_eq!(begin(HELD_FOR_MS + 5_000), Ok(()), "once others have lapsed");
    }
}
