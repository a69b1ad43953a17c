//! PostHog's flags as its server decides them (`posthog.md` 4): groups, devices, holdouts,
//! enrolment. Where somebody falls was calculated apart: of flag `f` ann is at 0.573 and of its
//! variants at 0.016, acme at 0.496, dev-1 at 0.336 and 0.843.

use schemas::properties::{Kind, Register};
use schemas::record::Record;
use schemas::unknown::Unknown;
use schemas::window::Entry;
use serde_json::{Value, json};

use crate::shop::{NOON_MS, Shop, TOKEN};

/// A shop with these flags, which are given by key and `filters`.
pub fn shop(flags: &[(&str, Value)]) -> Shop {
    let flags = flags.iter().zip(1..).map(
        |((key, filters), id)| json!({ "id": id, "key": key, "active": true, "filters": filters }),
    );
    of_flags(flags.collect())
}

pub fn of_flags(flags: Vec<Value>) -> Shop {
    let group_types = json!({ "0": "company", "1": "project" });
    let body = json!({ "flags": flags, "cohorts": {}, "group_type_mapping": group_types });
    Shop::with(&[("shop/posthog.json", &body.to_string())])
}

/// What ann gets of every flag, with more in her request.
pub fn flags(shop: &Shop, more: Value) -> Value {
    let mut asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    shop.post("/flags/?v=2", &asked).json()["flags"].clone()
}

/// Value, reason and index of the flag `f` for ann.
fn told(shop: &Shop, more: Value) -> (Value, String, Value) {
    told_of(&flags(shop, more)["f"])
}

pub fn told_of(flag: &Value) -> (Value, String, Value) {
    let variant = &flag["variant"];
    let value = if variant.is_null() { flag["enabled"].clone() } else { variant.clone() };
    let reason = &flag["reason"];
    (value, reason["code"].as_str().expect("text").to_owned(), reason["condition_index"].clone())
}

pub fn is(value: impl Into<Value>, code: &str, index: Option<usize>) -> (Value, String, Value) {
    (value.into(), code.to_owned(), json!(index))
}

pub fn person(key: &str, value: impl Into<Value>) -> Value {
    json!({ "key": key, "type": "person", "value": value.into(), "operator": "exact" })
}

pub fn halves() -> Value {
    json!({ "variants": [
        { "key": "a", "rollout_percentage": 50 },
        { "key": "b", "rollout_percentage": 50 },
    ] })
}

#[test]
fn a_flag_of_companies_goes_by_the_company() {
    let plan = json!({ "key": "plan", "type": "group", "group_type_index": 0, "value": "pro" });
    let groups = json!([{ "properties": [plan], "rollout_percentage": 50 }]);
    let shop = shop(&[("f", json!({ "groups": groups, "aggregation_group_type_index": 0 }))]);
    assert_eq!(told(&shop, json!({})), is(false, "no_group_type", Some(0)));
    let acme = |plan: &str| {
        json!({ "groups": { "company": "acme" },
            "group_properties": { "company": { "plan": plan } } })
    };
    assert_eq!(told(&shop, acme("free")), is(false, "no_condition_match", Some(0)));
    // acme is at 49.6 %, ann at 57.3 %.
    assert_eq!(told(&shop, acme("pro")), is(true, "condition_match", Some(0)));
    let other_type = json!({ "groups": { "project": "acme" } });
    assert_eq!(told(&shop, other_type), is(false, "no_group_type", Some(0)));
}

#[test]
fn a_group_has_its_key_as_a_property_and_a_number_is_text() {
    let key = json!({ "key": "$group_key", "type": "group", "group_type_index": 0, "value": "7" });
    let filters = json!({ "groups": [{ "properties": [key] }], "aggregation_group_type_index": 0 });
    let shop = shop(&[("f", filters)]);
    for (group, expected) in [(json!("7"), true), (json!(7), true), (json!(8), false)] {
        let flags = flags(&shop, json!({ "groups": { "company": group } }));
        assert_eq!(flags["f"]["enabled"], expected, "{group}");
    }
}

#[test]
fn one_flag_may_ask_for_companies_and_people() {
    let of_company = json!({ "properties": [], "rollout_percentage": 49 });
    let of_people = json!({ "properties": [], "rollout_percentage": 58,
        "aggregation_group_type_index": null });
    let groups = json!([of_company, of_people]);
    let shop = shop(&[("f", json!({ "groups": groups, "aggregation_group_type_index": 0 }))]);
    assert_eq!(told(&shop, json!({})), is(true, "condition_match", Some(1)));
    let acme = json!({ "groups": { "company": "acme" } });
    assert_eq!(told(&shop, acme), is(true, "condition_match", Some(1)));
}

#[test]
fn nobody_has_a_group_of_a_type_that_is_not_there() {
    let filters = json!({ "groups": [{ "properties": [] }], "aggregation_group_type_index": 4 });
    let groups = json!({ "groups": { "company": "acme", "4": "acme" } });
    assert_eq!(told(&shop(&[("f", filters)]), groups), is(false, "no_group_type", Some(0)));
}

#[test]
fn who_enrolled_has_it_and_who_refused_has_not() {
    let filters = json!({ "feature_enrollment": true, "payloads": { "true": "\"hi\"" },
        "groups": [{ "properties": [], "rollout_percentage": 50 }] });
    let shop = shop(&[("f", filters)]);
    assert_eq!(told(&shop, json!({})), is(false, "out_of_rollout_bound", Some(0)));
    for (value, enrolled) in
        [(json!(true), true), (json!("true"), true), (json!(false), false), (json!("yes"), false)]
    {
        let said = json!({ "person_properties": { "$feature_enrollment/f": value } });
        assert_eq!(told(&shop, said.clone()), is(enrolled, "super_condition_value", Some(0)));
        let payload = &flags(&shop, said)["f"]["metadata"]["payload"];
        assert_eq!(*payload, if enrolled { json!("\"hi\"") } else { Value::Null });
    }
    shop.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!(flags(&shop, json!({}))["f"]["failed"], true);
}

#[test]
fn who_is_held_out_gets_the_holdout() {
    // ann is at 66.9 % of every holdout.
    for (percent, expected) in [
        (66.0, is("a", "condition_match", Some(0))),
        (67.0, is("holdout-7", "holdout_condition_value", None)),
        (100.0, is("holdout-7", "holdout_condition_value", None)),
    ] {
        let filters = json!({ "groups": [{ "properties": [] }], "multivariate": halves(),
            "holdout": { "id": 7, "exclusion_percentage": percent },
            "payloads": { "holdout-7": "1" } });
        let shop = shop(&[("f", filters)]);
        assert_eq!(told(&shop, json!({})), expected, "{percent}");
    }
}

#[test]
fn who_has_no_company_is_not_held_out_of_what_companies_get() {
    let filters = json!({ "groups": [{ "properties": [] }], "aggregation_group_type_index": 0,
        "holdout": { "id": 7, "exclusion_percentage": 100 } });
    let shop = shop(&[("f", filters)]);
    assert_eq!(told(&shop, json!({})), is(false, "no_group_type", Some(0)));
    let acme = json!({ "groups": { "company": "acme" } });
    assert_eq!(told(&shop, acme), is("holdout-7", "holdout_condition_value", None));
}

#[test]
fn a_miss_may_end_it() {
    let missed = json!({ "properties": [], "rollout_percentage": 57 });
    let groups = json!([{ "properties": [person("plan", "pro")] }, missed, { "properties": [] }]);
    let with =
        |early_exit: bool| shop(&[("f", json!({ "groups": groups, "early_exit": early_exit }))]);
    assert_eq!(told(&with(false), json!({})), is(true, "condition_match", Some(2)));
    assert_eq!(told(&with(true), json!({})), is(false, "out_of_rollout_bound", Some(1)));
    let pro = json!({ "person_properties": { "plan": "pro" } });
    assert_eq!(told(&with(true), pro), is(true, "condition_match", Some(0)));
    // Whether she is pro isn't known, and nothing after the miss is asked.
    let open = with(true);
    open.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!(flags(&open, json!({}))["f"]["failed"], true);
}

#[test]
fn devices_have_flags_too() {
    let flag = |filters: Value| {
        let flag = json!({ "id": 1, "key": "f", "active": true, "filters": filters,
            "bucketing_identifier": "device_id" });
        of_flags(vec![flag])
    };
    let half = json!({ "groups": [{ "properties": [], "rollout_percentage": 34 }],
        "multivariate": halves() });
    let device = json!({ "$device_id": "dev-1" });
    assert_eq!(told(&flag(half.clone()), device), is("b", "condition_match", Some(0)));
    let said = json!({ "person_properties": { "$device_id": "dev-1" } });
    assert_eq!(told(&flag(half.clone()), said), is("b", "condition_match", Some(0)));
    for nothing in [json!({}), json!({ "$device_id": "" }), json!({ "device_id": null })] {
        let told = told(&flag(half.clone()), nothing);
        assert_eq!(told, is(false, "out_of_rollout_bound", Some(0)));
    }
    // Whatever the device is, it is the same.
    let pinned = json!({ "groups": [{ "properties": [], "variant": "b" }],
        "multivariate": halves() });
    assert_eq!(told(&flag(pinned), json!({})), is("b", "condition_match", Some(0)));
    let plain = json!({ "groups": [{ "properties": [] }] });
    assert_eq!(told(&flag(plain), json!({})), is(true, "condition_match", Some(0)));
    // PostHog takes more than all for all.
    for all in [100, 150] {
        let share = json!([{ "properties": [], "rollout_percentage": all }]);
        let one = json!({ "groups": share, "multivariate": { "variants": [
            { "key": "a", "rollout_percentage": 0 },
            { "key": "b", "rollout_percentage": all },
        ] } });
        assert_eq!(told(&flag(one), json!({})), is("b", "condition_match", Some(0)), "{all}");
    }
    // Of half of them nobody knows whether it is one.
    let some = json!({ "groups": [{ "properties": [], "rollout_percentage": 50 }] });
    assert_eq!(told(&flag(some), json!({})), is(false, "out_of_rollout_bound", Some(0)));
}

/// That nobody has a group says less than that somebody doesn't match.
#[test]
fn the_reason_of_a_person_is_told_rather_than_that_of_a_group() {
    let group = json!({ "properties": [], "aggregation_group_type_index": 0 });
    let nobody = json!({ "properties": [person("distinct_id", "x")] });
    let told = |groups: [&Value; 2]| told(&shop(&[("f", json!({ "groups": groups }))]), json!({}));
    assert_eq!(told([&group, &nobody]), is(false, "no_condition_match", Some(1)));
    assert_eq!(told([&nobody, &group]), is(false, "no_condition_match", Some(0)));
    assert_eq!(told([&group, &group]), is(false, "no_group_type", Some(1)));
}

/// A group is read only where a flag asks what the request doesn't say.
#[test]
fn what_is_kept_of_a_company_decides_where_the_request_says_nothing() {
    let plan = json!({ "key": "plan", "type": "group", "group_type_index": 0, "value": "pro" });
    let filters =
        json!({ "groups": [{ "properties": [plan] }], "aggregation_group_type_index": 0 });
    let shop = shop(&[("f", filters)]);
    let mut record = Record::default();
    let stamp = Entry::new(NOON_MS, 1);
    let value = "\"pro\"".into();
    record.write(&Register { key: "plan".into(), kind: Kind::Set, stamp, value });
    shop.state().groups.insert(("company".to_owned(), "acme".to_owned()), record);
    let long = "x".repeat(401);
    for (groups, said, enabled, lookups) in [
        (json!({ "company": "acme", "project": "acme" }), json!({}), true, 1),
        (json!({ "company": "acme" }), json!({ "company": { "plan": "free" } }), false, 0),
        (json!({ "company": "other" }), json!({ "company": { "seats": 5 } }), false, 1),
        (json!({ "project": "acme" }), json!({}), false, 0),
        (json!({ "company": long }), json!({ "company": { "plan": "pro" } }), true, 0),
        (json!({}), json!({}), false, 0),
    ] {
        shop.state().lookups = 0;
        let more = json!({ "groups": groups, "group_properties": said });
        let flag = flags(&shop, more)["f"].clone();
        assert_eq!((&flag["enabled"], shop.state().lookups), (&json!(enabled), lookups), "{said}");
    }
    shop.state().unknown = Some(Unknown::Store);
    let acme = json!({ "groups": { "company": "acme" } });
    assert_eq!(told(&shop, acme), is(false, "store_unreadable", None));
}

#[test]
fn what_somebody_began_with_is_what_they_have_where_nothing_else_is_known() {
    let filters = json!({ "groups": [{ "properties": [person("$initial_utm_source", "news")] }] });
    let shop = shop(&[("f", filters)]);
    for (said, expected) in [
        (json!({ "utm_source": "news" }), true),
        (json!({ "utm_source": "news", "$initial_utm_source": "ads" }), false),
        (json!({ "utm_source": "ads" }), false),
        (json!({}), false),
    ] {
        let flags = flags(&shop, json!({ "person_properties": said }));
        assert_eq!(flags["f"]["enabled"], expected, "{said}");
    }
}

#[test]
fn who_logs_in_keeps_their_variant() {
    let filters = json!({ "groups": [{ "properties": [] }], "multivariate": halves() });
    let mut flag = json!({ "id": 1, "key": "f", "active": true, "filters": filters });
    let variant = |flag: &Value, more: Value| told(&of_flags(vec![flag.clone()]), more).0;
    // ann is at 0.016 of the variants, anon-1 at 0.762.
    let login = json!({ "$anon_distinct_id": "anon-1" });
    assert_eq!(variant(&flag, login.clone()), "a");
    flag["ensure_experience_continuity"] = json!(true);
    assert_eq!(variant(&flag, login), "b");
    assert_eq!(variant(&flag, json!({})), "a");
}

#[test]
fn servers_and_contexts_get_theirs() {
    let everybody = json!({ "groups": [{ "properties": [] }] });
    let flag = |id: i64, key: &str, more: Value| {
        let mut flag = json!({ "id": id, "key": key, "active": true, "filters": everybody });
        flag.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        flag
    };
    let shop = of_flags(vec![
        flag(1, "all", json!({ "evaluation_runtime": "all" })),
        flag(2, "client", json!({ "evaluation_runtime": "client" })),
        flag(3, "server", json!({ "evaluation_runtime": "server" })),
        flag(4, "web", json!({ "evaluation_contexts": ["web", "app"] })),
        flag(5, "docs", json!({ "evaluation_tags": ["docs"] })),
    ]);
    for (more, expected) in [
        (json!({}), vec!["all", "docs", "web"]),
        (json!({ "evaluation_runtime": "SERVER" }), vec!["all", "docs", "server", "web"]),
        (json!({ "evaluation_runtime": "client" }), vec!["all", "client", "docs", "web"]),
        (json!({ "evaluation_runtime": "toaster" }), vec!["all", "docs", "web"]),
        (json!({ "evaluation_contexts": ["app"] }), vec!["all", "web"]),
        (json!({ "evaluation_environments": ["x"] }), vec!["all"]),
        (json!({ "evaluation_contexts": [] }), vec!["all", "docs", "web"]),
    ] {
        let flags = flags(&shop, more.clone());
        let keys: Vec<&str> =
            flags.as_object().expect("flags").keys().map(String::as_str).collect();
        assert_eq!(keys, expected, "{more}");
    }
}
