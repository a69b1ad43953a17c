//! All that a person ever did: every event is kept, once, at the earliest time it came with.

use std::collections::BTreeMap;

/// An event as it came.
#[derive(Clone, Debug)]
pub struct Happened {
    pub id: u64,
    pub name: &'static str,
    pub time_ms: i64,
    pub properties: BTreeMap<&'static str, Given>,
}

/// What a property was given as. A number may have been sent as text: it is that number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    Text(&'static str),
    /// Hundredths.
    Cents(i64),
    Null,
}

/// Which events: of this name, or of any, where this holds, between these instants.
#[derive(Clone, Debug)]
pub struct Which {
    pub name: Option<&'static str>,
    pub filter: Option<(&'static str, Wanted)>,
    pub after_ms: Option<i64>,
    pub before_ms: Option<i64>,
}

/// A test of a property.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// This text, whatever its case.
    Is(&'static str),
    /// A number of more hundredths.
    MoreThan(i64),
}

#[derive(Clone, Debug, Default)]
pub struct History {
    events: Vec<Happened>,
}

impl Which {
    /// Every event.
    pub const ANY: Which = Which { name: None, filter: None, after_ms: None, before_ms: None };

    pub fn named(name: &'static str) -> Which {
        Which { name: Some(name), ..Which::ANY }
    }
}

impl Wanted {
    pub fn passes(&self, given: &Given) -> bool {
        match (self, given) {
            (Wanted::Is(text), Given::Text(given)) => given.eq_ignore_ascii_case(text),
            (Wanted::MoreThan(cents), Given::Cents(given)) => given > cents,
            _ => false,
        }
    }
}

impl Happened {
    /// What the property was given as; a null is nothing.
    pub fn given(&self, key: &str) -> Option<&Given> {
        self.properties.get(key).filter(|given| **given != Given::Null)
    }
}

impl History {
    /// One more event, or another copy of one.
    pub fn add(&mut self, event: Happened) {
        match self.events.iter_mut().find(|other| other.id == event.id) {
            Some(first) => first.time_ms = first.time_ms.min(event.time_ms),
            None => self.events.push(event),
        }
    }

    /// Those events, newest first; of those at one time, the larger id first.
    pub fn of(&self, which: &Which) -> Vec<&Happened> {
        let named = |event: &&Happened| which.name.is_none_or(|name| event.name == name);
        let passes = |event: &&Happened| match &which.filter {
            None => true,
            Some((key, wanted)) => {
                event.properties.get(key).is_some_and(|given| wanted.passes(given))
            }
        };
        let between = |event: &&Happened| {
            which.after_ms.is_none_or(|after_ms| event.time_ms > after_ms)
                && which.before_ms.is_none_or(|before_ms| event.time_ms < before_ms)
        };
        let events = self.events.iter().filter(named).filter(passes).filter(between);
        let mut events: Vec<&Happened> = events.collect();
        events.sort_by_key(|event| std::cmp::Reverse((event.time_ms, event.id)));
        events
    }
}
