//! A person's properties as conditions see them: the request's over the stored ones.

use std::borrow::Cow;
use std::cell::OnceCell;

use rustc_hash::FxHashSet;
use schemas::filter::{Filter, Moment};
use schemas::keeping;
use schemas::lookup::Facts;
use schemas::own::is_own;
use schemas::properties::resolve;
use schemas::unknown::Unknown;
use serde_json::Value;

use crate::context::Context;
use crate::initial;
use crate::truth::{Truth, Why};

/// A person, asked by one request.
pub struct Person<'a> {
    context: &'a Context,
    facts: &'a Facts,
    moment: Moment<'a>,
    /// By key, as `resolve` has them; a value is parsed when a filter asks for it.
    stored: OnceCell<Vec<(Cow<'a, str>, Cow<'a, str>)>>,
}

impl<'a> Person<'a> {
    /// The person whom the request is about, asked in this moment.
    pub fn new(context: &'a Context, facts: &'a Facts, moment: Moment<'a>) -> Self {
        Person { context, facts, moment, stored: OnceCell::new() }
    }

    /// Whether the request alone tells this property.
    pub fn is_given(context: &Context, key: &str) -> bool {
        key == "distinct_id" || context.person_properties.contains_key(key)
    }

    /// Whether the request tells this person's property.
    pub fn says(&self, filter: &Filter) -> bool {
        Person::is_given(self.context, &filter.key)
    }

    /// Whether the request alone tells that the person is listed.
    pub fn is_given_as_listed(context: &Context, ids: &FxHashSet<String>) -> bool {
        ids.contains(&context.distinct_id)
    }

    /// Whether one of the person's ids is listed.
    pub fn is_listed(&self, ids: &FxHashSet<String>) -> Truth<'a> {
        let mut joined = self.facts.distinct_ids.iter();
        if Person::is_given_as_listed(self.context, ids) || joined.any(|id| ids.contains(id)) {
            return Truth::True;
        }
        match self.unknown() {
            Some(unknown) => Truth::Open(Why::Unknown(unknown)),
            None => Truth::False,
        }
    }

    /// Whether the person's property passes. What the request doesn't say and the store
    /// can't, is open.
    pub fn passes(&self, filter: &Filter) -> Truth<'a> {
        match self.property(&filter.key) {
            Ok(value) => filter.matches(value.as_deref(), self.moment).into(),
            Err(unknown) => Truth::Open(Why::Unknown(unknown)),
        }
    }

    /// The instants in epoch milliseconds at which the clock alone may change whether it passes.
    pub fn turns_ms(&self, filter: &Filter) -> Vec<i64> {
        match self.property(&filter.key) {
            Ok(Some(value)) => filter.turns_ms(&value, self.moment),
            _ => Vec::new(),
        }
    }

    /// The person's property, as conditions see it; none where there is none.
    ///
    /// # Errors
    /// The request doesn't say it, and the store can't.
    pub fn property(&self, key: &str) -> Result<Option<Cow<'_, Value>>, Unknown> {
        if let Some(given) = self.context.person_properties.get(key) {
            return Ok(Some(Cow::Borrowed(given)));
        }
        if key == "distinct_id" {
            return Ok(Some(Cow::Owned(Value::String(self.context.distinct_id.clone()))));
        }
        if let Some(unknown) = self.unknown() {
            return Err(unknown);
        }
        if let Some(stored) = self.stored(key).filter(|_| !is_own(key)) {
            return Ok(Some(Cow::Owned(stored)));
        }
        // What a person began with is what they have, where nothing else is known of it.
        initial::counterpart(key).map_or(Ok(None), |plain| self.property(plain))
    }

    /// Whom a flag takes the person for that keeps its value: whom it took them for first, else
    /// who they were before logging in, else who they are.
    ///
    /// # Errors
    /// The store can't say.
    pub fn kept_identifier(&self, flag_key: &str) -> Result<Cow<'a, str>, Unknown> {
        if let Some(unknown) = self.unknown() {
            return Err(unknown);
        }
        if let Some(Value::String(kept)) = self.stored(&keeping::key(flag_key)) {
            return Ok(Cow::Owned(kept));
        }
        let anonymous = self.context.anon_distinct_id.as_deref();
        Ok(Cow::Borrowed(anonymous.unwrap_or(&self.context.distinct_id)))
    }

    fn unknown(&self) -> Option<Unknown> {
        self.facts.unknown.or(self.facts.incomplete)
    }

    fn stored(&self, key: &str) -> Option<Value> {
        let stored = self.stored.get_or_init(|| resolve(self.facts.record.registers()).collect());
        debug_assert!(stored.is_sorted_by(|(a, _), (b, _)| a < b));
        let at = stored.binary_search_by(|(held, _)| held.as_ref().cmp(key));
        serde_json::from_str(&stored[at.ok()?].1).ok()
    }
}
