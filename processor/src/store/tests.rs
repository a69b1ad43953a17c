//! Stories of the store: what is folded is found again, whatever happens in between.

use schemas::catalog::Project;
use schemas::filter::PropertyMatching;
use schemas::gate::Gate;
use schemas::links::{Link, Role};
use schemas::matcher::{Matcher, Take};
use schemas::properties::{Kind, Register};
use schemas::window::{Entry, Folded, Keep};
use tempfile::TempDir;

use super::*;

const MATCHER: MatcherId = MatcherId(3);
const PROJECT: ProjectId = ProjectId(0);
const START_MS: i64 = 1_750_000_000_000;
const WINDOW_MS: i64 = 300_000;
const K: u16 = 3;
const KEPT: Kept = Kept { keep: Keep::Newest, k: K, horizon_ms: WINDOW_MS };
/// Keeps the earliest event.
const FIRST: MatcherId = MatcherId(9);
const EVER: Kept = Kept { keep: Keep::Earliest, k: 1, horizon_ms: i64::MAX };

fn catalog() -> Catalog {
    let matcher = Matcher {
        until_ms: i64::MAX,
        id: MATCHER,
        event: "added to cart".to_owned(),
        filters: Vec::new(),
        take: Take::Nothing,
        kept: KEPT,
    };
    let first = Matcher { id: FIRST, kept: EVER, event: "seen".to_owned(), ..matcher.clone() };
    Catalog::new(vec![Project {
        id: PROJECT,
        name: "shop".to_owned(),
        token: "shop".to_owned(),
        team_id: None,
        secrets: Vec::new(),
        time_zone: jiff::tz::TimeZone::UTC,
        property_matching: PropertyMatching::V2,
        flags: Vec::new(),
        cohorts: Vec::new(),
        gate: Gate::of(&[matcher.clone(), first.clone()]),
        matchers: vec![matcher, first],
        person_keys: Default::default(),
        group_types: Default::default(),
        standing: Default::default(),
        feed: Default::default(),
    }])
}

fn open(folder: &TempDir) -> Store {
    let store = Store::open(&folder.path().join("store"), 8 << 20, "test").expect("a store");
    store.keep_for(&[&catalog()]);
    store.partition(0, 0, i64::MIN);
    store
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// Folds one event of `id`, `after_ms` after the start.
fn add(store: &Store, id: &str, after_ms: i64) {
    let partition = store.partition(0, 0, i64::MIN);
    let entry = Entry::new(START_MS + after_ms, after_ms as u64);
    let fold = |record: &mut Record| record.fold(MATCHER, KEPT, entry.into()) == Folded::Kept;
    partition.hot.update(&PersonKey::new(PROJECT, id), entry.time_ms(), fold);
    partition.advance(partition.next_offset() + 1);
}

fn times(store: &Store, id: &str) -> Vec<i64> {
    let record = store.read(PROJECT, id).expect("readable");
    record.window(MATCHER).entries().map(|entry| entry.time_ms() - START_MS).collect()
}

#[test]
fn people_and_the_offset_come_back_together() {
    let folder = folder();
    let store = open(&folder);
    for number in 0..1_000 {
        add(&store, &format!("person {number}"), number);
    }
    store.checkpoint(START_MS).expect("durable");
    add(&store, "too late", 5);
    drop(store);
    let store = open(&folder);
    assert_eq!(store.position()[&0], 1_000, "what the checkpoint had, and nothing more");
    assert_eq!(times(&store, "person 7"), [7]);
    assert_eq!(times(&store, "too late"), [0; 0]);
}

#[test]
fn somebody_folded_unread_is_joined_with_what_is_durable() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 10);
    store.checkpoint(START_MS).expect("durable");
    drop(store);
    let store = open(&folder);
    add(&store, "ann", 30);
    add(&store, "bob", 1);
    assert_eq!(times(&store, "ann"), [30, 10], "at a check");
    add(&store, "ann", 20);
    store.checkpoint(START_MS).expect("durable");
    drop(store);
    assert_eq!(times(&open(&folder), "ann"), [30, 20, 10], "and at a checkpoint");
}

#[test]
fn whoever_leaves_memory_is_found_on_disk_and_comes_back() {
    let folder = folder();
    let store = open(&folder);
    for number in 0..2_000 {
        add(&store, &format!("person {number}"), number);
    }
    store.sweep(0, 0);
    assert_eq!(store.memory().people, 2_000, "changed people are never let go");
    store.checkpoint(START_MS).expect("durable");
    store.sweep(0, 0);
    assert_eq!(store.memory().people, 0);
    add(&store, "person 5", 6);
    assert_eq!(times(&store, "person 5"), [6, 5]);
    assert_eq!(times(&store, "person 1999"), [1_999]);
    assert_eq!(store.memory().people, 2, "asked for, so in memory again");
}

#[test]
fn what_no_condition_can_see_leaves_memory() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 0);
    add(&store, "bob", 1);
    store.checkpoint(START_MS + WINDOW_MS).expect("durable");
    (0..16).for_each(|round| store.sweep(round, usize::MAX));
    assert_eq!(store.memory().people, 1, "at exactly the window's length ann is out");
    drop(store);
    let store = open(&folder);
    assert_eq!(times(&store, "ann"), [0; 0]);
    assert_eq!(times(&store, "bob"), [1]);
}

#[test]
fn a_matcher_out_of_use_frees_what_was_kept_for_it() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 0);
    store.keep_for(&[&Catalog::default()]);
    store.checkpoint(START_MS).expect("durable");
    (0..16).for_each(|round| store.sweep(round, usize::MAX));
    assert_eq!(store.memory().people, 0);
}

#[test]
fn a_damaged_store_is_set_aside_and_made_anew() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 0);
    store.checkpoint(START_MS).expect("durable");
    drop(store);
    let records = folder.path().join("store/records");
    for file in std::fs::read_dir(&records).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|kind| kind == "sst") {
            std::fs::write(&path, b"torn").expect("written over");
        }
    }
    let store = open(&folder);
    assert_eq!(store.position()[&0], 0, "everything is read from the log again");
    assert!(folder.path().join("store.damaged-0").exists());
}

#[test]
fn a_store_made_from_another_log_is_refused() {
    let folder = folder();
    drop(open(&folder));
    let other = Store::open(&folder.path().join("store"), 8 << 20, "kafka:events");
    let error = other.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("made from the log \"test\""), "{error}");
}

#[test]
fn events_of_one_person_in_two_partitions_are_one_window() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 10);
    let other = store.partition(1, 0, i64::MIN);
    let entry = Entry::new(START_MS + 20, 20);
    other.hot.update(&PersonKey::new(PROJECT, "ann"), entry.time_ms(), |record| {
        record.fold(MATCHER, KEPT, entry.into()) == Folded::Kept
    });
    assert_eq!(times(&store, "ann"), [20, 10]);
}

/// Filling changes people and moves no offset.
#[test]
fn people_who_change_while_nothing_is_read_are_in_the_next_checkpoint() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 10);
    store.checkpoint(START_MS).expect("durable");
    let entry = Entry::new(START_MS + 20, 20);
    let fold = |record: &mut Record| record.fold(MATCHER, KEPT, entry.into()) == Folded::Kept;
    let partition = store.partition(0, 0, i64::MIN);
    partition.hot.update(&PersonKey::new(PROJECT, "ann"), entry.time_ms(), fold);
    assert_eq!(store.checkpoint(START_MS).expect("durable").people, 1);
    assert_eq!(store.checkpoint(START_MS).expect("durable").people, 0, "nothing is left to do");
    drop(store);
    assert_eq!(times(&open(&folder), "ann"), [20, 10]);
}

/// Whatever moment a checkpoint takes, an offset past a loss comes with the loss.
#[test]
fn a_checkpoint_takes_coverage_and_offset_of_one_moment() {
    const PARTITIONS: i32 = 2_000;
    let folder = folder();
    let store = open(&folder);
    (0..PARTITIONS).for_each(|id| drop(store.partition(id, 0, i64::MIN)));
    let last = store.partition(PARTITIONS - 1, 0, i64::MIN);
    let (catalog, stop) = (Catalog::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // As the worker does: coverage first, then the offset. Here both are the same number.
        scope.spawn(|| {
            for number in 1.. {
                store.with_progress(&catalog, |progress| {
                    let noted = progress.partitions.get_mut(&last.id).expect("it was assigned");
                    noted.restart(number, number);
                });
                last.advance(number);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..60 {
            store.checkpoint(START_MS).expect("durable");
            let durable = store.durable.progress().expect("readable").expect("there");
            let durable: Progress = serde_json::from_slice(&durable).expect("progress");
            let noted = &durable.partitions[&last.id];
            let told = noted.next_offset <= noted.since_ms.max(0);
            stop.fetch_or(!told, Ordering::Relaxed);
            assert!(told, "past {}, complete since {}", noted.next_offset, noted.since_ms);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Says that `id` is forgotten until so long after the start.
fn forget(store: &Store, id: &str, after_ms: i64) -> bool {
    let partition = store.partition(0, 0, i64::MIN);
    partition.hot.forget(&PersonKey::new(PROJECT, id), START_MS + after_ms)
}

/// The stored bytes of everybody in a partition.
fn durable(store: &Store, partition: i32) -> Vec<Record> {
    let mut records = Vec::new();
    let mut walk = store.durable.walk(partition, &[], None).expect("readable");
    while let Some((_, stored)) = walk.here() {
        records.push(Record::from_bytes(stored).expect("a record"));
        walk.step().expect("readable");
    }
    records
}

#[test]
fn whoever_is_forgotten_is_gone_from_every_partition_and_stays_so() {
    let folder = folder();
    let store = open(&folder);
    add(&store, "ann", 10);
    add(&store, "ben", 10);
    let other = store.partition(1, 0, i64::MIN);
    let entry = Entry::new(START_MS + 20, 20);
    let fold = |record: &mut Record| record.fold(MATCHER, KEPT, entry.into()) == Folded::Kept;
    other.hot.update(&PersonKey::new(PROJECT, "ann"), entry.time_ms(), fold);
    store.checkpoint(START_MS).expect("durable");
    store.sweep(0, 0);
    assert_eq!(store.memory().people, 0);
    assert!(forget(&store, "ann", 30) && !forget(&store, "ann", 29), "the latest counts");
    assert_eq!(times(&store, "ann"), [0; 0], "at once, and though she lies on disk");
    let mut known = Vec::new();
    let each = |id: &str, record: Record| known.push((id.to_owned(), record.is_empty()));
    store.each_person(PROJECT, each).expect("readable");
    known.sort();
    assert_eq!(known, [("ann".to_owned(), true), ("ben".to_owned(), false)]);
    let glanced = store.glance(&PersonKey::new(PROJECT, "ann")).expect("readable");
    assert!(glanced.is_empty());
    store.checkpoint(START_MS).expect("durable");
    assert!(durable(&store, 1)[0].is_empty(), "nothing is left of her on disk");
    assert_eq!(durable(&store, 0).iter().filter(|record| record.is_empty()).count(), 1);
    drop(store);
    let store = open(&folder);
    add(&store, "ann", 25);
    add(&store, "ann", 30);
    assert_eq!(times(&store, "ann"), [0; 0], "what comes late is refused after a restart too");
    store.checkpoint(START_MS).expect("durable");
    let empty = durable(&store, 0).iter().filter(|record| record.is_empty()).count();
    assert_eq!(empty, 1, "and isn't written either");
    add(&store, "ann", 31);
    assert_eq!(times(&store, "ann"), [31]);
    assert_eq!(times(&store, "ben"), [10]);
    store.checkpoint(START_MS).expect("durable");
    drop(store);
    assert_eq!(times(&open(&folder), "ann"), [31]);
}

/// What isn't durable yet is told again by the log; what is, must be.
#[test]
fn a_checkpoint_that_fails_forgets_nobody_and_the_next_one_does() {
    let disk = crate::simulation::disk::SimulatedDisk::default();
    let keep = Arc::new(Keeping::default());
    let open = || {
        let disk = Box::new(disk.clone());
        let store = Store::on(disk, Arc::clone(&keep), Path::new("simulated"), "test");
        let store = store.expect("a store");
        store.keep_for(&[&catalog()]);
        store
    };
    let store = open();
    add(&store, "ann", 10);
    store.checkpoint(START_MS).expect("durable");
    assert!(forget(&store, "ann", 20));
    disk.break_next(crate::simulation::disk::Break::Unsynced);
    store.checkpoint(START_MS).expect_err("a broken disk");
    assert_eq!(times(&open(), "ann"), [10]);
    store.checkpoint(START_MS).expect("durable");
    assert_eq!(times(&open(), "ann"), [0; 0]);
    add(&store, "ann", 5);
    store.checkpoint(START_MS).expect("durable");
    assert_eq!(times(&open(), "ann"), [0; 0]);
}

/// Folds an event of Ann's that is seen, sets her plan once and takes her for somebody else's.
fn is_seen(store: &Store, after_ms: i64) {
    let stamp = Entry::new(START_MS + after_ms, after_ms as u64);
    let value = after_ms.to_string();
    let register = Register { key: "plan".into(), kind: Kind::SetOnce, stamp, value: value.into() };
    let link = Link { stamp, role: Role::Belongs, other: format!("u{after_ms}").into() };
    let ann = PersonKey::new(PROJECT, "ann");
    store.partition(0, 0, i64::MIN).hot.update(&ann, stamp.time_ms(), |record| {
        record.fold(FIRST, EVER, stamp.into());
        record.write(&register) && record.link(&link)
    });
}

/// What was first before, and a copy of it that comes late, can't stand in the way of what is
/// first now; nor does it where nobody has read what is durable of the person.
#[test]
fn what_was_first_does_not_hide_what_is_first_now() {
    for restarted in [false, true] {
        let folder = folder();
        let mut store = open(&folder);
        is_seen(&store, 10);
        store.checkpoint(START_MS).expect("durable");
        forget(&store, "ann", 20);
        if restarted {
            store.checkpoint(START_MS).expect("durable");
            drop(store);
            store = open(&folder);
            is_seen(&store, 10);
        }
        is_seen(&store, 40);
        let record = store.read(PROJECT, "ann").expect("readable");
        let first_ms = record.window(FIRST).newest().map(Entry::time_ms);
        assert_eq!(first_ms, Some(START_MS + 40), "restarted: {restarted}");
        let told: Vec<_> = record.registers().map(|r| r.value.into_owned()).collect();
        assert_eq!(told, ["40"]);
        let links: Vec<_> = record.links().map(|link| link.other.into_owned()).collect();
        assert_eq!(links, ["u40"]);
    }
}

/// The other id's own record isn't touched, and its link isn't seen all the same.
#[test]
fn a_link_with_whoever_was_forgotten_is_not_followed() {
    let folder = folder();
    let store = open(&folder);
    let link = |id: &str, role, other: &str, after_ms: i64| {
        let stamp = Entry::new(START_MS + after_ms, after_ms as u64);
        let other = other.to_owned();
        let link = Link { stamp, role, other: other.into() };
        let partition = store.partition(0, 0, i64::MIN);
        let key = PersonKey::new(PROJECT, id);
        partition.hot.update(&key, stamp.time_ms(), |record| record.link(&link));
    };
    link("ann", Role::Absorbs, "phone", 10);
    link("phone", Role::Absorbed, "ann", 10);
    forget(&store, "phone", 20);
    link("ann", Role::Absorbs, "tablet", 30);
    let links = |id| {
        let record = store.read(PROJECT, id).expect("readable");
        record.links().map(|link| link.other.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(links("phone"), [""; 0]);
    assert_eq!(links("ann"), ["tablet"]);
    link("ann", Role::Absorbs, "phone", 40);
    assert_eq!(links("ann"), ["tablet", "phone"], "a new link counts");
}
