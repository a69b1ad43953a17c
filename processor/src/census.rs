//! Everybody whom this node knows of, walked over in one order: each person once, by all ids.

use std::ops::ControlFlow;

use schemas::ids::{MatcherId, ProjectId};
use schemas::lookup::{Facts, Position};
use schemas::person::{Bearer, Person, is_never_first};
use schemas::record::Record;
use schemas::scan::{Met, Place, Scan, Stretch, Unheld};
use schemas::unknown::Unknown;
use schemas::window::Kept;

use crate::lookup::Here;
use crate::priority;
use crate::store::{Between, PersonKey, Store, StoreError, keys};

impl Scan for Here {
    fn position(&self) -> Position {
        self.store.position()
    }

    fn hold(&self, now_ms: i64, asked_ms: i64) -> Result<(), Unheld> {
        self.store.hold(now_ms, asked_ms)
    }

    fn step_aside(&self) {
        priority::step_far_aside();
    }

    fn scan(
        &self,
        stretch: &Stretch<'_>,
        each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Place>, Unknown> {
        let between = Between { after: stretch.after, before: stretch.before };
        for shard in between.shards() {
            let facts = self.known(stretch.at_least, stretch.asked_ms);
            let kept = self.store.kept();
            let mut walker = Walker { store: &self.store, kept, stretch, facts, stopped: Ok(None) };
            let walked = self
                .store
                .walk(shard, between, &mut |place, record| walker.meet(place, record, each));
            if walked.map_err(|error| unreadable(&error))?.is_break() {
                return walker.stopped;
            }
        }
        Ok(None)
    }
}

fn unreadable(error: &StoreError) -> Unknown {
    tracing::error!(%error, "people can't be read");
    Unknown::Store
}

/// Goes through one shard.
struct Walker<'w, K> {
    store: &'w Store,
    /// What a matcher keeps.
    kept: K,
    stretch: &'w Stretch<'w>,
    /// Of the person who is met.
    facts: Facts,
    /// Where `each` broke, or why the walk did.
    stopped: Result<Option<Place>, Unknown>,
}

impl<K: Fn(MatcherId) -> Option<Kept>> Walker<'_, K> {
    fn meet(
        &mut self,
        place: &[u8],
        record: &mut Record,
        each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let met = match self.person_at(place, record) {
            Ok(Some(distinct_id)) => each(Met::Person { distinct_id, facts: &self.facts }),
            Ok(None) => each(Met::Nobody),
            Err(unknown) => {
                self.stopped = Err(unknown);
                return ControlFlow::Break(());
            }
        };
        if met.is_break() {
            self.stopped = Ok(Some(Place(place.to_vec())));
        }
        met
    }

    /// Whose place it is, whom the facts are then of; nobody if no one of the project is to be
    /// met here. The record becomes that of the facts before, for its memory.
    fn person_at<'p>(
        &mut self,
        place: &'p [u8],
        record: &mut Record,
    ) -> Result<Option<&'p str>, Unknown> {
        let Some((project, id)) = keys::person_at(place) else { return Ok(None) };
        let known =
            project == self.stretch.project && record.is_known(&self.kept, self.stretch.now_ms);
        if !known {
            return Ok(None);
        }
        if !record.has_links() {
            std::mem::swap(&mut self.facts.record, record);
            self.facts.distinct_ids.clear();
            self.facts.incomplete = None;
            return Ok(Some(id));
        }
        if is_never_first(record) {
            return Ok(None);
        }
        let person = self.behind(project, id).map_err(|error| unreadable(&error))?;
        let names = person.names();
        if names.first().is_none_or(|first| first != id) {
            return Ok(None);
        }
        self.facts.distinct_ids = names;
        self.facts.incomplete = person.is_cut.then_some(Unknown::TooManyIds);
        self.facts.record = person.joined(&self.kept);
        Ok(Some(id))
    }

    fn behind(&self, project: ProjectId, id: &str) -> Result<Person, StoreError> {
        let mut key = PersonKey::default();
        Person::behind(&[id], |bearer| {
            match bearer {
                Bearer::Id(id) => key.set(project, id),
                Bearer::Carried(person_id) => key.set_carried(project, person_id),
            }
            self.store.glance(&key)
        })
    }
}

#[cfg(test)]
mod tests;
