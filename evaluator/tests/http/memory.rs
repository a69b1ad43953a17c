//! What is kept behind the shop's router: state in memory, and a log that can fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use schemas::append::{Append, AppendError, Outgoing};
use schemas::catalog::{Catalog, Project};
use schemas::event::Format;
use schemas::ids::ProjectId;
use schemas::keeping;
use schemas::lookup::{Calls, Coverages, Facts, Lookup, Position, Sought, has_reached};
use schemas::properties::{Kind, Register};
use schemas::record::Record;
use schemas::scan::Unheld;
use schemas::unknown::Unknown;
use schemas::window::Entry;
use schemas::window::FOREVER_MS;
use serde_json::Value;

/// How long a shop that folds late takes for it.
pub const FOLD_MS: i64 = 200;

/// What is kept, and how it behaves.
#[derive(Default)]
pub struct State {
    pub records: HashMap<String, Record>,
    /// Of groups, by type and key.
    pub groups: HashMap<(String, String), Record>,
    /// Of flags that were called, by key.
    pub flags: HashMap<String, Record>,
    pub calls_since_ms: i64,
    pub coverage: Coverages,
    pub unknown: Option<Unknown>,
    /// Whoever is asked for, these are their distinct ids, and there may be more.
    pub distinct_ids: Vec<String>,
    pub incomplete: Option<Unknown>,
    pub stale_ms: i64,
    pub unready: Option<String>,
    /// Why no list can be held.
    pub unheld: Option<Unheld>,
    pub refuses: Option<AppendError>,
    pub appended: Vec<Outgoing>,
    pub lookups: usize,
    /// Whether events are folded only once somebody has waited for them.
    pub folds_late: bool,
    /// Definitions that are saved while somebody waits.
    pub saved: Option<Catalog>,
    /// What was appended and nobody has waited for.
    pub unfolded: Vec<Vec<u8>>,
}

/// A shop's state and log.
pub struct Kept {
    pub project: Arc<Project>,
    pub catalog: Arc<ArcSwap<Catalog>>,
    pub now_ms: Arc<AtomicI64>,
    pub state: Mutex<State>,
}

impl Lookup for Kept {
    async fn reach(&self, at_least: &Position, wait: Duration) {
        let mut state = self.state.lock().expect("a lock");
        if at_least.is_empty() || has_reached(&state.position(), at_least) {
            return;
        }
        if let Some(saved) = state.saved.take() {
            self.catalog.store(Arc::new(saved));
        }
        let waited_ms = FOLD_MS.min(wait.as_millis() as i64);
        self.now_ms.fetch_add(waited_ms, Ordering::Relaxed);
        if waited_ms == FOLD_MS {
            let folded = std::mem::take(&mut state.unfolded);
            folded.iter().for_each(|value| self.fold(&mut state, value));
        }
    }

    async fn lookup(&self, sought: Sought<'_>) -> Facts {
        let mut state = self.state.lock().expect("a lock");
        state.lookups += 1;
        let position = state.position();
        let behind = !has_reached(&position, sought.at_least);
        let mut record = Record::default();
        for held in sought.distinct_ids.iter().filter_map(|id| state.records.get(*id)) {
            record.merge(held, |_| Some(schemas::window::Kept::newest(16, FOREVER_MS)));
        }
        let groups = sought.groups.iter().map(|group| {
            let key = (group.of.to_owned(), group.key.to_owned());
            (group.of.to_owned(), state.groups.get(&key).cloned().unwrap_or_default())
        });
        let groups = groups.collect();
        Facts {
            record,
            groups,
            coverage: Arc::new(state.coverage.clone()),
            unknown: state.unknown.or(behind.then_some(Unknown::Behind)),
            position,
            stale_ms: state.stale_ms,
            distinct_ids: state.distinct_ids.clone(),
            incomplete: state.incomplete,
        }
    }

    async fn calls(&self, _: ProjectId, flag_key: &str, _: i64) -> Calls {
        let state = self.state.lock().expect("a lock");
        let record = state.flags.get(flag_key).cloned().unwrap_or_default();
        let (unknown, position) = (state.unknown, state.position());
        let facts = Facts { record, unknown, position, ..Facts::default() };
        Calls { facts, since_ms: state.calls_since_ms }
    }

    fn ready(&self, _: i64) -> Result<(), String> {
        match &self.state.lock().expect("a lock").unready {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }
}

impl Append for Kept {
    async fn append(&self, records: Vec<Outgoing>) -> Result<Position, AppendError> {
        let mut state = self.state.lock().expect("a lock");
        if let Some(error) = &state.refuses {
            return Err(error.clone());
        }
        for record in records {
            if state.folds_late {
                state.unfolded.push(record.value.clone());
            } else {
                self.fold(&mut state, &record.value);
            }
            state.appended.push(record);
        }
        Ok(Position::from([(0, state.appended.len() as i64)]))
    }
}

impl State {
    pub fn position(&self) -> Position {
        Position::from([(0, (self.appended.len() - self.unfolded.len()) as i64), (2, 7)])
    }
}

impl Kept {
    fn fold(&self, state: &mut State, value: &[u8]) {
        let event = Format::Sluice.parse(value).expect("capture writes what a reader takes");
        let stamp = Entry::new(event.timestamp_ms.expect("a time"), event.id_hash(0, 0, 0));
        let record = state.records.entry(event.distinct_id.clone().into_owned());
        let record = record.or_default();
        let watching = self.project.gate.at(&event.name);
        let watching = watching.matchers.iter().map(|at| &self.project.matchers[*at]);
        for matcher in watching.filter(|matcher| stamp.time_ms() <= matcher.until_ms) {
            record.fold(matcher.id, matcher.kept, stamp.into());
        }
        let properties = event.properties.map_or("{}", |object| object.written());
        if event.name == keeping::EVENT {
            let kept = keeping::Kept::read(properties).expect("what it has to be");
            kept.registers(stamp).for_each(|register| _ = record.write(&register));
        }
        let properties: Value = serde_json::from_str(properties).expect("an object");
        for (key, value) in properties["$set"].as_object().into_iter().flatten() {
            record.write(&Register {
                key: key.into(),
                kind: Kind::Set,
                stamp,
                value: value.to_string().into(),
            });
        }
    }
}
