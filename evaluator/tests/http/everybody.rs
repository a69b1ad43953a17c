//! A walk over everybody whom the shop keeps something of, in the order of their ids.

use std::ops::ControlFlow;
use std::sync::Arc;

use schemas::lookup::{Facts, Position};
use schemas::scan::{Met, Place, Scan, Stretch, Unheld};
use schemas::unknown::Unknown;

use crate::memory::Kept;

impl Scan for Kept {
    fn position(&self) -> Position {
        self.state.lock().expect("a lock").position()
    }

    fn hold(&self, _: i64, _: i64) -> Result<(), Unheld> {
        self.state.lock().expect("a lock").unheld.map_or(Ok(()), Err)
    }

    /// In the order of ids; nobody is linked here.
    fn scan(
        &self,
        stretch: &Stretch<'_>,
        each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Place>, Unknown> {
        let state = self.state.lock().expect("a lock");
        let mut places: Vec<(Place, &String)> =
            state.records.keys().map(|id| (Place(id.bytes().collect()), id)).collect();
        places.sort();
        let within = |place: &Place| {
            place > stretch.after && stretch.before.is_none_or(|before| place < before)
        };
        for (place, distinct_id) in places.into_iter().filter(|(place, _)| within(place)) {
            let facts = Facts {
                record: state.records[distinct_id].clone(),
                coverage: Arc::new(state.coverage.clone()),
                unknown: state.unknown,
                ..Facts::default()
            };
            if each(Met::Person { distinct_id, facts: &facts }).is_break() {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}
