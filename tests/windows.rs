//! The laws that records keep, checked against the oracle under disorder and duplicates.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use schemas::comparison::Comparison;
use schemas::ids::MatcherId;
use schemas::record::Record;
use schemas::window::{Entry, Folded, Kept};

use crate::dice::Dice;
use crate::event::Event;
use crate::harness::seed;
use crate::oracle::{self, Oracle};
use crate::rule::{Did, Rule};

/// An arbitrary instant that everything is told from.
pub const START_MS: i64 = 1_790_000_000_000;
const SPAN_MS: i64 = 600_000;
const IDS: usize = 24;

/// An event that a matcher accepts.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    matcher: u32,
    id: u64,
    time_ms: i64,
}

#[test]
fn order_does_not_matter() {
    check(&(hits(), any::<u64>(), 1u16..9), |(hits, seed, k)| {
        let mut shuffled = hits.clone();
        Dice::new(seed).shuffle(&mut shuffled);
        prop_assert_eq!(fold(&hits, k), fold(&shuffled, k));
        Ok(())
    });
}

#[test]
fn duplicates_do_not_matter() {
    check(&(hits(), any::<u64>(), 1u16..9), |(hits, seed, k)| {
        let mut again = [hits.clone(), hits.clone()].concat();
        Dice::new(seed).shuffle(&mut again);
        let mut record = fold(&hits, k);
        prop_assert_eq!(&record, &fold(&again, k));
        for hit in &hits {
            let entry = Entry::new(hit.time_ms, hit.id);
            let folded = record.fold(MatcherId(hit.matcher), newest(k), entry.into());
            prop_assert!(folded != Folded::Kept, "counted as new once more: {:?}", hit);
        }
        Ok(())
    });
}

/// A record that was folded in three parts, some of it twice, is the record folded at once.
#[test]
fn merging_parts_is_folding_all() {
    check(&(hits(), vec(1u8..8, 0..60), 1u16..9), |(hits, parts, k)| {
        let part = |bit: u8| {
            let mut of = parts.iter().chain(std::iter::repeat(&7u8));
            let chosen = hits.iter().filter(|_| of.next().is_some_and(|parts| parts & bit != 0));
            fold(&chosen.copied().collect::<Vec<_>>(), k)
        };
        let (a, b, c) = (part(1), part(2), part(4));
        let whole = fold(&hits, k);
        prop_assert_eq!(&merged(&[&a, &b, &c], k), &whole);
        prop_assert_eq!(&merged(&[&c, &a, &b, &a], k), &whole);
        prop_assert_eq!(&merged(&[&merged(&[&b, &c], k), &a], k), &whole, "grouped otherwise");
        prop_assert_eq!(&merged(&[&whole, &whole], k), &whole, "with itself");
        Ok(())
    });
}

/// The newest K entries decide every comparison that needs at most K of them, at every instant.
#[test]
fn k_entries_decide_as_all_of_them_would() {
    check(&(hits(), 0u16..9, 1i64..SPAN_MS), |(hits, n, within_ms)| {
        for (text, comparison) in COMPARISONS {
            let record = fold(&hits, comparison.entries_needed(n));
            let decides = |count| comparison.holds(count, usize::from(n));
            agrees(&hits, &record, &did(text, n, within_ms), decides)?;
        }
        Ok(())
    });
}

/// N entries can't tell N events from N + 1: `=` needs one more than `>=`.
#[test]
fn equality_needs_one_entry_more_than_at_least() {
    for n in 1..9u16 {
        let hit = |id| Hit { matcher: 0, id, time_ms: START_MS + id as i64 };
        let hits: Vec<Hit> = (0..=u64::from(n)).map(hit).collect();
        let count = |k| fold(&hits, k).window(MatcherId(0)).count(SPAN_MS, START_MS + 100);
        assert_eq!(count(n), usize::from(n), "cut to K");
        assert_eq!(count(Comparison::Equal.entries_needed(n)), usize::from(n) + 1);
        assert_eq!(Comparison::AtLeast.entries_needed(n), n);
    }
}

/// A retry may bear another time. While its first copy is kept, the earlier time stays.
#[test]
fn the_earlier_time_of_an_event_stays() {
    let k = IDS as u16;
    let retried = (hits_with_any_times(), any::<u64>(), 1i64..SPAN_MS);
    check(&retried, |(hits, seed, within_ms)| {
        let mut shuffled = hits.clone();
        Dice::new(seed).shuffle(&mut shuffled);
        let record = fold(&hits, k);
        prop_assert_eq!(&record, &fold(&shuffled, k));
        let most = k - 1;
        let did = did(">=", most / 4, within_ms);
        agrees(&hits, &record, &did, |count| count >= usize::from(most / 4))
    });
}

/// What expires is what no window of the horizon can see any more.
#[test]
fn expiry_changes_no_answer() {
    check(&(hits(), 1i64..SPAN_MS, 0i64..2 * SPAN_MS), |(hits, horizon_ms, later_ms)| {
        let now_ms = START_MS + later_ms;
        let kept = Kept::newest(8, horizon_ms);
        let record = fold(&hits, 8);
        let mut expired = record.clone();
        let left = expired.expire(|matcher| (matcher.0 != 2).then_some(kept), now_ms);
        prop_assert_eq!(left, !expired.is_empty());
        for matcher in [0, 1].map(MatcherId) {
            let count = |record: &Record| record.window(matcher).count(horizon_ms, now_ms);
            prop_assert_eq!(count(&expired), count(&record));
        }
        prop_assert!(expired.window(MatcherId(2)).is_empty(), "nobody asks for it");
        Ok(())
    });
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Greater),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    ("<=", Comparison::AtMost),
];

/// Compares a window's answers with the oracle's at every edge there is, a millisecond before it
/// and after.
fn agrees(
    hits: &[Hit],
    record: &Record,
    did: &Did,
    decides: impl Fn(usize) -> bool,
) -> Result<(), TestCaseError> {
    let mut oracle = Oracle::default();
    for hit in hits.iter().filter(|hit| hit.matcher == 0) {
        let mut event = Event::new(&did.event, "ann", hit.time_ms, &mut Dice::new(hit.id));
        event.uuid = hit.id.to_string();
        oracle.see(event, hit.time_ms);
    }
    let edges = hits.iter().flat_map(|hit| [hit.time_ms, hit.time_ms + did.within_ms]);
    let instants: BTreeSet<i64> = edges.flat_map(|edge| [edge - 1, edge, edge + 1]).collect();
    for now_ms in instants {
        let (count, same) = oracle.count("ann", did, now_ms);
        prop_assert_eq!(count, same, "the oracle is certain");
        let wanted = oracle::compare(count, did.comparison, did.n);
        let kept = record.window(MatcherId(0)).count(did.within_ms, now_ms);
        let at = now_ms - START_MS;
        prop_assert_eq!(decides(kept), wanted, "{:?} at {}: {} of {}", did, at, kept, count);
    }
    Ok(())
}

fn did(comparison: &'static str, n: u16, within_ms: i64) -> Did {
    let Rule::Did(did) = Rule::did("added to cart", ">= 1", 1) else {
        unreachable!("a rule of one condition");
    };
    Did { comparison, n: usize::from(n), within_ms, ..did }
}

/// Hits whose copies bear the first one's time, as redelivery and replay make them.
pub fn hits() -> impl Strategy<Value = Vec<Hit>> {
    hits_with_any_times().prop_map(|hits| {
        let first = |hit: &Hit| hits.iter().find(|other| other.id == hit.id).copied();
        hits.iter().map(|hit| first(hit).unwrap_or(*hit)).collect()
    })
}

/// Hits whose copies may bear other times. Times are coarse now and then, so that they collide.
fn hits_with_any_times() -> impl Strategy<Value = Vec<Hit>> {
    let time = prop_oneof![0..SPAN_MS, (0..20i64).prop_map(|step| step * (SPAN_MS / 20))];
    let hit = (0u32..3, 0..IDS as u64, time);
    let hit = hit.prop_map(|(matcher, id, ms)| Hit { matcher, id, time_ms: START_MS + ms });
    vec(hit, 0..60)
}

pub fn fold(hits: &[Hit], k: u16) -> Record {
    let mut record = Record::default();
    for hit in hits {
        let entry = Entry::new(hit.time_ms, hit.id);
        record.fold(MatcherId(hit.matcher), newest(k), entry.into());
    }
    record
}

fn newest(k: u16) -> Kept {
    Kept::newest(k, SPAN_MS)
}

fn merged(parts: &[&Record], k: u16) -> Record {
    let mut whole = Record::default();
    parts.iter().for_each(|part| whole.merge(part, |_| Some(newest(k))));
    whole
}

/// Checks a law on many random values; a failure names the seed that repeats it.
pub fn check<S: Strategy>(values: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seed = seed();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::with_cases(512) };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(values, law);
    outcome.unwrap_or_else(|error| panic!("TEST_SEED={seed}\n{error}"));
}
