//! Stories of workers whose log loses records, and of two that share what they tell.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64};

use prometheus_client::registry::Registry;
use schemas::event::Format;
use tempfile::TempDir;

use super::*;
use crate::fold::Bounds;
use crate::log::scripted::{Scripted, Told};

const NOW_MS: i64 = 1_750_000_000_000;
const RECORD_MS: i64 = NOW_MS - 60_000;
const SKEW_MS: i64 = 5_000;

fn reading() -> Reading {
    let bounds = Bounds { skew_ms: SKEW_MS, lateness_ms: 0 };
    Reading { bounds, token: None, format: Format::Sluice }
}

/// A worker that has read partition 0 up to offset 5, where it ends, and its store.
struct Story {
    log: Scripted,
    worker: Worker<Scripted>,
    store: Arc<Store>,
    now_ms: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Story {
    fn begin() -> Story {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
        let store = Arc::new(store.expect("a store"));
        let (_, assignments) = mpsc::channel();
        let (position, _) = crate::node::position();
        let following = Arc::new(Following::new(position, NOW_MS));
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let told_ms = Arc::clone(&now_ms);
        following.connected.store(true, Ordering::Relaxed);
        let parts = Parts {
            assignments,
            clock: Arc::new(move || told_ms.load(Ordering::Relaxed)),
            following,
            metrics: Arc::new(Metrics::new(&mut Registry::default())),
            store: Arc::clone(&store),
            ruling: Arc::new(Ruling::new(Arc::clone(&store), Arc::default())),
            reading: reading(),
        };
        let log = Scripted::holding(0, 5);
        let worker = Worker::new(Arc::new(log.clone()), "worker-0".to_owned(), parts);
        let mut story = Story { log, worker, store, now_ms, _folder: folder };
        story.store.partition(0, 5, i64::MIN);
        story.follow(0, 5);
        story.read(&[Told::End(0)]);
        assert!(story.caught_up());
        story
    }

    /// Another worker beside it, with nothing to read, and what it reads.
    fn another(&self) -> (Worker<Scripted>, Scripted) {
        let (_, assignments) = mpsc::channel();
        let parts = Parts {
            assignments,
            clock: Arc::clone(&self.worker.clock),
            following: Arc::clone(&self.worker.following),
            metrics: Arc::clone(&self.worker.metrics),
            store: Arc::clone(&self.store),
            ruling: Arc::clone(&self.worker.ruling),
            reading: reading(),
        };
        let log = Scripted::default();
        (Worker::new(Arc::new(log.clone()), "worker-1".to_owned(), parts), log)
    }

    fn read(&mut self, reading: &[Told]) {
        self.log.tell(reading);
        // A failure is part of the story.
        let _ = self.worker.read();
    }

    /// A partition to read, of which so many records are to be caught up with.
    fn assignment(&self, id: i32, catch_up_to: i64) -> Assignment {
        let following = &self.worker.following;
        let current_at_ms = following.current_at_ms(&self.store.partitions());
        let partition = self.store.partition(id, 0, i64::MIN);
        partition.set_current_at_ms(current_at_ms);
        Assignment { partition, catch_up_to: Some(catch_up_to) }
    }

    /// Has the worker read it.
    fn follow(&mut self, id: i32, catch_up_to: i64) {
        let assignment = self.assignment(id, catch_up_to);
        self.worker.assign(&assignment).expect("it can be read");
    }

    fn caught_up(&self) -> bool {
        self.store.partitions().iter().all(|partition| partition.caught_up())
    }

    /// How old state is once so much time has passed, and the worker has looked.
    fn stale_ms(&mut self, passes_ms: i64, reading: &[Told]) -> i64 {
        let now_ms = self.now_ms.fetch_add(passes_ms, Ordering::Relaxed) + passes_ms;
        self.read(reading);
        self.worker.following.stale_ms(&self.store.partitions(), now_ms)
    }

    /// Since when partition 0 is complete.
    fn since_ms(&self) -> i64 {
        let catalog = Catalog::default();
        self.store.with_progress(&catalog, |progress| progress.partitions[&0].since_ms)
    }

    /// The offset that a checkpoint makes durable now.
    fn durable_offset(&self) -> i64 {
        self.store.checkpoint(NOW_MS).expect("durable").position[&0]
    }
}

fn record(offset: i64) -> Told {
    Told::Record(0, offset, RECORD_MS, "{}".to_owned())
}

/// Whoever starts from a checkpoint of that moment has to meet the loss again.
#[test]
fn the_offset_past_a_loss_is_durable_no_sooner_than_the_loss() {
    let mut story = Story::begin();
    story.read(&[Told::Truncated(0, 9)]);
    assert!(!story.caught_up(), "nobody knows what was lost");
    assert_eq!((story.durable_offset(), story.since_ms()), (5, i64::MIN));
    story.read(&[]);
    story.read(&[Told::Failure]);
    assert!(!story.caught_up());
    assert_eq!((story.durable_offset(), story.since_ms()), (5, i64::MIN));
    story.read(&[record(9)]);
    assert_eq!((story.durable_offset(), story.since_ms()), (10, RECORD_MS + SKEW_MS));
}

#[test]
fn a_loss_of_everything_is_told_at_the_end() {
    let mut story = Story::begin();
    story.read(&[Told::Truncated(0, 9)]);
    story.read(&[Told::End(0)]);
    assert!(story.caught_up());
    assert_eq!((story.durable_offset(), story.since_ms()), (9, NOW_MS + SKEW_MS));
}

/// To have been at an end that is gone says nothing of the records that follow the loss.
#[test]
fn after_a_loss_the_rest_has_to_be_read_before_it_is_caught_up() {
    let mut story = Story::begin();
    story.read(&[Told::Truncated(0, 9)]);
    story.read(&[record(9)]);
    assert!(!story.caught_up(), "there may be more");
    story.read(&[record(10), record(11)]);
    assert!(!story.caught_up(), "there may be more");
    story.read(&[Told::End(0)]);
    assert!(story.caught_up());
    assert_eq!(story.since_ms(), RECORD_MS + SKEW_MS, "coverage began with the first");
}

/// A log that was made anew begins before the offset that was stored.
#[test]
fn a_log_made_anew_is_read_from_its_first_record() {
    let mut story = Story::begin();
    story.read(&[Told::Truncated(0, 0), record(0)]);
    assert!(!story.caught_up(), "there may be more");
    assert_eq!((story.durable_offset(), story.since_ms()), (1, RECORD_MS + SKEW_MS));
    story.read(&[Told::Truncated(0, 3), Told::Truncated(0, 4), record(4), Told::End(0)]);
    assert!(story.caught_up());
    assert_eq!((story.durable_offset(), story.since_ms()), (5, RECORD_MS + SKEW_MS));
}

#[test]
fn what_was_there_at_the_start_is_caught_up_with_when_all_of_it_was_read() {
    let of = |partition, offset| Told::Record(partition, offset, RECORD_MS, "{}".to_owned());
    let mut story = Story::begin();
    story.follow(1, 2);
    story.read(&[of(1, 0)]);
    assert!(!story.caught_up(), "one record is missing");
    story.read(&[of(1, 1)]);
    assert!(story.caught_up());
    story.follow(2, 2);
    story.read(&[of(2, 0), of(2, 1), of(2, 2)]);
    assert!(story.caught_up(), "more came meanwhile");
}

#[test]
fn state_grows_old_while_the_log_is_out_of_reach_or_there_is_more_to_read() {
    let mut story = Story::begin();
    assert_eq!(story.stale_ms(1_000, &[]), 0, "nothing is left to read");
    story.worker.following.connected.store(false, Ordering::Relaxed);
    assert_eq!(story.stale_ms(1_000, &[]), 1_000);
    assert_eq!(story.stale_ms(1_000, &[Told::End(0)]), 0, "it answered");
    story.worker.following.connected.store(true, Ordering::Relaxed);
    assert_eq!(story.stale_ms(1_000, &[record(5)]), 1_000, "there may be more");
    assert_eq!(story.stale_ms(1_000, &[record(6), Told::End(0), record(7)]), 0, "for a moment");
    assert_eq!(story.stale_ms(1_000, &[Told::End(0)]), 0);
    // The partition that is furthest behind counts, whichever it is.
    story.follow(1, 5);
    assert_eq!(story.stale_ms(1_000, &[]), 1_000);
    assert_eq!(story.stale_ms(1_000, &[Told::End(1), record(8)]), 1_000);
}

#[test]
fn while_memory_is_full_nothing_is_read() {
    let mut story = Story::begin();
    story.log.tell(&[record(5)]);
    story.worker.following.full.store(true, Ordering::Release);
    story.worker.turn();
    assert_eq!(story.log.untold(), 1);
    story.worker.following.full.store(false, Ordering::Release);
    story.worker.turn();
    assert_eq!(story.log.untold(), 0);
}

#[test]
fn a_position_is_published_when_it_moves_and_only_then() {
    let mut story = Story::begin();
    let mut published = story.worker.following.position.subscribe();
    published.mark_unchanged();
    story.read(&[record(5)]);
    assert!(published.has_changed().expect("the worker is there"));
    assert_eq!(*published.borrow_and_update(), [(0, 6)].into());
    story.read(&[]);
    assert!(!published.has_changed().expect("the worker is there"));
}

#[test]
fn the_time_of_the_log_is_that_of_its_latest_record() {
    let mut story = Story::begin();
    let at = |offset, time_ms| Told::Record(0, offset, RECORD_MS + time_ms, "{}".to_owned());
    story.read(&[at(5, 7), at(6, 9), at(7, 8)]);
    let log_time_ms = story.worker.following.log_time_ms.load(Ordering::Relaxed);
    assert_eq!(log_time_ms, RECORD_MS + 9);
}

/// Threads and connections may be short for a while.
#[test]
fn a_reader_is_made_for_what_is_assigned_and_until_it_can_be() {
    let story = Story::begin();
    let (mut worker, log) = story.another();
    worker.turn();
    assert!(worker.reader.is_none(), "nothing is assigned");
    // Each turn asks for one, for either partition.
    log.refuse(4);
    worker.waiting.extend([story.assignment(1, 1), story.assignment(3, 0)]);
    log.tell(&[Told::Record(1, 0, RECORD_MS, "{}".to_owned())]);
    for refused in [true, true, false] {
        worker.turn();
        assert_eq!(worker.reader.is_none(), refused);
        assert_eq!((story.caught_up(), log.untold()), (!refused, usize::from(refused)));
    }
    assert_eq!(worker.followed.keys().copied().collect::<Vec<_>>(), [1, 3]);
}

/// It has folded, and is held up before it tells so.
#[test]
fn a_worker_that_is_slow_to_tell_takes_nothing_back_of_what_another_told() {
    let mut story = Story::begin();
    story.store.partition(1, 0, i64::MIN);
    let partitions = story.store.partitions();
    let published = story.worker.following.position.subscribe();
    story.log.tell(&[record(5)]);
    thread::scope(|scope| {
        // As long as somebody looks at what was told, nobody tells anything.
        let looking = published.borrow();
        scope.spawn(|| story.worker.read());
        while partitions[0].next_offset() != 6 {
            thread::yield_now();
        }
        thread::park_timeout(Duration::from_millis(20));
        // Another worker.
        partitions[1].advance(7);
        drop(looking);
    });
    assert_eq!(*published.borrow(), [(0, 6), (1, 7)].into());
}

#[test]
fn state_is_as_old_as_the_worker_that_is_furthest_behind_has_it() {
    let mut story = Story::begin();
    let (mut other, other_log) = story.another();
    assert_eq!(story.stale_ms(1_000, &[]), 0, "who has nothing to read holds nobody back");
    other.assign(&story.assignment(1, 5)).expect("it can be read");
    assert_eq!(story.stale_ms(1_000, &[Told::End(0)]), 1_000);
    assert_eq!(story.stale_ms(1_000, &[Told::End(0)]), 2_000, "the other has read nothing");
    other_log.tell(&[Told::End(1)]);
    other.read().expect("the log answers");
    assert_eq!(story.stale_ms(0, &[]), 0);
    // Whoever has nothing to read makes nothing look newer than it is.
    let (mut idle, _) = story.another();
    assert_eq!(story.stale_ms(1_000, &[record(5)]), 1_000);
    idle.publish();
    other_log.tell(&[Told::End(1)]);
    other.read().expect("the log answers");
    assert_eq!(story.stale_ms(0, &[]), 1_000);
}

/// Who changes definitions isn't held up by a log in which nothing happens, but is while records
/// are folded.
#[test]
fn the_catalog_is_held_from_the_first_record_on_and_no_longer_than_until_all_is_told() {
    let mut story = Story::begin();
    let ruling = Arc::clone(&story.worker.ruling);
    // Who tells how far it is asks what time it is.
    let told = Arc::new(AtomicBool::new(false));
    let (telling, by) = (Arc::clone(&told), Arc::clone(&ruling));
    story.worker.clock = Arc::new(move || {
        telling.store(by.is_held(), Ordering::Relaxed);
        NOW_MS
    });
    let (silent, folding) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let met = |barrier: &Arc<Barrier>| vec![Told::Meet(Arc::clone(barrier)); 2];
    story.log.tell(&[met(&silent), vec![record(5)], met(&folding)].concat());
    let store = Arc::clone(&story.store);
    let held = thread::scope(|scope| {
        scope.spawn(|| story.worker.read());
        [silent, folding].map(|barrier| {
            barrier.wait();
            let held = (ruling.is_held(), store.position()[&0]);
            barrier.wait();
            held
        })
    });
    assert_eq!(held, [(false, 5), (true, 5)]);
    assert!(told.load(Ordering::Relaxed), "let go of before that was told");
    assert_eq!((ruling.is_held(), store.position()[&0]), (false, 6));
}
