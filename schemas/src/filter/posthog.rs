//! A filter as PostHog's JSON, for SDKs that evaluate it themselves.

use serde_json::{Value, json};

use super::value::is_boolean_like;
use super::{Filter, PropertyMatching, Test};
use crate::comparison::Comparison;

impl Filter {
    /// PostHog's filter that says the same, in a project with these rules for `exact`. None where
    /// there is none, and where an SDK would evaluate it otherwise or not at all: numbers that are
    /// compared as text, dates in the project's time zone, versions, ranges.
    pub fn to_posthog(&self, matching: PropertyMatching) -> Option<Value> {
        let (operator, value) = self.said(matching)?;
        Some(json!({ "key": self.key, "type": "person", "operator": operator, "value": value }))
    }

    fn said(&self, matching: PropertyMatching) -> Option<(&'static str, Value)> {
        let either = |plain, negated| Some(if self.negated { negated } else { plain });
        let said = match &self.test {
            Test::Set => (
                either("is_set", "is_not_set")?,
                json!(if self.negated { "is_not_set" } else { "is_set" }),
            ),
            Test::OneOf { texts, numbers } => {
                let texts = json!(texts);
                if !numbers.is_empty()
                    || (matching == PropertyMatching::V1 && is_boolean_like(&texts))
                {
                    return None;
                }
                (either("exact", "is_not")?, texts)
            }
            Test::Contains(needles) => match needles.as_slice() {
                [needle] => (either("icontains", "not_icontains")?, json!(needle)),
                _ => return None,
            },
            Test::StartsWith(start) => (either("starts_with", "not_starts_with")?, json!(start)),
            Test::EndsWith(end) => (either("ends_with", "not_ends_with")?, json!(end)),
            Test::Matches(pattern) => (either("regex", "not_regex")?, json!(pattern.as_str())),
            Test::Compared(comparison, number) if !self.negated => {
                let operator = match comparison {
                    Comparison::Greater => "gt",
                    Comparison::AtLeast => "gte",
                    Comparison::Less => "lt",
                    Comparison::AtMost => "lte",
                    Comparison::Equal | Comparison::NotEqual => return None,
                };
                (operator, json!(number))
            }
            _ => return None,
        };
        Some(said)
    }
}
