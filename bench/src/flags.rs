//! Asks for flags at a steady rate while events arrive at another.
//!
//! The load is open: a request is due at its time whether or not those before it were answered,
//! and its latency counts from when it was due.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::Outcome;
use crate::conditions::TOKEN;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::wire::Connection;

/// How many events are sent in one batch.
const BATCH: u64 = 200;
const SENDERS: u64 = 2;
/// Two names that are watched, one that isn't.
const NAMES: [&str; 3] = ["added to cart", "product viewed", "$pageview"];

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// Requests for flags per second.
    #[arg(long, default_value_t = 5_000)]
    rps: u64,
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    #[arg(long, default_value_t = 20_000)]
    events_per_second: u64,
    /// Connections that ask for flags.
    #[arg(long, default_value_t = 32)]
    connections: u64,
    #[arg(long, default_value_t = 100_000)]
    persons: u64,
}

/// What one connection saw, in microseconds.
struct Seen {
    since_due: Histogram<u64>,
    since_sent: Histogram<u64>,
    failed: u64,
}

/// When what is due, for one of several that share a rate.
pub struct Schedule {
    /// When the first of all is due.
    pub start: Instant,
    /// Of all together.
    pub per_second: u64,
    /// This one's next, counted from 0.
    pub next: u64,
    /// How many share the rate.
    pub step: u64,
    /// How many there are in all.
    pub end: u64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let start = Instant::now() + Duration::from_millis(200);
    let (asked, sent) = thread::scope(|scope| {
        let askers: Vec<_> = (0..arguments.connections)
            .map(|number| scope.spawn(move || ask(arguments, number, start)))
            .collect();
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| scope.spawn(move || send(arguments, number, start)))
            .collect();
        let join = |result: thread::Result<std::io::Result<Seen>>| {
            result.unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")))
        };
        let asked: Vec<_> = askers.into_iter().map(|thread| join(thread.join())).collect();
        let sent: Vec<_> = senders.into_iter().map(|thread| join(thread.join())).collect();
        (asked, sent)
    });
    let flags = together(asked)?;
    report("flags, since due", &flags.since_due, arguments.seconds);
    report("flags, since sent", &flags.since_sent, arguments.seconds);
    let batches = together(sent)?;
    report("batches, since due", &batches.since_due, arguments.seconds);
    println!("failed: {} requests for flags, {} batches", flags.failed, batches.failed);
    Ok(())
}

fn ask(arguments: &Arguments, number: u64, start: Instant) -> std::io::Result<Seen> {
    let mut dice = Dice::new(number);
    let mut connection = Connection::open(&arguments.url)?;
    let mut seen = Seen::new();
    let schedule = Schedule {
        start,
        per_second: arguments.rps,
        next: number,
        step: arguments.connections,
        end: arguments.rps * arguments.seconds,
    };
    for due in schedule {
        let person = person(&mut dice, arguments.persons);
        let body = json!({
            "token": TOKEN, "distinct_id": person, "person_properties": { "plan": "pro" },
        });
        let body = body.to_string();
        let sent = Instant::now();
        let reply = connection.post("/flags/?v=2", body.as_bytes())?;
        let whole = br#""errorsWhileComputingFlags":false"#;
        let fine = reply.status == 200 && reply.body.windows(whole.len()).any(|at| at == whole);
        seen.record(due, sent, fine);
    }
    Ok(seen)
}

fn send(arguments: &Arguments, number: u64, start: Instant) -> std::io::Result<Seen> {
    let mut dice = Dice::new(u64::MAX - number);
    let mut connection = Connection::open(&arguments.url)?;
    let mut seen = Seen::new();
    let per_second = arguments.events_per_second / BATCH;
    let end = per_second * arguments.seconds;
    for due in (Schedule { start, per_second, next: number, step: SENDERS, end }) {
        let events = (0..BATCH).map(|_| {
            let person = person(&mut dice, arguments.persons);
            let name = *dice.pick(&NAMES);
            let price = dice.below(100);
            let event = Event::new(name, &person, now_ms(), &mut dice);
            event.with("price", price).with("category", "shoes").captured()
        });
        let body = json!({ "api_key": TOKEN, "batch": events.collect::<Vec<_>>() }).to_string();
        let sent = Instant::now();
        let fine = connection.post("/batch/", body.as_bytes())?.status == 200;
        seen.record(due, sent, fine);
    }
    Ok(seen)
}

impl Iterator for Schedule {
    type Item = Instant;

    /// Waits until the next one is due; one that is overdue comes at once.
    fn next(&mut self) -> Option<Instant> {
        if self.next >= self.end {
            return None;
        }
        let due = self.start + Duration::from_secs(1) * self.next as u32 / self.per_second as u32;
        self.next += self.step;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        Some(due)
    }
}

impl Seen {
    fn new() -> Self {
        let longest_us = 600_000_000;
        let histogram = || Histogram::new_with_bounds(1, longest_us, 3).expect("good bounds");
        Seen { since_due: histogram(), since_sent: histogram(), failed: 0 }
    }

    fn record(&mut self, due: Instant, sent: Instant, fine: bool) {
        self.since_due.saturating_record(due.elapsed().as_micros() as u64);
        self.since_sent.saturating_record(sent.elapsed().as_micros() as u64);
        self.failed += u64::from(!fine);
    }
}

fn together(parts: Vec<std::io::Result<Seen>>) -> Result<Seen, Box<dyn std::error::Error>> {
    let mut whole = Seen::new();
    for part in parts {
        let part = part?;
        whole.since_due.add(part.since_due)?;
        whole.since_sent.add(part.since_sent)?;
        whole.failed += part.failed;
    }
    Ok(whole)
}

/// How many there were a second, and how long they took; times in microseconds.
pub fn report(what: &str, histogram: &Histogram<u64>, seconds: u64) {
    let ms = |micros: u64| micros as f64 / 1_000.0;
    println!(
        "{what}: {}/s, p50 {:.2} ms, p99 {:.2} ms, p999 {:.2} ms, max {:.2} ms",
        histogram.len() / seconds.max(1),
        ms(histogram.value_at_quantile(0.5)),
        ms(histogram.value_at_quantile(0.99)),
        ms(histogram.value_at_quantile(0.999)),
        ms(histogram.max())
    );
}

fn person(dice: &mut Dice, persons: u64) -> String {
    format!("visitor-{:07}", dice.below(persons))
}
