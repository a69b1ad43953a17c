//! PostHog's cohorts: behavioural leaves, negation, and what can't be done.

use serde_json::{Value, json};

use super::posthog::body;
use super::{Counted, NOW, counted, shop, the_project};
use crate::cohort::Condition;
use crate::comparison::Comparison;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// What decides the only cohort, whose leaves stand under an AND.
fn cohort_of(leaf: Value) -> Condition {
    let cohort = json!({"type": "AND", "values": [leaf]});
    let compiled = body(json!({"flags": [], "cohorts": {"1": cohort}}));
    let Condition::All(mut members) = the_project(&compiled).cohorts[0].members.clone() else {
        panic!()
    };
    members.remove(0)
}

/// "Bought three times in five minutes", changed.
pub(super) fn behavioural(more: Value) -> Value {
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

fn did_of(more: Value) -> Counted {
    counted(&cohort_of(behavioural(more)))
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
fn behavioural_leaves_become_counts() {
    let plain = did_of(json!({}));
    let of = |comparison, n, within_ms| Counted { comparison, n, within_ms, ..plain };
    let five = 5 * MINUTE_MS;
    assert_eq!(plain, of(Comparison::AtLeast, 3, five));
    let rows = [
        (json!({"value": "performed_event"}), of(Comparison::AtLeast, 1, five)),
        (json!({"operator": "gt"}), of(Comparison::Greater, 3, five)),
        (json!({"operator": "lt", "operator_value": 1}), of(Comparison::Less, 1, five)),
        (json!({"operator": "exact"}), of(Comparison::Equal, 3, five)),
        (json!({"operator": "about"}), of(Comparison::Equal, 3, five)),
        (json!({"operator": null}), of(Comparison::Equal, 3, five)),
        (json!({"operator_value": -4}), of(Comparison::AtLeast, 0, five)),
        (json!({"operator_value": "7"}), of(Comparison::AtLeast, 7, five)),
        (json!({"time_interval": "second"}), of(Comparison::AtLeast, 3, 5_000)),
        (json!({"time_interval": "month"}), of(Comparison::AtLeast, 3, 150 * DAY_MS)),
        (
            json!({"time_value": 1, "time_interval": "year"}),
            of(Comparison::AtLeast, 3, 365 * DAY_MS),
        ),
        (json!({"explicit_datetime": "-2h"}), of(Comparison::AtLeast, 3, 2 * HOUR_MS)),
        (json!({"explicit_datetime": "-5M"}), of(Comparison::AtLeast, 3, five)),
        (json!({"explicit_datetime": "-5m"}), of(Comparison::AtLeast, 3, 150 * DAY_MS)),
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
    assert_eq!((matcher.event.as_str(), matcher.kept.k), ("buy", 3));
    assert!(matcher.filters[0].matches(Some(&json!(51)), NOW));
    assert!(!matcher.filters[0].matches(None, NOW));
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
        (refer(json!({"operator": "not_in", "negation": true})), "not out", "out"),
        (refer(json!({"operator": "exact"})), "nobody", "nobody"),
        (behavioural(json!({"negation": true})), "did not", "did not"),
    ];
    for (leaf, under_and, under_or) in rows {
        for (kind, expected) in [("AND", under_and), ("OR", under_or)] {
            let compiled = body(json!({"flags": [], "cohorts": {
                "1": {"type": kind, "values": [leaf]}, "2": {"type": "AND", "values": []},
            }}));
            let shop = the_project(&compiled);
            let one = shop.cohorts.iter().find(|cohort| cohort.key == "1").expect("cohort 1");
            let (Condition::All(inner) | Condition::Any(inner)) = &one.members else { panic!() };
            assert_eq!(read_aloud(&inner[0]), expected, "{kind} {leaf}");
        }
    }
}

#[test]
fn an_ignored_negation_is_pointed_out() {
    let refer = json!({"key": "id", "type": "cohort", "value": 2, "negation": true});
    let nested = json!({"type": "AND", "values": [{"type": "OR", "values": [refer]}]});
    for (kind, warned) in [("AND", false), ("OR", true)] {
        let one = json!({"type": kind, "values": [refer]});
        let compiled = body(json!({"flags": [], "cohorts": {
            "1": one, "2": {"type": "AND", "values": []},
        }}));
        assert_eq!(!compiled.warnings.is_empty(), warned, "{kind}");
    }
    let compiled = body(json!({"flags": [], "cohorts": {
        "1": {"filters": {"properties": nested}}, "2": {"type": "AND", "values": []},
    }}));
    let said: Vec<String> = compiled.warnings.iter().map(ToString::to_string).collect();
    let expected = "shop/posthog.json: cohort `1` takes cohort 2 in, where it is written as left \
                    out: PostHog's OR ignores the negation of a cohort, and so does Sluice \
                    (fix: put the negated cohort under an AND of its own, or write it in YAML)";
    assert_eq!(said, [expected]);
}

fn read_aloud(condition: &Condition) -> &'static str {
    match condition {
        Condition::Cohort(0) => "in",
        Condition::Not(inner) => match (&**inner, read_aloud(inner)) {
            (_, "in") => "out",
            (_, "out") => "not out",
            (Condition::Behaviour(_), _) => "did not",
            _ => "?",
        },
        Condition::Any(inner) if inner.is_empty() => "nobody",
        _ => "?",
    }
}

/// Who is in one PostHog doesn't say, and a file may.
#[test]
fn a_static_cohort_is_who_a_file_lists() {
    let posthog = json!({"flags": [], "cohorts": {"42": {"is_static": true, "name": "vip"}}});
    let posthog = posthog.to_string();
    let compiled = shop(&[("posthog.json", &posthog)]).expect("it loads");
    let Condition::Fault(fault) = &the_project(&compiled).cohorts[0].members else { panic!() };
    assert!(fault.message.contains("`cohorts/42.yaml`"), "{fault:?}");
    let list = ("cohorts/42.yaml", "members: { people: [ann, ben] }\n");
    let compiled = shop(&[("posthog.json", &posthog), list]).expect("they go together");
    assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
    let [cohort] = the_project(&compiled).cohorts.as_slice() else { panic!("one cohort") };
    let Condition::Listed(ids) = &cohort.members else { panic!("{cohort:?}") };
    assert!(ids.contains("ann") && ids.len() == 2 && cohort.id == Some(42));
}

#[test]
fn a_negated_filter_that_cannot_be_evaluated_matches_nobody() {
    let leaf =
        json!({"key": "age", "type": "person", "operator": "gt", "value": 5, "negation": true});
    let Condition::Person(filter) = cohort_of(leaf) else { panic!() };
    let passes = |value: Option<Value>| filter.matches(value.as_ref(), NOW);
    assert!(passes(Some(json!(4))) && passes(None));
    assert!(!passes(Some(json!(6))) && !passes(Some(json!("six"))));
}

#[test]
fn a_filter_on_a_group_asks_of_the_group_of_its_type() {
    let cohort_of = |leaf: &Value| {
        let cohorts = json!({"1": {"type": "AND", "values": [leaf]}});
        let types = json!({"0": "company"});
        let compiled = body(json!({"flags": [], "cohorts": cohorts, "group_type_mapping": types}));
        let Condition::All(mut inner) = the_project(&compiled).cohorts[0].members.clone() else {
            panic!()
        };
        inner.remove(0)
    };
    let mut leaf = json!({"key": "plan", "type": "group", "group_type_index": 0, "value": "pro"});
    for (negation, passes_pro) in [(false, true), (true, false)] {
        leaf["negation"] = negation.into();
        let Condition::Group(of, filter) = cohort_of(&leaf) else { panic!("{leaf}") };
        assert_eq!(
            (of.as_str(), filter.matches(Some(&json!("pro")), NOW)),
            ("company", passes_pro)
        );
    }
    leaf["group_type_index"] = 4.into();
    assert_eq!(read_aloud(&cohort_of(&leaf)), "nobody", "a type that isn't there");
}

#[test]
fn what_cannot_be_done_is_a_fault_in_its_place() {
    let unreadable = "cohort_filters_parsing_error";
    let rows = [
        (behavioural(json!({"event_type": "actions", "key": 12})), "not_supported"),
        (behavioural(json!({"explicit_datetime": "New Year"})), "not_supported"),
        (behavioural(json!({"explicit_datetime_to": "-1d"})), "not_supported"),
        (behavioural(json!({"time_value": 900, "time_interval": "day"})), "not_supported"),
        (behavioural(json!({"operator_value": 2000})), "not_supported"),
        (
            behavioural(json!({"event_filters": [
                {"key": "released", "operator": "is_date_after", "value": "-7d"}
            ]})),
            "not_supported",
        ),
        (behavioural(json!({"operator_value": "often"})), unreadable),
        (behavioural(json!({"time_value": null})), unreadable),
        (behavioural(json!({"time_interval": "fortnight"})), unreadable),
        (behavioural(json!({"value": "vanished"})), unreadable),
        (behavioural(json!({"key": null})), unreadable),
        (json!({"key": "x", "type": "person", "operator": "resembles", "value": 1}), unreadable),
        (json!({"key": "id", "type": "cohort", "value": "vip"}), unreadable),
        (json!({"key": "plan", "type": "group", "value": "pro"}), unreadable),
        (json!({"key": "f", "type": "flag", "value": true}), "not_supported"),
        (json!({"key": "id", "type": "cohort", "value": 404}), "dependency_not_found_cohort"),
        (json!({"key": "id", "type": "cohort", "value": 1}), "dependency_cycle_cohort"),
    ];
    for (leaf, code) in rows {
        assert_eq!(code_of(leaf.clone()), code, "{leaf}");
    }
}
