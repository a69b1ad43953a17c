//! What a flag may be: true or false, a text, a number, an object, or nothing.

use serde_json::{Number, Value};

/// The largest whole number that every language's JSON reads exactly.
pub const NUMBER_MAX: f64 = 9_007_199_254_740_991.0;

/// A flag's value, as its definition says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagValue {
    json: Value,
    text: String,
}

/// Of what kind a value is; all of a flag's values are of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A text that isn't empty.
    Text,
    /// A number.
    Number,
    /// An object.
    Object,
}

impl Kind {
    /// PostHog's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Text => "string",
            Kind::Number => "number",
            Kind::Object => "object",
        }
    }

    /// The kind of PostHog's word.
    pub fn named(name: &str) -> Option<Kind> {
        let kinds = [Kind::Boolean, Kind::Text, Kind::Number, Kind::Object];
        kinds.into_iter().find(|kind| kind.name() == name)
    }

    fn of(json: &Value) -> Option<Kind> {
        match json {
            Value::Bool(_) => Some(Kind::Boolean),
            // To SDKs an empty variant is none.
            Value::String(text) => (!text.is_empty()).then_some(Kind::Text),
            Value::Number(number) => is_exact(number).then_some(Kind::Number),
            Value::Object(_) => Some(Kind::Object),
            Value::Null | Value::Array(_) => None,
        }
    }
}

fn is_exact(number: &Number) -> bool {
    number.as_f64().is_some_and(|number| number.abs() <= NUMBER_MAX)
}

impl FlagValue {
    /// The value; none of what no flag may be.
    pub fn of(json: Value) -> Option<FlagValue> {
        Kind::of(&json).map(|_| FlagValue::from(json))
    }

    /// False.
    pub fn off() -> FlagValue {
        FlagValue::from(Value::Bool(false))
    }

    /// No value: whoever asks takes their own.
    pub fn nothing() -> FlagValue {
        FlagValue::from(Value::Null)
    }

    fn from(json: Value) -> FlagValue {
        FlagValue { text: json.to_string(), json }
    }

    /// Its kind; nothing has none.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.json)
    }

    /// It as JSON.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The same as text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a flag that is this is off.
    pub fn is_off(&self) -> bool {
        matches!(self.json, Value::Null | Value::Bool(false))
    }
}

impl Default for FlagValue {
    fn default() -> Self {
        FlagValue::off()
    }
}
