//! Bad input: a clear answer or a counted skip, bounded memory, and nothing else is lost.

use serde_json::{Value, json};

use crate::client::Client;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::Setup;
use crate::shop::{TOKEN, adds};

/// What the process may have taken at its peak, after bodies of 50 MB were thrown at it.
const MEMORY_KIB_MAX: u64 = 700 * 1024;

/// A request and the statuses that are fine for it.
type Row = (&'static str, &'static str, Vec<u8>, &'static [u16]);

#[test]
fn bad_input_gets_a_clear_answer() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(20));
    for (what, path, body, fine) in strangers().into_iter().chain(unreadable()) {
        let answer = server.client.try_post(path, &body);
        let answer = answer.unwrap_or_else(|error| panic!("{what} at {path}: no answer, {error}"));
        assert!(fine.contains(&answer.status), "{what} at {path}: {answer:?}");
        assert!(answer.status < 400 || !answer.body.is_empty(), "{what}: no word of what is wrong");
    }
    // The node is as it was.
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    assert!(server.client.flags("ann").on("offer"));
    assert!(server.is_ready());
    assert!(!server.log().contains("panicked"), "something panicked");
}

#[test]
fn a_body_of_50_megabytes_is_refused() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(21));
    for path in ["/batch/", "/e/", "/flags/?v=2"] {
        let mut body = br#"{"api_key":"phc_test","distinct_id":"ann","event":"e","pad":""#.to_vec();
        body.resize(50 << 20, b'x');
        body.extend_from_slice(br#""}"#);
        assert_eq!(send_past_refusal(&server.client, path, &body), 413, "at {path}");
    }
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    assert!(server.client.flags("ann").on("offer"));
    let peak_kib = server.memory_peak_kib();
    assert!(peak_kib < MEMORY_KIB_MAX, "{peak_kib} KiB at the peak");
}

#[test]
fn one_bad_event_does_not_cost_the_batch() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(22));
    let good: Vec<Value> =
        adds("ann", 3, now_ms(), &mut dice).iter().map(Event::captured).collect();
    let bad = [
        json!({ "distinct_id": "ann", "properties": {} }),
        json!({ "event": 7, "distinct_id": "ann" }),
        json!({ "event": "added to cart", "distinct_id": null }),
        json!({ "event": "added to cart" }),
        json!({ "event": "added to cart", "distinct_id": "ann", "timestamp": "yesterday-ish" }),
        json!({ "event": "added to cart", "distinct_id": "ann", "properties": [1, 2] }),
        json!("not an event"),
        json!(null),
    ];
    for (number, bad) in bad.into_iter().enumerate() {
        let person = format!("visitor-{number}");
        let mut batch = vec![bad];
        batch.extend(good.iter().cloned().map(|mut event| {
            event["distinct_id"] = json!(person);
            event["uuid"] = json!(dice.uuid());
            event
        }));
        let what = batch[0].to_string();
        let answer = server.client.post("/batch/", &json!({ "api_key": TOKEN, "batch": batch }));
        assert_eq!(answer.status, 200, "with {what}: {}", answer.body);
        assert!(server.client.flags(&person).on("offer"), "the good ones were lost with {what}");
    }
}

/// Ids are cut to their first 200 characters, when sending and when asking.
#[test]
fn an_id_of_a_megabyte_is_cut() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(24));
    let long = "é".repeat(1 << 19);
    server.client.capture(&adds(&long, 3, now_ms(), &mut dice));
    assert!(server.client.flags(&long).on("offer"));
    assert!(server.client.flags(&"é".repeat(200)).on("offer"));
    assert!(!server.client.flags(&"é".repeat(199)).on("offer"));
}

#[test]
fn ten_thousand_properties_are_no_reason_to_lose_an_event() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(25));
    let crowded = adds("ann", 3, now_ms(), &mut dice).into_iter().map(|event| {
        (0..10_000).fold(event, |event, number| event.with(&format!("property {number}"), number))
    });
    server.client.capture(&crowded.collect::<Vec<_>>());
    assert!(server.client.flags("ann").on("offer"));
}

/// Tokens are asked for on every public route.
fn strangers() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let event = |token: Value| {
        let event = json!({ "event": "purchase", "distinct_id": "mallory" });
        let batch = json!({ "api_key": token, "batch": [event] });
        (event, batch)
    };
    for token in [json!("phc_nobody"), json!(""), json!(null), json!(7)] {
        let (mut single, batch) = event(token.clone());
        single["api_key"] = token.clone();
        let asked = json!({ "token": token, "distinct_id": "mallory" });
        rows.push(("a token that opens nothing", "/batch/", bytes(&batch), &[401]));
        rows.push(("a token that opens nothing", "/e/", bytes(&single), &[401]));
        rows.push(("a token that opens nothing", "/flags/?v=2", bytes(&asked), &[401]));
    }
    let (single, _) = event(json!(null));
    rows.push(("no token", "/e/", bytes(&single), &[401]));
    rows.push(("no token", "/batch/", bytes(&json!({ "batch": [single] })), &[401]));
    rows.push(("no token", "/flags/?v=2", bytes(&json!({ "distinct_id": "ann" })), &[401]));
    rows.push(("no distinct id", "/flags/?v=2", bytes(&json!({ "token": TOKEN })), &[400]));

    rows
}

fn unreadable() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let nested = format!(
        r#"{{"api_key":"{TOKEN}","event":"e","distinct_id":"ann","properties":{{"deep":{}1{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let nul = json!({
        "token": TOKEN, "api_key": TOKEN, "event": "a\0b", "distinct_id": "a\0b",
        "properties": { "\0": "\0" },
    });
    let mut not_utf8 = bytes(&nul);
    not_utf8.extend_from_slice(b"\xff\xfe");
    for path in ["/batch/", "/e/", "/flags/?v=2"] {
        rows.push(("cut off", path, br#"{"api_key":"phc_test","#.to_vec(), &[400]));
        rows.push(("no JSON", path, b"<html>".to_vec(), &[400]));
        rows.push(("nothing", path, Vec::new(), &[400, 401]));
        rows.push(("NUL bytes alone", path, vec![0; 64], &[400]));
        rows.push(("a number", path, b"7".to_vec(), &[400, 401]));
        rows.push(("gzip that is none", path, b"\x1f\x8b\x08 not at all".to_vec(), &[400]));
        rows.push(("100,000 levels", path, nested.clone().into_bytes(), &[200, 400]));
        rows.push(("NUL characters", path, bytes(&nul), &[200, 400]));
        rows.push(("bytes that are no UTF-8", path, not_utf8.clone(), &[200, 400]));
    }
    let wrong = json!({ "token": TOKEN, "distinct_id": { "a": 1 }, "groups": 3 });
    rows.push(("wrong types", "/flags/?v=2", bytes(&wrong), &[200, 400]));
    rows
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Sends a body to its end or to the moment where the other side won't take more, then reads
/// the status: what an ordinary client does not do once its writes fail.
fn send_past_refusal(client: &Client, path: &str, body: &[u8]) -> u16 {
    use std::io::{Read, Write};

    let address = client.base().strip_prefix("http://").expect("an http address");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let patience = Some(std::time::Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a timeout");
    stream.set_write_timeout(patience).expect("a timeout");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A refusal may close the connection while the body is on its way.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut start = Vec::new();
    let read = stream.take(12).read_to_end(&mut start);
    let start = String::from_utf8_lossy(&start);
    let status = start.strip_prefix("HTTP/1.1 ").and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status at {path}: {read:?}, {start:?}"))
}
