//! Stories of a Kafka that refuses an offset, told by librdkafka's own imitation of brokers.

use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::log::{Arrival, LogRecord, Reader};

const TOPIC: &str = "events";
const PARTITIONS: i32 = 3;
/// Silent readings after which a story has failed: a reading waits for so long.
const READINGS_MAX: usize = 300;
/// How often a race is run that nobody wins every time.
const ROUNDS: usize = 50;
const WAIT: Duration = Duration::from_millis(100);

/// Brokers, and a topic of three partitions with two records each.
fn brokers() -> (MockCluster<'static, DefaultProducerContext>, Kafka) {
    let cluster = MockCluster::new(1).expect("brokers");
    cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
    let topic = Topic {
        name: TOPIC.to_owned(),
        brokers: cluster.bootstrap_servers(),
        group: "sluice".to_owned(),
        partitions: PARTITIONS,
        read_only: false,
        properties: BTreeMap::new(),
    };
    let kafka = Kafka::new(topic).expect("clients");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for partition in (0..PARTITIONS).chain(0..PARTITIONS) {
            let record = FutureRecord::to(TOPIC).partition(partition).key("any").payload("{}");
            kafka.producer.send(record, PRODUCE_WAIT).await.expect("the record is taken");
        }
    });
    (cluster, kafka)
}

/// Reads until `enough` of what was told. Returns that, in no order, and the failures.
fn read(reader: &mut KafkaReader, enough: usize) -> (Vec<String>, usize) {
    let (mut told, mut failures) = (Vec::new(), 0);
    for _ in 0..READINGS_MAX {
        let read = reader.read(100, WAIT, &mut |arrival| match arrival {
            Arrival::Record(record) => told.push(format!("{}:{}", record.partition, record.offset)),
            Arrival::Truncated { partition, first } => {
                told.push(format!("{partition} lost before {first}"));
            }
            Arrival::End { .. } => {}
        });
        failures += usize::from(read.is_err());
        if told.len() >= enough {
            break;
        }
    }
    told.sort();
    (told, failures)
}

/// librdkafka's safe way of reading is the twin of the quick one.
#[test]
fn what_is_taken_at_once_is_what_comes_one_by_one() {
    let (_cluster, kafka) = brokers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for number in 0..200 {
            let value = format!("{{\"number\":{number}}}");
            let record: FutureRecord<'_, str, String> = FutureRecord::to(TOPIC).key("any");
            let record = record.partition(number % PARTITIONS).timestamp(1_000 + i64::from(number));
            let sent = if number % 9 == 0 { record } else { record.payload(&value) };
            kafka.producer.send(sent, PRODUCE_WAIT).await.expect("the record is taken");
        }
    });
    let expected = 2 * PARTITIONS as usize + 200;
    type Told = (i32, i64, i64, Option<Vec<u8>>);
    let (mut quick, mut safe): (Vec<Told>, Vec<Told>) = (Vec::new(), Vec::new());

    let mut reader = kafka.reader("test").expect("a reader");
    (0..PARTITIONS).for_each(|partition| reader.assign(partition, 0).expect("it is there"));
    let mut ends = 0;
    for _ in 0..READINGS_MAX {
        let read = reader.read(100, WAIT, &mut |arrival| match arrival {
            Arrival::Record(LogRecord { partition, offset, timestamp_ms, value }) => {
                quick.push((partition, offset, timestamp_ms, value.map(<[u8]>::to_vec)));
            }
            Arrival::End { .. } => ends += 1,
            Arrival::Truncated { .. } => panic!("nothing was lost"),
        });
        assert!(read.expect("the log is there") <= 100);
        if quick.len() == expected && ends >= PARTITIONS {
            break;
        }
    }
    let consumer = kafka.topic.consumer("twin").expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("an offset");
    }
    consumer.incremental_assign(&list).expect("they are there");
    for _ in 0..READINGS_MAX * 10 {
        if let Some(Ok(message)) = consumer.poll(WAIT) {
            let timestamp_ms = message.timestamp().to_millis().unwrap_or(0);
            let value = message.payload().map(<[u8]>::to_vec);
            safe.push((message.partition(), message.offset(), timestamp_ms, value));
        }
        if safe.len() == expected {
            break;
        }
    }
    // Each partition comes in order; how partitions take turns is nobody's promise.
    quick.sort_by_key(|told| told.0);
    safe.sort_by_key(|told| told.0);
    assert_eq!(quick.len(), expected);
    assert_eq!(quick, safe);
    assert_eq!(ends, PARTITIONS, "each end is told once");
}

/// Each partition begins anew, one by one or all at once, and none that lost nothing does.
#[test]
fn every_partition_that_lost_its_offset_says_so_and_goes_on() {
    let (_cluster, kafka) = brokers();
    let mut reader = kafka.reader("test").expect("a reader");
    for (partition, offset) in [(0, 40), (1, 1), (2, 50)] {
        reader.assign(partition, offset).expect("it is there");
    }
    let (told, _) = read(&mut reader, 7);
    let expected = ["0 lost before 0", "0:0", "0:1", "1:1", "2 lost before 0", "2:0", "2:1"];
    assert_eq!(told, expected);
}

/// The brokers are asked what is left, and don't say: they are asked again.
#[test]
fn a_question_that_fails_while_an_offset_is_lost_is_asked_again() {
    let (cluster, kafka) = brokers();
    let mut reader = kafka.reader("test").expect("a reader");
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &[refusal; 3]);
    for (partition, offset) in [(0, 40), (1, 1)] {
        reader.assign(partition, offset).expect("it is there");
    }
    let (told, failures) = read(&mut reader, 4);
    assert!(failures > 0, "the brokers refused to say");
    assert_eq!(told, ["0 lost before 0", "0:0", "0:1", "1:1"]);
}

/// One of two questions is refused: the log doesn't pass for empty, whatever librdkafka makes of
/// the answer to the other.
#[test]
fn a_question_that_is_refused_is_not_taken_for_an_empty_partition() {
    let (cluster, kafka) = brokers();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    for _ in 0..ROUNDS {
        cluster.request_errors(RDKafkaApiKey::ListOffsets, &[refusal]);
        match kafka.bounds(0) {
            Ok(bounds) => assert_eq!(bounds, Bounds { first: 0, end: 2 }),
            Err(error) => assert!(error.to_string().contains("authorization"), "{error}"),
        }
        cluster.clear_request_errors(RDKafkaApiKey::ListOffsets);
    }
}

#[test]
fn an_empty_partition_is_told_as_such() {
    let (cluster, kafka) = brokers();
    cluster.create_topic("empty", 1, 1).expect("a topic");
    let bounds = bounds(&kafka.asking, "empty", 0).expect("it answers");
    assert_eq!(bounds, Bounds { first: 0, end: 0 });
}
