//! A filter in words.

use super::{Filter, Test};

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
            Test::Never | Test::Senseless => {
                return format!("`{}` is asked what no value passes", self.key);
            }
        };
        format!("{}{asked}", self.either("not: ", ""))
    }

    fn either(&self, negated: &'static str, plain: &'static str) -> &'static str {
        if self.negated { negated } else { plain }
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
