//! When the first or the last event was, and which values the newest had.

use schemas::behaviour::{Latest, Then, Watched, When};
use schemas::filter::Date;
use schemas::unknown::Unknown;
use schemas::window::{Keep, Range, Value};

use super::{Gap, Seen};

/// Whether the first time (of a matcher that keeps the earliest) or the last time lies there.
pub(super) fn was(seen: Seen<'_>, asked: &When<Watched>) -> Result<bool, Unknown> {
    let range = range(seen, asked.then);
    if range.after_ms >= range.until_ms {
        return Ok(false);
    }
    let found_ms = seen.window(asked.of).newest().map(|entry| entry.time_ms());
    match asked.of.kept.keep {
        Keep::Earliest => first_was(found_ms, seen.uncovered(asked.of), range),
        _ => last_was(found_ms, seen.uncovered_or_lost(asked.of), range),
    }
}

/// The instants that are meant; none for a date that the clock never shows.
pub(super) fn range(seen: Seen<'_>, then: Then) -> Range {
    let around_ms = |date: Date| date.around_ms(seen.moment());
    let range = match then {
        Then::Ago(ago) => Some(seen.range(ago)),
        Then::Before(date) => {
            around_ms(date).map(|(_, next_ms)| Range { until_ms: next_ms - 1, ..Range::EVER })
        }
        Then::At(date) => around_ms(date)
            .map(|(last_ms, next_ms)| Range { after_ms: next_ms - 1, until_ms: last_ms }),
        Then::After(date) => {
            around_ms(date).map(|(last_ms, _)| Range { after_ms: last_ms, ..Range::EVER })
        }
    };
    range.unwrap_or(Range { after_ms: seen.now_ms, until_ms: seen.now_ms })
}

/// An earlier event than the one that is known may be missing.
fn first_was(found_ms: Option<i64>, gap: Option<Gap>, range: Range) -> Result<bool, Unknown> {
    let known = found_ms.is_some_and(|time_ms| range.contains(time_ms));
    // What is missing is earlier than what is known, or it changes nothing.
    let Some(gap) = gap else {
        return Ok(known);
    };
    let missing_until_ms = found_ms.map_or(gap.until_ms, |time_ms| gap.until_ms.min(time_ms));
    let all_inside = range.after_ms == i64::MIN && missing_until_ms <= range.until_ms;
    let none_inside = missing_until_ms <= range.after_ms;
    match (known, found_ms) {
        (true, _) if all_inside => Ok(true),
        (false, _) if none_inside => Ok(false),
        _ => Err(gap.why),
    }
}

/// A later event than the one that is known may be missing.
fn last_was(found_ms: Option<i64>, gap: Option<Gap>, range: Range) -> Result<bool, Unknown> {
    let known = found_ms.is_some_and(|time_ms| range.contains(time_ms));
    let oldest_ms = found_ms.unwrap_or(i64::MIN);
    let Some(gap) = gap.filter(|gap| gap.until_ms > oldest_ms) else {
        return Ok(known);
    };
    let all_inside = oldest_ms >= range.after_ms && gap.until_ms <= range.until_ms;
    let none_inside = gap.until_ms <= range.after_ms || oldest_ms >= range.until_ms;
    match known {
        true if all_inside => Ok(true),
        false if none_inside => Ok(false),
        _ => Err(gap.why),
    }
}

/// Whether the n-th newest value in the range passed.
pub(super) fn latest_passes(seen: Seen<'_>, asked: &Latest<Watched>) -> Result<bool, Unknown> {
    let range = seen.range_of(asked.of, asked.ago);
    let mut inside = seen.values(asked.of).newest().filter(|hit| {
        // Newest first, and nothing newer than the range is a hit: the n-th inside is the n-th
        // of all.
        range.contains(hit.entry.time_ms())
    });
    let nth = inside.nth(usize::from(asked.nth) - 1);
    // What was pushed out is older than the n-th, unless a copy told that newer ones happened
    // earlier.
    let gap = match nth {
        Some(_) => seen.uncovered(asked.of).filter(|gap| gap.reaches(range)),
        None => seen.gap(asked.of, range),
    };
    match (nth, gap) {
        (Some(hit), Some(gap)) if hit.entry.time_ms() <= gap.until_ms => Err(gap.why),
        (None, Some(gap)) => Err(gap.why),
        (nth, _) => Ok(nth.is_some_and(|hit| hit.value == Value::PASSED)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;
    use schemas::ids::MatcherId;
    use schemas::lookup::{Coverage, Facts};
    use schemas::window::{Entry, FOREVER_MS, Kept};

    use super::*;

    const FIRST: Watched = Watched {
        matcher: MatcherId(0),
        kept: Kept { keep: Keep::Earliest, k: 1, horizon_ms: FOREVER_MS },
        during: Range::EVER,
    };

    /// Where the clock skips the hour after two on 29 March 2026.
    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("a time zone")
    }

    fn date(text: &str) -> Date {
        Date::absolute(text).expect("a date")
    }

    /// Events are told apart by milliseconds; dates lie between them, or where the clock skips.
    #[test]
    fn a_date_is_compared_to_the_nanosecond() {
        let zone = berlin();
        let second = date("2026-03-29T00:00:01Z");
        let between = date("2026-03-29T00:00:01.000000001Z");
        let skipped = date("2026-03-29 02:30");
        let (first_ms, skipped_ms) = (1_774_742_401_000, 1_774_747_800_000);
        for (time_ms, then, answer) in [
            (first_ms - 1, Then::Before(second), true),
            (first_ms, Then::Before(second), false),
            (first_ms, Then::At(second), true),
            (first_ms - 1, Then::At(second), false),
            (first_ms, Then::After(second), false),
            (first_ms + 1, Then::After(second), true),
            (first_ms, Then::Before(between), true),
            (first_ms + 1, Then::Before(between), false),
            (first_ms, Then::At(between), false),
            (first_ms + 1, Then::At(between), false),
            (first_ms, Then::After(between), false),
            (first_ms + 1, Then::After(between), true),
            // Half past two isn't shown: it is half past three.
            (skipped_ms - 1, Then::Before(skipped), true),
            (skipped_ms, Then::Before(skipped), false),
            (skipped_ms, Then::At(skipped), true),
            (skipped_ms, Then::After(skipped), false),
            (skipped_ms + 1, Then::After(skipped), true),
            (first_ms, Then::Before(date("9999-12-31")), true),
            (first_ms, Then::After(date("9999-12-31")), false),
            // A day before this now is no time of that clock.
            (first_ms, Then::Before(Date::Back(1, 'd')), false),
            (first_ms, Then::After(Date::Back(1, 'd')), false),
        ] {
            let mut facts = Facts::default();
            facts.record.fold(FIRST.matcher, FIRST.kept, Entry::new(time_ms, 1).into());
            facts.coverage =
                Arc::new([(FIRST.matcher, Coverage::Since(i64::MIN))].into_iter().collect());
            // Half past two, a day after the clock skipped it.
            let seen =
                |facts| Seen { facts, zone: &zone, now_ms: skipped_ms - 3_600_000 + 86_400_000 };
            let asked = When { of: FIRST, then };
            assert_eq!(was(seen(&facts), &asked), Ok(answer), "{time_ms}, {then:?}");
        }
    }

    #[test]
    fn what_no_event_can_be_is_known_whatever_is_missing() {
        let zone = berlin();
        let filling = [(FIRST.matcher, Coverage::Filling { percent: 5 })];
        let coverage = Arc::new(filling.into_iter().collect());
        let facts = Facts { coverage, ..Facts::default() };
        // Half past two, a day after the clock skipped it.
        let seen = Seen { facts: &facts, zone: &zone, now_ms: 1_774_744_200_000 + 86_400_000 };
        for (then, answer) in [
            (Then::At(date("2026-03-29T00:00:01.0005Z")), Ok(false)),
            (Then::Before(Date::Back(1, 'd')), Ok(false)),
            (Then::After(Date::Back(1, 'd')), Ok(false)),
            (Then::At(date("2026-03-29T00:00:01Z")), Err(Unknown::Filling)),
        ] {
            assert_eq!(was(seen, &When { of: FIRST, then }), answer, "{then:?}");
        }
    }

    /// What the first and the last time would be, had something happened then besides.
    fn besides(found_ms: Option<i64>, missing_ms: Option<i64>) -> [Option<i64>; 2] {
        let times = || found_ms.into_iter().chain(missing_ms);
        [times().min(), times().max()]
    }

    #[test]
    fn an_edge_is_certain_exactly_if_nothing_that_may_be_missing_changes_it() {
        let found = (2..=8).map(Some).chain([None]);
        let missing_until = || (1..=9).map(Some).chain([None]);
        let ranges = [(i64::MIN, 5), (3, 5), (3, i64::MAX)];
        let asked = found.flat_map(|found_ms| missing_until().map(move |gap| (found_ms, gap)));
        for (found_ms, missing_until_ms) in asked {
            for (after_ms, until_ms) in ranges {
                let range = Range { after_ms, until_ms };
                let gap = missing_until_ms.map(|until_ms| Gap { until_ms, why: Unknown::Coverage });
                let was = [first_was(found_ms, gap, range), last_was(found_ms, gap, range)];
                let maybe =
                    missing_until_ms.into_iter().flat_map(|until_ms| (0..=until_ms).map(Some));
                let moments: Vec<_> =
                    maybe.chain([None]).map(|missing| besides(found_ms, missing)).collect();
                for (at, was) in was.into_iter().enumerate() {
                    let is_inside = |moments: &[Option<i64>; 2]| {
                        moments[at].is_some_and(|time_ms| range.contains(time_ms))
                    };
                    let certain = match moments.iter().filter(|all| is_inside(all)).count() {
                        0 => Ok(false),
                        all if all == moments.len() => Ok(true),
                        _ => Err(Unknown::Coverage),
                    };
                    let which = ["first", "last"][at];
                    assert_eq!(was, certain, "{which} of {found_ms:?}, {range:?}, {gap:?}");
                }
            }
        }
    }
}
