//! Import: what PostHog's body becomes, that it means the same, and that nothing is lost.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{compile_all, the_project};
use crate::catalog::{Project, Registry};
use crate::cohort::Condition;
use crate::definitions::node::{self, Node};
use crate::definitions::problem::Problems;
use crate::definitions::{Compiled, Imported, Source, import};

fn imported(body: &Value) -> Imported {
    import(&body.to_string(), "shop", "phc_shop").expect("a body")
}

fn compiled(sources: &[Source]) -> Compiled {
    compile_all(sources, &mut Registry::default()).expect("definitions in order")
}

fn file<'i>(imported: &'i Imported, path: &str) -> &'i str {
    let found = imported.files.iter().find(|file| file.path == format!("shop/{path}"));
    &found.unwrap_or_else(|| panic!("{path} in {:?}", imported.files)).text
}

fn yaml(text: &str) -> Value {
    let mut problems = Problems::of("");
    node::parse(text, &mut problems).as_ref().map(Node::to_json).expect("YAML")
}

fn leaf(key: &str, value: &str, more: Value) -> Value {
    let mut leaf =
        json!({ "type": "behavioral", "key": key, "event_type": "events", "value": value });
    leaf.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    leaf
}

/// What cohort `id` of the body is in Sluice's words; none where it stays in PostHog's.
fn members(condition: Value) -> Option<Value> {
    let group = json!({ "type": "AND", "values": [condition] });
    let body = json!({ "flags": [], "cohorts": { "1": group, "2": { "type": "OR", "values": [] } },
        "group_type_mapping": { "0": "company" }, "property_matching_version": 2 });
    let text = yaml(file(&imported(&body), "cohorts/1.yaml"));
    text.get("members").cloned()
}

#[test]
fn a_cohort_that_asks_of_a_date_is_told_in_sluices_words() {
    for (posthog, sluice) in [
        (
            leaf("added", "performed_event", json!({ "explicit_datetime": "2026-01-01" })),
            json!({ "did": "added", "after": "2026-01-01T00:00:00" }),
        ),
        (
            leaf(
                "added",
                "performed_event_multiple",
                json!({ "operator": "gte", "operator_value": 3, "explicit_datetime": "2026-01-01",
                    "explicit_datetime_to": "2026-01-31" }),
            ),
            json!({ "did": "added", "count": ">= 3", "after": "2026-01-01T00:00:00",
                "before": "2026-02-01T00:00:00" }),
        ),
        (
            leaf(
                "added",
                "performed_event_sequence",
                json!({ "explicit_datetime": "2026-01-01", "seq_event": "purchase",
                    "seq_event_type": "events", "seq_time_value": 1,
                    "seq_time_interval": "hour" }),
            ),
            json!({ "sequence": [{ "did": "added" }, { "did": "purchase", "after": "<= 1h" }],
                "after": "2026-01-01T00:00:00" }),
        ),
        (
            leaf(
                "added",
                "performed_event_first_time",
                json!({ "explicit_datetime": "2026-01-01", "explicit_datetime_to": "-1d" }),
            ),
            json!({ "all": [{ "first": "added", "after": "2026-01-01T00:00:00" },
                { "first": "added", "ago": ">= 1d" }] }),
        ),
        (
            leaf(
                "added",
                "performed_event_first_time",
                json!({ "explicit_datetime": "2026-01-01T18:00:00Z" }),
            ),
            json!({ "first": "added", "after": "2026-01-01T18:00:00Z" }),
        ),
        (
            json!({ "type": "person_metadata", "key": "created_at",
                "operator": "is_date_before", "value": "2026-01-01" }),
            json!({ "known": { "before": "2026-01-01T00:00:00" } }),
        ),
    ] {
        assert_eq!(members(posthog.clone()), Some(sluice), "{posthog}");
    }
}

/// YAML has no words for a time between a date and so long ago.
#[test]
fn what_ends_at_a_date_and_began_so_long_ago_stays_in_posthogs_words() {
    let mixed = json!({ "explicit_datetime": "-30d", "explicit_datetime_to": "2026-01-01" });
    assert_eq!(members(leaf("added", "performed_event", mixed)), None);
}

#[test]
fn a_cohort_that_asks_of_events_is_told_in_sluices_words() {
    let window = |amount: i64, unit: &str| json!({ "time_value": amount, "time_interval": unit });
    let and = |a: Value, b: Value| {
        let mut both = a.as_object().expect("an object").clone();
        both.extend(b.as_object().expect("one").clone());
        Value::Object(both)
    };
    let multiple = |operator: &str, n: i64| {
        let count = json!({ "operator": operator, "operator_value": n });
        leaf("added", "performed_event_multiple", and(count, window(5, "minute")))
    };
    let quiet = json!({ "seq_time_value": 7, "seq_time_interval": "day" });
    let then = json!({ "seq_event": "purchase", "seq_event_type": "events", "seq_time_value": 1,
        "seq_time_interval": "hour" });
    let shoes = json!({ "event_filters": [
        { "key": "category", "type": "event", "operator": "exact", "value": ["shoes"] },
        { "key": "price", "type": "event", "operator": "gt", "value": 50 },
        { "key": "brand", "type": "event", "operator": "not_icontains", "value": "acme" },
    ] });
    let dated = json!({ "explicit_datetime": "-2h", "explicit_datetime_to": "-1h" });
    for (posthog, sluice) in [
        (
            leaf("added", "performed_event", window(2, "week")),
            json!({ "did": "added", "within": "14d" }),
        ),
        (multiple("gte", 3), json!({ "did": "added", "count": ">= 3", "within": "5m" })),
        (
            multiple("lte", 3),
            json!({ "all": [{ "did": "added", "within": "5m" },
                { "did": "added", "count": "<= 3", "within": "5m" }] }),
        ),
        (multiple("exact", 0), json!({ "did": "added", "count": "= 0", "within": "5m" })),
        (
            leaf("added", "performed_event", and(json!({ "negation": true }), dated)),
            json!({ "not": { "did": "added", "between": ["2h", "1h"] } }),
        ),
        (
            leaf("seen", "performed_event", and(shoes, window(1, "hour"))),
            json!({ "did": "seen", "where": { "category": { "is": "shoes" }, "price": "> 50",
                "brand": { "does not contain": "acme" } }, "within": "1h" }),
        ),
        (
            leaf("added", "performed_event_first_time", window(7, "day")),
            json!({ "first": "added", "within": "7d" }),
        ),
        (
            leaf("added", "stopped_performing_event", and(quiet.clone(), window(30, "day"))),
            json!({ "stopped": "added", "within": "30d", "quiet": "7d" }),
        ),
        (
            leaf("added", "restarted_performing_event", and(quiet, window(30, "day"))),
            json!({ "all": [
                { "first": "added", "ago": ">= 30d" },
                { "did": "added", "count": "= 0", "between": ["30d", "7d"] },
                { "did": "added", "within": "7d" },
            ] }),
        ),
        (
            leaf("added", "performed_event_sequence", and(then, window(1, "day"))),
            json!({ "sequence": [{ "did": "added" }, { "did": "purchase", "after": "<= 1h" }],
                "within": "1d" }),
        ),
    ] {
        assert_eq!(members(posthog.clone()), Some(sluice), "{posthog}");
    }
}

#[test]
fn what_has_no_words_or_sdks_decide_too_stays_in_posthogs() {
    let regularly = json!({ "operator": "gte", "operator_value": 1, "time_value": 1,
        "time_interval": "day", "min_periods": 3, "total_periods": 5 });
    let twice = json!({ "time_value": 1, "time_interval": "day", "event_filters": [
        { "key": "price", "operator": "gt", "value": 50 },
        { "key": "price", "operator": "lt", "value": 90 },
    ] });
    let action = json!({ "key": 7, "event_type": "actions", "time_value": 1,
        "time_interval": "day" });
    for posthog in [
        leaf("added", "performed_event_regularly", regularly),
        leaf("added", "performed_event", twice),
        leaf("added", "performed_event", action),
        json!({ "type": "person", "key": "plan", "operator": "exact", "value": "pro" }),
        json!({ "type": "cohort", "key": "id", "value": 2 }),
    ] {
        assert_eq!(members(posthog.clone()), None, "{posthog}");
    }
}

fn person(key: &str, operator: &str, value: Value) -> Value {
    json!({ "type": "person", "key": key, "operator": operator, "value": value })
}

/// A body with something of everything, and keys that nobody knows.
fn odd() -> Value {
    let window = json!({ "time_value": 5, "time_interval": "minute" });
    let flag = |id: i64, key: &str, more: Value| {
        let properties = json!([person("plan", "exact", json!(["pro", "1.50", "on"])),
            { "type": "cohort", "key": "id", "value": 1, "cohort_name": "Hesitating" }]);
        let groups = json!([{ "properties": properties, "rollout_percentage": 33.3,
            "sort_key": "a", "aggregation_group_type_index": null }]);
        let mut flag = json!({ "id": id, "key": key, "name": "Yes: no # \n é", "active": true,
            "filters": { "groups": groups, "payloads": { "true": "{\"a\": 1.0}" },
                "x_unknown": [null, 1e21, -0.5, "~", "no", "2026-01-01"] } });
        flag.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        flag
    };
    let hesitating = leaf("added", "performed_event", window);
    let mut hashed = hesitating.clone();
    hashed["conditionHash"] = json!("abc");
    let group = |leaf: Value| json!({ "type": "AND", "values": [leaf] });
    json!({
        "flags": [
            flag(1, "plain", json!({})),
            flag(2, "by/path", json!({ "ensure_experience_continuity": true })),
            flag(3, "Plain", json!({ "deleted": true })),
            flag(4, "device", json!({ "bucketing_identifier": "device_id" })),
        ],
        "cohorts": {
            "1": group(hesitating),
            "2": { "id": 2, "name": "Hashed", "filters": { "properties": group(hashed) } },
            "3": { "is_static": true, "name": "List" },
            "4": group(person("age", "is_date_before", json!("-30d"))),
        },
        "group_type_mapping": { "0": "company", "1": "team" },
        "minimal_flag_called_events": false,
        "unheard_of": { "deep": [1, 2.5, "x"] },
    })
}

/// Everything that the files tell in PostHog's words, put together again.
fn body_of(imported: &Imported) -> Value {
    let parsed = |path: &str| {
        let found = imported.files.iter().find(|file| file.path == format!("shop/{path}"));
        found.map(|file| yaml(&file.text))
    };
    let project = parsed("project.yaml").expect("it is written");
    let rest = parsed("posthog.json").unwrap_or_else(|| json!({}));
    let mut flags = rest["flags"].as_array().cloned().unwrap_or_default();
    let mut cohorts = rest["cohorts"].as_object().cloned().unwrap_or_default();
    for file in &imported.files {
        let theirs = yaml(&file.text).get("posthog").cloned();
        match (file.path.split('/').collect::<Vec<_>>().as_slice(), theirs) {
            ([_, "flags", _], Some(flag)) => flags.push(flag),
            ([_, "cohorts", name], Some(cohort)) => {
                cohorts.insert(name.trim_end_matches(".yaml").to_owned(), cohort);
            }
            _ => {}
        }
    }
    flags.sort_by_key(|flag| flag["id"].as_i64());
    let types = project["group_types"].as_array().into_iter().flatten().enumerate();
    let types: Map<String, Value> = types.map(|(at, of)| (at.to_string(), of.clone())).collect();
    let mut body = project["posthog"].as_object().cloned().unwrap_or_default();
    body.insert("flags".to_owned(), json!(flags));
    body.insert("cohorts".to_owned(), Value::Object(cohorts));
    body.insert("group_type_mapping".to_owned(), Value::Object(types));
    Value::Object(body)
}

#[test]
fn nothing_is_lost() {
    let body = odd();
    let imported = imported(&body);
    let mut again = body_of(&imported);
    // The one that is told in other words, and whole.
    assert_eq!(again["cohorts"].get("1"), None);
    assert!(file(&imported, "cohorts/1.yaml").contains("did: added"));
    again["cohorts"]["1"] = body["cohorts"]["1"].clone();
    assert_eq!(again, body);
    let hashed = file(&imported, "cohorts/2.yaml");
    assert!(hashed.contains("conditionHash: abc") && hashed.contains("did: added"), "{hashed}");
    assert!(hashed.contains("description: Hashed"), "{hashed}");
    assert_eq!((imported.flags, imported.cohorts, imported.retold), (4, 4, 2));
    let notes = imported.notes.join("\n");
    for said in
        ["flags/by/path: no file", "flags/Plain: no file", "cohort 3: PostHog's definitions"]
    {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn the_files_mean_what_the_body_means() {
    let body = odd();
    let from_json = [
        Source { path: "shop/project.yaml".to_owned(), text: "token: phc_shop\n".to_owned() },
        Source { path: "shop/posthog.json".to_owned(), text: body.to_string() },
    ];
    let (theirs, ours) = (compiled(&from_json), compiled(&imported(&body).files));
    let (theirs, ours) = (the_project(&theirs), the_project(&ours));
    assert_eq!(ours.property_matching, theirs.property_matching);
    assert_eq!(ours.group_types, theirs.group_types);
    let rules = |project: &Project| -> BTreeMap<String, String> {
        let flags = project.flags.iter();
        flags.map(|flag| (flag.key.clone(), format!("{flag:?}"))).collect()
    };
    assert_eq!(rules(ours), rules(theirs));
    let members = |project: &Project| -> BTreeMap<String, String> {
        let cohorts = project.cohorts.iter();
        let alone = |members: &Condition| match members {
            Condition::All(inner) if inner.len() == 1 => format!("{:?}", inner[0]),
            members => format!("{members:?}"),
        };
        cohorts.map(|cohort| (cohort.key.clone(), alone(&cohort.members))).collect()
    };
    assert_eq!(members(ours), members(theirs));
}

#[test]
fn what_is_no_body_or_has_a_flag_twice_is_refused() {
    let refused =
        |text: &str| import(text, "shop", "phc_shop").expect_err("refused")[0].to_string();
    assert!(refused("{").contains("this isn't JSON"));
    assert!(refused("[]").contains("it has no `flags`"));
    let flag = json!({ "key": "f", "filters": { "groups": [] } });
    let twice = json!({ "flags": [flag, flag] }).to_string();
    assert!(refused(&twice).contains("the flag `f` is there twice"));
}
