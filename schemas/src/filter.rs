//! Property filters, compiled: one key, one test, asked of a value that may be missing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which of PostHog's two rules `exact` follows for boolean-like values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PropertyMatching {
    /// Truthiness is compared: what imported projects have.
    #[default]
    V1,
    /// Text is compared: what new projects have.
    V2,
}

/// A test of one property.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The property's name.
    pub key: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    IsSet,
}

impl Filter {
    /// Whether the property, or its absence, passes. A null counts as set.
    pub fn matches(&self, value: Option<&Value>) -> bool {
        match self.test {
            Test::IsSet => value.is_some(),
        }
    }
}
