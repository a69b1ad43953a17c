//! Flags that depend on flags, as PostHog's server decides them (`posthog.md` 3.4 and 4.3).

use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::posthog::{flags, halves, is, of_flags, person, shop, told_of};
use crate::shop::TOKEN;

/// A flag that asks what another is.
fn asks(key: &str, value: impl Into<Value>) -> Value {
    let leaf = json!({ "type": "flag", "key": key, "operator": "flag_evaluates_to",
        "value": value.into() });
    json!({ "groups": [{ "properties": [leaf] }] })
}

#[test]
fn a_flag_may_depend_on_others() {
    let none = json!({ "groups": [] });
    let arms = json!({ "groups": [{ "properties": [] }], "multivariate": halves() });
    let mut off = json!({ "id": 9, "key": "inactive", "active": false, "filters": arms.clone() });
    let named = [("f", arms), ("none", none)];
    let rows = [
        ("on", asks("f", true), true),
        ("variant", asks("f", "a"), true),
        ("other-variant", asks("f", "b"), false),
        ("other-case", asks("f", "A"), false),
        ("by-id", asks("1", true), true),
        ("of-none", asks("none", true), false),
        ("not-none", asks("none", false), true),
        ("of-inactive", asks("inactive", false), true),
        ("chain", asks("not-none", true), true),
        ("number", asks("f", 1), false),
    ];
    let filters = named.iter().cloned().chain(rows.iter().map(|(k, f, _)| (*k, f.clone())));
    let mut all: Vec<Value> = filters
        .zip(1..)
        .map(|((key, filters), id)| {
            json!({ "id": id, "key": key, "active": true, "filters": filters })
        })
        .collect();
    all.push(off.take());
    let shop = of_flags(all);
    let flags = flags(&shop, json!({}));
    for (key, _, expected) in rows {
        assert_eq!(flags[key]["enabled"], expected, "{key}: {}", flags[key]);
    }
    assert_eq!(flags["inactive"], Value::Null);
    // Only what is asked for is answered, whatever it depends on.
    let asked = json!({ "token": TOKEN, "distinct_id": "ann", "flag_keys": ["chain"] });
    let answer = shop.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["flags"].as_object().expect("flags").keys().collect::<Vec<_>>(), ["chain"]);
    assert_eq!(answer["flags"]["chain"]["enabled"], true);
}

#[test]
fn a_flag_that_lacks_what_it_depends_on_is_off_and_no_error() {
    let shop = shop(&[
        ("f", asks("nowhere", false)),
        ("upon", asks("f", false)),
        ("one", asks("two", false)),
        ("two", asks("one", false)),
        ("itself", asks("itself", true)),
        ("fine", json!({ "groups": [{ "properties": [] }] })),
    ]);
    let asked = json!({ "token": TOKEN, "distinct_id": "ann" });
    let answer = shop.post("/flags/?v=2", &asked).json();
    assert_eq!(answer["errorsWhileComputingFlags"], false);
    for key in ["f", "upon", "one", "two", "itself"] {
        let flag = &answer["flags"][key];
        assert_eq!(told_of(flag), is(false, "missing_dependency", None), "{key}");
        assert_eq!(flag.get("failed"), None);
    }
    assert_eq!(answer["flags"]["fine"]["enabled"], true);
}

#[test]
fn who_depends_on_what_is_not_known_is_not_known() {
    let pro = json!({ "groups": [{ "properties": [person("plan", "pro")] }] });
    let shop = shop(&[("f", pro), ("on", asks("f", true)), ("off", asks("f", false))]);
    shop.state().unknown = Some(Unknown::CatchingUp);
    let flags = flags(&shop, json!({}));
    for key in ["f", "on", "off"] {
        assert_eq!(flags[key]["failed"], true, "{key}");
    }
}
