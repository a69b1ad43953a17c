//! How long an event takes to be seen: from the moment it is handed over until a check over HTTP
//! says yes, while others arrive at a steady rate. And how long until a program has it that only
//! reads the topic: what Kafka takes alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use processor::log::{Arrival, Reader};
use processor::priority;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use serde_json::{Value, json};

use crate::conditions::TOKEN;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::flags::Schedule;
use crate::floor;
use crate::wire::{Connection, from_position};
use crate::workload::{Shape, Workload};
use crate::{Failure, Outcome};

/// How events come to the log, and who sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Produced to its topic; a node is asked until it says yes.
    Produce,
    /// Produced, and a node is asked once the brokers have it, by its position.
    Position,
    /// Captured over HTTP; the same node is asked.
    Capture,
    /// Produced, and read by a program that does nothing else.
    Read,
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
    /// Events a second of everybody else: those of W1.
    #[arg(long, default_value_t = 10_000)]
    events_per_second: u64,
    /// Events whose sight is timed.
    #[arg(long, default_value_t = 1_000)]
    probes: u64,
    /// How many of those a second.
    #[arg(long, default_value_t = 50)]
    probes_per_second: u64,
    #[arg(long, default_value_t = 100_000)]
    persons: u32,
}

/// Everybody else's events are sent so often by all senders; at once, what has come meanwhile.
const BATCHES_PER_SECOND: u64 = 200;
/// So many send them, each over a connection or a producer of its own.
const SENDERS: u64 = 4;
/// Nobody waits longer than this.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a check may wait for its position: the most that a node allows.
const POSITION_WAIT_MS: u64 = 5_000;
/// What a probe does, and the flag of W1 that is on from then on.
const PROBE: (&str, &str) = ("checkout started", "checkout");

pub fn run(arguments: &Arguments) -> Outcome {
    let done = &AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    let said = |error: Failure| error.to_string();
    let took = thread::scope(|scope| {
        let others: Vec<_> = (0..SENDERS)
            .map(|number| scope.spawn(move || others(arguments, number, done).map_err(said)))
            .collect();
        let reads = arguments.way == Way::Read;
        let reader = reads.then(|| scope.spawn(|| read(arguments, tell, done).map_err(said)));
        let took = probe(arguments, &told).map_err(said);
        done.store(true, Ordering::Release);
        let mut sent = 0.0;
        for sender in others {
            sent += sender.join().map_err(|_| "a panic")??;
        }
        reader.map_or(Ok(Ok(())), |reader| reader.join()).map_err(|_| "a panic")??;
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
    Topic(ThreadedProducer<Placed>, String),
    Node(Connection),
}

/// Hears of each record that the brokers have, if anybody does: its partition, and the offset
/// after it.
struct Placed(Option<Sender<(i32, i64)>>);

impl ClientContext for Placed {}

impl ProducerContext for Placed {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let (Some(tell), Ok(record)) = (&self.0, result) {
            // Whoever would like to know may have given up.
            tell.send((record.partition(), record.offset() + 1)).ok();
        }
    }
}

impl Target {
    /// Where each goes at once, or, with a linger, with those that come so soon after it. Where
    /// those are `placed` that are produced is told whoever asks.
    fn new(
        arguments: &Arguments,
        linger_ms: u64,
        placed: Option<Sender<(i32, i64)>>,
    ) -> Result<Self, Failure> {
        Ok(match arguments.way {
            Way::Capture => Target::Node(Connection::open(&arguments.url)?),
            Way::Produce | Way::Position | Way::Read => {
                let mut config = ClientConfig::new();
                config.set("bootstrap.servers", &arguments.brokers);
                config.set("linger.ms", linger_ms.to_string());
                config.set("partitioner", "murmur2_random").set("compression.codec", "lz4");
                config.set("delivery.report.only.error", placed.is_none().to_string());
                let producer = config.create_with_context(Placed(placed))?;
                Target::Topic(producer, arguments.topic.clone())
            }
        })
    }

    /// Sends records, each with its person.
    fn send(&mut self, records: &[(String, Vec<u8>)]) -> Result<(), Failure> {
        match self {
            Target::Node(connection) => {
                let mut body = format!(r#"{{"api_key":"{TOKEN}","batch":["#).into_bytes();
                for (at, (_, record)) in records.iter().enumerate() {
                    body.extend_from_slice(if at > 0 { b"," } else { b"" });
                    body.extend_from_slice(record);
                }
                body.extend_from_slice(b"]}");
                connection.post("/batch/", &body)?.fine()?;
                Ok(())
            }
            Target::Topic(producer, topic) => {
                for (person, record) in records {
                    let key = format!("{TOKEN}:{person}");
                    let mut record = BaseRecord::to(topic).key(&key).payload(record);
                    while let Err((error, back)) = producer.send(record) {
                        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                        if error != full {
                            return Err(error.into());
                        }
                        thread::sleep(Duration::from_millis(1));
                        record = back;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Sends one sender's share of everybody else's events. Returns how many there were a second.
fn others(arguments: &Arguments, number: u64, done: &AtomicBool) -> Result<f64, Failure> {
    let mut target = Target::new(arguments, 5, None)?;
    let shape = Shape { persons: arguments.persons, events: u64::MAX, seed: number, ..Shape::W1 };
    let mut workload = Workload::new(shape, now_ms());
    let start = Instant::now();
    let batch = (arguments.events_per_second / BATCHES_PER_SECOND).max(1) as usize;
    let per_second = arguments.events_per_second / batch as u64;
    let mut sent = 0;
    for _ in (Schedule { start, per_second, next: number, step: SENDERS, end: u64::MAX }) {
        if done.load(Ordering::Acquire) {
            break;
        }
        let records = workload.by_ref().take(batch).map(|mut sketch| {
            sketch.time_ms = now_ms();
            let mut record = Vec::with_capacity(shape.bytes);
            sketch.write(TOKEN, shape.bytes, &mut record);
            (sketch.distinct_id(), record)
        });
        target.send(&records.collect::<Vec<_>>())?;
        sent += batch;
    }
    if let Target::Topic(producer, _) = &target {
        producer.flush(LIMIT)?;
    }
    Ok(sent as f64 / start.elapsed().as_secs_f64())
}

/// Reads all that comes to the topic from now on, and tells whom the probes are of.
fn read(arguments: &Arguments, tell: Sender<String>, done: &AtomicBool) -> Outcome {
    let mut reader = floor::reader(&arguments.brokers, &arguments.topic, |bounds| bounds.end)?;
    while !done.load(Ordering::Acquire) {
        reader.read(1_000, Duration::from_millis(100), &mut |arrival| {
            let Arrival::Record(record) = arrival else { return };
            // Probes are short, and the others of one length.
            let value = record.value.filter(|value| value.len() < Shape::W1.bytes);
            let event: Option<Value> = value.and_then(|value| serde_json::from_slice(value).ok());
            let person = event.as_ref().and_then(|event| event["distinct_id"].as_str());
            // Whoever would like to know may have given up.
            person.map(|person| tell.send(person.to_owned()).ok());
        })?;
    }
    Ok(())
}

/// Sends events of people whom nobody has seen, one by one, and waits until each is known.
fn probe(arguments: &Arguments, told: &Receiver<String>) -> Result<Histogram<u64>, Failure> {
    // Whoever asks stands elsewhere, and waits for no processor of the node's.
    priority::cut_in();
    let (tell_placed, placed) = mpsc::channel();
    let asks_where = (arguments.way == Way::Position).then_some(tell_placed);
    let (mut target, mut dice) =
        (Target::new(arguments, 0, asks_where)?, Dice::new(now_ms() as u64));
    let mut node = match arguments.way {
        Way::Read => None,
        Way::Produce | Way::Position | Way::Capture => Some(Connection::open(&arguments.url)?),
    };
    let mut took = Histogram::new(3)?;
    let start = Instant::now() + Duration::from_secs(1);
    let per_second = arguments.probes_per_second;
    for _ in (Schedule { start, per_second, next: 0, step: 1, end: arguments.probes }) {
        let person = dice.uuid();
        let event = Event::new(PROBE.0, &person, now_ms(), &mut dice);
        let record = event.record(TOKEN).to_string().into_bytes();
        let sent = Instant::now();
        target.send(&[(person.clone(), record)])?;
        let headers = match arguments.way {
            Way::Position => {
                let (partition, next) = placed.recv_timeout(LIMIT)?;
                from_position(&format!("{partition}:{next}"), POSITION_WAIT_MS)
            }
            Way::Produce | Way::Capture | Way::Read => String::new(),
        };
        match &mut node {
            Some(node) => ask(node, &person, &headers, sent)?,
            None => while told.recv_timeout(LIMIT)? != person {},
        }
        took.record(sent.elapsed().as_micros() as u64)?;
    }
    Ok(took)
}

/// Asks until the answer is yes, with more headers.
fn ask(node: &mut Connection, person: &str, more: &str, sent: Instant) -> Outcome {
    let body = json!({ "token": TOKEN, "distinct_id": person, "flag_keys": [PROBE.1] });
    let body = body.to_string();
    loop {
        let reply = node.post_with("/flags/?v=2", more, body.as_bytes())?;
        let is_on = br#""enabled":true"#;
        if reply.body.windows(is_on.len()).any(|at| at == is_on) {
            return Ok(());
        }
        if sent.elapsed() > LIMIT {
            return Err(format!("{person} isn't seen: {}", reply.text()).into());
        }
    }
}
