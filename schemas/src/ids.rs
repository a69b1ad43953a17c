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

/// The most bytes that such an id takes.
pub const DISTINCT_ID_BYTES_MAX: usize = DISTINCT_ID_CHARS_MAX * 4;

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

/// What code sends as a distinct id by mistake, in whatever case, as PostHog lists it.
const ILLEGAL: [&str; 10] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
];
/// The same, in just this case.
const ILLEGAL_AS_WRITTEN: [&str; 6] = ["[object Object]", "NaN", "None", "none", "null", "0"];

/// Whether links may join the id with others. What PostHog takes for a mistake, in quotes or
/// without, would make one person of everybody.
pub fn is_linkable(id: &str) -> bool {
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| id.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(id);
    !id.trim().is_empty()
        && !ILLEGAL.iter().any(|illegal| unquoted.eq_ignore_ascii_case(illegal))
        && !ILLEGAL_AS_WRITTEN.contains(&unquoted)
}

#[cfg(test)]
mod tests {
    use super::is_linkable;

    #[test]
    fn what_is_sent_by_mistake_links_nobody() {
        for id in ["", "  ", "Anonymous", "undefined", "null", "0", "'null'", "\"GUEST\"", "NaN"] {
            assert!(!is_linkable(id), "{id:?}");
        }
        for id in ["ann", "00", "nan", "NULL", "'ann'", "anonymous1", "é"] {
            assert!(is_linkable(id), "{id:?}");
        }
    }
}
