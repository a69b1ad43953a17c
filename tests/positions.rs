//! Stories of those who read what they wrote.

use std::fs;
use std::process::Command;
use std::thread;

use crate::broker::Broker;
use crate::client::Said;
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{READY_WITHIN, Setup, eventually};
use crate::shop::{adds, purchase};
use crate::tools::repository;

/// The longest that a check may wait.
const WAIT_MS: u64 = 5_000;

fn behind() -> Said {
    Said::Failed("position_not_reached".to_owned())
}

#[test]
fn a_capture_and_a_check_tell_where_they_are() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(70));
    let position = server.client.capture_at(&adds("ann", 3, now_ms(), &mut dice));
    assert_eq!(position, "0:3");
    let flags = server.client.flags_from("ann", &position, 0);
    assert!(flags.on("offer"));
    assert_eq!(flags.position.as_deref(), Some("0:3"));
}

/// Nobody has captured it yet when it is asked for.
#[test]
fn a_check_waits_for_what_is_still_to_come() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(71));
    let client = &server.client;
    thread::scope(|scope| {
        let checks: Vec<_> =
            (0..20).map(|_| scope.spawn(|| client.flags_from("ann", "0:3", WAIT_MS))).collect();
        // Others are answered meanwhile, whatever waits.
        assert!(!client.flags("ann").on("offer"));
        for _ in 0..3 {
            client.capture(&adds("ann", 1, now_ms(), &mut dice));
        }
        for check in checks {
            let flags = check.join().expect("an answer");
            assert!(flags.on("offer"));
            assert_eq!(flags.position.as_deref(), Some("0:3"));
        }
    });
}

#[test]
fn what_does_not_come_in_time_is_unknown() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(72));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    for position in ["0:4", "1:0", "0:3,7:1", "0:9223372036854775807"] {
        let flags = server.client.flags_from("ann", position, 20);
        for key in ["offer", "many-adds", "quiet", "perks"] {
            assert_eq!(flags.said(key), behind(), "{key} at {position}");
        }
        assert!(flags.on("banner"), "it depends on nothing that is kept");
        assert_eq!(flags.position.as_deref(), Some("0:3"));
    }
    assert!(server.client.flags("ann").on("offer"), "who asks for nothing is answered as ever");
    let failures = ["position_not_reached"];
    assert!(server.client.metric("sluice_flag_failures_total", &failures) >= 16.0);
}

/// Capturing answers before the event has come back from the topic: without the position, many
/// of these answers are old.
#[test]
fn what_was_captured_into_a_topic_is_seen() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(73));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    for number in 0..100 {
        let person = format!("visitor-{number}");
        for added in 1..=3 {
            let position = server.client.capture_at(&adds(&person, 1, now_ms(), &mut dice));
            let flags = server.client.flags_from(&person, &position, WAIT_MS);
            assert_eq!(flags.on("offer"), added == 3, "{person} after {added}");
        }
        let position = server.client.capture_at(&[purchase(&person, now_ms(), &mut dice)]);
        let flags = server.client.flags_from(&person, &position, WAIT_MS);
        assert!(!flags.on("offer"), "{person} has bought");
        // A position that was read is as good as one that was written.
        let read_at = flags.position.expect("a position");
        assert!(!server.client.flags_from(&person, &read_at, 0).on("offer"));
    }
    let beyond = "0:1000000";
    assert_eq!(server.client.flags_from("visitor-1", beyond, 20).said("offer"), behind());
}

/// People in several partitions, captured at once: the position names each of them.
#[test]
fn a_batch_over_several_partitions_is_seen_whole() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(74));
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let people: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    let batch: Vec<_> = people.iter().flat_map(|p| adds(p, 3, now_ms(), &mut dice)).collect();
    let position = server.client.capture_at(&batch);
    assert_eq!(position.split(',').count(), 4, "{position}");
    for person in &people {
        assert!(server.client.flags_from(person, &position, WAIT_MS).on("offer"), "{person}");
    }
}

#[test]
fn a_position_outlives_the_node() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(2), Dice::new(75));
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    let position = server.client.capture_at(&adds("ann", 3, now_ms(), &mut dice));
    server.kill();
    server.launch();
    eventually("ann is known again", READY_WITHIN, || {
        match server.client.flags_from("ann", &position, 50).said("offer") {
            Said::Yes => Some(()),
            Said::Failed(_) => None,
            old => panic!("an old answer: {old:?}"),
        }
    });
}

/// Brokers that aren't asked to confirm don't tell offsets: nobody could ask for those events.
#[test]
fn an_event_without_an_offset_is_not_accepted() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(76));
    let server = Setup::kafka(&topic.brokers, &topic.name)
        .set("SLUICE_KAFKA_PROPERTY_ENABLE_IDEMPOTENCE", "false")
        .set("SLUICE_KAFKA_PROPERTY_ACKS", "0")
        .start();
    let answer = server.client.offer(&adds("ann", 3, now_ms(), &mut dice));
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("acks=0"), "{}", answer.body);
}

/// The README's lines, word for word but for the address.
#[test]
fn the_readmes_lines_are_right() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).expect("a file");
    let server = Setup::embedded()
        .define("project.yaml", "token: phc_shop\n")
        .define("cohorts/hesitating.yaml", &read("definitions/shop/cohorts/hesitating.yaml"))
        .define("flags/free-shipping.yaml", &read("definitions/shop/flags/free-shipping.yaml"))
        .start();
    let readme = read("README.md");
    let section = readme.split("## Read your own writes").nth(1).expect("the section");
    let lines = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = lines.expect("a block of shell lines");
    let lines = lines.replace("http://127.0.0.1:7070", server.client.base());
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &lines]).output();
    let output = output.expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<&str> = said.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(answers.len(), 2, "{said}");
    assert!(answers[0].contains(r#""key":"free-shipping","enabled":true"#), "{said}");
    assert!(answers[1].contains("position_not_reached"), "{said}");
}
