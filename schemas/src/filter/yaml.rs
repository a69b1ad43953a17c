//! A filter as analysts write it, for definitions that come from elsewhere.

use serde_json::{Value, json};

use super::date::Date;
use super::version::Range;
use super::{Filter, Test};
use crate::comparison::Comparison;

impl Filter {
    /// What YAML asks of the property, as `where` and `person` take it. None where YAML has no
    /// words; whoever writes it down reads it back, to see that it says the same.
    pub(crate) fn to_yaml(&self) -> Option<Value> {
        let named = |name: &str, negated: &str, value: Value| {
            Some(json!({ (if self.negated { negated } else { name }): value }))
        };
        match &self.test {
            Test::Set => Some(json!({ "set": !self.negated })),
            Test::OneOf { texts, numbers } => {
                let texts = texts.iter().map(|text| json!(text));
                let values: Vec<Value> = texts.chain(numbers.iter().map(|n| json!(n))).collect();
                named("is", "is not", one_or_all(values))
            }
            Test::Contains(needles) => {
                let needles = needles.iter().map(|needle| json!(needle)).collect();
                named("contains", "does not contain", one_or_all(needles))
            }
            Test::StartsWith(start) => named("starts with", "does not start with", json!(start)),
            Test::EndsWith(end) => named("ends with", "does not end with", json!(end)),
            Test::Matches(regex) => named("matches", "does not match", json!(regex.as_str())),
            Test::Compared(comparison, number) if !self.negated => {
                Some(json!(format!("{} {number}", comparison.sign())))
            }
            Test::Between(low, high) => named("between", "not between", json!([low, high])),
            Test::Dated(comparison, date @ (Date::At(_) | Date::Wall(_))) if !self.negated => {
                let name = match comparison {
                    Comparison::Less => "before",
                    Comparison::Greater => "after",
                    _ => "at",
                };
                Some(json!({ name: date.words() }))
            }
            Test::Version(Range::Compared(comparison, version)) if !self.negated => {
                Some(json!({ "version": format!("{} {version}", comparison.sign()) }))
            }
            Test::Version(Range::Within(range)) if !self.negated => {
                Some(json!({ "version": range.to_string() }))
            }
            _ => None,
        }
    }
}

fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}
