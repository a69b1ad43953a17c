//! Periods: in how many of the last hours, days or weeks there was an event.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use schemas::behaviour::{Period, Regularly, Watched};
use schemas::time::HOUR_MS;
use schemas::unknown::Unknown;
use schemas::window::Range;

use super::{Gap, Seen};

/// Whether there was an event in enough of the last periods.
pub(super) fn holds(seen: Seen<'_>, asked: &Regularly<Watched>) -> Result<bool, Unknown> {
    let Counted { with, maybe, gap } = counted(seen, asked);
    match gap {
        _ if with >= asked.at_least => Ok(true),
        Some(gap) if with + maybe >= asked.at_least => Err(gap.why),
        _ => Ok(false),
    }
}

/// In how many of the last periods there was an event.
pub(super) struct Counted {
    /// Certainly.
    pub with: u16,
    /// Perhaps, besides.
    pub maybe: u16,
    /// What may be missing.
    gap: Option<Gap>,
}

/// In how many of the last periods there was an event, and may have been one.
pub(super) fn counted(seen: Seen<'_>, asked: &Regularly<Watched>) -> Counted {
    let times: Vec<i64> = seen.window(asked.of).entries().map(|entry| entry.time_ms()).collect();
    let gap = seen.uncovered_or_lost(asked.of);
    let (mut with, mut maybe) = (0, 0);
    for range in periods(seen.now_ms, seen.zone, asked.period, asked.of_last) {
        // Newest first: the first that isn't after the range's end.
        let at = times.partition_point(|time_ms| *time_ms > range.until_ms);
        if times.get(at).is_some_and(|time_ms| range.contains(*time_ms)) {
            with += 1;
        } else if gap.is_some_and(|gap| gap.reaches(range)) {
            maybe += 1;
        }
    }
    Counted { with, maybe, gap }
}

/// The last `count` periods, the current one first.
pub(super) fn periods(now_ms: i64, zone: &TimeZone, period: Period, count: u16) -> Vec<Range> {
    if let Period::Back(length_ms) = period {
        let edge = |n: u16| now_ms.saturating_sub(length_ms.saturating_mul(n.into()));
        let range =
            |n| Range { after_ms: edge(n + 1), until_ms: if n == 0 { i64::MAX } else { edge(n) } };
        return (0..count).map(range).collect();
    }
    let mut ranges = Vec::with_capacity(count.into());
    let mut until_ms = i64::MAX;
    let mut inside_ms = now_ms;
    for _ in 0..count {
        let Some(start_ms) = start_ms(inside_ms, zone, period) else {
            break;
        };
        // Its first instant belongs to a period: midnight to the day that begins.
        ranges.push(Range { after_ms: start_ms - 1, until_ms });
        (until_ms, inside_ms) = (start_ms - 1, start_ms - 1);
    }
    ranges
}

/// When the period that an instant lies in ends, the first instant of the next; none for periods
/// that are counted back.
pub(super) fn next_start_ms(inside_ms: i64, zone: &TimeZone, period: Period) -> Option<i64> {
    let inside = Timestamp::from_millisecond(inside_ms).ok()?.to_zoned(zone.clone());
    match period {
        Period::Hour => {
            let offset_ms = i64::from(inside.offset().seconds()) * 1_000;
            let hour = (inside_ms + offset_ms).div_euclid(HOUR_MS) + 1;
            let changed = zone.following(inside.timestamp()).next();
            let changed_ms = changed.map(|changed| changed.timestamp().as_millisecond());
            let next_ms = hour * HOUR_MS - offset_ms;
            Some(changed_ms.map_or(next_ms, |changed_ms| changed_ms.min(next_ms)))
        }
        Period::Day => start_of_day_ms(&inside.tomorrow().ok()?),
        Period::Week => {
            let days = 7 - inside.weekday().since(Weekday::Monday);
            start_of_day_ms(&inside.checked_add(days.days()).ok()?)
        }
        Period::Back(_) => None,
    }
}

/// When the period that an instant lies in began.
fn start_ms(inside_ms: i64, zone: &TimeZone, period: Period) -> Option<i64> {
    let inside = Timestamp::from_millisecond(inside_ms).ok()?.to_zoned(zone.clone());
    match period {
        Period::Hour => start_of_hour_ms(&inside),
        Period::Day => start_of_day_ms(&inside),
        Period::Week => {
            let days = inside.weekday().since(Weekday::Monday);
            start_of_day_ms(&inside.checked_sub(days.days()).ok()?)
        }
        Period::Back(_) => None,
    }
}

/// The clock's hour, however it was set then. Where clocks change within an hour, as they do on
/// Lord Howe Island and the Chatham Islands, two hours meet there.
fn start_of_hour_ms(inside: &Zoned) -> Option<i64> {
    let (inside_ms, zone) = (inside.timestamp().as_millisecond(), inside.time_zone());
    let offset_ms = i64::from(inside.offset().seconds()) * 1_000;
    let start_ms = (inside_ms + offset_ms).div_euclid(HOUR_MS) * HOUR_MS - offset_ms;
    if zone.to_offset(Timestamp::from_millisecond(start_ms).ok()?) == inside.offset() {
        return Some(start_ms);
    }
    let after = Timestamp::from_millisecond(inside_ms + 1).ok()?;
    Some(zone.preceding(after).next()?.timestamp().as_millisecond())
}

fn start_of_day_ms(inside: &Zoned) -> Option<i64> {
    Some(inside.start_of_day().ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(now: &str, zone: &str, period: Period, count: u16) -> Vec<String> {
        let now: Timestamp = now.parse().expect("an instant");
        let zone = TimeZone::get(zone).expect("a time zone");
        let ranges = periods(now.as_millisecond(), &zone, period, count);
        let start = |range: &Range| Timestamp::from_millisecond(range.after_ms + 1);
        ranges.iter().map(|range| start(range).expect("an instant").to_string()).collect()
    }

    #[test]
    fn days_are_those_of_the_calendar_when_clocks_change() {
        // In Berlin the 29th of March 2026 has 23 hours, the 25th of October 25.
        let spring = starts("2026-03-30T10:00:00Z", "Europe/Berlin", Period::Day, 3);
        assert_eq!(
            spring,
            ["2026-03-29T22:00:00Z", "2026-03-28T23:00:00Z", "2026-03-27T23:00:00Z"]
        );
        let autumn = starts("2026-10-26T10:00:00Z", "Europe/Berlin", Period::Day, 3);
        assert_eq!(
            autumn,
            ["2026-10-25T23:00:00Z", "2026-10-24T22:00:00Z", "2026-10-23T22:00:00Z"]
        );
    }

    #[test]
    fn a_week_begins_on_monday_and_an_hour_with_the_clock() {
        let weeks = starts("2026-11-22T23:59:59Z", "UTC", Period::Week, 2);
        assert_eq!(weeks, ["2026-11-16T00:00:00Z", "2026-11-09T00:00:00Z"]);
        let hours = starts("2026-11-21T05:45:00Z", "Asia/Kolkata", Period::Hour, 2);
        assert_eq!(hours, ["2026-11-21T05:30:00Z", "2026-11-21T04:30:00Z"]);
    }

    #[test]
    fn an_hour_ends_where_clocks_change() {
        // On Lord Howe Island, 02:00 became 01:30; on the Chatham Islands, 02:45 became 03:45.
        let back = starts("2026-04-04T15:10:00Z", "Australia/Lord_Howe", Period::Hour, 3);
        assert_eq!(back, ["2026-04-04T15:00:00Z", "2026-04-04T14:00:00Z", "2026-04-04T13:00:00Z"]);
        let ahead = starts("2026-09-26T14:15:00Z", "Pacific/Chatham", Period::Hour, 3);
        assert_eq!(ahead, ["2026-09-26T14:15:00Z", "2026-09-26T14:00:00Z", "2026-09-26T13:15:00Z"]);
    }

    #[test]
    fn midnight_belongs_to_the_day_that_begins() {
        let now_ms = 1_795_219_200_000; // 2026-11-21T00:00:00Z
        let days = periods(now_ms, &TimeZone::UTC, Period::Day, 2);
        assert!(days[0].contains(now_ms) && !days[1].contains(now_ms));
        assert!(days[1].contains(now_ms - 1) && !days[0].contains(now_ms - 1));
    }
}
