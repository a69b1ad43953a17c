//! Stored records: whatever bytes pass for one can be read, folded into, merged and stored again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::ids::MatcherId;
use schemas::properties::resolve;
use schemas::record::Record;
use schemas::window::values::Values;
use schemas::window::{ENTRY_BYTES, Entry, Hit, Keep, Kept, Value, Window};

/// The stored bytes of a matcher's window are of one kind as long as there is the matcher: here
/// even numbers keep times, odd ones values.
const TIMES: [Keep; 3] = [Keep::Newest, Keep::Earliest, Keep::Stretches(60_000)];
const VALUES: [Keep; 2] = [Keep::Values, Keep::Numbers];
const LOG_MS: i64 = 1_790_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut record) = Record::from_bytes(bytes) else { return };
    if !record.windows().all(|(matcher, stored)| is_of_its_kind(matcher, stored)) {
        return;
    }
    read(&record);
    let matchers: Vec<MatcherId> = record.windows().map(|(matcher, _)| matcher).collect();
    for matcher in matchers {
        let entry = Entry::new(LOG_MS, u64::from(matcher.0));
        record.fold(matcher, kept_by(matcher), Hit { entry, value: Value::number(1) });
    }
    let kept = |matcher: MatcherId| (matcher.0 != 7).then(|| kept_by(matcher));
    let mut merged = record.clone();
    merged.merge(&record, kept);
    let mut joined = Record::default();
    joined.join(&merged, kept);
    merged.expire(kept, LOG_MS);
    for record in [&record, &joined, &merged] {
        read(record);
        let again = Record::from_bytes(record.as_bytes()).expect("what it wrote, it reads");
        assert_eq!(again.as_bytes(), record.as_bytes());
    }
});

fn kept_by(matcher: MatcherId) -> Kept {
    let at = matcher.0 as usize / 2;
    let keep = match matcher.0 % 2 {
        0 => TIMES[at % TIMES.len()],
        _ => VALUES[at % VALUES.len()],
    };
    Kept { keep, k: 3, horizon_ms: 3_600_000 }
}

/// Whether the window is one that some matcher may have left: of its kind, newest first.
fn is_of_its_kind(matcher: MatcherId, stored: &[u8]) -> bool {
    let times = matches!(stored.len() % ENTRY_BYTES, 0 | 8);
    if matcher.0.is_multiple_of(2) {
        return times && Window::new(stored).entries().is_sorted_by(|newer, older| newer > older);
    }
    let held = Values::new(stored);
    let newest = held.newest().is_sorted_by(|newer, older| newer.entry > older.entry);
    (stored.is_empty() || !times) && newest
}

fn read(record: &Record) {
    for (matcher, stored) in record.windows() {
        let kept = kept_by(matcher);
        let _ = (kept.newest_of(stored), kept.is_visible(stored, LOG_MS));
        match kept.keep {
            Keep::Values | Keep::Numbers => _ = Values::new(stored).all().count(),
            _ => _ = (record.window(matcher).entries().count(), record.window(matcher).lost_ms()),
        }
    }
    let _ = record.links().count();
    let _ = resolve(record.registers()).count();
}
