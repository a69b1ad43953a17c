//! Keeping what a visitor was given, where the log or state can't be asked.

use schemas::append::AppendError;
use schemas::keeping::EVENT;
use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::{Shop, TOKEN};

/// Flags of two halves, by what else is said of them. Of the variants of `f` ann is at 0.016, of
/// those of `g` at 0.585, anon-1 at 0.762 and 0.840.
fn shop(flags: &[(&str, Value)]) -> Shop {
    let arm = |key: &str| json!({ "key": key, "rollout_percentage": 50 });
    let flags = flags.iter().zip(1..).map(|((key, more), id)| {
        let mut flag = json!({
            "id": id, "key": key, "active": true, "ensure_experience_continuity": true,
            "filters": {
                "groups": [{ "properties": [] }],
                "multivariate": { "variants": [arm("a"), arm("b")] },
            },
        });
        flag.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        flag
    });
    let body = json!({ "flags": flags.collect::<Vec<_>>() });
    Shop::with(&[("shop/posthog.json", &body.to_string())])
}

/// What ann gets of `f`, and whether something went wrong.
fn login(shop: &Shop, more: Value) -> (Value, bool) {
    let mut asked = json!({ "token": TOKEN, "distinct_id": "ann", "$anon_distinct_id": "anon-1" });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    let answer = shop.post("/flags/?v=2", &asked).json();
    let wrong = answer["errorsWhileComputingFlags"] == json!(true);
    (answer["flags"]["f"]["variant"].clone(), wrong)
}

#[test]
fn every_flag_that_keeps_its_value_remembers_whichever_is_asked_for() {
    let off = json!({ "active": false });
    let device = json!({ "bucketing_identifier": "device_id" });
    let forgetful = json!({ "ensure_experience_continuity": false });
    let flags = [("f", json!({})), ("g", json!({})), ("off", off), ("d", device), ("n", forgetful)];
    let shop = shop(&flags);
    assert_eq!(login(&shop, json!({ "flag_keys": ["n"] })), (Value::Null, false));
    let log = shop.log();
    assert_eq!(log.len(), 1);
    assert_eq!((&log[0]["event"], &log[0]["distinct_id"]), (&json!(EVENT), &json!("ann")));
    assert_eq!(log[0]["properties"], json!({ "identifier": "anon-1", "flags": ["f", "g"] }));
    for more in [json!({}), json!({ "$anon_distinct_id": "anon-2" }), json!({ "flag_keys": [] })] {
        login(&shop, more);
    }
    assert_eq!(shop.log().len(), 1, "they know");
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let answer = shop.post("/flags/?v=2", &asked);
    assert_eq!(answer.json()["flags"]["f"]["variant"], json!("b"));
}

#[test]
fn nothing_is_kept_where_nothing_has_to_be() {
    let shop = shop(&[("f", json!({ "ensure_experience_continuity": false }))]);
    assert_eq!(login(&shop, json!({})), (json!("a"), false));
    assert_eq!((shop.log().len(), shop.state().lookups), (0, 0));
    let shop = self::shop(&[("f", json!({}))]);
    for before in [json!("ann"), json!(""), Value::Null] {
        assert_eq!(login(&shop, json!({ "$anon_distinct_id": before })), (json!("a"), false));
    }
    assert_eq!(shop.log().len(), 0);
}

/// posthog-js says who the visitor was only once, so whatever is answered is answered by that.
#[test]
fn a_log_that_is_out_of_reach_costs_nobody_their_variant_for_now() {
    let shop = shop(&[("f", json!({}))]);
    shop.state().refuses = Some(AppendError::Unavailable("gone".to_owned()));
    assert_eq!(login(&shop, json!({})), (json!("b"), true));
    shop.state().refuses = None;
    shop.state().folds_late = true;
    assert_eq!(login(&shop, json!({})), (json!("b"), false));
    assert_eq!(shop.log().len(), 1);
    let answer = shop.post("/flags/?v=2", &json!({ "token": TOKEN, "distinct_id": "ann" }));
    assert_eq!(answer.header("sluice-position"), Some("0:0,2:7"), "not read yet");
}

/// Whoever the visitor was, a switch that is on for all in the end is on.
#[test]
fn what_nobody_can_change_is_known_though_state_is_not() {
    let switch = |last: f64, early_exit: bool| {
        let group = |percent: f64| json!({ "properties": [], "rollout_percentage": percent });
        let filters = json!({ "groups": [group(50.0), group(last)], "early_exit": early_exit });
        let shop = shop(&[("f", json!({ "filters": filters }))]);
        shop.state().unknown = Some(Unknown::Store);
        shop.flag("ann", "f")
    };
    let on = switch(100.0, false);
    assert_eq!((&on["enabled"], on.get("failed")), (&json!(true), None), "{on}");
    for (last, early_exit) in [(60.0, false), (100.0, true)] {
        let open = switch(last, early_exit);
        assert_eq!((&open["enabled"], &open["failed"]), (&json!(false), &json!(true)), "{open}");
    }
}

/// What can't be read may be kept already; whatever comes twice, the earliest stays.
#[test]
fn what_is_unknown_is_kept_once_more_and_said_to_be() {
    let shop = shop(&[("f", json!({}))]);
    login(&shop, json!({}));
    shop.at(1_000);
    let before = std::mem::take(&mut shop.state().records);
    shop.state().unknown = Some(Unknown::Store);
    assert_eq!(login(&shop, json!({ "$anon_distinct_id": "anon-2" })), (Value::Null, true));
    assert_eq!(shop.log().len(), 2);
    shop.state().unknown = None;
    let now = std::mem::replace(&mut shop.state().records, before);
    let ann = shop.state().records.get_mut("ann").map(|record| record.merge(&now["ann"], |_| None));
    assert_eq!(ann, Some(()));
    assert_eq!(login(&shop, json!({ "$anon_distinct_id": "anon-2" })), (json!("b"), false));
    assert_eq!(shop.log().len(), 2);
}
