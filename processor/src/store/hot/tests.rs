//! Stories of the hot tier: who is in memory, what it takes, and what of it a checkpoint is for.

use schemas::ids::ProjectId;
use schemas::window::Entry;

use super::*;

const START_MS: i64 = 1_790_000_000_000;
const MATCHER: MatcherId = MatcherId(3);
const PEOPLE: usize = 5_000;

fn kept(_: MatcherId) -> Option<Kept> {
    Some(Kept::newest(9, 60_000))
}

fn key(id: &str) -> PersonKey {
    PersonKey::new(ProjectId(1), id)
}

fn add(record: &mut Record, after_ms: i64) -> bool {
    let entry = Entry::new(START_MS + after_ms, after_ms as u64);
    record.fold(MATCHER, Kept::newest(9, 60_000), entry.into());
    true
}

fn did(hot: &Hot, id: &str, after_ms: i64) {
    hot.update(&key(id), START_MS + after_ms, |record| add(record, after_ms));
}

/// How many entries are known of somebody, and whether those are all.
fn known(hot: &Hot, id: &str) -> (usize, bool) {
    match hot.peek(&key(id)) {
        Peek::Whole(record) => (record.window(MATCHER).len(), true),
        Peek::Partial(record, _) => (record.window(MATCHER).len(), false),
        Peek::Absent(_) => (0, false),
    }
}

fn sweep(hot: &Hot, spare_asked: bool) {
    (0..SHARDS).for_each(|shard| hot.sweep(shard, spare_asked, |_| false));
}

fn durable(after_ms: i64) -> Record {
    let mut record = Record::default();
    add(&mut record, after_ms);
    record
}

fn ticket(hot: &Hot, id: &str) -> Ticket {
    match hot.peek(&key(id)) {
        Peek::Partial(_, ticket) | Peek::Absent(ticket) => ticket,
        Peek::Whole(_) => panic!("all of {id} is here"),
    }
}

#[test]
fn whoever_is_read_is_whole_and_a_checkpoint_has_nothing_of_them() {
    let hot = Hot::default();
    assert!(!hot.is_dirty());
    hot.complete(&key("ann"), Some(&durable(1)), ticket(&hot, "ann"), kept);
    assert_eq!(known(&hot, "ann"), (1, true));
    hot.update(&key("ben"), START_MS, |_| false);
    assert!(!hot.is_dirty(), "nothing has changed");
    did(&hot, "ann", 2);
    assert!(hot.is_dirty());
    assert_eq!(known(&hot, "ann"), (2, true));
}

#[test]
fn whoever_was_folded_unread_is_whole_once_a_checkpoint_has_read_them() {
    let hot = Hot::default();
    did(&hot, "ann", 2);
    assert_eq!(known(&hot, "ann"), (1, false));
    let shard = shard_of(key("ann").hash());
    let taken = hot.take(shard).pop().expect("she has changed");
    assert!(taken.partial && !hot.is_dirty());
    hot.absorb(shard, &[(taken.hash, taken.key, Some(durable(1)))], kept);
    assert_eq!(known(&hot, "ann"), (2, true));
    hot.settle(false);
    assert!(hot.is_dirty(), "it has to be taken again");
}

#[test]
fn what_was_read_before_somebody_left_is_read_again() {
    for (leaves, known_then) in [(false, (1, true)), (true, (0, false))] {
        let hot = Hot::default();
        let before = ticket(&hot, "ann");
        if leaves {
            hot.complete(&key("ann"), None, before, kept);
        }
        sweep(&hot, false);
        hot.complete(&key("ann"), Some(&durable(1)), before, kept);
        assert_eq!(known(&hot, "ann"), known_then, "somebody left: {leaves}");
    }
}

#[test]
fn whoever_was_asked_for_stays_once_more_where_there_is_room() {
    let hot = Hot::default();
    for id in ["ann", "ben"] {
        did(&hot, id, 1);
    }
    (0..SHARDS).for_each(|shard| drop(hot.take(shard)));
    sweep(&hot, false);
    assert_eq!(hot.people(), 2, "they are being written");
    hot.settle(true);
    known(&hot, "ann");
    sweep(&hot, true);
    assert_eq!((hot.people(), known(&hot, "ann")), (1, (1, false)));
    sweep(&hot, false);
    assert_eq!(hot.people(), 0, "there is none");
}

#[test]
fn whoever_leaves_takes_along_all_that_they_took() {
    let hot = Hot::default();
    let empty = hot.bytes();
    for after_ms in 0..9 {
        (0..PEOPLE).for_each(|number| did(&hot, &format!("person {number}"), after_ms));
    }
    let shards: usize = (0..SHARDS).map(|shard| hot.shard_bytes(shard)).sum();
    assert_eq!(hot.bytes(), shards);
    // Nine entries of 12 bytes, and as much again for who they are and how they are found.
    assert!((PEOPLE * 108..PEOPLE * 216).contains(&shards), "{shards}");
    (0..SHARDS).for_each(|shard| drop(hot.take(shard)));
    hot.settle(true);
    sweep(&hot, false);
    assert_eq!((hot.people(), hot.bytes()), (0, empty));
}
