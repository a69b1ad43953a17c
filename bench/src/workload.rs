//! Workload W1: what ten minutes of a large shop look like. One seed makes one stream.

use std::collections::VecDeque;
use std::io::Write;

use serde_json::json;

use crate::dice::Dice;
use crate::event::{self, Event};

/// The length of the whole stream in event time.
pub const SPAN_MS: i64 = 600_000;

const LATE_PER_MILLE: u64 = 10;
const LATE_MS_MAX: u64 = 60_000;
const COPIES_PER_MILLE: u64 = 1;
/// A copy comes so many events after its first.
const COPY_AFTER: u64 = 1_000;

/// The share of events that are watched, unless all are.
const WATCHED_PERCENT: u64 = 40;
/// Event names and their shares in percent. The first four are watched.
const NAMES: [(&str, u64); 8] = [
    ("product viewed", 25),
    ("added to cart", 10),
    ("checkout started", 3),
    ("purchase", 2),
    ("$pageview", 40),
    ("$pageleave", 10),
    ("page scrolled", 7),
    ("searched", 3),
];
const CATEGORIES: [&str; 6] = ["shoes", "bags", "hats", "shirts", "books", "toys"];
const CENTS_MAX: u64 = 20_000;

/// How large a stream is, and which one.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args)]
pub struct Shape {
    /// How many records.
    #[arg(long, default_value_t = 10_000_000)]
    pub events: u64,
    /// How many people.
    #[arg(long, default_value_t = 1_000_000)]
    pub persons: u32,
    /// How they differ: the n-th sends 1/n^zipf of what the first does; at 0 all send the same.
    #[arg(long, default_value_t = 1.0)]
    pub zipf: f64,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How large a record's value is.
    #[arg(long, default_value_t = 385)]
    pub bytes: usize,
    /// Whether there are watched events alone, instead of forty in a hundred.
    #[arg(long)]
    pub all_watched: bool,
}

impl Shape {
    /// Workload W1.
    pub const W1: Shape = Shape {
        events: 10_000_000,
        persons: 1_000_000,
        zipf: 1.0,
        seed: 1,
        bytes: 385,
        all_watched: false,
    };
}

/// An event before it is written out.
#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    pub person: u32,
    pub time_ms: i64,
    name: usize,
    cents: u64,
    category: usize,
    product: u64,
    uuid_seed: u64,
}

/// The stream, in the order of arrival.
pub struct Workload {
    shape: Shape,
    start_ms: i64,
    zipf: Vec<f64>,
    dice: Dice,
    made: u64,
    copies: VecDeque<(u64, Sketch)>,
}

impl Workload {
    /// The stream that ends at `ending_ms`.
    pub fn new(shape: Shape, ending_ms: i64) -> Self {
        let mut total = 0.0;
        let zipf = (1..=shape.persons).map(|rank| {
            total += f64::from(rank).powf(-shape.zipf);
            total
        });
        Workload {
            shape,
            start_ms: ending_ms - SPAN_MS,
            zipf: zipf.collect(),
            dice: Dice::new(shape.seed),
            made: 0,
            copies: VecDeque::new(),
        }
    }

    fn sketch(&mut self) -> Sketch {
        let dice = &mut self.dice;
        let total = self.zipf.last().copied().unwrap_or_default();
        // 53 bits are what a float holds.
        let throw = (dice.throw() >> 11) as f64 / (1u64 << 53) as f64 * total;
        let person = self.zipf.partition_point(|sum| *sum <= throw) as u32;
        let mut share = dice.below(if self.shape.all_watched { WATCHED_PERCENT } else { 100 });
        let name = NAMES.iter().position(|(_, of_hundred)| {
            let chosen = share < *of_hundred;
            share = share.saturating_sub(*of_hundred);
            chosen
        });
        let passed = i128::from(self.made) * i128::from(SPAN_MS) / i128::from(self.shape.events);
        let late = dice.per_mille(LATE_PER_MILLE);
        let late_ms = if late { dice.below(LATE_MS_MAX) as i64 } else { 0 };
        Sketch {
            person,
            time_ms: self.start_ms + passed as i64 - late_ms,
            name: name.expect("shares add up to a hundred"),
            cents: 100 + dice.below(CENTS_MAX),
            category: dice.below(CATEGORIES.len() as u64) as usize,
            product: dice.below(10_000),
            uuid_seed: dice.throw(),
        }
    }
}

impl Iterator for Workload {
    type Item = Sketch;

    fn next(&mut self) -> Option<Sketch> {
        if self.made >= self.shape.events {
            return None;
        }
        let due = self.copies.pop_front_if(|(due, _)| *due <= self.made);
        let sketch = match due {
            Some((_, copy)) => copy,
            None => {
                let sketch = self.sketch();
                if self.dice.per_mille(COPIES_PER_MILLE) {
                    self.copies.push_back((self.made + COPY_AFTER, sketch));
                }
                sketch
            }
        };
        self.made += 1;
        Some(sketch)
    }
}

impl Sketch {
    /// Whether a condition watches events of this name.
    pub fn is_watched(&self) -> bool {
        self.name < 4
    }

    pub fn distinct_id(&self) -> String {
        distinct_id(self.person)
    }

    /// The event, for the oracle.
    pub fn event(&self) -> Event {
        Event {
            uuid: Dice::new(self.uuid_seed).uuid(),
            name: NAMES[self.name].0.to_owned(),
            person: self.distinct_id(),
            time_ms: self.time_ms,
            properties: serde_json::Map::from_iter([
                ("price".to_owned(), json!(self.price())),
                ("category".to_owned(), json!(CATEGORIES[self.category])),
            ]),
        }
    }

    /// The record's value, of so many bytes.
    pub fn write(&self, token: &str, bytes: usize, into: &mut Vec<u8>) {
        into.clear();
        let (uuid, name) = (Dice::new(self.uuid_seed).uuid(), NAMES[self.name].0);
        let (person, time) = (self.distinct_id(), event::rfc3339(self.time_ms));
        let (product, price) = (self.product, self.price());
        let category = CATEGORIES[self.category];
        let written = write!(
            into,
            r#"{{"uuid":"{uuid}","token":"{token}","event":"{name}","distinct_id":"{person}","#
        )
        .and_then(|()| {
            write!(
                into,
                r#""timestamp":"{time}","properties":{{"$lib":"web","$browser":"Firefox","#
            )
        })
        .and_then(|()| {
            write!(into, r#""$current_url":"https://shop.example/p/{product}","price":{price},"#)
        })
        .and_then(|()| {
            write!(into, r#""category":"{category}","product_id":"p-{product:05}","$referrer":""#)
        });
        written.expect("writing to memory");
        // What fills the rest compresses as badly as what visitors come from.
        let end = br#""}}"#;
        let mut filler = Dice::new(!self.uuid_seed);
        while into.len() + end.len() < bytes {
            write!(into, "{:x}", filler.throw()).expect("writing to memory");
        }
        into.truncate(bytes - end.len());
        into.extend_from_slice(end);
    }

    fn price(&self) -> f64 {
        self.cents as f64 / 100.0
    }
}

pub fn distinct_id(person: u32) -> String {
    format!("visitor-{person:07}")
}
