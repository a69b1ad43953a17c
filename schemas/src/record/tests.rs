//! Records: what a far earlier copy leaves, and what older versions wrote.

use super::*;

const MATCHER: MatcherId = MatcherId(7);

fn at(time_ms: i64, tag: u64) -> Entry {
    Entry::new(1_790_000_000_000 + time_ms, tag)
}

fn folded(entries: &[(i64, u64)]) -> Record {
    let mut record = Record::default();
    for (time_ms, tag) in entries {
        record.fold(MATCHER, Kept::newest(3, 60_000), at(*time_ms, *tag).into());
    }
    record
}

#[test]
fn a_copy_that_is_older_than_all_that_is_kept_leaves_no_silent_hole() {
    let mut record = folded(&[(6, 1), (7, 2), (8, 3), (9, 4), (10, 5)]);
    assert_eq!(record.window(MATCHER).lost_ms(), None);
    record.fold(MATCHER, Kept::newest(3, 60_000), at(5, 5).into());
    let times: Vec<i64> = record.window(MATCHER).entries().map(Entry::time_ms).collect();
    assert_eq!(times, [9, 8, 5].map(|ms| at(ms, 0).time_ms()));
    // 7 and 6 were pushed out, and nobody knows of them any more.
    assert_eq!(record.window(MATCHER).lost_ms(), Some(at(8, 0).time_ms()));
    record.fold(MATCHER, Kept::newest(3, 60_000), at(3, 4).into());
    assert_eq!(record.window(MATCHER).lost_ms(), Some(at(8, 0).time_ms()), "no less is lost");
    let mut merged = folded(&[(20, 9)]);
    merged.merge(&record, |_| Some(Kept::newest(3, 60_000)));
    assert_eq!(merged.window(MATCHER).lost_ms(), Some(at(8, 0).time_ms()));
    assert_eq!(Record::from_bytes(merged.as_bytes()), Ok(merged.clone()));
    assert_eq!(merged.window(MATCHER).len(), 3);
}

/// Whichever of the two was in memory when the other came.
#[test]
fn merging_an_earlier_copy_tells_what_folding_it_does() {
    let kept = |_| Some(Kept::newest(3, 60_000));
    for early in [1, 5, 8] {
        let durable = folded(&[(6, 1), (7, 2), (8, 3), (9, 4), (10, 5)]);
        let hot = folded(&[(early, 5), (20, 6)]);
        let mut whole = durable.clone();
        for (time_ms, tag) in [(early, 5), (20, 6)] {
            whole.fold(MATCHER, Kept::newest(3, 60_000), at(time_ms, tag).into());
        }
        for (mut one, other) in [(hot.clone(), &durable), (durable.clone(), &hot)] {
            one.merge(other, kept);
            assert_eq!(one, whole, "{early}");
        }
    }
}

/// Whichever of the two was in memory, and had dropped what lies between.
#[test]
fn merging_tells_of_what_a_stretch_has_dropped_for_a_later_copy() {
    let kept = Kept { keep: Keep::Stretches(1_000), k: 1, horizon_ms: 60_000 };
    let of = |entries: &[(i64, u64)]| {
        let mut record = Record::default();
        for (time_ms, tag) in entries {
            record.fold(MATCHER, kept, at(*time_ms, *tag).into());
        }
        record
    };
    let (first, later) = (of(&[(30, 1)]), of(&[(20, 2), (35, 3), (40, 1)]));
    for (mut one, other) in [(first.clone(), &later), (later.clone(), &first)] {
        one.merge(other, |_| Some(kept));
        let times: Vec<i64> = one.window(MATCHER).entries().map(Entry::time_ms).collect();
        assert_eq!(times, [30, 20].map(|ms| at(ms, 0).time_ms()));
        assert!(one.window(MATCHER).lost_ms() >= Some(at(35, 0).time_ms()), "35 is missing");
    }
}

/// Else a copy of what was dropped would be taken for new.
#[test]
fn a_later_copy_drops_nothing_from_what_it_is_merged_with() {
    let kept = Kept { keep: Keep::Stretches(1_000), k: 1, horizon_ms: 60_000 };
    let of = |entries: [(i64, u64); 2]| {
        let mut record = Record::default();
        for (time_ms, tag) in entries {
            record.fold(MATCHER, kept, at(time_ms, tag).into());
        }
        record
    };
    let (later, first) = (of([(40, 1), (10, 2)]), of([(35, 3), (5, 1)]));
    for (mut one, other) in [(first.clone(), &later), (later.clone(), &first)] {
        one.merge(other, |_| Some(kept));
        let times: Vec<i64> = one.window(MATCHER).entries().map(Entry::time_ms).collect();
        assert_eq!(times, [35, 5].map(|ms| at(ms, 0).time_ms()));
    }
}

/// They may be younger than all that is left.
#[test]
fn what_a_copy_has_lost_is_told_until_nobody_could_see_it() {
    for keep in [Keep::Newest, Keep::Values] {
        let kept = Kept { keep, k: 1, horizon_ms: 10 };
        let mut record = Record::default();
        for (time_ms, tag) in [(20, 1), (25, 2), (3, 2)] {
            record.fold(MATCHER, kept, at(time_ms, tag).into());
        }
        let stored = record.stored(MATCHER).to_vec();
        assert!(record.expire(|_| Some(kept), at(29, 0).time_ms()), "{keep:?}");
        assert_eq!(record.stored(MATCHER), stored, "{keep:?}");
        assert!(!record.expire(|_| Some(kept), at(35, 0).time_ms()), "{keep:?}");
    }
}

#[test]
fn a_copy_inside_a_window_that_is_not_full_loses_nothing() {
    let mut record = folded(&[(9, 4), (10, 5)]);
    record.fold(MATCHER, Kept::newest(3, 60_000), at(5, 5).into());
    assert_eq!(record.window(MATCHER).lost_ms(), None);
}

#[test]
fn records_of_version_1_are_read() {
    let mut record = folded(&[(9, 4), (10, 5)]);
    record.fold(MatcherId(8), Kept::newest(3, 60_000), at(11, 6).into());
    let mut old = record.as_bytes().to_vec();
    old[0] = 1;
    // It told how many entries there were, of each window.
    let second = HEADER_BYTES + WINDOW_HEADER_BYTES + 2 * ENTRY_BYTES;
    for (window, entries) in [(HEADER_BYTES, 2u16), (second, 1)] {
        old[window + 4..window + 6].copy_from_slice(&entries.to_le_bytes());
    }
    assert_eq!(Record::from_bytes(&old), Ok(record));
    old.truncate(old.len() - 1);
    assert_eq!(Record::from_bytes(&old), Err(RecordError::Torn));
    assert_eq!(Record::from_bytes(&[9, 0, 0, 0, 0]), Err(RecordError::Version(9)));
}

/// Of a full stretch that is forgotten in part, those that were dropped from its middle may be
/// missed.
#[test]
fn a_stretch_that_is_forgotten_in_part_leaves_no_silent_hole() {
    let kept = Kept { keep: Keep::Stretches(10_000), k: 1, horizon_ms: 60_000 };
    let mut record = Record::default();
    for (time_ms, tag) in [(1_000, 1), (2_000, 2), (5_000, 3), (7_000, 4)] {
        record.fold(MATCHER, kept, at(time_ms, tag).into());
    }
    let counted = |record: &Record| {
        let range = crate::window::Range {
            after_ms: at(0, 0).time_ms(),
            until_ms: at(10_000, 0).time_ms(),
        };
        crate::window::stretches::count(record.window(MATCHER), 1, 10_000, range)
    };
    let before = counted(&record);
    assert_eq!((before.seen, before.more), (2, true));
    record.forget(at(1_500, 0).time_ms(), |_| Some(kept));
    let after = counted(&record);
    assert_eq!((after.seen, after.more), (1, true), "2 and 5 were dropped, and are later");
    record.forget(at(7_000, 0).time_ms(), |_| Some(kept));
    assert!(record.is_empty());
}

/// What has the very instant goes with what was before it, be it among the newest or pushed out.
#[test]
fn values_are_forgotten_up_to_the_instant() {
    for keep in [Keep::Values, Keep::Numbers] {
        let kept = Kept { keep, k: 1, horizon_ms: 60_000 };
        let mut record = Record::default();
        for (time_ms, tag) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
            let value = crate::window::Value::number(time_ms.into());
            record.fold(MATCHER, kept, Hit { entry: at(time_ms, tag), value });
        }
        let mut left = |until_ms| -> Vec<i64> {
            record.forget(at(until_ms, 0).time_ms(), |_| Some(kept));
            let values = crate::window::values::Values::new(record.stored(MATCHER));
            values.all().map(|hit| hit.entry.time_ms() - at(0, 0).time_ms()).collect()
        };
        assert_eq!(left(2), [4, 3], "{keep:?}");
        assert_eq!(left(3), [4], "{keep:?}");
        assert!(left(4).is_empty());
        assert!(record.is_empty(), "{keep:?}");
    }
}

/// What stands there counts only as long as nothing takes its place.
#[test]
fn properties_take_as_many_bytes_as_the_bound_and_no_more() {
    const MAX: usize = properties::PROPERTIES_BYTES_MAX;
    let mut record = Record::default();
    let mut write = |key: &str, ms, bytes: usize| {
        let (key, kind, value) = (key.into(), properties::Kind::Set, "".into());
        let register = Register { key, kind, stamp: at(ms, 1), value };
        let value = "7".repeat(bytes - register.stored_len());
        record.write(&Register { value: value.into(), ..register })
    };
    assert!(!write("plan", 1, MAX + 1) && write("plan", 1, MAX));
    assert!(!write("plan", 2, MAX + 1) && write("plan", 2, MAX));
    assert!(!write("name", 3, 30));
    assert!(write("plan", 4, MAX - 30) && write("name", 4, 30));
    assert!(!write("name", 5, 31) && write("name", 5, 29));
}
