//! Stories of a walk over everybody: each person once, in one order, wherever their events are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use rustc_hash::FxHashMap;
use schemas::ids::MatcherId;
use schemas::links::{Link, Role};
use schemas::window::{Entry, Folded};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::following::Following;
use crate::simulation::disk::SimulatedDisk;
use crate::store::{Durable, Keeping, Put, Walk};

const MATCHER: MatcherId = MatcherId(3);
const PROJECT: ProjectId = ProjectId(1);
const START_MS: i64 = 1_750_000_000_000;
const KEPT: Kept = Kept { keep: schemas::window::Keep::Newest, k: 100, horizon_ms: 300_000 };

/// A node that follows two partitions.
fn here(folder: &TempDir) -> Here {
    let store = Store::open(&folder.path().join("store"), 1 << 20, "test").expect("a store");
    following(Arc::new(store))
}

fn following(store: Arc<Store>) -> Here {
    store.keep_matchers(FxHashMap::from_iter([(MATCHER, KEPT)]));
    for id in [0, 1] {
        store.partition(id, 0, i64::MIN).set_caught_up(true);
    }
    let (told, _) = watch::channel(store.position());
    let following = Arc::new(Following::new(told, START_MS));
    Here::new(store, following, Arc::new(AtomicBool::new(true)), None)
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// One event of `id` in a partition, `after_ms` after the start.
fn add(here: &Here, partition: i32, id: &str, after_ms: i64) {
    let partition = here.store.partition(partition, 0, i64::MIN);
    let entry = Entry::new(START_MS + after_ms, after_ms as u64);
    let fold = |record: &mut Record| record.fold(MATCHER, KEPT, entry.into()) == Folded::Kept;
    partition.hot.update(&PersonKey::new(PROJECT, id), entry.time_ms(), fold);
}

/// `anonymous` logs in as `id`.
fn login(here: &Here, partition: i32, id: &str, anonymous: &str, after_ms: i64) {
    let partition = here.store.partition(partition, 0, i64::MIN);
    let stamp = Entry::new(START_MS + after_ms, after_ms as u64);
    for (bearer, role, other) in [(id, Role::Owns, anonymous), (anonymous, Role::Belongs, id)] {
        let link = Link { stamp, role, other: other.into() };
        let key = PersonKey::new(PROJECT, bearer);
        partition.hot.update(&key, link.stamp.time_ms(), |record| record.link(&link));
    }
}

fn settle(here: &Here) {
    here.store.checkpoint(START_MS).expect("durable");
    here.store.sweep(0, 0);
    assert_eq!(here.store.memory().people, 0, "everybody has left memory");
}

/// One person: by which id, all ids, and how many events are known.
type Seen = (String, Vec<String>, usize);

/// Everybody after a place, as far as so many are met; and where that ended.
fn met(here: &Here, after: &Place, most: usize) -> (Vec<Seen>, Option<Place>) {
    let at_least = Position::new();
    let (now_ms, asked_ms) = (START_MS, START_MS);
    let stretch =
        Stretch { project: PROJECT, after, before: None, at_least: &at_least, now_ms, asked_ms };
    let mut seen = Vec::new();
    let ended = here.scan(&stretch, &mut |met| {
        if let Met::Person { distinct_id, facts } = met {
            let events = facts.record.window(MATCHER).len();
            seen.push((distinct_id.to_owned(), facts.distinct_ids.clone(), events));
        }
        if seen.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (seen, ended.expect("readable"))
}

fn everybody(here: &Here) -> Vec<Seen> {
    met(here, &Place::default(), usize::MAX).0
}

/// The same by id, each of whom must come once.
fn by_id(here: &Here) -> BTreeMap<String, usize> {
    let seen = everybody(here);
    let ids: BTreeMap<String, usize> =
        seen.iter().map(|(id, _, events)| (id.clone(), *events)).collect();
    assert_eq!(ids.len(), seen.len(), "somebody came twice");
    ids
}

/// In both partitions, in memory, on disk, and in both: all of it is one person's.
#[test]
fn somebody_in_two_partitions_and_two_tiers_comes_once_with_everything() {
    let folder = folder();
    let here = here(&folder);
    let expected = |number: usize| 1 + number % 4;
    for number in 0..400 {
        add(&here, 0, &format!("person {number}"), 1);
    }
    settle(&here);
    for number in 0..400 {
        // Which of the four places have an event depends on the number.
        let id = format!("person {number}");
        (0..expected(number) - 1).for_each(|at| add(&here, at as i32 % 2, &id, 2 + at as i64));
        if number == 200 {
            here.store.checkpoint(START_MS).expect("durable");
        }
    }
    let wanted: BTreeMap<String, usize> =
        (0..400).map(|number| (format!("person {number}"), expected(number))).collect();
    assert_eq!(by_id(&here), wanted);
    settle(&here);
    assert_eq!(by_id(&here), wanted, "from disk alone");
    assert_eq!(here.store.memory().people, 0, "a walk brings nobody into memory");
}

#[test]
fn a_walk_goes_on_where_it_ended() {
    let folder = folder();
    let here = here(&folder);
    (0..300).for_each(|number| add(&here, number % 2, &format!("person {number}"), 1));
    here.store.checkpoint(START_MS).expect("durable");
    let all = everybody(&here);
    assert_eq!(all.len(), 300);
    let mut pages = Vec::new();
    let mut after = Place::default();
    loop {
        let (page, ended) = met(&here, &after, 7);
        // Where people are doesn't matter to the order.
        here.store.sweep(0, 0);
        pages.extend(page);
        match ended {
            Some(place) => after = place,
            None => break,
        }
    }
    assert_eq!(pages, all);
}

#[test]
fn parts_have_everybody_once() {
    let folder = folder();
    let here = here(&folder);
    (0..500).for_each(|number| add(&here, 0, &format!("person {number}"), 1));
    let at_least = Position::new();
    let mut met = 0;
    for part in 0..8 {
        let (after, end) = (Place::part(part, 8), (part < 7).then(|| Place::part(part + 1, 8)));
        let stretch = Stretch {
            project: PROJECT,
            after: &after,
            before: end.as_ref(),
            at_least: &at_least,
            now_ms: START_MS,
            asked_ms: START_MS,
        };
        let ended = here.scan(&stretch, &mut |_| {
            met += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(ended, Ok(None));
    }
    assert_eq!(met, 500);
}

#[test]
fn whoever_logged_in_comes_once_with_all_ids() {
    let folder = folder();
    let here = here(&folder);
    for number in 0..50 {
        let [ann, phone, laptop] =
            ["ann", "phone", "laptop"].map(|name| format!("{name} {number}"));
        add(&here, 0, &phone, 1);
        add(&here, 1, &laptop, 2);
        login(&here, 0, &ann, &phone, 3);
        if number == 25 {
            settle(&here);
        }
        login(&here, 1, &ann, &laptop, 4);
        add(&here, 1, &ann, 5);
    }
    add(&here, 0, "stranger", 1);
    let seen = everybody(&here);
    assert_eq!(seen.len(), 51);
    for (id, ids, events) in seen.iter().filter(|(id, _, _)| id != "stranger") {
        let number = id.strip_prefix("ann ").expect("the identified id");
        assert_eq!(
            *ids,
            [format!("ann {number}"), format!("laptop {number}"), format!("phone {number}")]
        );
        assert_eq!(*events, 3);
    }
    settle(&here);
    let mut from_disk = everybody(&here);
    assert_eq!(from_disk.len(), seen.len());
    from_disk.retain(|one| !seen.contains(one));
    assert_eq!(from_disk, []);
    assert_eq!(here.store.memory().people, 0);
}

/// Of whom no condition can see anything any more, nobody knows how long something is kept.
#[test]
fn nobody_is_known_by_what_no_condition_can_see() {
    let folder = folder();
    let here = here(&folder);
    add(&here, 0, "ann", -300_000);
    add(&here, 0, "ben", -299_999);
    let other = PersonKey::new(ProjectId(2), "of another project");
    here.store.partitions()[0].hot.update(&other, START_MS, |record| {
        record.fold(MATCHER, KEPT, Entry::new(START_MS, 1).into()) == Folded::Kept
    });
    assert_eq!(by_id(&here), BTreeMap::from([("ben".to_owned(), 1)]));
}

/// What leaves a window while a list goes on is kept for it, in memory and on disk.
#[test]
fn what_a_list_sees_stays_until_it_lapses() {
    let folder = folder();
    let here = here(&folder);
    (0..100).for_each(|number| add(&here, 0, &format!("person {number}"), -299_999));
    here.hold(START_MS, START_MS).expect("room");
    let sweep = |later_ms| {
        here.store.checkpoint(START_MS + later_ms).expect("durable");
        (0..16).for_each(|round| here.store.sweep(round, usize::MAX));
    };
    sweep(30_000);
    assert_eq!(by_id(&here).len(), 100, "all have left their window, and are held");
    assert_eq!(here.hold(START_MS, START_MS + 30_000), Ok(()));
    sweep(89_999);
    assert_eq!(by_id(&here).len(), 100);
    sweep(90_000);
    assert_eq!(here.hold(START_MS, START_MS + 90_000), Err(Unheld::Lapsed));
    assert_eq!(here.store.memory().people, 0);
}

/// A disk beside which everybody becomes durable and leaves memory, just after a walk over it has
/// begun.
struct Hasty {
    disk: SimulatedDisk,
    store: Arc<OnceLock<Weak<Store>>>,
}

impl Durable for Hasty {
    fn record(&self, partition: i32, hash: u64, key: &[u8]) -> Result<Option<Record>, StoreError> {
        self.disk.record(partition, hash, key)
    }

    fn progress(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.progress()
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.meta(name)
    }

    fn write_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.disk.write_meta(name, value)
    }

    fn forgotten(&self, each: &mut dyn FnMut(u128, i64)) -> Result<(), StoreError> {
        self.disk.forgotten(each)
    }

    fn walk<'d>(
        &'d self,
        partition: i32,
        after: &[u8],
        before: Option<&[u8]>,
    ) -> Result<Box<dyn Walk + 'd>, StoreError> {
        let walk = self.disk.walk(partition, after, before);
        let store = self.store.get().and_then(Weak::upgrade).expect("a store");
        store.checkpoint(START_MS).expect("durable");
        store.sweep(0, 0);
        walk
    }

    fn checkpoint(
        &self,
        progress: &[u8],
        fill: &mut dyn FnMut(&mut Put<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        self.disk.checkpoint(progress, fill)
    }
}

#[test]
fn whoever_leaves_memory_just_then_is_met_on_disk() {
    let known = Arc::new(OnceLock::new());
    let hasty = Hasty { disk: SimulatedDisk::default(), store: Arc::clone(&known) };
    let keep = Arc::new(Keeping::default());
    let store = Store::on(Box::new(hasty), keep, Path::new("simulated"), "test");
    let store = Arc::new(store.expect("a store"));
    known.set(Arc::downgrade(&store)).expect("once");
    let here = following(store);
    // So many that the first walk, with which all of them leave, is over some.
    for at in 0..3 {
        (0..5_000).for_each(|number| add(&here, number % 2, &format!("person {number}"), at));
        let events: Vec<usize> = by_id(&here).into_values().collect();
        assert_eq!(events, [at as usize + 1; 5_000]);
    }
}

/// People leave memory, come back and change while everybody is walked over, again and again.
#[test]
fn nobody_is_missed_while_people_come_and_go() {
    let folder = folder();
    let here = here(&folder);
    let id = |number: i64| format!("person {number}");
    (0..2_000).for_each(|number| add(&here, number as i32 % 2, &id(number), 1));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                turn += 1;
                for number in (turn % 7..2_000).step_by(7) {
                    add(&here, number as i32 % 2, &id(number), 1 + turn % 50);
                }
                here.store.checkpoint(START_MS).expect("durable");
                here.store.sweep(0, 0);
            }
        });
        for _ in 0..40 {
            let seen = by_id(&here);
            if seen.len() != 2_000 {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(seen.len(), 2_000, "somebody is missing");
        }
        done.store(true, Ordering::Relaxed);
    });
}
