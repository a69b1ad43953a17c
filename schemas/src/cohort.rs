//! Cohorts compiled: conditions over windows and properties.

use crate::filter::Filter;
use crate::ids::MatcherId;

/// Where a cohort stands in [`crate::catalog::Project::cohorts`]; a cohort only refers to
/// cohorts before it, so that there is no cycle.
pub type CohortIndex = usize;

/// Why a definition can't be evaluated; the flag that needs it fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason code of the failed flag, as at PostHog where it has one.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

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

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
}

impl Comparison {
    /// Whether `left` compares so with `right`.
    pub fn holds(self, left: usize, right: usize) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Greater => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
        }
    }

    /// How many of the newest entries decide a comparison with `n` exactly.
    pub fn entries_needed(self, n: u16) -> u16 {
        match self {
            Comparison::AtLeast | Comparison::Less => n.max(1),
            _ => n + 1,
        }
    }
}
