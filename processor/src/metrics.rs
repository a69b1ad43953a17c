//! What the processor counts, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use rustc_hash::FxHashMap;
use schemas::catalog::Catalog;
use schemas::event::Skip;
use schemas::ids::ProjectId;

use crate::fold::{Effect, Outcome};

/// What became of records, and whose they were; nobody's where that can't be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    outcome: &'static str,
    project: String,
}

/// One project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProjectLabel {
    project: String,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartitionLabel {
    partition: i32,
}

/// The processor's metrics.
pub struct Metrics {
    events: Family<OutcomeLabel, Counter>,
    records: AtomicU64,
    clamped: Family<ProjectLabel, Counter>,
    /// How often the log had lost what was to be read next.
    pub truncations: Counter,
    lag: Family<PartitionLabel, Gauge>,
    /// How long ago state last had everything of the log, in milliseconds.
    pub stale_ms: Gauge,
    /// Whether the log answers.
    pub connected: Gauge,
    /// Checkpoints that became durable.
    pub checkpoints: Counter,
    /// Checkpoints that couldn't be written.
    pub checkpoint_failures: Counter,
    /// How long a checkpoint takes.
    pub checkpoint_seconds: Histogram,
    /// People in memory.
    pub hot_people: Gauge,
    /// Bytes of them.
    pub hot_bytes: Gauge,
    /// Conditions being filled from the log.
    pub filling: Gauge,
    /// Definitions that were refused since the start.
    pub definitions_refused: Counter,
}

impl Metrics {
    /// Metrics that stand in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            events: Family::default(),
            records: AtomicU64::default(),
            clamped: Family::default(),
            truncations: Counter::default(),
            lag: Family::default(),
            stale_ms: Gauge::default(),
            connected: Gauge::default(),
            checkpoints: Counter::default(),
            checkpoint_failures: Counter::default(),
            checkpoint_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            hot_people: Gauge::default(),
            hot_bytes: Gauge::default(),
            filling: Gauge::default(),
            definitions_refused: Counter::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("sluice"));
        // What can't be told whose it was is there from the start, to be alerted on.
        for skip in Skip::ALL {
            let label = OutcomeLabel { outcome: skip.label(), project: String::new() };
            drop(metrics.events.get_or_create(&label));
        }
        metrics
    }

    fn register(&self, sluice: &mut Registry) {
        sluice.register("events", "Records by what became of them", self.events.clone());
        sluice.register(
            "events_clamped",
            "Events whose time ran ahead of the log's by more than the skew",
            self.clamped.clone(),
        );
        sluice.register(
            "log_truncations",
            "Times the log had lost what was to be read next",
            self.truncations.clone(),
        );
        sluice.register("log_lag_records", "Records not folded yet", self.lag.clone());
        sluice.register(
            "log_stale_milliseconds",
            "How long ago state last had everything of the log",
            self.stale_ms.clone(),
        );
        sluice.register("log_connected", "1 while the log answers", self.connected.clone());
        sluice.register("checkpoints", "Durable checkpoints", self.checkpoints.clone());
        sluice.register(
            "checkpoint_failures",
            "Checkpoints that could not be written",
            self.checkpoint_failures.clone(),
        );
        sluice.register(
            "checkpoint_seconds",
            "Time a checkpoint takes",
            self.checkpoint_seconds.clone(),
        );
        sluice.register("hot_people", "People in memory", self.hot_people.clone());
        sluice.register("hot_bytes", "Bytes of people in memory", self.hot_bytes.clone());
        sluice.register(
            "matchers_filling",
            "Matchers being filled from the log",
            self.filling.clone(),
        );
        sluice.register(
            "definitions_refused",
            "Edits of definitions that were refused",
            self.definitions_refused.clone(),
        );
    }

    /// Adds a batch's counts, and empties it. The catalog is the one it was folded by.
    pub fn count_events(&self, counts: &mut EventCounts, catalog: &Catalog) {
        let name = |project: Option<ProjectId>| {
            let found = catalog.projects().iter().find(|other| Some(other.id) == project);
            found.map(|project| project.name.clone()).unwrap_or_default()
        };
        for ((outcome, project), count) in counts.outcomes.drain(..) {
            self.records.fetch_add(count, Ordering::Relaxed);
            let label = OutcomeLabel { outcome: outcome.label(), project: name(project) };
            let before = self.events.get_or_create(&label).inc_by(count);
            if let Outcome::Skipped(skip) = outcome
                && (before == 0 || (before + count).ilog2() > before.ilog2())
            {
                // A line each time the count doubles: the first is told at once, a flood in few.
                let (reason, project, total) = (skip.label(), label.project, before + count);
                tracing::warn!(reason, project, total, "records are skipped");
            }
        }
        for (project, count) in counts.clamped.drain() {
            self.clamped.get_or_create(&ProjectLabel { project: name(project) }).inc_by(count);
        }
    }

    /// Every record so far.
    pub fn events_total(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Tells how many records of a partition aren't folded yet.
    pub fn set_lag(&self, partition: i32, records: i64) {
        self.lag.get_or_create(&PartitionLabel { partition }).set(records);
    }

    /// Records not folded yet, in all of these partitions.
    pub fn lag(&self, partitions: impl Iterator<Item = i32>) -> i64 {
        partitions
            .map(|partition| self.lag.get_or_create(&PartitionLabel { partition }).get())
            .sum()
    }
}

/// One batch's counts, kept by the thread that folds it.
#[derive(Default)]
pub struct EventCounts {
    /// A batch has few kinds, which are found sooner one by one than by a hash.
    outcomes: Vec<((Outcome, Option<ProjectId>), u64)>,
    clamped: FxHashMap<Option<ProjectId>, u64>,
}

impl EventCounts {
    /// Counts a record.
    pub fn count(&mut self, effect: Effect) {
        let kind = (effect.outcome, effect.project);
        match self.outcomes.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((kind, 1)),
        }
        if effect.clamped {
            *self.clamped.entry(effect.project).or_insert(0) += 1;
        }
    }
}
