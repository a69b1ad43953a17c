//! What a full window tells of what it has dropped, to the millisecond.

use super::stretches::{Count, SKEW_MS_MAX, STRETCHED_ENTRIES_MAX, count};
use super::*;
use crate::ids::MatcherId;
use crate::record::Record;
use crate::time::{HOUR_MS, YEAR_2000_MS};

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
        let mut merged = folded(STRETCHES, seconds(8).chain(more));
        merged.merge(&folded(STRETCHES, copies), |_| Some(STRETCHES));
        assert_eq!(lost(&merged), Some(14_000), "merged, not folded");
    }
    let events: Vec<(i64, u64)> = more.iter().copied().chain([(500, 8)]).collect();
    assert_eq!(after(8, &events).1, Some(6_000), "of a stretch that isn't the newest");
}

#[test]
fn what_was_lost_stays_so_when_less_than_that_is_forgotten() {
    let mut record = folded(STRETCHES, seconds(8).chain([(500, 8)]));
    for until_ms in [499, 500, 5_999] {
        record.forget(START_MS + until_ms, |_| Some(STRETCHES));
        assert_eq!(lost(&record), Some(6_000), "{until_ms}");
    }
    record.forget(START_MS + 6_000, |_| Some(STRETCHES));
    assert_eq!(lost(&record), None);
}

/// With values, a copy may tell that one of the newest happened before some that were pushed out.
#[test]
fn the_newest_values_are_newer_than_all_that_were_pushed_out() {
    for keep in [Keep::Values, Keep::Numbers] {
        let kept = Kept { keep, k: 2, horizon_ms: 60_000 };
        let hit = |(time_ms, tag): (i64, u64)| Hit {
            entry: Entry::new(START_MS + time_ms, tag),
            value: Value::number(tag.into()),
        };
        let mut record = Record::default();
        for event in seconds(4).chain([(1_500, 4)]) {
            record.fold(MATCHER, kept, hit(event));
        }
        let newest = |record: &Record| -> Vec<i64> {
            let values = values::Values::new(record.stored(MATCHER));
            values.newest().map(|hit| hit.entry.time_ms() - START_MS).collect()
        };
        assert_eq!(newest(&record), [3_000], "{keep:?}");
        assert_eq!(record.fold(MATCHER, kept, hit((2_000, 2))), Folded::Duplicate, "{keep:?}");
        assert_eq!(newest(&record), [3_000], "{keep:?}");
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
            // Both have one that neither takes for the other's, since its times differ.
            let shared = (40_000 + tag as i64, 99);
            folded(kept, times.chain([(from_ms - 500, tag + 7), shared]))
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
fn a_stretch_leaves_whole_once_its_last_instant_is_out_of_sight() {
    const SIGHT_MS: i64 = 60_000 + SKEW_MS_MAX;
    let left = |newest_ms| times(&folded(STRETCHES, [(1_000, 1), (9_999, 2), (newest_ms, 3)]));
    assert_eq!(left(9_999 + SIGHT_MS), [9_999 + SIGHT_MS, 9_999, 1_000]);
    assert_eq!(left(10_000 + SIGHT_MS), [10_000 + SIGHT_MS]);
    let told = |newest_ms| lost(&folded(STRETCHES, seconds(8).chain([(500, 8), (newest_ms, 9)])));
    assert_eq!(told(5_999 + SIGHT_MS), Some(6_000));
    assert_eq!(told(6_000 + SIGHT_MS), None);
}

/// Three were needed when they came, and two are enough now.
#[test]
fn what_is_older_than_enough_stays_out_though_more_is_kept() {
    let mut record = folded(Kept::newest(3, 60_000), [(7, 7), (8, 8), (9, 9)]);
    for (older_ms, tag) in [(6, 6), (5, 5)] {
        let older = Entry::new(START_MS + older_ms, tag).into();
        assert_eq!(record.fold(MATCHER, Kept::newest(2, 60_000), older), Folded::Older);
    }
    assert_eq!(times(&record), [9, 8, 7]);
}

#[test]
fn a_person_may_take_as_many_entries_as_are_kept_and_no_more() {
    // An hour in which events may be ahead, and one more at either end.
    let hours = |hours| Kept { keep: Keep::Stretches(HOUR_MS), k: 1, horizon_ms: hours * HOUR_MS };
    let most = STRETCHED_ENTRIES_MAX / 2 - 3;
    assert!(!hours(most).is_too_much());
    assert!(hours(most + 1).is_too_much());
}

/// Times of three events, and the bytes that the README says three may take.
#[test]
fn each_way_to_keep_three_events() {
    // An hour in which events may be ahead, the horizon, and a stretch at either end.
    let stretches = (3_600 + 60) / 10 + 2;
    for (keep, newest_of_ms, bytes_max) in [
        (Keep::Newest, 3_000, 12 * 3 + 8),
        (Keep::Earliest, 1_000, 12),
        (Keep::Stretches(10_000), 3_000, 24 * 3 * stretches + 8),
        (Keep::Values, 3_000, 56 * 3 + 2),
        (Keep::Numbers, 3_000, 28 * 3 + 86),
    ] {
        let kept = Kept { keep, k: 3, horizon_ms: 60_000 };
        let record = folded(kept, seconds(3));
        let newest = kept.newest_of(record.stored(MATCHER)).map(Entry::time_ms);
        assert_eq!(newest, Some(START_MS + newest_of_ms), "{keep:?}");
        assert_eq!(kept.bytes_max(), bytes_max, "{keep:?}");
    }
}

#[test]
fn where_nothing_is_left_there_is_nothing_to_see() {
    for keep in [Keep::Newest, Keep::Earliest, Keep::Stretches(10_000), Keep::Values] {
        assert!(!Kept { keep, k: 2, horizon_ms: 60_000 }.is_visible(&[], START_MS), "{keep:?}");
    }
}

#[test]
fn time_begins_with_the_year_2000() {
    for time_ms in [YEAR_2000_MS, YEAR_2000_MS + 1] {
        assert_eq!(Entry::new(time_ms, 1).time_ms(), time_ms);
    }
    assert_eq!(Entry::new(YEAR_2000_MS - 1, 1).time_ms(), YEAR_2000_MS);
}
