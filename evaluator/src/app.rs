//! What every route needs: definitions, the two seams, clocks and counters.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use schemas::catalog::Catalog;
use schemas::time::Clock;

use crate::address::TrustedProxies;
use crate::limits::{Elapsed, Limits};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::pressure::Pressure;

/// What routes need.
pub struct App<L, A> {
    /// The definitions in use.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Where facts come from.
    pub lookup: Arc<L>,
    /// Where events go.
    pub append: Arc<A>,
    /// Tells now.
    pub clock: Clock,
    /// Tells how long the process has run; only measurements depend on it.
    pub monotonic: Elapsed,
    /// How long a request may take, its headers and body included.
    pub request_within: Duration,
    /// Who may ask how often.
    pub limits: Arc<Limits>,
    /// Who is turned away while one worker is asked too much.
    pub pressure: Arc<Pressure>,
    /// Whether versions of `/flags` that know typed values are told them.
    pub typed_records: bool,
    /// Who is believed about whom a request is of.
    pub trusted_proxies: Arc<TrustedProxies>,
    /// Where addresses are; none where no database tells.
    pub places: Option<Arc<Places>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Everything that is counted in the process.
    pub registry: Arc<Registry>,
}

impl<L, A> App<L, A> {
    /// The same with a pressure of its own, for another worker.
    pub fn for_another(&self) -> App<L, A> {
        App {
            catalog: Arc::clone(&self.catalog),
            lookup: Arc::clone(&self.lookup),
            append: Arc::clone(&self.append),
            clock: Arc::clone(&self.clock),
            monotonic: Arc::clone(&self.monotonic),
            request_within: self.request_within,
            limits: Arc::clone(&self.limits),
            pressure: Arc::new(self.pressure.another()),
            typed_records: self.typed_records,
            trusted_proxies: Arc::clone(&self.trusted_proxies),
            places: self.places.clone(),
            metrics: Arc::clone(&self.metrics),
            registry: Arc::clone(&self.registry),
        }
    }
}
