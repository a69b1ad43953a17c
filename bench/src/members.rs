//! Counts the members of a cohort, again and again, and what that costs beside ingestion.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::conditions::SECRET;
use crate::people;
use crate::wire::Connection;
use crate::{Failure, Outcome};

/// Connections that send events beside.
const SENDERS: u64 = 2;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// One of `secrets` in project.yaml.
    #[arg(long, default_value = SECRET)]
    secret: String,
    #[arg(long, default_value = "added")]
    cohort: String,
    /// How many counts.
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// Measures ingestion without counts and with them, for this many seconds each.
    #[arg(long, value_name = "SECONDS")]
    beside: Option<u64>,
    /// Milliseconds from one count to the next while events arrive.
    #[arg(long, default_value_t = 1_000)]
    every: u64,
    /// How many people there are: events are of these.
    #[arg(long, default_value_t = 1_000_000)]
    people: u64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let mut counts = Counts::new();
    (0..arguments.runs).try_for_each(|_| counts.add(arguments))?;
    counts.report("alone");
    let Some(seconds) = arguments.beside else { return Ok(()) };
    let (without, _) = ingest(arguments, seconds, false)?;
    println!("ingestion without counts: {without:.0} events/s");
    let (with, counts) = ingest(arguments, seconds, true)?;
    counts.report("beside ingestion");
    println!("ingestion with counts: {with:.0} events/s, {:.0} %", 100.0 * with / without);
    Ok(())
}

/// How fast events are taken, and the counts meanwhile.
fn ingest(arguments: &Arguments, seconds: u64, counting: bool) -> Result<(f64, Counts), Failure> {
    people::beside(&arguments.url, arguments.people, SENDERS, || {
        let mut counts = Counts::new();
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let next = Instant::now() + Duration::from_millis(arguments.every);
            if counting {
                counts.add(arguments)?;
            }
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(counts)
    })
}

/// How long counts took, and what they said last.
struct Counts {
    took: Histogram<u64>,
    requests: u64,
    said: Value,
}

impl Counts {
    fn new() -> Self {
        let took = Histogram::new_with_bounds(1, 600_000_000, 3).expect("good bounds");
        Counts { took, requests: 0, said: Value::Null }
    }

    /// One whole count, in as many requests as the node makes of it.
    fn add(&mut self, arguments: &Arguments) -> Outcome {
        let mut connection = Connection::open(&arguments.url)?;
        let header = format!("authorization: Bearer {}\r\n", arguments.secret);
        let began = Instant::now();
        let (mut count, mut scanned) = (0, 0);
        let mut after = String::new();
        loop {
            let path = format!("/api/cohorts/{}/count?after={after}", arguments.cohort);
            let reply = connection.get_with(&path, &header)?.fine()?;
            let said: Value = serde_json::from_slice(reply.body)?;
            self.requests += 1;
            count += said["count"].as_u64().unwrap_or_default();
            scanned += said["scanned"].as_u64().unwrap_or_default();
            after = said["next"].as_str().unwrap_or_default().to_owned();
            self.said = said;
            if after.is_empty() {
                break;
            }
        }
        self.took.saturating_record(began.elapsed().as_micros() as u64);
        self.said["count"] = count.into();
        self.said["scanned"] = scanned.into();
        Ok(())
    }

    fn report(&self, how: &str) {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        println!(
            "counts {how}: {} in {} requests, p50 {:.0} ms, max {:.0} ms; {} of {}, {} unknown",
            self.took.len(),
            self.requests,
            ms(self.took.value_at_quantile(0.5)),
            ms(self.took.max()),
            self.said["count"],
            self.said["scanned"],
            self.said["unknown"]
        );
    }
}
