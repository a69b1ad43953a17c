//! How long an event takes to be seen: from the moment it is handed over until a check over HTTP
//! says yes, while others arrive at a steady rate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;

use crate::conditions::TOKEN;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::flags::Schedule;
use crate::wire::Connection;
use crate::workload::distinct_id;
use crate::{Failure, Outcome};

/// How events come to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Produced to its topic.
    Produce,
    /// Captured over HTTP.
    Capture,
}

#[derive(clap::Args)]
pub struct Arguments {
    /// A node with the conditions of W1 that reads the topic.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    #[arg(long, default_value = "events")]
    topic: String,
    #[arg(long)]
    way: Way,
    /// Events a second of everybody else.
    #[arg(long, default_value_t = 10_000)]
    events_per_second: u64,
    /// Events whose sight is timed.
    #[arg(long, default_value_t = 1_000)]
    probes: u64,
    /// How many of those a second.
    #[arg(long, default_value_t = 50)]
    probes_per_second: u64,
    #[arg(long, default_value_t = 100_000)]
    persons: u64,
}

/// Events of everybody else that are sent at once.
const BATCH: u64 = 50;
/// Nobody waits longer than this.
const LIMIT: Duration = Duration::from_secs(10);
const NAMES: [&str; 4] = ["added to cart", "product viewed", "$pageview", "$pageview"];
/// What a probe does, and the flag of W1 that is on from then on.
const PROBE: (&str, &str) = ("checkout started", "checkout");

pub fn run(arguments: &Arguments) -> Outcome {
    let done = AtomicBool::new(false);
    let took = thread::scope(|scope| {
        let others = scope.spawn(|| others(arguments, &done).map_err(|error| error.to_string()));
        let took = probe(arguments).map_err(|error| error.to_string());
        done.store(true, Ordering::Release);
        let sent = others.join().map_err(|_| "a panic")??;
        Ok::<_, String>((took?, sent))
    });
    let (took, sent) = took?;
    let ms = |quantile| took.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "{:?}, beside {:.0} events/s: {} probes, p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        arguments.way,
        sent,
        took.len(),
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
    Ok(())
}

/// Where events go in.
enum Target {
    Topic(BaseProducer, String),
    Node(Connection),
}

impl Target {
    fn new(arguments: &Arguments) -> Result<Self, Failure> {
        Ok(match arguments.way {
            Way::Capture => Target::Node(Connection::open(&arguments.url)?),
            Way::Produce => {
                let mut config = ClientConfig::new();
                config.set("bootstrap.servers", &arguments.brokers).set("linger.ms", "0");
                config.set("partitioner", "murmur2_random").set("compression.codec", "lz4");
                config.set("delivery.report.only.error", "true");
                Target::Topic(config.create()?, arguments.topic.clone())
            }
        })
    }

    fn send(&mut self, events: &[Event]) -> Result<(), Failure> {
        match self {
            Target::Node(connection) => {
                let events: Vec<_> = events.iter().map(Event::captured).collect();
                let body = json!({ "api_key": TOKEN, "batch": events }).to_string();
                connection.post("/batch/", body.as_bytes())?.fine()?;
                Ok(())
            }
            Target::Topic(producer, topic) => {
                for event in events {
                    let key = format!("{TOKEN}:{}", event.person);
                    let value = event.record(TOKEN).to_string();
                    let record = BaseRecord::to(topic).key(&key).payload(&value);
                    producer.send(record).map_err(|(error, _)| error)?;
                }
                producer.poll(Duration::ZERO);
                Ok(())
            }
        }
    }
}

/// Sends everybody else's events. Returns how many there were a second.
fn others(arguments: &Arguments, done: &AtomicBool) -> Result<f64, Failure> {
    let (mut target, mut dice) = (Target::new(arguments)?, Dice::new(3));
    let start = Instant::now();
    let per_second = (arguments.events_per_second / BATCH).max(1);
    let mut sent = 0;
    for _ in (Schedule { start, per_second, next: 0, step: 1, end: u64::MAX }) {
        if done.load(Ordering::Acquire) {
            break;
        }
        let events = (0..BATCH).map(|_| {
            let person = distinct_id(dice.below(arguments.persons) as u32);
            let name = *dice.pick(&NAMES);
            Event::new(name, &person, now_ms(), &mut dice)
        });
        let events: Vec<Event> = events.collect();
        target.send(&events)?;
        sent += BATCH;
    }
    if let Target::Topic(producer, _) = &target {
        producer.flush(LIMIT)?;
    }
    Ok(sent as f64 / start.elapsed().as_secs_f64())
}

/// Sends events of people whom nobody has seen, one by one, and asks until each is known.
fn probe(arguments: &Arguments) -> Result<Histogram<u64>, Failure> {
    let (mut target, mut dice) = (Target::new(arguments)?, Dice::new(now_ms() as u64));
    let mut connection = Connection::open(&arguments.url)?;
    let mut took = Histogram::new(3)?;
    let (start, per_second) = (Instant::now(), arguments.probes_per_second);
    for _ in (Schedule { start, per_second, next: 0, step: 1, end: arguments.probes }) {
        let person = dice.uuid();
        let event = Event::new(PROBE.0, &person, now_ms(), &mut dice);
        let body = json!({ "token": TOKEN, "distinct_id": person, "flag_keys": [PROBE.1] });
        let body = body.to_string();
        let sent = Instant::now();
        target.send(std::slice::from_ref(&event))?;
        loop {
            let reply = connection.post("/flags/?v=2", body.as_bytes())?;
            let is_on = br#""enabled":true"#;
            if reply.body.windows(is_on.len()).any(|at| at == is_on) {
                break;
            }
            if sent.elapsed() > LIMIT {
                return Err(format!("{person} isn't seen: {}", reply.text()).into());
            }
        }
        took.record(sent.elapsed().as_micros() as u64)?;
    }
    Ok(took)
}
