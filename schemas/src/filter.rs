//! Property filters, compiled: one key, one test, asked of a value that may be missing.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::comparison::Comparison;
use crate::fault::Fault;
pub use date::Date;
use value::{contains, equals_any, is_boolean_like, is_truthy, number, text};
use version::Range;

mod date;
mod posthog;
mod value;
mod version;
mod words;
mod yaml;

/// How many steps a regular expression may backtrack on one value, as at PostHog.
pub const REGEX_BACKTRACKS_MAX: usize = 10_000;

/// Which of PostHog's two rules `exact` follows for boolean-like values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PropertyMatching {
    /// Truthiness is compared: what imported projects have.
    #[default]
    V1,
    /// Text is compared: what new projects have.
    V2,
}

/// When and where a filter is asked: what relative dates count back from, and what times without
/// a zone mean. For a person's property it is the request's moment, for an event's the event's.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Epoch milliseconds.
    pub now_ms: i64,
    /// The project's time zone.
    pub zone: &'a jiff::tz::TimeZone,
}

/// A test of one property.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The property's name.
    pub key: String,
    test: Test,
    negated: bool,
}

#[derive(Clone, Debug)]
enum Test {
    /// The key is there, even with a null.
    Set,
    /// Equal to one of the texts (kept in lower case) or one of the numbers.
    OneOf {
        texts: Vec<String>,
        numbers: Vec<f64>,
    },
    /// As true, or as untrue, as this.
    Truthy(bool),
    /// Contains one of these, kept in ASCII lower case.
    Contains(Vec<String>),
    StartsWith(String),
    EndsWith(String),
    Matches(Box<fancy_regex::Regex>),
    Compared(Comparison, f64),
    /// Both ends included.
    Between(f64, f64),
    /// A date before, after or at this one.
    Dated(Comparison, Date),
    /// A version that lies there.
    Version(Range),
    /// A filter without a value: no value passes.
    Never,
    /// A filter whose value makes no sense: no value passes it, nor its opposite.
    Senseless,
}

impl Filter {
    /// PostHog's filter of this operator and value.
    ///
    /// # Errors
    /// An unknown operator is a fault of the flag. A value that doesn't suit its operator, such
    /// as a broken regular expression, is not: that filter passes nothing, as at PostHog.
    pub fn compile(
        key: &str,
        operator: &str,
        value: &Value,
        matching: PropertyMatching,
    ) -> Result<Filter, Fault> {
        let (operator, negated) = split_negation(operator);
        let test = match operator {
            "is_set" => Test::Set,
            "exact" => exact(value, matching),
            "icontains" => Test::Contains(vec![text(value).to_ascii_lowercase()]),
            "icontains_multi" => Test::Contains(needles(value)),
            "starts_with" => Test::StartsWith(text(value).to_ascii_lowercase()),
            "ends_with" => Test::EndsWith(text(value).to_ascii_lowercase()),
            "regex" => regex(&text(value)).map_or(Test::Senseless, Test::Matches),
            "gt" => compared(Comparison::Greater, value),
            "gte" | "min" => compared(Comparison::AtLeast, value),
            "lt" => compared(Comparison::Less, value),
            "lte" | "max" => compared(Comparison::AtMost, value),
            "between" => between(value),
            "is_date_before" => dated(Comparison::Less, value),
            "is_date_after" => dated(Comparison::Greater, value),
            "is_date_exact" => dated(Comparison::Equal, value),
            // Operators of cohorts and flags; on a property they can't be evaluated.
            "in" | "flag_evaluates_to" => Test::Senseless,
            other => match Range::of(other, &text(value)) {
                Some(range) => Test::Version(range),
                None => return Err(unknown_operator(key, operator)),
            },
        };
        if value.is_null() && operator != "is_set" {
            return Ok(Filter::of(key, Test::Never));
        }
        let filter = Filter::of(key, test);
        Ok(if negated { filter.opposite() } else { filter })
    }

    /// Passes values equal to one of the texts, whatever their case, or one of the numbers.
    pub(crate) fn one_of(key: &str, texts: &[String], numbers: &[f64]) -> Filter {
        let texts = sorted(texts.iter().map(|text| text.to_lowercase()));
        let mut numbers: Vec<f64> = numbers.iter().map(|number| number + 0.0).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        Filter::of(key, Test::OneOf { texts, numbers })
    }

    /// Passes numbers that compare so with `number`.
    pub(crate) fn number(key: &str, comparison: Comparison, number: f64) -> Filter {
        match comparison {
            Comparison::Equal => Filter::one_of(key, &[], &[number]),
            Comparison::NotEqual => Filter::one_of(key, &[], &[number]).opposite(),
            _ => Filter::of(key, Test::Compared(comparison, number + 0.0)),
        }
    }

    /// Passes dates that compare so with `date`.
    pub(crate) fn dated(key: &str, comparison: Comparison, date: Date) -> Filter {
        Filter::of(key, Test::Dated(comparison, date))
    }

    /// Passes what this filter doesn't; what can't be evaluated passes neither.
    pub fn opposite(self) -> Filter {
        Filter { negated: !self.negated, ..self }
    }

    /// Whether the property, or its absence, passes. A null counts as set.
    pub fn matches(&self, value: Option<&Value>, moment: Moment<'_>) -> bool {
        let held = match value {
            None => Some(false),
            Some(value) => self.test.holds(value, moment),
        };
        held.is_some_and(|held| held != self.negated)
    }

    /// Whether the filter is about dates, so that the project's time zone is part of it.
    pub(crate) fn is_of_dates(&self) -> bool {
        matches!(self.test, Test::Dated(..))
    }

    /// Whether it counts back from the moment in which it is asked.
    pub(crate) fn is_relative(&self) -> bool {
        matches!(&self.test, Test::Dated(_, date) if date.is_relative())
    }

    /// Whether its value makes no sense, so that nothing passes, nor its opposite.
    pub(crate) fn is_senseless(&self) -> bool {
        matches!(self.test, Test::Senseless | Test::Version(Range::Senseless))
    }

    /// The instants in epoch milliseconds at which the clock alone may change what
    /// [`Filter::matches`] says of this value; those that have passed may be among them.
    pub fn turns_ms(&self, value: &Value, moment: Moment<'_>) -> Vec<i64> {
        match &self.test {
            Test::Dated(_, asked) => match Date::of(value) {
                Some(told) => asked.meets_ms(&told, moment),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Text that is equal for equal filters, and for no others; but for the project's time zone,
    /// where they are about dates.
    pub fn canonical(&self) -> String {
        let test = match &self.test {
            Test::Set => json!(["set"]),
            Test::OneOf { texts, numbers } => json!(["one_of", texts, digits(numbers)]),
            Test::Truthy(truth) => json!(["truthy", truth]),
            Test::Contains(needles) => json!(["contains", needles]),
            Test::StartsWith(start) => json!(["starts_with", start]),
            Test::EndsWith(end) => json!(["ends_with", end]),
            Test::Matches(regex) => json!(["matches", regex.as_str()]),
            Test::Compared(comparison, number) => {
                json!(["compared", format!("{comparison:?}"), digits(&[*number])])
            }
            Test::Between(low, high) => json!(["between", digits(&[*low, *high])]),
            Test::Dated(comparison, date) => {
                json!(["dated", format!("{comparison:?}"), date.canonical()])
            }
            Test::Version(range) => json!(["version", range.canonical()]),
            Test::Never => json!(["never"]),
            Test::Senseless => json!(["senseless"]),
        };
        json!([self.key, !self.negated, test]).to_string()
    }

    fn of(key: &str, test: Test) -> Filter {
        Filter { key: key.to_owned(), test, negated: false }
    }
}

impl Test {
    /// None where the test can't be evaluated: neither it nor its opposite holds.
    fn holds(&self, value: &Value, moment: Moment<'_>) -> Option<bool> {
        match self {
            Test::Set => Some(true),
            Test::OneOf { texts, numbers } => {
                let equals_number = |number| numbers.contains(&number);
                let is_number = !numbers.is_empty() && number(value).is_some_and(equals_number);
                Some(is_number || (!texts.is_empty() && equals_any(&text(value), texts)))
            }
            Test::Truthy(truth) => Some(is_truthy(value) == *truth),
            Test::Contains(needles) => {
                let hay = text(value);
                Some(needles.iter().any(|needle| contains(hay.as_bytes(), needle.as_bytes())))
            }
            Test::StartsWith(start) => {
                let head = text(value);
                let head = head.as_bytes().get(..start.len());
                Some(head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes())))
            }
            Test::EndsWith(end) => {
                let tail = text(value);
                let from = tail.len().checked_sub(end.len());
                let tail = from.map(|from| &tail.as_bytes()[from..]);
                Some(tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes())))
            }
            Test::Matches(regex) => regex.is_match(text(value).as_ref()).ok(),
            Test::Compared(comparison, right) => {
                number(value).map(|left| comparison.holds(left, *right))
            }
            Test::Between(low, high) => match number(value) {
                Some(number) if number.is_nan() => None,
                Some(number) => Some((*low..=*high).contains(&number)),
                None => Some(false),
            },
            Test::Dated(comparison, asked) => {
                let told = Date::of(value).and_then(|date| date.instant_ns(moment));
                let both = told.zip(asked.instant_ns(moment));
                Some(both.is_some_and(|(told, asked)| comparison.holds(told, asked)))
            }
            Test::Version(range) => range.holds(&text(value)),
            Test::Never => Some(false),
            Test::Senseless => None,
        }
    }
}

/// PostHog names an operator's opposite in one of three ways.
fn split_negation(operator: &str) -> (&str, bool) {
    let positive = operator.strip_prefix("not_");
    match (operator, positive) {
        ("is_not", _) => ("exact", true),
        ("is_not_set", _) => ("is_set", true),
        (_, Some("in")) => ("in", true),
        (
            _,
            Some(
                positive @ ("icontains" | "icontains_multi" | "starts_with" | "ends_with" | "regex"
                | "between"),
            ),
        ) => (positive, true),
        _ => (operator, false),
    }
}

fn unknown_operator(key: &str, operator: &str) -> Fault {
    Fault::of_flag(format!("the operator `{operator}` on `{key}` is unknown"))
}

fn exact(value: &Value, matching: PropertyMatching) -> Test {
    let empty = value.as_array().is_some_and(Vec::is_empty);
    if empty || (matching == PropertyMatching::V1 && is_boolean_like(value)) {
        return Test::Truthy(is_truthy(value));
    }
    let lower = |value| text(value).to_lowercase();
    let texts = match value {
        Value::Array(members) => sorted(members.iter().map(lower)),
        scalar => vec![lower(scalar)],
    };
    Test::OneOf { texts, numbers: Vec::new() }
}

fn needles(value: &Value) -> Vec<String> {
    let lower = |value| text(value).to_ascii_lowercase();
    match value {
        Value::Array(members) => sorted(members.iter().map(lower)),
        scalar => vec![lower(scalar)],
    }
}

/// The pattern compiled, unless it is broken.
pub(crate) fn regex(pattern: &str) -> Option<Box<fancy_regex::Regex>> {
    let mut builder = fancy_regex::RegexBuilder::new(pattern);
    builder.backtrack_limit(REGEX_BACKTRACKS_MAX).build().ok().map(Box::new)
}

fn compared(comparison: Comparison, value: &Value) -> Test {
    number(value).map_or(Test::Senseless, |number| Test::Compared(comparison, number + 0.0))
}

fn between(value: &Value) -> Test {
    let bounds = match value.as_array().map(Vec::as_slice) {
        Some([low, high]) => number(low).zip(number(high)),
        _ => None,
    };
    match bounds {
        Some((low, high)) if low <= high => Test::Between(low + 0.0, high + 0.0),
        _ => Test::Senseless,
    }
}

/// A date that can't be read is none, and no other compares with it.
fn dated(comparison: Comparison, value: &Value) -> Test {
    let date = value.as_str().and_then(Date::parse);
    date.map_or(Test::Never, |date| Test::Dated(comparison, date))
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Numbers as text that tells all of them apart; JSON has none for infinities and NaN.
fn digits(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(|number| format!("{number:?}")).collect()
}

#[cfg(test)]
mod tests;
