//! Stories of a topic that others write to.

use std::time::Duration;

use serde_json::json;

use crate::broker::{Broker, Produced};
use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup, eventually};
use crate::shop::{MINUTE_MS, TOKEN, adds, purchase};

/// How long a record may take from the topic to a flag on a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How long new partitions may go unnoticed.
const NOTICED_WITHIN: Duration = Duration::from_secs(90);

#[test]
fn events_produced_to_the_topic_are_seen() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(40));
    topic.produce(&adds("ann", 3, now_ms(), &mut dice));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    assert!(server.client.flags("ann").on("offer"), "what was there before is read before ready");
    topic.produce(&adds("ben", 3, now_ms(), &mut dice));
    wait_for(&server, "ben", "offer", &Said::Yes);
    topic.produce(&[purchase("ben", now_ms(), &mut dice)]);
    wait_for(&server, "ben", "offer", &Said::No);
}

#[test]
fn captured_events_come_back_from_the_topic() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(41));
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    wait_for(&server, "ann", "offer", &Said::Yes);
    server.kill();
    server.restart();
    assert!(server.client.flags("ann").on("offer"));
}

/// Whatever key and partition the producer chose.
#[test]
fn one_person_in_several_partitions_is_one_person() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(42));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    for (partition, event) in (0..).zip(adds("ann", 3, now_ms(), &mut dice)) {
        topic.put_json(partition, &format!("session-{partition}"), &event.record(TOKEN));
    }
    wait_for(&server, "ann", "offer", &Said::Yes);

    // Copies of one event in two partitions are one event.
    let twice = &adds("ben", 2, now_ms(), &mut dice);
    for partition in 0..4 {
        twice.iter().for_each(|event| topic.put_json(partition, "any", &event.record(TOKEN)));
    }
    // What follows them in each partition tells that they were read.
    for partition in 0..4 {
        let marker = format!("marker-{partition}");
        for event in adds(&marker, 3, now_ms(), &mut dice) {
            topic.put_json(partition, "any", &event.record(TOKEN));
        }
        wait_for(&server, &marker, "offer", &Said::Yes);
    }
    assert!(!server.client.flags("ben").on("offer"));
}

/// The topic tells what a record leaves out: its time, its id and, with one project, its token.
#[test]
fn a_record_may_leave_out_what_the_log_knows() {
    let broker = Broker::shared();
    let topic = broker.topic(1);
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let bare = json!({ "event": "added to cart", "distinct_id": "ann" });
    let in_ms = json!({ "event": "added to cart", "distinct_id": "ben", "timestamp": now_ms() });
    let zoneless = json!({
        "event": "added to cart", "distinct_id": "cleo", "token": TOKEN,
        "timestamp": crate::event::rfc3339(now_ms()).trim_end_matches('Z'),
    });
    for record in [&bare, &in_ms, &zoneless].into_iter().cycle().take(9) {
        topic.put_json(0, "any", record);
    }
    for person in ["ann", "ben", "cleo"] {
        wait_for(&server, person, "offer", &Said::Yes);
    }
    // The record's own time: six minutes ago is too long ago.
    let bare = json!({ "event": "added to cart", "distinct_id": "dora" }).to_string();
    for _ in 0..3 {
        topic.put(&Produced {
            value: Some(bare.as_bytes()),
            timestamp_ms: Some(now_ms() - 6 * MINUTE_MS),
            ..Produced::default()
        });
    }
    wait_for(&server, "dora", "many-adds", &Said::Yes);
    assert!(!server.client.flags("dora").on("offer"));
}

#[test]
fn partitions_added_later_are_read() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(43));
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    broker.grow(&topic, 3);
    for event in adds("ann", 3, now_ms(), &mut dice) {
        topic.put_json(2, "any", &event.record(TOKEN));
    }
    eventually("the new partition is read", NOTICED_WITHIN, || {
        (server.client.flags("ann").said("many-adds") == Said::Yes).then_some(())
    });
    server.kill();
    server.restart();
    assert!(server.client.flags("ann").on("many-adds"));
}

#[test]
fn garbage_and_tombstones_are_skipped_and_counted() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(44));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let counted = || server.client.metric("sluice_events_total", &[]);
    let before = counted();

    let stranger = Event::new("purchase", "eve", now_ms(), &mut dice).record("phc_nobody");
    let garbage: Vec<Option<Vec<u8>>> = vec![
        None,
        Some(Vec::new()),
        Some(b"\xff\xfe\x00".to_vec()),
        Some(b"{\"event\":\"purchase\",".to_vec()),
        Some(b"[1,2,3]".to_vec()),
        Some(b"{}".to_vec()),
        Some(br#"{"event":"purchase","token":"phc_test"}"#.to_vec()),
        Some(br#"{"event":1,"distinct_id":2,"token":3}"#.to_vec()),
        Some(stranger.to_string().into_bytes()),
        Some("[".repeat(500_000).into_bytes()),
    ];
    for value in &garbage {
        let key = Some("any");
        topic.put(&Produced { key, value: value.as_deref(), ..Produced::default() });
    }
    topic.produce(&adds("ann", 3, now_ms(), &mut dice));
    wait_for(&server, "ann", "offer", &Said::Yes);

    assert_eq!(counted() - before, garbage.len() as f64 + 3.0, "each record is counted once");
    let nobodys = ["outcome=\"unknown_token\"", "project=\"\""];
    assert_eq!(server.client.metric("sluice_events_total", &nobodys), 1.0);
    let metrics = server.client.try_get("/metrics").expect("the metrics are served").body;
    let outcomes: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("sluice_events_total{")).collect();
    let skipped = outcomes.iter().filter(|line| !line.ends_with(" 0")).count();
    assert!(skipped >= 4, "skips are told apart: {outcomes:#?}");
    assert!(server.is_ready() && !server.log().contains("panicked"));
}

#[test]
fn aborted_records_do_not_count_and_the_end_is_recognised() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(45));
    let writer = topic.transactional();
    writer.begin();
    writer.produce(&adds("ann", 3, now_ms(), &mut dice));
    writer.commit();
    writer.begin();
    writer.produce(&adds("ben", 3, now_ms(), &mut dice));
    writer.abort();
    // The topic ends in markers that nobody delivers: the end offset is never seen in a record.
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    for _ in 0..2 {
        let offers = ["ann", "ben"].map(|person| server.client.flags(person).on("offer"));
        assert_eq!(offers, [true, false]);
        server.kill();
        server.restart();
    }
}

/// Records that nobody read are gone. What was seen stays certain; what needs the whole window
/// is unknown until the window has passed, and never silently false.
#[test]
fn a_truncated_log_restarts_coverage() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(46));
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    topic.produce(&adds("ann", 3, now_ms(), &mut dice));
    wait_for(&server, "ann", "many-adds", &Said::Yes);
    assert!(server.client.flags("ben").on("quiet"), "with the whole log, absence is certain");
    server.stop();

    topic.produce(&adds("ben", 3, now_ms(), &mut dice));
    topic.produce(&[purchase("ben", now_ms(), &mut dice)]);
    broker.truncate(&topic, 0);
    topic.produce(&adds("cleo", 3, now_ms(), &mut dice));
    server.restart();

    let ann = server.client.flags("ann");
    let cleo = server.client.flags("cleo");
    let ben = server.client.flags("ben");
    assert!(ann.on("many-adds") && cleo.on("many-adds"), "enough was seen");
    let unknown = Said::Failed("coverage_incomplete".to_owned());
    assert_eq!(ben.said("many-adds"), unknown, "three adds were lost");
    assert_eq!(cleo.said("offer"), unknown, "a purchase may have been");
    assert_eq!(ben.body["errorsWhileComputingFlags"], json!(true));
    // Four seconds later the loss lies outside the window of four seconds.
    wait_for(&server, "ben", "quiet", &Said::Yes);
    assert_eq!(server.client.flags("ben").said("many-adds"), unknown);
}

/// Asks until the answer is the one that is wanted.
pub fn wait_for(server: &Server, person: &str, flag: &str, wanted: &Said) {
    eventually(&format!("{flag} of {person} is {wanted:?}"), SEEN_WITHIN, || {
        (server.client.flags(person).said(flag) == *wanted).then_some(())
    });
}
