//! Stories of a worker whose log loses records.

use std::sync::atomic::AtomicI64;
use std::sync::mpsc::Sender;

use prometheus_client::registry::Registry;
use schemas::event::Format;
use tempfile::TempDir;

use super::*;
use crate::fold::Bounds;
use crate::log::scripted::{Scripted, Told};

const NOW_MS: i64 = 1_750_000_000_000;
const RECORD_MS: i64 = NOW_MS - 60_000;
const SKEW_MS: i64 = 5_000;

/// A worker that has read partition 0 up to offset 5, where it ends, and its store.
struct Story {
    log: Scripted,
    worker: Worker<Scripted>,
    store: Arc<Store>,
    now_ms: Arc<AtomicI64>,
    _orders: Sender<Order>,
    _folder: TempDir,
}

impl Story {
    fn begin() -> Story {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
        let store = Arc::new(store.expect("a store"));
        let (orders, obeyed) = mpsc::channel();
        let (position, _) = crate::node::position();
        let following = Arc::new(Following::new(position, NOW_MS));
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let told_ms = Arc::clone(&now_ms);
        following.connected.store(true, Ordering::Relaxed);
        let parts = Parts {
            orders: obeyed,
            clock: Arc::new(move || told_ms.load(Ordering::Relaxed)),
            following,
            metrics: Arc::new(Metrics::new(&mut Registry::default())),
            store: Arc::clone(&store),
            catalog: Arc::new(Catalog::default()),
            reading: Reading {
                bounds: Bounds { skew_ms: SKEW_MS, lateness_ms: 0 },
                token: None,
                format: Format::Sluice,
            },
        };
        let log = Scripted::holding(0, 5);
        let worker = Worker::new(log.clone(), parts);
        let mut story = Story { log, worker, store, now_ms, _orders: orders, _folder: folder };
        let assignment =
            Assignment { partition: 0, offset: 5, since_ms: i64::MIN, catch_up_to: Some(5) };
        story.worker.obey(Order::Assign(assignment));
        story.read(&[Told::End(0)]);
        assert!(story.caught_up());
        story
    }

    fn read(&mut self, reading: &[Told]) {
        self.log.tell(reading);
        // A failure is part of the story.
        let _ = self.worker.read();
    }

    /// Has the worker read another partition, of which so many records are to be caught up with.
    fn follow(&mut self, partition: i32, catch_up_to: i64) {
        let (offset, since_ms, catch_up_to) = (0, i64::MIN, Some(catch_up_to));
        let assignment = Assignment { partition, offset, since_ms, catch_up_to };
        self.worker.obey(Order::Assign(assignment));
    }

    fn caught_up(&self) -> bool {
        self.store.partitions().iter().all(|partition| partition.caught_up())
    }

    /// How old state is once so much time has passed, and the worker has looked.
    fn stale_ms(&mut self, passes_ms: i64, reading: &[Told]) -> i64 {
        let now_ms = self.now_ms.fetch_add(passes_ms, Ordering::Relaxed) + passes_ms;
        self.read(reading);
        self.worker.following.stale_ms(now_ms)
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
