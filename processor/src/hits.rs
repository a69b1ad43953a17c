//! Which matchers an event hits, of those that watch it: properties are read only if some ask.

use schemas::catalog::Project;
use schemas::event::Picked;
use schemas::filter::{Filter, Moment};
use schemas::gate::Watching;
use schemas::matcher::Matcher;
use schemas::window::Value;

/// An event's properties, as far as they were read.
pub enum Given<'p, 't> {
    /// JSON text of an object, if there is one.
    Written(Option<&'t str>),
    /// What matchers ask for, of all that the event has.
    Picked(Picked<'p>),
}

/// What matchers look at.
pub struct Candidate<'p, 't> {
    /// Who watches such events.
    pub watching: &'p Watching,
    /// When, in epoch milliseconds.
    pub time_ms: i64,
    /// With which properties.
    pub properties: Given<'p, 't>,
}

/// Calls `hit` with every matcher of the project that accepts an event, and with what it takes
/// from it.
pub fn hits<'p>(
    project: &'p Project,
    candidate: Candidate<'p, '_>,
    mut hit: impl FnMut(&'p Matcher, Value),
) {
    let Candidate { watching, time_ms, properties } = candidate;
    let (mut picked, written) = match properties {
        Given::Picked(picked) => (Some(picked), None),
        Given::Written(written) => (None, written),
    };
    // A date of so long ago counts back from the event: the same log gives the same state.
    let moment = Moment { now_ms: time_ms, zone: &project.time_zone };
    for matcher in watching.matchers.iter().map(|at| &project.matchers[*at]) {
        if time_ms > matcher.until_ms {
            continue;
        }
        if matcher.filters.is_empty() && matcher.take.property().is_none() {
            hit(matcher, Value::NONE);
            continue;
        }
        let picked = picked.get_or_insert_with(|| {
            let pick = |written| Picked::from_text(written, &watching.properties);
            written.map(pick).unwrap_or_default()
        });
        let passes = |filter: &Filter| filter.matches(picked.value(&filter.key), moment);
        if matcher.filters.iter().all(passes) {
            let property = matcher.take.property().and_then(|key| picked.value(key));
            if let Some(value) = matcher.take.of(property, moment) {
                hit(matcher, value);
            }
        }
    }
}
