//! Stories of a shop, told through the binary with a log of its own.

use std::fs;

use serde_json::{Value, json};

use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{self, Setup};
use crate::shop::{self, MINUTE_MS, adds, purchase, sets};

#[test]
fn three_adds_and_no_purchase_open_the_offer() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(1));
    let now = now_ms();
    server.client.capture(&adds("ann", 2, now, &mut dice));
    assert!(!server.client.flags("ann").on("offer"));
    server.client.capture(&adds("ann", 1, now, &mut dice));

    let flags = server.client.flags("ann");
    assert!(flags.on("offer"));
    let payload = flags.body["flags"]["offer"]["metadata"]["payload"].as_str().expect("text");
    let payload: Value = serde_json::from_str(payload).expect("a payload is JSON as text");
    assert_eq!(payload, json!({ "text": "Free shipping" }));
    assert!(!server.client.flags("ben").on("offer"), "ben has done nothing");
}

#[test]
fn a_purchase_closes_the_offer() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(2));
    let now = now_ms();
    server.client.capture(&adds("ann", 3, now - 1_000, &mut dice));
    assert!(server.client.flags("ann").on("offer"));
    server.client.capture(&[purchase("ann", now, &mut dice)]);
    assert!(!server.client.flags("ann").on("offer"));
}

#[test]
fn a_purchase_long_ago_does_not() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(3));
    let now = now_ms();
    server.client.capture(&[purchase("ann", now - 6 * MINUTE_MS, &mut dice)]);
    server.client.capture(&adds("ann", 3, now, &mut dice));
    assert!(server.client.flags("ann").on("offer"));
}

#[test]
fn the_same_event_twice_counts_once() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(5));
    let two = adds("ann", 2, now_ms() - 1_000, &mut dice);
    server.client.capture(&[two.clone(), two.clone()].concat());
    server.client.capture(&two);
    let late_copy = Event { time_ms: now_ms(), ..two[0].clone() };
    server.client.capture(&[late_copy]);
    assert!(!server.client.flags("ann").on("offer"));
}

/// A retry may tell that what had pushed another event out happened before it.
#[test]
fn the_last_time_is_not_known_once_it_turns_out_to_be_another() {
    let bought = "rules:\n  - { when: { last: refund, within: 20m } }\n";
    let setup = Setup::embedded().define("flags/refunded.yaml", bought);
    let (server, mut dice) = (setup.start(), Dice::new(15));
    let now = now_ms();
    let mut refund = |minutes| Event::new("refund", "ann", now - minutes * MINUTE_MS, &mut dice);
    let (first, second) = (refund(10), refund(5));
    let retried = Event { time_ms: now - 30 * MINUTE_MS, ..second.clone() };
    let said = || server.client.flags("ann").said("refunded");
    server.client.capture(&[first.clone(), second]);
    assert_eq!(said(), Said::Yes);
    server.client.capture(&[retried]);
    assert_eq!(said(), Said::Failed("window_overflow".to_owned()), "the first was 10 minutes ago");
    server.client.capture(&[first]);
    assert_eq!(said(), Said::Yes);
}

#[test]
fn filters_choose_the_events() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(6));
    let mut view = |category: &str, price: f64| {
        let event = Event::new("product viewed", "ann", now_ms(), &mut dice);
        event.with("category", category).with("price", price)
    };
    let (dear, cheap, bag) = (view("shoes", 50.5), view("shoes", 50.0), view("bags", 90.0));
    server.client.capture(&[dear, cheap, bag]);
    assert!(!server.client.flags("ann").on("shoes"));
    server.client.capture(&[view("shoes", 51.0)]);
    assert!(server.client.flags("ann").on("shoes"));
}

#[test]
fn data_survives_a_restart() {
    let (mut server, mut dice) = (Setup::embedded().start(), Dice::new(7));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    server.client.capture(&[sets("$set", "ann", json!({"plan": "pro"}), now_ms(), &mut dice)]);
    let ended = server.stop();
    assert!(ended.success(), "a stop that was asked for is no failure: {ended:?}");
    server.restart();
    let flags = server.client.flags("ann");
    assert!(flags.on("offer") && flags.on("perks"));

    server.kill();
    server.restart();
    let flags = server.client.flags("ann");
    assert!(flags.on("offer") && flags.on("perks"));
}

#[test]
fn an_unreadable_store_is_rebuilt_from_the_log() {
    let (mut server, mut dice) = (Setup::embedded().start(), Dice::new(13));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    server.stop();
    let mut folders = vec![server.data().join("store")];
    let mut overwritten = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the store is a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    fs::write(path, b"nothing that anybody could read").expect("a file");
                    overwritten += 1;
                }
            }
        }
    }
    assert!(overwritten > 0, "the store has no files");
    server.restart();
    assert!(server.client.flags("ann").on("offer"));
    assert!(server.log().contains("damaged"), "it was not said");
}

#[test]
fn person_properties_decide() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(11));
    let perks = |person: &str| server.client.flags(person).on("perks");
    let now = now_ms();
    assert!(!perks("ann"));
    server.client.capture(&[sets("$set", "ann", json!({"plan": "pro"}), now - 50, &mut dice)]);
    assert!(perks("ann"));
    // An older value that arrives late changes nothing.
    server.client.capture(&[sets("$set", "ann", json!({"plan": "free"}), now - 90, &mut dice)]);
    assert!(perks("ann"));
    // What is known to whoever asks wins, for this question.
    let asked = server.client.flags_with("ann", json!({"plan": "free"}));
    assert!(!asked.on("perks"));
    assert!(server.client.flags_with("ben", json!({"plan": "team"})).on("perks"));
    assert!(!perks("ben"));
    server.client.capture(&[sets("$unset", "ann", json!(["plan"]), now - 10, &mut dice)]);
    assert!(!perks("ann"));

    let once = |plan: &str, time_ms, dice: &mut Dice| {
        sets("$set_once", "cleo", json!({ "plan": plan }), time_ms, dice)
    };
    server.client.capture(&[once("free", now - 20, &mut dice)]);
    assert!(!perks("cleo"));
    // The earliest counts, not the first to arrive.
    server.client.capture(&[once("team", now - 30, &mut dice)]);
    assert!(perks("cleo"));
}

#[test]
fn everybody_gets_a_variant_and_keeps_it() {
    let server = Setup::embedded().start();
    let variant =
        |person: &str| server.client.flags(person).body["flags"]["banner"]["variant"].clone();
    let people: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    let given: Vec<Value> = people.iter().map(|person| variant(person)).collect();
    for wanted in ["control", "banner"] {
        assert!(given.contains(&json!(wanted)), "nobody of forty got {wanted}: {given:?}");
    }
    let again: Vec<Value> = people.iter().map(|person| variant(person)).collect();
    assert_eq!(given, again);
}

#[test]
fn what_is_asked_of_the_shop_is_well_formed() {
    let server = Setup::embedded().start();
    let (content, said) = harness::check(&server.definitions());
    assert!(content, "{said}");
    let flags = server.client.flags("ann");
    assert_eq!(flags.body["errorsWhileComputingFlags"], json!(false), "{}", flags.body);
    let names = shop::DEFINITIONS.iter().filter(|(path, _)| path.starts_with("flags/")).count();
    assert_eq!(flags.body["flags"].as_object().map(|flags| flags.len()), Some(names));
}
