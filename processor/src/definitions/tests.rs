//! Stories of definitions that are saved at an awkward moment.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use prometheus_client::registry::Registry;
use schemas::event::Format;
use schemas::ids::ProjectId;
use schemas::lookup::{Coverage, Position};
use tempfile::TempDir;

use super::*;
use crate::fold::{Bounds, Reading};
use crate::follow::{Follower, Start};
use crate::following::Following;
use crate::log::scripted::{Scripted, Told};
use crate::worker::{Parts, Worker};

const NOW_MS: i64 = 1_750_000_000_000;
const BOUNDS: Bounds = Bounds { skew_ms: 0, lateness_ms: 0 };
const COHORT: &str = "members:\n  all:\n    - { did: searched, count: \">= 9\", within: 10m }\n";

/// A node of two workers, without definitions but for a project, whose log has a partition.
struct Story {
    folder: TempDir,
    store: Arc<Store>,
    definitions: Option<Definitions>,
    catalog: Arc<ArcSwap<Catalog>>,
    ruling: Arc<Ruling>,
    following: Arc<Following>,
    follower: Follower<Scripted>,
    assigned: BTreeSet<i32>,
    /// What each worker reads.
    logs: [Scripted; 2],
    workers: Vec<JoinHandle<()>>,
}

impl Story {
    fn begin() -> Story {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
        let store = Arc::new(store.expect("a store"));
        save(&folder, "project.yaml", "token: phc_test\n");
        let definitions = Definitions::open(&folder.path().join("definitions"), Arc::clone(&store));
        let definitions = definitions.expect("they are right");
        let (position, _) = crate::node::position();
        let following = Arc::new(Following::new(position, NOW_MS));
        let metrics = Arc::new(Metrics::new(&mut Registry::default()));
        let logs = [Scripted::default(), Scripted::default()];
        let (mut told, mut workers) = (Vec::new(), Vec::new());
        for log in &logs {
            let (assign, assignments) = mpsc::channel();
            told.push(assign);
            let parts = Parts {
                assignments,
                clock: Arc::new(|| NOW_MS),
                following: Arc::clone(&following),
                metrics: Arc::clone(&metrics),
                store: Arc::clone(&store),
                ruling: definitions.ruling(),
                reading: reading(),
            };
            let worker = Worker::new(Arc::new(log.clone()), "worker".to_owned(), parts);
            workers.push(thread::spawn(move || worker.run()));
        }
        let follower = Follower {
            log: Arc::new(Scripted::holding(0, 0)),
            store: Arc::clone(&store),
            ruling: definitions.ruling(),
            workers: told,
            following: Arc::clone(&following),
            metrics,
            clock: Arc::new(|| NOW_MS),
            start: Start::Earliest,
            horizon_ms: 0,
            bounds: BOUNDS,
            found: Arc::default(),
        };
        let (catalog, ruling) = (definitions.catalog(), definitions.ruling());
        let (definitions, assigned) = (Some(definitions), BTreeSet::new());
        let mut story = Story {
            folder,
            store,
            definitions,
            catalog,
            ruling,
            following,
            follower,
            assigned,
            logs,
            workers,
        };
        story.look();
        story
    }

    /// Has the partitions found that the log has by now.
    fn look(&mut self) {
        self.follower.look(&mut self.assigned, &mut true).expect("the log answers");
    }

    /// Gives a worker's partition this to read, its end behind that.
    fn tell(&self, worker: usize, told: Vec<Told>) {
        let end = vec![Told::End(worker as i32)];
        self.logs[worker].tell(&[told, end].concat());
    }

    /// Waits until so much of each partition is folded.
    fn folded<const N: usize>(&self, position: [(i32, i64); N]) {
        let position = Position::from(position);
        wait(|| self.store.position() == position);
    }

    /// Saves a cohort, which is taken up by a thread of its own as soon as that can be.
    fn save_cohort(&mut self) -> JoinHandle<bool> {
        save(&self.folder, "cohorts/searching.yaml", COHORT);
        let mut definitions = self.definitions.take().expect("nothing is taken up yet");
        let ruling = Arc::clone(&self.ruling);
        let reloading = thread::spawn(move || definitions.reload().expect("they are right"));
        wait(|| ruling.is_being_replaced() || reloading.is_finished());
        reloading
    }

    /// Fills the cohort from a log that has this, once nobody folds any more. Returns how many
    /// searches were known before, and after.
    fn fill(self, ends: &[i64], told: &[Told]) -> (usize, usize) {
        self.following.stop.store(true, Ordering::Release);
        self.workers.into_iter().for_each(|worker| worker.join().expect("the worker ends"));
        let catalog = self.catalog.load_full();
        let matcher = catalog.projects()[0].matchers[0].id;
        let searches = || {
            let record = self.store.read(ProjectId(0), "ann").expect("readable");
            record.window(matcher).entries().count()
        };
        let before = searches();
        let log = Scripted::default();
        (0..).zip(ends).for_each(|(partition, end)| log.hold(partition, 0, *end));
        log.tell(told);
        let filler = Filler {
            log: Arc::new(log),
            store: Arc::clone(&self.store),
            following: self.following,
            clock: Arc::new(|| NOW_MS),
            reading: reading(),
        };
        assert_eq!(filler.fill(&catalog, &|| false).expect("the log answers"), 0);
        assert_eq!(self.store.coverages()[&matcher], Coverage::Since(i64::MIN));
        (before, searches())
    }
}

fn reading() -> Reading {
    Reading { bounds: BOUNDS, token: None, format: Format::Sluice }
}

fn save(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join("definitions/shop").join(path);
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    std::fs::write(path, text).expect("a definition is saved");
}

fn searched(partition: i32, offset: i64) -> Told {
    let value = r#"{"event":"searched","distinct_id":"ann"}"#;
    Told::Record(partition, offset, NOW_MS - 60_000, value.to_owned())
}

/// Waits for something that takes microseconds, for a minute at most.
fn wait(done: impl Fn() -> bool) {
    let passed = (0..60_000).any(|_| {
        let passed = done();
        if !passed {
            thread::park_timeout(Duration::from_millis(1));
        }
        passed
    });
    assert!(passed, "it never came to pass");
}

/// One worker is in the midst of a batch, which it folds to its end by the old definitions; the
/// other has nothing to do, and then something.
#[test]
fn a_cohort_is_taken_up_by_all_workers_at_one_moment() {
    let mut story = Story::begin();
    story.follower.log.hold(1, 0, 0);
    story.look();
    story.folded([(0, 0), (1, 0)]);
    let folding = Arc::new(Barrier::new(2));
    let meet = || Told::Meet(Arc::clone(&folding));
    story.tell(0, vec![searched(0, 0), meet(), meet(), searched(0, 1)]);
    folding.wait();
    let reloading = story.save_cohort();
    story.tell(1, vec![searched(1, 0)]);
    folding.wait();
    assert!(reloading.join().expect("no panic"), "they have changed");
    story.folded([(0, 2), (1, 1)]);
    story.tell(0, vec![searched(0, 2)]);
    story.tell(1, vec![searched(1, 1)]);
    story.folded([(0, 3), (1, 2)]);
    let told = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)].map(|(id, offset)| searched(id, offset));
    assert_eq!(story.fill(&[3, 2], &told), (3, 5), "each is folded, or filled");
}

/// What was read of it before the cohort was taken up is filled, whenever it appeared.
#[test]
fn a_partition_that_appears_before_a_cohort_is_taken_up_is_filled_too() {
    let mut story = Story::begin();
    story.follower.log.hold(1, 0, 2);
    story.look();
    story.tell(1, vec![searched(1, 0), searched(1, 1)]);
    story.folded([(0, 0), (1, 2)]);
    let reloading = story.save_cohort();
    assert!(reloading.join().expect("no panic"), "they have changed");
    let matcher = story.catalog.load().projects()[0].matchers[0].id;
    let coverage = story.store.coverages()[&matcher];
    assert!(matches!(coverage, Coverage::Filling { .. }), "{coverage:?}");
    let told = [searched(1, 0), searched(1, 1), Told::End(1)];
    assert_eq!(story.fill(&[0, 2], &told), (0, 2), "nobody had asked for them");
}

/// It is added once the cohort is in use, and read by it from its first record on.
#[test]
fn a_partition_that_appears_while_a_cohort_is_taken_up_needs_no_filling() {
    let mut story = Story::begin();
    let folding = Arc::new(Barrier::new(2));
    let meet = || Told::Meet(Arc::clone(&folding));
    story.tell(0, vec![searched(0, 0), meet(), meet()]);
    folding.wait();
    let reloading = story.save_cohort();
    story.follower.log.hold(1, 0, 2);
    story.tell(1, vec![searched(1, 0), searched(1, 1)]);
    let looking = thread::spawn(move || {
        story.look();
        story
    });
    folding.wait();
    let story = looking.join().expect("it is found");
    assert!(reloading.join().expect("no panic"), "they have changed");
    story.folded([(0, 1), (1, 2)]);
    assert_eq!(story.fill(&[1, 2], &[searched(0, 0), Told::End(0)]), (2, 3));
}
