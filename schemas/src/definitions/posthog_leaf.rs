//! PostHog's property filters and cohort references, which flags and cohorts share.

use serde_json::Value;

use super::draft::Draft;
use crate::fault::Fault;
use crate::filter::{Filter, PropertyMatching};

/// A filter's type; PostHog takes one without for a person's.
pub(super) fn kind_of(leaf: &Value) -> &str {
    leaf.get("type").and_then(Value::as_str).unwrap_or("person")
}

/// A filter on one property of a person or an event.
pub(super) fn property_filter(leaf: &Value, matching: PropertyMatching) -> Result<Filter, Fault> {
    let key = leaf.get("key").and_then(Value::as_str);
    let key = key.ok_or_else(|| Fault::of_flag("a property filter has no `key`"))?;
    let operator = match leaf.get("operator") {
        None | Some(Value::Null) => "exact",
        Some(Value::String(operator)) => operator,
        Some(other) => return Err(Fault::of_flag(format!("`{other}` isn't an operator"))),
    };
    Filter::compile(key, operator, leaf.get("value").unwrap_or(&Value::Null), matching)
}

/// Membership of a cohort by id: `in`, which may be left out, or `not_in`. Any other operator
/// matches nobody, as at PostHog.
pub(super) fn cohort_reference(leaf: &Value) -> Draft {
    let key = match leaf.get("value") {
        Some(Value::Number(id)) if id.is_i64() => id.to_string(),
        Some(Value::String(id)) if id.parse::<i64>().is_ok() => id.clone(),
        other => {
            let message = format!("a cohort is named by its id, not by `{}`", json_of(other));
            return Draft::Fault(Fault::of_cohort(message));
        }
    };
    let member = Draft::Cohort { key, at: None };
    match leaf.get("operator") {
        None | Some(Value::Null) => member,
        Some(operator) => match operator.as_str() {
            Some("in") => member,
            Some("not_in") => member.negated_if(true),
            _ => Draft::nobody(),
        },
    }
}

/// The text under a key.
pub(super) fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The value for messages.
pub(super) fn json_of(value: Option<&Value>) -> String {
    value.unwrap_or(&Value::Null).to_string()
}
