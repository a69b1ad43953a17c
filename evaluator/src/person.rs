//! A person's properties as conditions see them: the request's over the stored ones.

use std::cell::OnceCell;

use rustc_hash::FxHashMap;
use schemas::filter::Filter;
use schemas::lookup::Facts;
use schemas::properties::resolve;
use serde_json::Value;

use crate::context::Context;
use crate::truth::{Truth, Why};

/// A person, asked by one request.
pub struct Person<'a> {
    context: &'a Context,
    facts: &'a Facts,
    distinct_id: Value,
    stored: OnceCell<FxHashMap<String, Value>>,
}

impl<'a> Person<'a> {
    /// The person whom the request is about.
    pub fn new(context: &'a Context, facts: &'a Facts) -> Self {
        let distinct_id = Value::String(context.distinct_id.clone());
        Person { context, facts, distinct_id, stored: OnceCell::new() }
    }

    /// Whether the person's property passes. What the request doesn't say and the store
    /// can't, is open.
    pub fn passes(&self, filter: &Filter) -> Truth<'a> {
        if let Some(given) = self.context.person_properties.get(&filter.key) {
            return filter.matches(Some(given)).into();
        }
        if filter.key == "distinct_id" {
            return filter.matches(Some(&self.distinct_id)).into();
        }
        match self.facts.unknown {
            Some(unknown) => Truth::Open(Why::Unknown(unknown)),
            None => filter.matches(self.stored().get(&filter.key)).into(),
        }
    }

    fn stored(&self) -> &FxHashMap<String, Value> {
        self.stored.get_or_init(|| {
            let kept = resolve(self.facts.record.registers());
            let parsed = kept.filter_map(|(key, json)| {
                let value = serde_json::from_str(&json).ok()?;
                Some((key.into_owned(), value))
            });
            parsed.collect()
        })
    }
}
