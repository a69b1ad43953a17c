//! Cohorts compiled: conditions over windows, properties and other cohorts.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::Value;

use crate::behaviour::{Behaviour, Watched};
use crate::example::Example;
use crate::fault::Fault;
use crate::filter::Filter;
use crate::flag::{FlagAnswer, FlagIndex};

/// Where a cohort stands in [`crate::catalog::Project::cohorts`]; a cohort only refers to
/// cohorts before it, so that there is no cycle.
pub type CohortIndex = usize;

/// A named group of people.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// Its file name (YAML) or its id as text (PostHog).
    pub key: String,
    /// What it is, for people.
    pub description: String,
    /// Its id at PostHog.
    pub id: Option<i64>,
    /// Who is in.
    pub members: Condition,
    /// As PostHog has it, with every key; nothing of YAML.
    pub raw: Option<Arc<Value>>,
    /// What its file says of imaginary people.
    pub examples: Vec<Example>,
}

/// One question about a person.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Every one of them; none is true.
    All(Vec<Condition>),
    /// At least one of them; none is false.
    Any(Vec<Condition>),
    /// Not that.
    Not(Box<Condition>),
    /// What the person's events show.
    Behaviour(Behaviour<Watched>),
    /// A person property.
    Person(Filter),
    /// A property of the person's group of this type; of somebody without one it doesn't hold.
    Group(String, Filter),
    /// What another flag is for the person.
    Flag(FlagIndex, FlagAnswer),
    /// One of these distinct ids.
    Listed(FxHashSet<String>),
    /// Membership of another cohort.
    Cohort(CohortIndex),
    /// What couldn't be compiled; deciding it fails the flag.
    Fault(Fault),
}
