//! Cohorts compiled: conditions over windows and properties.

use crate::comparison::Comparison;
use crate::fault::Fault;
use crate::filter::Filter;
use crate::ids::MatcherId;

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
    /// A number of events within a window.
    Did(Did),
    /// A person property.
    Person(Filter),
    /// Membership of another cohort.
    Cohort(CohortIndex),
    /// What couldn't be compiled; deciding it fails the flag.
    Fault(Fault),
}

/// "Did it `comparison n` times within `within_ms`."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Did {
    /// Whose entries are counted.
    pub matcher: MatcherId,
    /// How the count is compared.
    pub comparison: Comparison,
    /// What the count is compared with.
    pub n: u16,
    /// The window's length, in milliseconds.
    pub within_ms: i64,
}
