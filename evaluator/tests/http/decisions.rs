//! Decisions: rules in order, rollouts, variants, and what stays open.

use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::shop::Shop;

const ADDED: &str = r#"
members: { did: added to cart, count: ">= 1", within: 5m }
"#;

/// What `user-17` gets of a flag while nothing behavioural can be known.
fn open_flag(key: &str, definition: &str) -> Value {
    let path = format!("shop/flags/{key}.yaml");
    let shop = Shop::with(&[("shop/cohorts/added.yaml", ADDED), (&path, definition)]);
    shop.state().unknown = Some(Unknown::CatchingUp);
    shop.flag("user-17", key)
}

#[test]
fn an_open_rule_fails_a_flag_only_if_it_could_change_it() {
    let open = "{ when: { cohort: added } }";
    let everybody = "{ rollout: 100% }";
    for (rules, code) in [
        (format!("[{open}]"), "catching_up"),
        // Whatever the first says, the flag is on.
        (format!("[{open}, {everybody}]"), "condition_match"),
        (format!("[{everybody}, {open}]"), "condition_match"),
        (format!("[{open}, {{ rollout: 0% }}]"), "catching_up"),
        // The same, but another payload.
        (format!("[{{ when: {{ cohort: added }}, payload: 1 }}, {everybody}]"), "catching_up"),
        // user-17 is at 0.0091 of beta-search.
        ("[{ when: { cohort: added }, rollout: 0.9% }]".to_owned(), "out_of_rollout_bound"),
        ("[{ when: { cohort: added }, rollout: 1% }]".to_owned(), "catching_up"),
        // False decides an AND, true an OR, and a NOT leaves open what is.
        (
            "[{ when: { all: [{ cohort: added }, { person: { distinct_id: x } }] } }]".to_owned(),
            "no_condition_match",
        ),
        (
            "[{ when: { any: [{ cohort: added }, { person: { distinct_id: user-17 } }] } }]"
                .to_owned(),
            "condition_match",
        ),
        ("[{ when: { not: { cohort: added } } }]".to_owned(), "catching_up"),
    ] {
        let flag = open_flag("beta-search", &format!("rules: {rules}\n"));
        assert_eq!(flag["reason"]["code"], code, "{rules}: {flag}");
        let failed = flag.get("failed") == Some(&json!(true));
        assert_eq!(failed, code == "catching_up", "{rules}: {flag}");
        assert_eq!(flag["enabled"], code == "condition_match", "{rules}: {flag}");
    }
}

#[test]
fn an_open_rule_with_another_variant_fails() {
    let variants = "variants: { a: 50%, b: 50% }\n";
    let pinned = |open: &[&str]| {
        let open =
            open.iter().map(|arm| format!("{{ when: {{ cohort: added }}, variant: {arm} }}"));
        let rules = format!("[{}, {{ variant: b }}]", open.collect::<Vec<_>>().join(", "));
        open_flag("layout", &format!("{variants}rules: {rules}\n"))
    };
    for one_of_them_differs in [&["a"][..], &["a", "b"], &["b", "a"]] {
        assert_eq!(pinned(one_of_them_differs)["failed"], true, "{one_of_them_differs:?}");
    }
    let same = pinned(&["b"]);
    assert_eq!((&same["variant"], &same["reason"]["condition_index"]), (&json!("b"), &json!(1)));
}

#[test]
fn the_best_reason_is_told_and_the_later_of_two() {
    let rules = |rules: &str| {
        let flag = format!("rules: [{rules}]\n");
        let shop = Shop::with(&[("shop/flags/beta-search.yaml", &flag)]);
        let reason = shop.flag("user-17", "beta-search")["reason"].clone();
        (reason["code"].clone(), reason["condition_index"].clone())
    };
    let (nobody, missed) = ("{ when: { person: { distinct_id: x } } }", "{ rollout: 0.9% }");
    let told = |code: &str, index: usize| (json!(code), json!(index));
    assert_eq!(rules(&format!("{nobody}, {nobody}")), told("no_condition_match", 1));
    assert_eq!(rules(&format!("{missed}, {nobody}")), told("out_of_rollout_bound", 0));
    assert_eq!(rules(&format!("{nobody}, {missed}")), told("out_of_rollout_bound", 1));
    assert_eq!(rules(&format!("{missed}, {missed}, {nobody}")), told("out_of_rollout_bound", 1));
    assert_eq!(rules(&format!("{missed}, {{ rollout: 1% }}")), told("condition_match", 1));
}

/// The payload of `true` comes with nothing else.
#[test]
fn a_value_that_is_off_comes_without_the_payload_of_on() {
    let flag = "payloads: { true: 7 }\nrules:\n  - { when: { person: { distinct_id: ann } }, \
                value: false }\n  - { value: true }\n";
    let shop = Shop::with(&[("shop/flags/free.yaml", flag)]);
    let given = |who: &str| {
        let told = shop.flag(who, "free");
        (told["enabled"].clone(), told["metadata"]["payload"].clone())
    };
    assert_eq!(given("ann"), (json!(false), Value::Null));
    assert_eq!(given("ben"), (json!(true), json!("7")));
}

#[test]
fn a_flag_that_cannot_be_evaluated_fails_alone() {
    let flag = |id: u32, key: &str, properties: Value| {
        json!({ "id": id, "key": key, "active": true, "version": 3, "name": key,
            "filters": { "groups": [{ "properties": properties }] } })
    };
    let lost = json!([{ "key": "id", "type": "cohort", "value": 99, "operator": "in" }]);
    let mut off = flag(3, "off", json!([]));
    off["active"] = json!(false);
    let flags = [flag(1, "fine", json!([])), flag(2, "lost", lost), off];
    let body = json!({ "flags": flags, "cohorts": {}, "group_type_mapping": {} }).to_string();
    let shop = Shop::with(&[("shop/posthog.json", &body)]);
    let fine = shop.flag("ann", "fine");
    assert_eq!((&fine["enabled"], &fine["metadata"]["version"]), (&json!(true), &json!(3)));
    let lost = shop.flag("ann", "lost");
    assert_eq!((&lost["enabled"], &lost["failed"]), (&json!(false), &json!(true)));
    assert_eq!(lost["reason"]["code"], "dependency_not_found_cohort");
    assert_eq!(shop.flag("ann", "off"), Value::Null);
}

/// Walked without a memory, forty cohorts that each name the one before twice take 2^40 steps.
#[test]
fn cohorts_that_share_cohorts_are_asked_once() {
    let mut files = vec![(
        "shop/cohorts/c0.yaml".to_owned(),
        "members: { person: { distinct_id: ann } }\n".to_owned(),
    )];
    for level in 1..=40 {
        let before = level - 1;
        let twice =
            format!("members: {{ all: [{{ cohort: c{before} }}, {{ cohort: c{before} }}] }}\n");
        files.push((format!("shop/cohorts/c{level}.yaml"), twice));
    }
    let flag = "rules: [{ when: { cohort: c40 } }]\n".to_owned();
    files.push(("shop/flags/deep.yaml".to_owned(), flag));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let shop = Shop::with(&files);
    assert_eq!(shop.flag("ann", "deep")["enabled"], true);
    assert_eq!(shop.flag("ben", "deep")["enabled"], false);
    assert_eq!(shop.state().lookups, 0);
}

/// A list of people has someone by any of their ids, and lets nobody out who may be in.
#[test]
fn a_listed_person_is_in_by_any_of_their_ids() {
    let list = "rules: [{ when: { people: [ann, cleo] } }]\n";
    let shop = Shop::with(&[("shop/flags/list.yaml", list)]);
    let code = |who: &str| shop.flag(who, "list")["reason"]["code"].clone();
    assert_eq!(
        (code("ann"), code("phone")),
        (json!("condition_match"), json!("no_condition_match"))
    );
    assert_eq!(shop.state().lookups, 1, "whoever is listed as such needs none");
    shop.state().distinct_ids = ["ann", "phone"].map(str::to_owned).to_vec();
    assert_eq!(code("phone"), "condition_match");
    shop.state().distinct_ids = vec!["phone".to_owned()];
    shop.state().incomplete = Some(Unknown::TooManyIds);
    assert_eq!(code("phone"), "too_many_ids");
    shop.state().incomplete = None;
    shop.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!((code("phone"), code("cleo")), (json!("catching_up"), json!("condition_match")));
}

/// Of a person with more ids than are joined only that is certain which no further id changes.
#[test]
fn what_more_ids_could_change_is_open() {
    let never = "members: { not: { did: added to cart, within: 5m } }\n";
    let shop = Shop::with(&[
        ("shop/cohorts/added.yaml", ADDED),
        ("shop/cohorts/never.yaml", never),
        ("shop/flags/added.yaml", "rules: [{ when: { cohort: added } }]\n"),
        ("shop/flags/never.yaml", "rules: [{ when: { cohort: never } }]\n"),
        ("shop/flags/pro.yaml", "rules: [{ when: { person: { plan: pro } } }]\n"),
    ]);
    shop.state().incomplete = Some(Unknown::TooManyIds);
    let codes =
        || ["added", "never", "pro"].map(|key| shop.flag("ann", key)["reason"]["code"].clone());
    assert_eq!(codes(), ["too_many_ids", "too_many_ids", "too_many_ids"]);
    shop.did("ann", "added to cart", 0);
    assert_eq!(codes(), ["condition_match", "no_condition_match", "too_many_ids"]);
}
