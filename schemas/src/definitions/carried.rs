//! PostHog's own words in a file of YAML, under `posthog`: what has none of Sluice's, or is kept.
//!
//! What is written beside it in Sluice's words counts instead.

use serde_json::Value;

use super::draft::{CohortDraft, FlagDraft};
use super::node::Node;
use super::problem::Problems;
use super::{posthog_cohort, posthog_flag};
use crate::filter::PropertyMatching;

/// The key in a file.
pub(super) const KEY: &str = "posthog";

/// Whether a file tells what PostHog has, and not the same in Sluice's words, under `said`.
pub(super) fn is_alone(file: &Node, said: &str) -> bool {
    file.entry(KEY).is_some() && file.entry(said).is_none()
}

/// A flag in PostHog's words; none where it is deleted.
pub(super) fn flag(
    key: &str,
    file: &Node,
    matching: PropertyMatching,
    problems: &mut Problems<'_>,
) -> Option<FlagDraft> {
    let raw = object(file, problems)?;
    if let Some(other) = raw.get("key").filter(|other| *other != key) {
        let message = format!("the file is of the flag `{key}`, and `key` is {other}");
        problems.add(file.place, message, "name the file by the flag's key");
        return None;
    }
    posthog_flag::flag(&raw, matching, problems)
}

/// A cohort in PostHog's words.
pub(super) fn cohort(
    key: &str,
    file: &Node,
    matching: PropertyMatching,
    problems: &mut Problems<'_>,
    warnings: &mut Problems<'_>,
) -> Option<CohortDraft> {
    let raw = object(file, problems)?;
    Some(posthog_cohort::cohort(key, &raw, matching, warnings))
}

fn object(file: &Node, problems: &mut Problems<'_>) -> Option<Value> {
    let fields = file.fields("what is in PostHog's words", &[KEY], problems)?;
    let node = fields.get(KEY)?;
    node.map("`posthog`", problems)?;
    Some(node.to_json())
}
