//! The names of things: projects and matchers by number, people by the text they send.

use serde::{Deserialize, Serialize};

/// A project, numbered once by the [`crate::catalog::Registry`] and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub u32);

/// A matcher, numbered once by the [`crate::catalog::Registry`] and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MatcherId(pub u32);

/// The longest distinct id that is kept, in Unicode scalar values, as at PostHog.
pub const DISTINCT_ID_CHARS_MAX: usize = 200;

/// Cuts a distinct id to its first [`DISTINCT_ID_CHARS_MAX`] Unicode scalar values.
pub fn cut_distinct_id(id: &str) -> &str {
    if id.len() <= DISTINCT_ID_CHARS_MAX {
        return id;
    }
    match id.char_indices().nth(DISTINCT_ID_CHARS_MAX) {
        Some((end, _)) => &id[..end],
        None => id,
    }
}
