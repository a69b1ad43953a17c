//! Capture: what SDKs send, and what the log then holds.

use serde_json::{Value, json};

use crate::shop::{NOON_MS, Shop, TOKEN};

fn only(shop: &Shop) -> Value {
    let log = shop.log();
    assert_eq!(log.len(), 1, "{log:?}");
    log[0].clone()
}

#[test]
fn every_route_takes_an_event_and_tells_where_it_is() {
    let shop = Shop::open();
    let mut next = 0;
    for path in ["/batch", "/e", "/i/v0/e", "/capture"] {
        for slash in ["", "/"] {
            let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann" });
            let answer = shop.post(&format!("{path}{slash}"), &event);
            next += 1;
            assert_eq!(answer.json(), json!({ "status": 1 }));
            assert_eq!(answer.header("sluice-position"), Some(format!("0:{next}").as_str()));
        }
    }
    let beacon = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann" });
    let answer = shop.post("/e/?beacon=1", &beacon);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
}

#[test]
fn a_record_says_who_what_and_when() {
    let shop = Shop::open();
    let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": 42, "uuid": "u-1",
        "timestamp": "2023-11-14T22:13:19.5Z", "properties": { "price": 5 }, "more": [1] });
    assert_eq!(shop.post("/e/", &event).status, 200);
    let expected = json!({ "uuid": "u-1", "token": TOKEN, "event": "e", "distinct_id": "42",
        "timestamp": NOON_MS - 500, "properties": { "price": 5 } });
    assert_eq!(only(&shop), expected);
    assert_eq!(shop.state().appended[0].key, "phc_shop:42");
}

#[test]
fn whoever_sends_no_id_gets_one_that_sorts_by_time() {
    let shop = Shop::open();
    for after_ms in [0, 1_000] {
        shop.at(after_ms);
        let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann", "uuid": "" });
        assert_eq!(shop.post("/e/", &event).status, 200);
    }
    let ids: Vec<String> = shop.log().iter().map(|event| event["uuid"].to_string()).collect();
    assert!(ids[0] < ids[1], "{ids:?}");
}

const HOUR_MS: i64 = 3_600_000;
/// A sender whose clock is an hour slow sends at noon what happened 250 ms before.
const SENT: i64 = NOON_MS - HOUR_MS;
const STATED: i64 = SENT - 250;

/// Captures one event, and tells the time that the log has for it.
fn time_of(query: &str, mut batch: Value, mut event: Value) -> Value {
    let shop = Shop::open();
    event["event"] = json!("e");
    event["distinct_id"] = json!("ann");
    batch["api_key"] = json!(TOKEN);
    batch["batch"] = json!([event]);
    assert_eq!(shop.post(&format!("/batch/{query}"), &batch).status, 200);
    only(&shop)["timestamp"].clone()
}

#[test]
fn a_wrong_clock_is_corrected() {
    let event = json!({ "timestamp": STATED });
    let by = |sent_at: Value| time_of("", json!({ "sent_at": sent_at }), event.clone());
    assert_eq!(by(json!(SENT)), NOON_MS - 250);
    assert_eq!(by(json!("2023-11-14T21:13:20Z")), NOON_MS - 250);
    assert_eq!(by(json!("2023-11-14T22:13:20+01:00")), NOON_MS - 250);
    assert_eq!(by(json!("soon")), STATED);
    assert_eq!(by(json!(null)), STATED);
    assert_eq!(time_of("?_=1699996400000", json!({}), event), NOON_MS - 250);
    let sent = json!({ "sent_at": SENT });
    let python = json!({ "timestamp": "2023-11-14T21:13:19.750000+00:00" });
    assert_eq!(time_of("", sent.clone(), python), NOON_MS - 250);
    let sure = json!({ "timestamp": STATED, "properties": { "$ignore_sent_at": true } });
    assert_eq!(time_of("", sent, sure), STATED);
    let far = json!({ "timestamp": i64::MAX });
    assert_eq!(time_of("", json!({ "sent_at": i64::MIN }), far), i64::MAX);
}

#[test]
fn a_time_that_is_not_told_is_now() {
    let alone = |event: Value| time_of("", json!({}), event);
    let sent = |event: Value| time_of("", json!({ "sent_at": SENT }), event);
    assert_eq!(alone(json!({})), NOON_MS);
    assert_eq!(sent(json!({})), NOON_MS);
    assert_eq!(alone(json!({ "timestamp": "soon" })), NOON_MS);
    assert_eq!(sent(json!({ "offset": 40.5 })), NOON_MS - 40);
    assert_eq!(alone(json!({ "timestamp": STATED, "offset": 40 })), STATED);
    let (last, first) = ("9999-12-31T23:59:59Z", "0001-01-01");
    assert_eq!(alone(json!({ "timestamp": last })), 253_402_300_799_000_i64);
    assert_eq!(alone(json!({ "timestamp": first })), -62_135_596_800_000_i64);
}

#[test]
fn a_token_may_stand_anywhere() {
    let event = |more: Value| {
        let mut event = json!({ "event": "e", "distinct_id": "ann", "properties": {} });
        let more = more.as_object().expect("an object").clone();
        event.as_object_mut().expect("an object").extend(more);
        event
    };
    for body in [
        event(json!({ "token": TOKEN })),
        event(json!({ "$token": TOKEN })),
        event(json!({ "token": null, "api_key": TOKEN })),
        event(json!({ "properties": { "token": TOKEN } })),
        json!([event(json!({ "api_key": TOKEN })), event(json!({}))]),
        json!({ "token": TOKEN, "batch": [event(json!({ "token": "phc_other" }))] }),
        json!({ "batch": [event(json!({ "properties": { "token": TOKEN } }))] }),
    ] {
        let shop = Shop::open();
        assert_eq!(shop.post("/e/", &body).status, 200, "{body}");
        assert!(shop.log().iter().all(|event| event["token"] == TOKEN), "{body}");
    }
}

#[test]
fn what_old_sdks_put_beside_the_properties_moves_in() {
    let shop = Shop::open();
    let event = json!({ "api_key": TOKEN, "event": "$identify", "distinct_id": "",
        "$set": { "plan": "pro" }, "$set_once": { "first": 1 }, "$unset": ["age"],
        "properties": { "distinct_id": "ann", "$set": { "plan": "free", "tier": "gold" } } });
    // An empty id beside the properties is none at all.
    assert_eq!(shop.post("/e/", &event).status, 400);
    let mut event = event;
    event["distinct_id"] = json!(null);
    assert_eq!(shop.post("/e/", &event).status, 200);
    let held = only(&shop);
    assert_eq!(held["distinct_id"], "ann");
    assert_eq!(held["properties"]["$set"], json!({ "plan": "pro", "tier": "gold" }));
    assert_eq!(held["properties"]["$set_once"], json!({ "first": 1 }));
    assert_eq!(held["properties"]["$unset"], json!(["age"]));
}

#[test]
fn one_bad_event_does_not_cost_the_batch() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for bad in [
        "null".to_owned(),
        "7".to_owned(),
        r#"{"distinct_id":"ann"}"#.to_owned(),
        r#"{"event":7,"distinct_id":"ann"}"#.to_owned(),
        r#"{"event":"e"}"#.to_owned(),
        r#"{"event":"e","distinct_id":""}"#.to_owned(),
        r#"{"event":"e","distinct_id":"ann","properties":[1]}"#.to_owned(),
        format!(r#"{{"event":"e","distinct_id":"ann","properties":{{"a":{deep}}}}}"#),
        format!(r#"{{"event":"e","distinct_id":"ann","a":"{}"}}"#, "x".repeat(5_000_000)),
        format!(r#"{{"event":"{}","distinct_id":"ann"}}"#, "x".repeat(1_000_000)),
    ] {
        let shop = Shop::open();
        let good = r#"{"event":"good","distinct_id":"ann"}"#;
        let batch = format!(r#"{{"api_key":"{TOKEN}","batch":[{bad},{good}]}}"#);
        let what: String = bad.chars().take(60).collect();
        assert_eq!(shop.post_raw("/batch/", batch).status, 200, "{what}");
        assert_eq!(only(&shop)["event"], "good", "{what}");
        // By itself, or where all are bad, it is an error.
        let alone = shop.post_raw("/batch/", format!(r#"{{"api_key":"{TOKEN}","batch":[{bad}]}}"#));
        assert!([400, 413].contains(&alone.status), "{what}: {}", alone.text());
        assert_eq!(shop.log().len(), 1, "{what}");
        let counted = shop.ask(axum::http::Method::GET, "/metrics").text();
        let accepted = r#"sluice_capture_events_total{outcome="accepted"} 1"#;
        assert!(counted.contains(accepted), "{counted}");
        let reasons = ["too_large", "invalid", "undecodable"];
        let refused = reasons.map(|why| format!(r#"_events_total{{outcome="{why}"}} 2"#));
        assert!(refused.iter().any(|line| counted.contains(line)), "{what}: {counted}");
    }
}

#[test]
fn odd_characters_and_long_ids_are_kept_apart_and_cut() {
    let shop = Shop::open();
    for id in ["a\0b", "quo\"ted", "ünïcødé-😀", &"é".repeat(1 << 19)] {
        for after_ms in [0, 1, 2] {
            shop.did(id, "added to cart", after_ms);
        }
        assert_eq!(shop.flag(id, "offer")["enabled"], true, "{}", &id[..2]);
    }
    assert_eq!(shop.flag(&"é".repeat(200), "offer")["enabled"], true);
    assert_eq!(shop.flag(&"é".repeat(199), "offer")["enabled"], false);
}
