//! Dates, with what PostHog's server makes of them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::check;
use crate::comparison::Comparison;
use crate::filter::Date;
use crate::filter::{Filter, Moment, PropertyMatching};
use crate::time::{DAY_MS, HOUR_MS};

#[test]
#[rustfmt::skip]
fn dates_are_instants_before_after_and_at() {
    let gone = "<missing>";
    check(
        "is_date_before", json!("2022-05-01"),
        json!(["2022-04-30", "2022-05-01 00:30:00+01:00", 1_651_276_800, "1651276800"]),
        json!([gone, null, "2022-05-01", "2022-05-02", true, "yesterday", "", [], 1_747_793_088]),
    );
    check(
        "is_date_after", json!("2022-05-01"),
        json!(["2022-05-02", "2022-05-01T00:00:00.001", 1_747_793_088.5, "1747793088"]),
        json!([gone, null, "2022-05-01", "2022-04-30", "not a date", {}]),
    );
    check(
        "is_date_exact", json!("2022-05-01"),
        json!(["2022-05-01", "2022-05-01 00:00", "2022-05-01T02:00:00+02:00", 1_651_363_200]),
        json!([gone, "2022-05-01T00:00:00.000000001Z", 1_651_363_200_000_i64]),
    );
    check(
        "is_date_exact",
        json!("2022-05-01T23:59:60"),
        json!(["2022-05-02T01:29:59+01:30", "2022-05-01T22:29:59-0130", "2022-05-02T00:59:59+01"]),
        json!(["2022-05-02", "2022-05-01T23:59:60.5"]),
    );
    check(
        "is_date_exact",
        json!("2022-05-01T10:00:00.1234567891"),
        json!(["2022-05-01T10:00:00.123456789", "2022-05-02T09:59:00.123456789+23:59"]),
        json!(["2022-05-01T10:00:00.123456788"]),
    );
    check(
        "is_date_after",
        json!("2026-01-01 18:00:00"),
        json!(["2026-01-01T18:00:01Z"]),
        json!([gone, "2026-01-01 17:59"]),
    );
}

/// What a filter asks with may be wrong too: then no date compares with it.
#[test]
fn a_filter_without_a_date_passes_nothing() {
    let rows = [
        json!("bazinga"),
        json!("2022-13-01"),
        json!("2022-02-29"),
        json!("2022-05-01T25:00"),
        json!("2022-05-01T10:00:00+24:00"),
        json!("2022-05-01T10:00:00+10:60"),
        json!("2022-05-01T10:00:61"),
        json!("2022-05-01T10:00:00."),
        json!("2022-05-01T+1:00"),
        json!("2022-05-01x"),
        json!("22-05-01"),
        json!("-10000d"),
        json!("-7x"),
        json!("7.5d"),
        json!("-5M"),
        json!("165136320"),
        json!(1_651_363_200),
        json!(null),
    ];
    for value in rows {
        for operator in ["is_date_before", "is_date_after", "is_date_exact"] {
            check(operator, value.clone(), json!([]), json!(["<missing>", 0, "2022-05-01"]));
        }
    }
}

/// Numbers of properties are seconds; those of filters tell by their length what they are.
#[test]
fn numbers_are_seconds_since_1970() {
    let at = |value: Value| match Date::of(&value) {
        Some(Date::At(instant_ns)) => Some(instant_ns),
        _ => None,
    };
    assert_eq!(at(json!(0)), Some(0));
    assert_eq!(at(json!("1.5")), Some(1_500_000_000));
    assert_eq!(at(json!(-1)), Some(-1_000_000_000));
    assert_eq!(at(json!(1_700_000_000_000_i64)), Some(1_700_000_000_000_000_000_000));
    assert_eq!(at(json!("2024")), Some(2_024_000_000_000), "no year, but seconds");
    assert_eq!(at(json!(1e13)), None, "no instant that PostHog knows");
    assert_eq!(at(json!("inf")), None);
    let asked = |text| Date::parse(text);
    assert_eq!(asked("1511648546"), Some(Date::At(1_511_648_546_000_000_000)));
    assert_eq!(asked("1620021848429"), Some(Date::At(1_620_021_848_429_000_000)));
    assert_eq!(asked("1620024872717915000"), Some(Date::At(1_620_024_872_717_915_000)));
    assert_eq!(asked("+151164854"), None);
}

/// Each row: now, the relative date, and the instant that it is; all in this zone.
fn check_relative(zone: &str, rows: &[(&str, &str, Option<&str>)]) {
    let zone = TimeZone::get(zone).expect("a time zone");
    for (now, text, expected) in rows {
        let now_ms = now.parse::<Timestamp>().expect("an instant").as_millisecond();
        let date = Date::parse(text).expect("a relative date");
        let instant_ns = date.instant_ns(Moment { now_ms, zone: &zone });
        let told = instant_ns.map(|ns| Timestamp::from_nanosecond(ns).expect("one").to_string());
        assert_eq!(told.as_deref(), *expected, "{text} at {now}");
    }
}

#[test]
#[rustfmt::skip]
fn relative_dates_lie_in_the_past() {
    let now = "2020-01-01T12:01:20.134Z";
    check_relative("UTC", &[
        (now, "1h", Some("2020-01-01T11:01:20.134Z")),
        (now, "-30h", Some("2019-12-31T06:01:20.134Z")),
        (now, "000h", Some("2020-01-01T12:01:20.134Z")),
        (now, "-1d", Some("2019-12-31T12:01:20.134Z")),
        (now, "30d", Some("2019-12-02T12:01:20.134Z")),
        (now, "-8w", Some("2019-11-06T12:01:20.134Z")),
        (now, "1m", Some("2019-12-01T12:01:20.134Z")),
        (now, "-8m", Some("2019-05-01T12:01:20.134Z")),
        (now, "12m", Some("2019-01-01T12:01:20.134Z")),
        (now, "-8y", Some("2012-01-01T12:01:20.134Z")),
        ("2020-04-03T00:00:00Z", "8m", Some("2019-08-03T00:00:00Z")),
        ("2020-03-31T12:00:00Z", "1m", Some("2020-02-29T12:00:00Z")),
        ("2019-03-31T12:00:00Z", "1m", Some("2019-02-28T12:00:00Z")),
        // Step by step: once clamped, the day stays.
        ("2019-03-31T12:00:00Z", "2m", Some("2019-01-28T12:00:00Z")),
        ("2020-02-29T12:00:00Z", "1y", Some("2019-02-28T12:00:00Z")),
        ("2020-02-29T12:00:00Z", "4y", Some("2016-02-28T12:00:00Z")),
        (now, "9999y", Some("-007979-01-01T12:01:20.134Z")),
        (now, "9999m", Some("1186-10-01T12:01:20.134Z")),
    ]);
}

/// "Seven days ago" is the same time of the clock where the project lives.
#[test]
#[rustfmt::skip]
fn relative_dates_follow_the_projects_clock() {
    check_relative("America/Los_Angeles", &[
        ("2024-06-10T09:00:00Z", "-7d", Some("2024-06-03T09:00:00Z")),
        // The clock went an hour ahead on 10 March.
        ("2024-03-12T09:00:00Z", "-7d", Some("2024-03-05T10:00:00Z")),
        // 02:30 of 10 March never was; 01:30 of 3 November was twice, and the first counts.
        ("2024-03-11T09:30:00Z", "-1d", None),
        ("2024-11-04T09:30:00Z", "-1d", Some("2024-11-03T08:30:00Z")),
    ]);
}

#[test]
fn times_without_a_zone_are_the_projects() {
    let zone = TimeZone::get("America/Los_Angeles").expect("a time zone");
    let moment = Moment { now_ms: 0, zone: &zone };
    let passes = |asked: &str, told: &str| {
        let filter = Filter::compile("p", "is_date_exact", &json!(asked), PropertyMatching::V1);
        filter.expect("a filter").matches(Some(&json!(told)), moment)
    };
    assert!(passes("2024-06-03", "2024-06-03T07:00:00Z"));
    assert!(passes("2024-06-03 02:00", "2024-06-03T09:00:00Z"));
    assert!(passes("2024-06-03T09:00:00Z", "2024-06-03 02:00:00.000"));
    assert!(passes("2024-06-03", "2024-06-03"));
    assert!(passes("2024-11-03T01:30", "2024-11-03T08:30:00Z"), "the earlier of two");
    assert!(!passes("2024-03-10T02:30", "2024-03-10T02:30"), "a time that never was");
}

#[test]
fn a_property_may_be_a_relative_date_too() {
    check("is_date_before", json!("-7d"), json!(["-8d", "8d"]), json!(["-6d", "-7d"]));
    let now = ["2026-03-31T10:00:00.5Z", "2026-03-24T10:00:00.5Z", "2026-03-24T10:00:00.501Z"];
    check("is_date_after", json!("-7d"), json!([now[0], now[2]]), json!([now[1], "2026-03-23"]));
}

/// Between two turns nothing changes, whatever the date is and however it moves.
#[test]
fn answers_change_at_turns_only() {
    let zone = TimeZone::get("Europe/Berlin").expect("a time zone");
    let began_ms = 1_774_000_000_000;
    let told = [json!("2026-02-28T13:07:00.5+01:00"), json!("2026-03-24"), json!(1_774_440_000.25)];
    let asked = ["-1m", "-3d", "-30h", "-1w", "-2m", "-1y"].map(Date::parse);
    let asked = asked.into_iter().chain([Some(Date::Ago(3 * DAY_MS)), Date::parse("2026-02-28")]);
    let mut changes = 0;
    for (value, date) in asked.flat_map(|date| told.iter().map(move |v| (v, date))) {
        for comparison in [Comparison::Less, Comparison::Greater] {
            let filter = Filter::dated("p", comparison, date.expect("a date"));
            let at = |now_ms| Moment { now_ms, zone: &zone };
            let turns = filter.turns_ms(value, at(began_ms));
            let mut held = filter.matches(Some(value), at(began_ms));
            // A step that meets minutes, and every millisecond around those that are told.
            let mut instants: Vec<i64> = (0..60 * 24).map(|n| began_ms + n * HOUR_MS).collect();
            instants.extend(turns.iter().flat_map(|turn_ms| turn_ms - 2..=turn_ms + 2));
            instants.retain(|at_ms| *at_ms >= began_ms);
            instants.sort_unstable();
            let mut before_ms = began_ms;
            for at_ms in instants {
                let holds = filter.matches(Some(value), at(at_ms));
                let told = turns.iter().any(|turn| (before_ms + 1..=at_ms).contains(turn));
                assert!(holds == held || told, "{value} {date:?} at {at_ms}");
                changes += i32::from(holds != held);
                (held, before_ms) = (holds, at_ms);
            }
        }
    }
    assert!(changes > 20, "{changes} changes were seen");
}
