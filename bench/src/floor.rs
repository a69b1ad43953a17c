//! The floor: what reading a topic costs any program, with nothing durable and nobody answered.

use std::time::Duration;

use clap::ValueEnum;
use hashbrown::HashMap;
use processor::log::kafka::{Kafka, Topic};
use processor::log::{Arrival, Bounds, Log, Reader};
use serde::de::{Deserializer as _, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::json;

use crate::event::now_ms;
use crate::{Failure, Outcome};

/// How far a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Step {
    /// It is read from the topic.
    Consume,
    /// It is parsed, up to its name where nobody watches that.
    Parse,
    /// The newest ten of each watched name are kept, by a person's id.
    Fold,
}

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    #[arg(long, default_value = "events")]
    topic: String,
    /// How many records there are.
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
    #[arg(long)]
    step: Step,
}

/// The newest times of a person, and what their events are told apart by; newest first.
type Newest = Vec<(i64, u64)>;

const WATCHED: [&str; 4] = ["product viewed", "added to cart", "checkout started", "purchase"];
const NEWEST_MAX: usize = 10;

pub fn run(arguments: &Arguments) -> Outcome {
    let mut reader = reader(&arguments.brokers, &arguments.topic, |bounds| bounds.first)?;
    let mut people: HashMap<String, [Newest; 4]> = HashMap::new();
    let (mut read, mut watched, mut first_ms) = (0, 0u64, None);
    while read < arguments.records {
        read += reader.read(1_000, Duration::from_secs(1), &mut |arrival| {
            let Arrival::Record(record) = arrival else { return };
            first_ms.get_or_insert_with(now_ms);
            if arguments.step == Step::Consume {
                return;
            }
            let Some(event) = record.value.and_then(parse) else { return };
            watched += 1;
            if arguments.step == Step::Fold {
                keep(&mut people, &event, record.timestamp_ms);
            }
        })? as u64;
    }
    let name = format!("floor-{:?}", arguments.step).to_lowercase();
    println!("{watched} records are watched, of {} people", people.len());
    let said = json!({
        "contestant": name, "applied": read, "first_ms": first_ms, "last_ms": now_ms(),
        "checkpoints": 0,
    });
    println!("{said}");
    Ok(())
}

/// What reads each partition of a topic, beginning where `from` says.
///
/// # Errors
/// When Kafka is out of reach, or has no such topic.
pub fn reader(
    brokers: &str,
    topic: &str,
    from: impl Fn(Bounds) -> i64,
) -> Result<<Kafka as Log>::Reader, Failure> {
    let kafka = Kafka::new(Topic {
        name: topic.to_owned(),
        read_only: true,
        brokers: brokers.to_owned(),
        group: "bench".to_owned(),
        partitions: 1,
        properties: Default::default(),
    })?;
    let mut reader = kafka.reader("bench")?;
    for partition in kafka.partitions()? {
        reader.assign(partition, from(kafka.bounds(partition)?))?;
    }
    Ok(reader)
}

struct Event<'a> {
    uuid: &'a str,
    name: usize,
    person: &'a str,
}

fn keep(people: &mut HashMap<String, [Newest; 4]>, event: &Event<'_>, time_ms: i64) {
    let tag = xxhash_rust::xxh3::xxh3_64(event.uuid.as_bytes());
    let newest = &mut people.entry_ref(event.person).or_default()[event.name];
    if newest.iter().any(|(_, known)| *known == tag) {
        return;
    }
    let at = newest.partition_point(|(newer, _)| *newer > time_ms);
    if at < NEWEST_MAX {
        newest.insert(at, (time_ms, tag));
        newest.truncate(NEWEST_MAX);
    }
}

/// The event, if it is a watched one.
fn parse(value: &[u8]) -> Option<Event<'_>> {
    serde_json::Deserializer::from_slice(value).deserialize_map(Watched).ok()
}

struct Watched;

impl<'de> Visitor<'de> for Watched {
    type Value = Event<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a watched event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<'de>, A::Error> {
        let (mut uuid, mut name, mut person) = ("", None, "");
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "uuid" => uuid = map.next_value()?,
                "distinct_id" => person = map.next_value()?,
                "event" => {
                    let told: &str = map.next_value()?;
                    name = WATCHED.iter().position(|watched| *watched == told);
                    if name.is_none() {
                        return Err(A::Error::custom("unwatched"));
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let name = name.ok_or_else(|| A::Error::custom("no name"))?;
        Ok(Event { uuid, name, person })
    }
}
