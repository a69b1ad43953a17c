//! PostHog's JSON: what it compiles to, and what fails one flag alone.

use serde_json::{Value, json};

use super::{shop, the_project};
use crate::cohort::{Comparison, Condition, Did};
use crate::definitions::{Compiled, Problem};
use crate::filter::PropertyMatching;
use crate::flag::{Rules, Variant};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

fn body(body: Value) -> Compiled {
    shop(&[("posthog.json", &body.to_string())]).expect("valid JSON always loads")
}

fn flag(filters: Value) -> Value {
    json!({"id": 7, "key": "f", "name": "F", "active": true, "filters": filters})
}

/// What decides the only cohort, whose leaves stand under an AND.
fn cohort_of(leaf: Value) -> Condition {
    let cohort = json!({"type": "AND", "values": [leaf]});
    let compiled = body(json!({"flags": [], "cohorts": {"1": cohort}}));
    let Condition::All(mut members) = the_project(&compiled).cohorts[0].members.clone() else {
        panic!()
    };
    members.remove(0)
}

fn behavioural(more: Value) -> Value {
    let mut leaf = json!({
        "type": "behavioral", "key": "buy", "event_type": "events",
        "value": "performed_event_multiple", "operator": "gte", "operator_value": 3,
        "time_value": 5, "time_interval": "minute",
    });
    for (key, value) in more.as_object().expect("an object") {
        leaf[key] = value.clone();
    }
    leaf
}

fn did_of(more: Value) -> Did {
    match cohort_of(behavioural(more.clone())) {
        Condition::Did(did) => did,
        other => panic!("{more} is {other:?}"),
    }
}

/// The code of the fault that stands in the condition's place.
fn code_of(leaf: Value) -> &'static str {
    let cohort = json!({"type": "AND", "values": [leaf]});
    let compiled = body(json!({"flags": [], "cohorts": {"1": cohort}}));
    match &the_project(&compiled).cohorts[0].members {
        Condition::Fault(fault) => fault.code,
        Condition::All(members) => match members.as_slice() {
            [Condition::Fault(fault)] => fault.code,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
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
    let [f, off] = shop.flags.as_slice() else {
        panic!()
    };
    assert!(f.active && !off.active && f.id == 7 && f.description.as_deref() == Some("F"));
    let Ok(Rules {
        rules,
        variants,
        payloads,
    }) = &f.rules
    else {
        panic!()
    };
    assert_eq!(
        variants[1],
        Variant {
            key: "b".to_owned(),
            percent: 50.0
        }
    );
    assert_eq!(
        (payloads["a"].as_str(), payloads["b"].as_str()),
        ("{\"x\":1}", "{\"y\":2}")
    );
    assert_eq!(payloads.len(), 2);
    assert_eq!(
        (rules[0].rollout_percent, rules[1].rollout_percent),
        (12.5, 100.0)
    );
    let Condition::All(when) = &rules[0].when else {
        panic!()
    };
    assert!(matches!(
        when.as_slice(),
        [Condition::Person(_), Condition::Cohort(0)]
    ));
}

#[test]
fn behavioural_leaves_become_counts() {
    let plain = did_of(json!({}));
    let of = |comparison, n, within_ms| Did {
        comparison,
        n,
        within_ms,
        ..plain
    };
    let five = 5 * MINUTE_MS;
    assert_eq!(plain, of(Comparison::AtLeast, 3, five));
    let rows = [
        (
            json!({"value": "performed_event"}),
            of(Comparison::AtLeast, 1, five),
        ),
        (json!({"operator": "gt"}), of(Comparison::Greater, 3, five)),
        (json!({"operator": "lte"}), of(Comparison::AtMost, 3, five)),
        (json!({"operator": "lt"}), of(Comparison::Less, 3, five)),
        (json!({"operator": "exact"}), of(Comparison::Equal, 3, five)),
        (json!({"operator": "about"}), of(Comparison::Equal, 3, five)),
        (json!({"operator": null}), of(Comparison::Equal, 3, five)),
        (
            json!({"operator_value": -4}),
            of(Comparison::AtLeast, 0, five),
        ),
        (
            json!({"operator_value": "7"}),
            of(Comparison::AtLeast, 7, five),
        ),
        (
            json!({"time_interval": "second"}),
            of(Comparison::AtLeast, 3, 5_000),
        ),
        (
            json!({"time_interval": "month"}),
            of(Comparison::AtLeast, 3, 150 * DAY_MS),
        ),
        (
            json!({"time_value": 1, "time_interval": "year"}),
            of(Comparison::AtLeast, 3, 365 * DAY_MS),
        ),
        (
            json!({"explicit_datetime": "-2h"}),
            of(Comparison::AtLeast, 3, 2 * HOUR_MS),
        ),
        (
            json!({"explicit_datetime": "-5M"}),
            of(Comparison::AtLeast, 3, five),
        ),
        (
            json!({"explicit_datetime": "-5m"}),
            of(Comparison::AtLeast, 3, 150 * DAY_MS),
        ),
    ];
    for (more, expected) in rows {
        assert_eq!(did_of(more.clone()), expected, "{more}");
    }
}

#[test]
fn event_filters_feed_the_matcher() {
    let leaf = behavioural(json!({"event_filters": [
        {"key": "price", "type": "event", "operator": "gt", "value": "50"},
    ]}));
    let cohort = json!({"properties": {"type": "OR", "values": [
        {"type": "property", "values": [leaf]},
    ]}});
    let compiled = body(json!({"flags": [], "cohorts": {"1": {"id": 1, "filters": cohort}}}));
    let matcher = &the_project(&compiled).matchers[0];
    assert_eq!((matcher.event.as_str(), matcher.k), ("buy", 3));
    assert!(matcher.filters[0].matches(Some(&json!(51))));
    assert!(!matcher.filters[0].matches(None));
}

#[test]
fn negation_is_posthogs() {
    let refer = |more: Value| {
        let mut leaf = json!({"key": "id", "type": "cohort", "value": 2});
        for (key, value) in more.as_object().expect("an object") {
            leaf[key] = value.clone();
        }
        leaf
    };
    // Each row: a leaf, then how it reads under AND and under OR.
    let rows = [
        (refer(json!({})), "in", "in"),
        (refer(json!({"operator": "not_in"})), "out", "out"),
        (refer(json!({"negation": true})), "out", "in"),
        (
            refer(json!({"operator": "not_in", "negation": true})),
            "not out",
            "out",
        ),
        (refer(json!({"operator": "exact"})), "nobody", "nobody"),
        (behavioural(json!({"negation": true})), "did not", "did not"),
    ];
    for (leaf, under_and, under_or) in rows {
        for (kind, expected) in [("AND", under_and), ("OR", under_or)] {
            let compiled = body(json!({"flags": [], "cohorts": {
                "1": {"type": kind, "values": [leaf]}, "2": {"type": "AND", "values": []},
            }}));
            let shop = the_project(&compiled);
            let one = shop
                .cohorts
                .iter()
                .find(|cohort| cohort.key == "1")
                .expect("cohort 1");
            let (Condition::All(inner) | Condition::Any(inner)) = &one.members else {
                panic!()
            };
            assert_eq!(read_aloud(&inner[0]), expected, "{kind} {leaf}");
        }
    }
}

fn read_aloud(condition: &Condition) -> &'static str {
    match condition {
        Condition::Cohort(0) => "in",
        Condition::Not(inner) => match (&**inner, read_aloud(inner)) {
            (_, "in") => "out",
            (_, "out") => "not out",
            (Condition::Did(_), _) => "did not",
            _ => "?",
        },
        Condition::Any(inner) if inner.is_empty() => "nobody",
        _ => "?",
    }
}

#[test]
fn a_negated_filter_that_cannot_be_evaluated_matches_nobody() {
    let leaf =
        json!({"key": "age", "type": "person", "operator": "gt", "value": 5, "negation": true});
    let Condition::Person(filter) = cohort_of(leaf) else {
        panic!()
    };
    assert!(filter.matches(Some(&json!(4))) && filter.matches(None));
    assert!(!filter.matches(Some(&json!(6))) && !filter.matches(Some(&json!("six"))));
}

#[test]
fn what_cannot_be_done_is_a_fault_in_its_place() {
    let unreadable = "cohort_filters_parsing_error";
    let rows = [
        (
            behavioural(json!({"value": "performed_event_sequence"})),
            "not_supported",
        ),
        (
            behavioural(json!({"event_type": "actions", "key": 12})),
            "not_supported",
        ),
        (
            behavioural(json!({"explicit_datetime": "2026-01-01"})),
            "not_supported",
        ),
        (
            behavioural(json!({"explicit_datetime_to": "-1d"})),
            "not_supported",
        ),
        (
            behavioural(json!({"time_value": 900, "time_interval": "day"})),
            "not_supported",
        ),
        (
            behavioural(json!({"operator_value": 2000})),
            "not_supported",
        ),
        (behavioural(json!({"operator_value": "often"})), unreadable),
        (behavioural(json!({"time_value": null})), unreadable),
        (
            behavioural(json!({"time_interval": "fortnight"})),
            unreadable,
        ),
        (behavioural(json!({"value": "vanished"})), unreadable),
        (behavioural(json!({"key": null})), unreadable),
        (
            json!({"key": "x", "type": "person", "operator": "resembles", "value": 1}),
            unreadable,
        ),
        (
            json!({"key": "id", "type": "cohort", "value": "vip"}),
            unreadable,
        ),
        (
            json!({"key": "f", "type": "flag", "value": true}),
            "not_supported",
        ),
        (
            json!({"key": "id", "type": "cohort", "value": 404}),
            "dependency_not_found_cohort",
        ),
        (
            json!({"key": "id", "type": "cohort", "value": 1}),
            "dependency_cycle_cohort",
        ),
    ];
    for (leaf, code) in rows {
        assert_eq!(code_of(leaf.clone()), code, "{leaf}");
    }
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
        (property("semver_gt"), "not_supported"),
        (json!(null), "flag_data_parsing_error"),
        (json!({"groups": 3}), "flag_data_parsing_error"),
        (
            json!({"groups": [{"rollout_percentage": "all"}]}),
            "flag_data_parsing_error",
        ),
        (json!({"version": 2, "rules": []}), "not_supported"),
        (json!({"groups": [], "holdout": {"id": 1}}), "not_supported"),
        (
            json!({"groups": [], "feature_enrollment": true}),
            "not_supported",
        ),
    ];
    for (filters, code) in rows {
        let mut other = flag(json!({"groups": [{"properties": []}]}));
        other["key"] = json!("other");
        let compiled = body(json!({"flags": [flag(filters.clone()), other]}));
        let [f, other] = the_project(&compiled).flags.as_slice() else {
            panic!()
        };
        assert_eq!(
            f.rules.as_ref().expect_err("a fault").code,
            code,
            "{filters}"
        );
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
    let files = [
        ("posthog.json", posthog.to_string()),
        ("flags/y.yaml", yaml.to_owned()),
    ];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let compiled = shop(&files).expect("good definitions");
    let keys: Vec<_> = the_project(&compiled)
        .flags
        .iter()
        .map(|f| f.key.as_str())
        .collect();
    assert_eq!(keys, ["f", "y"]);
    assert_eq!(
        the_project(&compiled).property_matching,
        PropertyMatching::V2
    );

    let twice = shop(&[files[0], ("flags/f.yaml", "rules: []")]).expect_err("one key, two flags");
    let expected = "shop/posthog.json: flag `f` is defined in `shop/flags/f.yaml` too \
                    (fix: take one of them away)";
    assert_eq!(
        twice.iter().map(Problem::to_string).collect::<Vec<_>>(),
        [expected]
    );
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
    for odd in [
        json!({}),
        json!(7),
        json!({"key": ""}),
        json!({"key": "f", "filters": [1]}),
    ] {
        let compiled = body(json!({"flags": [odd], "cohorts": [], "group_type_mapping": null}));
        assert_eq!(compiled.warnings.len(), 1);
    }
}
