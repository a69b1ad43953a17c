//! A filter in words.

use jiff::Timestamp;

use super::date::Date;
use super::version::Range;
use super::{Filter, Test};
use crate::comparison::Comparison;
use crate::time::length;

impl Filter {
    /// What the filter asks, such as "`price` > 50"; texts are told as they are compared.
    pub fn words(&self) -> String {
        let asked = match &self.test {
            Test::Set => return format!("`{}` is {}set", self.key, self.either("not ", "")),
            Test::OneOf { texts, numbers } => {
                let texts = texts.iter().map(|text| quoted(text));
                let values: Vec<String> = texts.chain(numbers.iter().map(f64::to_string)).collect();
                return format!("`{}` is {}{}", self.key, self.either("not ", ""), any(values));
            }
            Test::Truthy(truth) => format!("`{}` is {truth}", self.key),
            Test::Contains(needles) => {
                let needles = needles.iter().map(|needle| quoted(needle)).collect();
                format!("`{}` contains {}", self.key, any(needles))
            }
            Test::StartsWith(start) => format!("`{}` starts with {}", self.key, quoted(start)),
            Test::EndsWith(end) => format!("`{}` ends with {}", self.key, quoted(end)),
            Test::Matches(regex) => format!("`{}` matches {}", self.key, quoted(regex.as_str())),
            Test::Compared(comparison, number) => {
                format!("`{}` {} {number}", self.key, comparison.sign())
            }
            Test::Between(low, high) => format!("`{}` is between {low} and {high}", self.key),
            Test::Dated(comparison, date) => {
                let when = match comparison {
                    Comparison::Less => "before",
                    Comparison::Greater => "after",
                    _ => "at",
                };
                format!("`{}` is {when} {}", self.key, date.words())
            }
            Test::Version(Range::Compared(comparison, version)) => {
                format!("`{}` is a version {} {version}", self.key, comparison.sign())
            }
            Test::Version(Range::Within(range)) => {
                format!("`{}` is a version of {range}", self.key)
            }
            Test::Never | Test::Senseless | Test::Version(Range::Senseless) => {
                return format!("`{}` is asked what no value passes", self.key);
            }
        };
        format!("{}{asked}", self.either("not: ", ""))
    }

    fn either(&self, negated: &'static str, plain: &'static str) -> &'static str {
        if self.negated { negated } else { plain }
    }
}

impl Date {
    /// As people write it.
    pub fn words(&self) -> String {
        match self {
            Date::At(instant_ns) => match Timestamp::from_nanosecond(*instant_ns) {
                Ok(instant) => instant.to_string(),
                Err(_) => format!("{instant_ns} ns after 1970"),
            },
            Date::Wall(wall) => wall.to_string(),
            Date::Back(number, unit) => {
                let unit = match unit {
                    'h' => "hours",
                    'd' => "days",
                    'w' => "weeks",
                    'm' => "months",
                    _ => "years",
                };
                format!("{number} {unit} ago")
            }
            Date::Ago(ago_ms) => format!("{} ago", length(*ago_ms)),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// "One of these."
fn any(mut values: Vec<String>) -> String {
    match values.pop() {
        None => "nothing".to_owned(),
        Some(last) if values.is_empty() => last,
        Some(last) => format!("{} or {last}", values.join(", ")),
    }
}
