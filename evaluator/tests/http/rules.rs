//! PostHog's flags of version 2 (`posthog.md` 3.7), in records with typed values and in those
//! without.
//!
//! Where somebody falls was calculated apart, by Python:
//! `int(sha1(b"spring-sale.ann").hexdigest()[:15], 16) / 2**60` and so on.
//! Of the seed `spring-sale` ann is at 0.046 and of its variants at 0.617, ben at 0.130 and
//! 0.170, cleo at 0.824 and 0.470, acme at 0.248, globex at 0.717; of the holdout's `held-` ann,
//! ben and cleo are at 0.085, 0.093 and 0.987.

use serde_json::{Value, json};

use crate::posthog::person;
use crate::shop::{Shop, TOKEN};

pub const ID: &str = "10000000-0000-4000-8000-00000000000";

pub fn body(flags: &[(&str, Value)]) -> String {
    let flags = flags.iter().zip(1..).map(|((key, filters), id)| {
        json!({ "id": id, "key": key, "active": true, "version": 4, "name": "Spring",
            "filters": filters })
    });
    let group_types = json!({ "0": "company" });
    let flags: Vec<Value> = flags.collect();
    json!({ "flags": flags, "cohorts": {}, "group_type_mapping": group_types }).to_string()
}

pub fn shop(flags: &[(&str, Value)]) -> Shop {
    Shop::typed(&[("shop/posthog.json", &body(flags))])
}

/// A flag of rules, whose ids end in 0, 1 and so on.
pub fn rules(return_type: &str, default: Value, mut rules: Vec<Value>) -> Value {
    for (rule, number) in rules.iter_mut().zip(0..) {
        rule["id"] = json!(format!("{ID}{number}"));
    }
    json!({ "version": 2, "return_type": return_type, "default_value": default, "rules": rules })
}

pub fn targeted(properties: Value, value: Value) -> Value {
    json!({ "rule_type": "targeted_release", "targeting": { "properties": properties },
        "value": value })
}

pub fn rollout(percent: f64, on_miss: &str, value: Value) -> Value {
    let mut rule = targeted(json!([]), value);
    rule["rule_type"] = json!("percentage_rollout");
    assigned(rule, percent, on_miss)
}

fn assigned(mut rule: Value, percent: f64, on_miss: &str) -> Value {
    let more = json!({ "rollout_percentage": percent, "on_rollout_miss": on_miss,
        "assignment_algorithm": "sha1_60_v1", "seed": "spring-sale" });
    rule.as_object_mut().expect("a rule").extend(more.as_object().expect("more").clone());
    rule
}

pub fn experiment(percent: f64, more: Value) -> Value {
    let mut rule = json!({ "rule_type": "experiment", "targeting": { "properties": [] },
        "experiment_id": 5, "paused": false, "variants": [
            { "key": "small", "weight": 50, "value": 10 },
            { "key": "large", "weight": 50, "value": 20 },
        ] });
    rule.as_object_mut().expect("a rule").extend(more.as_object().expect("more").clone());
    assigned(rule, percent, "continue")
}

pub fn ask(shop: &Shop, path: &str, who: &str, more: &Value) -> Value {
    let mut asked = json!({ "token": TOKEN, "distinct_id": who });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("more").clone());
    shop.post(path, &asked).json()
}

/// The typed record of the flag `f`.
pub fn typed(shop: &Shop, who: &str, more: &Value) -> Value {
    ask(shop, "/flags/?v=4", who, more)["flags"]["f"].clone()
}

/// Value, reason, and number of the rule.
fn told(filters: &Value, who: &str) -> (Value, String, Option<u64>) {
    let record = typed(&shop(&[("f", filters.clone())]), who, &json!({}));
    let code = record["reason"]["code"].as_str().expect("text").to_owned();
    (record["value"].clone(), code, record["reason"]["condition_index"].as_u64())
}

#[test]
fn the_first_rule_that_says_something_decides() {
    let pro = || json!([person("distinct_id", "ben")]);
    let none = || json!([person("distinct_id", "x")]);
    let off = json!(false);
    let rows = [
        (vec![targeted(pro(), json!(true))], "ben", json!(true), "targeting_match", Some(0)),
        (vec![targeted(pro(), json!(true))], "ann", json!(false), "no_rule_match", None),
        // A rule may give what isn't on.
        (
            vec![targeted(pro(), json!(false)), targeted(json!([]), json!(true))],
            "ben",
            json!(false),
            "targeting_match",
            Some(0),
        ),
        (vec![rollout(4.6, "continue", json!(true))], "ann", off.clone(), "no_rule_match", None),
        (
            vec![rollout(4.7, "continue", json!(true))],
            "ann",
            json!(true),
            "targeting_match",
            Some(0),
        ),
        (
            vec![targeted(none(), json!(true)), rollout(12.0, "return_default", json!(true))],
            "ben",
            off.clone(),
            "rollout_miss",
            Some(1),
        ),
        (
            vec![rollout(12.0, "return_default", json!(true)), targeted(json!([]), json!(true))],
            "ben",
            off.clone(),
            "rollout_miss",
            Some(0),
        ),
        (
            vec![rollout(12.0, "continue", json!(true)), targeted(json!([]), json!(true))],
            "ben",
            json!(true),
            "targeting_match",
            Some(1),
        ),
        // Nobody's id has no share, not even in all; whoever is targeted needs none.
        (vec![rollout(100.0, "continue", json!(true))], "", off.clone(), "no_rule_match", None),
        (vec![targeted(json!([]), json!(true))], "", json!(true), "targeting_match", Some(0)),
    ];
    for (all, who, value, code, index) in rows {
        let filters = rules("boolean", off.clone(), all);
        assert_eq!(told(&filters, who), (value, code.to_owned(), index), "{who}: {filters}");
    }
    let negated = json!([{ "key": "distinct_id", "value": "ben", "negation": true }]);
    let filters = rules("boolean", json!(null), vec![targeted(negated, json!(true))]);
    assert_eq!(told(&filters, "ann").0, true);
    assert_eq!(told(&filters, "ben"), (json!(null), "no_rule_match".to_owned(), None));
}

#[test]
fn an_experiment_deals_out_typed_values() {
    let holdout = json!({ "holdout": { "id": 9, "seed": "held-", "exclusion_percentage": 9 } });
    let unlinked = json!({ "experiment_id": null });
    let rows = [
        (experiment(100.0, json!({})), "ann", json!(20), "experiment_split", Some("large")),
        (experiment(100.0, json!({})), "ben", json!(10), "experiment_split", Some("small")),
        (experiment(100.0, unlinked), "ben", json!(10), "targeting_match", None),
        (experiment(80.0, json!({})), "cleo", json!(1), "no_rule_match", None),
        (experiment(100.0, json!({ "paused": true })), "ann", json!(1), "experiment_paused", None),
        (experiment(100.0, holdout.clone()), "ann", json!(1), "holdout", None),
        (experiment(100.0, holdout), "ben", json!(10), "experiment_split", Some("small")),
    ];
    for (rule, who, value, code, arm) in rows {
        let filters = rules("number", json!(1), vec![rule]);
        let record = typed(&shop(&[("f", filters.clone())]), who, &json!({}));
        assert_eq!((&record["value"], &record["reason"]["code"]), (&value, &json!(code)));
        assert_eq!(record["metadata"].get("variant_key"), arm.map(Value::from).as_ref(), "{code}");
        let is_ruled = code != "no_rule_match";
        assert_eq!(record["metadata"].get("rule_type").is_some(), is_ruled, "{record}");
    }
}

#[test]
fn a_flag_of_companies_needs_a_company() {
    let mut filters =
        rules("string", json!("default"), vec![rollout(30.0, "continue", json!("in"))]);
    filters["aggregation_group_type_index"] = json!(0);
    let shop = shop(&[("f", filters)]);
    let record = typed(&shop, "ann", &json!({}));
    assert_eq!(record["reason"]["code"], "missing_group_key");
    assert_eq!((&record["value"], record.get("failed")), (&json!(null), None));
    let of = |company: &str| {
        typed(&shop, "cleo", &json!({ "groups": { "company": company } }))["value"].clone()
    };
    assert_eq!((of("acme"), of("globex")), (json!("in"), json!("default")));
}

#[test]
fn flags_of_both_versions_depend_on_each_other() {
    let on = |key: &str, value: Value| {
        let operator = "flag_evaluates_to";
        json!([{ "type": "flag", "key": key, "operator": operator, "value": value }])
    };
    let text = rules("string", json!("none"), vec![rollout(12.0, "continue", json!("red"))]);
    let upon = |value: Value| json!({ "groups": [{ "properties": on("text", value) }] });
    let rule = |key: &str, value: Value| {
        rules("boolean", json!(false), vec![targeted(on(key, value), json!(true))])
    };
    let shop = shop(&[
        ("text", text),
        ("upon-red", upon(json!("red"))),
        ("upon-any", upon(json!(true))),
        ("rule-red", rule("text", json!("red"))),
        ("rule-off", rule("number", json!(false))),
        ("number", rules("number", json!(0), vec![])),
        ("lost", rule("nowhere", json!(true))),
        ("upon-lost", json!({ "groups": [{ "properties": on("lost", json!(false)) }] })),
    ]);
    let of = |who: &str| ask(&shop, "/flags/?v=4", who, &json!({}))["flags"].clone();
    let (ann, cleo) = (of("ann"), of("cleo"));
    let values = |flags: &Value| {
        let keys = ["upon-red", "upon-any", "rule-red", "rule-off"];
        keys.map(|key| flags[key]["value"] == true)
    };
    assert_eq!(values(&ann), [true, true, true, false]);
    // A default that is a text is on, and so is a number, even 0.
    assert_eq!(values(&cleo), [false, true, false, false]);
    // By rules nobody knows what it is; by conditions it is off.
    let lost = &ann["lost"];
    assert_eq!(
        (&lost["failed"], &lost["reason"]["code"]),
        (&json!(true), &json!("dependency_error"))
    );
    assert_eq!(ann["upon-lost"]["reason"]["code"], "missing_dependency");
}

#[test]
fn an_explanation_tells_rules_and_values() {
    let shop = shop(&[(
        "f",
        rules(
            "number",
            json!(1),
            vec![
                rollout(4.0, "return_default", json!(7)),
                experiment(
                    100.0,
                    json!({ "holdout": { "id": 1, "seed": "held-", "exclusion_percentage": 9 } }),
                ),
            ],
        ),
    )]);
    let told = shop.ask_privately("/api/explain?flag=f&distinct_id=ann").json();
    assert_eq!((&told["is"]["value"], &told["is"]["payload"]), (&json!(1), &json!(1)));
    let [first, second] = [0, 1].map(|at| &told["rules"][at]);
    assert_eq!(
        (&first["decided"], &first["value"], &first["on_miss"]),
        (&json!(true), &json!(7), &json!("default"))
    );
    assert_eq!(first["rollout"]["person_at_percent"], 4.611_133_625_433_404);
    assert_eq!(
        (&first["rule_type"], &first["id"]),
        (&json!("percentage_rollout"), &json!(format!("{ID}0")))
    );
    assert_eq!((&second["held_out_percent"], &second["decided"]), (&json!(9.0), &json!(false)));
    let arms = &second["variants"];
    assert_eq!(arms["person_at_percent"], 61.740_998_305_020_02);
    assert_eq!(arms["shares"][1], json!({ "key": "large", "percent": 50.0, "value": 20 }));
}
