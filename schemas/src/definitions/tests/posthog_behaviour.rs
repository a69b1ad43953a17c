//! PostHog's behavioural conditions, form by form, and what they compile to.

use serde_json::{Value, json};

use super::aloud::aloud;
use super::posthog::body;
use super::posthog_cohort::behavioural;
use super::the_project;

/// Each row: what the leaf says beside `key: buy` and five minutes, then read aloud.
fn check(rows: &[(Value, &str)]) {
    for (more, expected) in rows {
        let cohort = json!({"type": "AND", "values": [behavioural(more.clone())]});
        let compiled = body(json!({"flags": [], "cohorts": {"1": cohort}}));
        let project = the_project(&compiled);
        let said = aloud(project, &project.cohorts[0].members);
        let said = said.trim_start_matches('(').to_owned();
        assert!(said.starts_with(expected), "{more}\n{said}\n{expected}");
    }
}

#[test]
fn a_window_may_have_ended() {
    check(&[
        (
            json!({"value": "performed_event", "explicit_datetime": "-2h",
                "explicit_datetime_to": "-1h"}),
            "count buy{each 1h 1 for 2h} in 2h..1h >= 1)",
        ),
        (
            json!({"explicit_datetime": "-3d", "explicit_datetime_to": "-1d"}),
            "count buy{each 2d 3 for 3d} in 3d..1d >= 3)",
        ),
        (
            json!({"explicit_datetime": "-1d", "explicit_datetime_to": "-3d"}),
            "not_supported: the time since \"-1d\" has no end after its beginning",
        ),
        (
            json!({"explicit_datetime_to": "-1d"}),
            "not_supported: `explicit_datetime_to` without `explicit_datetime`",
        ),
        (
            json!({"operator_value": 682, "explicit_datetime": "-400d",
                "explicit_datetime_to": "-1d"}),
            "count buy{each 399d 682 for 400d}",
        ),
        (
            json!({"operator_value": 100, "explicit_datetime": "-400d",
                "explicit_datetime_to": "-399d"}),
            "not_supported: this may take 80400 entries of one person, and 4096 are kept",
        ),
    ]);
}

/// Each end a date, or so long ago. A day that is the end is in; a time is the last instant.
#[test]
fn a_window_may_begin_and_end_at_dates() {
    let dated = |value: &str, from: &str, to: Option<&str>| {
        json!({"value": format!("performed_event{value}"), "explicit_datetime": from,
            "explicit_datetime_to": to, "seq_event": "pay", "seq_event_type": "events",
            "seq_time_value": 1, "seq_time_interval": "hour"})
    };
    let (day, time) = ("2026-01-01", "2026-02-01T18:00:00Z");
    check(&[
        (
            dated("", day, None),
            "count buy{newest 1 for ever, after 2026-01-01T00:00:00Z} in ever..0 >= 1",
        ),
        (
            dated("_multiple", day, Some("2026-01-31")),
            "count buy{newest 3 for ever, after 2026-01-01T00:00:00Z, \
             until 2026-01-31T23:59:59.999Z} in ever..0 >= 3",
        ),
        (
            dated("_multiple", "-30d", Some(time)),
            "count buy{newest 3 for 30d, until 2026-02-01T18:00:00Z} in 30d..0 >= 3",
        ),
        (
            dated("_multiple", "2026-01-01T06:00:00+06:00", Some("2026-02-01T18:00:00.0005Z")),
            "count buy{newest 3 for ever, after 2026-01-01T00:00:00Z, \
             until 2026-02-01T18:00:00Z} in ever..0 >= 3",
        ),
        (
            dated("_multiple", day, Some("9999-12-31")),
            "count buy{newest 3 for ever, after 2026-01-01T00:00:00Z, until 922",
        ),
        // What there was until then may be pushed out by what there is since.
        (
            dated("_multiple", day, Some("-1d")),
            "count buy{newest 256 for ever, after 2026-01-01T00:00:00Z} in ever..1d >= 3",
        ),
        (
            dated("_sequence", day, Some(day)),
            "buy{newest 256 for ever, after 2026-01-01T00:00:00Z, \
             until 2026-01-01T23:59:59.999Z} → \
             pay{newest 256 for ever, after 2026-01-01T00:00:00Z, \
             until 2026-01-01T23:59:59.999Z} after 0..1h in ever..0",
        ),
    ]);
}

#[test]
fn the_first_time_may_lie_between_dates() {
    let (day, value) = ("2026-01-01", "performed_event_first_time");
    let first = |from: &str, to: Option<&str>| {
        json!({"value": value, "explicit_datetime": from,
            "explicit_datetime_to": to})
    };
    check(&[
        (
            first("2026-01-01T18:00:00Z", None),
            "when buy{earliest 1 for ever} after 2026-01-01T18:00:00Z",
        ),
        (
            first(day, Some("2026-01-31 18:00")),
            "when buy{earliest 1 for ever} after 2026-01-01T00:00:00 and \
             when buy{earliest 1 for ever} before 2026-01-31T18:00:00.000000001",
        ),
        (
            first(day, Some("-1d")),
            "when buy{earliest 1 for ever} after 2026-01-01T00:00:00 and \
             when buy{earliest 1 for ever} in ever..1d",
        ),
        (
            first("-30d", Some(day)),
            "when buy{earliest 1 for ever} before 2026-01-02T00:00:00 and \
             when buy{earliest 1 for ever} in 30d..0",
        ),
    ]);
}

#[test]
fn what_is_no_end_of_a_window_is_refused() {
    let dated = |from: &str, to: Option<&str>| {
        json!({"explicit_datetime": from,
            "explicit_datetime_to": to})
    };
    check(&[
        (
            dated("2026-02-01", Some("2026-01-31")),
            "not_supported: the time since \"2026-02-01\" has no end after its beginning",
        ),
        (
            dated("2026-13-01", None),
            "not_supported: \"2026-13-01\" isn't supported as an end of a window: only a date, or \
             the like of `-5M`, up to 400 days",
        ),
        (
            dated("2026-01-01", Some("soon")),
            "not_supported: \"soon\" isn't supported as an end of a window",
        ),
    ]);
}

/// When PostHog saw somebody first.
#[test]
fn a_person_is_there_since_their_first_event() {
    let created = |operator: &str, value: &str| {
        json!({"type": "person_metadata", "key": "created_at", "operator": operator,
            "value": value})
    };
    let first = "when <any>{earliest 1 for ever}";
    let mut negated = created("is_date_before", "-7d");
    negated["negation"] = json!(true);
    let mut other = created("is_date_before", "-7d");
    other["key"] = json!("is_identified");
    check(&[
        (created("is_date_before", "-7d"), &format!("{first} before 7 days ago")),
        (created("is_date_after", "2026-02-01"), &format!("{first} after 2026-02-01T00:00:00")),
        (created("is_date_exact", "2026-02-01T18:00:00Z"), &format!("{first} at 2026-02-01T18")),
        (negated, &format!("not {first} before 7 days ago")),
        (created("is_set", ""), &format!("{first} in ever..0")),
        (created("is_not_set", ""), &format!("not {first} in ever..0")),
        (created("is_date_before", "soon"), "))"),
        (created("exact", "2026-02-01"), "not_supported: `created_at` is a date, and \"exact\""),
        (
            json!({"type": "person_metadata", "key": "created_at", "operator": null}),
            "not_supported: `created_at` is a date, and null isn't asked of dates",
        ),
        (other, "not_supported: `person_metadata` has `created_at` alone, not \"is_identified\""),
    ]);
}

#[test]
fn at_most_so_often_is_at_least_once() {
    check(&[
        (
            json!({"operator": "lte"}),
            "count buy{newest 4 for 5m} in 5m..0 >= 1 and count buy{newest 4 for 5m} in 5m..0 <= 3",
        ),
        (
            json!({"operator": "lt"}),
            "count buy{newest 3 for 5m} in 5m..0 >= 1 and count buy{newest 3 for 5m} in 5m..0 < 3",
        ),
        (
            json!({"operator": "lte", "operator_value": 0}),
            "count buy{newest 1 for 5m} in 5m..0 <= 0)",
        ),
        (
            json!({"operator": "lt", "operator_value": 1}),
            "count buy{newest 1 for 5m} in 5m..0 < 1)",
        ),
    ]);
}

#[test]
fn a_first_time_lies_in_the_window() {
    let first = |more: Value| merged(json!({"value": "performed_event_first_time"}), more);
    check(&[
        (first(json!({})), "when buy{earliest 1 for ever} in 5m..0)"),
        (first(json!({"explicit_datetime": "-1w"})), "when buy{earliest 1 for ever} in 7d..0)"),
        (
            first(json!({"event_filters": [{"key": "p", "value": "x"}]})),
            "not_supported: `event_filters` on a first time aren't supported",
        ),
    ]);
}

#[test]
fn a_sequence_is_two_events() {
    let sequence = |more: Value| {
        let leaf = json!({"value": "performed_event_sequence", "seq_event": "pay",
            "seq_event_type": "events", "seq_time_value": 1, "seq_time_interval": "hour",
            "time_value": 2, "time_interval": "week"});
        merged(leaf, more)
    };
    check(&[
        (
            sequence(json!({})),
            "buy{newest 256 for 14d} → pay{newest 256 for 14d} after 0..1h in 14d..0)",
        ),
        (
            sequence(json!({"seq_event": "buy"})),
            "buy{newest 256 for 14d} → buy{newest 256 for 14d} after 0..1h in 14d..0)",
        ),
        (
            sequence(json!({"explicit_datetime": "-2d", "explicit_datetime_to": "-1d"})),
            "buy{newest 256 for 2d} → pay{newest 256 for 2d} after 0..1h in 2d..1d)",
        ),
        (
            sequence(json!({"seq_event": 12, "seq_event_type": "actions"})),
            "not_supported: conditions on actions aren't supported",
        ),
        (sequence(json!({"seq_event": null})), "cohort_filters_parsing_error: `null` isn't"),
        (
            sequence(json!({"seq_time_value": null})),
            "cohort_filters_parsing_error: a behavioural condition has no `seq_time_value`",
        ),
        (
            sequence(json!({"event_filters": [{"key": "p", "value": "x"}]})),
            "not_supported: `event_filters` on `performed_event_sequence` aren't supported",
        ),
    ]);
}

#[test]
fn regularly_counts_periods_back_from_now() {
    let regularly = |more: Value| {
        let leaf = json!({"value": "performed_event_regularly", "operator_value": 1,
            "time_value": 2, "time_interval": "day", "min_periods": 3, "total_periods": 4});
        merged(leaf, more)
    };
    check(&[
        (regularly(json!({})), "buy{each 2d 1 for 8d} in 3 of 4 times 2d)"),
        (regularly(json!({"operator": "gt", "operator_value": 0})), "buy{each 2d 1 for 8d}"),
        (
            regularly(json!({"operator_value": 2})),
            "not_supported: a period with another count than \"at least 1\"",
        ),
        (regularly(json!({"operator": "exact"})), "not_supported: a period with another count"),
        (
            regularly(json!({"min_periods": 5})),
            "cohort_filters_parsing_error: 5 of 4 periods is more than there are",
        ),
        (
            regularly(json!({"total_periods": 0})),
            "cohort_filters_parsing_error: `0` isn't a number of periods",
        ),
        (
            regularly(json!({"time_interval": "year", "total_periods": 3, "time_value": 1})),
            "not_supported: 3 periods reach back further than 400 days",
        ),
    ]);
}

#[test]
fn stopping_and_restarting_have_a_quiet_time() {
    let quiet = |kind: &str, more: Value| {
        let leaf = json!({"value": kind, "time_value": 30, "time_interval": "day",
            "seq_time_value": 1, "seq_time_interval": "week"});
        merged(leaf, more)
    };
    let (stopped, restarted) = ("stopped_performing_event", "restarted_performing_event");
    check(&[
        (quiet(stopped, json!({})), "when buy{newest 1 for 30d} in 30d..7d)"),
        (
            quiet(stopped, json!({"event_filters": [{"key": "p", "value": "x"}]})),
            "when buy[p]{newest 1 for 30d} in 30d..7d)",
        ),
        (
            quiet(restarted, json!({})),
            "when buy{earliest 1 for ever} in ever..30d \
             and count buy{each 23d 1 for 30d} in 30d..7d = 0 \
             and count buy{newest 1 for 7d} in 7d..0 >= 1)",
        ),
        (
            quiet(restarted, json!({"time_value": 1})),
            "cohort_filters_parsing_error: `seq_time_value` has to be more recent",
        ),
        (
            quiet(stopped, json!({"explicit_datetime": "-1d"})),
            "not_supported: `explicit_datetime` isn't supported here",
        ),
    ]);
}

fn merged(mut leaf: Value, more: Value) -> Value {
    for (key, value) in more.as_object().expect("an object") {
        leaf[key] = value.clone();
    }
    leaf
}
