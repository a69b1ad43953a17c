//! Flags compiled: ordered rules, variants and payloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::cohort::Condition;
use crate::fault::Fault;

/// A feature flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Unique in its project.
    pub key: String,
    /// Its id at PostHog, or a stable number made from the key.
    pub id: i64,
    /// Grows with each change at PostHog; 1 for YAML.
    pub version: i64,
    /// What it is, for people.
    pub description: Option<String>,
    /// Whether an experiment uses it.
    pub has_experiment: bool,
    /// Inactive flags are left out of every answer.
    pub active: bool,
    /// Who may ask for it.
    pub runtime: Runtime,
    /// Only requests that name none, or one of these, get it; every request where there is none.
    pub contexts: Vec<String>,
    /// What of a person's request is hashed.
    pub bucketing: Bucketing,
    /// Whether a person who logs in keeps what the anonymous visitor was given (PostHog's
    /// experience continuity).
    pub keeps_value: bool,
    /// Whether a flag that it depends on isn't there, or leads back to it: it is off then.
    pub lacks_dependency: bool,
    /// As PostHog has it, with every key; nothing of YAML.
    pub raw: Option<Arc<Value>>,
    /// How it is decided, or why it can't be.
    pub rules: Result<Rules, Fault>,
}

impl Flag {
    /// The conditions of its rules; none where it can't be read.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.rules.iter().flat_map(|rules| &rules.rules).map(|rule| &rule.when)
    }
}

/// How a flag is decided.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In order; the first that matches decides.
    pub rules: Vec<Rule>,
    /// In stored order; empty for a boolean flag.
    pub variants: Vec<Variant>,
    /// JSON text by variant key, or by `"true"`.
    pub payloads: BTreeMap<String, String>,
    /// Whether people enrol themselves, by the property `$feature_enrollment/<key>`.
    pub enrollment: bool,
    /// Who is held out of it.
    pub holdout: Option<Holdout>,
    /// Whose hash decides who is held out.
    pub aggregation: Aggregation,
}

/// A share of people who are kept out of experiments.
#[derive(Clone, Debug, PartialEq)]
pub struct Holdout {
    /// The variant that they get.
    pub variant: String,
    /// Their share, 0 to 100.
    pub percent: f64,
}

/// Whom a condition is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// The person.
    #[default]
    Person,
    /// The person's group of this type; of a type that isn't there, nobody has one.
    Group(Option<String>),
}

/// What of a person is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bucketing {
    /// Their distinct id.
    #[default]
    DistinctId,
    /// Their device.
    Device,
}

/// Where a flag may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// Everywhere.
    #[default]
    All,
    /// By browsers and apps.
    Client,
    /// By servers.
    Server,
}

/// Where a flag stands in [`crate::catalog::Project::flags`].
pub type FlagIndex = usize;

/// What another flag has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagAnswer {
    /// Anything but off.
    On,
    /// Off.
    Off,
    /// This variant, letter by letter.
    Variant(String),
}

/// One release condition.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Who it is for; `All([])` is everybody.
    pub when: Condition,
    /// Whom it is about.
    pub aggregation: Aggregation,
    /// 0 to 100.
    pub rollout_percent: f64,
    /// Whether nothing after it is asked when it matches and its rollout misses.
    pub ends_on_miss: bool,
    /// Given instead of the hashed variant, when it names one.
    pub variant: Option<String>,
    /// JSON text given instead of the variant's payload.
    pub payload: Option<String>,
}

/// One arm of a multivariate flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its key.
    pub key: String,
    /// Its share, 0 to 100.
    pub percent: f64,
}

/// The person property by which people enrol themselves for a flag.
pub fn enrollment_key(flag_key: &str) -> String {
    format!("$feature_enrollment/{flag_key}")
}
