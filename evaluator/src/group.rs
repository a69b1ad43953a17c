//! A person's groups as conditions see them: the request's properties over the stored ones.

use std::borrow::Cow;

use schemas::filter::{Filter, Moment};
use schemas::lookup::Facts;
use schemas::properties::resolve;
use schemas::unknown::Unknown;
use serde_json::Value;

use crate::context::Context;
use crate::truth::{Truth, Why};

/// The groups that one request names.
#[derive(Clone, Copy)]
pub struct Groups<'a> {
    context: &'a Context,
    facts: &'a Facts,
    moment: Moment<'a>,
}

impl<'a> Groups<'a> {
    /// The groups that the request names, asked in this moment.
    pub fn new(context: &'a Context, facts: &'a Facts, moment: Moment<'a>) -> Self {
        Groups { context, facts, moment }
    }

    /// Whether the request alone tells what the filter asks of a group of this type.
    pub fn is_given(context: &Context, group_type: &str, filter: &Filter) -> bool {
        let properties = context.group_properties.get(group_type);
        !context.groups.contains_key(group_type)
            || properties.is_some_and(|properties| properties.contains_key(&filter.key))
    }

    /// The key of the person's group of this type.
    pub fn key(&self, group_type: &str) -> Option<&'a str> {
        self.context.groups.get(group_type).map(String::as_str)
    }

    /// Whether a property of the person's group passes. Nothing passes of a group that the
    /// person isn't in.
    pub fn passes(&self, group_type: &str, filter: &Filter) -> Truth<'a> {
        if self.key(group_type).is_none() {
            return Truth::False;
        }
        match self.property(group_type, &filter.key) {
            Ok(value) => filter.matches(value.as_deref(), self.moment).into(),
            Err(unknown) => Truth::Open(Why::Unknown(unknown)),
        }
    }

    /// A property of the person's group; none where there is none.
    ///
    /// # Errors
    /// The request doesn't say it, and the store can't.
    pub fn property(&self, group_type: &str, key: &str) -> Result<Option<Cow<'a, Value>>, Unknown> {
        let given = self.context.group_properties.get(group_type);
        if let Some(given) = given.and_then(|properties| properties.get(key)) {
            return Ok(Some(Cow::Borrowed(given)));
        }
        if let Some(unknown) = self.facts.unknown {
            return Err(unknown);
        }
        let stored = self.facts.groups.get(group_type).and_then(|record| {
            let (_, value) = resolve(record.registers()).find(|(held, _)| held == key)?;
            serde_json::from_str(&value).ok()
        });
        Ok(stored.map(Cow::Owned))
    }
}
