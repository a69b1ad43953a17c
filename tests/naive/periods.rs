//! Periods by what the calendar and the clock on the wall show, never by where one begins.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};

use super::question::Period;

/// No zone has changed its clocks by anything finer since the year 2000.
const QUARTER_MS: i64 = 15 * 60 * 1_000;

/// What all instants of a period have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// The date, the hour, and how the clock was set: an hour that is repeated is another one.
    Hour(Date, i8, Offset),
    Day(Date),
    /// The week's Monday.
    Week(Date),
    /// How many whole lengths ago.
    Back(i64),
}

/// The period that an instant lies in.
pub fn of(time_ms: i64, now_ms: i64, zone: &TimeZone, period: Period) -> Shown {
    // What is stamped ahead of now happens now.
    let time_ms = time_ms.min(now_ms);
    if let Period::Back(length_ms) = period {
        // An event of exactly one length ago is out of the last period, and in the one before.
        return Shown::Back((now_ms - time_ms) / length_ms);
    }
    let shown = zoned(time_ms, zone);
    match period {
        Period::Hour => Shown::Hour(shown.date(), shown.hour(), shown.offset()),
        Period::Week => Shown::Week(monday(shown.date())),
        _ => Shown::Day(shown.date()),
    }
}

/// The last `count` periods, the one that is now among them.
pub fn last(now_ms: i64, zone: &TimeZone, period: Period, count: u16) -> BTreeSet<Shown> {
    let here = of(now_ms, now_ms, zone, period);
    let mut periods = BTreeSet::from([here]);
    let mut walked = here;
    let mut walked_ms = now_ms;
    while periods.len() < usize::from(count) {
        walked = match walked {
            Shown::Back(ago) => Shown::Back(ago + 1),
            Shown::Day(date) => Shown::Day(date.yesterday().expect("a day")),
            Shown::Week(monday) => Shown::Week(monday.checked_sub(1.week()).expect("a week")),
            Shown::Hour(..) => {
                walked_ms -= QUARTER_MS;
                of(walked_ms, now_ms, zone, period)
            }
        };
        periods.insert(walked);
    }
    periods
}

fn monday(date: Date) -> Date {
    let mut date = date;
    while date.weekday() != Weekday::Monday {
        date = date.yesterday().expect("a day");
    }
    date
}

fn zoned(time_ms: i64, zone: &TimeZone) -> Zoned {
    let time = Timestamp::from_millisecond(time_ms).expect("a time within jiff's years");
    time.to_zoned(zone.clone())
}
