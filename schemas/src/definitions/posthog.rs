//! The body of PostHog's `GET /flags/definitions`: flags, cohorts, group types.
//!
//! Whatever PostHog serves is loaded. What can't be evaluated fails the flag that needs it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::draft::{CohortDraft, Draft, FlagDraft, RuleDraft, RulesDraft};
use super::posthog_cohort;
use super::posthog_leaf::{cohort_reference, kind_of, property_filter};
use super::problem::{Place, Problems};
use crate::fault::Fault;
use crate::filter::PropertyMatching;
use crate::flag::{Flag, Rules, Variant};

/// The code of a flag that can't be read, as at PostHog.
pub(super) const FLAG_UNREADABLE: &str = "flag_data_parsing_error";
/// The code of a flag with a cohort that can't be read, as at PostHog.
pub(super) const COHORT_UNREADABLE: &str = "cohort_filters_parsing_error";
/// The code of a flag that is valid at PostHog and needs what Sluice can't do.
pub(super) const NOT_SUPPORTED: &str = "not_supported";

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
    let flags = flags.iter().filter_map(|value| flag(value, matching, warnings)).collect();
    let cohorts = object("cohorts").iter().map(|(id, value)| {
        let description = text_of(value, "name").unwrap_or_default();
        let members = posthog_cohort::members(id, value, matching, warnings);
        let file = problems.file().to_owned();
        let examples = Vec::new();
        let id_number = id.parse().ok();
        let draft =
            CohortDraft { description, id: id_number, members, examples, file, strict: false };
        (id.clone(), draft)
    });
    let group_types = object("group_type_mapping").iter().filter_map(|(index, name)| {
        let name = name.as_str()?;
        Some((index.clone(), name.to_owned()))
    });
    Some(Body { matching, flags, cohorts: cohorts.collect(), group_types: group_types.collect() })
}

fn flag(
    value: &Value,
    matching: PropertyMatching,
    warnings: &mut Problems<'_>,
) -> Option<FlagDraft> {
    let is_true = |key| value.get(key).and_then(Value::as_bool) == Some(true);
    let Some(key) = text_of(value, "key").filter(|key| !key.is_empty()) else {
        let message = "a flag without a key is left out";
        warnings.add(Place::default(), message, "give it a key at PostHog");
        return None;
    };
    if is_true("deleted") {
        return None;
    }
    if is_true("ensure_experience_continuity") {
        let message = format!("flag `{key}` isn't kept across logging in: Sluice can't do it yet");
        warnings.add(Place::default(), message, "switch persistence off at PostHog");
    }
    let number = |key| value.get(key).and_then(Value::as_i64);
    let flag = Flag {
        id: number("id").unwrap_or_default(),
        version: number("version").unwrap_or(1),
        description: text_of(value, "name").filter(|name| !name.is_empty()),
        has_experiment: is_true("has_experiment"),
        active: value.get("active").and_then(Value::as_bool).unwrap_or(true),
        rules: Ok(Rules::default()),
        key,
    };
    let rules = rules(value, matching);
    Some(FlagDraft { flag, rules, file: warnings.file().to_owned() })
}

fn rules(flag: &Value, matching: PropertyMatching) -> Result<RulesDraft, Fault> {
    let filters = flag.get("filters").and_then(Value::as_object);
    let filters = filters.ok_or_else(|| unreadable("the flag has no `filters`"))?;
    refuse_unsupported(flag, filters)?;
    let groups = list(filters, "groups")?;
    if groups.len() > 1 && filters.get("early_exit").and_then(Value::as_bool) == Some(true) {
        return Err(unsupported("`early_exit` isn't supported yet"));
    }
    let inherited = filters.get("aggregation_group_type_index").unwrap_or(&Value::Null);
    let rules = groups.iter().map(|group| rule(group, inherited, matching));
    let variants = match filters.get("multivariate") {
        Some(Value::Object(multivariate)) => {
            list(multivariate, "variants")?.iter().map(variant).collect::<Result<_, _>>()?
        }
        _ => Vec::new(),
    };
    let payloads = filters.get("payloads").and_then(Value::as_object).into_iter().flatten();
    let payloads = payloads.filter(|(_, payload)| !payload.is_null()).map(|(key, payload)| {
        // A payload is JSON as text; one that was stored as JSON is written out.
        let text = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
        (key.clone(), text)
    });
    let payloads = payloads.collect();
    Ok(RulesDraft { rules: rules.collect::<Result<_, _>>()?, variants, payloads })
}

/// What changes the flag's answer and can't be done yet fails it, rather than be ignored.
fn refuse_unsupported(flag: &Value, filters: &Map<String, Value>) -> Result<(), Fault> {
    match filters.get("version").map(Value::as_i64) {
        None | Some(Some(1)) => {}
        _ if filters.get("version").is_some_and(Value::is_null) => {}
        _ => {
            return Err(unsupported("only version 1 of PostHog's `filters` is supported"));
        }
    }
    if filters.get("feature_enrollment").and_then(Value::as_bool) == Some(true) {
        return Err(unsupported("early access (`feature_enrollment`) isn't supported yet"));
    }
    let is_there = |key| match filters.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(members)) => !members.is_empty(),
        Some(_) => true,
    };
    for key in ["holdout", "holdout_groups", "super_groups"] {
        if is_there(key) {
            return Err(unsupported(format!("`{key}` isn't supported yet")));
        }
    }
    if text_of(flag, "bucketing_identifier").as_deref() == Some("device_id") {
        return Err(unsupported("bucketing by device isn't supported yet"));
    }
    Ok(())
}

fn rule(group: &Value, inherited: &Value, matching: PropertyMatching) -> Result<RuleDraft, Fault> {
    let group = group.as_object().ok_or_else(|| unreadable("a condition isn't an object"))?;
    let rollout_percent = percentage(group.get("rollout_percentage"))?;
    let aggregation = group.get("aggregation_group_type_index").unwrap_or(inherited);
    let when = if aggregation.is_null() {
        let (cohorts, others): (Vec<&Value>, Vec<&Value>) =
            list(group, "properties")?.iter().partition(|leaf| kind_of(leaf) == "cohort");
        // PostHog asks for cohorts last.
        let leaves = others.into_iter().chain(cohorts);
        Draft::All(leaves.map(|leaf| condition(leaf, matching)).collect::<Result<_, _>>()?)
    } else {
        Draft::fault(NOT_SUPPORTED, "conditions on groups aren't supported yet")
    };
    let variant = group.get("variant").and_then(Value::as_str).map(str::to_owned);
    Ok(RuleDraft { when, rollout_percent, variant, payload: None })
}

/// A property filter of a release condition. An unknown operator fails the whole flag.
fn condition(leaf: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    Ok(match kind_of(leaf) {
        "person" => Draft::Person(property_filter(leaf, matching)?),
        "cohort" => cohort_reference(leaf),
        "group" => Draft::fault(NOT_SUPPORTED, "properties of groups aren't supported yet"),
        "flag" => Draft::fault(NOT_SUPPORTED, "flags that depend on flags aren't supported yet"),
        other => {
            let message = format!("properties of type `{other}` aren't supported in flags");
            Draft::fault(NOT_SUPPORTED, message)
        }
    })
}

fn variant(value: &Value) -> Result<Variant, Fault> {
    let key = text_of(value, "key").ok_or_else(|| unreadable("a variant has no `key`"))?;
    let percent = match value.get("rollout_percentage") {
        Some(Value::Null) | None => 0.0,
        share => percentage(share)?,
    };
    Ok(Variant { key, percent })
}

/// A share in percent; none is everybody.
fn percentage(value: Option<&Value>) -> Result<f64, Fault> {
    match value {
        None | Some(Value::Null) => Ok(100.0),
        Some(share) => {
            let bad = || unreadable(format!("`{share}` isn't a percentage"));
            share.as_f64().ok_or_else(bad)
        }
    }
}

fn list<'v>(object: &'v Map<String, Value>, key: &str) -> Result<&'v [Value], Fault> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(members)) => Ok(members),
        Some(_) => Err(unreadable(format!("`{key}` isn't a list"))),
    }
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn unreadable(message: impl Into<String>) -> Fault {
    Fault { code: FLAG_UNREADABLE, message: message.into() }
}

fn unsupported(message: impl Into<String>) -> Fault {
    Fault { code: NOT_SUPPORTED, message: message.into() }
}
