//! PostHog's flags, and their `filters` of version 1: release conditions, holdout, enrolment.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::draft::{Draft, FlagDraft, GroupType, RuleDraft, RulesDraft};
use super::posthog_leaf::{cohort_reference, json_of, kind_of, property_filter, text_of};
use super::posthog_rules;
use super::problem::{Place, Problems};
use crate::fault::Fault;
use crate::filter::PropertyMatching;
use crate::flag::{
    Bucketing, ConfigVersion, Flag, FlagAnswer, Holdout, Release, Rules, Runtime, Variant,
};
use crate::flag_value::FlagValue;

/// Reads a flag; one that is deleted, or has no key, is none.
pub(super) fn flag(
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
    let number = |key| value.get(key).and_then(Value::as_i64);
    let contexts = ["evaluation_contexts", "evaluation_tags"];
    let contexts = contexts.iter().find_map(|key| value.get(*key).and_then(Value::as_array));
    let contexts = contexts.into_iter().flatten().filter_map(Value::as_str);
    let config_version = config_version(value);
    // Version 2 hashes the distinct id, or the group's key, and nothing else.
    let by_one = config_version == ConfigVersion::One;
    let flag = Flag {
        id: number("id").unwrap_or_default(),
        version: number("version").unwrap_or(1),
        description: text_of(value, "name").filter(|name| !name.is_empty()),
        has_experiment: is_true("has_experiment"),
        active: value.get("active").and_then(Value::as_bool).unwrap_or(true),
        runtime: match text_of(value, "evaluation_runtime").as_deref() {
            Some("client") => Runtime::Client,
            Some("server") => Runtime::Server,
            _ => Runtime::All,
        },
        contexts: contexts.map(str::to_owned).collect(),
        bucketing: match text_of(value, "bucketing_identifier").as_deref() {
            Some("device_id") if by_one => Bucketing::Device,
            _ => Bucketing::DistinctId,
        },
        keeps_value: by_one && is_true("ensure_experience_continuity"),
        config_version,
        lacks_dependency: false,
        raw: Some(Arc::new(value.clone())),
        rules: Ok(Rules::default()),
        key,
    };
    let rules = rules(value, matching);
    Some(FlagDraft { flag, rules, file: warnings.file().to_owned() })
}

/// A version that isn't known is decided by nothing; that it isn't the first is all that is told.
fn config_version(flag: &Value) -> ConfigVersion {
    match flag.pointer("/filters/version") {
        None | Some(Value::Null) => ConfigVersion::One,
        Some(version) if version.as_f64() == Some(1.0) => ConfigVersion::One,
        Some(_) => ConfigVersion::Two,
    }
}

fn rules(flag: &Value, matching: PropertyMatching) -> Result<RulesDraft, Fault> {
    let filters = flag.get("filters").and_then(Value::as_object);
    let filters = filters.ok_or_else(|| Fault::of_flag("the flag has no `filters`"))?;
    match filters.get("version") {
        Some(version) if version.as_f64() == Some(2.0) => posthog_rules::rules(filters, matching),
        Some(version) if config_version(flag) == ConfigVersion::Two => {
            let known = "`filters.version` should be 1 or 2";
            Err(Fault::unsupported(format!("{known} and is `{version}`")))
        }
        _ => conditions(filters, matching),
    }
}

/// Release conditions as rules.
fn conditions(
    filters: &Map<String, Value>,
    matching: PropertyMatching,
) -> Result<RulesDraft, Fault> {
    refuse_unsupported(filters)?;
    let groups = list(filters, "groups")?;
    let inherited = filters.get("aggregation_group_type_index");
    let ends_on_miss = filters.get("early_exit").and_then(Value::as_bool) == Some(true);
    let rules = groups.iter().map(|group| {
        let aggregation = aggregation(group.get("aggregation_group_type_index").or(inherited))?;
        rule(group, aggregation, matching, ends_on_miss)
    });
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
    Ok(RulesDraft {
        rules: rules.collect::<Result<_, _>>()?,
        default: FlagValue::off(),
        seed: None,
        variants,
        payloads: payloads.collect(),
        enrollment: filters.get("feature_enrollment").and_then(Value::as_bool) == Some(true),
        holdout: holdout(filters.get("holdout"))?,
        aggregation: aggregation(inherited)?,
    })
}

/// What changes the flag's answer and can't be done fails it, rather than be ignored.
fn refuse_unsupported(filters: &Map<String, Value>) -> Result<(), Fault> {
    let is_there = |key| match filters.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(members)) => !members.is_empty(),
        Some(_) => true,
    };
    for (key, instead) in [("holdout_groups", "holdout"), ("super_groups", "feature_enrollment")] {
        if is_there(key) && !is_there(instead) {
            let message = format!("`{key}` is of an older PostHog: it is `{instead}` now");
            return Err(Fault::unsupported(message));
        }
    }
    Ok(())
}

/// The index of a group type; people where there is none.
pub(super) fn aggregation(index: Option<&Value>) -> Result<Option<String>, Fault> {
    match index {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(index)) => Ok(Some(index.to_string())),
        Some(other) => Err(Fault::of_flag(format!("`{other}` isn't the index of a group type"))),
    }
}

fn holdout(holdout: Option<&Value>) -> Result<Option<Holdout>, Fault> {
    let Some(holdout) = holdout.filter(|holdout| !holdout.is_null()) else {
        return Ok(None);
    };
    let id = holdout.get("id").and_then(Value::as_i64);
    let percent = holdout.get("exclusion_percentage").and_then(Value::as_f64);
    match id.zip(percent) {
        Some((id, percent)) => {
            let variant = format!("holdout-{id}");
            let seed = "holdout-".to_owned();
            Ok(Some(Holdout { variant, percent: percent.clamp(0.0, 100.0), seed }))
        }
        None => Err(Fault::of_flag("a `holdout` needs `id` and `exclusion_percentage`")),
    }
}

fn rule(
    group: &Value,
    aggregation: Option<String>,
    matching: PropertyMatching,
    ends_on_miss: bool,
) -> Result<RuleDraft, Fault> {
    let group = group.as_object().ok_or_else(|| Fault::of_flag("a condition isn't an object"))?;
    let rollout_percent = percentage(group.get("rollout_percentage"))?;
    // PostHog asks for flags first and for cohorts last.
    let mut leaves: Vec<&Value> = list(group, "properties")?.iter().collect();
    leaves.sort_by_key(|leaf| match kind_of(leaf) {
        "flag" => 0,
        "cohort" => 2,
        _ => 1,
    });
    let conditions = leaves.iter().map(|leaf| condition(leaf, aggregation.as_deref(), matching));
    let when = Draft::All(conditions.collect::<Result<_, _>>()?);
    let variant = group.get("variant").and_then(Value::as_str).map(str::to_owned);
    let release = Release { rollout_percent, ends_on_miss, variant, ..Release::default() };
    Ok(RuleDraft { when, aggregation, release })
}

/// One filter of a release condition. An unknown operator fails the whole flag.
pub(super) fn condition(
    leaf: &Value,
    aggregation: Option<&str>,
    matching: PropertyMatching,
) -> Result<Draft, Fault> {
    Ok(match (kind_of(leaf), aggregation) {
        // A condition has one source of properties, whatever its filters call themselves.
        ("person" | "group", None) => Draft::Person(property_filter(leaf, matching)?),
        ("person" | "group", Some(group_type)) => {
            let of = GroupType::Index(group_type.to_owned());
            Draft::Group(of, property_filter(leaf, matching)?)
        }
        ("cohort", _) => cohort_reference(leaf),
        ("flag", _) => dependency(leaf),
        (other, _) => {
            let message = format!("properties of type `{other}` aren't supported in flags");
            Draft::Fault(Fault::unsupported(message))
        }
    })
}

/// What another flag has to be; any operator but `flag_evaluates_to` matches nobody.
fn dependency(leaf: &Value) -> Draft {
    let key = match leaf.get("key") {
        Some(Value::String(key)) => key.clone(),
        Some(Value::Number(id)) => id.to_string(),
        other => {
            let message = format!("a flag is named by its key or id, not by `{}`", json_of(other));
            return Draft::Fault(Fault::of_flag(message));
        }
    };
    let asked = match leaf.get("value") {
        Some(Value::Bool(true)) => Some(FlagAnswer::On),
        Some(Value::Bool(false)) => Some(FlagAnswer::Off),
        Some(Value::String(variant)) => Some(FlagAnswer::Variant(variant.clone())),
        _ => None,
    };
    let is_asked = text_of(leaf, "operator").as_deref() == Some("flag_evaluates_to");
    Draft::Flag(key, asked.filter(|_| is_asked))
}

fn variant(value: &Value) -> Result<Variant, Fault> {
    let key = text_of(value, "key").ok_or_else(|| Fault::of_flag("a variant has no `key`"))?;
    let percent = match value.get("rollout_percentage") {
        Some(Value::Null) | None => 0.0,
        share => percentage(share)?,
    };
    Ok(Variant { key, percent, value: None })
}

/// A share in percent; none is everybody.
fn percentage(value: Option<&Value>) -> Result<f64, Fault> {
    match value {
        None | Some(Value::Null) => Ok(100.0),
        Some(share) => {
            let bad = || Fault::of_flag(format!("`{share}` isn't a percentage"));
            share.as_f64().ok_or_else(bad)
        }
    }
}

pub(super) fn list<'v>(object: &'v Map<String, Value>, key: &str) -> Result<&'v [Value], Fault> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(members)) => Ok(members),
        Some(_) => Err(Fault::of_flag(format!("`{key}` isn't a list"))),
    }
}
