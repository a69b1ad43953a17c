//! What analysts read and write: the page on definitions, its examples, and the editors' schema.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness;
use crate::tools;

/// The code blocks of the page, by their language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(tools::repository().join("definitions/README.md"));
    let page = page.expect("the page on definitions");
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1).map(|rest| {
        let (block, _) = rest.split_once("```").expect("a block ends");
        block.to_owned()
    });
    blocks.collect()
}

/// A folder with one project and these files in it.
fn folder(files: &BTreeMap<String, String>) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(home.path(), "shop/project.yaml", "token: phc_page\ntime_zone: UTC\n");
    for (path, text) in files {
        write(home.path(), &format!("shop/{path}"), text);
    }
    home
}

fn write(home: &Path, path: &str, text: &str) {
    let path = home.join(path);
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

#[test]
fn every_cohort_on_the_page_is_right() {
    let cohorts: Vec<String> =
        blocks("yaml").into_iter().filter(|block| block.contains("\nmembers:")).collect();
    let with_examples = cohorts.iter().filter(|block| block.contains("\nexamples:")).count();
    assert!(with_examples >= 9, "the page has lost its examples: {with_examples}");
    let files = cohorts.iter().enumerate();
    let files = files.map(|(at, text)| (format!("cohorts/page-{at}.yaml"), text.clone()));
    let home = folder(&files.collect());
    let (content, said) = harness::check(home.path());
    assert!(content, "{said}");
    let schema = crate::conformance::schema_of("cohort");
    for text in cohorts {
        let value: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(crate::conformance::complaints(&schema, &value), Vec::<String>::new(), "{text}");
    }
}

/// Cohorts that flags on the page name stand on the page in other files.
#[test]
fn every_flag_on_the_page_is_right() {
    let flags: Vec<String> =
        blocks("yaml").into_iter().filter(|block| block.contains("\nrules:")).collect();
    assert!(flags.len() >= 2, "the page has lost its flags: {}", flags.len());
    let files = flags.iter().enumerate();
    let mut files: BTreeMap<String, String> =
        files.map(|(at, text)| (format!("flags/page-{at}.yaml"), text.clone())).collect();
    let hesitating = "members: { did: added to cart, within: 5m }\n".to_owned();
    files.insert("cohorts/hesitating.yaml".to_owned(), hesitating);
    let home = folder(&files);
    let (content, said) = harness::check(home.path());
    assert!(content, "{said}");
    let schema = crate::conformance::schema_of("flag");
    let complaints = |text: &str| {
        let value: Value = serde_saphyr::from_str(text).expect("YAML");
        crate::conformance::complaints(&schema, &value)
    };
    for text in flags {
        assert_eq!(complaints(&text), Vec::<String>::new(), "{text}");
    }
    for wrong in [
        "rules: [ { value: [ 1 ] } ]",
        "rules: [ { on miss: stop } ]",
        "rules: []\ndefault: null",
        "rules: []\nseed: 5",
        "variants: { a: { value: 1 } }\nrules: []",
    ] {
        assert_ne!(complaints(wrong), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn every_posthog_form_on_the_page_loads() {
    let blocks = blocks("json");
    let leaves: Vec<Value> = blocks
        .iter()
        .flat_map(|block| block.lines())
        .map(|line| serde_json::from_str(line).expect("a leaf a line"))
        .collect();
    let form = |leaf: &Value| {
        let is_metadata = leaf["type"] == "person_metadata";
        leaf[if is_metadata { "key" } else { "value" }].as_str().map(str::to_owned)
    };
    let mut forms: Vec<String> = leaves.iter().filter_map(form).collect();
    forms.sort_unstable();
    forms.dedup();
    let expected = [
        "created_at",
        "performed_event",
        "performed_event_first_time",
        "performed_event_multiple",
        "performed_event_regularly",
        "performed_event_sequence",
        "restarted_performing_event",
        "stopped_performing_event",
    ];
    assert_eq!(forms, expected);
    let body = json!({ "flags": [], "cohorts": { "1": { "type": "AND", "values": leaves } } });
    let home = folder(&BTreeMap::from([("posthog.json".to_owned(), body.to_string())]));
    let (content, said) = harness::check(home.path());
    assert!(content, "{said}");
    assert_eq!(said.lines().count(), 1, "something is odd: {said}");
}

#[test]
fn a_wrong_example_is_told_with_its_reason() {
    let cohort = "members:\n  all:\n    - { did: added to cart, count: \">= 3\", within: 5m }\n    \
                  - not: { did: purchase, within: 5m }\nexamples:\n  - events: [ { 4m ago: added \
                  to cart }, { 5m ago: added to cart } ]\n    in: true\n";
    let home = folder(&BTreeMap::from([("cohorts/x.yaml".to_owned(), cohort.to_owned())]));
    let (content, said) = harness::check(home.path());
    assert!(!content, "{said}");
    let expected = "shop/cohorts/x.yaml:7:9: the example is in, and the cohort says not in: part 1 \
                    of `all` doesn't hold: the count of `added to cart` in the last 5m is 1 \
                    (asked: >= 3) (fix: change the example, or what the cohort asks)";
    assert!(said.contains(expected), "{said}");
}

/// Each way to ask of a property is one that the binary reads and the schema knows.
#[test]
fn every_test_of_a_property_is_accepted() {
    let schema = crate::conformance::schema_of("cohort");
    let tests = [
        json!("red"),
        json!(50),
        json!("> 50"),
        json!(["shoes", 7]),
        json!({ "is": "> 50" }),
        json!({ "is not": ["a", "b"] }),
        json!({ "contains": ["a", "b"], "does not contain": "c" }),
        json!({ "starts with": "a", "does not start with": "b" }),
        json!({ "ends with": "a", "does not end with": "b" }),
        json!({ "matches": "^a", "does not match": "b$" }),
        json!({ "between": [1, 2] }),
        json!({ "not between": [1, 2.5] }),
        json!({ "before": "2026-01-31", "after": "4w ago" }),
        json!({ "before": "2026-01-31 18:00:00.5", "after": "2026-01-31T18:00+01:00" }),
        json!({ "at": "2026-01-31T18:00:00Z" }),
        json!({ "version": "1.2.3" }),
        json!({ "version": ">= 1.2" }),
        json!({ "version": "!=v1" }),
        json!({ "version": "~1.2.3" }),
        json!({ "version": "^1.2.3-rc.1" }),
        json!({ "version": "1.2.*" }),
        json!({ "version": "*" }),
        json!({ "set": false }),
    ];
    let mut files = BTreeMap::new();
    for (at, test) in tests.iter().enumerate() {
        for (kind, members) in [
            ("person", json!({ "person": { "p": test } })),
            ("event", json!({ "did": "a", "within": "5m", "where": { "p": test } })),
        ] {
            let cohort = json!({ "members": members });
            assert_eq!(crate::conformance::complaints(&schema, &cohort), Vec::<String>::new());
            files.insert(format!("cohorts/{kind}-{at}.yaml"), cohort.to_string());
        }
    }
    let home = folder(&files);
    let (content, said) = harness::check(home.path());
    assert!(content, "{said}");
}

/// Editors are told of the same mistakes, as far as a schema can tell.
#[test]
fn the_schema_refuses_what_no_condition_says() {
    let schema = crate::conformance::schema_of("cohort");
    let wrong = [
        json!({ "did": "a" }),
        json!({ "did": "a", "within": "5m", "between": ["10m", "5m"] }),
        json!({ "did": "a", "within": "5 minutes" }),
        json!({ "did": "a", "within": "5m", "count": 3 }),
        json!({ "did": "a", "within": "5m", "count": ">= 3", "compared with": { "did": "b" } }),
        json!({ "did": "a", "within": "5m", "compared with": { "did": "b" } }),
        json!({ "first": "a" }),
        json!({ "last": "a", "ago": "30d" }),
        json!({ "known": "> 7d" }),
        json!({ "known": { "at": "2026-01-31" } }),
        json!({ "known": {} }),
        json!({ "first": "a", "after": "7d ago" }),
        json!({ "last": "a", "within": "5m", "before": "2026-01-31" }),
        json!({ "stopped": "a", "within": "30d" }),
        json!({ "restarted": "a", "quiet": "30d" }),
        json!({ "regularly": "a", "at least": 3, "of last": "7 months" }),
        json!({ "sum": "p", "of": "a", "within": "5m" }),
        json!({ "distinct": "p", "of": "a", "within": "5m", "is": "> 3" }),
        json!({ "latest": "p", "of": "a", "within": "5m", "is": "x", "nth": 0 }),
        json!({ "person": { "p": { "before": "soon" } } }),
        json!({ "person": { "p": { "after": "-7d" } } }),
        json!({ "person": { "p": { "at": "7d ago" } } }),
        json!({ "person": { "p": { "version": 1.2 } } }),
        json!({ "person": { "p": { "version": "new" } } }),
        json!({ "person": { "p": { "not between": [1] } } }),
        json!({ "sequence": [{ "did": "a" }], "within": "5m" }),
        json!({ "sequence": [{ "did": "a", "after": "<= 1m" }, { "did": "b" }], "within": "5m" }),
    ];
    for members in wrong {
        let cohort = json!({ "members": members });
        assert!(!schema.is_valid(&cohort), "accepted: {cohort}");
    }
    for example in [json!({ "events": [] }), json!({ "in": "yes" }), json!({ "in": true, "on": 1 })]
    {
        let cohort = json!({ "members": { "cohort": "x" }, "examples": [example] });
        assert!(!schema.is_valid(&cohort), "accepted: {cohort}");
    }
}
