//! PostHog's cohorts: groups of leaves, and behavioural leaves among them.

use serde_json::Value;

use super::condition::COUNT_MAX;
use super::draft::Draft;
use super::posthog::{COHORT_UNREADABLE, FLAG_UNREADABLE, NOT_SUPPORTED};
use super::posthog_leaf::{cohort_reference, json_of, kind_of, property_filter};
use crate::comparison::Comparison;
use crate::fault::Fault;
use crate::filter::{Filter, PropertyMatching};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, WINDOW_MS_MAX, parse_relative_ms};

/// Who is in the cohort: `{type, values}` as the definitions have it, or a whole cohort with
/// `filters`. Without filters nobody is.
pub(super) fn members(cohort: &Value, matching: PropertyMatching) -> Draft {
    if cohort.get("is_static").and_then(Value::as_bool) == Some(true) {
        return Draft::fault(NOT_SUPPORTED, "static cohorts aren't supported");
    }
    let properties = match cohort.get("filters") {
        Some(Value::Null) => return Draft::nobody(),
        Some(filters) => filters.get("properties").unwrap_or(&Value::Null),
        None => cohort,
    };
    match properties {
        Value::Null => Draft::nobody(),
        Value::Object(properties) if properties.is_empty() => Draft::nobody(),
        properties => group(properties, matching).unwrap_or_else(Draft::Fault),
    }
}

fn group(group: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    let kind = group.get("type").and_then(Value::as_str).unwrap_or_default();
    let values = group.get("values").and_then(Value::as_array);
    let values = values.ok_or_else(|| unreadable("a group of conditions has no `values`"))?;
    let is_any = match kind {
        "OR" => true,
        "AND" | "property" => false,
        other => return Err(unreadable(format!("a group can't be of type `{other}`"))),
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
    let negation = leaf.get("negation").and_then(Value::as_bool) == Some(true);
    match kind_of(leaf) {
        "person" => {
            let filter = property_filter(leaf, matching).map_err(as_cohort_fault)?;
            Ok(Draft::Person(filter).negated_if(negation))
        }
        // PostHog's OR ignores the negation of a cohort, and so do we.
        "cohort" => Ok(cohort_reference(leaf).negated_if(negation && !is_in_any)),
        "behavioral" => Ok(behavioural(leaf, matching)?.negated_if(negation)),
        "flag" => Ok(Draft::fault(NOT_SUPPORTED, "cohorts that name flags aren't supported")),
        other => {
            let message = format!("cohort conditions of type `{other}` aren't supported");
            Ok(Draft::fault(NOT_SUPPORTED, message))
        }
    }
}

fn behavioural(leaf: &Value, matching: PropertyMatching) -> Result<Draft, Fault> {
    let is_event = leaf.get("event_type").is_none_or(|kind| kind.is_null() || kind == "events");
    let event = match leaf.get("key") {
        Some(Value::String(event)) if is_event => event.clone(),
        Some(Value::String(_) | Value::Number(_)) => {
            return Ok(Draft::fault(NOT_SUPPORTED, "conditions on actions aren't supported"));
        }
        other => return Err(unreadable(format!("`{}` isn't an event", json_of(other)))),
    };
    let (comparison, n) = match leaf.get("value").and_then(Value::as_str) {
        Some("performed_event") => (Comparison::AtLeast, 1),
        Some("performed_event_multiple") => (comparison(leaf), count(leaf)?),
        Some(
            kind @ ("performed_event_first_time"
            | "performed_event_sequence"
            | "performed_event_regularly"
            | "stopped_performing_event"
            | "restarted_performing_event"),
        ) => {
            return Ok(Draft::fault(NOT_SUPPORTED, format!("`{kind}` isn't supported yet")));
        }
        _ => {
            let message = format!("`{}` isn't a behaviour", json_of(leaf.get("value")));
            return Err(unreadable(message));
        }
    };
    if n > i64::from(COUNT_MAX) {
        let message = format!("a count of {n} is more than the {COUNT_MAX} that Sluice keeps");
        return Ok(Draft::fault(NOT_SUPPORTED, message));
    }
    let within_ms = match within_ms(leaf)? {
        Ok(within_ms) => within_ms,
        Err(message) => return Ok(Draft::fault(NOT_SUPPORTED, message)),
    };
    let filters = event_filters(leaf, matching)?;
    Ok(Draft::count(&event, filters, (comparison, n as u16), within_ms))
}

/// PostHog's default is equality, and an unknown operator means that too.
fn comparison(leaf: &Value) -> Comparison {
    match leaf.get("operator").and_then(Value::as_str) {
        Some("gte") => Comparison::AtLeast,
        Some("lte") => Comparison::AtMost,
        Some("gt") => Comparison::Greater,
        Some("lt") => Comparison::Less,
        _ => Comparison::Equal,
    }
}

/// How many times; less than zero counts as zero.
fn count(leaf: &Value) -> Result<i64, Fault> {
    let count = leaf.get("operator_value").and_then(whole);
    let bad = || unreadable(format!("`{}` isn't a count", json_of(leaf.get("operator_value"))));
    Ok(count.ok_or_else(bad)?.max(0))
}

/// The window's length, or the sentence that says why it isn't supported.
fn within_ms(leaf: &Value) -> Result<Result<i64, String>, Fault> {
    let given = |key| leaf.get(key).filter(|value| !value.is_null());
    if given("explicit_datetime_to").is_some() {
        return Ok(Err("windows that end in the past aren't supported yet".to_owned()));
    }
    if let Some(since) = given("explicit_datetime") {
        let relative = since.as_str().and_then(parse_relative_ms);
        let message = format!("a window since {since} isn't supported: only `-5M`, up to 400 days");
        return Ok(relative.ok_or(message));
    }
    let (Some(value), Some(interval)) = (given("time_value"), given("time_interval")) else {
        return Err(unreadable("a behavioural condition has no window"));
    };
    let unit_ms = match interval.as_str() {
        Some("second") => SECOND_MS,
        Some("minute") => MINUTE_MS,
        Some("hour") => HOUR_MS,
        Some("day") => DAY_MS,
        Some("week") => 7 * DAY_MS,
        Some("month") => 30 * DAY_MS,
        Some("year") => 365 * DAY_MS,
        _ => return Err(unreadable(format!("`{interval}` isn't a unit of time"))),
    };
    let amount = whole(value).ok_or_else(|| unreadable(format!("`{value}` isn't a length")))?;
    let within_ms = amount.checked_mul(unit_ms);
    let within_ms = within_ms.filter(|length| (SECOND_MS..=WINDOW_MS_MAX).contains(length));
    let message = format!("a window of {amount} {interval} isn't between 1 second and 400 days");
    Ok(within_ms.ok_or(message))
}

fn event_filters(leaf: &Value, matching: PropertyMatching) -> Result<Vec<Filter>, Fault> {
    let filters = match leaf.get("event_filters") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(filters)) => filters,
        Some(_) => return Err(unreadable("`event_filters` isn't a list")),
    };
    let one = |filter: &Value| match filter.get("type").and_then(Value::as_str) {
        None | Some("event") => property_filter(filter, matching).map_err(as_cohort_fault),
        Some(other) => {
            let message = format!("event filters of type `{other}` aren't supported");
            Err(Fault { code: NOT_SUPPORTED, message })
        }
    };
    filters.iter().map(one).collect()
}

/// A whole number, which may be written as text or with a fraction of zero.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 1e15).then_some(float as i64)
        }),
        _ => None,
    }
}

/// In a cohort, what can't be read is the cohort's filters.
fn as_cohort_fault(fault: Fault) -> Fault {
    let code = if fault.code == FLAG_UNREADABLE { COHORT_UNREADABLE } else { fault.code };
    Fault { code, ..fault }
}

fn unreadable(message: impl Into<String>) -> Fault {
    Fault { code: COHORT_UNREADABLE, message: message.into() }
}
