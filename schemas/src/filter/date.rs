//! Dates as properties and filters tell them: instants, times on the project's clock, or so long
//! ago. The rules are those of PostHog's server.

use jiff::civil::{self, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::Moment;
use crate::time::split_unit;

const MILLISECOND_NS: i128 = 1_000_000;
const SECOND_NS: i128 = 1_000 * MILLISECOND_NS;
/// Numbers of relative dates are below this.
const BACK_END: i64 = 10_000;
/// The seconds since 1970 that PostHog takes for an instant: the years -262143 to 262142.
const SECONDS: std::ops::RangeInclusive<i64> = -8_334_601_228_800..=8_210_266_876_799;

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    /// An instant, in nanoseconds since 1970.
    At(i128),
    /// What the clock shows in the project's time zone.
    Wall(DateTime),
    /// So many hours, days, weeks, months or years (`h`, `d`, `w`, `m`, `y`) before now, by the
    /// calendar and the clock of the project's time zone.
    Back(i64, char),
    /// So many milliseconds before now.
    Ago(i64),
}

impl Date {
    /// A date as a filter of PostHog's has it.
    pub fn parse(text: &str) -> Option<Date> {
        relative(text).or_else(|| Date::absolute(text)).or_else(|| epoch(text))
    }

    /// RFC 3339, or a date, or a date and a time that has no zone.
    pub fn absolute(text: &str) -> Option<Date> {
        let (date, rest) = day(text)?;
        let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
            return rest.is_empty().then(|| Date::Wall(date.at(0, 0, 0, 0)));
        };
        let (time, rest) = time(rest)?;
        let wall = date.to_datetime(time);
        if rest.is_empty() {
            return Some(Date::Wall(wall));
        }
        let offset_s = offset_s(rest)?;
        let utc_ns = TimeZone::UTC.to_timestamp(wall).ok()?.as_nanosecond();
        Some(Date::At(utc_ns - i128::from(offset_s) * SECOND_NS))
    }

    /// The first instant that isn't part of a date, of those that [`Date::absolute`] reads: a day
    /// alone is all of it.
    pub fn end_of(text: &str) -> Option<Date> {
        let is_day = day(text)?.1.is_empty();
        let more = if is_day { Span::new().days(1) } else { Span::new().nanoseconds(1) };
        Some(match Date::absolute(text)? {
            Date::Wall(wall) => Date::Wall(wall.checked_add(more).unwrap_or(DateTime::MAX)),
            Date::At(instant_ns) => Date::At(instant_ns + 1),
            date => date,
        })
    }

    /// The date that a property holds; a number, also as text, is seconds since 1970.
    pub fn of(value: &Value) -> Option<Date> {
        match value {
            Value::Number(seconds) => of_seconds(seconds.as_f64()?),
            Value::String(text) => match text.parse() {
                Ok(seconds) => of_seconds(seconds),
                Err(_) => Date::parse(text),
            },
            _ => None,
        }
    }

    /// The date of an instant in epoch milliseconds.
    pub fn of_ms(time_ms: i64) -> Date {
        Date::At(i128::from(time_ms) * MILLISECOND_NS)
    }

    /// Whether it depends on the moment.
    pub fn is_relative(&self) -> bool {
        matches!(self, Date::Back(..) | Date::Ago(_))
    }

    /// The instant that it is, in nanoseconds since 1970. None for a time that the clock never
    /// shows; of one that it shows twice it is the earlier.
    pub fn instant_ns(&self, moment: Moment<'_>) -> Option<i128> {
        match self {
            Date::At(instant_ns) => Some(*instant_ns),
            Date::Wall(wall) => on_clock_ns(*wall, moment.zone),
            Date::Back(number, unit) => {
                let now = Timestamp::from_millisecond(moment.now_ms).ok()?;
                let wall = back(moment.zone.to_datetime(now), *number, *unit)?;
                on_clock_ns(wall, moment.zone)
            }
            Date::Ago(ago_ms) => {
                let then_ms = i128::from(moment.now_ms) - i128::from(*ago_ms);
                Some(then_ms * MILLISECOND_NS)
            }
        }
    }

    /// The last millisecond that isn't after the date, and the first that isn't before it: events
    /// have no finer time, and dates do. A time that the clock skips is as long after the skip, as
    /// RFC 5545 has it, and the end of the last year that there is never comes; none for a date so
    /// long ago that the clock didn't show.
    pub fn around_ms(&self, moment: Moment<'_>) -> Option<(i64, i64)> {
        let instant_ns = match self {
            Date::Wall(wall) => match moment.zone.to_ambiguous_timestamp(*wall).compatible() {
                Ok(shown) => shown.as_nanosecond(),
                Err(_) => return Some((i64::MAX, i64::MAX)),
            },
            date => date.instant_ns(moment)?,
        };
        let last_ms = i64::try_from(instant_ns.div_euclid(MILLISECOND_NS)).ok()?;
        Some((last_ms, last_ms + i64::from(instant_ns.rem_euclid(MILLISECOND_NS) > 0)))
    }

    /// The instants in epoch milliseconds around which this date and another pass each other,
    /// where one of them moves on with now. A date that lies so many months back doesn't move
    /// evenly: it stands at the end of a short month, and begins that day anew.
    pub fn meets_ms(&self, other: &Date, moment: Moment<'_>) -> Vec<i64> {
        let (moving, fixed) = match (self.is_relative(), other.is_relative()) {
            (true, false) => (self, other),
            (false, true) => (other, self),
            _ => return Vec::new(),
        };
        let Some(fixed_ns) = fixed.instant_ns(moment) else { return Vec::new() };
        let around = |at_ms: i64| [at_ms.saturating_sub(1), at_ms, at_ms.saturating_add(1)];
        match moving {
            Date::Ago(ago_ms) => {
                let fixed_ms = i64::try_from(fixed_ns.div_euclid(MILLISECOND_NS));
                let meet_ms = fixed_ms.ok().and_then(|fixed_ms| fixed_ms.checked_add(*ago_ms));
                meet_ms.into_iter().flat_map(around).collect()
            }
            Date::Back(number, unit) => {
                let meets = meets(fixed_ns, *number, *unit, moment);
                meets.into_iter().flat_map(around).collect()
            }
            Date::At(_) | Date::Wall(_) => Vec::new(),
        }
    }

    /// Equal for equal dates, and for no others.
    pub fn canonical(&self) -> Value {
        match self {
            Date::At(instant_ns) => json!(["at", instant_ns.to_string()]),
            Date::Wall(wall) => json!(["wall", wall.to_string()]),
            Date::Back(number, unit) => json!(["back", number, unit]),
            Date::Ago(ago_ms) => json!(["ago", ago_ms]),
        }
    }
}

fn on_clock_ns(wall: DateTime, zone: &TimeZone) -> Option<i128> {
    let offset = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { before, .. } => before,
        AmbiguousOffset::Gap { .. } => return None,
    };
    offset.to_timestamp(wall).ok().map(Timestamp::as_nanosecond)
}

/// `-7d`; the sign doesn't matter.
fn relative(text: &str) -> Option<Date> {
    let (digits, unit) = split_unit(text.strip_prefix('-').unwrap_or(text))?;
    let number = digits.parse().ok().filter(|number| *number < BACK_END)?;
    matches!(unit, 'h' | 'd' | 'w' | 'm' | 'y').then_some(Date::Back(number, unit))
}

/// Months and years are gone back one by one, each time to the month's last day at most: a month
/// before 31 March is the end of February, and two months before it the same day of January.
fn back(wall: DateTime, number: i64, unit: char) -> Option<DateTime> {
    let hours = match unit {
        'h' => number,
        'd' => 24 * number,
        'w' => 7 * 24 * number,
        _ => {
            let mut date = wall.date();
            for _ in 0..number {
                date = match (unit, date.month()) {
                    ('m', 2..) => in_month(date.year(), date.month() - 1, date.day())?,
                    ('m', _) => in_month(date.year().checked_sub(1)?, 12, date.day())?,
                    _ => in_month(date.year().checked_sub(1)?, date.month(), date.day())?,
                };
            }
            return Some(date.to_datetime(wall.time()));
        }
    };
    wall.checked_sub(jiff::SignedDuration::from_hours(hours)).ok()
}

/// When a date so long before now may pass an instant, begin the instant's day anew, or be a time
/// that the clock skips: on the days around those that lie as long after it.
fn meets(instant_ns: i128, number: i64, unit: char, moment: Moment<'_>) -> Vec<i64> {
    let span = match unit {
        'h' => Span::new().try_hours(number),
        'd' => Span::new().try_days(number),
        'w' => Span::new().try_weeks(number),
        'm' => Span::new().try_months(number),
        _ => Span::new().try_years(number),
    };
    let (Ok(span), zone) = (span, moment.zone) else { return Vec::new() };
    let mut walls: Vec<DateTime> =
        Timestamp::from_nanosecond(instant_ns).iter().map(|i| zone.to_datetime(*i)).collect();
    walls.extend(next_skip(number, unit, moment));
    let mut meets = Vec::new();
    for later in walls.iter().filter_map(|wall| wall.checked_add(span).ok()) {
        for day in (-1..=4).filter_map(|n| later.checked_add(Span::new().days(n)).ok()) {
            for wall in [day, day.date().at(0, 0, 0, 0)] {
                let shown = zone.to_ambiguous_timestamp(wall);
                let both = [shown.earlier(), shown.later()].into_iter().flatten();
                meets.extend(both.map(Timestamp::as_millisecond));
            }
        }
    }
    meets
}

/// What the clock shows before and after the next two times that it is changed, counted from so
/// long before now: where it is changed at all, the next skip is one of them.
fn next_skip(number: i64, unit: char, moment: Moment<'_>) -> Vec<DateTime> {
    let zone = moment.zone;
    let now = Timestamp::from_millisecond(moment.now_ms).ok();
    let then = now.and_then(|now| back(zone.to_datetime(now), number, unit));
    let Some(then) = then.and_then(|then| zone.to_ambiguous_timestamp(then).earlier().ok()) else {
        return Vec::new();
    };
    let day_before = then.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(then);
    let changes = zone.following(day_before).take(2);
    let edges = changes.filter_map(|change| {
        let instant = change.timestamp();
        let before = instant.checked_sub(jiff::SignedDuration::from_millis(1)).ok()?;
        Some([zone.to_datetime(before), zone.to_datetime(instant)])
    });
    edges.flatten().collect()
}

fn in_month(year: i16, month: i8, day: i8) -> Option<civil::Date> {
    let first = civil::Date::new(year, month, 1).ok()?;
    civil::Date::new(year, month, day.min(first.days_in_month())).ok()
}

/// A filter's number: seconds, milliseconds or nanoseconds since 1970, told by its length.
fn epoch(text: &str) -> Option<Date> {
    let number: i128 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    match text.len() {
        10 => Some(Date::At(number * SECOND_NS)),
        13 => Some(Date::At(number * MILLISECOND_NS)),
        19 => Some(Date::At(number)),
        _ => None,
    }
}

fn of_seconds(seconds: f64) -> Option<Date> {
    let whole = seconds.floor() as i64;
    let nanos = ((seconds % 1.0) * 1e9).round() as u32;
    let instant_ns = i128::from(whole) * SECOND_NS + i128::from(nanos);
    SECONDS.contains(&whole).then_some(Date::At(instant_ns))
}

/// `YYYY-MM-DD`, and what follows it.
fn day(text: &str) -> Option<(civil::Date, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let date = civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    Some((date, rest))
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f…`, and what follows it. A leap second counts as the
/// second before it.
fn time(text: &str) -> Option<(civil::Time, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (mut second, mut nanos) = (0, 0);
    if let Some(seconds) = rest.strip_prefix(':') {
        (second, rest) = digits(seconds, 2)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let told = &fraction[..end.min(9)];
            nanos = format!("{told:0<9}").parse().ok().filter(|_| end > 0)?;
            rest = &fraction[end..];
        }
    }
    let second = if second == 60 { 59 } else { second };
    let time = civil::Time::new(hour as i8, minute as i8, second as i8, nanos).ok()?;
    Some((time, rest))
}

/// `Z`, `+01:30`, `+0130` or `+01` in seconds.
fn offset_s(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, rest) = digits(text.strip_prefix(['+', '-'])?, 2)?;
    let (minutes, rest) = match rest {
        "" => (0, ""),
        rest => digits(rest.strip_prefix(':').unwrap_or(rest), 2)?,
    };
    let is_offset = hours < 24 && minutes < 60 && rest.is_empty();
    is_offset.then_some(sign * (hours * 60 + minutes) * 60)
}

/// So many digits as a number, and what follows them.
fn digits(text: &str, count: usize) -> Option<(i32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| is_number)?, rest))
}
