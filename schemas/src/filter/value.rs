//! How a filter sees a JSON value: as text, as a number, as true or not.

use std::borrow::Cow;

use serde_json::Value;

/// The text that PostHog compares: strings as they are, all else as compact JSON.
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Null => Cow::Borrowed("null"),
        other => Cow::Owned(other.to_string()),
    }
}

/// The number that a value is, or that its text says.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether `text` in lower case is one of `lowered`. ASCII, the usual, takes no allocation:
/// only a text beyond ASCII can change its length or become ASCII in lower case.
pub fn equals_any(text: &str, lowered: &[String]) -> bool {
    if text.is_ascii() {
        return lowered.iter().any(|lowered| text.eq_ignore_ascii_case(lowered));
    }
    let text = text.to_lowercase();
    lowered.contains(&text)
}

/// Whether `hay` has `needle` inside, whatever the case of A to Z.
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || hay.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
}

/// Whether a filter of this value asks for truthiness.
pub fn is_boolean_like(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::String(text) => matches!(text.to_lowercase().as_str(), "true" | "false"),
        Value::Array(members) => members.iter().all(is_boolean_like),
        _ => false,
    }
}

/// Whether PostHog takes the value for true.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Array(members) => members.iter().all(is_truthy),
        _ => false,
    }
}
