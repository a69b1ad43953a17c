//! Flags compiled: ordered rules, variants and payloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::cohort::Condition;
use crate::fault::Fault;
use crate::flag_value::FlagValue;

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
    /// By which of PostHog's two sets of rules it is decided.
    pub config_version: ConfigVersion,
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
    /// What those get whom no rule gives anything.
    pub default: FlagValue,
    /// What is hashed in front of whoever asks, if it isn't the flag's key.
    pub seed: Option<String>,
    /// In stored order; empty for a flag without, or whose rules have their own.
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

impl Rules {
    /// What is hashed in front of whoever a rule is asked of.
    pub fn seed<'r>(&'r self, flag_key: &'r str, release: &'r Release) -> &'r str {
        release.seed.as_deref().or(self.seed.as_deref()).unwrap_or(flag_key)
    }

    /// The variants that a rule chooses from.
    pub fn variants<'r>(&'r self, release: &'r Release) -> &'r [Variant] {
        if release.variants.is_empty() { &self.variants } else { &release.variants }
    }
}

/// Which of PostHog's two sets of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfigVersion {
    /// Release conditions, and what YAML says.
    #[default]
    One,
    /// Rules with an id each: no empty id is ever hashed, and what a rule that was passed says
    /// isn't told.
    Two,
}

/// A share of people who are kept out of experiments.
#[derive(Clone, Debug, PartialEq)]
pub struct Holdout {
    /// The variant that they get of a flag that is held out as a whole.
    pub variant: String,
    /// What is hashed in front of them.
    pub seed: String,
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
    /// What they get.
    pub release: Release,
}

/// What a rule gives to how many of those it is for.
#[derive(Clone, Debug)]
pub struct Release {
    /// 0 to 100.
    pub rollout_percent: f64,
    /// What those get whom the rollout misses: the default if it ends there, else what the next
    /// rule says.
    pub ends_on_miss: bool,
    /// What is hashed, if it isn't what the flag's other rules hash.
    pub seed: Option<String>,
    /// Given to all alike, instead of a variant.
    pub value: Option<FlagValue>,
    /// Given instead of the hashed variant, when it names one.
    pub variant: Option<String>,
    /// Chosen from by hash instead of the flag's.
    pub variants: Vec<Variant>,
    /// JSON text given instead of the variant's payload.
    pub payload: Option<String>,
    /// Who gets the default of all that it is for.
    pub holdout: Option<Holdout>,
    /// Whether all get the default for now.
    pub paused: bool,
    /// Which of PostHog's rules it is, where they have names.
    pub origin: Option<Origin>,
}

impl Default for Release {
    fn default() -> Self {
        Release {
            rollout_percent: 100.0,
            ends_on_miss: false,
            seed: None,
            value: None,
            variant: None,
            variants: Vec::new(),
            payload: None,
            holdout: None,
            paused: false,
            origin: None,
        }
    }
}

/// A rule as PostHog names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A UUID.
    pub id: String,
    /// What kind of rule.
    pub rule_type: RuleType,
    /// Whether it is the rule of an experiment that is run: its variants are told then.
    pub is_linked: bool,
}

/// PostHog's kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleType {
    /// One value for all.
    TargetedRelease,
    /// One value for a share.
    PercentageRollout,
    /// Variants for a share.
    Experiment,
}

impl RuleType {
    /// PostHog's word for it.
    pub fn name(self) -> &'static str {
        match self {
            RuleType::TargetedRelease => "targeted_release",
            RuleType::PercentageRollout => "percentage_rollout",
            RuleType::Experiment => "experiment",
        }
    }

    /// The kind of PostHog's word.
    pub fn named(name: &str) -> Option<RuleType> {
        let types = [RuleType::TargetedRelease, RuleType::PercentageRollout, RuleType::Experiment];
        types.into_iter().find(|of| of.name() == name)
    }
}

/// One arm of a multivariate flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its key.
    pub key: String,
    /// Its share, 0 to 100.
    pub percent: f64,
    /// What those get who fall on it, if it isn't the key.
    pub value: Option<FlagValue>,
}

/// What the shares of these variants add up to, where that isn't 100.
pub(crate) fn wrong_total(variants: &[Variant]) -> Option<f64> {
    let total = variants.iter().fold(0.0, |total, variant| total + variant.percent);
    // Shares such as 33.33 and 33.34 add up to 100 but for the last bits.
    ((total - 100.0_f64).abs() > 1e-6).then_some(total)
}

/// The person property by which people enrol themselves for a flag.
pub fn enrollment_key(flag_key: &str) -> String {
    format!("$feature_enrollment/{flag_key}")
}
