//! Refusals: each status has its cause, and none costs anything else.

use axum::http::Method;
use schemas::append::AppendError;
use serde_json::{Value, json};

use crate::shop::{Shop, TOKEN};

#[test]
fn a_token_that_opens_nothing_is_401_everywhere() {
    let shop = Shop::open();
    for (token, code) in [
        (json!("phc_other"), "authentication_failed"),
        (json!(""), "not_authenticated"),
        (json!(null), "not_authenticated"),
    ] {
        let event = json!({ "event": "e", "distinct_id": "ann" });
        let single = json!({ "api_key": token, "event": "e", "distinct_id": "ann" });
        // Whoever isn't known is told so first, whatever else is wrong.
        let asked = json!({ "token": token });
        for (path, body) in [
            ("/e/", single),
            ("/batch/", json!({ "api_key": token, "batch": [event] })),
            ("/flags/?v=2", asked),
        ] {
            let answer = shop.post(path, &body);
            assert_eq!(answer.status, 401, "{token} at {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(body["type"], "authentication_error");
            assert_eq!(body["code"], code, "{token} at {path}");
            assert_eq!(body["attr"], Value::Null);
        }
    }
    let personal = json!({ "api_key": "phx_1", "event": "e", "distinct_id": "ann" });
    assert_eq!(shop.post("/e/", &personal).status, 401);
    assert!(shop.log().is_empty());
}

#[test]
fn wrong_types_are_not_taken_for_absent() {
    let shop = Shop::open();
    for wrong in [
        json!({ "distinct_id": null }),
        json!({ "distinct_id": { "a": 1 } }),
        json!({ "distinct_id": true }),
        json!({ "person_properties": "pro" }),
        json!({ "flag_keys": "offer" }),
        json!({ "flag_keys": ["offer", 7] }),
        json!({ "disable_flags": "yes" }),
    ] {
        let mut asked = json!({ "token": TOKEN, "distinct_id": "ann" });
        let fields = wrong.as_object().expect("an object").clone();
        asked.as_object_mut().expect("an object").extend(fields);
        let answer = shop.post("/flags/?v=2", &asked);
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(!answer.body.is_empty(), "{wrong}");
    }
    // What no SDK is asked to send is left alone, and so is an empty distinct id.
    let fine = json!({ "token": TOKEN, "distinct_id": "", "device_id": null, "sent_at": [],
        "person_properties": null, "flag_keys": null, "disable_flags": null });
    assert_eq!(shop.post("/flags/?v=2", &fine).status, 200);
}

#[test]
fn bodies_have_a_bound() {
    let shop = Shop::open();
    for (path, bytes) in [("/flags/?v=2", 2 << 20), ("/batch/", 20 << 20), ("/e/", 50 << 20)] {
        let answer = shop.post_raw(path, vec![b'x'; bytes + 1]);
        assert_eq!(answer.status, 413, "{path}");
    }
    let many = format!(r#"{{"api_key":"{TOKEN}","batch":[1{}]}}"#, ",1".repeat(9_000_000));
    let answer = shop.post_raw("/batch/", many);
    assert_eq!(answer.status, 413, "{}", answer.text());
    let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann",
        "properties": { "a": "x".repeat(1_100_000) } });
    assert_eq!(shop.post("/e/", &event).status, 413);
    assert!(shop.log().is_empty());
}

#[test]
fn a_batch_that_says_nothing_is_refused() {
    let shop = Shop::open();
    let two = json!([
        { "event": "e", "distinct_id": "ann", "token": TOKEN },
        { "event": "e", "distinct_id": "ann", "token": "phc_other" },
    ]);
    for body in [
        json!({ "api_key": TOKEN, "batch": [] }),
        json!({ "api_key": TOKEN, "batch": {} }),
        json!({ "api_key": TOKEN, "batch": 7 }),
        two,
    ] {
        assert_eq!(shop.post("/batch/", &body).status, 400, "{body}");
    }
    assert_eq!(shop.post("/batch/", &json!([])).status, 401);
}

#[test]
fn a_log_that_does_not_take_events_is_503_and_checks_go_on() {
    let shop = Shop::open();
    let event = json!({ "api_key": TOKEN, "event": "e", "distinct_id": "ann" });
    for (error, status, outcome) in [
        (AppendError::Unavailable("no broker".to_owned()), 503, "unavailable"),
        (AppendError::Full, 503, "unavailable"),
        (AppendError::ReadOnly("events".to_owned()), 400, "invalid"),
        (AppendError::TooLarge { bytes: 9 }, 413, "too_large"),
    ] {
        shop.state().refuses = Some(error.clone());
        let answer = shop.post("/batch/", &event);
        assert_eq!((answer.status, answer.text()), (status, error.to_string()));
        assert_eq!(shop.flag("ann", "everybody")["enabled"], true);
        let counted = shop.ask(Method::GET, "/metrics").text();
        assert!(counted.contains(&format!(r#"{{outcome="{outcome}"}}"#)), "{counted}");
    }
    shop.state().refuses = None;
    assert_eq!(shop.post("/batch/", &event).status, 200);
}
