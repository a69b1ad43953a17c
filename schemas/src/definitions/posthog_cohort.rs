//! PostHog's cohorts: groups of conditions, and what a condition says of a person.

use std::sync::Arc;

use serde_json::Value;

use super::behaviours::Events;
use super::draft::{CohortDraft, Draft, GroupType};
use super::posthog_behaviour;
use super::posthog_leaf::{cohort_reference, json_of, kind_of, property_filter, text_of};
use super::problem::{Place, Problems};
use crate::behaviour::{Ago, Then};
use crate::fault::Fault;
use crate::filter::{Date, PropertyMatching};

/// The cohort of this id, as it stands in a file. What is wrong in it fails who asks for it.
pub(super) fn cohort(
    id: &str,
    value: &Value,
    matching: PropertyMatching,
    warnings: &mut Problems<'_>,
) -> CohortDraft {
    CohortDraft {
        description: text_of(value, "name").unwrap_or_default(),
        id: id.parse().ok(),
        members: members(id, value, matching, warnings),
        raw: Some(Arc::new(value.clone())),
        examples: Vec::new(),
        file: warnings.file().to_owned(),
        strict: false,
        is_static: is_static(value),
    }
}

/// Whether PostHog keeps a list of who is in the cohort.
fn is_static(cohort: &Value) -> bool {
    cohort.get("is_static").and_then(Value::as_bool) == Some(true)
}

/// Who is in the cohort: `{type, values}` as the definitions have it, or a whole cohort with
/// `filters`. Without filters nobody is.
fn members(
    id: &str,
    cohort: &Value,
    matching: PropertyMatching,
    warnings: &mut Problems<'_>,
) -> Draft {
    if is_static(cohort) {
        let message = format!(
            "PostHog's definitions don't say who is in a static cohort: write it as \
             `cohorts/{id}.yaml`, with `members: {{ people: [...] }}`"
        );
        return Draft::Fault(Fault::unsupported(message));
    }
    let properties = match cohort.get("filters") {
        Some(Value::Null) => return Draft::nobody(),
        Some(filters) => filters.get("properties").unwrap_or(&Value::Null),
        None => cohort,
    };
    match properties {
        Value::Null => Draft::nobody(),
        Value::Object(properties) if properties.is_empty() => Draft::nobody(),
        properties => {
            ignored_negations(properties, &mut |other| {
                let message = format!(
                    "cohort `{id}` takes cohort {other} in, where it is written as left out: \
                     PostHog's OR ignores the negation of a cohort, and so does Sluice"
                );
                let fix = "put the negated cohort under an AND of its own, or write it in YAML";
                warnings.add(Place::default(), message, fix);
            });
            group(properties, matching).unwrap_or_else(Draft::Fault)
        }
    }
}

/// Calls `found` with each cohort whose negation an OR ignores.
fn ignored_negations(group: &Value, found: &mut impl FnMut(&Value)) {
    let is_any = group.get("type").and_then(Value::as_str) == Some("OR");
    for value in group.get("values").and_then(Value::as_array).into_iter().flatten() {
        if value.get("values").is_some() {
            ignored_negations(value, found);
        } else if is_any && kind_of(value) == "cohort" && is_negated(value) {
            found(value.get("value").unwrap_or(&Value::Null));
        }
    }
}

fn is_negated(leaf: &Value) -> bool {
    leaf.get("negation").and_then(Value::as_bool) == Some(true)
}

fn group(group: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    let kind = group.get("type").and_then(Value::as_str).unwrap_or_default();
    let values = group.get("values").and_then(Value::as_array);
    let values = values.ok_or_else(|| Fault::of_cohort("a group of conditions has no `values`"))?;
    let is_any = match kind {
        "OR" => true,
        "AND" | "property" => false,
        other => return Err(Fault::of_cohort(format!("a group can't be of type `{other}`"))),
    };
    let members = values.iter().map(|value| match value.get("values") {
        Some(_) => self::group(value, matching),
        None => leaf(value, is_any, matching),
    });
    let members = members.collect::<Result<_, _>>()?;
    Ok(if is_any { Draft::Any(members) } else { Draft::All(members) })
}

/// One condition. A part that can't be evaluated is a fault in its place.
fn leaf(leaf: &Value, is_in_any: bool, matching: PropertyMatching) -> Result<Draft, Fault> {
    let negation = is_negated(leaf);
    match kind_of(leaf) {
        "person" => {
            let filter = property_filter(leaf, matching).map_err(Fault::in_cohort)?;
            Ok(Draft::Person(filter).negated_if(negation))
        }
        "group" => {
            let of = match leaf.get("group_type_index") {
                Some(Value::Number(index)) => GroupType::Index(index.to_string()),
                other => {
                    let message = format!("`{}` isn't the index of a group type", json_of(other));
                    return Err(Fault::of_cohort(message));
                }
            };
            let filter = property_filter(leaf, matching).map_err(Fault::in_cohort)?;
            Ok(Draft::Group(of, filter).negated_if(negation))
        }
        // PostHog's OR ignores the negation of a cohort, and so do we.
        "cohort" => Ok(cohort_reference(leaf).negated_if(negation && !is_in_any)),
        "behavioral" => Ok(posthog_behaviour::condition(leaf, matching)?.negated_if(negation)),
        "person_metadata" => Ok(created(leaf).negated_if(negation)),
        "flag" => Ok(Draft::Fault(Fault::unsupported("cohorts that name flags aren't supported"))),
        other => {
            let message = format!("cohort conditions of type `{other}` aren't supported");
            Ok(Draft::Fault(Fault::unsupported(message)))
        }
    }
}

/// When PostHog saw the person first, which is the first event that anybody knows of.
fn created(leaf: &Value) -> Draft {
    if leaf.get("key").and_then(Value::as_str) != Some("created_at") {
        let key = json_of(leaf.get("key"));
        return Draft::Fault(Fault::unsupported(format!(
            "`person_metadata` has `created_at` alone, not {key}"
        )));
    }
    let date = leaf.get("value").and_then(Value::as_str).and_then(Date::parse);
    let first = |then: fn(Date) -> Then| {
        // As of a property: nothing is before or after what is no date.
        date.map_or_else(Draft::nobody, |date| Events::any().first(then(date)))
    };
    let ever = Then::Ago(Ago::EVER);
    match leaf.get("operator").and_then(Value::as_str) {
        Some("is_date_before") => first(Then::Before),
        Some("is_date_exact") => first(Then::At),
        Some("is_date_after") => first(Then::After),
        Some("is_set") => Events::any().first(ever),
        Some("is_not_set") => Events::any().first(ever).negated_if(true),
        _ => Draft::Fault(Fault::unsupported(format!(
            "`created_at` is a date, and {} isn't asked of dates",
            json_of(leaf.get("operator"))
        ))),
    }
}
