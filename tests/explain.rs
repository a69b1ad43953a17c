//! Stories of whoever asks why: the events that count, the clock, the one person behind ids.

use schemas::event::Format;
use schemas::window::Entry;
use serde_json::{Value, json};

use crate::conformance::{complaints, schema_of};
use crate::dice::Dice;
use crate::event::{Event, now_ms, rfc3339};
use crate::harness::{self, Server, Setup};
use crate::shop::{MINUTE_MS, SECRET, TOKEN, purchase, sets};

const PATH: &str = "/api/explain";

/// Parameters by name.
type Query<'a> = &'a [(&'a str, &'a str)];

fn why(server: &Server, query: Query<'_>) -> Value {
    let answer = server.client.get_with(PATH, Some(SECRET), query);
    assert_eq!(answer.status, 200, "{query:?}: {}", answer.body);
    let explained = answer.json();
    let wrong = complaints(&schema_of("explain"), &explained);
    assert_eq!(wrong, Vec::<String>::new(), "{explained:#}");
    explained
}

fn offer(server: &Server, who: &str) -> Value {
    why(server, &[("flag", "offer"), ("distinct_id", who)])
}

fn add(who: &str, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("added to cart", who, time_ms, dice)
}

/// An event as an explanation tells it.
fn told(event: &Event) -> Value {
    let record = event.record(TOKEN).to_string();
    let event = Format::Sluice.parse(record.as_bytes()).expect("an event");
    let time_ms = event.timestamp_ms.expect("a time");
    let tag = Entry::new(time_ms, event.id_hash(0, 0, 0)).tag();
    json!({ "time": rfc3339(time_ms), "id_hash": format!("{tag:014x}") })
}

/// The parts of the shop's cohort of those who hesitate: adds, and no purchase.
fn parts(explained: &Value) -> [&Value; 2] {
    assert_eq!(explained["rules"][0]["when"]["cohort"], "hesitating");
    let all = &explained["cohorts"][0]["members"]["all"];
    [&all[0], &all[1]["not"]]
}

#[test]
fn the_events_that_count_are_told_and_when_they_no_longer_do() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(170));
    let now = now_ms();
    let events = [4_000, 3_000, 2_000, 1_000].map(|ago_ms| add("ann", now - ago_ms, &mut dice));
    server.client.capture(&events);
    let explained = offer(&server, "ann");
    assert_eq!(explained["is"]["value"], true);
    assert_eq!(explained["rules"][0]["decided"], true);
    let [adds, purchases] = parts(&explained);
    assert_eq!((&adds["truth"], &purchases["truth"]), (&json!("true"), &json!("false")));
    let newest: Vec<Value> = events.iter().rev().take(3).map(told).collect();
    assert_eq!(adds["seen"][0]["newest"], json!(newest));
    assert_eq!(adds["seen"][0]["in_all"], 3, "no more are needed, so no more are kept");
    assert_eq!(purchases["seen"][0]["newest"], json!([]));
    let next = &explained["changes"]["next"];
    assert_eq!(next["at"], rfc3339(events[1].time_ms + 5 * MINUTE_MS), "the third newest");
    assert_eq!(next["to"]["value"], false);

    server.client.capture(&[purchase("ann", now, &mut dice)]);
    let explained = offer(&server, "ann");
    assert_eq!(explained["is"]["reason"]["code"], "no_condition_match");
    assert_eq!(explained["rules"][0]["decided"], false);
    assert_eq!(parts(&explained)[1]["truth"], "true");
    assert_eq!(explained["changes"]["next"], Value::Null, "the adds are too old before it is");
}

#[test]
fn a_purchase_before_is_forgotten_in_time() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(171));
    let now = now_ms();
    let bought = purchase("ben", now - 4 * MINUTE_MS, &mut dice);
    let adds = [30, 20, 10].map(|ago_ms| add("ben", now - ago_ms, &mut dice));
    server.client.capture(&[vec![bought.clone()], adds.to_vec()].concat());
    let explained = offer(&server, "ben");
    assert_eq!(explained["is"]["value"], false);
    assert_eq!(parts(&explained)[1]["seen"][0]["newest"], json!([told(&bought)]));
    let next = &explained["changes"]["next"];
    assert_eq!(next["at"], rfc3339(bought.time_ms + 5 * MINUTE_MS));
    assert_eq!((&next["to"]["value"], &next["to"]["failed"]), (&json!(true), &json!(false)));
}

#[test]
fn ids_that_are_one_person_are_told() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(172));
    let now = now_ms();
    let adds = [30, 20, 10].map(|ago_ms| add("device", now - ago_ms, &mut dice));
    server.client.capture(&adds);
    let before = offer(&server, "ann+shop@example.com");
    assert_eq!(before["distinct_ids"], json!(["ann+shop@example.com"]));
    assert_eq!(before["is"]["value"], false);
    let login = Event::new("$identify", "ann+shop@example.com", now, &mut dice);
    server.client.capture(&[login.with("$anon_distinct_id", "device")]);
    let after = offer(&server, "ann+shop@example.com");
    assert_eq!(after["distinct_ids"], json!(["ann+shop@example.com", "device"]));
    assert_eq!(after["is"]["value"], true);
    assert_eq!(parts(&after)[0]["seen"][0]["newest"][0], told(&adds[2]));
}

/// One answer of each kind of condition, against the schema; what each makes of two events.
#[test]
fn every_kind_of_condition_is_explained() {
    let kinds = [
        ("{ did: seen, count: '>= 2x', within: 1h, compared with: { did: bought } }", "true"),
        ("{ sum: price, of: seen, is: '> 25', within: 1h }", "true"),
        ("{ average: price, of: seen, is: '= 15', within: 1h }", "true"),
        ("{ distinct: price, of: seen, count: '> 2', within: 1h }", "false"),
        ("{ first: seen, within: 1h }", "true"),
        ("{ last: bought, ago: '>= 1d' }", "false"),
        ("{ latest: price, of: seen, is: 20, within: 1h }", "true"),
        ("{ regularly: seen, at least: 2, of last: 4 weeks }", "false"),
        (
            "{ sequence: [ { did: seen }, { did: seen, after: '<= 1m' } ], within: 1h, \
             without: { did: bought } }",
            "true",
        ),
        ("{ any: [ { people: [ben, cho] }, { person: { plan: [pro, team] } } ] }", "true"),
    ];
    let keys = kinds.iter().enumerate().map(|(at, (members, _))| (format!("kind-{at}"), members));
    let setup = keys.clone().fold(Setup::embedded(), |setup, (key, members)| {
        setup.define(&format!("cohorts/{key}.yaml"), &format!("members: {members}\n"))
    });
    let (server, mut dice) = (setup.start(), Dice::new(173));
    let now = now_ms();
    let seen = |ago_ms, price: i64, dice: &mut Dice| {
        Event::new("seen", "ann", now - ago_ms, dice).with("price", price)
    };
    let events = [
        sets("$set", "ann", json!({ "plan": "Pro" }), now - 50, &mut dice),
        seen(40, 10, &mut dice),
        seen(20, 20, &mut dice),
    ];
    server.client.capture(&events);
    for ((key, members), (_, truth)) in keys.zip(kinds) {
        let explained = why(&server, &[("cohort", &key), ("distinct_id", "ann")]);
        assert_eq!(explained["is"]["truth"], truth, "{members}: {explained:#}");
    }
    let of_kind = |at: usize| {
        let key = format!("kind-{at}");
        why(&server, &[("cohort", &key), ("distinct_id", "ann")])["cohorts"][0]["members"].clone()
    };
    let sum = &of_kind(1)["seen"][0];
    assert_eq!(
        sum["number"],
        json!({ "said": "30", "exact": true, "at_least": "30", "at_most": "30" })
    );
    assert_eq!(sum["newest"][1]["number"], "10");
    assert_eq!(of_kind(2)["seen"][0]["number"]["said"], "15");
    assert_eq!(of_kind(4)["seen"][0]["moment"], rfc3339(events[1].time_ms));
    assert_eq!(of_kind(6)["seen"][0]["newest"][0]["passes"], true);
    assert_eq!(of_kind(7)["seen"][0]["periods_at_least"], 1);
    assert_eq!(of_kind(8)["seen"].as_array().expect("a list").len(), 3);
    let plan = &of_kind(9)["any"][1]["all"][0];
    let plan = if plan.is_null() { of_kind(9)["any"][1].clone() } else { plan.clone() };
    assert_eq!((&plan["value"], &plan["source"]), (&json!("Pro"), &json!("state")), "{plan}");
}

#[test]
fn whoever_has_no_secret_learns_nothing() {
    let server = Setup::embedded().start();
    let ask = |secret, query: Query<'_>| {
        let answer = server.client.get_with(PATH, secret, query);
        (answer.status, answer.body)
    };
    let (flag, ann) = (("flag", "offer"), ("distinct_id", "ann"));
    for secret in [None, Some("phs_other"), Some(""), Some("phs_tes"), Some(TOKEN)] {
        assert_eq!(ask(secret, &[flag, ann]).0, 401, "{secret:?}");
        assert_eq!(ask(secret, &[]).0, 401, "{secret:?}");
    }
    let rows: [(Query<'_>, u16, &str); 7] = [
        (&[("project", "other"), flag, ann], 403, "opens the project \"shop\", and \"other\""),
        (&[("flag", "ofer"), ann], 404, "did you mean `offer`?"),
        (&[("cohort", "hesitate"), ann], 404, "did you mean `hesitating`?"),
        (&[flag], 400, "send `distinct_id=<id>`"),
        (&[ann], 400, "send `flag=<key>` or `cohort=<key>`"),
        (&[flag, ("distinct", "ann")], 400, "did you mean `distinct_id`?"),
        (&[flag, ann, ("person_properties", "[]")], 400, "is no JSON object"),
    ];
    for (query, status, said) in rows {
        let answer = ask(Some(SECRET), query);
        assert_eq!(answer.0, status, "{query:?}: {}", answer.1);
        assert!(answer.1.contains(said), "{query:?}: {}", answer.1);
    }
    assert_eq!(ask(Some(SECRET), &[("project", "shop"), flag, ann]).0, 200);
}

#[test]
fn the_command_line_tells_the_same_to_people() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(174));
    let now = now_ms();
    let events = [30, 20, 10].map(|ago_ms| add("ann b+c", now - ago_ms, &mut dice));
    server.client.capture(&events);
    let asked = ["--project", "shop", "--flag", "offer", "--distinct-id", "ann b+c"];
    let (answered, page) = harness::explain(server.client.base(), Some(SECRET), &asked);
    assert!(answered, "{page}");
    let until = rfc3339(events[0].time_ms + 5 * MINUTE_MS);
    let first = told(&events[0]);
    let event = format!("{}  {}", first["time"], first["id_hash"]).replace('"', "");
    for said in [
        "offer for ann b+c: on (condition_match: Matched condition set 1)\n".to_owned(),
        format!(
            "  if nothing happens: off (no_condition_match: No matching condition set) from {until}"
        ),
        "rule 1, which decided\n  true: in cohort hesitating\n    true: all of\n".to_owned(),
        "      true: the count of `added to cart` in the last 5m >= 3\n".to_owned(),
        format!("          {event}\n"),
    ] {
        assert!(page.contains(&said), "{said:?} isn't in\n{page}");
    }
    let json = [&asked[..], &["--json"]].concat();
    let (answered, json) = harness::explain(server.client.base(), Some(SECRET), &json);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert!(answered && json["is"]["value"] == true, "{json}");

    let (answered, said) = harness::explain(server.client.base(), Some("phs_other"), &asked);
    assert!(!answered && said.contains("The secret opens no project"), "{said}");
    let (answered, said) = harness::explain("http://127.0.0.1:1", Some(SECRET), &asked);
    assert!(!answered && said.contains("no node answers at http://127.0.0.1:1"), "{said}");
}
