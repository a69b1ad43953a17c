//! A node: store, log, threads and HTTP, put together, and taken apart again in order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use evaluator::app::App;
use evaluator::limits::Limits;
use evaluator::places::Places;
use evaluator::pressure::Pressure;
use prometheus_client::registry::Registry;
use schemas::append::Append;
use schemas::catalog::Catalog;
use schemas::event::Format;
use schemas::lookup::Position;
use tokio::sync::watch;

use crate::checkpointer::Checkpointer;
use crate::clocks::Clocks;
use crate::definitions::Definitions;
use crate::fill::Filler;
use crate::fold::{Bounds, Reading};
use crate::follow::Follower;
use crate::following::Following;
use crate::log::Log;
use crate::lookup::Here;
use crate::metrics::Metrics;
use crate::priority;
use crate::settings::{LogKind, Settings};
use crate::store::{Store, StoreError};
use crate::usage::LastCalled;
use crate::worker::{Assignment, Parts, Worker};

/// How many threads fold at most. Each reads by connections of its own, and is idle where there are
/// fewer partitions.
const WORKERS_MAX: usize = 8;

/// A running node.
pub struct Node<L> {
    /// What answers HTTP.
    pub app: Arc<App<Here, L>>,
    /// What is known.
    pub store: Arc<Store>,
    /// The definitions in use.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    following: Arc<Following>,
    threads: Vec<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// A channel that tells how far state has read, for a log that answers once it has.
pub fn position() -> (watch::Sender<Position>, watch::Receiver<Position>) {
    watch::channel(Position::new())
}

impl<L: Log + Append> Node<L> {
    /// Opens the store and the definitions, and starts to follow the log.
    ///
    /// # Errors
    /// When the store can't be opened or the definitions are wrong.
    pub fn start(
        settings: &Settings,
        log: L,
        position: watch::Sender<Position>,
        clocks: &Clocks,
    ) -> anyhow::Result<Self> {
        let folder: &Path = &settings.data_dir.join("store");
        let store = Arc::new(open(folder, settings.cache_bytes, &log.lineage())?);
        let definitions = Definitions::open(&settings.definitions, Arc::clone(&store))?;
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::new(&mut registry));
        let answers = Arc::new(evaluator::metrics::Metrics::new(&mut registry));
        let called = LastCalled { store: Arc::clone(&store), catalog: definitions.catalog() };
        registry.sub_registry_with_prefix("sluice").register_collector(Box::new(called));
        let following = Arc::new(Following::new(position, (clocks.now)()));
        let log = Arc::new(log);
        let found = Arc::new(AtomicBool::new(false));
        let here = Here::new(
            Arc::clone(&store),
            Arc::clone(&following),
            Arc::clone(&found),
            settings.unknown_after_ms,
        );
        let places = settings.geoip_database.as_deref().map(|path| {
            let places = Places::open(path);
            places.with_context(|| format!("geoip_database: {} can't be read", path.display()))
        });
        let app = App {
            catalog: definitions.catalog(),
            lookup: Arc::new(here),
            append: Arc::clone(&log),
            clock: Arc::clone(&clocks.now),
            monotonic: Arc::clone(&clocks.elapsed),
            request_within: settings.request_timeout,
            limits: Arc::new(Limits::new(settings.rate_limits, &clocks.elapsed)),
            pressure: Arc::new(Pressure::new(settings.overload_wait)),
            typed_records: settings.typed_records,
            trusted_proxies: Arc::new(settings.trusted_proxies.clone()),
            places: places.transpose()?.map(Arc::new),
            metrics: answers,
            registry: Arc::new(registry),
        };
        let app = Arc::new(app);
        let catalog = definitions.catalog();
        let threads = Vec::new();
        let mut node =
            Node { app, store, catalog, metrics, following: Arc::clone(&following), threads };
        node.spawn_all(Threads { settings, log, definitions, found, clocks: clocks.clone() })?;
        Ok(node)
    }

    fn spawn_all(&mut self, with: Threads<'_, L>) -> anyhow::Result<()> {
        let (reading, ruling) = (self.reading(with.settings), with.definitions.ruling());
        let workers = self.spawn_workers(&with, &reading)?;
        let Threads { settings, log, definitions, found, clocks } = with;
        let follower = Follower {
            log: Arc::clone(&log),
            store: Arc::clone(&self.store),
            ruling,
            workers,
            following: Arc::clone(&self.following),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&clocks.now),
            start: settings.start,
            horizon_ms: self.catalog.load().horizon_ms(),
            bounds: reading.bounds,
            found,
        };
        self.spawn("follower", move |stop| follower.run(&stop))?;
        let filler = Filler {
            log: Arc::clone(&log),
            store: Arc::clone(&self.store),
            following: Arc::clone(&self.following),
            clock: Arc::clone(&clocks.now),
            reading,
        };
        let metrics = Arc::clone(&self.metrics);
        self.spawn("definitions", move |stop| definitions.watch(&filler, &metrics, &stop))?;
        let checkpointer = Checkpointer {
            store: Arc::clone(&self.store),
            log,
            following: Arc::clone(&self.following),
            metrics: Arc::clone(&self.metrics),
            clocks,
            interval: Duration::from_millis(settings.checkpoint_interval_ms),
            hot_bytes_max: settings.hot_bytes,
        };
        self.spawn("checkpoint", move |stop| checkpointer.run(&stop))
    }

    /// How records are to be read.
    fn reading(&self, settings: &Settings) -> Reading {
        let bounds = Bounds { skew_ms: settings.skew_ms, lateness_ms: settings.lateness_ms };
        let format = match settings.log {
            LogKind::Embedded => Format::Sluice,
            LogKind::Kafka => settings.kafka_format,
        };
        let projects = self.catalog.load();
        if format == Format::Clickhouse && projects.projects().iter().all(|p| p.team_id.is_none()) {
            tracing::warn!(
                "records name their project by its number at PostHog, and no project has one: \
                 add `team_id` to project.yaml"
            );
        }
        Reading { format, bounds, token: settings.record_token.clone() }
    }

    /// Starts those who fold. Returns how each is told what to read.
    fn spawn_workers(
        &mut self,
        with: &Threads<'_, L>,
        reading: &Reading,
    ) -> anyhow::Result<Vec<mpsc::Sender<Assignment>>> {
        let mut told = Vec::new();
        for number in 0..workers(with.settings.log) {
            let (assign, assignments) = mpsc::channel();
            told.push(assign);
            let parts = Parts {
                assignments,
                clock: Arc::clone(&with.clocks.now),
                following: Arc::clone(&self.following),
                metrics: Arc::clone(&self.metrics),
                store: Arc::clone(&self.store),
                ruling: with.definitions.ruling(),
                reading: reading.clone(),
            };
            let name = format!("worker-{number}");
            let worker = Worker::new(Arc::clone(&with.log), name.clone(), parts);
            self.spawn(&name, move |_| worker.run())?;
        }
        Ok(told)
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce(mpsc::Receiver<()>) + Send + 'static,
    ) -> anyhow::Result<()> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.threads.push((stop, thread.spawn(move || run(stopped))?));
        Ok(())
    }

    /// Stops in order: folding first, and the checkpoint last, so that it has everything.
    pub fn stop(self) {
        self.following.stop.store(true, Ordering::Release);
        for (stop, thread) in self.threads {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("a thread of the node had panicked");
            }
        }
    }
}

/// Opens the store. RocksDB's threads are as whoever opens a database first, and step aside like
/// it: beside Kafka. A log of Sluice's own was opened before, and captures wait for its writes.
fn open(folder: &Path, cache_bytes: usize, lineage: &str) -> Result<Store, StoreError> {
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            priority::step_aside();
            Store::open(folder, cache_bytes, lineage)
        });
        opening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// How many threads fold records of this log: one a processor.
fn workers(log: LogKind) -> usize {
    match log {
        // It has one partition.
        LogKind::Embedded => 1,
        LogKind::Kafka => {
            let processors = std::thread::available_parallelism();
            processors.map_or(1, usize::from).min(WORKERS_MAX)
        }
    }
}

/// What the threads are made from.
struct Threads<'s, L> {
    settings: &'s Settings,
    log: Arc<L>,
    definitions: Definitions,
    found: Arc<AtomicBool>,
    clocks: Clocks,
}
