//! A real Kafka: one process that is broker and controller, on ports and in a folder of its own.

use std::fs::{self, File};
use std::future::Future;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use crate::event::Event;
use crate::harness::{eventually, free_port};
use crate::shop::TOKEN;
use crate::tools;

/// The Java machine starts on a machine that may be busy.
const UP_WITHIN: Duration = Duration::from_secs(90);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// A cluster's id is a UUID in base 64; here they never meet, so one is enough.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

pub struct Broker {
    home: TempDir,
    port: u16,
    child: Mutex<Option<Child>>,
}

/// A topic and somebody who writes to it.
pub struct Topic {
    pub name: String,
    pub brokers: String,
    producer: FutureProducer,
}

/// A record as it is produced. A part that is `None` is left to Kafka, or is null.
#[derive(Default)]
pub struct Produced<'a> {
    pub partition: Option<i32>,
    pub key: Option<&'a str>,
    pub value: Option<&'a [u8]>,
    pub timestamp_ms: Option<i64>,
}

impl Broker {
    /// The broker that tests share, started by the first and stopped after the last of those
    /// that run at a time.
    pub fn shared() -> Arc<Broker> {
        static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(broker) = shared.upgrade() {
            return broker;
        }
        let broker = Arc::new(Broker::prepare());
        broker.start();
        *shared = Arc::downgrade(&broker);
        broker
    }

    /// A broker that has its address and isn't there yet.
    pub fn prepare() -> Broker {
        let home = tempfile::Builder::new().prefix("kafka").tempdir().expect("a temporary folder");
        let (port, controller) = (free_port(), free_port());
        let settings = settings(port, controller, &home.path().join("log"));
        fs::write(home.path().join("server.properties"), settings).expect("settings are written");
        let broker = Broker { home, port, child: Mutex::new(None) };
        let format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"];
        let formatted = broker.java(&[&format[..], &["server.properties"]].concat()).status();
        assert!(formatted.is_ok_and(|status| status.success()), "no format, {}", broker.output());
        broker
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it, again perhaps, and waits until it answers.
    pub fn start(&self) {
        let mut child = self.child();
        assert!(child.is_none(), "it is running already");
        *child = Some(self.java(&["kafka.Kafka", "server.properties"]).spawn().expect("java runs"));
        let asking: FutureProducer = self.client().create().expect("a client");
        eventually("Kafka is up", UP_WITHIN, || {
            let child = child.as_mut().expect("just started");
            let ended = child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "Kafka ended by itself: {}", self.output());
            asking.client().fetch_metadata(None, Duration::from_secs(2)).ok()
        });
    }

    /// Kills it. What it has acknowledged is still there when it starts again.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // It may have ended already; nothing is left to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A new topic with so many partitions.
    pub fn topic(&self, partitions: i32) -> Topic {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.topic_named(&format!("events-{number}"), partitions)
    }

    pub fn topic_named(&self, name: &str, partitions: i32) -> Topic {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let admin = self.admin();
        let created = wait(admin.create_topics([&topic], &admin_options()));
        match &created.expect("the broker answers")[0] {
            // Sluice makes a topic that isn't there.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err(refused) => panic!("the topic is not created: {refused:?}"),
        }
        Topic::of(&self.address(), name)
    }

    /// Deletes a topic and makes another of its name, with so many partitions.
    pub fn make_anew(&self, topic: &Topic, partitions: i32) -> Topic {
        let deleted = wait(self.admin().delete_topics(&[&topic.name], &admin_options()));
        deleted.expect("the broker answers")[0].as_ref().expect("the topic is deleted");
        let asking: FutureProducer = self.client().create().expect("a client");
        eventually("the topic is gone", ANSWERED_WITHIN, || {
            let topics = asking.client().fetch_metadata(None, ANSWERED_WITHIN).ok()?;
            topics.topics().iter().all(|known| known.name() != topic.name).then_some(())
        });
        self.topic_named(&topic.name, partitions)
    }

    /// Lets a topic grow to so many partitions.
    pub fn grow(&self, topic: &Topic, partitions: usize) {
        let admin = self.admin();
        let grown = NewPartitions::new(&topic.name, partitions);
        let grown = wait(admin.create_partitions([&grown], &admin_options()));
        grown.expect("partitions are added")[0].as_ref().expect("partitions are added");
    }

    /// Cuts off what a partition has before its end.
    pub fn truncate(&self, topic: &Topic, partition: i32) {
        let admin = self.admin();
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(&topic.name, partition, Offset::End).expect("an offset");
        wait(admin.delete_records(&before, &admin_options())).expect("records are deleted");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    fn client(&self) -> ClientConfig {
        client(&self.address())
    }

    fn java(&self, arguments: &[&str]) -> Command {
        let output =
            File::options().create(true).append(true).open(self.home.path().join("output"));
        let mut command = Command::new("java");
        command
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(tools::kafka_jars().join("*"))
            .args(arguments)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(output.as_ref().expect("a log file").try_clone().expect("a second handle"))
            .stderr(output.expect("a log file"));
        command
    }

    fn output(&self) -> String {
        fs::read_to_string(self.home.path().join("output")).unwrap_or_default()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- Kafka's output\n{}\n---", self.output());
        }
    }
}

impl Topic {
    /// A topic that is there already.
    pub fn of(brokers: &str, name: &str) -> Topic {
        let producer = client(brokers).create().expect("a producer");
        Topic { name: name.to_owned(), brokers: brokers.to_owned(), producer }
    }

    /// Produces events under the key that Sluice itself would use.
    pub fn produce(&self, events: &[Event]) {
        for event in events {
            let key = format!("{TOKEN}:{}", event.person);
            let value = event.record(TOKEN).to_string();
            self.put(&Produced {
                key: Some(&key),
                value: Some(value.as_bytes()),
                ..Produced::default()
            });
        }
    }

    pub fn put_json(&self, partition: i32, key: &str, value: &Value) {
        self.put(&Produced {
            partition: Some(partition),
            key: Some(key),
            value: Some(value.to_string().as_bytes()),
            timestamp_ms: None,
        });
    }

    /// Produces one record and waits for the broker to have it.
    pub fn put(&self, record: &Produced<'_>) {
        let record = FutureRecord {
            topic: &self.name,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: record.timestamp_ms,
            headers: None,
        };
        let delivered = wait(self.producer.send(record, ANSWERED_WITHIN));
        delivered.map_err(|(error, _)| error).expect("the record is delivered");
    }

    /// Another writer, whose records count once their transaction is committed.
    pub fn transactional(&self) -> Topic {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", format!("{}-writer", self.name));
        let producer: FutureProducer = config.create().expect("a producer");
        producer.init_transactions(ANSWERED_WITHIN).expect("transactions are possible");
        Topic { name: self.name.clone(), brokers: self.brokers.clone(), producer }
    }

    pub fn begin(&self) {
        self.producer.begin_transaction().expect("a transaction begins");
    }

    pub fn commit(&self) {
        self.producer.commit_transaction(ANSWERED_WITHIN).expect("it is committed");
    }

    pub fn abort(&self) {
        self.producer.abort_transaction(ANSWERED_WITHIN).expect("it is aborted");
    }
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("acks", "all").set("linger.ms", "0");
    config
}

fn settings(port: u16, controller: u16, log: &Path) -> String {
    let log = log.display();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={log}\n\
         auto.create.topics.enable=false\n\
         group.initial.rebalance.delay.ms=0\n\
         offsets.topic.num.partitions=1\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n"
    )
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWERED_WITHIN))
}

/// Kafka's client is asynchronous, tests aren't.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
