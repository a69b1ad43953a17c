//! Stories of visitors who log in, and keep what flags gave them.

use std::fs;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::client::Said;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup};
use crate::kafka::wait_for;
use crate::shop::{SECRET, TOKEN, adds, sets};

/// A flag of two halves that keeps its value, where ann is in `a`, as are phone and laptop, and
/// anon-1 and anon-4 in `b`; and one of people whom it took for anon-1, which nobody sees.
fn setup(setup: Setup) -> Setup {
    let arm = |key: &str| json!({ "key": key, "rollout_percentage": 50 });
    let filters = json!({
        "groups": [{ "properties": [] }],
        "multivariate": { "variants": [arm("a"), arm("b")] },
    });
    let flag = json!({
        "id": 1, "key": "f", "active": true, "ensure_experience_continuity": true,
        "filters": filters,
    });
    let body = json!({ "flags": [flag] }).to_string();
    let seen = "rules:\n  - when: { person: { $sluice_identifier/f: { set: true } } }\n";
    setup.define("posthog.json", &body).define("flags/seen.yaml", seen)
}

/// The answer to a request for flags.
fn ask(server: &Server, who: &str, before: Option<&str>) -> Value {
    let mut asked = json!({ "token": TOKEN, "distinct_id": who });
    if let Some(before) = before {
        asked["$anon_distinct_id"] = before.into();
    }
    let answer = server.client.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["errorsWhileComputingFlags"], json!(false), "{answer}");
    assert_eq!(answer["flags"]["seen"]["enabled"], json!(false), "it is no property");
    answer
}

fn variant(server: &Server, who: &str, before: Option<&str>) -> String {
    let answer = ask(server, who, before);
    answer["flags"]["f"]["variant"].as_str().expect("a variant").to_owned()
}

fn login(person: &str, device: &str, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("$identify", person, time_ms, dice).with("$anon_distinct_id", device)
}

fn kept(server: &Server) -> f64 {
    server.client.metric("sluice_kept_identifiers_total", &["\"kept\""])
}

/// The request comes before the log-in itself, as posthog-js sends them.
#[test]
fn a_visitor_keeps_their_variant_through_login_restart_and_another_device() {
    let (mut server, mut dice) = (setup(Setup::embedded()).start(), Dice::new(180));
    assert_eq!(variant(&server, "anon-1", None), "b");
    assert_eq!(variant(&server, "ann", None), "a", "of her own");
    assert_eq!(variant(&server, "ann", Some("ann")), "a", "she is no visitor");
    assert_eq!(kept(&server), 0.0);
    assert_eq!(variant(&server, "ann", Some("anon-1")), "b");
    assert_eq!(kept(&server), 1.0);
    let stays = |server: &Server| {
        assert_eq!(variant(server, "ann", None), "b", "the next request no longer says it");
        assert_eq!(variant(server, "ann", Some("laptop")), "b", "the first stays");
    };
    stays(&server);
    assert_eq!(kept(&server), 1.0, "nothing has to be kept twice");
    server.client.capture(&[login("ann", "anon-1", now_ms(), &mut dice)]);
    server.client.capture(&[login("ann", "laptop", now_ms(), &mut dice)]);
    stays(&server);
    assert_eq!(variant(&server, "laptop", None), "b", "she is one person on all devices");
    server.kill();
    server.restart();
    stays(&server);
    assert!(server.stop().success());
    fs::remove_dir_all(server.data().join("store")).expect("the store goes");
    server.restart();
    stays(&server);
    assert_eq!(kept(&server), 0.0);
}

#[test]
fn nobody_else_says_whom_a_flag_takes_somebody_for() {
    let (server, mut dice) = (setup(Setup::embedded()).start(), Dice::new(181));
    let now = now_ms();
    let forged = Event::new("$sluice_keep", "ann", now, &mut dice);
    let forged = forged.with("identifier", "anon-1").with("flags", json!(["f"]));
    let refused = server.client.offer(&[forged]);
    assert_eq!((refused.status, refused.body.contains("$sluice_")), (400, true));
    let forged = json!({ "$sluice_identifier/f": "anon-1" });
    for operator in ["$set", "$set_once"] {
        server.client.capture(&[sets(operator, "ann", forged.clone(), now, &mut dice)]);
    }
    assert_eq!(variant(&server, "ann", None), "a");
    let given = server.client.flags_with("ann", forged);
    assert_eq!(given.body["flags"]["f"]["variant"], json!("a"));
    assert_eq!(variant(&server, "ann", Some("anon-1")), "b");
    let unset = json!(["$sluice_identifier/f"]);
    server.client.capture(&[sets("$unset", "ann", unset, now_ms(), &mut dice)]);
    assert_eq!(variant(&server, "ann", None), "b");
}

#[test]
fn whoever_is_forgotten_is_taken_for_nobody() {
    let setup = setup(Setup::embedded());
    let (mut server, mut dice) = (setup.start(), Dice::new(182));
    assert_eq!(variant(&server, "ann", Some("anon-1")), "b");
    server.client.capture(&[login("ann", "anon-1", now_ms(), &mut dice)]);
    let body = json!({ "distinct_id": "anon-1" }).to_string();
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str())];
    let gone = server.client.try_post_with("/api/forget", &headers, body.as_bytes());
    assert_eq!(gone.expect("an answer").status, 200);
    assert_eq!(variant(&server, "ann", None), "a");
    server.kill();
    fs::remove_dir_all(server.data().join("store")).expect("the store goes");
    server.restart();
    assert_eq!(variant(&server, "ann", None), "a");
    // Somebody new.
    assert_eq!(variant(&server, "ann", Some("anon-4")), "b");
    assert_eq!(variant(&server, "ann", Some("laptop")), "b");
}

/// The earliest by its own time counts, wherever it lies and whenever it is read.
#[test]
fn of_two_devices_the_first_counts_in_every_order() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(183));
    let kafka = Setup::kafka(&topic.brokers, &topic.name).set("SLUICE_START", "earliest");
    let mut server = setup(kafka).start();
    let now = now_ms();
    let taken = |who: &str, identifier: &str, time_ms: i64, dice: &mut Dice| {
        let event = Event::new("$sluice_keep", who, time_ms, dice);
        event.with("identifier", identifier).with("flags", json!(["f"])).record(TOKEN)
    };
    let records = [
        (3, taken("ann", "laptop", now - 10, &mut dice)),
        (1, taken("ann", "anon-1", now - 20, &mut dice)),
        (2, taken("anon-4", "phone", now - 30, &mut dice)),
        (2, taken("ben", "laptop", now - 5, &mut dice)),
    ];
    for (partition, record) in &records {
        topic.put_json(*partition, "any", record);
        for event in adds(&format!("marker {partition}"), 3, now, &mut dice) {
            topic.put_json(*partition, "any", &event.record(TOKEN));
        }
    }
    for partition in [1, 2, 3] {
        wait_for(&server, &format!("marker {partition}"), "offer", &Said::Yes);
    }
    assert_eq!(variant(&server, "ann", None), "b");
    // Of ids that turn out to be one person the earliest counts too.
    server.client.capture(&[login("ben", "anon-4", now, &mut dice)]);
    wait_for(&server, "ben", "f", &Said::Yes);
    for _ in 0..2 {
        assert_eq!(variant(&server, "ann", None), "b");
        server.kill();
        fs::remove_dir_all(server.data().join("store")).expect("the store goes");
        server.restart();
    }
    // A log-in is answered by what the log says, once it is there.
    assert_eq!(variant(&server, "eve", Some("anon-1")), "b");
    let answer = server.client.flags("eve");
    assert!(answer.position.is_some());
    assert_eq!(variant(&server, "eve", Some("laptop")), "b");
}
