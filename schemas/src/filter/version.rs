//! Versions of software, and the ranges of them that PostHog's `semver_…` operators ask for.
//!
//! PostHog's server reads both sides with the same crate, after it has mended what apps send: a
//! leading `v` and leading zeros go, and a missing minor or patch is 0.

use semver::{BuildMetadata, Version, VersionReq};
use serde_json::{Value, json};

use crate::comparison::Comparison;

/// Which versions are asked for.
#[derive(Clone, Debug)]
pub enum Range {
    /// Those that compare so with this one, by the rules of SemVer for what precedes a release.
    Compared(Comparison, Version),
    /// Those that a tilde, a caret or a wildcard takes.
    Within(VersionReq),
    /// No range: no version lies in it, nor outside.
    Senseless,
}

impl Range {
    /// What PostHog's operator asks for by this text; none if it isn't one about versions.
    pub fn of(operator: &str, text: &str) -> Option<Range> {
        let comparison = match operator.strip_prefix("semver_")? {
            "eq" => Comparison::Equal,
            "neq" => Comparison::NotEqual,
            "gt" => Comparison::Greater,
            "gte" => Comparison::AtLeast,
            "lt" => Comparison::Less,
            "lte" => Comparison::AtMost,
            "tilde" => return Some(within(&format!("~{}", mended(text)))),
            "caret" => return Some(within(&format!("^{}", mended(text)))),
            "wildcard" => return Some(within(&bare(text).replace('*', "x"))),
            _ => return None,
        };
        Some(parse(text).map_or(Range::Senseless, |version| Range::Compared(comparison, version)))
    }

    /// Whether a version lies there; what is no version lies nowhere.
    pub fn holds(&self, text: &str) -> Option<bool> {
        let Some(version) = parse(text) else {
            return Some(false);
        };
        match self {
            Range::Compared(comparison, right) => Some(comparison.holds(&version, right)),
            Range::Within(range) => Some(range.matches(&version)),
            Range::Senseless => None,
        }
    }

    /// Equal for equal ranges, and for no others.
    pub fn canonical(&self) -> Value {
        match self {
            Range::Compared(comparison, version) => {
                json!([format!("{comparison:?}"), version.to_string()])
            }
            Range::Within(range) => json!(["within", range.to_string()]),
            Range::Senseless => json!(["senseless"]),
        }
    }
}

/// The version without its build, which SemVer leaves out of every comparison (its point 10), as
/// PostHog's SDKs do.
fn parse(text: &str) -> Option<Version> {
    let version = Version::parse(&mended(text)).ok()?;
    Some(Version { build: BuildMetadata::EMPTY, ..version })
}

fn within(text: &str) -> Range {
    VersionReq::parse(text).map_or(Range::Senseless, Range::Within)
}

fn bare(text: &str) -> &str {
    text.strip_prefix('v').unwrap_or(text).trim()
}

/// The text as SemVer wants it; what precedes a release, or names a build, stays as it is.
fn mended(text: &str) -> String {
    let text = bare(text);
    let (core, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let mut parts: Vec<&str> = core.split('.').map(without_zeros).collect();
    while parts.len() < 3 {
        parts.push("0");
    }
    parts.join(".") + rest
}

fn without_zeros(part: &str) -> &str {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return part;
    }
    let short = part.trim_start_matches('0');
    if short.is_empty() { "0" } else { short }
}
