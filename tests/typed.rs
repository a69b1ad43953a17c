//! Typed values through the binary: PostHog's rules and YAML, in records that posthog-python reads.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Server, Setup, check};
use crate::sdk::tour;
use crate::shop::TOKEN;
use crate::tools;

const DISCOUNT: &str = "seed: spring-sale
rules:
- { when: { person: { distinct_id: ann } }, value: 15 }
default: 0
";
const PLAIN: &str = "rules: [ { payload: { text: as ever } } ]\n";

fn rule(number: u8, rule_type: &str, more: Value) -> Value {
    let mut rule = json!({ "id": format!("10000000-0000-4000-8000-00000000000{number}"),
        "rule_type": rule_type, "targeting": { "properties": [] } });
    rule.as_object_mut().expect("a rule").extend(more.as_object().expect("more").clone());
    rule
}

fn flag(id: u8, key: &str, return_type: &str, rules: Vec<Value>) -> Value {
    json!({ "id": id, "key": key, "active": true, "version": 2, "filters": {
        "version": 2, "return_type": return_type, "default_value": null, "rules": rules } })
}

/// Ann is at 0.617 of the variants of `spring-sale`, calculated apart (see the evaluator's tests).
fn posthog() -> Value {
    let object = json!({ "columns": 2, "names": ["é"] });
    let split = json!({ "experiment_id": 5, "paused": false, "rollout_percentage": 100,
        "on_rollout_miss": "continue", "assignment_algorithm": "sha1_60_v1",
        "seed": "spring-sale", "variants": [
            { "key": "large", "weight": 61, "value": "wide" },
            { "key": "small", "weight": 39, "value": "compact" },
        ] });
    let release =
        |number, value: Value| rule(number, "targeted_release", json!({ "value": value }));
    json!({ "flags": [
        flag(1, "switch", "boolean", vec![release(1, json!(true))]),
        flag(2, "layout", "string", vec![rule(2, "experiment", split)]),
        flag(3, "limits", "object", vec![release(3, object)]),
        flag(4, "nothing", "number", vec![]),
        flag(5, "broken", "number", vec![release(5, json!("many"))]),
    ], "cohorts": {}, "group_type_mapping": {} })
}

fn typed_shop() -> Setup {
    Setup::embedded()
        .set("SLUICE_TYPED_RECORDS", "on")
        .define("posthog.json", &posthog().to_string())
        .define("flags/discount.yaml", DISCOUNT)
        .define("flags/plain.yaml", PLAIN)
}

#[test]
fn posthog_python_reads_typed_records() {
    let mut python = Command::new(tools::sdk_python());
    python.arg(tools::repository().join("tests/sdk/python_typed.py"));
    tour(&typed_shop().start(), python);
}

fn discount(server: &Server, version: u8) -> Value {
    let asked = json!({ "api_key": TOKEN, "distinct_id": "ann" });
    let path = format!("/flags/?v={version}");
    server.client.post(&path, &asked).json()["flags"]["discount"].clone()
}

/// The record changes with the setting, and only for those who ask for it.
#[test]
fn the_setting_decides_which_record_is_served() {
    let mut server = typed_shop().start();
    assert_eq!(discount(&server, 3)["value"], 15);
    let two = discount(&server, 2);
    assert_eq!((&two["enabled"], &two["metadata"]["payload"]), (&json!(true), &json!("15")));
    server.stop();
    server.set("SLUICE_TYPED_RECORDS", "off");
    server.restart();
    assert_eq!(discount(&server, 3), two);
}

#[test]
fn a_check_says_where_a_rule_is_wrong() {
    let server = typed_shop().launch();
    let (content, said) = check(&server.definitions());
    assert!(content, "a flag that fails alone stands in nobody's way: {said}");
    let wrong = "`filters.rules[0].value` of a flag of type `number` should be a number";
    assert!(said.contains("flag `broken`") && said.contains(wrong), "{said}");
    assert!(said.contains("(fix: ") && !said.contains("flag `layout`"), "{said}");
}
