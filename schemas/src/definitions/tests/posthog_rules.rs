//! PostHog's flags of version 2: what rules compile to, and what fails one flag alone.

use serde_json::{Value, json};

use super::posthog::body;
use super::the_project;
use crate::definitions::Compiled;
use crate::flag::{ConfigVersion, Flag, Origin, Release, RuleType};
use crate::flag_value::FlagValue;

const ID: &str = "10000000-0000-4000-8000-000000000001";

fn compiled(filters: &Value) -> Compiled {
    let other = json!({ "id": 8, "key": "other", "filters": { "groups": [] } });
    let flag = json!({ "id": 7, "key": "f", "filters": filters, "tags": ["a"],
        "ensure_experience_continuity": true, "bucketing_identifier": "device_id" });
    body(json!({ "flags": [flag, other] }))
}

fn the_flag(compiled: &Compiled) -> &Flag {
    let [f, other] = the_project(compiled).flags.as_slice() else { panic!() };
    assert!(other.rules.is_ok(), "no other flag fails with it");
    f
}

fn targeted(value: Value) -> Value {
    json!({ "id": ID, "rule_type": "targeted_release", "targeting": { "properties": [] },
        "value": value })
}

fn rollout() -> Value {
    json!({ "id": ID, "rule_type": "percentage_rollout", "targeting": { "properties": [] },
        "value": true, "rollout_percentage": 25.5, "on_rollout_miss": "return_default",
        "assignment_algorithm": "sha1_60_v1", "seed": "spring-sale", "assign_by": "person" })
}

fn experiment() -> Value {
    json!({ "id": ID, "rule_type": "experiment", "targeting": { "properties": [] },
        "experiment_id": 3, "paused": false, "rollout_percentage": 80,
        "on_rollout_miss": "continue", "assignment_algorithm": "sha1_60_v1", "seed": "x",
        "variants": [
            { "key": "a", "weight": 33.33, "value": true },
            { "key": "b", "weight": 66.67, "value": false },
        ],
        "holdout": { "id": 4, "seed": "held-", "exclusion_percentage": 5 } })
}

/// A flag that is on or off, of one rule.
fn boolean(rule: Value) -> Value {
    json!({ "version": 2, "return_type": "boolean", "default_value": false, "rules": [rule] })
}

fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = base.pointer_mut(parent).expect("a parent").as_object_mut().expect("an object");
    match value {
        // Gone.
        Value::String(text) if text == "-" => drop(parent.remove(key)),
        value => drop(parent.insert(key.to_owned(), value)),
    }
    base
}

#[test]
fn rules_keep_what_posthog_says_of_them() {
    let mut second = rollout();
    second["id"] = json!(ID.replace('1', "2"));
    let mut third = experiment();
    third["id"] = json!(ID.replace('1', "3"));
    let filters = json!({ "version": 2.0, "return_type": "boolean", "default_value": null,
        "rules": [targeted(json!(false)), second, third], "unheard": { "of": 1.0 } });
    let compiled = compiled(&filters);
    assert_eq!(compiled.warnings, []);
    let flag = the_flag(&compiled);
    assert_eq!(flag.config_version, ConfigVersion::Two);
    // Rules hash the distinct id alone.
    assert!(!flag.keeps_value && flag.bucketing == crate::flag::Bucketing::DistinctId);
    assert_eq!(flag.raw.as_ref().expect("raw")["filters"]["unheard"]["of"], 1.0);
    let rules = flag.rules.as_ref().expect("rules");
    assert_eq!(rules.default, FlagValue::nothing());
    let [first, second, third] = [0, 1, 2].map(|at| &rules.rules[at].release);
    assert_eq!((first.value.clone(), first.rollout_percent), (Some(FlagValue::off()), 100.0));
    let rule_type = RuleType::TargetedRelease;
    let origin = Origin { id: ID.to_owned(), rule_type, is_linked: false };
    assert_eq!(first.origin, Some(origin));
    let Release { rollout_percent, ends_on_miss, .. } = second;
    assert_eq!((*rollout_percent, *ends_on_miss), (25.5, true));
    assert_eq!(rules.seed("f", second), "spring-sale");
    assert_eq!(rules.seed("f", first), "f");
    let arms: Vec<_> = rules.variants(third).iter().map(|arm| (&*arm.key, arm.percent)).collect();
    assert_eq!(arms, [("a", 33.33), ("b", 66.67)]);
    let holdout = third.holdout.as_ref().expect("a holdout");
    assert_eq!((holdout.seed.as_str(), holdout.percent), ("held-", 5.0));
    assert!(third.origin.as_ref().is_some_and(|origin| origin.is_linked) && !third.ends_on_miss);
}

/// An object with so many others and lists in it, each in the one before.
fn within(others: usize) -> Value {
    let wrap = |inner: Value, at| if at % 2 == 0 { json!([inner]) } else { json!({ "in": inner }) };
    json!({ "outermost": (1..others).fold(json!({}), wrap) })
}

/// As many of everything as the contract allows, and each share of hundredths.
#[test]
fn limits_may_be_reached() {
    let numbered = |at: usize, rule: Value| {
        with(rule, "/id", json!(format!("10000000-0000-4000-8000-{at:012}")))
    };
    let leaf = json!({ "key": "plan", "type": "person", "value": "pro" });
    let full = with(targeted(json!(true)), "/targeting/properties", json!(vec![leaf; 100]));
    let rules: Vec<Value> = (0..100).map(|at| numbered(at, full.clone())).collect();
    let arm = |at: usize| json!({ "key": format!("a{at}"), "weight": 5, "value": true });
    let arms: Vec<Value> = (0..20).map(arm).collect();
    let split = boolean(with(experiment(), "/variants", json!(arms)));
    for filters in [with(boolean(json!({})), "/rules", json!(rules)), split] {
        let compiled = compiled(&filters);
        let rules = &the_flag(&compiled).rules;
        assert!(rules.is_ok(), "{rules:?}");
    }
    for hundredths in 0..=10_000 {
        let written = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let share = serde_json::from_str(&written).expect("a number");
        let compiled = compiled(&boolean(with(rollout(), "/rollout_percentage", share)));
        assert!(the_flag(&compiled).rules.is_ok(), "{written}");
    }
}

#[test]
fn a_value_is_of_the_flags_type() {
    let of = |kind: &str, value: &Value| {
        json!({ "version": 2, "return_type": kind, "default_value": null,
            "rules": [targeted(value.clone())] })
    };
    let values = [
        ("boolean", json!(false)),
        ("string", json!("red")),
        ("number", json!(-1.5)),
        ("object", json!({ "a": [1, null] })),
    ];
    for kind in ["boolean", "string", "number", "object"] {
        for (of_kind, value) in &values {
            let compiled = compiled(&of(kind, value));
            let rules = &the_flag(&compiled).rules;
            assert_eq!(rules.is_ok(), kind == *of_kind, "{kind} {value}: {rules:?}");
        }
    }
    for (kind, value) in [
        ("string", json!("")),
        ("number", json!(9_007_199_254_740_993_u64)),
        ("object", json!([])),
        ("boolean", json!(null)),
        ("boolean", json!("true")),
        ("object", within(20)),
    ] {
        assert!(the_flag(&compiled(&of(kind, &value))).rules.is_err(), "{kind} {value}");
    }
    assert!(the_flag(&compiled(&of("object", &within(19)))).rules.is_ok());
    let default = |value| with(of("number", &json!(1)), "/default_value", value);
    assert!(the_flag(&compiled(&default(json!(0)))).rules.is_ok());
    assert!(the_flag(&compiled(&default(json!("0")))).rules.is_err());
}

/// What `sluice check` says: where it is, and what it should be.
#[test]
fn what_cannot_be_done_fails_the_flag_and_says_where() {
    let [plain, share, split] = [targeted(json!(true)), rollout(), experiment()].map(boolean);
    let (unreadable, unsupported) = ("flag_data_parsing_error", "not_supported");
    let many = |member: Value, members: usize| Value::Array(vec![member; members]);
    let rows = [
        (&plain, "/unheard", json!("x".repeat(512 << 10)), unreadable, "524288 at most"),
        (&plain, "/rules", many(targeted(json!(true)), 101), unreadable, "has 101 members"),
        (&plain, "/rules/0/targeting/properties", many(json!({}), 101), unreadable, "may have 100"),
        (&split, "/rules/0/variants", many(json!({}), 21), unreadable, "variants` has 21 members"),
        (&share, "/rules/0/rollout_percentage", json!(33.333), unreadable, "two decimals at most"),
        (&plain, "/version", json!(3), unsupported, "filters.version` should be 1 or 2 and is `3`"),
        (&plain, "/version", json!("2"), unsupported, "filters.version"),
        (&plain, "/version", json!(true), unsupported, "filters.version"),
        (&plain, "/return_type", json!("json"), unsupported, "filters.return_type"),
        (&plain, "/default_value", json!("-"), unreadable, "filters.default_value"),
        (&plain, "/rules", json!({}), unreadable, "filters.rules"),
        (&plain, "/groups", json!([]), unsupported, "filters.groups` is of version 1"),
        (&plain, "/holdout", json!(null), unsupported, "filters.holdout` is of version 1"),
        (&plain, "/rules/0/id", json!("1"), unreadable, "rules[0].id` should be a UUID"),
        (&plain, "/rules/0/rule_type", json!("variant_rollout"), unsupported, "rules[0].rule_type"),
        (&plain, "/rules/0/seed", json!("x"), unreadable, "`targeted_release` with a `seed`"),
        (&plain, "/rules/0/targeting", json!("-"), unreadable, "rules[0].targeting"),
        (&plain, "/rules/0/targeting/properties", json!("-"), unreadable, "targeting.properties"),
        (&plain, "/rules/0/value", json!(1), unreadable, "rules[0].value"),
        (&share, "/rules/0/assignment_algorithm", json!("md5"), unsupported, "sha1_60_v1"),
        (&share, "/rules/0/assign_by", json!("device"), unsupported, "assign_by"),
        (&share, "/rules/0/rollout_percentage", json!(100.01), unreadable, "from 0 to 100"),
        (&share, "/rules/0/rollout_percentage", json!("-"), unreadable, "rollout_percentage"),
        (&share, "/rules/0/on_rollout_miss", json!("stop"), unreadable, "on_rollout_miss"),
        (&share, "/rules/0/seed", json!(""), unreadable, "rules[0].seed"),
        (&share, "/rules/0/seed", json!("é".repeat(401)), unreadable, "1 to 400 characters"),
        (&share, "/aggregation_group_type_index", json!(0), unsupported, "assign_by"),
        (&split, "/rules/0/paused", json!("-"), unreadable, "rules[0].paused"),
        (&split, "/rules/0/variants", json!([]), unreadable, "add up to 0"),
        (&split, "/rules/0/variants/1/weight", json!(66), unreadable, "add up to 99.33"),
        (&split, "/rules/0/variants/1/key", json!("a"), unreadable, "key `a` twice"),
        (&split, "/rules/0/variants/0/value", json!("on"), unreadable, "variants[0].value"),
        (&split, "/rules/0/holdout/seed", json!("-"), unreadable, "rules[0].holdout"),
    ];
    for (base, pointer, value, code, said) in rows {
        let filters = with(base.clone(), pointer, value);
        let compiled = compiled(&filters);
        let fault = the_flag(&compiled).rules.as_ref().expect_err(said);
        assert_eq!(fault.code, code, "{fault:?}");
        assert!(fault.message.contains(said), "{said}: {}", fault.message);
        let [warning] = compiled.warnings.as_slice() else { panic!("{:?}", compiled.warnings) };
        let warning = warning.to_string();
        assert!(warning.contains(&fault.message) && warning.contains("(fix: "), "{warning}");
    }
    let mut twice = plain;
    twice["rules"] = json!([targeted(json!(true)), targeted(json!(false))]);
    assert!(the_flag(&compiled(&twice)).rules.is_err(), "two rules of one id");
}
