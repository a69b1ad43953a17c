//! A node without its threads: each part does what it is told, when it is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use prometheus_client::registry::Registry;
use schemas::event::Format;
use schemas::time::Clock;

use super::disk::SimulatedDisk;
use super::log::{SimulatedLog, SimulatedReader};
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
use crate::worker::{Order, Parts, Worker};

const LATENESS_MS: i64 = 60_000;

/// A node as `node.rs` puts it together, without its threads.
pub struct Node {
    pub definitions: Definitions,
    pub orders: mpsc::Sender<Order>,
    pub worker: Worker<SimulatedReader>,
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
        let (orders, obeyed) = mpsc::channel();
        let log = Arc::new(log.clone());
        let catalog = definitions.catalog().load_full();
        let horizon_ms = catalog.horizon_ms();
        let parts = Parts {
            orders: obeyed,
            clock: Arc::clone(&clock),
            following: Arc::clone(&following),
            metrics: Arc::clone(&metrics),
            store: Arc::clone(&store),
            catalog,
            reading: reading.clone(),
        };
        let reader = crate::log::Log::reader(&*log, "worker").expect("a reader");
        Node {
            definitions,
            worker: Worker::new(reader, parts),
            follower: Follower {
                log: Arc::clone(&log),
                store: Arc::clone(&store),
                orders: orders.clone(),
                following: Arc::clone(&following),
                metrics: Arc::clone(&metrics),
                clock: Arc::clone(&clock),
                start: Start::Windows,
                horizon_ms,
                bounds,
                found: Arc::clone(&found),
            },
            orders,
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

    /// Has definitions changed, which wait until the worker has taken them up.
    pub fn tell(&mut self, change: impl FnOnce(&mut Definitions, &mpsc::Sender<Order>) + Send) {
        let (definitions, orders) = (&mut self.definitions, &self.orders);
        std::thread::scope(|scope| {
            let changing = scope.spawn(move || change(definitions, orders));
            while !changing.is_finished() {
                self.worker.obey_within(Duration::from_micros(20));
            }
            changing.join().expect("no panic");
        });
    }
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
