//! Positions: whoever captured an event may ask for an answer that has seen it.

use serde_json::{Value, json};

use crate::memory::FOLD_MS;
use crate::shop::{Answer, NOON_MS, Shop, TOKEN};

const PATHS: [&str; 2] = ["/flags?v=2", "/flags/?v=1"];

/// Asks for all flags of `ann`, with these headers.
fn ask(shop: &Shop, path: &str, headers: &[(&str, &str)]) -> Answer {
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    shop.post_with(path, headers, asked.to_string().into_bytes())
}

/// Captures three adds of `ann`, and returns the position that the answer tells.
fn capture(shop: &Shop) -> String {
    let event = json!({ "event": "added to cart", "distinct_id": "ann" });
    let batch = json!({ "api_key": TOKEN, "batch": [event, event, event] });
    let answer = shop.post("/batch/", &batch);
    answer.header("sluice-position").expect("a position").to_owned()
}

#[test]
fn a_check_waits_for_what_was_captured() {
    for path in PATHS {
        let shop = Shop::open();
        shop.state().folds_late = true;
        let position = capture(&shop);
        assert_eq!(position, "0:3");
        let old = ask(&shop, path, &[]);
        assert_eq!(old.header("sluice-position"), Some("0:0,2:7"));
        assert_eq!(old.json()["errorsWhileComputingFlags"], false, "nobody asked for more");

        let headers = [("sluice-position", position.as_str()), ("sluice-wait-ms", "5000")];
        let new = ask(&shop, path, &headers);
        assert_eq!(new.header("sluice-position"), Some("0:3,2:7"));
        let new = new.json();
        let on = [&new["flags"]["offer"]["enabled"], &new["featureFlags"]["offer"]];
        assert!(on.contains(&&json!(true)), "{new}");
        assert_eq!(new["evaluatedAt"], NOON_MS + FOLD_MS, "it is for the end of the wait");
        // State that is there already is answered at once.
        let again = ask(&shop, path, &headers).json();
        assert_eq!(again["evaluatedAt"], NOON_MS + FOLD_MS);
    }
}

#[test]
fn what_was_not_reached_in_time_is_unknown_and_not_old() {
    for (wait_ms, waited_ms) in [(None, 100), (Some("199"), 199), (Some("0"), 0)] {
        let shop = Shop::open();
        shop.state().folds_late = true;
        let position = capture(&shop);
        let mut headers = vec![("sluice-position", position.as_str())];
        headers.extend(wait_ms.map(|ms| ("sluice-wait-ms", ms)));
        let answer = ask(&shop, PATHS[0], &headers);
        assert_eq!(answer.header("sluice-position"), Some("0:0,2:7"), "how far it is");
        let answer = answer.json();
        assert_eq!(answer["evaluatedAt"], NOON_MS + waited_ms);
        assert_eq!(answer["errorsWhileComputingFlags"], true);
        for key in ["offer", "pro"] {
            let flag = &answer["flags"][key];
            assert_eq!((&flag["enabled"], &flag["failed"]), (&json!(false), &json!(true)));
            assert_eq!(flag["reason"]["code"], "position_not_reached");
            assert!(flag["reason"]["description"].is_string());
        }
        assert_eq!(answer["flags"]["everybody"]["enabled"], true, "it needs no state");
        // The old SDKs' shape has no place for failures: they are off, and the answer says so.
        let legacy = ask(&shop, PATHS[1], &headers).json();
        assert_eq!(legacy["featureFlags"]["offer"], false);
        assert_eq!(legacy["errorsWhileComputingFlags"], true);
    }
}

#[test]
fn flags_that_need_no_state_do_not_wait() {
    let shop = Shop::open();
    let asked = json!({ "token": TOKEN, "distinct_id": "ann", "flag_keys": ["everybody"] });
    let headers = [("sluice-position", "0:99")];
    let answer = shop.post_with(PATHS[0], &headers, asked.to_string().into_bytes());
    assert_eq!(answer.header("sluice-position"), None, "none was asked");
    let answer = answer.json();
    assert_eq!(answer["flags"]["everybody"]["enabled"], true);
    assert_eq!(answer["evaluatedAt"], NOON_MS);
}

#[test]
fn every_partition_asked_for_counts() {
    let shop = Shop::open();
    for (position, reached) in [
        ("2:7", true),
        ("0:0,2:6", true),
        ("2:7, 0:0", true),
        ("2:8", false),
        ("0:0,2:8", false),
        ("2:8,2:7", false),
        ("2:7,2:8", false),
        ("1:0", false),
        ("2147483647:9223372036854775807", false),
    ] {
        let answer = ask(&shop, PATHS[0], &[("sluice-position", position)]).json();
        assert_eq!(answer["errorsWhileComputingFlags"], !reached, "{position}");
    }
    // Two lines of one header are one list.
    let lines = [("sluice-position", "2:7"), ("sluice-position", "0:1")];
    let answer = ask(&shop, PATHS[0], &lines).json();
    assert_eq!(answer["errorsWhileComputingFlags"], true);
}

#[test]
fn headers_that_are_not_understood_are_refused() {
    let shop = Shop::open();
    for path in PATHS {
        for position in [
            "",
            ",",
            "0",
            "0:",
            ":1",
            "0:1,",
            "0:1,,2:7",
            "0:x",
            "0:-1",
            "+0:1",
            "0:+1",
            "0:1.5",
            "0:1:2",
            "0 :1",
            "0:1;2:7",
            "2147483648:1",
            "0:9223372036854775808",
            "undefined",
            "0:\u{e9}",
        ] {
            let answer = ask(&shop, path, &[("sluice-position", position)]);
            assert_eq!(answer.status, 400, "{position:?}");
            let text = answer.text();
            assert!(text.contains("Sluice-Position") && text.contains("0:42,3:7"), "{text}");
        }
        for wait in ["", "5001", "-1", "+5", "1.5", "100ms", "99999999999999999999"] {
            let position = ("sluice-position", "2:7");
            for headers in [&[position, ("sluice-wait-ms", wait)][..], &[("sluice-wait-ms", wait)]]
            {
                let answer = ask(&shop, path, headers);
                assert_eq!(answer.status, 400, "{wait:?}");
                let text = answer.text();
                assert!(text.contains("Sluice-Wait-Ms") && text.contains("5000"), "{text}");
            }
        }
        let most = [("sluice-position", "2:7"), ("sluice-wait-ms", "5000")];
        assert_eq!(ask(&shop, path, &most).status, 200);
    }
    let long = ask(&shop, PATHS[0], &[("sluice-position", &"9".repeat(5_000))]);
    assert!(long.status == 400 && long.body.len() < 300, "{}", long.text());
    assert_eq!(shop.state().lookups, PATHS.len(), "nothing was looked up for the others");
}

#[test]
fn failures_are_counted_by_reason() {
    let shop = Shop::open();
    ask(&shop, PATHS[0], &[("sluice-position", "0:1"), ("sluice-wait-ms", "0")]);
    let counted = shop.ask(axum::http::Method::GET, "/metrics").text();
    let line = r#"sluice_flag_failures_total{reason="position_not_reached"} 2"#;
    assert!(counted.contains(line), "{counted}");
}

#[test]
fn a_position_outlives_the_answer_it_came_with() {
    let shop = Shop::open();
    let position = capture(&shop);
    let first = ask(&shop, PATHS[0], &[("sluice-position", &position)]);
    let read_at = first.header("sluice-position").expect("a position").to_owned();
    let second: Value = ask(&shop, PATHS[0], &[("sluice-position", &read_at)]).json();
    assert_eq!(second["flags"]["offer"]["enabled"], true);
}

#[test]
fn what_was_saved_while_a_check_waited_counts() {
    let shop = Shop::open();
    let everybody = "rules:\n  - rollout: 0%\n";
    let later = "rules:\n  - when: { person: { plan: pro } }\n";
    let saved = [("shop/flags/everybody.yaml", everybody), ("shop/flags/later.yaml", later)];
    shop.state().saved = Some(Shop::compiled(&saved));
    let answer = ask(&shop, PATHS[0], &[("sluice-position", "0:1")]).json();
    let flags = answer["flags"].as_object().expect("flags");
    assert_eq!(flags.keys().collect::<Vec<_>>(), ["everybody", "later"]);
    assert_eq!(flags["everybody"]["enabled"], false);
    assert_eq!(flags["later"]["reason"]["code"], "position_not_reached");
}
