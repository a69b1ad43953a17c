//! An example: what somebody did, and whether that puts them in the cohort.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a cohort's file says of one imaginary person.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The cohort's file.
    pub file: String,
    /// Where it says whether the person is in: the line, counted from 1.
    pub line: usize,
    /// The column, counted from 1, in characters.
    pub column: usize,
    /// When the cohort is asked, in epoch milliseconds.
    pub at_ms: i64,
    /// Who the person is.
    pub distinct_id: String,
    /// The person's properties.
    pub properties: Map<String, Value>,
    /// Their groups' properties, by type.
    pub groups: BTreeMap<String, Map<String, Value>>,
    /// What they did, in any order.
    pub events: Vec<Happened>,
    /// Whether they are in.
    pub is_in: bool,
}

/// An event of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// The event's name.
    pub name: String,
    /// When, in epoch milliseconds.
    pub time_ms: i64,
    /// Its properties.
    pub properties: Map<String, Value>,
}
