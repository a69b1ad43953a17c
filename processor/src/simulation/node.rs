//! A node without its threads: each part does what it is told, when it is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fastrand::Rng;
use prometheus_client::registry::Registry;
use schemas::event::Format;
use schemas::time::Clock;

use super::disk::SimulatedDisk;
use super::log::SimulatedLog;
use super::truth::SKEW_MS;
use crate::checkpointer::Checkpointer;
use crate::clocks::Clocks;
use crate::definitions::Definitions;
use crate::fill::Filler;
use crate::fold::{Bounds, Reading};
use crate::follow::{Follower, Start};
use crate::following::Following;
use crate::lookup::Here;
use crate::metrics::Metrics;
use crate::store::{Keeping, Store};
use crate::worker::{Assignment, Parts, Worker};

const LATENESS_MS: i64 = 60_000;
/// How many share the partitions.
const WORKERS: usize = 2;

/// A node as `node.rs` puts it together, without its threads.
pub struct Node {
    pub definitions: Definitions,
    pub workers: Vec<Worker<SimulatedLog>>,
    pub follower: Follower<SimulatedLog>,
    pub assigned: BTreeSet<i32>,
    pub prepared: bool,
    pub filler: Filler<SimulatedLog>,
    pub checkpointer: Checkpointer<SimulatedLog>,
    pub here: Here,
    pub store: Arc<Store>,
    /// Where the log ended when the node started: nothing older may be answered from.
    pub began_at: Vec<i64>,
}

impl Node {
    /// Starts on what the disk and the log have.
    pub fn start(
        log: &SimulatedLog,
        disk: &SimulatedDisk,
        folder: &Path,
        now_ms: &Arc<AtomicI64>,
    ) -> Node {
        let began_at = log.ends();
        let keep = Arc::new(Keeping::default());
        let disk = Box::new(disk.clone());
        let store = Store::on(disk, keep, Path::new("simulated"), "simulated").expect("a store");
        let store = Arc::new(store);
        let definitions = Definitions::open(folder, Arc::clone(&store));
        let definitions = definitions.unwrap_or_else(|error| panic!("{error}"));
        let now = Arc::clone(now_ms);
        let clock: Clock = Arc::new(move || now.load(Ordering::Relaxed));
        let (position, _) = crate::node::position();
        let following = Arc::new(Following::new(position, now_ms.load(Ordering::Relaxed)));
        let metrics = Arc::new(Metrics::new(&mut Registry::default()));
        let found = Arc::new(AtomicBool::new(false));
        let bounds = Bounds { skew_ms: SKEW_MS, lateness_ms: LATENESS_MS };
        let reading = Reading { bounds, token: None, format: Format::Sluice };
        let log = Arc::new(log.clone());
        let horizon_ms = definitions.catalog().load().horizon_ms();
        let (workers, told) = workers(&log, |assignments| Parts {
            assignments,
            clock: Arc::clone(&clock),
            following: Arc::clone(&following),
            metrics: Arc::clone(&metrics),
            store: Arc::clone(&store),
            ruling: definitions.ruling(),
            reading: reading.clone(),
        });
        Node {
            workers,
            follower: Follower {
                log: Arc::clone(&log),
                store: Arc::clone(&store),
                ruling: definitions.ruling(),
                workers: told,
                following: Arc::clone(&following),
                metrics: Arc::clone(&metrics),
                clock: Arc::clone(&clock),
                start: Start::Windows,
                horizon_ms,
                bounds,
                found: Arc::clone(&found),
            },
            definitions,
            assigned: BTreeSet::new(),
            prepared: false,
            filler: Filler {
                log: Arc::clone(&log),
                store: Arc::clone(&store),
                following: Arc::clone(&following),
                clock: Arc::clone(&clock),
                reading,
            },
            checkpointer: checkpointer(&store, log, &following, metrics, clock),
            here: Here::new(Arc::clone(&store), following, found, None),
            store,
            began_at,
        }
    }
}

/// Each worker turns so often as the dice say, or not at all, one after the other.
pub fn turn(workers: &mut [Worker<SimulatedLog>], rng: &mut Rng) {
    rng.shuffle(workers);
    for worker in workers {
        (0..rng.usize(..4)).for_each(|_| worker.turn());
    }
}

/// Workers, and how each is told what to read.
fn workers(
    log: &Arc<SimulatedLog>,
    parts: impl Fn(mpsc::Receiver<Assignment>) -> Parts,
) -> (Vec<Worker<SimulatedLog>>, Vec<mpsc::Sender<Assignment>>) {
    let worker = |number: usize| {
        let (told, assignments) = mpsc::channel();
        (Worker::new(Arc::clone(log), format!("worker-{number}"), parts(assignments)), told)
    };
    (0..WORKERS).map(worker).unzip()
}

fn checkpointer(
    store: &Arc<Store>,
    log: Arc<SimulatedLog>,
    following: &Arc<Following>,
    metrics: Arc<Metrics>,
    now: Clock,
) -> Checkpointer<SimulatedLog> {
    Checkpointer {
        store: Arc::clone(store),
        log,
        following: Arc::clone(following),
        metrics,
        clocks: Clocks { now, elapsed: Arc::new(|| Duration::ZERO) },
        interval: Duration::ZERO,
        hot_bytes_max: usize::MAX,
    }
}
