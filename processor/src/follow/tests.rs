//! Stories of where reading begins, while the log loses records.

use super::*;
use crate::log::scripted::{Scripted, Told};

const NOW_MS: i64 = 1_750_000_000_000;
const AFTER_MS: i64 = NOW_MS - 300_000;
const SKEW_MS: i64 = 5_000;

fn begin(log: &Scripted) -> Result<Beginning, LogError> {
    beginning(log, 0, AFTER_MS, SKEW_MS, NOW_MS)
}

#[test]
fn a_log_with_its_first_record_covers_everything() {
    let began = begin(&Scripted::holding(0, 10)).expect("it answers");
    assert_eq!(began, Beginning { offset: 0, since_ms: i64::MIN });
}

#[test]
fn a_log_without_its_first_record_covers_what_follows_the_next() {
    let log = Scripted::holding(4, 10);
    log.tell(&[Told::Record(0, 4, NOW_MS - 60_000, "{}".to_owned())]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 4, since_ms: NOW_MS - 60_000 + SKEW_MS });
}

/// What is dropped between two questions is missed by neither.
#[test]
fn records_dropped_while_the_log_is_asked_are_not_covered() {
    let log = Scripted::holding(4, 10);
    log.hold_later(8, 10);
    log.tell(&[Told::Record(0, 8, NOW_MS - 30_000, "{}".to_owned())]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 8, since_ms: NOW_MS - 30_000 + SKEW_MS });
}

/// An expired partition covers what comes from now on, and not nothing for good.
#[test]
fn an_expired_log_covers_what_comes_from_now_on() {
    let log = Scripted::holding(10, 10);
    log.tell(&[Told::End(0)]);
    let began = begin(&log).expect("it answers");
    assert_eq!(began, Beginning { offset: 10, since_ms: NOW_MS + SKEW_MS });
}

/// Silence is neither a record nor the end: somebody has to ask again.
#[test]
fn a_log_that_is_silent_is_asked_again() {
    let log = Scripted::holding(4, 10);
    assert!(matches!(begin(&log), Err(LogError::NoAnswer(0))), "nobody can know yet");
    log.tell(&[Told::Record(0, 4, NOW_MS, "{}".to_owned())]);
    assert_eq!(begin(&log).expect("it answers").since_ms, NOW_MS + SKEW_MS);
}
