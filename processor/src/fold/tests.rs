//! One person who never stops: what is kept of them stays within the bound of the catalog.

use schemas::properties::PROPERTIES_BYTES_MAX;
use schemas::time::HOUR_MS;
use serde_json::{Value as Json, json};

use super::*;

#[path = "../../../bench/src/twenty.rs"]
mod twenty;

const START_MS: i64 = 1_790_000_000_000;
/// So many events within an hour, unless `HOT_EVENTS` says otherwise: 3600000 for 1,000 a second.
const EVENTS: u64 = 15_000;
/// How often the record is looked at.
const LOOKS: u64 = 15_000;
/// As many as may be linked, and some more.
const LINKED: u64 = 1_100;

/// Looks like chance, and is the same in every run.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}

/// What the person does: of everything that is watched, some of it late, some of it once more at
/// another time; at first they get more ids, then more and more properties.
fn event(number: u64, at_ms: i64) -> Json {
    let chance = mixed(number);
    let names = ["seen", "seen", "seen", "added", "searched", "bought", "refund", "emptied"];
    let late_ms = if chance.is_multiple_of(50) { (chance >> 8) % 7_200_000 } else { 0 };
    // The event before comes once more at times.
    let id = if number % 100 == 7 { number - 1 } else { number };
    let mut event = json!({
        "token": "phc_shop",
        "uuid": format!("{:08x}-0000-4000-8000-{id:012x}", mixed(id) >> 32),
        "event": names[(chance >> 40) as usize % names.len()],
        "distinct_id": "ann",
        "timestamp": at_ms - late_ms as i64,
        "properties": { "product": (chance >> 20) % 2_000, "price": chance % 97 },
    });
    if number < LINKED {
        event["event"] = json!("$identify");
        event["properties"] = json!({ "$anon_distinct_id": format!("{number:😀>200}") });
    } else if number.is_multiple_of(10) {
        let (key, value) = (number % 30_000, "x".repeat(number as usize % 99));
        event["properties"]["$set"] = json!({ format!("property {key}"): value });
    }
    event
}

/// The most bytes that there were of something, and the most that there may be.
#[derive(Debug, Default)]
struct Bytes {
    peak: usize,
    max: usize,
}

impl Bytes {
    fn see(&mut self, bytes: usize, what: &str) {
        assert!(bytes <= self.max, "{bytes} bytes of at most {} of {what}", self.max);
        self.peak = self.peak.max(bytes);
    }
}

#[test]
fn whoever_does_a_thousand_things_a_second_stays_within_the_bound() {
    let wanted = std::env::var("HOT_EVENTS");
    let events: u64 = wanted.map_or(EVENTS, |text| text.parse().expect("a number"));
    let project = twenty::project().expect("good definitions");
    let matchers = project.matchers.clone();
    let max = matchers.iter().map(|matcher| matcher.kept.bytes_max()).sum();
    let (mut windows, mut whole) =
        (Bytes { peak: 0, max }, Bytes { peak: 0, max: project.record_bytes_max() });
    let mut ann = PersonKey::default();
    ann.set(project.id, "ann");
    let bounds = Bounds { skew_ms: 5_000, lateness_ms: HOUR_MS };
    let reading = Reading { format: Format::Sluice, bounds, token: None };
    let (catalog, mut fold) = (Catalog::new(vec![project]), Fold::new(reading));
    let partition = Partition::default();
    for number in 0..events {
        let timestamp_ms = START_MS + number as i64 * HOUR_MS / events as i64;
        let value = event(number, timestamp_ms).to_string();
        let (offset, value) = (number as i64, Some(value.as_bytes()));
        let record = LogRecord { partition: 0, offset, timestamp_ms, value };
        let effect = fold.fold(&catalog, &partition, record);
        assert!(!matches!(effect.outcome, Outcome::Skipped(_)), "{number}: {effect:?}");
        if number.is_multiple_of((events / LOOKS).max(1)) || number + 1 == events {
            let (record, _) = partition.hot.glance(&ann).expect("somebody");
            whole.see(record.as_bytes().len(), "the record");
            let sizes = matchers.iter().map(|matcher| {
                let stored = record.stored(matcher.id).len();
                assert!(stored <= matcher.kept.bytes_max(), "{stored} bytes: {matcher:?}");
                stored
            });
            windows.see(sizes.sum(), "windows");
        }
    }
    let (record, _) = partition.hot.glance(&ann).expect("somebody");
    Record::from_bytes(record.as_bytes()).expect("a record that can be read again");
    let properties: usize = record.registers().map(|register| register.stored_len()).sum();
    assert!((PROPERTIES_BYTES_MAX * 9 / 10..=PROPERTIES_BYTES_MAX).contains(&properties));
    println!("{events} events: {whole:?}, {} bytes at the end", record.as_bytes().len());
    println!("{windows:?} of {} windows; properties {properties}", matchers.len());
    println!("{} links", record.links().count());
}
