//! Typed values, of PostHog's rules and of YAML: in every shape, where they aren't known, and for
//! SDKs that decide by themselves and know none.

use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::posthog::person;
use crate::rules::{ID, ask, body, experiment, rollout, rules, shop, targeted, typed};
use crate::shop::Shop;

/// The same answers in every shape; only the typed one knows of numbers.
#[test]
fn every_shape_tells_a_typed_value_in_its_way() {
    let object = json!({ "columns": 2, "name": "é" });
    let of = |kind: &str, value: Value| rules(kind, json!(null), vec![targeted(json!([]), value)]);
    let nobody = json!([person("distinct_id", "x")]);
    let flags = [
        ("a-on", of("boolean", json!(true)), json!(true)),
        ("b-off", of("boolean", json!(false)), json!(false)),
        ("c-text", of("string", json!("compact")), json!("compact")),
        ("d-number", of("number", json!(2.5)), json!(2.5)),
        ("e-object", of("object", object.clone()), object.clone()),
        ("f-none", rules("number", json!(null), vec![targeted(nobody, json!(1))]), json!(null)),
        (
            "g-one",
            json!({ "groups": [{ "properties": [] }], "payloads": { "true": "7" } }),
            json!(true),
        ),
        ("h-failed", of("number", json!("x")), json!(null)),
    ];
    let defined: Vec<_> = flags.iter().map(|(key, filters, _)| (*key, filters.clone())).collect();
    let shop = shop(&defined);
    for path in ["/flags/?v=3", "/flags/?v=4", "/flags?v=99"] {
        let answer = ask(&shop, path, "ann", &json!({}));
        assert_eq!(answer["errorsWhileComputingFlags"], true);
        for (key, _, value) in &flags {
            let record = &answer["flags"][key];
            assert_eq!(&record["value"], value, "{key}");
            assert_eq!(record.get("failed").is_some(), *key == "h-failed", "{record}");
            assert!(record.get("enabled").is_none() && record.get("variant").is_none());
            let version = if *key == "g-one" { 1 } else { 2 };
            assert_eq!(record["metadata"]["config_version"], version, "{record}");
        }
    }
    let first = ask(&shop, "/flags/?v=4", "ann", &json!({}))["flags"]["a-on"].clone();
    assert_eq!(
        first,
        json!({
            "key": "a-on", "value": true,
            "reason": { "code": "targeting_match", "condition_index": 0,
                "description": "Matched rule 1" },
            "metadata": { "id": 1, "version": 4, "description": "Spring", "payload": null,
                "has_experiment": false, "config_version": 2, "rule_type": "targeted_release",
                "rule_id": format!("{ID}0") },
        })
    );
    let two = ask(&shop, "/flags/?v=2", "ann", &json!({}))["flags"].clone();
    assert_eq!(two, ask(&shop, "/decide/?v=4&config=false", "ann", &json!({}))["flags"]);
    let record = |key: &str| {
        let record = &two[key];
        let payload = record["metadata"]["payload"].clone();
        (record["enabled"].clone(), record["variant"].clone(), payload)
    };
    let plain = |enabled: bool| (json!(enabled), json!(null), json!(null));
    assert_eq!((record("a-on"), record("b-off")), (plain(true), plain(false)));
    assert_eq!(record("c-text"), (json!(true), json!("compact"), json!(null)));
    assert_eq!(record("d-number"), (json!(true), json!(null), json!("2.5")));
    assert_eq!(record("e-object").2, r#"{"columns":2,"name":"é"}"#);
    assert_eq!((record("f-none"), record("h-failed")), (plain(false), plain(false)));
    assert_eq!(two["a-on"]["reason"]["code"], "condition_match");
    assert_eq!(two["f-none"]["reason"]["code"], "no_condition_match");
    assert!(two["a-on"]["metadata"].get("config_version").is_none());
    let legacy = ask(&shop, "/flags/?v=1", "ann", &json!({}));
    assert_eq!(
        legacy["featureFlags"],
        json!({ "a-on": true, "b-off": false, "c-text": "compact",
        "d-number": true, "e-object": true, "f-none": false, "g-one": true, "h-failed": false })
    );
    assert_eq!(legacy["featureFlagPayloads"]["d-number"], "2.5");
}

/// Whoever doesn't say so keeps the records that every SDK knows.
#[test]
fn typed_records_are_served_where_the_settings_say_so() {
    let filters = rules("number", json!(1), vec![]);
    let shop = Shop::with(&[("shop/posthog.json", &body(&[("f", filters)]))]);
    let record = |path: &str| ask(&shop, path, "ann", &json!({}))["flags"]["f"].clone();
    assert_eq!(record("/flags/?v=4"), record("/flags/?v=2"));
    assert_eq!(record("/flags/?v=4")["metadata"]["payload"], "1");
}

const ADDED: &str = "members: { did: added to cart, within: 5m }\n";

/// What isn't known fails a flag only if it could change it, the default among what it may be.
#[test]
fn an_open_rule_fails_a_flag_only_if_it_could_change_it_by_value() {
    let rows = [
        ("[{ when: { cohort: added }, value: 2 }]", "1", "catching_up"),
        ("[{ when: { cohort: added }, value: 2 }]", "2", "no_condition_match"),
        ("[{ when: { cohort: added }, value: 2, rollout: 4% }]", "1", "out_of_rollout_bound"),
        ("[{ when: { cohort: added }, value: 2, rollout: 5% }]", "1", "catching_up"),
        // If it matches it ends there, with the default.
        (
            "[{ when: { cohort: added }, value: 2, rollout: 4%, on miss: default }, { value: 3 }]",
            "1",
            "catching_up",
        ),
        (
            "[{ when: { cohort: added }, value: 2, rollout: 4%, on miss: default }, { value: 1 }]",
            "1",
            "condition_match",
        ),
        ("[{ when: { cohort: added }, value: 2 }, { value: 2 }]", "1", "condition_match"),
    ];
    for (rules, default, code) in rows {
        let flag = format!("seed: spring-sale\nrules: {rules}\ndefault: {default}\n");
        let files = [("shop/cohorts/added.yaml", ADDED), ("shop/flags/f.yaml", flag.as_str())];
        let shop = Shop::typed(&files);
        shop.state().unknown = Some(Unknown::CatchingUp);
        let record = typed(&shop, "ann", &json!({}));
        assert_eq!(record["reason"]["code"], code, "{flag}{record}");
        let failed = code == "catching_up";
        assert_eq!(record.get("failed").is_some(), failed, "{flag}{record}");
        assert_eq!(record["value"].is_null(), failed, "{flag}{record}");
    }
}

#[test]
fn a_flag_of_yaml_may_be_a_number() {
    let flag = r#"
seed: spring-sale
variants: { few: { share: 50%, value: 3 }, many: { share: 50%, value: 9 } }
rules:
  - when: { person: { distinct_id: [ann, ben] } }
    rollout: 5%
    on miss: default
    value: 20
  - {}
default: 1
"#;
    let shop = Shop::typed(&[("shop/flags/f.yaml", flag)]);
    for (who, value, arm, code) in [
        ("ann", json!(20), None, "condition_match"),
        ("ben", json!(1), None, "out_of_rollout_bound"),
        ("cleo", json!(3), Some("few"), "condition_match"),
        ("dora", json!(9), Some("many"), "condition_match"),
    ] {
        let record = typed(&shop, who, &json!({}));
        assert_eq!((&record["value"], &record["reason"]["code"]), (&value, &json!(code)), "{who}");
        assert_eq!(record["metadata"].get("variant_key"), arm.map(Value::from).as_ref(), "{who}");
        assert_eq!(record["metadata"]["config_version"], 1, "{who}");
    }
}

/// The release conditions that an SDK is told of a flag: `true` for one that asks.
fn told(files: &[(&str, &str)]) -> Vec<Value> {
    let shop = Shop::with(files);
    let told = shop.ask_privately("/flags/definitions?token=phc_shop").json();
    let groups = told["flags"][0]["filters"]["groups"].as_array().expect("groups").iter();
    let asks = json!({ "key": "id", "type": "cohort", "operator": "in", "value": i32::MAX });
    let told = groups.map(|group| match group["properties"].get(0) {
        Some(first) if *first == asks => json!(true),
        _ => group.clone(),
    });
    told.collect()
}

fn condition(properties: &Value, percent: u8, variant: Option<&str>) -> Value {
    json!({ "properties": properties, "rollout_percentage": percent, "variant": variant })
}

#[test]
fn an_sdk_is_told_what_it_would_decide_alike() {
    let plain = |percent, variant| condition(&json!([]), percent, variant);
    let (all, asks) = (plain(100, None), json!(true));
    let arms = "variants: { a: 50%, b: 50% }\n";
    let valued = "variants: { a: { share: 50%, value: x }, b: 50% }\n";
    for (flag, groups) in [
        ("rules: [ { value: true } ]".to_owned(), vec![all.clone()]),
        ("rules: [ { value: true, rollout: 5% } ]".to_owned(), vec![plain(5, None)]),
        ("rules: [ { value: false } ]".to_owned(), vec![asks.clone()]),
        ("rules: [ { value: red } ]".to_owned(), vec![asks.clone()]),
        ("rules: [ { value: 1 } ]".to_owned(), vec![asks.clone()]),
        // Whom no rule gives anything is asked for too.
        ("rules: [ {} ]\ndefault: true".to_owned(), vec![all.clone(), asks.clone()]),
        ("rules: [ {} ]\ndefault: false".to_owned(), vec![all.clone()]),
        ("seed: s\nrules: [ {}, { rollout: 5% } ]".to_owned(), vec![all.clone(), asks.clone()]),
        ("seed: f\nrules: [ { rollout: 5% } ]".to_owned(), vec![plain(5, None)]),
        (
            format!("seed: s\n{arms}rules: [ {{ variant: a }}, {{}} ]"),
            vec![plain(100, Some("a")), asks.clone()],
        ),
        (
            format!("{arms}rules: [ {{ rollout: 5%, variant: a }}, {{}} ]"),
            vec![plain(5, Some("a")), all.clone()],
        ),
        (
            format!("{valued}rules: [ {{ variant: a }}, {{ variant: b }}, {{}}, {{ value: b }} ]"),
            vec![asks.clone(), plain(100, Some("b")), asks.clone(), asks.clone()],
        ),
        (
            "rules: [ { rollout: 5%, on miss: default }, { on miss: default } ]".to_owned(),
            vec![asks.clone(), all.clone()],
        ),
    ] {
        assert_eq!(told(&[("shop/flags/f.yaml", &flag)]), groups, "{flag}");
    }
}

/// To an SDK a flag without release conditions is off.
#[test]
fn a_flag_of_rules_is_told_as_conditions() {
    let (asks, ben) = (json!(true), json!([person("distinct_id", "ben")]));
    let condition = |properties: &Value| condition(properties, 100, None);
    let boolean = |default: Value, all: Vec<Value>| rules("boolean", default, all);
    let one = |rule: Value| boolean(json!(false), vec![rule]);
    let ben_told = json!([{ "key": "distinct_id", "type": "person", "operator": "exact",
        "value": ["ben"] }]);
    for (filters, groups) in [
        (one(targeted(ben.clone(), json!(true))), vec![condition(&ben_told)]),
        (one(targeted(ben.clone(), json!(false))), vec![asks.clone()]),
        (one(rollout(100.0, "continue", json!(true))), vec![asks.clone()]),
        (
            rules("number", json!(1), vec![experiment(50.0, json!({}))]),
            vec![asks.clone(), asks.clone()],
        ),
        (boolean(json!(true), vec![]), vec![asks.clone()]),
        (boolean(json!(null), vec![]), vec![]),
        (json!({ "version": 2 }), vec![asks.clone()]),
        (json!({ "version": 3, "groups": [] }), vec![asks]),
    ] {
        let posthog = body(&[("f", filters.clone())]);
        let told = told(&[("shop/posthog.json", &posthog)]);
        assert_eq!(told, groups, "{filters}");
    }
}
