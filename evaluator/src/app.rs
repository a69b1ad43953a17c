//! What every route needs: definitions, the two seams, clocks and counters.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use schemas::catalog::Catalog;
use schemas::time::Clock;

use crate::metrics::Metrics;

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
    pub monotonic: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Everything that is counted in the process.
    pub registry: Arc<Registry>,
}

impl<L, A> Clone for App<L, A> {
    fn clone(&self) -> Self {
        App {
            catalog: Arc::clone(&self.catalog),
            lookup: Arc::clone(&self.lookup),
            append: Arc::clone(&self.append),
            clock: Arc::clone(&self.clock),
            monotonic: Arc::clone(&self.monotonic),
            metrics: Arc::clone(&self.metrics),
            registry: Arc::clone(&self.registry),
        }
    }
}
