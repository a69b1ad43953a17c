//! Limits: who asks too often, too slowly or too much is told so, and nobody else is harmed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::client::Answer;
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{Server, Setup, eventually};
use crate::shop::{SECRET, TOKEN, adds};

const WARNING: &str = "x-posthog-rate-limit-warning";

/// Asks for flags on behalf of a client behind a proxy on this machine.
fn ask_from(server: &Server, address: &str) -> Answer {
    let body = json!({ "token": TOKEN, "distinct_id": "ann" }).to_string();
    let headers = [("x-forwarded-for", address)];
    server.client.try_post_with("/flags/?v=2", &headers, body.as_bytes()).expect("an answer")
}

#[test]
fn who_asks_too_often_is_warned_and_then_refused() {
    // A bucket of five that fills once in a thousand seconds is empty after five requests.
    let server = Setup::embedded().set("SLUICE_RATE_LIMITS", "address=1:5").start();
    let answers: Vec<Answer> = (0..5).map(|_| ask_from(&server, "203.0.113.7")).collect();
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(answers[0].headers.get(WARNING), None);
    assert!(answers[4].headers.get(WARNING).is_some(), "the last of them");
    let refused = eventually("the bucket is empty", Duration::from_secs(20), || {
        Some(ask_from(&server, "203.0.113.7")).filter(|answer| answer.status == 429)
    });
    let body: serde_json::Value = serde_json::from_str(&refused.body).expect("JSON");
    assert_eq!(
        (&body["type"], &body["code"]),
        (&json!("validation_error"), &json!("rate_limit_exceeded"))
    );
    // Whoever else asks has a bucket of their own, and events are taken from everybody.
    assert_eq!(ask_from(&server, "203.0.113.8").status, 200);
    server.client.capture(&adds("ann", 3, now_ms(), &mut Dice::new(30)));
}

#[test]
fn nobody_says_for_a_stranger_where_they_are() {
    let server = Setup::embedded()
        .set("SLUICE_RATE_LIMITS", "address=1:2")
        .set("SLUICE_TRUSTED_PROXIES", "192.0.2.1")
        .start();
    // This machine isn't trusted: whatever it says, all its requests are its own.
    let told = |number: u8| ask_from(&server, &format!("203.0.113.{number}")).status;
    let statuses: Vec<u16> = (0..9).map(told).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn a_project_has_a_bucket_too() {
    let server = Setup::embedded().set("SLUICE_RATE_LIMITS", "token=1:2").start();
    let told = |number: u8| ask_from(&server, &format!("203.0.113.{number}")).status;
    let statuses: Vec<u16> = (0..9).map(told).collect();
    assert!(statuses[..2].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// A server that starts anew again and again loads everything each time; one that polls says what
/// it has, and has a bucket for that.
#[test]
fn polls_of_definitions_have_buckets_of_their_own() {
    let limits = "definitions=1:2,changes=1:3,remote_config=1:1";
    let server = Setup::embedded().set("SLUICE_RATE_LIMITS", limits).start();
    let secret = format!("Bearer {SECRET}");
    let get = |path: &str, more: Option<(&str, &str)>| {
        let headers: Vec<_> =
            [("authorization", secret.as_str())].into_iter().chain(more).collect();
        server.client.try_get_with(path, &headers).expect("an answer")
    };
    let all = format!("/flags/definitions?token={TOKEN}");
    let first = get(&all, None);
    let tag =
        first.headers.get("etag").and_then(|tag| tag.to_str().ok()).expect("a tag").to_owned();
    let polls: Vec<u16> = (0..9).map(|_| get(&all, Some(("if-none-match", &tag))).status).collect();
    assert_eq!(polls[..3], [304, 304, 304]);
    assert!(polls.contains(&429), "{polls:?}");
    let loads: Vec<u16> = (0..9).map(|_| get(&all, None).status).collect();
    assert_eq!((first.status, loads[0]), (200, 200), "polls took nothing of it");
    assert!(loads.contains(&429), "{loads:?}");
    let config = "/api/projects/@current/feature_flags/none/remote_config";
    let configs: Vec<u16> = (0..9).map(|_| get(config, None).status).collect();
    assert_eq!(configs[0], 404);
    assert!(configs.contains(&429), "{configs:?}");
    assert_eq!(ask_from(&server, "203.0.113.7").status, 200, "nothing is said of flags");
}

/// Says this to the node, and hears what it answers until it hangs up.
fn say(server: &Server, said: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(said.as_bytes()).expect("it is sent");
    hear(&mut stream)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    stream
}

fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).expect("it hangs up");
    String::from_utf8_lossy(&heard).into_owned()
}

/// A request for flags up to its body, which has so many bytes.
fn head(length: usize) -> String {
    format!(
        "POST /flags/?v=2 HTTP/1.1\r\nhost: sluice\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[test]
fn who_never_ends_a_request_is_let_go() {
    let server = Setup::embedded().set("SLUICE_REQUEST_TIMEOUT_MS", "300").start();
    assert_eq!(say(&server, "POST /flags/?v=2 HTTP/1.1\r\nhost: slu"), "");
    assert!(say(&server, &head(100)).starts_with("HTTP/1.1 408"), "a body that never comes");
    let (name, value) = ("x-a", "b".repeat(20));
    let many =
        format!("GET /health/live HTTP/1.1\r\n{}\r\n", format!("{name}: {value}\r\n").repeat(200));
    assert!(say(&server, &many).starts_with("HTTP/1.1 431"), "200 headers");
    let long = format!("GET /health/live HTTP/1.1\r\nx-a: {}\r\n\r\n", "b".repeat(200_000));
    let heard = say_past_refusal(&server, &long);
    assert!(heard.starts_with("HTTP/1.1 431"), "a header of 200 KB: {heard}");
    assert!(server.is_ready());
}

/// Says this to a node that may hang up before it has heard everything.
fn say_past_refusal(server: &Server, said: &str) -> String {
    let mut stream = connect(server);
    let _ = stream.write_all(said.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn a_request_under_way_is_answered_when_the_node_stops() {
    let mut server = Setup::embedded().start();
    let body = json!({ "token": TOKEN, "distinct_id": "ann" }).to_string();
    let mut stream = connect(&server);
    stream.write_all(head(body.len()).as_bytes()).expect("it is sent");
    stream.write_all(&body.as_bytes()[..10]).expect("it is sent");
    // The node has the request: another on a new connection was answered after it.
    assert!(server.is_ready());
    let port = server.port();
    let (heard, ended) = std::thread::scope(|scope| {
        let under_way = scope.spawn(move || {
            eventually("nobody new is let in", Duration::from_secs(20), || {
                TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
            });
            stream.write_all(&body.as_bytes()[10..]).expect("it is sent");
            hear(&mut stream)
        });
        let ended = server.stop();
        (under_way.join().expect("no panic"), ended)
    });
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    assert!(ended.success());
}
