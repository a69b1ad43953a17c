//! What Sluice would keep of a world: records folded, stored, read again, expired and merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::filter::{Filter, Moment};
use schemas::ids::MatcherId;
use schemas::lookup::{Coverage, Coverages, Facts};
use schemas::matcher::Matcher;
use schemas::properties::{Kind, Register};
use schemas::record::Record;
use schemas::window::{Entry, Hit, Keep, Kept};
use serde_json::Value;

use super::copies::Copies;
use super::given;
use super::world::{PARTS, World, Write};
use crate::dice::Dice;
use crate::naive::history::Happened;

pub struct State {
    parts: [Record; PARTS],
    coverage: Arc<Coverages>,
    /// Which events each matcher accepted, with the times of their copies.
    accepted: Vec<BTreeMap<u64, BTreeSet<i64>>>,
    /// What came to each part for each matcher.
    copies: [Vec<Copies>; PARTS],
}

impl State {
    pub fn new(world: &World, matchers: &[Matcher]) -> State {
        let mut state = State {
            parts: Default::default(),
            coverage: Arc::new(matchers.iter().map(|m| (m.id, coverage(world, m.id))).collect()),
            accepted: vec![BTreeMap::new(); matchers.len()],
            copies: [(); PARTS].map(|()| vec![Copies::default(); matchers.len()]),
        };
        world.writes.iter().for_each(|write| state.write(write));
        state
    }

    fn write(&mut self, write: &Write) {
        self.parts[write.part].write(&Register {
            key: "plan".into(),
            kind: Kind::Set,
            stamp: Entry::new(write.time_ms, write.id),
            value: format!("{:?}", write.text).into(),
        });
    }

    /// Folds an event into a part, where the log has it for a matcher.
    pub fn fold(&mut self, event: &Happened, part: usize, matchers: &[Matcher]) {
        let mut dice = Dice::new(event.id);
        let properties = event.properties.iter();
        let properties: Vec<(&str, Value)> =
            properties.map(|(key, value)| (*key, given::json(value, &mut dice))).collect();
        let value = |key: &str| properties.iter().find(|(k, _)| *k == key).map(|(_, value)| value);
        let moment = Moment { now_ms: event.time_ms, zone: &jiff::tz::TimeZone::UTC };
        let passes = |filter: &Filter| filter.matches(value(&filter.key), moment);
        for matcher in matchers {
            let named = matcher.event.is_empty() || matcher.event == event.name;
            if !named || event.time_ms > matcher.until_ms || !matcher.filters.iter().all(passes) {
                continue;
            }
            let property = matcher.take.property().and_then(value);
            let Some(taken) = matcher.take.of(property, moment) else {
                continue;
            };
            let at = matcher.id.0 as usize;
            self.accepted[at].entry(event.id).or_default().insert(event.time_ms);
            self.copies[part][at].add(event.id, event.time_ms, matcher.kept);
            // Before its coverage, a log may still have some events.
            if event.time_ms <= self.since_ms(matcher.id) && dice.per_mille(700) {
                continue;
            }
            let hit = Hit { entry: Entry::new(event.time_ms, event.id), value: taken };
            self.parts[part].fold(matcher.id, matcher.kept, hit);
        }
    }

    pub fn restore(&mut self, part: usize) {
        let stored = self.parts[part].as_bytes().to_vec();
        self.parts[part] = Record::from_bytes(&stored).expect("a record");
    }

    pub fn expire(&mut self, part: usize, matchers: &[Matcher], log_ms: i64) {
        self.parts[part].expire(kept(matchers), log_ms);
    }

    /// A person who was folded unread is merged with what was stored of them.
    pub fn join(&mut self, part: usize, matchers: &[Matcher]) {
        let into = (part + 1) % PARTS;
        let record = std::mem::take(&mut self.parts[part]);
        self.parts[into].merge(&record, kept(matchers));
        for matcher in matchers {
            let at = matcher.id.0 as usize;
            let copies = std::mem::take(&mut self.copies[part][at]);
            self.copies[into][at].merge(&copies, matcher.kept);
        }
    }

    /// The parts in some order, one of them twice.
    pub fn order(dice: &mut Dice) -> Vec<usize> {
        let mut order: Vec<usize> = (0..PARTS).chain([dice.below(PARTS as u64) as usize]).collect();
        dice.shuffle(&mut order);
        order
    }

    /// Everything that is kept, joined in this order.
    pub fn facts(&self, matchers: &[Matcher], order: &[usize]) -> Facts {
        let mut record = Record::default();
        order.iter().for_each(|part| record.merge(&self.parts[*part], kept(matchers)));
        Facts { record, coverage: self.coverage.clone(), ..Facts::default() }
    }

    /// Every event after this instant is in.
    pub fn since_ms(&self, matcher: MatcherId) -> i64 {
        match self.coverage[&matcher] {
            Coverage::Since(since_ms) => since_ms,
            Coverage::Filling { .. } => i64::MAX,
        }
    }

    /// Whether the log lacks some of a matcher's events.
    pub fn has_gap(&self, matcher: &Matcher) -> bool {
        self.since_ms(matcher.id) != i64::MIN
    }

    /// Whether copies of some event came with several times.
    pub fn has_copies(&self, matcher: &Matcher) -> bool {
        self.accepted[matcher.id.0 as usize].values().any(|times| times.len() > 1)
    }

    /// Whether some event may stand at another time than its first, which was pushed out before
    /// a copy came, or was met.
    pub fn has_mistaken(&self, matcher: &Matcher, order: &[usize]) -> bool {
        let mut met = Copies::default();
        let parts = order.iter().map(|part| &self.copies[*part][matcher.id.0 as usize]);
        parts.for_each(|copies| met.merge(copies, matcher.kept));
        met.are_mistaken(matcher.kept)
    }

    /// Whether some may have been pushed out by newer ones.
    pub fn pushed_out(&self, matcher: &Matcher) -> bool {
        let accepted = self.accepted[matcher.id.0 as usize].len();
        let k = usize::from(matcher.kept.k);
        match matcher.kept.keep {
            Keep::Earliest => false,
            // It can't be told whether more than K were there.
            Keep::Newest => accepted >= k,
            Keep::Stretches(_) => accepted >= 2 * k,
            Keep::Values | Keep::Numbers => accepted > k,
        }
    }
}

/// The same facts once a checkpoint has left behind what is out of sight.
pub fn expired(facts: &Facts, matchers: &[Matcher], log_ms: i64) -> Facts {
    let mut expired = facts.clone();
    expired.record.expire(kept(matchers), log_ms);
    expired
}

fn kept(matchers: &[Matcher]) -> impl Fn(MatcherId) -> Option<Kept> {
    |id| matchers.get(id.0 as usize).map(|matcher| matcher.kept)
}

fn coverage(world: &World, matcher: MatcherId) -> Coverage {
    let first_ms = world.arrivals.iter().map(|arrival| arrival.event.time_ms).min();
    let (Some(gaps), Some(first_ms)) = (world.gaps, first_ms) else {
        return Coverage::Since(i64::MIN);
    };
    let mut dice = Dice::new(gaps.wrapping_add(u64::from(matcher.0)));
    match dice.below(4) {
        0 => Coverage::Since(i64::MIN),
        1 if dice.per_mille(300) => Coverage::Filling { percent: 50 },
        _ => {
            let event = dice.pick(&world.arrivals).event.time_ms;
            Coverage::Since(event.max(first_ms) + dice.below(3) as i64 - 1)
        }
    }
}
