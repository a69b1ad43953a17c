//! Stories of a topic that PostHog's pipeline writes: `clickhouse_events_json`.

use serde_json::{Value, json};

use crate::broker::{Broker, Produced, Topic};
use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms, rfc3339};
use crate::harness::{Server, Setup};
use crate::kafka::wait_for;
use crate::shop::{MINUTE_MS, TOKEN, adds, purchase};

const TEAM: i64 = 2;

/// The event as PostHog's pipeline writes it, with what it knows of the person.
fn row(event: &Event, person: &Value) -> Value {
    let time = |time_ms| rfc3339(time_ms).replace('T', " ").replace('Z', "000");
    json!({
        "uuid": event.uuid,
        "event": event.name,
        "properties": Value::Object(event.properties.clone()).to_string(),
        "timestamp": time(event.time_ms),
        "team_id": TEAM,
        "project_id": TEAM,
        "distinct_id": event.person,
        "elements_chain": "",
        "created_at": time(now_ms()),
        "captured_at": null,
        "person_id": format!("person of {}", event.person),
        "person_properties": person.to_string(),
        "person_created_at": "2024-05-01 08:00:00",
        "person_mode": "full",
    })
}

/// A node that reads the topic in PostHog's shape, for the team whose rows these are.
fn setup(topic: &Topic) -> Setup {
    Setup::kafka(&topic.brokers, &topic.name)
        .set("SLUICE_KAFKA_FORMAT", "clickhouse")
        .define("project.yaml", &format!("token: {TOKEN}\nteam_id: {TEAM}\n"))
}

/// PostHog keys records by event, so that a person's rows lie in any partition.
fn put(topic: &Topic, row: &Value) {
    let (key, value) = (row["uuid"].as_str(), row.to_string());
    topic.put(&Produced { key, value: Some(value.as_bytes()), ..Produced::default() });
}

/// Puts enough into each partition for somebody new to get an offer, and waits for all of it:
/// then what was put before is read too.
fn read_all(server: &Server, topic: &Topic, partitions: i32, dice: &mut Dice) {
    for partition in 0..partitions {
        let person = dice.uuid();
        for event in adds(&person, 3, now_ms(), dice) {
            topic.put_json(partition, &event.uuid, &row(&event, &json!({})));
        }
        wait_for(server, &person, "offer", &Said::Yes);
    }
}

fn skipped(server: &Server, reason: &str) -> f64 {
    server.client.metric("sluice_events_total", &[&format!("outcome=\"{reason}\"")])
}

#[test]
fn rows_of_posthogs_pipeline_flip_flags() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(90));
    for event in adds("ann", 3, now_ms(), &mut dice) {
        put(&topic, &row(&event, &json!({ "plan": "free" })));
    }
    let mut server = setup(&topic).start();
    let ann = server.client.flags("ann");
    assert_eq!((ann.on("offer"), ann.on("perks")), (true, false));

    // What filters ask of an event stands in a text, with escapes of its own.
    for _ in 0..2 {
        let viewed = Event::new("product viewed", "ann", now_ms(), &mut dice);
        let viewed = viewed.with("title", "\"Boots\" \\ 50 %\n").with("category", "shoes");
        put(&topic, &row(&viewed.with("price", 79.5), &json!({ "plan": "free" })));
    }
    wait_for(&server, "ann", "shoes", &Said::Yes);

    // An event that no condition watches tells that the person has another plan by now.
    let pageview = |at_ms, dice: &mut Dice| Event::new("$pageview", "ann", at_ms, dice);
    let upgraded_ms = now_ms();
    let known = json!({ "plan": "pro", "name": "Ann \"the\" 😀", "orders": 12 });
    put(&topic, &row(&pageview(upgraded_ms, &mut dice), &known));
    wait_for(&server, "ann", "perks", &Said::Yes);

    // Neither what was so before that, nor an event that says nothing of the person, ends it.
    put(&topic, &row(&pageview(upgraded_ms - 1, &mut dice), &json!({ "plan": "free" })));
    let mut anonymous = row(&pageview(upgraded_ms + 1, &mut dice), &json!({ "plan": "free" }));
    anonymous["person_mode"] = json!("propertyless");
    put(&topic, &anonymous);
    read_all(&server, &topic, 4, &mut dice);
    assert!(server.client.flags("ann").on("perks"));

    put(&topic, &row(&purchase("ann", now_ms(), &mut dice), &json!({ "plan": "free" })));
    wait_for(&server, "ann", "offer", &Said::No);
    wait_for(&server, "ann", "perks", &Said::No);
    server.kill();
    server.restart();
    let ann = server.client.flags("ann");
    assert_eq!((ann.on("offer"), ann.on("perks"), ann.on("shoes")), (false, false, true));
}

/// Distinct ids that the pipeline takes for one person are one, whatever partitions their rows
/// are in and whether or not a condition watches them; its newest word counts.
#[test]
fn whom_the_pipeline_takes_for_one_person_is_one() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(94));
    let mut server = setup(&topic).start();
    let now = now_ms();
    let of = |person: &str, event: &Event| {
        let mut row = row(event, &json!({}));
        row["person_id"] = json!(person);
        row
    };
    for (partition, event) in (0..).zip(adds("phone", 3, now - 50, &mut dice)) {
        topic.put_json(partition, &event.uuid, &of("P1", &event));
    }
    let pageview = |who: &str, at_ms, dice: &mut Dice| Event::new("$pageview", who, at_ms, dice);
    put(&topic, &of("P1", &pageview("ann", now - 40, &mut dice)));
    put(&topic, &of("P2", &pageview("ben", now - 40, &mut dice)));
    read_all(&server, &topic, 4, &mut dice);
    let offers = |server: &Server| {
        ["phone", "ann", "ben"].map(|person| server.client.flags(person).on("offer"))
    };
    assert_eq!(offers(&server), [true, true, false]);

    // An older row that arrives late changes nothing; a newer one moves the id.
    put(&topic, &of("P2", &pageview("ann", now - 45, &mut dice)));
    read_all(&server, &topic, 4, &mut dice);
    assert_eq!(offers(&server), [true, true, false]);
    put(&topic, &of("P2", &pageview("phone", now - 30, &mut dice)));
    read_all(&server, &topic, 4, &mut dice);
    assert_eq!(offers(&server), [true, false, true]);
    server.kill();
    server.restart();
    assert_eq!(offers(&server), [true, false, true]);
}

/// The topic holds every team's rows: those of another are nobody's here, even though there is
/// only one project.
#[test]
fn a_row_belongs_to_its_team() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(91));
    let server = setup(&topic).start();
    for event in adds("ann", 3, now_ms(), &mut dice) {
        let mut stranger = row(&event, &json!({ "plan": "pro" }));
        stranger["team_id"] = json!(TEAM + 1);
        put(&topic, &stranger);
    }
    read_all(&server, &topic, 1, &mut dice);
    let ann = server.client.flags("ann");
    assert_eq!((ann.on("offer"), ann.on("perks")), (false, false));
    assert_eq!(skipped(&server, "unknown_team"), 3.0);
}

#[test]
fn garbage_in_a_row_is_skipped_and_counted_by_its_reason() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(92));
    let server = setup(&topic).start();
    let with = |field: &str, value: Value, dice: &mut Dice| {
        let mut row = row(&purchase("ann", now_ms(), dice), &json!({}));
        row[field] = value;
        row
    };
    let garbage = [
        ("properties", json!("garbage"), "bad_properties"),
        ("properties", json!("{\"price\":"), "bad_properties"),
        ("properties", json!("[1,2]"), "bad_properties"),
        ("properties", json!({ "price": 5 }), "bad_properties"),
        ("person_properties", json!("{\"plan\":pro}"), "bad_properties"),
        ("event", json!(""), "no_event"),
        ("distinct_id", json!(null), "no_distinct_id"),
        ("timestamp", json!("2024-13-01 00:00:00.000000"), "bad_timestamp"),
        ("timestamp", json!("1970-01-01 00:00:00.000000"), "late"),
    ];
    for (field, value, _) in &garbage {
        put(&topic, &with(field, value.clone(), &mut dice));
    }
    topic.put(&Produced { key: Some("any"), ..Produced::default() });
    // Nobody asks for the properties of this one, so nobody sees that they are garbage.
    let mut unwatched = with("properties", json!("garbage"), &mut dice);
    unwatched["event"] = json!("$autocapture");
    unwatched["person_mode"] = json!("propertyless");
    put(&topic, &unwatched);
    read_all(&server, &topic, 1, &mut dice);

    for reason in ["bad_properties", "no_event", "no_distinct_id", "bad_timestamp", "late"] {
        let wanted = garbage.iter().filter(|(.., named)| *named == reason).count();
        assert_eq!(skipped(&server, reason), wanted as f64, "{reason}");
    }
    assert_eq!(skipped(&server, "tombstone"), 1.0);
    assert_eq!(skipped(&server, "unwatched"), 1.0);
    assert!(server.client.flags("ann").on("quiet"), "none of them was a purchase");
    assert!(server.is_ready() && !server.log().contains("panicked"));
}

/// Nothing but PostHog's pipeline writes to its topic: ClickHouse reads it too.
#[test]
fn events_are_not_captured_into_posthogs_topic() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(93));
    let server = setup(&topic).start();
    let refused = server.client.offer(&adds("ann", 3, now_ms() - MINUTE_MS, &mut dice));
    assert_eq!(refused.status, 400, "an SDK doesn't send these again");
    assert!(refused.body.contains("only reads its topic"), "{}", refused.body);
    read_all(&server, &topic, 1, &mut dice);
    assert_eq!(server.client.metric("sluice_events_total", &[]), 3.0, "nothing else was there");
}

#[test]
fn whoever_forgets_the_team_is_told() {
    let broker = Broker::shared();
    let topic = broker.topic(1);
    let project = format!("token: {TOKEN}\n");
    let server = setup(&topic).define("project.yaml", &project).start();
    assert!(server.log().contains("add `team_id` to project.yaml"), "{}", server.log());
}
