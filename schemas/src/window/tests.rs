//! What a full window tells of what it has dropped, to the millisecond.

use super::stretches::{Count, count};
use super::*;
use crate::ids::MatcherId;
use crate::record::Record;
use crate::time::YEAR_2000_MS;

const START_MS: i64 = 1_790_000_000_000;
const MATCHER: MatcherId = MatcherId(1);
/// Three of the newest and three of the earliest of each ten seconds.
const STRETCHES: Kept = Kept { keep: Keep::Stretches(10_000), k: 3, horizon_ms: 60_000 };

fn folded(kept: Kept, entries: impl IntoIterator<Item = (i64, u64)>) -> Record {
    let mut record = Record::default();
    for (time_ms, tag) in entries {
        record.fold(MATCHER, kept, Entry::new(START_MS + time_ms, tag).into());
    }
    record
}

fn times(record: &Record) -> Vec<i64> {
    record.window(MATCHER).entries().map(|entry| entry.time_ms() - START_MS).collect()
}

fn lost(record: &Record) -> Option<i64> {
    record.window(MATCHER).lost_ms().map(|lost_ms| lost_ms - START_MS)
}

/// An event of each second from 1 on, its number its tag.
fn seconds(last: u64) -> impl Iterator<Item = (i64, u64)> {
    (1..=last).map(|second| (second as i64 * 1_000, second))
}

#[test]
fn a_stretch_that_is_forgotten_in_part_tells_of_the_newest_that_may_be_missing() {
    let left = |last, until_ms| {
        let mut record = folded(STRETCHES, seconds(last));
        record.forget(START_MS + until_ms, |_| Some(STRETCHES));
        (times(&record), lost(&record))
    };
    assert_eq!(times(&folded(STRETCHES, seconds(8))), [8_000, 7_000, 6_000, 3_000, 2_000, 1_000]);
    assert_eq!(left(8, 999), (vec![8_000, 7_000, 6_000, 3_000, 2_000, 1_000], None));
    assert_eq!(left(8, 1_000), (vec![8_000, 7_000, 6_000, 3_000, 2_000], Some(6_000)));
    assert_eq!(left(8, 5_999), (vec![8_000, 7_000, 6_000], Some(6_000)));
    assert_eq!(left(8, 6_000), (vec![8_000, 7_000], None), "all of what is later is there");
    assert_eq!(left(5, 1_000), (vec![5_000, 4_000, 3_000, 2_000], None), "none was dropped");
}

#[test]
fn a_copy_that_leaves_a_full_stretch_tells_of_the_newest_that_may_be_missing() {
    let after = |last, copies: &[(i64, u64)]| {
        let record = folded(STRETCHES, seconds(last).chain(copies.iter().copied()));
        (times(&record), lost(&record))
    };
    let left = vec![7_000, 6_000, 3_000, 2_000, 1_000, 500];
    assert_eq!(after(8, &[(500, 8)]), (left, Some(6_000)));
    assert_eq!(after(5, &[(500, 5)]), (vec![4_000, 3_000, 2_000, 1_000, 500], None));
    let more = [(11_000, 11), (12_000, 12), (13_000, 13), (14_000, 14), (15_000, 15), (16_000, 16)];
    for copies in [[(600, 16), (500, 8)], [(500, 8), (600, 16)]] {
        let events: Vec<(i64, u64)> = more.iter().copied().chain(copies).collect();
        assert_eq!(after(8, &events).1, Some(14_000), "the later of both");
    }
}

/// What is lost is of that instant and before, so that after it all are there.
#[test]
fn what_was_lost_before_a_range_is_none_of_it() {
    let record = folded(STRETCHES, seconds(8).chain([(500, 8)]));
    let counted = |after_ms| {
        let range = Range { after_ms: START_MS + after_ms, until_ms: i64::MAX };
        count(record.window(MATCHER), 3, 10_000, range)
    };
    assert_eq!(counted(6_000), Count { seen: 1, more: false });
    assert_eq!(counted(5_999), Count { seen: 2, more: true });
}

#[test]
fn merging_tells_of_the_later_of_two_losses() {
    let newest = Kept::newest(2, 60_000);
    for kept in [newest, STRETCHES] {
        let far = |from_ms: i64, tag| {
            let times = (0..8).map(move |n| (from_ms + n * 1_000, tag + n as u64));
            folded(kept, times.chain([(from_ms - 500, tag + 7)]))
        };
        let (one, other) = (far(1_000, 1), far(21_000, 21));
        for (mut merged, with) in [(one.clone(), &other), (other.clone(), &one)] {
            let later = lost(&other).expect("some were lost");
            assert!(Some(later) > lost(&one));
            merged.merge(with, |_| Some(kept));
            assert_eq!(lost(&merged), Some(later), "{kept:?}");
        }
    }
}

/// One that keeps a single event can't tell by another one that copies differ.
#[test]
fn a_single_event_that_happened_earlier_tells_what_it_pushed_out() {
    let kept = Kept::newest(1, 60_000);
    let (later, earlier) = (folded(kept, [(7, 2), (8, 1)]), folded(kept, [(5, 1)]));
    for (mut merged, with) in [(later.clone(), &earlier), (earlier.clone(), &later)] {
        merged.merge(with, |_| Some(kept));
        assert_eq!((times(&merged), lost(&merged)), (vec![5], Some(8)));
    }
}

#[test]
fn an_event_is_folded_once_however_it_is_kept() {
    let keeps =
        [Keep::Newest, Keep::Earliest, Keep::Stretches(10_000), Keep::Values, Keep::Numbers];
    for keep in keeps {
        let kept = Kept { keep, k: 2, horizon_ms: 60_000 };
        let entry = Entry::new(START_MS, 1);
        let mut record = Record::default();
        assert_eq!(record.fold(MATCHER, kept, entry.into()), Folded::Kept, "{keep:?}");
        assert_ne!(record.fold(MATCHER, kept, entry.into()), Folded::Kept, "{keep:?}");
    }
}

#[test]
fn time_begins_with_the_year_2000() {
    for time_ms in [YEAR_2000_MS, YEAR_2000_MS + 1] {
        assert_eq!(Entry::new(time_ms, 1).time_ms(), time_ms);
    }
    assert_eq!(Entry::new(YEAR_2000_MS - 1, 1).time_ms(), YEAR_2000_MS);
}
