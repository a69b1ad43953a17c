//! Fills a topic with workload W1, once for all runs of a measurement.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Outcome;
use crate::conditions::TOKEN;
use crate::event;
use crate::workload::{Shape, Workload};

const FLUSHED_WITHIN: Duration = Duration::from_secs(120);

#[derive(Clone, clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub brokers: String,
    #[arg(long, default_value = "events")]
    pub topic: String,
    #[arg(long, default_value_t = 4)]
    pub partitions: i32,
    #[command(flatten)]
    pub shape: Shape,
    /// How keys find their partition; as at Java's producers if nothing is said.
    #[arg(long, default_value = "murmur2_random")]
    pub partitioner: String,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let began = Instant::now();
    let filled = fill(arguments)?;
    println!(
        "{} events in {:.1} s; {} people have a watched one\n--ending {} --seed {}",
        arguments.shape.events,
        began.elapsed().as_secs_f64(),
        filled.active,
        filled.ending_ms,
        arguments.shape.seed
    );
    Ok(())
}

/// A topic that was filled.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// The end of the workload, in epoch milliseconds.
    pub ending_ms: i64,
    /// How many people have an event that is watched.
    pub active: usize,
}

/// Makes a topic and fills it with a workload that ends now.
///
/// # Errors
/// When the brokers refuse.
pub fn fill(arguments: &Arguments) -> Result<Filled, Box<dyn std::error::Error>> {
    let mut config = brokers(&arguments.brokers);
    config
        .set("partitioner", &arguments.partitioner)
        .set("compression.codec", "lz4")
        .set("linger.ms", "20")
        .set("batch.size", "262144")
        .set("queue.buffering.max.messages", "200000")
        .set("enable.idempotence", "true");
    create_topic(&config, arguments)?;
    let producer: BaseProducer = config.create()?;

    let ending_ms = event::now_ms();
    let mut value = Vec::new();
    let mut watched = vec![false; arguments.shape.persons as usize];
    for sketch in Workload::new(arguments.shape, ending_ms) {
        watched[sketch.person as usize] |= sketch.is_watched();
        sketch.write(TOKEN, arguments.shape.bytes, &mut value);
        let key = format!("{TOKEN}:{}", sketch.distinct_id());
        let record = BaseRecord::to(&arguments.topic).key(&key).payload(&value);
        send(&producer, record.timestamp(sketch.time_ms))?;
    }
    producer.flush(FLUSHED_WITHIN)?;
    Ok(Filled { ending_ms, active: watched.into_iter().filter(|watched| *watched).count() })
}

/// Waits while the producer's queue is full.
fn send(
    producer: &BaseProducer,
    mut record: BaseRecord<'_, String, Vec<u8>>,
) -> Result<(), KafkaError> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                producer.poll(Duration::from_millis(10));
                record = same;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Deletes a topic.
///
/// # Errors
/// When the brokers refuse.
pub fn delete(at: &str, topic: &str) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = brokers(at).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for deleted in runtime.block_on(admin.delete_topics(&[topic], &AdminOptions::new()))? {
        deleted.map_err(|(topic, code)| format!("topic {topic}: {code}"))?;
    }
    Ok(())
}

fn brokers(at: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", at);
    config
}

fn create_topic(config: &ClientConfig, arguments: &Arguments) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let replication = TopicReplication::Fixed(1);
    // Records bear the time of their event: ten minutes pass in a few seconds.
    let topic = NewTopic::new(&arguments.topic, arguments.partitions, replication)
        .set("message.timestamp.type", "CreateTime");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for created in runtime.block_on(admin.create_topics([&topic], &options))? {
        created.map_err(|(topic, code)| format!("topic {topic}: {code}"))?;
    }
    Ok(())
}
