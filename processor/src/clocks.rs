//! The process's clocks, as `main` hands them on.

use std::sync::Arc;
use std::time::Duration;

use schemas::time::Clock;

/// The clocks of the process: epoch milliseconds, and time since it began.
#[derive(Clone)]
pub struct Clocks {
    /// Tells now.
    pub now: Clock,
    /// Tells how long the process has run.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}
