//! Checks: what is asked of `/flags`, and how it is answered.

use axum::http::Method;
use schemas::lookup::Coverage;
use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::{NOON_MS, Shop, TOKEN};

const MINUTE_MS: i64 = 60_000;

#[test]
fn three_adds_and_no_purchase_open_the_offer() {
    let shop = Shop::open();
    for after_ms in [0, 10, 20] {
        assert_eq!(shop.flag("ann", "offer")["enabled"], false);
        shop.did("ann", "added to cart", after_ms);
    }
    shop.at(30);
    let offer = shop.flag("ann", "offer");
    assert_eq!(offer["enabled"], true);
    assert_eq!(offer["metadata"]["payload"], r#"{"text":"Free"}"#);
    assert_eq!(shop.flag("ben", "offer")["enabled"], false);
    shop.did("ann", "purchase", 30);
    assert_eq!(shop.flag("ann", "offer")["enabled"], false);
}

#[test]
fn five_quiet_minutes_leave_at_the_millisecond() {
    let shop = Shop::open();
    for after_ms in [0, 10, 20] {
        shop.did("ann", "added to cart", after_ms);
    }
    shop.at(5 * MINUTE_MS - 1);
    assert_eq!(shop.flag("ann", "offer")["enabled"], true);
    shop.at(5 * MINUTE_MS);
    assert_eq!(shop.flag("ann", "offer")["enabled"], false);
}

#[test]
fn the_same_event_twice_counts_once() {
    let shop = Shop::open();
    for _ in 0..3 {
        let event = json!({ "event": "added to cart", "distinct_id": "ann", "uuid": "u-1" });
        let batch = json!({ "api_key": TOKEN, "batch": [event] });
        assert_eq!(shop.post("/batch", &batch).status, 200);
    }
    assert_eq!(shop.flag("ann", "offer")["enabled"], false);
}

#[test]
fn what_cannot_be_known_fails_and_says_why() {
    let shop = Shop::open();
    shop.state().unknown = Some(Unknown::CatchingUp);
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let answer = shop.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["errorsWhileComputingFlags"], true);
    for key in ["offer", "pro"] {
        let flag = &answer["flags"][key];
        assert_eq!((&flag["enabled"], &flag["failed"]), (&json!(false), &json!(true)));
        assert_eq!(flag["reason"]["code"], "catching_up");
        assert!(flag["reason"]["description"].is_string());
        assert_eq!(flag["metadata"]["payload"], Value::Null);
    }
    // One flag's failure leaves the others alone.
    assert_eq!(answer["flags"]["everybody"]["enabled"], true);
    assert_eq!(answer["flags"]["everybody"].get("failed"), None);
}

#[test]
fn a_log_that_was_cut_off_decides_what_was_seen() {
    let shop = Shop::open();
    let since = Coverage::Since(NOON_MS - 5 * MINUTE_MS + 1);
    shop.state().coverage.values_mut().for_each(|coverage| *coverage = since);
    let reason = |who: &str| shop.flag(who, "offer")["reason"]["code"].clone();
    assert_eq!(reason("ann"), "coverage_incomplete");
    // A purchase that was seen settles it; adds alone don't.
    (0..3).for_each(|after_ms| shop.did("ann", "added to cart", after_ms));
    assert_eq!(reason("ann"), "coverage_incomplete");
    shop.did("ben", "purchase", 0);
    assert_eq!(reason("ben"), "no_condition_match");
    // A millisecond later the windows are complete.
    shop.at(1);
    assert_eq!(reason("ann"), "condition_match");
    assert_eq!(reason("eve"), "no_condition_match");
}

#[test]
fn a_new_matcher_is_unknown_until_it_is_filled() {
    let shop = Shop::open();
    let filling = Coverage::Filling { percent: 40 };
    shop.state().coverage.values_mut().for_each(|coverage| *coverage = filling);
    assert_eq!(shop.flag("ann", "offer")["reason"]["code"], "condition_filling");
    shop.state().coverage.clear();
    assert_eq!(shop.flag("ann", "offer")["reason"]["code"], "condition_filling");
}

#[test]
fn a_record_has_posthogs_keys_and_no_others() {
    let shop = Shop::open();
    let offer = shop.flag("ann", "offer");
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&offer), ["enabled", "key", "metadata", "reason", "variant"]);
    let metadata = ["description", "has_experiment", "id", "payload", "version"];
    assert_eq!(keys(&offer["metadata"]), metadata);
    assert_eq!(
        offer["reason"],
        json!({
            "code": "no_condition_match",
            "condition_index": 0,
            "description": "No matching condition set",
        })
    );
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let request_id = "2f6bd6a3-7c7c-4d3c-9d9c-0b8a7a0e3c11";
    let answer = shop.post_with(
        "/flags?v=4",
        &[("x-request-id", request_id)],
        asked.to_string().into_bytes(),
    );
    assert_eq!(answer.header("sluice-position"), Some("0:0,2:7"));
    assert_eq!(answer.header("sluice-stale"), None);
    let answer = answer.json();
    assert_eq!(keys(&answer), ["errorsWhileComputingFlags", "evaluatedAt", "flags", "requestId"]);
    assert_eq!(answer["requestId"], request_id);
    assert_eq!(answer["evaluatedAt"], NOON_MS);
    assert_eq!(answer["flags"]["everybody"]["reason"]["description"], "Matched condition set 1");
}

#[test]
fn each_version_has_its_shape() {
    let shop = Shop::open();
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let (records, values, config) = ("flags", "featureFlags", "supportedCompression");
    for (query, there, absent) in [
        ("", vec![records, config], vec![values]),
        ("?v=2", vec![records], vec![values, config]),
        ("?v=2&config=true", vec![records, config], vec![values]),
        ("?v=2&config=", vec![records], vec![config]),
        ("?v=99", vec![records], vec![values, config]),
        ("?v=1", vec![values], vec![records, config]),
        ("?config=true", vec![values, config], vec![records]),
        ("?v=many", vec![values], vec![records]),
    ] {
        let answer = shop.post(&format!("/flags/{query}"), &asked).json();
        there.iter().for_each(|key| assert!(answer.get(key).is_some(), "{query} {key}"));
        absent.iter().for_each(|key| assert!(answer.get(key).is_none(), "{query} {key}"));
    }
    (0..3).for_each(|after_ms| shop.did("ann", "added to cart", after_ms));
    let legacy = shop.post("/flags/?v=1", &asked).json();
    let values = json!({ "everybody": true, "offer": true, "pro": false });
    assert_eq!(legacy["featureFlags"], values);
    assert_eq!(legacy["featureFlagPayloads"], json!({ "offer": r#"{"text":"Free"}"# }));
}

#[test]
fn only_what_is_asked_for_is_answered_and_looked_up() {
    let shop = Shop::open();
    let asked = |more: Value| {
        let mut asked = json!({ "api_key": TOKEN, "$distinct_id": 12.5 });
        let more = more.as_object().expect("an object").clone();
        asked.as_object_mut().expect("an object").extend(more);
        let flags = shop.post("/flags/?v=2", &asked).json()["flags"].clone();
        let keys = flags.as_object().expect("flags").keys().cloned();
        (keys.collect::<Vec<_>>(), std::mem::take(&mut shop.state().lookups))
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(asked(json!({})), (keys(&["everybody", "offer", "pro"]), 1));
    assert_eq!(asked(json!({ "disable_flags": true })), (vec![], 0));
    assert_eq!(asked(json!({ "flag_keys": ["everybody", "nothing"] })), (keys(&["everybody"]), 0));
    let named = json!({ "flag_keys_to_evaluate": ["pro"], "flag_keys": null });
    assert_eq!(asked(named), (keys(&["pro"]), 1));
    let given = json!({ "flag_keys": ["pro"], "person_properties": { "plan": "pro" } });
    assert_eq!(asked(given), (keys(&["pro"]), 0));
}

#[test]
fn the_request_knows_the_person_better_than_the_store() {
    let shop = Shop::open();
    let set = json!({ "api_key": TOKEN, "event": "$set", "distinct_id": "ann",
        "properties": { "$set": { "plan": "pro", "age": 7 } } });
    assert_eq!(shop.post("/e/", &set).status, 200);
    assert_eq!(shop.flag("ann", "pro")["enabled"], true);
    let asked = json!({ "token": TOKEN, "distinct_id": "ann",
        "person_properties": { "plan": "free" } });
    let answer = shop.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["flags"]["pro"]["enabled"], false);
    // What the request says is known even while the store isn't.
    shop.state().unknown = Some(Unknown::Store);
    let answer = shop.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["flags"]["pro"]["reason"]["code"], "no_condition_match");
}

#[test]
fn a_stale_answer_says_so() {
    let shop = Shop::open();
    shop.state().stale_ms = 1_500;
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let answer = shop.post("/flags/?v=2", &asked);
    assert_eq!((answer.status, answer.header("sluice-stale")), (200, Some("1500")));
}

#[test]
fn every_method_has_its_answer() {
    let shop = Shop::open();
    for path in ["/flags", "/flags/"] {
        let minimal = shop.ask(Method::GET, path).json();
        assert_eq!(minimal["flags"], json!({}));
        assert_eq!(minimal["sessionRecording"], false);
        let head = shop.ask(Method::HEAD, path);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-type"), Some("application/json"));
        for (method, status) in [(Method::OPTIONS, 204), (Method::PUT, 405), (Method::DELETE, 405)]
        {
            let answer = shop.ask(method, path);
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("allow"), Some("GET, POST, OPTIONS, HEAD"));
        }
    }
}

/// "Seven days ago" is asked anew by every request.
#[test]
fn a_trial_ends_by_the_clock_of_the_request() {
    let trial = "rules:\n  - when: { person: { signed_up: { after: 7d ago } } }\n";
    let shop = Shop::with(&[("shop/flags/trial.yaml", trial)]);
    let asked = json!({
        "token": TOKEN, "distinct_id": "ann",
        "person_properties": { "signed_up": NOON_MS / 1_000 },
    });
    let is_on = || shop.post("/flags/?v=2", &asked).json()["flags"]["trial"]["enabled"].clone();
    assert_eq!(is_on(), true);
    shop.at(7 * 24 * 60 * MINUTE_MS - 1);
    assert_eq!(is_on(), true);
    shop.at(7 * 24 * 60 * MINUTE_MS);
    assert_eq!(is_on(), false);
}
