//! The log on Kafka, through librdkafka: all partitions are this node's own choice, offsets
//! live in the store, and the consumer group only names advisory commits.

mod batch;
mod offsets;
mod reader;

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use schemas::append::{Append, AppendError, Outgoing};
use schemas::lookup::Position;

use self::offsets::{bounds, offset};
pub use self::reader::KafkaReader;
use super::{Bounds, Log, LogError};

/// How long a question to the brokers may take.
const ASK_WAIT: Duration = Duration::from_secs(5);
/// How long a produced record may take to be confirmed: the sender's 503 comes then.
const PRODUCE_WAIT: Duration = Duration::from_secs(5);
/// Told where a record has no offset: whoever sent it couldn't ask for state that has it.
const UNPLACED: &str = "the brokers did not tell where they are, as they never do with acks=0";

/// What librdkafka says by itself. While brokers are away it repeats itself many times a second;
/// the follower says once that the log doesn't answer.
struct Murmur;

impl ClientContext for Murmur {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Murmur {}

type Reading = BaseConsumer<Murmur>;

/// Which topic, and how to reach it.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Whether its records are read only, since somebody else writes them in another shape.
    pub read_only: bool,
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Names advisory commits, so that lag can be watched with Kafka's own tools.
    pub group: String,
    /// How many partitions it gets if Sluice has to make it.
    pub partitions: i32,
    /// Passed to librdkafka as they are, over Sluice's own choices.
    pub properties: BTreeMap<String, String>,
}

/// Kafka as the log.
pub struct Kafka {
    topic: Topic,
    asking: Reading,
    producer: FutureProducer<Murmur>,
    committed: Mutex<Position>,
}

impl Topic {
    fn config(&self, purpose: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", format!("sluice-{purpose}"));
        config
    }

    fn with_properties(&self, mut config: ClientConfig) -> ClientConfig {
        config.extend(self.properties.iter().map(|(key, value)| (key.clone(), value.clone())));
        config
    }

    fn consumer(&self, purpose: &str) -> Result<Reading, KafkaError> {
        let mut config = self.config(purpose);
        config
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            // Never a silent reset: the reader finds out what is left and says so.
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            // The default waits a second once the queue is full.
            .set("fetch.queue.backoff.ms", "5")
            // More would wait in memory, and be out of the processor's caches when it is folded.
            .set("queued.max.messages.kbytes", "4096")
            // The default is a MiB of each partition: what is fetched at once is held at once.
            .set("fetch.message.max.bytes", "262144")
            .set("reconnect.backoff.max.ms", "1000")
            .set("topic.metadata.refresh.interval.ms", "5000");
        self.with_properties(config).create_with_context(Murmur)
    }

    fn producer(&self) -> Result<FutureProducer<Murmur>, KafkaError> {
        let mut config = self.config("capture");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            .set("reconnect.backoff.max.ms", "1000")
            .set("message.timeout.ms", PRODUCE_WAIT.as_millis().to_string())
            // The partitioner of Java producers, so that one person's events stay together.
            .set("partitioner", "murmur2_random");
        self.with_properties(config).create_with_context(Murmur)
    }
}

impl Kafka {
    /// Makes the clients; brokers are looked for in the background.
    ///
    /// # Errors
    /// When a librdkafka property is wrong.
    pub fn new(topic: Topic) -> Result<Self, LogError> {
        let asking = topic.consumer("ask")?;
        let producer = topic.producer()?;
        Ok(Kafka { topic, asking, producer, committed: Mutex::default() })
    }

    /// Makes the topic, stamped by the brokers' clock, unless it is there. Says so when a
    /// topic is stamped by producers' clocks, which are then what bounds an event's time.
    async fn ensure_topic(&self) -> Result<(), LogError> {
        let admin: AdminClient<Murmur> =
            self.topic.with_properties(self.topic.config("admin")).create_with_context(Murmur)?;
        let options = AdminOptions::new().request_timeout(Some(ASK_WAIT));
        let name = self.topic.name.as_str();
        let copies = TopicReplication::Fixed(-1);
        let topic = NewTopic::new(name, self.topic.partitions, copies)
            .set("message.timestamp.type", "LogAppendTime");
        for made in admin.create_topics(&[topic], &options).await? {
            match made {
                Ok(_) => tracing::info!(topic = name, "made the topic"),
                Err((_, Code::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
            }
        }
        let asked = [ResourceSpecifier::Topic(name)];
        for described in admin.describe_configs(&asked, &options).await? {
            let stamped = described.ok().and_then(|config| {
                config.get("message.timestamp.type").and_then(|entry| entry.value.clone())
            });
            if stamped.as_deref() == Some("CreateTime") {
                tracing::warn!(
                    topic = name,
                    "records carry their producers' time (CreateTime): events are bounded by \
                     those clocks; LogAppendTime bounds them by the brokers'"
                );
            }
        }
        Ok(())
    }
}

impl Log for Kafka {
    type Reader = KafkaReader;

    fn prepare(&self) -> Result<(), LogError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.ensure_topic())
    }

    fn partitions(&self) -> Result<Vec<i32>, LogError> {
        let metadata = self.asking.fetch_metadata(Some(&self.topic.name), ASK_WAIT)?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic.name);
        let topic = topic.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        let topic = topic.ok_or_else(|| LogError::NoTopic(self.topic.name.clone()))?;
        Ok(topic.partitions().iter().map(|partition| partition.id()).collect())
    }

    fn bounds(&self, partition: i32) -> Result<Bounds, LogError> {
        bounds(&self.asking, &self.topic.name, partition)
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, LogError> {
        // Asked before: what arrives between the two questions has to be read.
        let end = self.bounds(partition)?.end;
        let asked = Offset::Offset(time_ms.max(0));
        Ok(offset(&self.asking, &self.topic.name, partition, asked)?.unwrap_or(end))
    }

    fn reader(&self, purpose: &str) -> Result<KafkaReader, LogError> {
        KafkaReader::new(self.topic.clone(), purpose)
    }

    fn settled(&self, position: &Position) {
        let mut committed = self.committed.lock();
        if *committed == *position {
            return;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in position {
            let offset = Offset::Offset(*next);
            if let Err(error) = offsets.add_partition_offset(&self.topic.name, *partition, offset) {
                tracing::debug!(%error, partition, "no advisory commit");
            }
        }
        match self.asking.commit(&offsets, CommitMode::Async) {
            Ok(()) => committed.clone_from(position),
            Err(error) => tracing::debug!(%error, "no advisory commit; offsets are in the store"),
        }
    }

    fn lineage(&self) -> String {
        format!("kafka:{}", self.topic.name)
    }
}

impl Append for Kafka {
    async fn append(&self, records: Vec<Outgoing>) -> Result<Position, AppendError> {
        if self.topic.read_only {
            return Err(AppendError::ReadOnly(self.topic.name.clone()));
        }
        let mut confirmations = Vec::with_capacity(records.len());
        for record in &records {
            let mut outgoing =
                FutureRecord::to(&self.topic.name).key(&record.key).payload(&record.value);
            outgoing.partition = record.partition;
            let queued = self.producer.send_result(outgoing);
            confirmations.push(queued.map_err(|(error, _)| refusal(&error, record))?);
        }
        let confirmed = async {
            let mut position = Position::new();
            for (confirmation, record) in confirmations.into_iter().zip(&records) {
                let gone = |_| AppendError::Unavailable("the node is stopping".to_owned());
                let delivery = confirmation.await.map_err(gone)?;
                let delivery = delivery.map_err(|(error, _)| refusal(&error, record))?;
                if delivery.offset < 0 {
                    return Err(AppendError::Unavailable(UNPLACED.to_owned()));
                }
                let next = position.entry(delivery.partition).or_insert(0);
                *next = delivery.offset.saturating_add(1).max(*next);
            }
            Ok(position)
        };
        // librdkafka looks for overdue records once a second; the sender shall not wait for it.
        let late = || AppendError::Unavailable(format!("no answer within {PRODUCE_WAIT:?}"));
        tokio::time::timeout(PRODUCE_WAIT, confirmed).await.map_err(|_| late())?
    }
}

fn refusal(error: &KafkaError, record: &Outgoing) -> AppendError {
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
            AppendError::TooLarge { bytes: record.value.len() }
        }
        _ => AppendError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
