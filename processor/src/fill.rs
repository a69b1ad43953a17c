//! Filling: matchers that are new get their windows from the log, while live folding goes on.
//!
//! The two overlap without harm, since folding an event twice changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fail::fail_point;
use schemas::catalog::Catalog;
use schemas::ids::MatcherId;
use schemas::time::Clock;

use crate::fold::{Fold, Reading};
use crate::follow::{Beginning, beginning};
use crate::following::Following;
use crate::log::{Arrival, Log, LogError, Reader};
use crate::priority::Pieces;
use crate::store::{Fill, MatcherProgress, Partition, Progress, Store};

const BATCH_RECORDS_MAX: usize = 10_000;
const READ_WAIT: Duration = Duration::from_millis(100);
/// How long filling rests while it can't go on.
const REST: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 100 });

/// Fills matchers.
pub struct Filler<L> {
    /// What they are filled from.
    pub log: Arc<L>,
    /// What they are filled in.
    pub store: Arc<Store>,
    /// Tells while people in memory are too many.
    pub following: Arc<Following>,
    /// Tells now.
    pub clock: Clock,
    /// How records are read.
    pub reading: Reading,
}

/// One partition being read for the matchers.
struct Part {
    partition: Arc<Partition>,
    from: i64,
    next: i64,
    until: i64,
    /// The log lost records meanwhile: it has to be asked anew where to begin.
    truncated: bool,
}

impl<L: Log> Filler<L> {
    /// How many matchers have to be filled for this catalog.
    pub fn left(&self, catalog: &Arc<Catalog>) -> usize {
        self.store.with_progress(catalog, |progress| progress.filling().len())
    }

    /// Fills what has to be filled for this catalog, until done or `interrupted`. Returns how
    /// many matchers are left.
    ///
    /// # Errors
    /// When the log is out of reach; what was folded stays, and the next call begins again.
    pub fn fill(
        &self,
        catalog: &Arc<Catalog>,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<usize, LogError> {
        let matchers = self.store.with_progress(catalog, |progress| progress.filling());
        if matchers.is_empty() {
            return Ok(0);
        }
        tracing::info!(matchers = matchers.len(), "filling new conditions from the log");
        let mut reading = self.begin(catalog, &matchers)?;
        let mut reader = self.log.reader("fill")?;
        for (id, part) in &reading {
            if part.next < part.until {
                reader.assign(*id, part.from)?;
            }
        }
        let only = matchers.iter().copied().collect();
        let mut fold = Fold::only(catalog, self.reading.clone(), only);
        let mut pieces = Pieces::default();
        while reading.values().any(|part| part.truncated || part.next < part.until) {
            if interrupted() || reading.values().any(|part| part.truncated) {
                return Ok(matchers.len());
            }
            if self.following.crowded.load(Ordering::Acquire) {
                // A checkpoint makes room; the stop signal is looked at meanwhile.
                std::thread::park_timeout(REST);
                continue;
            }
            let read = reader.read(BATCH_RECORDS_MAX, READ_WAIT, &mut |arrival| {
                meet(&mut reading, (catalog, &mut fold), arrival);
                pieces.step();
            });
            fold.settle(&mut |_| ());
            if let Err(error) = read {
                // Reading again goes on where it stopped.
                tracing::debug!(%error, "filling waits for the log");
                std::thread::park_timeout(REST);
            }
            self.tell(catalog, &matchers, &reading);
            fail_point!("fill.read", |_| std::process::abort());
        }
        self.store.with_progress(catalog, |progress| complete(progress, &matchers));
        tracing::info!(matchers = matchers.len(), "new conditions are filled");
        Ok(0)
    }

    /// Finds where to read, and notes since when the matchers are complete then.
    fn begin(
        &self,
        catalog: &Arc<Catalog>,
        matchers: &[MatcherId],
    ) -> Result<BTreeMap<i32, Part>, LogError> {
        let all = catalog.projects().iter().flat_map(|project| &project.matchers);
        let horizons = all.filter(|m| matchers.contains(&m.id)).map(|m| m.kept.horizon_ms);
        let horizon_ms = horizons.max().unwrap_or(0);
        let now_ms = (self.clock)();
        let after_ms =
            now_ms.saturating_sub(horizon_ms).saturating_sub(self.reading.bounds.lateness_ms);
        let mut reading = BTreeMap::new();
        for partition in self.store.partitions().iter() {
            let began =
                beginning(&*self.log, partition.id, after_ms, self.reading.bounds.skew_ms, now_ms)?;
            let until = self
                .store
                .with_progress(catalog, |progress| note(progress, partition.id, matchers, began));
            if let Some(until) = until {
                let from = began.offset;
                let partition = Arc::clone(partition);
                let part = Part { partition, from, next: from, until, truncated: false };
                reading.insert(part.partition.id, part);
            }
        }
        Ok(reading)
    }

    fn tell(&self, catalog: &Arc<Catalog>, matchers: &[MatcherId], reading: &BTreeMap<i32, Part>) {
        self.store.with_progress(catalog, |progress| {
            for (id, part) in reading {
                let done = (part.next - part.from).max(0) * 100 / (part.until - part.from).max(1);
                for_each_fill(progress, *id, matchers, |fill| {
                    fill.percent = done.clamp(0, 99) as u8;
                });
            }
        });
    }
}

fn meet(
    reading: &mut BTreeMap<i32, Part>,
    (catalog, fold): (&Catalog, &mut Fold),
    arrival: Arrival<'_>,
) {
    match arrival {
        Arrival::Record(record) => {
            let Some(part) = reading.get_mut(&record.partition) else {
                return;
            };
            if record.offset < part.until {
                fold.take(catalog, &part.partition, record, &mut |_| ());
            }
            part.next = record.offset + 1;
        }
        Arrival::End { partition } => {
            // What lies between the last record and the end holds no events.
            if let Some(part) = reading.get_mut(&partition) {
                part.next = part.until.max(part.next);
            }
        }
        Arrival::Truncated { partition, first } => {
            if let Some(part) = reading.get_mut(&partition) {
                tracing::warn!(partition, first, "the log lost records while filling from it");
                part.truncated = true;
            }
        }
    }
}

/// Notes since when the matchers will be complete. Returns where live folding has them, or
/// nothing if there is nothing to fill here.
fn note(
    progress: &mut Progress,
    partition: i32,
    matchers: &[MatcherId],
    began: Beginning,
) -> Option<i64> {
    let mut until = None;
    for_each_fill(progress, partition, matchers, |fill| {
        fill.from = Some(began.offset);
        fill.since_ms = fill.since_ms.max(began.since_ms);
        until = until.max(fill.until);
    });
    until
}

fn complete(progress: &mut Progress, matchers: &[MatcherId]) {
    for partition in progress.partitions.values_mut() {
        for (matcher, state) in &mut partition.matchers {
            if let MatcherProgress::Filling(fill) = state
                && matchers.contains(matcher)
            {
                *state = MatcherProgress::Since(fill.since_ms);
            }
        }
    }
}

fn for_each_fill(
    progress: &mut Progress,
    partition: i32,
    matchers: &[MatcherId],
    mut each: impl FnMut(&mut Fill),
) {
    let Some(partition) = progress.partitions.get_mut(&partition) else {
        return;
    };
    for (matcher, state) in &mut partition.matchers {
        if let MatcherProgress::Filling(fill) = state
            && matchers.contains(matcher)
        {
            each(fill);
        }
    }
}

#[cfg(test)]
mod tests;
