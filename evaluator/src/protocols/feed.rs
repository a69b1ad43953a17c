//! The body of `/flags/definitions`: a project's definitions as PostHog's SDKs read them
//! (`posthog.md` 2.1 and 2.2).

use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::feed::Feed;
use schemas::filter::PropertyMatching;
use schemas::flag::{Bucketing, ConfigVersion, Flag, FlagIndex, Runtime};
use serde_json::{Map, Value, json};

use super::said::{ABSENT_COHORT, chain, conditions, percentage};

/// All flags of the project, and those of its cohorts that an SDK can evaluate.
pub fn feed(project: &Project) -> Feed {
    let flags = project.flags.iter().map(|flag| match &flag.raw {
        Some(raw) if flag.config_version == ConfigVersion::Two => ruled(project, flag, raw),
        Some(raw) => imported(project, flag, raw),
        None => written(project, flag),
    });
    let body = json!({
        "flags": flags.collect::<Value>(),
        "group_type_mapping": project.group_types,
        "cohorts": cohorts(project),
        "property_matching_version": match project.property_matching {
            PropertyMatching::V1 => 1,
            PropertyMatching::V2 => 2,
        },
    });
    Feed::of(body.to_string().into_bytes())
}

/// PostHog's flag as it came; filters on other flags name them by key, with what has to be
/// decided before.
fn imported(project: &Project, flag: &Flag, raw: &Value) -> Value {
    let mut told = raw.clone();
    let groups = told.pointer_mut("/filters/groups").and_then(Value::as_array_mut);
    let properties = groups.into_iter().flatten().filter_map(|group| {
        let properties = group.get_mut("properties")?;
        properties.as_array_mut()
    });
    for property in properties.flatten().filter_map(Value::as_object_mut) {
        if property.get("type").and_then(Value::as_str) != Some("flag") {
            continue;
        }
        let target = property.get("key").and_then(|key| flag_named(project, key));
        let target = target.filter(|_| !flag.lacks_dependency);
        let before = target.map(|target| chain(project, target)).unwrap_or_default();
        if let Some(target) = target {
            property.insert("key".to_owned(), json!(project.flags[target].key));
        }
        property.insert("dependency_chain".to_owned(), json!(before));
    }
    told
}

/// PostHog's flag of rules, which no SDK knows yet: one without release conditions is off to them.
fn ruled(project: &Project, flag: &Flag, raw: &Value) -> Value {
    let mut told = raw.clone();
    told["filters"] = json!({ "groups": conditions(project, flag) });
    // Neither counts for rules.
    told["ensure_experience_continuity"] = json!(false);
    told["bucketing_identifier"] = json!("distinct_id");
    told
}

/// The flag with this key, or with this id where no key is like it.
fn flag_named(project: &Project, key: &Value) -> Option<FlagIndex> {
    let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let with = |same: &dyn Fn(&Flag) -> bool| project.flags.iter().position(same);
    with(&|flag| flag.key == text).or_else(|| with(&|flag| flag.id.to_string() == text))
}

/// A flag of YAML, as PostHog would have it.
fn written(project: &Project, flag: &Flag) -> Value {
    let Ok(rules) = &flag.rules else {
        debug_assert!(false, "a flag of YAML that can't be read isn't in the catalog");
        return Value::Null;
    };
    debug_assert!(!rules.enrollment && rules.holdout.is_none(), "YAML has neither");
    let variants = rules.variants.iter().map(|variant| {
        let percentage = percentage(variant.percent);
        json!({ "key": variant.key, "name": "", "rollout_percentage": percentage })
    });
    let variants: Vec<Value> = variants.collect();
    json!({
        "id": flag.id,
        "team_id": project.team_id.unwrap_or_default(),
        "name": flag.description.as_deref().unwrap_or_default(),
        "key": flag.key,
        "filters": {
            "groups": conditions(project, flag),
            "multivariate": (!variants.is_empty()).then(|| json!({ "variants": variants })),
            "payloads": rules.payloads,
        },
        "deleted": false,
        "active": flag.active,
        "ensure_experience_continuity": flag.keeps_value,
        "version": flag.version,
        "evaluation_runtime": match flag.runtime {
            Runtime::All => "all",
            Runtime::Client => "client",
            Runtime::Server => "server",
        },
        "evaluation_contexts": flag.contexts,
        "bucketing_identifier": match flag.bucketing {
            Bucketing::DistinctId => "distinct_id",
            Bucketing::Device => "device_id",
        },
        "has_experiment": flag.has_experiment,
    })
}

/// PostHog's cohorts by id, but those of which an SDK would say something else than we do, or
/// that name such a one: it asks for whoever might be in those.
fn cohorts(project: &Project) -> Map<String, Value> {
    let mut told = Map::new();
    let mut is_told = vec![false; project.cohorts.len()];
    for (at, cohort) in project.cohorts.iter().enumerate() {
        let group = cohort.raw.as_deref().map(|raw| match raw.get("filters") {
            Some(filters) => filters.get("properties").unwrap_or(&Value::Null),
            None => raw,
        });
        let group =
            group.filter(|group| is_read_alike(group) && is_known(&cohort.members, &is_told));
        if let Some(group) = group.filter(|_| cohort.id != Some(ABSENT_COHORT)) {
            is_told[at] = true;
            told.insert(cohort.key.clone(), group.clone());
        }
    }
    told
}

/// Whether a condition depends on properties alone, and on cohorts that are told.
fn is_known(condition: &Condition, is_told: &[bool]) -> bool {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => {
            inner.iter().all(|inner| is_known(inner, is_told))
        }
        Condition::Not(inner) => is_known(inner, is_told),
        Condition::Person(_) => true,
        Condition::Cohort(at) => is_told[*at],
        _ => false,
    }
}

/// Whether SDKs take a group of conditions as PostHog's server does. To them an empty one is
/// everybody, a negated cohort of an OR is negated, and `exact` on a cohort is `in`.
fn is_read_alike(group: &Value) -> bool {
    let Some(values) = group.get("values").and_then(Value::as_array) else {
        return false;
    };
    let are_groups = values.iter().filter(|value| value.get("values").is_some()).count();
    if values.is_empty() || (are_groups != 0 && are_groups != values.len()) {
        return false;
    }
    let is_any = group.get("type").and_then(Value::as_str) == Some("OR");
    values.iter().all(|value| {
        if are_groups > 0 {
            return is_read_alike(value);
        }
        let is_cohort = value.get("type").and_then(Value::as_str) == Some("cohort");
        let negated = value.get("negation").and_then(Value::as_bool) == Some(true);
        let operator = value.get("operator").and_then(Value::as_str);
        !is_cohort || !(is_any && negated) && matches!(operator, None | Some("in" | "not_in"))
    })
}
