//! Outcomes that change as something passes a date, or a date that moves passes something.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use schemas::catalog::Project;
use schemas::lookup::{Coverage, Facts};
use schemas::record::Record;
use schemas::time::{DAY_MS, HOUR_MS, MINUTE_MS, parse_timestamp_ms};
use schemas::window::Entry;
use serde_json::json;

use crate::{Dice, NOON_MS, check, check_during, facts, of_posthog};

/// The same first times and gaps, on whole minutes.
fn on_minutes(project: &Project, facts: &mut Facts) {
    let minute = |time_ms: i64| time_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
    let mut record = Record::default();
    for matcher in &project.matchers {
        for entry in facts.record.window(matcher.id).entries() {
            let entry = Entry::new(minute(entry.time_ms()), entry.tag());
            record.fold(matcher.id, matcher.kept, entry.into());
        }
    }
    facts.record = record;
    let coverage = facts.coverage.iter().map(|(id, coverage)| match coverage {
        Coverage::Since(since_ms) if *since_ms > i64::MIN => {
            (*id, Coverage::Since(minute(*since_ms)))
        }
        other => (*id, *other),
    });
    facts.coverage = Arc::new(coverage.collect());
}

/// One end of the time moves on with now, and the other is a date.
#[test]
fn what_lies_between_a_date_and_so_long_ago_changes_by_the_clock() {
    let now = Timestamp::from_millisecond(NOON_MS).expect("an instant");
    let [earlier, later] = [3, 1].map(|seconds| (now - seconds.seconds()).to_string());
    for (value, from, to, least) in [
        ("performed_event_multiple", "-2s", &*later, 3),
        ("performed_event_multiple", &earlier, "-1s", 3),
        ("performed_event", "-3s", &later, 3),
        ("performed_event_first_time", &earlier, "-1s", 1),
        ("performed_event_sequence", "-3s", &later, 3),
        ("performed_event_multiple", &earlier, &later, 0),
    ] {
        let leaf = json!({ "type": "behavioral", "key": "a", "event_type": "events",
            "value": value, "operator": "gte", "operator_value": 2, "explicit_datetime": from,
            "explicit_datetime_to": to, "seq_event": "b", "seq_event_type": "events",
            "seq_time_value": 1, "seq_time_interval": "hour" });
        let project = of_posthog(&leaf, "");
        let (mut dice, mut changes) = (Dice(1_984), 0);
        for round in 0..100 {
            let events = dice.below(12);
            let facts = facts(&project, NOON_MS, events, 5_000, &mut dice);
            let instants = (1..9_500).map(|ms| NOON_MS + ms);
            let who = format!("{value} from {from} to {to}, round {round}");
            changes += usize::from(check(&project, &facts, NOON_MS, instants, &who));
        }
        assert!(changes >= least, "{value} from {from} to {to}: {changes} changes");
    }
}

/// PostHog's relative dates move on with now, by the calendar.
#[test]
fn the_first_time_passes_a_date_that_moves() {
    let zone = "time_zone: Europe/Berlin\n";
    // Clocks are set back in October and forward in March, and February is short.
    for (value, length_ms, now) in [
        ("-2h", HOUR_MS, "2026-10-25T02:30:00Z"),
        ("-1d", DAY_MS, "2026-03-29T12:00:00Z"),
        ("-1m", 30 * DAY_MS, "2026-03-31T12:00:00Z"),
        ("2026-10-25T02:31:00Z", HOUR_MS, "2026-10-25T02:30:00Z"),
    ] {
        for operator in ["is_date_before", "is_date_after", "is_date_exact"] {
            let leaf = json!({ "type": "person_metadata", "key": "created_at",
                "operator": operator, "value": value });
            let project = of_posthog(&leaf, zone);
            let (mut dice, mut changes) = (Dice(7), 0);
            let now_ms = parse_timestamp_ms(now).expect("an instant");
            for round in 0..12 {
                let events = dice.below(3);
                let mut facts = facts(&project, now_ms, events, 2 * length_ms, &mut dice);
                on_minutes(&project, &mut facts);
                // The clock skips a date again in half a year.
                let end_ms = now_ms + (3 * length_ms).min(35 * DAY_MS);
                let minutes = now_ms.div_euclid(MINUTE_MS)..end_ms.div_euclid(MINUTE_MS);
                // An instant is a date's own for a millisecond.
                let instants = minutes.flat_map(|minute| [0, 1].map(|ms| minute * MINUTE_MS + ms));
                let instants = instants.filter(|at_ms| *at_ms > now_ms);
                let who = format!("{operator} {value}, round {round}");
                changes +=
                    usize::from(check_during(&project, &facts, now_ms..end_ms, instants, &who));
            }
            assert!(changes >= 2 || !value.starts_with('-'), "{operator} {value}: {changes}");
        }
    }
}
