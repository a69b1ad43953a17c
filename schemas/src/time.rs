//! Instants and lengths of time as people and SDKs write them.

use std::sync::Arc;

/// The first instant that is taken for an event's time: 2000-01-01T00:00:00Z.
pub const YEAR_2000_MS: i64 = 946_684_800_000;
/// A second, a minute, an hour, a day, in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// See [`SECOND_MS`].
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// See [`SECOND_MS`].
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// See [`SECOND_MS`].
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest window, in milliseconds.
pub const WINDOW_MS_MAX: i64 = 400 * DAY_MS;

/// Tells epoch milliseconds; `main` makes the only real one.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why a text isn't a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// It isn't a whole number and a unit.
    #[error("a length is a whole number and one of s, m, h, d, w, such as `30s` or `5m`")]
    Malformed,
    /// It is too short or too long for a window.
    #[error("a window is between 1s and 400d long")]
    OutOfRange,
}

/// The milliseconds of a window's length, such as `30s`, `5m`, `2h`, `1d` or `4w`.
///
/// # Errors
/// See [`LengthError`].
pub fn parse_length_ms(text: &str) -> Result<i64, LengthError> {
    let (digits, unit) = split_unit(text).ok_or(LengthError::Malformed)?;
    let unit_ms = match unit {
        's' => SECOND_MS,
        'm' => MINUTE_MS,
        'h' => HOUR_MS,
        'd' => DAY_MS,
        'w' => 7 * DAY_MS,
        _ => return Err(LengthError::Malformed),
    };
    window_ms(digits, unit_ms).ok_or(LengthError::OutOfRange)
}

/// The milliseconds of a length of time that may be longer than any window, or shorter.
pub(crate) fn length_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ms)
}

/// A length of time in the largest unit up to days that says it exactly.
pub fn length(length_ms: i64) -> String {
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")];
    let exact = units.iter().find(|(unit_ms, _)| length_ms % unit_ms == 0);
    exact.map_or_else(
        || format!("{length_ms}ms"),
        |(unit_ms, name)| format!("{}{name}", length_ms / unit_ms),
    )
}

/// The milliseconds of PostHog's relative time, such as `-2h`, `-5M` (minutes) or `-1m` (a
/// month of 30 days); the sign is ignored. None if it is another form, or no window's length.
pub fn parse_relative_ms(text: &str) -> Option<i64> {
    let (digits, unit) = split_unit(text.strip_prefix('-').unwrap_or(text))?;
    let unit_ms = match unit {
        's' => SECOND_MS,
        'M' => MINUTE_MS,
        'h' => HOUR_MS,
        'd' => DAY_MS,
        'w' => 7 * DAY_MS,
        'm' => 30 * DAY_MS,
        'q' => 13 * 7 * DAY_MS,
        'y' => 365 * DAY_MS,
        _ => return None,
    };
    window_ms(digits, unit_ms)
}

/// The epoch milliseconds of an event's time, between the years 1 and 9999: RFC 3339, a date
/// and time without a zone (which is UTC), or a date. What is finer than a millisecond is cut.
pub fn parse_timestamp_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let days = days_since_1970(date)?;
    let (time_ms, offset_ms) = match rest {
        [] => (0, 0),
        [b'T' | b't' | b' ', time @ ..] => {
            let (time_ms, zone) = time_of_day_ms(time)?;
            (time_ms, zone_offset_ms(zone)?)
        }
        _ => return None,
    };
    Some(days * DAY_MS + time_ms - offset_ms)
}

/// A whole number as it is written, and the one character after it.
pub(crate) fn split_unit(text: &str) -> Option<(&str, char)> {
    let unit = text.chars().next_back()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some((digits, unit))
}

fn window_ms(digits: &str, unit_ms: i64) -> Option<i64> {
    let length_ms = digits.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    (SECOND_MS..=WINDOW_MS_MAX).contains(&length_ms).then_some(length_ms)
}

/// Days of `YYYY-MM-DD` since the epoch, by the rule that March begins the year.
fn days_since_1970(date: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=month_days).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    // 719,468 days lie between 1 March of the year 0 and the epoch.
    Some(days - 719_468)
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f…`, and what follows it. A leap second counts as the
/// second before it.
fn time_of_day_ms(time: &[u8]) -> Option<(i64, &[u8])> {
    let [h1, h2, b':', m1, m2, rest @ ..] = time else {
        return None;
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let (second, millis, rest) = match rest {
        [b':', s1, s2, rest @ ..] => {
            let (millis, rest) = fraction_ms(rest)?;
            (number(&[*s1, *s2])?, millis, rest)
        }
        _ => (0, 0, rest),
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = second.min(59);
    Some((hour * HOUR_MS + minute * MINUTE_MS + seconds * SECOND_MS + millis, rest))
}

fn fraction_ms(rest: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', fraction @ ..] = rest else {
        return Some((0, rest));
    };
    let end = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
    let (digits, rest) = fraction.split_at(end);
    let mut millis = [b'0'; 3];
    let kept = digits.len().min(3);
    millis[..kept].copy_from_slice(&digits[..kept]);
    if digits.is_empty() { None } else { Some((number(&millis)?, rest)) }
}

fn zone_offset_ms(zone: &[u8]) -> Option<i64> {
    let (sign, h, m) = match *zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, [h1, h2], [m1, m2]),
        [sign, h1, h2] => (sign, [h1, h2], [b'0'; 2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&h)?, number(&m)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset_ms = hours * HOUR_MS + minutes * MINUTE_MS;
    match sign {
        b'+' => Some(offset_ms),
        b'-' => Some(-offset_ms),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Some(number * 10 + i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{
        DAY_MS, HOUR_MS, LengthError, MINUTE_MS, SECOND_MS, WINDOW_MS_MAX, length_ms,
        parse_length_ms, parse_relative_ms, parse_timestamp_ms,
    };

    #[test]
    fn lengths_are_whole_numbers_with_a_unit() {
        let malformed = Err(LengthError::Malformed);
        let out_of_range = Err(LengthError::OutOfRange);
        let rows = [
            ("30s", Ok(30 * SECOND_MS)),
            ("5m", Ok(5 * MINUTE_MS)),
            ("2h", Ok(2 * HOUR_MS)),
            ("4w", Ok(28 * DAY_MS)),
            ("400d", Ok(WINDOW_MS_MAX)),
            ("0s", out_of_range),
            ("401d", out_of_range),
            ("99999999999999999999d", out_of_range),
            ("5", malformed),
            ("m", malformed),
            ("5 m", malformed),
            ("-5m", malformed),
            ("1.5h", malformed),
            ("5M", malformed),
            ("5é", malformed),
            ("", malformed),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_length_ms(text), expected, "{text}");
        }
        assert_eq!(length_ms("2w"), Some(14 * DAY_MS));
    }

    #[test]
    fn relative_times_are_posthogs() {
        let rows = [
            ("-2h", Some(2 * HOUR_MS)),
            ("-5M", Some(5 * MINUTE_MS)),
            ("-1m", Some(30 * DAY_MS)),
            ("-10s", Some(10 * SECOND_MS)),
            ("-1q", Some(91 * DAY_MS)),
            ("1y", Some(365 * DAY_MS)),
            ("-2y", None),
            ("-1dStart", None),
            ("2026-01-01", None),
            ("-", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_relative_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn timestamps_have_a_zone_or_are_utc() {
        let rows = [
            ("1970-01-01", Some(0)),
            ("2026-11-21T04:10:00.123Z", Some(1_795_234_200_123)),
            ("2026-11-21T04:10:00.123456789+00:00", Some(1_795_234_200_123)),
            ("2026-11-21 04:10:00.1", Some(1_795_234_200_100)),
            ("2026-11-21T04:10", Some(1_795_234_200_000)),
            ("2026-11-21t05:40:00+01:30", Some(1_795_234_200_000)),
            ("2026-11-20T23:10:00-0500", Some(1_795_234_200_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_799_000)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("9999-12-31T23:59:59.999-12:00", Some(253_402_343_999_999)),
            ("2000-02-29", Some(951_782_400_000)),
            ("2026-11-21T04:10:00+23:59", Some(1_795_234_200_000 - DAY_MS + MINUTE_MS)),
            ("2026-11-21T04:10:00+24:00", None),
            ("2026-11-21T04:10:00-00:60", None),
            ("2026-11-21T04:60:00Z", None),
            ("2026-11-21T04:10:61Z", None),
            ("1900-02-29", None),
            ("2026-04-31", None),
            ("2026-01-32", None),
            ("2026-01-00", None),
            ("0000-12-31", None),
            ("2023-02-29", None),
            ("2026-13-01", None),
            ("2026-11-21T24:00:00Z", None),
            ("2026-11-21T04:10:00.Z", None),
            ("2026-11-21T04:10:00Zebra", None),
            ("2026-11-21T04:10:00é", None),
            ("yesterday, at noon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_timestamp_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_a_day_after_the_last() {
        let mut date = jiff::civil::date(1899, 12, 31);
        let mut last_ms = parse_timestamp_ms("1899-12-31").expect("a date");
        while date.year() < 2300 {
            date = date.tomorrow().expect("a date");
            let next_ms = parse_timestamp_ms(&date.to_string()).expect("a date");
            assert_eq!(next_ms - last_ms, DAY_MS, "{date}");
            last_ms = next_ms;
        }
    }
}
