//! Flags compiled: ordered rules, variants and payloads.

use std::collections::BTreeMap;

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
    /// How it is decided, or why it can't be.
    pub rules: Result<Rules, Fault>,
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
}

/// One release condition.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Who it is for; `All([])` is everybody.
    pub when: Condition,
    /// 0 to 100.
    pub rollout_percent: f64,
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
