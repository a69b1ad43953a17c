//! Stories of a log that loses records.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::broker::{Broker, Topic};
use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{READY_WITHIN, Server, Setup, eventually};
use crate::kafka::wait_for;
use crate::shop::{TOKEN, adds, purchase};

/// How long a node may take to notice that records are gone.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// How long the embedded log keeps records in these stories: the shortest there is.
const RETENTION_MS: u64 = 1_000;

/// Whoever acted in the part that was lost is unknown from the first answer on, however often
/// the node dies and comes back while it finds out.
#[test]
fn what_was_lost_while_down_is_never_taken_for_absence() {
    let (broker, mut dice) = (Broker::shared(), Dice::new(90));
    let topic = broker.topic(2);
    let setup = Setup::kafka(&topic.brokers, &topic.name);
    let mut server = setup.set("SLUICE_CHECKPOINT_INTERVAL_MS", "20").start();
    put(&topic, 0, &adds("ann", 2, now_ms(), &mut dice));
    for (partition, person) in [(0, "zoe"), (1, "zac")] {
        put(&topic, partition, &adds(person, 3, now_ms(), &mut dice));
        wait_for(&server, person, "many-adds", &Said::Yes);
    }
    make_durable(&server, || put(&topic, 0, &[purchase("nobody", now_ms(), &mut dice)]));
    server.kill();

    put(&topic, 0, &adds("ann", 1, now_ms(), &mut dice));
    put(&topic, 0, &adds("ben", 3, now_ms(), &mut dice));
    put(&topic, 1, &adds("bob", 3, now_ms(), &mut dice));
    put(&topic, 1, &[purchase("zoe", now_ms(), &mut dice)]);
    broker.truncate(&topic, 0);
    broker.truncate(&topic, 1);
    put(&topic, 0, &adds("cleo", 3, now_ms(), &mut dice));

    for _ in 0..12 {
        server.launch();
        let until_ms = now_ms() + dice.below(250) as i64;
        while now_ms() < until_ms {
            nobody_is_absent(&server, &["ann", "ben", "bob", "zoe", "zac", "cleo"]);
        }
        server.kill();
    }
    server.launch();
    eventually("the node is ready", READY_WITHIN, || {
        nobody_is_absent(&server, &["ann", "ben", "bob", "zoe", "zac", "cleo"]);
        server.is_ready().then_some(())
    });
    for person in ["ann", "ben", "bob"] {
        assert_eq!(said(&server, person, "many-adds"), incomplete(), "{person} may have added");
    }
    for person in ["zoe", "zac", "cleo"] {
        assert_eq!(said(&server, person, "many-adds"), Said::Yes, "{person} was seen to add");
    }
    assert_eq!(said(&server, "zoe", "offer"), incomplete(), "she bought in what was lost");
    put(&topic, 0, &adds("ann", 1, now_ms(), &mut dice));
    wait_for(&server, "ann", "many-adds", &Said::Yes);
    // Once the short window has passed the loss, absence is certain in it, and only in it.
    wait_for(&server, "ben", "quiet", &Said::Yes);
    assert_eq!(said(&server, "ben", "many-adds"), incomplete());
}

/// Records that came and went while the node stood still. Until it notices, it answers from what
/// it has read, as it does for any record that is on its way; from then on it knows.
#[test]
fn what_was_lost_while_live_is_noticed_and_stays_noticed() {
    let (broker, mut dice) = (Broker::shared(), Dice::new(91));
    let topic = broker.topic(1);
    let setup = Setup::kafka(&topic.brokers, &topic.name);
    let mut server = setup.set("SLUICE_CHECKPOINT_INTERVAL_MS", "20").start();
    put(&topic, 0, &adds("ann", 2, now_ms(), &mut dice));
    put(&topic, 0, &adds("zoe", 3, now_ms(), &mut dice));
    wait_for(&server, "zoe", "many-adds", &Said::Yes);

    server.freeze();
    // The broker answers a fetch that it holds open with the first record, and with it alone.
    put(&topic, 0, &[purchase("nobody", now_ms(), &mut dice)]);
    put(&topic, 0, &adds("ann", 1, now_ms(), &mut dice));
    put(&topic, 0, &adds("ben", 3, now_ms(), &mut dice));
    broker.truncate(&topic, 0);
    server.thaw();

    eventually("the loss is noticed", NOTICED_WITHIN, || {
        matches!(said(&server, "ben", "many-adds"), Said::Failed(_)).then_some(())
    });
    let everyone = ["ann", "ben", "zoe"];
    eventually("the partition's end is found", READY_WITHIN, || {
        nobody_is_absent(&server, &everyone);
        server.is_ready().then_some(())
    });
    assert!(server.client.metric("sluice_log_truncations_total", &[]) >= 1.0);
    make_durable(&server, || {
        nobody_is_absent(&server, &everyone);
        put(&topic, 0, &[purchase("nobody", now_ms(), &mut dice)]);
    });
    server.kill();
    server.launch();
    eventually("the node is ready", READY_WITHIN, || {
        nobody_is_absent(&server, &everyone);
        server.is_ready().then_some(())
    });
    assert_eq!(said(&server, "ben", "many-adds"), incomplete());
    assert_eq!(said(&server, "zoe", "many-adds"), Said::Yes);
    put(&topic, 0, &adds("ann", 1, now_ms(), &mut dice));
    wait_for(&server, "ann", "many-adds", &Said::Yes);
}

/// The stored offset lies beyond the end of a topic that was deleted and made anew.
#[test]
fn a_topic_made_anew_is_read_before_anybody_is_told_no() {
    let (broker, mut dice) = (Broker::shared(), Dice::new(92));
    let topic = broker.topic(2);
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    for (partition, person) in [(0, "zoe"), (1, "zac")] {
        put(&topic, partition, &adds("crowd", 12, now_ms(), &mut dice));
        put(&topic, partition, &adds(person, 3, now_ms(), &mut dice));
        wait_for(&server, person, "many-adds", &Said::Yes);
    }
    server.stop();

    let topic = broker.make_anew(&topic, 2);
    put(&topic, 0, &adds("dora", 3, now_ms(), &mut dice));
    server.launch();
    eventually("the new topic is read", READY_WITHIN, || {
        let ready = server.is_ready();
        nobody_is_absent(&server, &["dora", "zoe", "zac", "eve"]);
        let seen = said(&server, "dora", "many-adds") == Said::Yes;
        assert!(seen || !ready, "ready before the new topic was read");
        (seen && ready).then_some(())
    });
    put(&topic, 1, &adds("flo", 3, now_ms(), &mut dice));
    wait_for(&server, "flo", "many-adds", &Said::Yes);
    for _ in 0..2 {
        for person in ["dora", "flo", "zoe", "zac"] {
            assert_eq!(said(&server, person, "many-adds"), Said::Yes, "{person} was seen to add");
        }
        let eve = said(&server, "eve", "many-adds");
        assert_eq!(eve, incomplete(), "the old topic may have had more");
        server.kill();
        server.restart();
    }
    wait_for(&server, "eve", "quiet", &Said::Yes);
}

/// Records without an id of their own are told apart by where they lie, and in a topic made anew
/// others lie there.
#[test]
fn a_record_is_not_taken_for_one_of_the_topic_before() {
    let (broker, mut dice) = (Broker::shared(), Dice::new(96));
    let topic = broker.topic(1);
    let cohort = "members:\n  all:\n    - { did: added to cart, within: 4s }\n";
    let flag = "rules:\n  - { when: { cohort: active }, rollout: 100% }\n";
    let setup = Setup::kafka(&topic.brokers, &topic.name).set("SLUICE_SKEW_MS", "0");
    let setup = setup.define("cohorts/active.yaml", cohort).define("flags/active.yaml", flag);
    let mut server = setup.start();
    let add = json!({ "event": "added to cart", "distinct_id": "ann" });
    let nothing = purchase("nobody", now_ms(), &mut dice).record(TOKEN);
    for record in [&nothing, &add, &nothing] {
        topic.put_json(0, "any", record);
    }
    wait_for(&server, "ann", "active", &Said::Yes);
    server.stop();

    let topic = broker.make_anew(&topic, 1);
    topic.put_json(0, "any", &nothing);
    server.restart();
    wait_for(&server, "ann", "active", &Said::No);
    topic.put_json(0, "any", &add);
    wait_for(&server, "ann", "active", &Said::Yes);
}

/// A partition that is empty, and once was not, tells a fresh node nothing of before.
#[test]
fn an_expired_partition_tells_a_fresh_node_nothing_of_before() {
    let (broker, mut dice) = (Broker::shared(), Dice::new(93));
    let topic = broker.topic(1);
    put(&topic, 0, &adds("ann", 3, now_ms(), &mut dice));
    broker.truncate(&topic, 0);
    let mut server = Setup::kafka(&topic.brokers, &topic.name).launch();
    eventually("the node is ready", READY_WITHIN, || {
        nobody_is_absent(&server, &["ann", "eve"]);
        server.is_ready().then_some(())
    });
    assert_eq!(said(&server, "ann", "many-adds"), incomplete(), "she may have added before");
    put(&topic, 0, &adds("ben", 3, now_ms(), &mut dice));
    wait_for(&server, "ben", "many-adds", &Said::Yes);
    assert_eq!(said(&server, "ben", "offer"), incomplete(), "he may have bought before");
    wait_for(&server, "ann", "quiet", &Said::Yes);
    server.kill();
    server.restart();
    assert_eq!(said(&server, "ann", "many-adds"), incomplete());
    assert_eq!(said(&server, "ben", "many-adds"), Said::Yes);
}

/// A store put back from a backup asks for records that retention has dropped since.
#[test]
fn a_store_from_a_backup_knows_that_the_log_went_on_without_it() {
    let (mut server, mut dice) = (brief_log().start(), Dice::new(94));
    server.client.capture(&adds("ann", 2, now_ms(), &mut dice));
    server.stop();
    let (store, backup) = (server.data().join("store"), server.data().join("backup"));
    copy(&store, &backup);
    server.restart();
    server.client.capture(&adds("ann", 1, now_ms(), &mut dice));
    server.client.capture(&adds("ben", 3, now_ms(), &mut dice));
    assert!(server.client.flags("ann").on("many-adds"));
    expire(&server, &mut dice);
    server.kill();

    fs::remove_dir_all(&store).expect("the store is removed");
    fs::rename(&backup, &store).expect("the backup is put back");
    server.launch();
    eventually("the node is ready", READY_WITHIN, || {
        nobody_is_absent(&server, &["ann", "ben"]);
        server.is_ready().then_some(())
    });
    assert_eq!(said(&server, "ben", "many-adds"), incomplete(), "his adds were dropped");
    assert_eq!(said(&server, "ann", "many-adds"), incomplete(), "her third was dropped");
    assert!(server.client.metric("sluice_log_truncations_total", &[]) >= 1.0);
    server.client.capture(&adds("ann", 1, now_ms(), &mut dice));
    assert!(server.client.flags("ann").on("many-adds"), "two from the backup and one now");
    wait_for(&server, "ben", "quiet", &Said::Yes);
}

/// What retention has dropped stays dropped: a store that is made anew from the rest knows that
/// it isn't all.
#[test]
fn a_store_rebuilt_from_a_trimmed_log_knows_what_it_misses() {
    let (mut server, mut dice) = (brief_log().start(), Dice::new(95));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    expire(&server, &mut dice);
    server.kill();
    server.restart();
    assert!(server.client.flags("ann").on("many-adds"), "the store has what the log dropped");
    assert!(!server.client.flags("eve").on("many-adds"), "nothing was lost to the store");
    server.kill();

    fs::remove_dir_all(server.data().join("store")).expect("the store is removed");
    server.launch();
    eventually("the node is ready", READY_WITHIN, || {
        nobody_is_absent(&server, &["ann"]);
        server.is_ready().then_some(())
    });
    assert_eq!(said(&server, "ann", "many-adds"), incomplete(), "her adds were dropped");
    server.client.capture(&adds("ben", 3, now_ms(), &mut dice));
    assert!(server.client.flags("ben").on("many-adds"));
    wait_for(&server, "ann", "quiet", &Said::Yes);
}

/// A node whose own log drops records as soon as it may.
fn brief_log() -> Setup {
    Setup::embedded()
        .set("SLUICE_LOG_RETENTION_MS", &RETENTION_MS.to_string())
        .set("SLUICE_CHECKPOINT_INTERVAL_MS", "20")
}

/// Waits until the log has dropped what it holds now: a checkpoint is followed by that.
fn expire(server: &Server, dice: &mut Dice) {
    thread::sleep(Duration::from_millis(RETENTION_MS + 1));
    for _ in 0..2 {
        make_durable(server, || server.client.capture(&[purchase("nobody", now_ms(), dice)]));
    }
}

/// Waits until what the node has read is durable. `act` gives it something to write: the first
/// checkpoint may have begun before, the second has everything.
fn make_durable(server: &Server, mut act: impl FnMut()) {
    for _ in 0..2 {
        let before = checkpoints(server);
        act();
        eventually("a checkpoint", NOTICED_WITHIN, || (checkpoints(server) > before).then_some(()));
    }
}

fn checkpoints(server: &Server) -> f64 {
    server.client.metric("sluice_checkpoints_total", &[])
}

/// None of these people is told that they didn't do what they may have done.
fn nobody_is_absent(server: &Server, people: &[&str]) {
    for person in people {
        let said = said(server, person, "many-adds");
        assert!(matches!(said, Said::Failed(_) | Said::Yes), "{person}: {said:?}");
    }
}

fn said(server: &Server, person: &str, flag: &str) -> Said {
    server.client.flags(person).said(flag)
}

fn incomplete() -> Said {
    Said::Failed("coverage_incomplete".to_owned())
}

fn put(topic: &Topic, partition: i32, events: &[Event]) {
    events.iter().for_each(|event| topic.put_json(partition, "any", &event.record(TOKEN)));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("a file is copied");
        }
    }
}
