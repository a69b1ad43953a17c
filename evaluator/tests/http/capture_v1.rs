//! Capture v1: each event is told what became of it.

use std::io::Write;

use axum::http::Method;
use schemas::append::AppendError;
use serde_json::{Value, json};

use crate::shop::{Answer, NOON_MS, Shop, TOKEN, gzip};

const PATH: &str = "/i/v1/analytics/events";
const BEARER: (&str, &str) = ("authorization", "Bearer phc_shop");
const JSON: (&str, &str) = ("content-type", "application/json");

fn send(shop: &Shop, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let headers = [&[BEARER, JSON], headers].concat();
    shop.post_with(PATH, &headers, body.into())
}

fn event(uuid: &str, more: Value) -> Value {
    let mut event = json!({ "event": "e", "uuid": uuid, "distinct_id": "ann",
        "timestamp": "2023-11-14T22:13:20Z", "options": {}, "properties": {} });
    let more = more.as_object().expect("an object").clone();
    event.as_object_mut().expect("an object").extend(more);
    event
}

fn batch(events: &[Value]) -> String {
    json!({ "created_at": "2023-11-14T22:13:20Z", "batch": events }).to_string()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn brotli(mut text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut text, &mut packed, &Default::default()).expect("memory");
    packed
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).expect("memory")
}

#[test]
fn each_event_is_told_what_became_of_it() {
    let shop = Shop::open();
    let events = [
        event("u-1", json!({ "event": "added to cart" })),
        event("u-2", json!({ "distinct_id": "" })),
        event("u-3", json!({ "event": null })),
        event("u-4", json!({ "properties": [1] })),
        event("u-5", json!({ "options": "all", "distinct_id": "ben" })),
        event("u-6", json!({ "properties": { "a": "x".repeat(1_100_000) } })),
        event("u-7", json!({ "distinct_id": 7 })),
        event("u-8", json!({ "event": "$sluice_forget" })),
    ];
    let answer = send(&shop, &[("posthog-request-id", "r-1")], batch(&events));
    assert_eq!(answer.header("posthog-request-id"), Some("r-1"));
    assert_eq!(answer.header("sluice-position"), Some("0:2"));
    let results = answer.json()["results"].clone();
    for (uuid, result, said) in [
        ("u-1", "ok", ""),
        ("u-2", "drop", "distinct_id"),
        ("u-3", "drop", "\"event\""),
        ("u-4", "drop", "properties"),
        ("u-5", "drop", "options"),
        ("u-6", "drop", "bytes"),
        ("u-7", "ok", ""),
        ("u-8", "drop", "/api/forget"),
    ] {
        let told = &results[uuid];
        assert_eq!(told["result"], result, "{uuid}: {told}");
        assert_eq!(told.get("details").is_some(), result == "drop", "{uuid}: {told}");
        assert!(told["details"].as_str().unwrap_or_default().contains(said), "{uuid}: {told}");
    }
    let kept: Vec<Value> = shop.log().iter().map(|event| event["uuid"].clone()).collect();
    assert_eq!(kept, ["u-1", "u-7"]);
    // Where no event is in order, each is told all the same.
    let answer = send(&shop, &[], batch(&events[1..2])).json();
    assert_eq!(answer["results"]["u-2"]["result"], "drop");
    let counted = shop.ask(Method::GET, "/metrics").text();
    for line in
        [r#"{outcome="accepted"} 2"#, r#"{outcome="invalid"} 6"#, r#"{outcome="too_large"} 1"#]
    {
        assert!(counted.contains(&format!("sluice_capture_events_total{line}")), "{counted}");
    }
}

#[test]
fn what_stands_beside_the_properties_moves_in() {
    let shop = Shop::open();
    let full = event(
        "u-1",
        json!({
            "session_id": "s", "window_id": "w", "$set": { "plan": "pro" },
            "options": { "process_person_profile": false, "cookieless_mode": null, "unheard": 1 },
            "properties": { "$window_id": "own", "price": 7.0 },
        }),
    );
    assert_eq!(send(&shop, &[], batch(&[full])).status, 200);
    let expected = json!({ "$session_id": "s", "$window_id": "own", "price": 7.0,
        "$process_person_profile": false, "$set": { "plan": "pro" } });
    assert_eq!(shop.log()[0]["properties"], expected);
    assert_eq!(shop.flag("ann", "pro")["enabled"], true);
    // The sender's clock is an hour slow, which its own time of sending shows.
    let slow = [("posthog-request-timestamp", "2023-11-14T21:13:20Z")];
    let told = json!({ "timestamp": "2023-11-14T21:13:19.750Z" });
    let mut sure = told.clone();
    sure["options"] = json!({ "disable_skew_correction": true });
    let events = [event("u-2", told), event("u-3", sure)];
    assert_eq!(send(&shop, &slow, batch(&events)).status, 200);
    let times: Vec<Value> = shop.log()[1..].iter().map(|e| e["timestamp"].clone()).collect();
    assert_eq!(times, [json!(NOON_MS - 250), json!(NOON_MS - 3_600_250)]);
}

#[test]
fn bodies_are_read_in_every_encoding() {
    let plain = batch(&[event("u-1", json!({}))]);
    let text = plain.as_bytes();
    for (encoding, body) in [
        ("gzip", gzip(text)),
        ("deflate", deflate(text)),
        ("br", brotli(text)),
        ("zstd", zstd(text)),
        ("identity", text.to_vec()),
    ] {
        let shop = Shop::open();
        let answer = send(&shop, &[("content-encoding", encoding)], body.clone());
        assert_eq!(answer.json()["results"]["u-1"]["result"], "ok", "{encoding}");
        // Cut off, or something else, it is refused in words.
        for bad in [&body[..body.len() / 2], b"\x00\x01other"] {
            let answer = send(&shop, &[("content-encoding", encoding)], bad);
            assert_eq!(answer.status, 400, "{encoding}: {}", answer.text());
            assert!(answer.text().starts_with("Failed to decode request: "), "{}", answer.text());
        }
        assert_eq!(shop.log().len(), 1, "{encoding}");
    }
    let shop = Shop::open();
    let odd = plain.replace("\"properties\":{}", "\"properties\":{\"a\":NaN}");
    assert_eq!(send(&shop, &[], odd).status, 200);
    assert_eq!(shop.log()[0]["properties"]["a"], Value::Null);
}

#[test]
fn what_swells_is_stopped() {
    let spaces = [vec![b' '; 21 << 20], batch(&[event("u-1", json!({}))]).into_bytes()].concat();
    let shop = Shop::open();
    for (encoding, body) in [
        ("gzip", gzip(&spaces)),
        ("deflate", deflate(&spaces)),
        ("br", brotli(&spaces)),
        ("zstd", zstd(&spaces)),
        ("identity", spaces.clone()),
    ] {
        let answer = send(&shop, &[("content-encoding", encoding)], body);
        assert_eq!(answer.status, 413, "{encoding}: {}", answer.text());
        assert!(!answer.body.is_empty(), "{encoding}");
    }
}

/// A few bytes may not have the node reserve 128 MiB to look back into.
#[test]
fn a_window_has_a_bound_too() {
    let shop = Shop::open();
    for (window_log, status) in [(23, 200), (24, 400), (27, 400)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
        encoder.window_log(window_log).expect("a window");
        encoder.write_all(batch(&[event("u-1", json!({}))]).as_bytes()).expect("memory");
        let body = encoder.finish().expect("memory");
        let answer = send(&shop, &[("content-encoding", "zstd")], body);
        assert_eq!(answer.status, status, "2^{window_log}: {}", answer.text());
    }
}

#[test]
fn what_cannot_be_taken_is_refused_as_a_whole() {
    let shop = Shop::open();
    let good = || batch(&[event("u-1", json!({}))]);
    let bearer = |token: &'static str| vec![("authorization", token), JSON];
    let kind = |kind: &'static str| vec![BEARER, ("content-type", kind)];
    let packed = |encoding: &'static str| vec![BEARER, JSON, ("content-encoding", encoding)];
    let nameless = json!({ "batch": [{ "event": "e", "distinct_id": "ann" }] }).to_string();
    for (headers, body, status, said) in [
        (vec![JSON], good(), 401, "not_authenticated"),
        (bearer("phc_shop"), good(), 401, "not_authenticated"),
        (bearer("Bearer "), good(), 401, "not_authenticated"),
        (bearer("Bearer phc_other"), good(), 401, "authentication_failed"),
        (bearer("Bearer phx_1"), good(), 401, "personal"),
        (kind("text/csv"), good(), 415, "application/json"),
        (packed("lz4"), good(), 415, "zstd"),
        (packed("gzip, br"), good(), 415, "zstd"),
        (vec![BEARER, JSON], "[]".to_owned(), 400, "Failed to decode"),
        (vec![BEARER, JSON], "{".to_owned(), 400, "Failed to decode"),
        (vec![BEARER, JSON], "{}".to_owned(), 400, "batch"),
        (vec![BEARER, JSON], batch(&[]), 400, "no events"),
        (vec![BEARER, JSON], batch(&[json!(7)]), 400, "uuid"),
        (vec![BEARER, JSON], nameless, 400, "uuid"),
    ] {
        let headers = [headers.as_slice(), &[("posthog-request-id", "r-2")]].concat();
        let answer = shop.post_with(PATH, &headers, body.into_bytes());
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        assert!(answer.text().contains(said), "{headers:?}: {}", answer.text());
        assert_eq!(answer.header("posthog-request-id"), Some("r-2"), "{headers:?}");
    }
    for (error, status) in [
        (AppendError::Unavailable("no broker".to_owned()), 503),
        (AppendError::ReadOnly("events".to_owned()), 400),
        (AppendError::TooLarge { bytes: 9 }, 413),
    ] {
        shop.state().refuses = Some(error.clone());
        let answer = send(&shop, &[], good());
        assert_eq!((answer.status, answer.text()), (status, error.to_string()));
    }
    shop.state().refuses = None;
    assert!(shop.log().is_empty());
    let slash = shop.post_with(&format!("{PATH}/"), &[BEARER, JSON], good().into_bytes());
    assert_eq!((slash.status, shop.log()[0]["token"].as_str()), (200, Some(TOKEN)));
    assert_eq!(shop.ask(Method::GET, PATH).status, 405);
}
