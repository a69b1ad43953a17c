//! An event as tests and the load tool send it.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub uuid: String,
    pub name: String,
    pub person: String,
    pub time_ms: i64,
    pub properties: Map<String, Value>,
}

impl Event {
    pub fn new(name: &str, person: &str, time_ms: i64, dice: &mut Dice) -> Self {
        Event {
            uuid: dice.uuid(),
            name: name.to_owned(),
            person: person.to_owned(),
            time_ms,
            properties: Map::new(),
        }
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(key.to_owned(), value.into());
        self
    }

    /// As an element of a capture batch.
    pub fn captured(&self) -> Value {
        json!({
            "uuid": self.uuid,
            "event": self.name,
            "distinct_id": self.person,
            "timestamp": rfc3339(self.time_ms),
            "properties": self.properties,
        })
    }

    /// As a record of the log.
    pub fn record(&self, token: &str) -> Value {
        let mut record = self.captured();
        record["token"] = token.into();
        record
    }
}

/// An instant with its milliseconds, in UTC.
pub fn rfc3339(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms).expect("a time within jiff's years");
    format!("{time:.3}")
}

/// The wall clock, which the binary under test reads too.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
