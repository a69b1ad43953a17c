//! A matcher: which events feed conditions, and what is taken of each.

use crate::decimal::Decimal;
use crate::filter::{Filter, Moment};
use crate::ids::MatcherId;
use crate::window::{Kept, Value};

/// The part of conditions that events feed: an event's name, property filters, and what is
/// taken from the event.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Persisted, and never reused.
    pub id: MatcherId,
    /// The event's name; empty for any event.
    pub event: String,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Later events are no hits: epoch milliseconds, or the end of time.
    pub until_ms: i64,
    /// What of an event is kept beside its time; an event that hasn't it is no hit.
    pub take: Take,
    /// How much its conditions need.
    pub kept: Kept,
}

/// What a matcher takes from an event.
#[derive(Clone, Debug, Default)]
pub enum Take {
    /// Nothing: that it happened is enough.
    #[default]
    Nothing,
    /// Which value this property has.
    Value(String),
    /// The number that this property has.
    Number(String),
    /// Whether the property passes, where the event has it.
    Passes(Filter),
}

impl Take {
    /// The property that is asked for.
    pub fn property(&self) -> Option<&str> {
        match self {
            Take::Nothing => None,
            Take::Value(key) | Take::Number(key) => Some(key),
            Take::Passes(filter) => Some(&filter.key),
        }
    }

    /// What is taken where the property has this value; none if the event is no hit then. A
    /// null is no value; a number and the same number as text are one.
    pub fn of(&self, value: Option<&serde_json::Value>, moment: Moment<'_>) -> Option<Value> {
        let value = value.filter(|value| !value.is_null());
        match self {
            Take::Nothing => Some(Value::NONE),
            Take::Value(_) => {
                let text = match (Decimal::of(value?), value?) {
                    (Some(number), _) => format!("#{}", number.units()),
                    (None, serde_json::Value::String(text)) => format!("\"{text}"),
                    (None, other) => other.to_string(),
                };
                Some(Value::hashed(xxhash_rust::xxh3::xxh3_128(text.as_bytes())))
            }
            Take::Number(_) => Some(Value::number(Decimal::of(value?)?.units())),
            Take::Passes(filter) => {
                let passes = filter.matches(Some(value?), moment);
                Some(if passes { Value::PASSED } else { Value::NONE })
            }
        }
    }
}
