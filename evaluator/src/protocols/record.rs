//! What an answer says of one flag: the record of version 2, and that with typed values
//! (`posthog.md` 1.5).

use std::borrow::Cow;

use schemas::flag::ConfigVersion;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::decision::{Decision, Reason as Decided};

/// Records by key, as `v=2` has them.
pub struct Records<'a>(pub &'a [Decision<'a>]);

/// Records by key, with typed values.
pub struct TypedRecords<'a>(pub &'a [Decision<'a>]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|of| (&of.flag.key, record(of))))
    }
}

impl Serialize for TypedRecords<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|of| (&of.flag.key, typed(of))))
    }
}

fn record<'a>(of: &Decision<'a>) -> Record<'a> {
    Record {
        key: &of.flag.key,
        enabled: of.outcome.enabled(),
        variant: of.outcome.variant(),
        failed: of.failed(),
        reason: Reason {
            code: of.reason.code(),
            condition_index: of.condition_index,
            description: of.reason.description(of.condition_index),
        },
        metadata: metadata(of, of.outcome.payload()),
    }
}

fn typed<'a>(of: &Decision<'a>) -> TypedRecord<'a> {
    let version = of.flag.config_version;
    let origin = of.origin();
    let is_dealt = version == ConfigVersion::One || of.reason == Decided::Split;
    TypedRecord {
        key: &of.flag.key,
        value: if of.failed() { Value::Null } else { of.outcome.value.json() },
        failed: of.failed(),
        reason: Reason {
            code: of.reason.typed_code(version),
            condition_index: of.condition_index,
            description: of.reason.typed_description(version, of.condition_index),
        },
        metadata: TypedMetadata {
            // A number or an object is told already.
            metadata: metadata(of, of.outcome.stored),
            config_version: match version {
                ConfigVersion::One => 1,
                ConfigVersion::Two => 2,
            },
            rule_type: origin.map(|origin| origin.rule_type.name()),
            rule_id: origin.map(|origin| origin.id.as_str()),
            variant_key: of.outcome.arm.filter(|_| is_dealt),
        },
    }
}

fn metadata<'a>(of: &Decision<'a>, payload: Option<&'a str>) -> Metadata<'a> {
    Metadata {
        id: of.flag.id,
        version: of.flag.version,
        description: of.flag.description.as_deref(),
        payload,
        has_experiment: of.flag.has_experiment,
    }
}

#[derive(Serialize)]
struct Record<'a> {
    key: &'a str,
    enabled: bool,
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    reason: Reason<'a>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct TypedRecord<'a> {
    key: &'a str,
    value: Value,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    reason: Reason<'a>,
    metadata: TypedMetadata<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'static str,
    condition_index: Option<usize>,
    description: Cow<'a, str>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    id: i64,
    version: i64,
    description: Option<&'a str>,
    payload: Option<&'a str>,
    has_experiment: bool,
}

#[derive(Serialize)]
struct TypedMetadata<'a> {
    #[serde(flatten)]
    metadata: Metadata<'a>,
    config_version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant_key: Option<&'a str>,
}
