//! What the evaluator counts, for `/metrics`.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// One route and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The evaluator's metrics.
pub struct Metrics {
    answers: Family<Answer, Counter>,
    seconds: Family<Route, Histogram>,
    /// Flags that were on, off, and failed.
    checks: [Counter; 3],
    failures: Family<Reason, Counter>,
    captured: Family<Outcome, Counter>,
    kept: Family<Outcome, Counter>,
}

impl Metrics {
    /// Metrics that stand in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        // From 16 µs to about 4 s.
        let histogram = || Histogram::new(exponential_buckets(16e-6, 2.0, 18));
        let checks = Family::<Outcome, Counter>::default();
        let of = |outcome| checks.get_or_create_owned(&Outcome { outcome });
        let metrics = Metrics {
            answers: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            checks: ["on", "off", "failed"].map(of),
            failures: Family::default(),
            captured: Family::default(),
            kept: Family::default(),
        };
        let sluice = registry.sub_registry_with_prefix("sluice");
        sluice.register("http_answers", "Requests answered", metrics.answers.clone());
        sluice.register(
            "http_request_seconds",
            "Time from a request's headers to its answer",
            metrics.seconds.clone(),
        );
        sluice.register("flag_checks", "Flags decided, by outcome: on, off or failed", checks);
        sluice.register(
            "flag_failures",
            "Flags that couldn't be decided, by reason",
            metrics.failures.clone(),
        );
        sluice.register(
            "capture_events",
            "Events captured over HTTP, by outcome: accepted, or why not",
            metrics.captured.clone(),
        );
        sluice.register(
            "kept_identifiers",
            "Log-ins by which a visitor keeps what flags gave them, by outcome: kept or failed",
            metrics.kept.clone(),
        );
        metrics
    }

    /// Counts a log-in by which a visitor keeps what flags gave them.
    pub fn kept(&self, outcome: &'static str) {
        self.kept.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts an answered request.
    pub fn answered(&self, route: &'static str, status: u16, took: Duration) {
        self.answers.get_or_create(&Answer { route, status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// Counts decided flags: those that are on, that are off, and that failed.
    pub fn checked(&self, flags: [u64; 3]) {
        for (counter, flags) in self.checks.iter().zip(flags).filter(|(_, flags)| *flags > 0) {
            counter.inc_by(flags);
        }
    }

    /// Counts a flag that couldn't be decided.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Reason { reason }).inc();
    }

    /// Counts captured events.
    pub fn captured(&self, outcome: &'static str, events: u64) {
        if events > 0 {
            self.captured.get_or_create(&Outcome { outcome }).inc_by(events);
        }
    }
}
