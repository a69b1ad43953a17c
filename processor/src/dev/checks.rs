//! Flag checks made over HTTP: how long they take, and which decisions flip.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value;

/// How many flips are shown.
const FLIPS_MAX: usize = 8;
const SLOWEST_US: u64 = 60_000_000;

/// What checks have shown so far.
pub struct Checks {
    took_us: Histogram<u64>,
    /// Each visitor's flags when last asked: what they were.
    last: HashMap<String, BTreeMap<String, String>>,
    flips: VecDeque<String>,
}

impl Default for Checks {
    fn default() -> Self {
        let took_us = Histogram::new_with_bounds(1, SLOWEST_US, 3).expect("constant bounds");
        Checks { took_us, last: HashMap::new(), flips: VecDeque::new() }
    }
}

impl Checks {
    /// Notes an answer of `/flags`.
    pub fn note(&mut self, distinct_id: &str, answer: &Value, took: Duration) {
        self.took_us.saturating_record(took.as_micros() as u64);
        let Some(flags) = answer["flags"].as_object() else {
            return;
        };
        let now: BTreeMap<String, String> =
            flags.iter().map(|(key, record)| (key.clone(), told(record))).collect();
        let before = self.last.insert(distinct_id.to_owned(), now.clone());
        let Some(before) = before else { return };
        for (key, value) in now {
            let was = before.get(&key).map_or("absent", String::as_str);
            if was != value {
                if self.flips.len() == FLIPS_MAX {
                    self.flips.pop_front();
                }
                self.flips.push_back(format!("{distinct_id}  {key}: {was} → {value}"));
            }
        }
    }

    /// The newest flips, newest last.
    pub fn flips(&self) -> Vec<String> {
        self.flips.iter().cloned().collect()
    }

    /// By flag: for how many visitors it is on, of how many asked.
    pub fn flags(&self) -> BTreeMap<String, (u64, u64)> {
        let mut counts = BTreeMap::new();
        for (key, value) in self.last.values().flatten() {
            let (on, asked) = counts.entry(key.clone()).or_insert((0, 0));
            *on += u64::from(value != "off" && !value.starts_with("unknown"));
            *asked += 1;
        }
        counts
    }

    /// How many checks there were.
    pub fn count(&self) -> u64 {
        self.took_us.len()
    }

    /// The median and the slowest in a hundred, in microseconds.
    pub fn latency_us(&self) -> (u64, u64) {
        (self.took_us.value_at_quantile(0.5), self.took_us.value_at_quantile(0.99))
    }
}

fn told(record: &Value) -> String {
    if record["failed"] == true {
        return format!("unknown ({})", record["reason"]["code"].as_str().unwrap_or_default());
    }
    match (record["enabled"].as_bool(), record["variant"].as_str()) {
        (_, Some(variant)) => variant.to_owned(),
        (Some(true), None) => "on".to_owned(),
        _ => "off".to_owned(),
    }
}
