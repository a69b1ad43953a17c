//! Captures an event and asks at once with its position: no answer may be older than that.

use std::io;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Outcome;
use crate::conditions::TOKEN;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::together::together;
use crate::wire::{Connection, from_position};

/// What a person does, and the flag of set `w1` that is on from then on: whichever step an
/// answer has missed, one flag tells.
const STEPS: [(&str, &str); 4] = [
    ("added to cart", "just-added"),
    ("checkout started", "checkout"),
    ("checkout started", "two-checkouts"),
    ("purchase", "bought"),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// A node with the definitions of set w1.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// How often an event is captured and asked for.
    #[arg(long, default_value_t = 100_000)]
    tries: u64,
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// How long a check may wait, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    wait_ms: u64,
    /// Ask without the position: how often would answers be old?
    #[arg(long)]
    blind: bool,
}

/// What one connection saw; times in microseconds.
struct Seen {
    capture: Histogram<u64>,
    check: Histogram<u64>,
    both: Histogram<u64>,
    fresh: u64,
    stale: u64,
    unknown: u64,
}

/// What an answer turned out to be.
enum Verdict {
    Fresh,
    Stale,
    Unknown,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let began = Instant::now();
    // No two connections, of this run or another, play the same people.
    let seed = now_ms() as u64 * arguments.connections;
    let seen = together(arguments.connections, |number| work(arguments, number, seed + number))?;
    let mut whole = Seen::new();
    for part in seen {
        whole.add(part)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let tries = whole.fresh + whole.stale + whole.unknown;
    println!("{tries} tries in {seconds:.1} s, {:.0} per second", tries as f64 / seconds);
    println!("{} fresh, {} stale, {} unknown", whole.fresh, whole.stale, whole.unknown);
    report("capture", &whole.capture);
    report("check", &whole.check);
    report("both", &whole.both);
    if whole.stale > 0 && !arguments.blind {
        return Err(format!("{} answers were older than what was asked for", whole.stale).into());
    }
    Ok(())
}

fn work(arguments: &Arguments, number: u64, seed: u64) -> io::Result<Seen> {
    let mut dice = Dice::new(seed);
    let mut connection = Connection::open(&arguments.url)?;
    let mut seen = Seen::new();
    let mut person = String::new();
    let tries = (number..arguments.tries).step_by(arguments.connections as usize);
    for (done, _) in tries.enumerate() {
        let step = done % STEPS.len();
        if step == 0 {
            person = dice.uuid();
        }
        let event = Event::new(STEPS[step].0, &person, now_ms(), &mut dice).captured();
        let event = json!({ "api_key": TOKEN, "batch": [event] }).to_string();
        let asked = json!({ "token": TOKEN, "distinct_id": person }).to_string();

        let captured_at = Instant::now();
        let reply = connection.post("/batch/", event.as_bytes())?.fine()?;
        let position = reply.header("sluice-position").map(str::to_owned);
        let position = position.ok_or_else(|| io::Error::other(reply.text()))?;
        let asked_at = Instant::now();
        let headers = match arguments.blind {
            true => String::new(),
            false => from_position(&position, arguments.wait_ms),
        };
        let reply = connection.post_with("/flags/?v=2", &headers, asked.as_bytes())?;
        let answered_at = Instant::now();
        let reply = reply.fine()?;
        let flags: Value = serde_json::from_slice(reply.body)?;
        seen.count(&verdict(&flags["flags"], step));
        record(&mut seen.capture, asked_at - captured_at);
        record(&mut seen.check, answered_at - asked_at);
        record(&mut seen.both, answered_at - captured_at);
    }
    Ok(seen)
}

/// Whether the flags are those of somebody who has done every step up to `step`.
fn verdict(flags: &Value, step: usize) -> Verdict {
    let asked = STEPS.iter().enumerate().map(|(at, (_, key))| (&flags[*key], at <= step));
    let mut verdict = Verdict::Fresh;
    for (flag, on) in asked {
        if flag["failed"] == true {
            verdict = Verdict::Unknown;
        } else if flag["enabled"] != on {
            return Verdict::Stale;
        }
    }
    verdict
}

impl Seen {
    fn new() -> Self {
        let longest_us = 600_000_000;
        let histogram = || Histogram::new_with_bounds(1, longest_us, 3).expect("good bounds");
        let (capture, check, both) = (histogram(), histogram(), histogram());
        Seen { capture, check, both, fresh: 0, stale: 0, unknown: 0 }
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Fresh => self.fresh += 1,
            Verdict::Stale => self.stale += 1,
            Verdict::Unknown => self.unknown += 1,
        }
    }

    fn add(&mut self, other: Seen) -> Outcome {
        self.capture.add(other.capture)?;
        self.check.add(other.check)?;
        self.both.add(other.both)?;
        self.fresh += other.fresh;
        self.stale += other.stale;
        self.unknown += other.unknown;
        Ok(())
    }
}

fn record(histogram: &mut Histogram<u64>, took: std::time::Duration) {
    histogram.saturating_record(took.as_micros() as u64);
}

fn report(what: &str, histogram: &Histogram<u64>) {
    let ms = |micros: u64| micros as f64 / 1_000.0;
    println!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        ms(histogram.value_at_quantile(0.5)),
        ms(histogram.value_at_quantile(0.99)),
        ms(histogram.max())
    );
}
