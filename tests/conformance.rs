//! The published schema of a record, against vectors and against what the binary writes.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use jsonschema::{Retrieve, Uri, Validator};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::broker::{Broker, Topic};
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{Setup, eventually};
use crate::shop::{self, TOKEN, adds, sets};
use crate::tools;

const UUID: &str = "0193f3a2-5d1c-7e9a-b1c2-1234567890ab";

#[test]
fn the_schema_accepts_what_a_producer_may_write() {
    let schema = schema();
    let full = json!({
        "uuid": UUID, "token": TOKEN, "event": "added to cart", "distinct_id": "ann",
        "timestamp": "2026-11-21T04:42:32.123Z", "properties": { "price": 9.5, "$set": {} },
    });
    let mut vectors = vec![full.clone()];
    for optional in ["uuid", "token", "timestamp", "properties"] {
        let mut without = full.clone();
        without.as_object_mut().expect("an object").remove(optional);
        vectors.push(without);
    }
    for timestamp in [json!(1_790_000_000_000_i64), json!("2026-11-21T05:42:32+01:00")] {
        let mut other = full.clone();
        other["timestamp"] = timestamp;
        vectors.push(other);
    }
    let mut more = full;
    more["an_unknown_field"] = json!(1);
    vectors.push(more);
    for vector in vectors {
        assert_eq!(complaints(&schema, &vector), Vec::<String>::new(), "{vector}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_event() {
    let schema = schema();
    let vectors = [
        json!(null),
        json!([]),
        json!("event"),
        json!({}),
        json!({ "event": "purchase" }),
        json!({ "distinct_id": "ann" }),
        json!({ "event": 7, "distinct_id": "ann" }),
        json!({ "event": "purchase", "distinct_id": ["ann"] }),
        json!({ "event": "purchase", "distinct_id": "ann", "properties": "none" }),
        json!({ "event": "purchase", "distinct_id": "ann", "timestamp": {} }),
    ];
    for vector in vectors {
        assert!(!schema.is_valid(&vector), "accepted: {vector}");
    }
}

/// PostHog's sample is what the reader's own test reads.
#[test]
fn the_schema_of_posthogs_records_accepts_them_and_no_others() {
    let schema = schema_of("clickhouse");
    let sample = tools::repository().join("schemas/src/event/clickhouse/pageview.json");
    let sample = std::fs::read_to_string(sample).expect("a record");
    let sample: Value = serde_json::from_str(&sample).expect("JSON");
    assert_eq!(complaints(&schema, &sample), Vec::<String>::new());
    for (field, value) in [
        ("properties", json!({})),
        ("team_id", json!("2")),
        ("event", json!(null)),
        ("distinct_id", json!([])),
        ("person_id", json!(7)),
        ("person_properties", json!({})),
        ("person_mode", json!("half")),
    ] {
        let mut other = sample.clone();
        other[field] = value;
        assert!(!schema.is_valid(&other), "accepted: {field} = {}", other[field]);
    }
}

#[test]
fn captured_events_are_written_as_the_schema_says() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(3), Dice::new(80));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let mut events = adds("ann", 3, now_ms(), &mut dice);
    events.push(sets("$set", "ben:with \"quotes\"", json!({"plan": "pro"}), 0, &mut dice));
    events.extend(adds(&"x".repeat(300), 1, now_ms(), &mut dice));
    server.client.capture(&events);
    let single = json!({ "api_key": TOKEN, "event": "purchase", "distinct_id": 42 });
    assert_eq!(server.client.post("/e/", &single).status, 200);

    let schema = schema();
    let records = records(&topic, 3, events.len() + 1);
    for record in &records {
        let value: Value =
            serde_json::from_slice(record.payload().expect("no tombstone")).expect("JSON");
        assert_eq!(complaints(&schema, &value), Vec::<String>::new(), "{value}");
        let key = String::from_utf8_lossy(record.key().expect("a key"));
        let person = value["distinct_id"].as_str().expect("text, whatever was sent");
        assert_eq!(key, format!("{TOKEN}:{person}"));
        assert!(person.chars().count() <= 200);
        assert_eq!(value["token"], json!(TOKEN));
        assert!(value["uuid"].is_string(), "whoever sent none gets one");
    }
    let of_ann = records.iter().filter(|record| record.key() == Some(b"phc_test:ann"));
    let partitions: Vec<i32> = of_ann.map(Message::partition).collect();
    assert_eq!(partitions.len(), 3);
    assert!(partitions.windows(2).all(|pair| pair[0] == pair[1]), "one person, one partition");
}

/// What editors complete definitions with accepts the shop of the tests and that of the demo.
#[test]
fn the_schemas_accept_good_definitions() {
    let here = shop::DEFINITIONS.iter().map(|(path, yaml)| ((*path).into(), (*yaml).to_owned()));
    let mut files: Vec<(PathBuf, String)> = here.collect();
    let demo = tools::repository().join("definitions/shop");
    for folder in [demo.clone(), demo.join("cohorts"), demo.join("flags")] {
        let entries = std::fs::read_dir(&folder).expect("a folder of definitions").flatten();
        let yaml = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some());
        files.extend(yaml.map(|path| {
            let text = std::fs::read_to_string(&path).expect("a definition");
            (path, text)
        }));
    }
    let schemas = ["project", "cohort", "flag"].map(schema_of);
    for (path, yaml) in files {
        let kind = match path.parent().and_then(|folder| folder.file_name()) {
            Some(folder) if folder == "cohorts" => 1,
            Some(folder) if folder == "flags" => 2,
            _ => 0,
        };
        let value: Value = serde_saphyr::from_str(&yaml).expect("YAML");
        let complaints = complaints(&schemas[kind], &value);
        assert_eq!(complaints, Vec::<String>::new(), "{}", path.display());
    }
}

fn schema() -> Validator {
    schema_of("event")
}

pub fn schema_of(what: &str) -> Validator {
    let schema = read_schema(&format!("{what}.schema.json"));
    jsonschema::meta::validate(&schema).expect("the schema is a schema");
    // They refer to each other by file name.
    let options = jsonschema::options().with_base_uri("file:///schemas/").with_retriever(Beside);
    options.build(&schema).expect("the schema compiles")
}

/// Finds a schema that another one refers to.
struct Beside;

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next();
        Ok(read_schema(name.unwrap_or_default()))
    }
}

fn read_schema(name: &str) -> Value {
    let path = tools::repository().join("schemas").join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the schema is JSON")
}

pub fn complaints(schema: &Validator, value: &Value) -> Vec<String> {
    schema.iter_errors(value).map(|error| error.to_string()).collect()
}

/// Reads so many records from the beginning of a topic.
fn records(topic: &Topic, partitions: i32, count: usize) -> Vec<OwnedMessage> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &topic.brokers).set("group.id", "conformance");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut from = TopicPartitionList::new();
    for partition in 0..partitions {
        from.add_partition_offset(&topic.name, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&from).expect("an assignment");
    let mut records = Vec::new();
    eventually("the records are read", Duration::from_secs(30), || {
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            records.push(record.expect("a record").detach());
        }
        (records.len() >= count).then_some(())
    });
    records
}
