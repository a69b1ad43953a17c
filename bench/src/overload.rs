//! What becomes of requests when several times as many come as a node can answer.
//!
//! First it is found out how many it answers, asked by few at a time; then how long one takes when
//! a fifth of that comes; then several times as many come, due at their time whether or not those
//! before were answered. Times count from when a request was sent; how far the sender fell behind
//! is told.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::conditions::TOKEN;
use crate::flags::{Schedule, report};
use crate::process;
use crate::together::together;
use crate::wire::Connection;
use crate::{Failure, Outcome};

/// What takes longest to be matched: answers are short, so that whoever asks isn't busier than who
/// answers.
const MAIL: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
const PATH: &str = "/flags/?v=2";
/// Who asks to find out how many are answered, and for how long.
const ASKERS: u64 = 2;
const FINDING: Duration = Duration::from_secs(5);
const UNLOADED_SECONDS: u64 = 10;
/// Answered in a row, quickly, once it is over.
const RECOVERED: u64 = 50;
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub struct Arguments {
    /// A node with the definitions of set dear, without other load.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// The node's process.
    #[arg(long)]
    pid: u32,
    /// How many times as many as it can answer.
    #[arg(long, default_value_t = 5)]
    times: u64,
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// More wait for a processor of the sender's own, which would be measured with the rest.
    #[arg(long, default_value_t = 32)]
    connections: u64,
}

/// Times in microseconds.
struct Seen {
    answered: Histogram<u64>,
    refused: Histogram<u64>,
    /// How late requests were sent.
    late: Histogram<u64>,
}

impl Seen {
    fn new() -> Self {
        let longest_us = 600_000_000;
        let histogram = || Histogram::new_with_bounds(1, longest_us, 3).expect("good bounds");
        Seen { answered: histogram(), refused: histogram(), late: histogram() }
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let url = arguments.url.as_str();
    let capacity = capacity(url)?;
    println!("answers {capacity} requests a second, asked by {ASKERS} at a time");
    let unloaded = open(url, (capacity / 5).max(1), UNLOADED_SECONDS, 16)?;
    report("a fifth of that, answered", &unloaded.answered, UNLOADED_SECONDS);
    let before = process::memory_mib(arguments.pid)?;
    let rate = capacity * arguments.times;
    let seen = open(url, rate, arguments.seconds, arguments.connections)?;
    println!("{} times as many, {rate} a second for {} s:", arguments.times, arguments.seconds);
    report("  answered", &seen.answered, arguments.seconds);
    report("  refused", &seen.refused, arguments.seconds);
    report("  sent late by", &seen.late, arguments.seconds);
    let p99 = |seen: &Seen| seen.answered.value_at_quantile(0.99);
    println!("p99 of what is answered: {:.2} times", p99(&seen) as f64 / p99(&unloaded) as f64);
    let recovered = recovery(url, (capacity / 5).max(1), p99(&unloaded) * 2)?;
    println!("answered as before after {:.2} s", recovered.as_secs_f64());
    let after = process::memory_mib(arguments.pid)?;
    println!("memory: {before:.0} MiB before, {after:.0} after");
    Ok(())
}

/// One request. Returns its status.
fn ask(connection: &mut Connection, number: u64) -> Result<u16, Failure> {
    let body = json!({ "token": TOKEN, "distinct_id": format!("visitor-{:07}", number % 100_000),
        "person_properties": { "mail": MAIL } });
    Ok(connection.post(PATH, body.to_string().as_bytes())?.status)
}

/// How many are answered in a second.
fn capacity(url: &str) -> Result<u64, Failure> {
    let end = Instant::now() + FINDING;
    let answered = together(ASKERS, |asker| {
        let mut connection = Connection::open(url)?;
        let mut answered = 0;
        while Instant::now() < end {
            answered += u64::from(ask(&mut connection, answered * ASKERS + asker)? == 200);
        }
        Ok::<_, Failure>(answered)
    })?;
    Ok(answered.iter().sum::<u64>() / FINDING.as_secs())
}

fn open(url: &str, per_second: u64, seconds: u64, connections: u64) -> Result<Seen, Failure> {
    let start = Instant::now() + Duration::from_millis(200);
    let parts = together(connections, |asker| {
        let mut connection = Connection::open(url)?;
        let mut seen = Seen::new();
        let end = per_second * seconds;
        let over = start + Duration::from_secs(seconds);
        let schedule = Schedule { start, per_second, next: asker, step: connections, end };
        for (number, due) in schedule.enumerate() {
            let sent = Instant::now();
            if sent > over {
                break;
            }
            seen.late.saturating_record((sent - due).as_micros() as u64);
            let status = ask(&mut connection, number as u64 * connections + asker)?;
            let took_us = sent.elapsed().as_micros() as u64;
            match status {
                200 => seen.answered.saturating_record(took_us),
                503 => seen.refused.saturating_record(took_us),
                other => return Err(format!("{other} is neither an answer nor 503").into()),
            }
        }
        Ok::<_, Failure>(seen)
    })?;
    let mut whole = Seen::new();
    for part in parts {
        whole.answered.add(part.answered)?;
        whole.refused.add(part.refused)?;
        whole.late.add(part.late)?;
    }
    Ok(whole)
}

/// How long it takes until requests at this rate are answered in a row, each in `most_us` at most.
fn recovery(url: &str, per_second: u64, most_us: u64) -> Result<Duration, Failure> {
    let (over, mut connection) = (Instant::now(), Connection::open(url)?);
    let (mut in_a_row, mut since) = (0, Duration::ZERO);
    let end = per_second * RECOVERS_WITHIN.as_secs();
    for _ in (Schedule { start: over, per_second, next: 0, step: 1, end }) {
        if in_a_row == RECOVERED {
            return Ok(since);
        }
        let sent = Instant::now();
        let is_fine = ask(&mut connection, in_a_row)? == 200;
        if is_fine && sent.elapsed().as_micros() as u64 <= most_us {
            in_a_row += 1;
        } else {
            (in_a_row, since) = (0, over.elapsed());
        }
    }
    Err("it doesn't recover within a minute".into())
}
