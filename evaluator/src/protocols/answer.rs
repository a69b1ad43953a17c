//! Answers to flag requests, in PostHog's shapes (`posthog.md` 1.5 and 1.6).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::body::Query;
use crate::decision::Decision;

/// How decisions are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Values by key.
    Legacy,
    /// A record by key.
    Two,
}

impl Shape {
    /// Version 2 and above, or none at all, is the shape of version 2.
    pub fn of(query: &Query) -> Self {
        match query.version.as_deref().map(str::parse::<f64>) {
            None if query.config.is_none() => Shape::Two,
            Some(Ok(version)) if version >= 2.0 => Shape::Two,
            _ => Shape::Legacy,
        }
    }
}

/// An answer.
pub struct Answer<'a> {
    /// What was decided.
    pub decisions: &'a [Decision<'a>],
    /// Given by the request, or made up.
    pub request_id: uuid::Uuid,
    /// The `now` of every decision.
    pub evaluated_at_ms: i64,
    /// How it is laid out.
    pub shape: Shape,
    /// Whether the configuration that old SDKs ask for is merged in.
    pub config: bool,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let failed = self.decisions.iter().any(Decision::failed);
        map.serialize_entry("errorsWhileComputingFlags", &failed)?;
        match self.shape {
            Shape::Two => map.serialize_entry("flags", &Records(self.decisions))?,
            Shape::Legacy => {
                map.serialize_entry("featureFlags", &Values(self.decisions))?;
                map.serialize_entry("featureFlagPayloads", &Payloads(self.decisions))?;
            }
        }
        map.serialize_entry("requestId", &self.request_id.as_hyphenated().to_string())?;
        map.serialize_entry("evaluatedAt", &self.evaluated_at_ms)?;
        if self.config {
            for (key, value) in config() {
                map.serialize_entry(&key, &value)?;
            }
        }
        map.end()
    }
}

/// What a request without a person gets.
pub fn minimal() -> Value {
    let mut minimal = config();
    minimal.insert("flags".to_owned(), json!({}));
    Value::Object(minimal)
}

/// PostHog's own fall-back for the configuration that old SDKs ask for with their flags.
fn config() -> Map<String, Value> {
    let config = json!({
        "hasFeatureFlags": true,
        "supportedCompression": ["gzip", "gzip-js"],
        "sessionRecording": false,
        "surveys": false,
        "heatmaps": false,
        "capturePerformance": false,
        "autocaptureExceptions": false,
        "isAuthenticated": false,
        "toolbarParams": {},
        "config": { "enable_collect_everything": true },
    });
    config.as_object().cloned().unwrap_or_default()
}

struct Records<'a>(&'a [Decision<'a>]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|decision| {
            let reason = Reason {
                code: decision.reason.code(),
                condition_index: decision.condition_index,
                description: decision.reason.description(decision.condition_index),
            };
            let metadata = Metadata {
                id: decision.flag.id,
                version: decision.flag.version,
                description: decision.flag.description.as_deref(),
                payload: decision.outcome.payload,
                has_experiment: decision.flag.has_experiment,
            };
            let record = Record {
                key: &decision.flag.key,
                enabled: decision.outcome.enabled,
                variant: decision.outcome.variant,
                failed: decision.failed(),
                reason,
                metadata,
            };
            (&decision.flag.key, record)
        }))
    }
}

#[derive(Serialize)]
struct Record<'a> {
    key: &'a str,
    enabled: bool,
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    reason: Reason,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    condition_index: Option<usize>,
    description: String,
}

#[derive(Serialize)]
struct Metadata<'a> {
    id: i64,
    version: i64,
    description: Option<&'a str>,
    payload: Option<&'a str>,
    has_experiment: bool,
}

struct Values<'a>(&'a [Decision<'a>]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|decision| {
            let value = match decision.outcome.variant {
                Some(variant) => Value::from(variant),
                None => Value::from(decision.outcome.enabled),
            };
            (&decision.flag.key, value)
        }))
    }
}

struct Payloads<'a>(&'a [Decision<'a>]);

impl Serialize for Payloads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = self.0.iter().filter_map(|decision| {
            let payload = decision.outcome.payload?;
            Some((&decision.flag.key, payload))
        });
        serializer.collect_map(held)
    }
}
