//! When flags were last called, for `/metrics`: read from the store when it is asked.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use schemas::catalog::Catalog;
use schemas::usage::{Mark, calls};
use serde_json::Value;

use crate::store::Store;

/// The most values of a flag that are told, its newest: whoever sends events may make them up.
const VALUES_MAX: usize = 20;

/// Tells when each value of each flag was last called.
pub struct LastCalled {
    /// Where calls are kept.
    pub store: Arc<Store>,
    /// Whose flags are told.
    pub catalog: Arc<ArcSwap<Catalog>>,
}

impl fmt::Debug for LastCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastCalled").finish_non_exhaustive()
    }
}

impl Collector for LastCalled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "When a flag was last called, by what it was: seconds since 1970";
        let name = "flag_last_called_timestamp_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let catalog = self.catalog.load();
        for project in catalog.projects() {
            for flag in &project.flags {
                // What can't be read is missing here; checks say so, and why.
                let Ok(record) = self.store.read_flag(project.id, &flag.key) else { continue };
                let values = calls(&record).into_iter().filter_map(|(mark, called_ms)| {
                    let Mark::Value(value) = mark else { return None };
                    Some((label(value), called_ms))
                });
                for (value, called_ms) in values.take(VALUES_MAX) {
                    let labels = [
                        ("project", project.name.as_str()),
                        ("flag", flag.key.as_str()),
                        ("value", value.as_str()),
                    ];
                    let seconds = ConstGauge::new(called_ms as f64 / 1_000.0);
                    seconds.encode(metric.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

fn label(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
