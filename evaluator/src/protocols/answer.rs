//! Answers to flag requests, in PostHog's shapes (`posthog.md` 1.5 and 1.6).

use std::collections::BTreeMap;

use schemas::catalog::Project;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::body::Query;
use super::record::{Records, TypedRecords};
use crate::decision::Decision;

/// How decisions are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list of the keys of flags that are on.
    Keys,
    /// Values of flags that are on, by key.
    On,
    /// Values by key.
    Legacy,
    /// A record by key.
    Two,
    /// A record by key, with a typed value.
    Typed,
}

/// Where flags are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/flags`.
    Flags,
    /// `/decide`, as SDKs did before.
    Decide,
}

impl Shape {
    /// What a version stands for; a version that isn't a whole number is the first. Typed values
    /// are told where the settings have them told.
    pub fn of(endpoint: Endpoint, query: &Query, typed_records: bool) -> Self {
        let version = query.version.as_deref().map(|version| version.parse().unwrap_or(1));
        match (endpoint, version) {
            (Endpoint::Flags, Some(3..)) if typed_records => Shape::Typed,
            (Endpoint::Flags, None) if query.config.is_none() => Shape::Two,
            (Endpoint::Flags, Some(2..)) | (Endpoint::Decide, Some(4..)) => Shape::Two,
            (Endpoint::Flags, _) | (Endpoint::Decide, Some(3)) => Shape::Legacy,
            (Endpoint::Decide, Some(2)) => Shape::On,
            (Endpoint::Decide, _) => Shape::Keys,
        }
    }
}

/// Whether the configuration is merged in: where it is asked for, and where an SDK is so old that
/// it doesn't know to ask.
pub fn has_config(endpoint: Endpoint, query: &Query) -> bool {
    let is_old = endpoint == Endpoint::Decide || query.version.is_none();
    query.config.unwrap_or(is_old)
}

/// An answer.
pub struct Answer<'a> {
    /// What was decided.
    pub decisions: &'a [Decision<'a>],
    /// Whether something that has to be remembered of the person couldn't be.
    pub unkept: bool,
    /// Given by the request, or made up.
    pub request_id: uuid::Uuid,
    /// The `now` of every decision.
    pub evaluated_at_ms: i64,
    /// How it is laid out.
    pub shape: Shape,
    /// The configuration that old SDKs ask for, merged in.
    pub config: Option<Map<String, Value>>,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let failed = self.unkept || self.decisions.iter().any(Decision::failed);
        if !matches!(self.shape, Shape::Keys | Shape::On) {
            map.serialize_entry("errorsWhileComputingFlags", &failed)?;
        }
        let on = self.decisions.iter().filter(|decision| decision.outcome.enabled());
        match self.shape {
            Shape::Keys => {
                let keys: Vec<&str> = on.map(|decision| decision.flag.key.as_str()).collect();
                map.serialize_entry("featureFlags", &keys)?;
            }
            Shape::On => {
                let values: BTreeMap<&str, Value> =
                    on.map(|decision| (decision.flag.key.as_str(), value(decision))).collect();
                map.serialize_entry("featureFlags", &values)?;
            }
            Shape::Two => map.serialize_entry("flags", &Records(self.decisions))?,
            Shape::Typed => map.serialize_entry("flags", &TypedRecords(self.decisions))?,
            Shape::Legacy => {
                map.serialize_entry("featureFlags", &Values(self.decisions))?;
                map.serialize_entry("featureFlagPayloads", &Payloads(self.decisions))?;
            }
        }
        map.serialize_entry("requestId", &self.request_id.as_hyphenated().to_string())?;
        map.serialize_entry("evaluatedAt", &self.evaluated_at_ms)?;
        for (key, value) in self.config.iter().flatten() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What a request without a person gets.
pub fn minimal() -> Value {
    json!({
        "flags": {},
        "supportedCompression": ["gzip", "gzip-js"],
        "config": { "enable_collect_everything": true },
        "toolbarParams": {},
        "isAuthenticated": false,
        "sessionRecording": false,
    })
}

/// PostHog's own fall-back for the configuration that old SDKs ask for with their flags.
pub fn config(project: &Project) -> Map<String, Value> {
    let config = json!({
        "hasFeatureFlags": has_flags(project),
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

/// Whether SDKs have any flag to ask for.
pub fn has_flags(project: &Project) -> bool {
    project.flags.iter().any(|flag| flag.active)
}

struct Values<'a>(&'a [Decision<'a>]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|decision| (&decision.flag.key, value(decision))))
    }
}

fn value(decision: &Decision<'_>) -> Value {
    match decision.outcome.variant() {
        Some(variant) => Value::from(variant),
        None => Value::from(decision.outcome.enabled()),
    }
}

struct Payloads<'a>(&'a [Decision<'a>]);

impl Serialize for Payloads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = self.0.iter().filter_map(|decision| {
            let payload = decision.outcome.payload()?;
            Some((&decision.flag.key, payload))
        });
        serializer.collect_map(held)
    }
}
