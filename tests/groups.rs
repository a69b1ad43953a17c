//! Stories of groups: what is known of a company decides for its people.

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::client::Said;
use crate::conformance::{complaints, schema_of};
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup};
use crate::kafka::wait_for;
use crate::shop::{SECRET, TOKEN, adds};

const SEATS: &str = "rules:\n  - when: { group: { company: { seats: \">= 50\" } } }\n";

/// A flag of companies, as PostHog has it, and one of people that asks of their company.
fn setup(setup: Setup) -> Setup {
    let plan = json!({ "key": "plan", "type": "group", "group_type_index": 0, "value": "pro" });
    let groups = json!([{ "properties": [plan], "rollout_percentage": 100 }]);
    let filters = json!({ "groups": groups, "aggregation_group_type_index": 0 });
    let flag = json!({ "id": 1, "key": "plan", "active": true, "filters": filters });
    let body = json!({ "flags": [flag], "group_type_mapping": { "0": "company" } });
    setup.define("posthog.json", &body.to_string()).define("flags/seats.yaml", SEATS)
}

/// As SDKs send it: nobody in particular tells.
fn told(company: impl Into<Value>, set: Value, time_ms: i64, dice: &mut Dice) -> Event {
    let event = Event::new("$groupidentify", "$company_acme", time_ms, dice);
    event.with("$group_type", "company").with("$group_key", company).with("$group_set", set)
}

/// What ann gets for this company of the flags `plan` and `seats`.
fn gets(server: &Server, company: &str, more: Value) -> [bool; 2] {
    let mut asked = json!({
        "token": TOKEN, "distinct_id": "ann", "groups": { "company": company },
        "flag_keys": ["plan", "seats"],
    });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    let answer = server.client.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["errorsWhileComputingFlags"], json!(false), "{answer}");
    ["plan", "seats"].map(|key| answer["flags"][key]["enabled"] == json!(true))
}

#[test]
fn a_companys_properties_decide_and_outlive_the_process() {
    let (mut server, mut dice) = (setup(Setup::embedded()).start(), Dice::new(170));
    let now = now_ms();
    let plan = told("acme", json!({ "plan": "pro", "seats": 80 }), now - 50, &mut dice);
    server.client.capture(std::slice::from_ref(&plan));
    server.client.capture(&[told(7, json!({ "seats": 7 }), now - 50, &mut dice)]);
    let known = |server: &Server| {
        assert_eq!(gets(server, "acme", json!({})), [true, true]);
        assert_eq!(gets(server, "7", json!({})), [false, false], "another");
        let given = json!({ "group_properties": { "company": { "plan": "free" } } });
        assert_eq!(gets(server, "acme", given), [false, true], "the request wins");
        let given = json!({ "group_properties": { "company": { "seats": 50 } } });
        assert_eq!(gets(server, "7", given), [false, true]);
        let none = json!({ "groups": {} });
        assert_eq!(gets(server, "acme", none), [false, false], "in no company");
    };
    known(&server);
    server.kill();
    server.restart();
    known(&server);
    assert!(server.stop().success());
    server.restart();
    known(&server);

    // An older one that comes late, and the same once more.
    server.client.capture(&[told("acme", json!({ "plan": "free" }), now - 60, &mut dice), plan]);
    known(&server);
    server.client.capture(&[told("acme", json!({ "plan": "free" }), now - 40, &mut dice)]);
    assert_eq!(gets(&server, "acme", json!({})), [false, true]);
    server.kill();
    std::fs::remove_dir_all(server.data().join("store")).expect("the store goes");
    server.restart();
    assert_eq!(gets(&server, "acme", json!({})), [false, true], "from the log alone");
}

#[test]
fn a_group_is_neither_a_person_nor_another_group() {
    let cohort = "members: { group: { company: { seats: 1 } } }\n";
    let setup = setup(Setup::embedded()).define("cohorts/small.yaml", cohort);
    let (server, mut dice) = (setup.start(), Dice::new(171));
    let now = now_ms();
    let strange = [json!(""), json!(null), json!({}), "x".repeat(401).into()];
    let mut events = vec![told("acme", json!(["plan"]), now, &mut dice)];
    for key in strange {
        events.push(told(key, json!({ "plan": "pro" }), now, &mut dice));
    }
    server.client.capture(&events);
    assert_eq!(server.client.metric("sluice_events_total", &["\"unwatched\""]), 4.0);
    let whole = told("acme", json!({ "plan": "pro", "seats": 80 }), now, &mut dice);
    server.client.capture(&[whole, adds("ann", 1, now, &mut dice).remove(0)]);
    assert_eq!(gets(&server, "acme", json!({})), [true, true]);
    assert!(!server.client.flags("acme").on("perks"), "no person");
    let ask = |path: &str| server.client.get_with(path, Some(SECRET), &[]);
    let counted = ask("/api/cohorts/many-adds/count");
    assert_eq!(counted.json()["scanned"], json!(1), "{}", counted.body);
    let refused = ask("/api/cohorts/small/count");
    assert_eq!((refused.status, refused.body.contains("asks of groups")), (400, true));
    let query = [("flag", "seats"), ("distinct_id", "ann"), ("groups", r#"{"company":"acme"}"#)];
    let explained = server.client.get_with("/api/explain", Some(SECRET), &query).json();
    assert_eq!(complaints(&schema_of("explain"), &explained), Vec::<String>::new());
    assert_eq!(explained["is"]["enabled"], json!(true), "{explained}");
}

/// What several partitions know of a company is one company.
#[test]
fn a_companys_properties_lie_in_any_partition() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(172));
    let mut server = setup(Setup::kafka(&topic.brokers, &topic.name)).start();
    let now = now_ms();
    let sets = [
        (3, json!({ "plan": "pro" }), now - 10),
        (1, json!({ "plan": "free", "seats": 80 }), now - 20),
    ];
    for (partition, set, time_ms) in sets {
        topic.put_json(partition, "any", &told("acme", set, time_ms, &mut dice).record(TOKEN));
        let marker = format!("marker {partition}");
        for event in adds(&marker, 3, now, &mut dice) {
            topic.put_json(partition, "any", &event.record(TOKEN));
        }
        wait_for(&server, &marker, "offer", &Said::Yes);
    }
    assert_eq!(gets(&server, "acme", json!({})), [true, true]);
    server.kill();
    server.restart();
    assert_eq!(gets(&server, "acme", json!({})), [true, true]);
}
