//! Usage: when a flag was last called, by the value that was answered and by SDK.
//!
//! SDKs send an event of each call that they haven't told of yet. What is kept of a flag are
//! registers in a record of its own, beside people and groups: of each value, error and SDK the
//! newest call, by event time. They merge in any order, and an event that comes twice changes
//! nothing, which a number of calls couldn't say of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::properties::{Kind, Register};
use crate::record::Record;
use crate::window::Entry;

/// The event that tells of a call.
pub const EVENT: &str = "$feature_flag_called";

/// The longest flag key, and the longest value, error, or name of an SDK of which a call is told,
/// in bytes. Of a longer one only the rest of the event counts.
const TOLD_BYTES_MAX: usize = 400;

/// What a call is told by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// What the flag was: a boolean, a variant, or another JSON value.
    Value(Value),
    /// Why it was nothing.
    Error(String),
    /// Who asked, and in which version; each empty where the event doesn't tell.
    Sdk(String, String),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The flag's key.
    pub flag: String,
    marks: Vec<Mark>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "$feature_flag")]
    flag: Value,
    #[serde(rename = "$feature_flag_response", default)]
    response: Value,
    #[serde(rename = "$feature_flag_error", default)]
    error: Value,
    #[serde(rename = "$lib", default)]
    lib: Value,
    #[serde(rename = "$lib_version", default)]
    lib_version: Value,
}

impl Call {
    /// Reads the properties of such an event, a JSON object; none where they name no flag.
    pub fn read(properties: &str) -> Option<Call> {
        let told: Told = serde_json::from_str(properties).ok()?;
        let flag = text(told.flag);
        if flag.is_empty() {
            return None;
        }
        // What an SDK fell back to is no answer of the flag's.
        let said = match text(told.error) {
            error if error.is_empty() => Mark::Value(told.response),
            error => Mark::Error(error),
        };
        let marks = vec![said, Mark::Sdk(text(told.lib), text(told.lib_version))];
        Some(Call { flag, marks })
    }

    /// What is written of the flag.
    pub fn registers(&self, stamp: Entry) -> impl Iterator<Item = Register<'static>> {
        let keys = self.marks.iter().filter_map(|mark| serde_json::to_string(mark).ok());
        keys.filter(|key| key.len() <= TOLD_BYTES_MAX).map(move |key| Register {
            key: key.into(),
            kind: Kind::Set,
            stamp,
            value: "true".into(),
        })
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) if text.len() <= TOLD_BYTES_MAX => text,
        _ => String::new(),
    }
}

/// The calls that are kept of a flag: each mark with its newest, in epoch milliseconds, newest
/// first.
pub fn calls(record: &Record) -> Vec<(Mark, i64)> {
    let read = |register: Register<'_>| {
        Some((serde_json::from_str(&register.key).ok()?, register.stamp.time_ms()))
    };
    let mut calls: Vec<(Mark, i64)> = record.registers().filter_map(read).collect();
    calls.sort_by_key(|(_, called_ms)| std::cmp::Reverse(*called_ms));
    calls
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON_MS: i64 = 1_700_000_000_000;

    fn written(record: &mut Record, properties: &Value, after_ms: i64) -> usize {
        let Some(call) = Call::read(&properties.to_string()) else { return 0 };
        let stamp = Entry::new(NOON_MS + after_ms, after_ms as u64);
        call.registers(stamp).filter(|register| record.write(register)).count()
    }

    fn told(record: &Record) -> Vec<(Mark, i64)> {
        calls(record).into_iter().map(|(mark, called_ms)| (mark, called_ms - NOON_MS)).collect()
    }

    #[test]
    fn the_newest_call_of_each_value_and_sdk_is_kept() {
        let call = |response: Value, version: &str| {
            let lib = "posthog-python";
            json!({ "$feature_flag": "f", "$feature_flag_response": response, "$lib": lib,
                    "$lib_version": version })
        };
        let sdk = |version: &str| Mark::Sdk("posthog-python".to_owned(), version.to_owned());
        let told_of = [(call(json!(true), "7.1"), 1), (call(json!("banner"), "7.2"), 2)];
        let again = (call(json!(true), "7.2"), 3);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut record = Record::default();
            for at in order {
                let (properties, after_ms) = told_of.get(at).unwrap_or(&again);
                written(&mut record, properties, *after_ms);
            }
            assert_eq!(written(&mut record, &told_of[0].0, 1), 0, "it came twice");
            let (yes, banner) = (Mark::Value(json!(true)), Mark::Value(json!("banner")));
            let mut expected = vec![(yes, 3), (sdk("7.2"), 3), (banner, 2), (sdk("7.1"), 1)];
            let mut kept = told(&record);
            let order = |(mark, at): &(Mark, i64)| (-at, format!("{mark:?}"));
            expected.sort_by_key(order);
            kept.sort_by_key(order);
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn what_an_sdk_fell_back_to_is_no_value() {
        let mut record = Record::default();
        let failed = json!({ "$feature_flag": "f", "$feature_flag_response": false,
                             "$feature_flag_error": "timeout" });
        assert_eq!(written(&mut record, &failed, 1), 2);
        let nobody = Mark::Sdk(String::new(), String::new());
        let error = Mark::Error("timeout".to_owned());
        assert_eq!(told(&record).len(), 2);
        assert!(told(&record).contains(&(error, 1)) && told(&record).contains(&(nobody, 1)));
    }

    #[test]
    fn what_names_no_flag_or_is_too_long_tells_nothing() {
        for properties in [json!({}), json!({ "$feature_flag": 7 }), json!({ "$feature_flag": "" })]
        {
            assert_eq!(Call::read(&properties.to_string()), None, "{properties}");
        }
        let mut record = Record::default();
        let long = json!({ "$feature_flag": "f", "$feature_flag_response": "x".repeat(400) });
        assert_eq!(written(&mut record, &long, 1), 1, "that there was a call is told");
    }
}
