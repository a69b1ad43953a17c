//! Folding: a record of the log changes what is kept of one person, or nothing.
//!
//! Nothing here reads a clock: the same log gives the same state.

mod beside;
mod change;
mod effect;
mod own;
mod quick;
mod waiting;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use schemas::catalog::{Catalog, Project};
use schemas::event::{Event, Format, Skip};
use schemas::forgetting;
use schemas::ids::MatcherId;
use schemas::keeping;
use schemas::links::{Carrying, Link, Role, carries};
use schemas::properties::{Register, may_write};
use schemas::record::Record;
use schemas::usage::{self, Call};
use schemas::window::{Entry, Folded, Hit, Kept, Value};

use self::change::Change;
pub use self::effect::{Effect, Outcome};
use self::quick::Quick;
use self::waiting::{Found, Waiting};
use crate::grouping::{grouping_of, may_group};
use crate::hits::{Candidate, Given, hits};
use crate::linking::{linking_of, may_link};
use crate::log::LogRecord;
use crate::sieve::Sieve;
use crate::store::{Partition, PersonKey};
use crate::writes::{told, write_of, writes};

/// How records are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The shape of records.
    pub format: Format,
    /// How an event's own time is bounded by the log's.
    pub bounds: Bounds,
    /// The token of records that have neither token nor team; where there is none, the only
    /// project is meant.
    pub token: Option<String>,
}

/// How an event's own time is bounded by the log's.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How far ahead of its record an event may be, in milliseconds.
    pub skew_ms: i64,
    /// How long after a window has passed its events are still taken, in milliseconds.
    pub lateness_ms: i64,
}

/// The matchers that are folded alone, and what their events look like.
struct Only {
    matchers: FxHashSet<MatcherId>,
    sieve: Sieve,
}

/// Folds records.
pub struct Fold {
    reading: Reading,
    /// The only matchers to fold; all of them where there is none.
    only: Option<Only>,
    key: PersonKey,
    hits: Found,
    waiting: Waiting,
}

impl Fold {
    /// Folds everything that a catalog asks for.
    pub fn new(reading: Reading) -> Self {
        let (key, hits, waiting) = Default::default();
        Fold { reading, only: None, key, hits, waiting }
    }

    /// Folds for these matchers alone, of this catalog; what else an event changes is taken for
    /// folded already.
    pub fn only(catalog: &Catalog, reading: Reading, matchers: FxHashSet<MatcherId>) -> Self {
        let all = catalog.projects().iter().flat_map(|project| &project.matchers);
        let asked = all.filter(|matcher| matchers.contains(&matcher.id));
        let sieve = Sieve::new(asked.map(|matcher| matcher.event.as_str()));
        Fold { only: Some(Only { matchers, sieve }), ..Fold::new(reading) }
    }

    /// Folds a record of this partition by this catalog, and tells what became of it.
    pub fn fold(
        &mut self,
        catalog: &Catalog,
        partition: &Arc<Partition>,
        record: LogRecord<'_>,
    ) -> Effect {
        let mut told = None;
        let mut tell = |effect| told = Some(effect);
        self.take(catalog, partition, record, &mut tell);
        self.settle(&mut tell);
        told.expect("each record is told of")
    }

    /// The same, but that what the record hits may be kept only when others hit something too, or
    /// [`Fold::settle`] is called: before anybody is told that it is folded.
    pub fn take(
        &mut self,
        catalog: &Catalog,
        partition: &Arc<Partition>,
        record: LogRecord<'_>,
        each: &mut impl FnMut(Effect),
    ) {
        let concerns = |value| self.only.as_ref().is_none_or(|only| only.sieve.may_concern(value));
        if record.value.is_some_and(|value| !concerns(value)) {
            each(Effect { outcome: Outcome::Unwatched, project: None, clamped: false });
            return;
        }
        if self.waiting.is_in_the_way_of(partition) {
            self.settle(each);
        }
        match self.fold_quickly(catalog, partition, record) {
            Some(Quick::Done(effect)) => each(effect),
            Some(Quick::PutOff) => {}
            None => {
                // One after the other, as they came.
                self.settle(each);
                each(self.fold_whole(catalog, partition, record));
            }
        }
    }

    /// Reads all of a record and folds it.
    fn fold_whole(
        &mut self,
        catalog: &Catalog,
        partition: &Partition,
        record: LogRecord<'_>,
    ) -> Effect {
        let parsed = record.value.ok_or(Skip::Tombstone);
        let event = match parsed.and_then(|value| self.reading.format.parse(value)) {
            Ok(event) => event,
            Err(skip) => return Effect::skipped(skip, None),
        };
        let project = match project_of(catalog, &self.reading, &event) {
            Ok(project) => project,
            Err(skip) => return Effect::skipped(skip, None),
        };
        // Whoever writes to PostHog's topic isn't asked for a secret, and nobody else's events are
        // Sluice's own.
        let is_ours = self.reading.format == Format::Sluice;
        let folded = match event.name.as_ref() {
            forgetting::EVENT if is_ours => {
                self.forget(partition, project.id, &event, record.timestamp_ms)
            }
            keeping::EVENT if is_ours => self.keep_given(partition, project.id, &event, record),
            _ => self.fold_event(partition, project, event, record),
        };
        folded.unwrap_or_else(|skip| Effect::skipped(skip, Some(project.id)))
    }

    fn fold_event(
        &mut self,
        partition: &Partition,
        project: &Project,
        event: Event<'_>,
        record: LogRecord<'_>,
    ) -> Result<Effect, Skip> {
        let is_live = self.only.is_none();
        let written = event.properties.map(|properties| properties.written().as_bytes());
        let may_write = is_live && written.is_some_and(may_write);
        // What nobody asks for isn't opened.
        let may_call = event.name == usage::EVENT;
        let asked = may_write || may_link(&event.name) || may_group(&event.name) || may_call;
        let watching = project.gate.at(&event.name);
        let properties = event.properties.filter(|_| asked || !watching.is_empty());
        let properties = properties.map(|object| object.open()).transpose()?;
        let said = properties.as_deref().filter(|_| is_live);
        let linking = said.and_then(|properties| linking_of(&event, properties));
        let grouping = said.and_then(|properties| grouping_of(&event, properties));
        let call = said.filter(|_| may_call).and_then(Call::read);
        let call = call.filter(|call| project.flag(&call.flag).is_some());
        let told_of = is_live && !project.person_keys.is_empty();
        let person = event.person_properties.filter(|_| told_of);
        let person = person.map(|object| object.open()).transpose()?;
        let told = person.as_deref().map_or_else(Vec::new, |it| told(it, &project.person_keys));
        let time = event.time_ms(record.timestamp_ms, self.reading.bounds.skew_ms)?;
        let written = Given::Written(properties.as_deref());
        let candidate = Candidate { watching, time_ms: time.time_ms, properties: written };
        let late = self.find_hits(project, candidate, record.timestamp_ms);
        let says = may_write || !told.is_empty() || linking.is_some();
        let says_beside = grouping.is_some() || call.is_some();
        let watched = !self.hits.is_empty() || says || says_beside;
        let person_id = event.person_id.as_deref().filter(|_| is_live);
        if !watched && late {
            return Err(Skip::Late);
        }
        if !watched && person_id.is_none() {
            let outcome = Outcome::Unwatched;
            return Ok(Effect { outcome, project: Some(project.id), clamped: time.clamped });
        }
        let id_hash = event.id_hash(record.partition, record.offset, record.timestamp_ms);
        let entry = Entry::new(time.time_ms, id_hash);
        let change = Change {
            writes: properties.as_deref().filter(|_| may_write),
            told,
            linking,
            grouping,
            call,
            person_id,
            project: project.id,
            distinct_id: &event.distinct_id,
            entry,
        };
        let changed = self.keep(partition, &change);
        let outcome = match (watched, changed) {
            (false, _) => Outcome::Unwatched,
            (true, true) => Outcome::Folded,
            (true, false) => Outcome::Known,
        };
        Ok(Effect { outcome, project: Some(project.id), clamped: time.clamped })
    }

    /// Finds what an event hits. Returns whether it is too late for any of that.
    fn find_hits(
        &mut self,
        project: &Project,
        candidate: Candidate<'_, '_>,
        record_ms: i64,
    ) -> bool {
        self.hits.clear();
        let time_ms = candidate.time_ms;
        let oldest_ms = record_ms - self.reading.bounds.lateness_ms;
        let mut late = false;
        hits(project, candidate, |matcher, value| {
            if self.only.as_ref().is_some_and(|only| !only.matchers.contains(&matcher.id)) {
                return;
            }
            if time_ms > oldest_ms.saturating_sub(matcher.kept.horizon_ms) {
                self.hits.push((matcher.id, matcher.kept, value));
            } else {
                late = true;
            }
        });
        late
    }

    /// Keeps an event's hits, writes and links. Returns whether that changed anything besides
    /// whom the pipeline takes the sender for.
    fn keep(&mut self, partition: &Partition, change: &Change<'_>) -> bool {
        let Change { project, distinct_id, entry, .. } = *change;
        let time_ms = entry.time_ms();
        let mut changed = false;
        let mut carrying = Carrying::Older;
        // A link ends where either of its ids is forgotten.
        let linking = change.linking.as_ref().filter(|linking| {
            [distinct_id, &linking.other].into_iter().all(|id| {
                self.key.set(project, id);
                !partition.hot.has_forgotten(&self.key, time_ms)
            })
        });
        self.key.set(project, distinct_id);
        partition.hot.update(&self.key, time_ms, |record| {
            changed = fold_hits(record, &self.hits, entry);
            let mut write = |register: Register<'_>| changed |= record.write(&register);
            if let Some(properties) = change.writes {
                writes(properties, entry, &mut write);
            }
            change.told.iter().for_each(|told| write(write_of(told, entry)));
            if let Some(linking) = linking {
                changed |= record.link(&linking.of_own(entry));
            }
            if let Some(person_id) = change.person_id {
                carrying = record.carry(entry, person_id);
            }
            changed || carrying != Carrying::Older
        });
        if let Some(linking) = linking {
            self.key.set(project, &linking.other);
            let link = linking.of_other(distinct_id, entry);
            changed |= self.link(partition, &link);
        }
        if let Some(grouping) = &change.grouping {
            changed |= self.keep_group(partition, project, grouping, entry);
        }
        if let Some(call) = &change.call {
            changed |= self.keep_call(partition, project, call, entry);
        }
        if let Some(person_id) = change.person_id.filter(|_| carrying == Carrying::Other) {
            self.key.set_carried(project, person_id);
            self.link(partition, &carries(distinct_id));
        }
        changed
    }

    /// Keeps a link of whoever the key is of.
    fn link(&self, partition: &Partition, link: &Link<'_>) -> bool {
        let mut changed = false;
        // Whom the pipeline takes an id for has no date here, and the id's own record does.
        let time_ms = if link.role == Role::Carries { i64::MAX } else { link.stamp.time_ms() };
        partition.hot.update(&self.key, time_ms, |record| {
            changed = record.link(link);
            changed
        });
        changed
    }
}

/// Whose event it is.
fn project_of<'c>(
    catalog: &'c Catalog,
    reading: &Reading,
    event: &Event<'_>,
) -> Result<&'c Project, Skip> {
    let project = match (event.team_id, event.token.as_deref().or(reading.token.as_deref())) {
        (Some(team_id), _) => catalog.project_of_team(team_id).ok_or(Skip::UnknownTeam),
        (None, Some(token)) => catalog.project(token).ok_or(Skip::UnknownToken),
        (None, None) => catalog.only_project().ok_or(Skip::UnknownToken),
    };
    project.map(Arc::as_ref)
}

fn fold_hits(record: &mut Record, hits: &[(MatcherId, Kept, Value)], entry: Entry) -> bool {
    let mut changed = false;
    for (matcher, kept, value) in hits {
        changed |= record.fold(*matcher, *kept, Hit { entry, value: *value }) == Folded::Kept;
    }
    changed
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together;
#[cfg(test)]
mod ways;
