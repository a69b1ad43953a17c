//! `Sluice-Position`: how far state had read, for whoever wants to read what they wrote.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use schemas::lookup::{Facts, Position};

use super::refusal::Refusal;

const POSITION: &str = "sluice-position";
const WAIT_MS: &str = "sluice-wait-ms";
const WAIT_MS_DEFAULT: u64 = 100;
const WAIT_MS_MAX: u64 = 5_000;
/// How much of a wrong header is told.
const TOLD_CHARS: usize = 60;

/// `partition:next offset`, separated by commas; nothing where no state was asked.
pub fn tell_position(headers: &mut HeaderMap, position: &Position) {
    if position.is_empty() {
        return;
    }
    if let Ok(text) = HeaderValue::from_str(&written(position)) {
        headers.insert(POSITION, text);
    }
}

/// How new the facts of an answer were.
pub fn tell_facts(headers: &mut HeaderMap, facts: &Facts) {
    tell_position(headers, &facts.position);
    if facts.stale_ms > 0 {
        headers.insert("sluice-stale", HeaderValue::from(facts.stale_ms));
    }
}

/// The position as it is told.
pub fn written(position: &Position) -> String {
    let parts = position.iter().map(|(partition, next)| format!("{partition}:{next}"));
    parts.collect::<Vec<_>>().join(",")
}

/// The position that state has to have reached for this request; empty where none is asked
/// for. Of a partition that is named twice the later offset counts, so that whoever sent
/// several batches may put one position behind the other.
///
/// # Errors
/// When it isn't written as [`tell_position`] writes it: taken for absent, it would let an
/// old answer pass for a new one.
pub fn asked_position(headers: &HeaderMap) -> Result<Position, Refusal> {
    let mut asked = Position::new();
    for header in headers.get_all(POSITION) {
        let parts = header.to_str().unwrap_or_default().split(',').map(parse_part);
        for part in parts {
            let (partition, next) = part.ok_or_else(|| {
                let form = "<partition>:<next offset>, separated by commas, such as 0:42,3:7";
                wrong("Sluice-Position", header, form)
            })?;
            let known = asked.entry(partition).or_insert(next);
            *known = next.max(*known);
        }
    }
    Ok(asked)
}

/// How long the request waits for that position.
///
/// # Errors
/// When it is no number of milliseconds, or too many.
pub fn asked_wait(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let Some(header) = headers.get(WAIT_MS) else {
        return Ok(Duration::from_millis(WAIT_MS_DEFAULT));
    };
    let wait_ms = header.to_str().ok().and_then(digits).filter(|ms| *ms <= WAIT_MS_MAX);
    wait_ms.map(Duration::from_millis).ok_or_else(|| {
        let form = format!("a whole number of milliseconds, at most {WAIT_MS_MAX}");
        wrong("Sluice-Wait-Ms", header, &form)
    })
}

fn parse_part(part: &str) -> Option<(i32, i64)> {
    let (partition, next) = part.trim_matches([' ', '\t']).split_once(':')?;
    Some((digits(partition)?, digits(next)?))
}

/// A number as it is told: no sign, no blank.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn wrong(name: &str, header: &HeaderValue, form: &str) -> Refusal {
    let text = String::from_utf8_lossy(header.as_bytes());
    let told: String = text.chars().take(TOLD_CHARS).collect();
    Refusal::Invalid(format!("The header {name} is {told:?}; it has to be {form}."))
}
