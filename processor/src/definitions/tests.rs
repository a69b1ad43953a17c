//! Stories of definitions that are saved at an awkward moment.

use std::sync::atomic::Ordering;
use std::thread;

use prometheus_client::registry::Registry;
use schemas::event::Format;
use schemas::ids::ProjectId;
use schemas::lookup::Coverage;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::fold::{Bounds, Reading};
use crate::following::Following;
use crate::log::scripted::{Scripted, Told};
use crate::worker::{Assignment, Parts, Worker};

const NOW_MS: i64 = 1_750_000_000_000;
const COHORT: &str = "members:\n  all:\n    - { did: searched, count: \">= 2\", within: 10m }\n";

fn save(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join("definitions/shop").join(path);
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    std::fs::write(path, text).expect("a definition is saved");
}

fn searched(offset: i64) -> Told {
    let value = r#"{"event":"searched","distinct_id":"ann"}"#;
    Told::Record(1, offset, NOW_MS - 60_000, value.to_owned())
}

fn wait(done: impl Fn() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Between the moment that a cohort is read from disk and the moment that the worker folds by
/// it, a partition appears and is read: by the old definitions, so it has to be filled.
#[test]
fn a_partition_that_appears_while_a_cohort_is_taken_up_is_filled_too() {
    let folder = TempDir::new().expect("a folder");
    let store = Store::open(&folder.path().join("store"), 8 << 20, "scripted");
    let store = Arc::new(store.expect("a store"));
    save(&folder, "project.yaml", "token: phc_test\n");
    let definitions = Definitions::open(&folder.path().join("definitions"), Arc::clone(&store));
    let mut definitions = definitions.expect("they are right");
    let catalog = definitions.catalog();

    let log = Scripted::holding(0, 0);
    let (position, _) = watch::channel(Position::new());
    let following = Arc::new(Following::new(position, NOW_MS));
    let clock: schemas::time::Clock = Arc::new(|| NOW_MS);
    let reading = Reading {
        bounds: Bounds { skew_ms: 0, lateness_ms: 0 },
        token: None,
        format: Format::Sluice,
    };
    let (worker_orders, obeyed) = mpsc::channel();
    let parts = Parts {
        orders: obeyed,
        clock: Arc::clone(&clock),
        following: Arc::clone(&following),
        metrics: Arc::new(Metrics::new(&mut Registry::default())),
        store: Arc::clone(&store),
        catalog: catalog.load_full(),
        reading: reading.clone(),
    };
    let worker = Worker::new(log.clone(), parts);
    let worker = thread::spawn(move || worker.run());
    let assign = |partition| {
        let assignment = Assignment { partition, offset: 0, since_ms: i64::MIN, catch_up_to: None };
        worker_orders.send(Order::Assign(assignment)).expect("the worker listens");
        wait(|| store.position().contains_key(&partition));
    };
    assign(0);

    save(&folder, "cohorts/searching.yaml", COHORT);
    let (orders, given) = mpsc::channel();
    let reloading = thread::spawn(move || definitions.reload(&orders).expect("they are right"));
    let order = given.recv().expect("an order to use them");
    // It is on its way to the worker. Meanwhile:
    log.hold(1, 0, 2);
    assign(1);
    log.tell(&[searched(0), searched(1), Told::End(1)]);
    wait(|| store.position()[&1] == 2);
    worker_orders.send(order).expect("the worker listens");
    assert!(reloading.join().expect("no panic"), "they have changed");

    let matcher = catalog.load().projects()[0].matchers[0].id;
    let coverage = || store.coverages()[&matcher];
    let searches =
        || store.read(ProjectId(0), "ann").expect("readable").window(matcher).entries().count();
    assert_eq!(searches(), 0, "they were read when nobody asked for them");
    assert!(matches!(coverage(), Coverage::Filling { .. }), "{:?}", coverage());
    following.stop.store(true, Ordering::Release);
    worker.join().expect("the worker ends");

    log.tell(&[searched(0), searched(1), Told::End(1)]);
    let (log, store) = (Arc::new(log), Arc::clone(&store));
    let filler = Filler { log, store, following, clock, reading };
    assert_eq!(filler.fill(&catalog.load(), &|| false).expect("the log answers"), 0);
    assert_eq!((coverage(), searches()), (Coverage::Since(i64::MIN), 2));
}
