//! The body of PostHog's `GET /flags/definitions`: flags, cohorts, group types.
//!
//! Whatever PostHog serves is loaded. What can't be evaluated fails the flag that needs it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::draft::{CohortDraft, FlagDraft};
use super::problem::{Place, Problems};
use super::{posthog_cohort, posthog_flag};
use crate::filter::PropertyMatching;

/// What a body holds.
#[derive(Debug)]
pub(super) struct Body {
    pub matching: PropertyMatching,
    pub flags: Vec<FlagDraft>,
    pub cohorts: BTreeMap<String, CohortDraft>,
    pub group_types: BTreeMap<String, String>,
}

/// Reads a body. Only text that isn't such a body is a problem; oddities become `warnings`.
pub(super) fn body(
    text: &str,
    problems: &mut Problems<'_>,
    warnings: &mut Problems<'_>,
) -> Option<Body> {
    let body: Value = match serde_json::from_str(text) {
        Ok(body) => body,
        Err(error) => {
            let place = Place { line: error.line(), column: error.column() };
            // The error ends with its place, which the problem has already.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let fix = "save the body of PostHog's `GET /flags/definitions` again";
            problems.add(place, format!("this isn't JSON: {message}"), fix);
            return None;
        }
    };
    let Some(flags) = body.get("flags").and_then(Value::as_array) else {
        let message =
            "this isn't the body of PostHog's `GET /flags/definitions`: it has no `flags`";
        problems.add(
            Place { line: 1, column: 1 },
            message,
            "save that body here, or move the file",
        );
        return None;
    };
    let matching = match body.get("property_matching_version").and_then(Value::as_i64) {
        Some(2) => PropertyMatching::V2,
        _ => PropertyMatching::V1,
    };
    let empty = Map::new();
    let object = |key| body.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let flags =
        flags.iter().filter_map(|value| posthog_flag::flag(value, matching, warnings)).collect();
    let cohorts = object("cohorts").iter().map(|(id, value)| {
        let draft = posthog_cohort::cohort(id, value, matching, warnings);
        (id.clone(), draft)
    });
    let group_types = object("group_type_mapping").iter().filter_map(|(index, name)| {
        let name = name.as_str()?;
        Some((index.clone(), name.to_owned()))
    });
    Some(Body { matching, flags, cohorts: cohorts.collect(), group_types: group_types.collect() })
}
