//! Folding: a record of the log changes what is kept of one person, or nothing.
//!
//! Nothing here reads a clock: the same log gives the same state.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use schemas::catalog::Catalog;
use schemas::event::{Event, Skip};
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::{Entry, Folded};

use crate::hits::hits;
use crate::log::LogRecord;
use crate::store::{Partition, PersonKey};
use crate::writes::{may_write, writes};

/// How an event's own time is bounded by the log's.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How far ahead of its record an event may be, in milliseconds.
    pub skew_ms: i64,
    /// How long after a window has passed its events are still taken, in milliseconds.
    pub lateness_ms: i64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It changed a window or a property.
    Folded,
    /// No condition and no property is concerned.
    Unwatched,
    /// Its event is in already, or newer ones are all that is kept.
    Known,
    /// It was left out.
    Skipped(Skip),
}

impl Outcome {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Folded => "folded",
            Outcome::Unwatched => "unwatched",
            Outcome::Known => "known",
            Outcome::Skipped(skip) => skip.label(),
        }
    }
}

/// What a record did, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether its time had to be pulled back to the log's.
    pub clamped: bool,
}

/// Folds records by one catalog.
pub struct Fold {
    catalog: Arc<Catalog>,
    bounds: Bounds,
    /// The only matchers to fold; all of them where there is none.
    only: Option<FxHashSet<MatcherId>>,
    key: PersonKey,
    hits: Vec<(MatcherId, u16)>,
}

impl Fold {
    /// Folds everything that the catalog asks for.
    pub fn new(catalog: Arc<Catalog>, bounds: Bounds) -> Self {
        Fold { catalog, bounds, only: None, key: PersonKey::default(), hits: Vec::new() }
    }

    /// Folds for these matchers alone.
    pub fn only(catalog: Arc<Catalog>, bounds: Bounds, only: FxHashSet<MatcherId>) -> Self {
        Fold { only: Some(only), ..Fold::new(catalog, bounds) }
    }

    /// Goes on with another catalog.
    pub fn use_catalog(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
    }

    /// Folds a record of this partition.
    pub fn fold(&mut self, partition: &Partition, record: LogRecord<'_>) -> Effect {
        self.try_fold(partition, record)
            .unwrap_or_else(|skip| Effect { outcome: Outcome::Skipped(skip), clamped: false })
    }

    fn try_fold(&mut self, partition: &Partition, record: LogRecord<'_>) -> Result<Effect, Skip> {
        let event = Event::parse(record.value.ok_or(Skip::Tombstone)?)?;
        let project = match &event.token {
            Some(token) => self.catalog.project(token),
            None => self.catalog.only_project(),
        };
        let project = project.ok_or(Skip::UnknownToken)?;
        let time = event.time_ms(record.timestamp_ms, self.bounds.skew_ms)?;
        self.hits.clear();
        let oldest_ms = record.timestamp_ms - self.bounds.lateness_ms;
        let mut late = false;
        hits(project, &event, |matcher| {
            if self.only.as_ref().is_some_and(|only| !only.contains(&matcher.id)) {
                return;
            }
            if time.time_ms > oldest_ms - matcher.horizon_ms {
                self.hits.push((matcher.id, matcher.k));
            } else {
                late = true;
            }
        });
        let may_write = may_write(&event);
        if self.hits.is_empty() && !may_write {
            let outcome = Outcome::Unwatched;
            return if late {
                Err(Skip::Late)
            } else {
                Ok(Effect { outcome, clamped: time.clamped })
            };
        }
        let entry = Entry::new(time.time_ms, event.id_hash(record.partition, record.offset));
        self.key.set(project.id, &event.distinct_id);
        let hits = &self.hits;
        let mut changed = false;
        partition.hot.update(&self.key, |kept| {
            changed = change(kept, hits, entry);
            if may_write {
                writes(&event, entry, |register| changed |= kept.write(&register));
            }
            changed
        });
        let outcome = if changed { Outcome::Folded } else { Outcome::Known };
        Ok(Effect { outcome, clamped: time.clamped })
    }
}

fn change(kept: &mut Record, hits: &[(MatcherId, u16)], entry: Entry) -> bool {
    let mut changed = false;
    for (matcher, k) in hits {
        changed |= kept.fold(*matcher, *k, entry) == Folded::Kept;
    }
    changed
}
