//! Stories of people who log in: what they did before counts at once.

use std::time::Duration;

use serde_json::json;

use crate::broker::Broker;
use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup, eventually};
use crate::kafka::wait_for;
use crate::shop::{TOKEN, adds, purchase, sets};

/// How long a batch may take to be folded on a busy machine.
const FOLDED_WITHIN: Duration = Duration::from_secs(30);

/// As posthog-js sends it once `identify` is called.
fn login(person: &str, device: &str, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("$identify", person, time_ms, dice)
        .with("$anon_distinct_id", device)
        .with("$set", json!({}))
}

/// As posthog-python sends it.
fn alias(person: &str, other: &str, time_ms: i64, dice: &mut Dice) -> Event {
    let event = Event::new("$create_alias", person, time_ms, dice);
    event.with("distinct_id", person).with("alias", other)
}

fn merge(person: &str, other: &str, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("$merge_dangerously", person, time_ms, dice).with("alias", other)
}

fn offers<const N: usize>(server: &Server, people: [&str; N]) -> [bool; N] {
    people.map(|person| server.client.flags(person).on("offer"))
}

#[test]
fn what_a_visitor_did_counts_once_they_log_in() {
    let (mut server, mut dice) = (Setup::embedded().start(), Dice::new(60));
    let now = now_ms();
    server.client.capture(&adds("device", 3, now - 20, &mut dice));
    assert_eq!(offers(&server, ["device", "ann"]), [true, false]);
    server.client.capture(&[login("ann", "device", now - 10, &mut dice)]);
    assert_eq!(offers(&server, ["device", "ann"]), [true, true]);

    server.kill();
    server.restart();
    assert_eq!(offers(&server, ["device", "ann"]), [true, true]);
    server.client.capture(&[purchase("ann", now, &mut dice)]);
    assert_eq!(offers(&server, ["device", "ann"]), [false, false], "one person");
}

/// The log-in is known before anything that the visitor did, and some of that came after it.
#[test]
fn a_link_may_come_before_what_it_links() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(61));
    let now = now_ms();
    server.client.capture(&[login("ann", "phone", now - 10, &mut dice)]);
    server.client.capture(&[alias("ann", "laptop", now - 10, &mut dice)]);
    server.client.capture(&adds("phone", 1, now - 500, &mut dice));
    server.client.capture(&adds("laptop", 1, now, &mut dice));
    assert_eq!(offers(&server, ["ann", "phone", "laptop"]), [false; 3]);
    server.client.capture(&adds("ann", 1, now, &mut dice));
    assert_eq!(offers(&server, ["ann", "phone", "laptop"]), [true; 3]);
}

/// Whoever was first has what was done on the device, even if the log learns of it last.
#[test]
fn a_shared_device_belongs_to_whoever_was_first() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(62));
    let now = now_ms();
    server.client.capture(&adds("kiosk", 3, now - 500, &mut dice));
    server.client.capture(&[login("ben", "kiosk", now - 10, &mut dice)]);
    assert_eq!(offers(&server, ["ann", "ben"]), [false, true]);
    server.client.capture(&[login("ann", "kiosk", now - 20, &mut dice)]);
    assert_eq!(offers(&server, ["ann", "ben"]), [true, false]);
    server.client.capture(&[merge("ben", "ann", now, &mut dice)]);
    assert_eq!(offers(&server, ["ann", "ben", "kiosk"]), [true; 3]);
}

#[test]
fn a_bug_in_somebodys_code_joins_nobody() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(63));
    let now = now_ms();
    server.client.capture(&adds("ann", 3, now, &mut dice));
    for mistake in ["undefined", "null", "", "[object Object]", "0"] {
        for person in ["ann", "ben"] {
            server.client.capture(&[merge(person, mistake, now, &mut dice)]);
        }
    }
    server.client.capture(&[merge("ben", "ben", now, &mut dice)]);
    assert_eq!(offers(&server, ["ann", "ben"]), [true, false]);
}

#[test]
fn properties_of_a_person_join_too() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(64));
    let now = now_ms();
    let plan = |person: &str, plan: &str, time_ms, dice: &mut Dice| {
        sets("$set", person, json!({ "plan": plan }), time_ms, dice)
    };
    let perks = || ["ann", "device"].map(|person| server.client.flags(person).on("perks"));
    server.client.capture(&[plan("device", "pro", now - 50, &mut dice)]);
    server.client.capture(&[login("ann", "device", now - 40, &mut dice)]);
    assert_eq!(perks(), [true, true]);
    server.client.capture(&[plan("ann", "free", now - 50, &mut dice)]);
    assert_eq!(perks(), [false, false], "a tie is the identified id's");
    server.client.capture(&[plan("device", "team", now - 30, &mut dice)]);
    assert_eq!(perks(), [true, true], "the newest");
    let unset = sets("$unset", "ann", json!(["plan"]), now - 20, &mut dice);
    server.client.capture(&[unset]);
    assert_eq!(perks(), [false, false]);
}

/// What can't be known of so many is said, and what no further id could change is answered.
#[test]
fn more_ids_than_are_joined_are_told() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(65));
    let now = now_ms();
    let logins: Vec<Event> = (0..2_000)
        .map(|number| login("ann", &format!("visit-{number}"), now - 5_000 + number, &mut dice))
        .collect();
    logins.chunks(500).for_each(|logins| server.client.capture(logins));
    server.client.capture(&adds("visit-7", 3, now, &mut dice));
    let too_many = Said::Failed("too_many_ids".to_owned());
    eventually("everything is folded", FOLDED_WITHIN, || {
        let flags = server.client.flags("visit-7");
        (flags.said("offer") == too_many && flags.on("many-adds")).then_some(())
    });
    assert_eq!(server.client.flags("ann").said("perks"), too_many);
    assert!(server.client.flags("ben").said("offer") == Said::No, "others aren't concerned");
}

/// The link in one partition, what is linked in two others, in both orders.
#[test]
fn links_and_events_in_different_partitions_are_one_person() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(66));
    let mut server = Setup::kafka(&topic.brokers, &topic.name).start();
    let now = now_ms();
    for (round, link_first) in [(0, true), (1, false)] {
        let [person, device] = [format!("ann-{round}"), format!("device-{round}")];
        let link = [(0, login(&person, &device, now, &mut dice))];
        let (two, one) = (adds(&device, 2, now, &mut dice), adds(&person, 1, now, &mut dice));
        let did = two.into_iter().map(|add| (1, add)).chain(one.into_iter().map(|add| (2, add)));
        let mut produced: Vec<(i32, Event)> = link.into_iter().chain(did).collect();
        if !link_first {
            produced.reverse();
        }
        for (at, (partition, event)) in produced.iter().enumerate() {
            topic.put_json(*partition, "any", &event.record(TOKEN));
            let marker = format!("marker-{round}-{at}");
            for event in adds(&marker, 3, now, &mut dice) {
                topic.put_json(*partition, "any", &event.record(TOKEN));
            }
            // Each is folded before the next is there.
            wait_for(&server, &marker, "offer", &Said::Yes);
        }
        assert_eq!(offers(&server, [&person, &device]), [true, true], "link first: {link_first}");
    }
    server.kill();
    server.restart();
    assert_eq!(offers(&server, ["ann-0", "device-0", "ann-1", "device-1"]), [true; 4]);
}
