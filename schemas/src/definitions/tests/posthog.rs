//! PostHog's JSON: what it compiles to, and what fails one flag alone.

use serde_json::{Value, json};

use super::posthog_cohort::behavioural;
use super::{shop, the_project};
use crate::cohort::Condition;
use crate::definitions::{Compiled, Problem};
use crate::filter::PropertyMatching;
use crate::flag::{Rules, Variant};

/// A project of this body alone.
pub(super) fn body(body: Value) -> Compiled {
    shop(&[("posthog.json", &body.to_string())]).expect("valid JSON always loads")
}

fn flag(filters: Value) -> Value {
    json!({"id": 7, "key": "f", "name": "F", "active": true, "filters": filters})
}

#[test]
fn a_flag_keeps_what_posthog_says_of_it() {
    let filters = json!({
        "groups": [
            {"properties": [
                {"key": "id", "type": "cohort", "value": 1},
                {"key": "plan", "type": "person", "value": ["pro"], "operator": "exact"},
            ], "rollout_percentage": 12.5, "variant": "b"},
            {"properties": null, "rollout_percentage": null},
        ],
        "multivariate": {"variants": [
            {"key": "a", "rollout_percentage": 50}, {"key": "b", "rollout_percentage": 50},
        ]},
        "payloads": {"a": "{\"x\":1}", "b": {"y": 2}, "true": null},
    });
    let compiled = body(json!({
        "flags": [
            flag(filters),
            {"id": 8, "key": "off", "active": false, "filters": {"groups": []}},
            {"id": 9, "key": "gone", "deleted": true, "filters": {"groups": []}},
        ],
        "cohorts": {"1": {"type": "OR", "values": []}},
        "group_type_mapping": {"0": "company"},
    }));
    assert_eq!(compiled.warnings, []);
    let shop = the_project(&compiled);
    assert_eq!(shop.property_matching, PropertyMatching::V1);
    assert_eq!(shop.group_types["0"], "company");
    let [f, off] = shop.flags.as_slice() else { panic!() };
    assert!(f.active && !off.active && f.id == 7 && f.description.as_deref() == Some("F"));
    let Ok(Rules { rules, variants, payloads, .. }) = &f.rules else { panic!() };
    assert_eq!(variants[1], Variant { key: "b".to_owned(), percent: 50.0, value: None });
    assert_eq!((payloads["a"].as_str(), payloads["b"].as_str()), ("{\"x\":1}", "{\"y\":2}"));
    assert_eq!(payloads.len(), 2);
    assert_eq!((rules[0].release.rollout_percent, rules[1].release.rollout_percent), (12.5, 100.0));
    let Condition::All(when) = &rules[0].when else { panic!() };
    assert!(matches!(when.as_slice(), [Condition::Person(_), Condition::Cohort(0)]));
}

#[test]
fn a_flag_that_cannot_be_read_fails_alone() {
    let property = |operator| {
        json!({"groups": [{"properties": [
            {"key": "plan", "type": "person", "value": "pro", "operator": operator},
        ]}]})
    };
    let rows = [
        (property("resembles"), "flag_data_parsing_error"),
        (json!(null), "flag_data_parsing_error"),
        (json!({"groups": 3}), "flag_data_parsing_error"),
        (json!({"groups": [{"rollout_percentage": "all"}]}), "flag_data_parsing_error"),
        (json!({"version": 3, "rules": []}), "not_supported"),
        (json!({"groups": [], "holdout": {"id": 1}}), "flag_data_parsing_error"),
        (json!({"groups": [], "holdout_groups": [{"properties": []}]}), "not_supported"),
        (json!({"groups": [], "aggregation_group_type_index": "one"}), "flag_data_parsing_error"),
    ];
    for (filters, code) in rows {
        let mut other = flag(json!({"groups": [{"properties": []}]}));
        other["key"] = json!("other");
        let compiled = body(json!({"flags": [flag(filters.clone()), other]}));
        let [f, other] = the_project(&compiled).flags.as_slice() else { panic!() };
        assert_eq!(f.rules.as_ref().expect_err("a fault").code, code, "{filters}");
        assert!(other.rules.is_ok());
        assert_eq!(compiled.warnings.len(), 1);
    }
}

#[test]
fn yaml_and_posthog_stand_side_by_side() {
    let posthog = json!({
        "flags": [flag(json!({"groups": []}))],
        "cohorts": {"5": {"type": "AND", "values": [behavioural(json!({}))]}},
        "property_matching_version": 2,
    });
    let yaml = "rules: [ { when: { cohort: 5 } } ]";
    let files = [("posthog.json", posthog.to_string()), ("flags/y.yaml", yaml.to_owned())];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let compiled = shop(&files).expect("good definitions");
    let keys: Vec<_> = the_project(&compiled).flags.iter().map(|f| f.key.as_str()).collect();
    assert_eq!(keys, ["f", "y"]);
    assert_eq!(the_project(&compiled).property_matching, PropertyMatching::V2);

    let twice = shop(&[files[0], ("flags/f.yaml", "rules: []")]).expect_err("one key, two flags");
    let expected = "shop/posthog.json: flag `f` is defined in `shop/flags/f.yaml` too \
                    (fix: take one of them away)";
    assert_eq!(twice.iter().map(Problem::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn only_what_is_no_body_is_refused() {
    let rows = [
        (
            "{\"flags\": [\n  ],, }",
            "2:5: this isn't JSON: key must be a string \
             (fix: save the body of PostHog's `GET /flags/definitions` again)",
        ),
        (
            "{\"results\": []}",
            "1:1: this isn't the body of PostHog's `GET /flags/definitions`: it has no `flags` \
             (fix: save that body here, or move the file)",
        ),
    ];
    for (text, expected) in rows {
        let problems = shop(&[("p.json", text)]).expect_err("a problem");
        assert_eq!(problems[0].to_string(), format!("shop/p.json:{expected}"));
    }
    for odd in [json!({}), json!(7), json!({"key": ""}), json!({"key": "f", "filters": [1]})] {
        let compiled = body(json!({"flags": [odd], "cohorts": [], "group_type_mapping": null}));
        assert_eq!(compiled.warnings.len(), 1);
    }
}
