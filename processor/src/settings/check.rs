//! Checking what was said of settings: every mistake, with where it was said.

use super::Said;

/// What was said of each setting, and the mistakes found in it.
pub(super) struct Check<'a> {
    pub said: &'a Said,
    pub mistakes: &'a mut Vec<String>,
}

impl<'a> Check<'a> {
    /// The value, and where it was said.
    fn said(&self, key: &str) -> (&'a str, &'a str) {
        self.said.get(key).map_or(("", ""), |(value, place)| (value.as_str(), place.as_str()))
    }

    /// The text; none where it is empty.
    pub fn text_if_any(&self, key: &str) -> Option<String> {
        Some(self.said(key).0.to_owned()).filter(|text| !text.is_empty())
    }

    /// Text that has to be there.
    pub fn text(&mut self, key: &str) -> String {
        let value = self.said(key).0.to_owned();
        if value.is_empty() {
            self.mistake(key, "some text");
        }
        value
    }

    /// What `wanted` describes; none, and a mistake, where it is something else.
    pub fn parse<T: std::str::FromStr>(&mut self, key: &str, wanted: &str) -> Option<T> {
        let parsed = self.said(key).0.parse().ok();
        if parsed.is_none() {
            self.mistake(key, wanted);
        }
        parsed
    }

    /// A whole number within these bounds.
    pub fn number<T: TryFrom<i64> + Default>(&mut self, key: &str, least: i64, most: i64) -> T {
        let value: Option<i64> = self.said(key).0.replace('_', "").parse().ok();
        let value = value.filter(|value| (least..=most).contains(value));
        let value = value.and_then(|value| T::try_from(value).ok());
        if value.is_none() {
            let most = if most == i64::MAX { "…".to_owned() } else { most.to_string() };
            self.mistake(key, &format!("a whole number from {least} to {most}"));
        }
        value.unwrap_or_default()
    }

    /// A whole number above 0, or none for `never`.
    pub fn number_or_never(&mut self, key: &str) -> Option<i64> {
        if self.said(key).0 == "never" { None } else { Some(self.number(key, 1, i64::MAX)) }
    }

    /// What the chosen name stands for.
    pub fn one_of<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let value = self.said(key).0;
        if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == value) {
            return *chosen;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.mistake(key, &format!("one of {}", names.join(", ")));
        choices[0].1
    }

    fn mistake(&mut self, key: &str, wanted: &str) {
        let (value, place) = self.said(key);
        let mistake = format!("{place}: {value:?} is not {wanted}");
        self.mistakes.push(mistake);
    }
}
