//! A walk through everything kept, in the order of places: hot and durable people of every
//! partition, joined as they are met, a shard at a time.

use std::ops::ControlFlow;

use schemas::ids::{MatcherId, ProjectId};
use schemas::record::Record;
use schemas::scan::{HASH_BYTES, Place};
use schemas::window::Kept;

use super::copies::Copies;
use super::durable::Walk;
use super::forgotten::Forgotten;
use super::hot::{SHARDS, shard_of};
use super::{Partition, PersonKey, Store, StoreError, keys};

/// A part of everything kept: after one place, and before another if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Between<'a> {
    /// Not this place itself.
    pub after: &'a Place,
    /// Nor this.
    pub before: Option<&'a Place>,
}

/// One partition's people of one shard, hot and durable.
struct Source<'s> {
    hot: Copies,
    durable: Box<dyn Walk + 's>,
}

impl Between<'_> {
    /// The shards that it touches.
    pub fn shards(self) -> std::ops::Range<usize> {
        // The first byte of a place is the shard, and a part of everything ends with one.
        let end = self.before.map_or(SHARDS, |before| match before.hash() {
            0 => 0,
            hash => shard_of(hash - 1) + 1,
        });
        shard_of(self.after.hash())..end
    }

    fn has(self, place: &[u8]) -> bool {
        self.before.is_none_or(|before| place < before.0.as_slice())
    }
}

impl Store {
    /// Calls `each` with everybody of one shard who stands between these places: place, and
    /// record, which is `each`'s to change.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn walk(
        &self,
        shard: usize,
        between: Between<'_>,
        each: &mut dyn FnMut(&[u8], &mut Record) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let walked = self.walk_sources(shard, between, each);
        walked.inspect_err(|error| self.note_damage(error))
    }

    fn walk_sources(
        &self,
        shard: usize,
        between: Between<'_>,
        each: &mut dyn FnMut(&[u8], &mut Record) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut sources = self.sources(shard, between)?;
        let kept = self.kept();
        let mut place = Vec::new();
        let (record, part) = (Record::default(), Record::default());
        let mut joined = Joined { forgotten: &self.forgotten, record, parts: 0, part };
        loop {
            let nearest = sources.iter().filter_map(Source::place).min();
            let Some(nearest) = nearest.filter(|place| between.has(place)) else {
                return Ok(ControlFlow::Continue(()));
            };
            place.clear();
            place.extend_from_slice(nearest);
            joined.parts = 0;
            for source in &mut sources {
                source.take(&place, &mut joined, &kept)?;
            }
            if each(&place, &mut joined.record).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// The hot tier is copied first, as far as it isn't durable: what becomes so meanwhile is
    /// durable by then.
    fn sources(&self, shard: usize, between: Between<'_>) -> Result<Vec<Source<'_>>, StoreError> {
        let end = (shard + 1 < SHARDS).then(|| Place::part(shard as u64 + 1, SHARDS as u64));
        let end = end.as_ref().map(|place| place.0.as_slice());
        let after = between.after.0.as_slice();
        let begin = Place::part(shard as u64, SHARDS as u64).0;
        let from = after.max(&begin);
        let one = |partition: &std::sync::Arc<Partition>| {
            let mut hot = Copies::default();
            partition.hot.copy(shard, &mut hot);
            hot.sort(after);
            let durable = self.durable.walk(partition.id, from, end)?;
            Ok(Source { hot, durable })
        };
        self.partitions.load().iter().map(one).collect()
    }

    /// What is kept of a distinct id, or of a person whom the pipeline has a name for, read
    /// without a trace: nobody comes to be in memory for it.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn glance(&self, key: &PersonKey) -> Result<Record, StoreError> {
        let kept = self.kept();
        let mut joined: Option<Record> = None;
        for partition in self.partitions.load().iter() {
            let hot = partition.hot.glance(key);
            let partial = hot.as_ref().is_none_or(|(_, partial)| *partial);
            let durable = if partial {
                let read = self.durable.record(partition.id, key.hash(), key.bytes());
                read.inspect_err(|error| self.note_damage(error))?
            } else {
                None
            };
            for mut found in [hot.map(|(record, _)| record), durable].into_iter().flatten() {
                self.forgotten.apply(key.bytes(), &mut found);
                match &mut joined {
                    Some(joined) => joined.merge(&found, &kept),
                    None => joined = Some(found),
                }
            }
        }
        Ok(joined.unwrap_or_default())
    }

    /// Calls `each` with everyone this node knows of a project: distinct id and record.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn each_person(
        &self,
        project: ProjectId,
        mut each: impl FnMut(&str, Record),
    ) -> Result<(), StoreError> {
        let everybody = Between { after: &Place::default(), before: None };
        for shard in everybody.shards() {
            let _ = self.walk(shard, everybody, &mut |place, record| {
                if let Some((of, id)) = keys::person_at(place)
                    && of == project
                {
                    each(id, std::mem::take(record));
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}

/// What was found of one place so far.
struct Joined<'s> {
    forgotten: &'s Forgotten,
    record: Record,
    parts: usize,
    /// Memory for the part that is added.
    part: Record,
}

impl Joined<'_> {
    fn add(
        &mut self,
        place: &[u8],
        stored: &[u8],
        kept: &impl Fn(MatcherId) -> Option<Kept>,
    ) -> Result<(), StoreError> {
        let person = place.get(HASH_BYTES..).unwrap_or_default();
        if self.parts == 0 {
            self.record.read(stored)?;
            self.forgotten.apply(person, &mut self.record);
        } else {
            self.part.read(stored)?;
            self.forgotten.apply(person, &mut self.part);
            self.record.merge(&self.part, kept);
        }
        self.parts += 1;
        Ok(())
    }
}

impl Source<'_> {
    /// The nearest place.
    fn place(&self) -> Option<&[u8]> {
        let hot = self.hot.here().map(|copy| copy.place);
        let durable = self.durable.here().map(|(place, _)| place);
        match (hot, durable) {
            (Some(hot), Some(durable)) => Some(hot.min(durable)),
            (hot, durable) => hot.or(durable),
        }
    }

    /// Adds what is here of this place, and goes on.
    fn take(
        &mut self,
        place: &[u8],
        joined: &mut Joined<'_>,
        kept: &impl Fn(MatcherId) -> Option<Kept>,
    ) -> Result<(), StoreError> {
        let mut whole = false;
        if let Some(copy) = self.hot.here().filter(|copy| copy.place == place) {
            joined.add(place, copy.record, kept)?;
            whole = copy.whole;
            self.hot.step();
        }
        if let Some((_, stored)) = self.durable.here().filter(|(at, _)| *at == place) {
            if !whole {
                joined.add(place, stored, kept)?;
            }
            self.durable.step()?;
        }
        Ok(())
    }
}
