//! A world of chance: one person's events as they arrive, and what is asked about them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemas::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

use super::chance::{Chance, NAMES, TEXTS};
use super::compiled::Room;
use crate::dice::Dice;
use crate::naive::history::{Given, Happened};
use crate::naive::question::Question;

/// How many records the person is spread over: partitions, and distinct ids.
pub const PARTS: usize = 3;
const EVENTS_MAX: u64 = 40;
/// Clocks change by an hour, by half of one, at midnight, and never.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Chatham",
    "Asia/Kathmandu",
];

pub struct World {
    pub zone: TimeZone,
    pub room: Room,
    /// Where set, the log lacks what it says; each matcher in its own way.
    pub gaps: Option<u64>,
    pub arrivals: Vec<Arrival>,
    pub writes: Vec<Write>,
    pub questions: Vec<Question>,
    pub handling: u64,
}

/// A record of the log.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub event: Happened,
    pub log_ms: i64,
    pub part: usize,
    pub then: Then,
}

/// What happens to the state after an arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Then {
    Nothing,
    /// Stored, and read again.
    Restore,
    /// A record that was folded unread is merged with the one before it.
    Join,
    Expire,
    Ask,
}

/// A `$set` of a property.
#[derive(Clone, Debug)]
pub struct Write {
    pub text: &'static str,
    pub time_ms: i64,
    pub id: u64,
    pub part: usize,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let zone = TimeZone::get(dice.pick::<&str>(&ZONES)).expect("a time zone");
        let step_ms = *dice.pick(&[SECOND_MS, MINUTE_MS, HOUR_MS / 2, HOUR_MS, DAY_MS / 2, DAY_MS]);
        let shifted = dice.per_mille(350);
        let gaps = (!shifted && dice.per_mille(250)).then(|| dice.throw());
        let room = match shifted {
            // Nothing is pushed out, so that every copy is known for one.
            true if dice.per_mille(200) => Room::AtLeast(EVENTS_MAX as u16 + 1),
            true if dice.per_mille(800) => Room::Only(2 + dice.below(7) as u16),
            false if dice.per_mille(300) => Room::Only(1 + dice.below(5) as u16),
            _ => Room::Needed,
        };
        let start_ms = start(&mut dice, &zone);
        let mut stream = Stream { dice: &mut dice, step_ms, start_ms, shifted };
        let arrivals = stream.arrivals();
        let writes = (0..dice.below(3)).map(|_| write(&mut dice, start_ms)).collect();
        let mut chance = Chance { dice: &mut dice, step_ms, start_ms };
        let questions = (0..6).map(|_| chance.question(2)).collect();
        let handling = dice.throw();
        World { zone, room, gaps, arrivals, writes, questions, handling }
    }
}

/// Near a change of clocks in 2026, or somewhere.
fn start(dice: &mut Dice, zone: &TimeZone) -> i64 {
    let year: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let changes = zone.following(year).take(dice.below(3) as usize);
    let change_ms = changes.last().map(|change| change.timestamp().as_millisecond());
    let day_ms = year.as_millisecond() + dice.below(365) as i64 * DAY_MS;
    change_ms.unwrap_or(day_ms) - dice.below(48) as i64 * HOUR_MS
}

fn write(dice: &mut Dice, start_ms: i64) -> Write {
    let text = *dice.pick(&["free", "paid"]);
    let time_ms = start_ms + dice.below(3) as i64;
    Write { text, time_ms, id: id(dice), part: dice.below(PARTS as u64) as usize }
}

struct Stream<'a> {
    dice: &'a mut Dice,
    step_ms: i64,
    start_ms: i64,
    shifted: bool,
}

impl Stream<'_> {
    fn arrivals(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for _ in 0..self.dice.below(EVENTS_MAX) {
            let event = self.event();
            let first = arrivals.len();
            arrivals.push(self.arrival(event.clone()));
            while self.dice.per_mille(if self.shifted { 300 } else { 150 }) {
                let mut copy = event.clone();
                if self.shifted {
                    copy.time_ms = self.retried_ms(event.time_ms);
                }
                let mut arrival = self.arrival(copy);
                if self.dice.per_mille(500) {
                    arrival.part = arrivals[first].part;
                }
                arrivals.push(arrival);
            }
        }
        arrivals.sort_by_key(|arrival| arrival.log_ms);
        arrivals
    }

    /// Times are coarse, so that they meet each other and the edges of windows.
    fn time_ms(&mut self) -> i64 {
        let near_ms = if self.dice.per_mille(300) { self.dice.below(3) as i64 - 1 } else { 0 };
        self.start_ms + self.dice.below(40) as i64 * self.step_ms / 2 + near_ms
    }

    /// Soon after the first try, or before it, mostly.
    fn retried_ms(&mut self, first_ms: i64) -> i64 {
        match self.dice.below(4) {
            0 => self.time_ms(),
            _ => first_ms + (self.dice.below(9) as i64 - 4) * self.step_ms / 2,
        }
    }

    fn event(&mut self) -> Happened {
        let mut properties = BTreeMap::new();
        for key in ["category", "price"] {
            let given = match (self.dice.below(12), key) {
                (0, _) => continue,
                (1, _) => Given::Null,
                (2..=7, "category") | (2, _) => Given::Text(self.dice.pick::<&str>(&TEXTS)),
                _ => Given::Cents(self.dice.below(12) as i64 * 25 - 75),
            };
            properties.insert(key, given);
        }
        let id = id(self.dice);
        Happened { id, name: self.dice.pick::<&str>(&NAMES), time_ms: self.time_ms(), properties }
    }

    /// At most the skew before its time, at once, or late.
    fn arrival(&mut self, event: Happened) -> Arrival {
        let skew_ms = (2 * self.step_ms).min(HOUR_MS) as u64;
        let log_ms = match self.dice.below(4) {
            0 => event.time_ms - self.dice.below(skew_ms + 1) as i64,
            1 => event.time_ms + self.dice.below(10) as i64 * self.step_ms,
            _ => event.time_ms,
        };
        let then = match self.dice.below(16) {
            0 | 1 => Then::Restore,
            // What has expired isn't known of a copy either.
            2 if !self.shifted => Then::Expire,
            3 => Then::Ask,
            4 => Then::Join,
            _ => Then::Nothing,
        };
        Arrival { event, log_ms, part: self.dice.below(PARTS as u64) as usize, then }
    }
}

/// What stands for an id has 54 bits.
fn id(dice: &mut Dice) -> u64 {
    dice.throw() >> 10
}
