//! Stories of where reading begins, while the log loses records, and of who reads what.

use prometheus_client::registry::Registry;
use tempfile::TempDir;

use super::*;
use crate::log::scripted::{Scripted, Told};

const NOW_MS: i64 = 1_750_000_000_000;
const AFTER_MS: i64 = NOW_MS - 300_000;
const SKEW_MS: i64 = 5_000;

fn begin(log: &Scripted) -> Result<Beginning, LogError> {
    beginning(log, 0, AFTER_MS, SKEW_MS, NOW_MS)
}

#[test]
fn a_log_with_its_first_record_covers_everything() {
    let began = begin(&Scripted::holding(0, 10)).expect("it answers");
    assert_eq!(began, Beginning { offset: 0, since_ms: i64::MIN });
}

#[test]
fn a_log_without_its_first_record_covers_what_follows_the_next() {
    let log = Scripted::holding(4, 10);
    log.tell(&[Told::Record(0, 4, NOW_MS - 60_000, "{}".to_owned())]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 4, since_ms: NOW_MS - 60_000 + SKEW_MS });
}

/// What is dropped between two questions is missed by neither.
#[test]
fn records_dropped_while_the_log_is_asked_are_not_covered() {
    let log = Scripted::holding(4, 10);
    log.hold_later(8, 10);
    log.tell(&[Told::Record(0, 8, NOW_MS - 30_000, "{}".to_owned())]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 8, since_ms: NOW_MS - 30_000 + SKEW_MS });
}

/// An expired partition covers what comes from now on, and not nothing for good.
#[test]
fn an_expired_log_covers_what_comes_from_now_on() {
    let log = Scripted::holding(10, 10);
    log.tell(&[Told::End(0)]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 10, since_ms: NOW_MS + SKEW_MS });
}

/// Silence is neither a record nor the end: somebody has to ask again.
#[test]
fn a_log_that_is_silent_is_asked_again() {
    let log = Scripted::holding(4, 10);
    assert!(matches!(begin(&log), Err(LogError::NoAnswer(0))), "nobody can know yet");
    log.tell(&[Told::Record(0, 4, NOW_MS, "{}".to_owned())]);
    assert_eq!(begin(&log).expect("it answers").since_ms, NOW_MS + SKEW_MS);
}

/// A follower of this log, and what it assigns to each of two workers.
fn follower(log: Scripted) -> (Follower<Scripted>, [mpsc::Receiver<Assignment>; 2], TempDir) {
    let folder = TempDir::new().expect("a folder");
    let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
    let store = Arc::new(store.expect("a store"));
    let (position, _) = crate::node::position();
    let ((first, one), (second, two)) = (mpsc::channel(), mpsc::channel());
    let follower = Follower {
        log: Arc::new(log),
        ruling: Arc::new(Ruling::new(Arc::clone(&store), Arc::default())),
        store,
        workers: vec![first, second],
        following: Arc::new(Following::new(position, NOW_MS)),
        metrics: Arc::new(Metrics::new(&mut Registry::default())),
        clock: Arc::new(|| NOW_MS),
        start: Start::Earliest,
        horizon_ms: 0,
        bounds: Bounds { skew_ms: SKEW_MS, lateness_ms: 0 },
        found: Arc::default(),
    };
    (follower, [one, two], folder)
}

#[test]
fn a_partition_goes_to_one_worker_and_stays_there() {
    let log = Scripted::default();
    (0..5).for_each(|partition| log.hold(partition, 0, 0));
    let (follower, workers, _folder) = follower(log.clone());
    let (mut assigned, mut prepared) = (BTreeSet::new(), false);
    let mut look = || follower.look(&mut assigned, &mut prepared).expect("the log answers");
    let given = || workers.each_ref().map(|worker| worker.try_iter().map(|it| it.partition.id));
    look();
    assert_eq!(given().map(Vec::from_iter), [vec![0, 2, 4], vec![1, 3]]);
    (5..7).for_each(|partition| log.hold(partition, 0, 0));
    look();
    assert_eq!(given().map(Vec::from_iter), [vec![6], vec![5]], "and nothing once more");
}

/// Whether or not its worker gets to it.
#[test]
fn from_when_a_partition_is_assigned_state_is_no_newer_than_it() {
    let log = Scripted::holding(0, 3);
    let (follower, workers, _folder) = follower(log.clone());
    let (mut assigned, mut prepared) = (BTreeSet::new(), false);
    let mut look = || follower.look(&mut assigned, &mut prepared).expect("the log answers");
    let stale_ms = |now_ms| follower.following.stale_ms(&follower.store.partitions(), now_ms);
    assert_eq!(stale_ms(NOW_MS + 1), 1, "nothing is there, and nothing was read");
    look();
    let first = workers[0].try_recv().expect("it is assigned");
    assert_eq!((first.catch_up_to, first.partition.caught_up()), (Some(3), false));
    first.partition.set_current_at_ms(NOW_MS + 5);
    assert_eq!(stale_ms(NOW_MS + 7), 2);
    // One that comes later is as new as all the rest when it is found.
    log.hold(1, 0, 9);
    look();
    assert_eq!(stale_ms(NOW_MS + 7), 2);
    let second = workers[1].try_recv().expect("it is assigned");
    assert_eq!((second.catch_up_to, second.partition.caught_up()), (None, true));
    first.partition.set_current_at_ms(NOW_MS + 7);
    assert_eq!(stale_ms(NOW_MS + 9), 4, "of the second nothing was read");
}
