//! Stories of a worker whose log loses records.

use schemas::event::Format;
use std::sync::mpsc::Sender;

use prometheus_client::registry::Registry;
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
        following.connected.store(true, Ordering::Relaxed);
        let parts = Parts {
            orders: obeyed,
            clock: Arc::new(|| NOW_MS),
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
        let mut story = Story { log, worker, store, _orders: orders, _folder: folder };
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

    fn caught_up(&self) -> bool {
        self.store.partitions()[0].caught_up()
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
