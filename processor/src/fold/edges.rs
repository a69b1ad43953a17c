//! The first and the last instant at which an event still counts.

use schemas::definitions::{Source, compile};
use schemas::filter::Date;
use schemas::time::MINUTE_MS;
use serde_json::json;

use super::*;

const RECORD_MS: i64 = 1_790_000_000_000;
const BOUNDS: Bounds = Bounds { skew_ms: 5_000, lateness_ms: MINUTE_MS };

fn folded(stated_ms: i64) -> Effect {
    folded_by("within: 5m", stated_ms)
}

/// What becomes of an event of this time where `a` is asked for then.
fn folded_by(when: &str, stated_ms: i64) -> Effect {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        source("shop/project.yaml", "token: phc_shop"),
        source("shop/cohorts/it.yaml", &format!("members: {{ did: a, {when} }}")),
    ];
    let catalog = compile(&sources, &|_| None, &mut Default::default()).expect("it's good").catalog;
    let reading = Reading { format: Format::Sluice, bounds: BOUNDS, token: None };
    let value = json!({ "event": "a", "distinct_id": "ann", "timestamp": stated_ms }).to_string();
    let (timestamp_ms, value) = (RECORD_MS, Some(value.as_bytes()));
    let record = LogRecord { partition: 0, offset: 0, timestamp_ms, value };
    Fold::new(reading).fold(&catalog, &Arc::default(), record)
}

#[test]
fn what_no_window_can_see_any_more_is_late() {
    let late_ms = RECORD_MS - BOUNDS.lateness_ms - 5 * MINUTE_MS;
    assert_eq!(folded(late_ms).outcome, Outcome::Skipped(Skip::Late));
    assert_eq!(folded(late_ms + 1).outcome, Outcome::Folded);
}

#[test]
fn what_is_further_ahead_than_the_skew_is_pulled_back() {
    let latest_ms = RECORD_MS + BOUNDS.skew_ms;
    let effects = [latest_ms, latest_ms + 1].map(folded);
    assert!(effects.iter().all(|effect| effect.outcome == Outcome::Folded));
    assert_eq!(effects.map(|effect| effect.clamped), [false, true]);
}

#[test]
fn what_happens_at_a_date_or_after_it_is_no_hit_of_what_was_before() {
    let before = format!("before: '{}'", Date::of_ms(RECORD_MS).words());
    let outcome = |stated_ms| folded_by(&before, stated_ms).outcome;
    assert_eq!(outcome(RECORD_MS - 1), Outcome::Folded);
    assert_eq!(outcome(RECORD_MS), Outcome::Unwatched);
}
