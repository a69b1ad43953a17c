//! Stories of a team that comes from PostHog: its definitions become files, and answer the same.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::conformance::{complaints, schema_of};
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{Setup, check, run};
use crate::shop::{TOKEN, adds};

/// An offer for those who added three times, and a feature for a third of those who pay.
fn body() -> Value {
    let adds = json!({ "type": "behavioral", "key": "added to cart", "event_type": "events",
        "value": "performed_event_multiple", "operator": "gte", "operator_value": 3,
        "time_value": 5, "time_interval": "minute" });
    let flag = |id: i64, key: &str, filter: Value, percent: f64| {
        let group = json!({ "properties": [filter], "rollout_percentage": percent });
        json!({ "id": id, "key": key, "name": key, "active": true, "version": 3,
            "filters": { "groups": [group], "payloads": { "true": "{\"text\": \"hello\"}" } } })
    };
    let pays = json!({ "type": "person", "key": "plan", "operator": "exact", "value": ["pro"] });
    let hesitates = json!({ "type": "cohort", "key": "id", "value": 7, "operator": "in" });
    json!({
        "flags": [flag(1, "bargain", hesitates, 100.0), flag(2, "third", pays, 33.3)],
        "cohorts": {
            "7": { "type": "AND", "values": [{ "type": "AND", "values": [adds] }] },
            "8": { "is_static": true, "name": "Friends" },
        },
        "group_type_mapping": { "0": "company" },
        "minimal_flag_called_events": true,
    })
}

fn import(file: &Path, into: &Path, project: &str) -> (bool, String) {
    let path = |path: &Path| path.to_str().expect("a path of letters").to_owned();
    let (file, into) = (path(file), path(into));
    let named = ["--project", project, "--token", TOKEN, "--into", into.as_str()];
    run(&[&["import", "posthog", file.as_str()], &named[..]].concat())
}

#[test]
fn an_imported_project_answers_as_its_json_does() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (file, into) = (home.path().join("posthog.json"), home.path().join("definitions"));
    fs::write(&file, body().to_string()).expect("the body is saved");
    let (done, said) = import(&file, &into, "imported");
    assert!(done, "{said}");
    assert!(said.contains("2 flags and 2 cohorts, of which 1 are in Sluice's words"), "{said}");
    assert!(said.contains("- cohort 8: PostHog's definitions don't say who is in"), "{said}");
    let (content, said) = check(&into);
    assert!(content, "{said}");

    let mut setup = Setup::embedded();
    for (path, kind) in [
        ("project.yaml", "project"),
        ("cohorts/7.yaml", "cohort"),
        ("cohorts/8.yaml", "cohort"),
        ("flags/bargain.yaml", "flag"),
        ("flags/third.yaml", "flag"),
    ] {
        let text = fs::read_to_string(into.join("imported").join(path)).expect(path);
        let value: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(complaints(&schema_of(kind), &value), Vec::<String>::new(), "{text}");
        setup = setup.define(path, &text);
    }
    let mut dice = Dice::new(190);
    let theirs = Setup::embedded().define("posthog.json", &body().to_string()).start();
    let ours = setup.start();
    let adds = adds("ann", 3, now_ms(), &mut dice);
    let asked = |server: &crate::harness::Server, who: &str| {
        let request = json!({ "token": TOKEN, "distinct_id": who, "person_properties":
            { "plan": "pro" }, "flag_keys": ["bargain", "third"] });
        server.client.post("/flags/?v=2", &request).json()["flags"].clone()
    };
    for server in [&theirs, &ours] {
        server.client.capture(&adds);
        assert_eq!(asked(server, "ann")["bargain"]["enabled"], json!(true));
    }
    let mut third = 0;
    for who in (0..60).map(|number| format!("visitor {number}")).chain(["ann".to_owned()]) {
        let (theirs, ours) = (asked(&theirs, &who), asked(&ours, &who));
        assert_eq!(ours, theirs, "{who}");
        third += usize::from(ours["third"]["enabled"] == json!(true));
    }
    assert!((10..30).contains(&third), "{third} of 61");
}

#[test]
fn what_cannot_be_imported_is_told_and_nothing_is_written() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (file, into) = (home.path().join("posthog.json"), home.path().join("definitions"));
    let refused = |project: &str, words: &str| {
        let (done, said) = import(&file, &into, project);
        assert!(!done && said.contains(words), "{said}");
    };
    refused("shop", "No such file");
    fs::write(&file, "{ \"flags\": 7 }").expect("a file");
    refused("shop", "it has no `flags` (save that body here");
    fs::write(&file, body().to_string()).expect("a file");
    refused("../shop", "can't name a folder");
    assert!(!into.exists());
    assert!(import(&file, &into, "shop").0);
    fs::write(into.join("shop/project.yaml"), "token: phc_mine\n").expect("an edit");
    refused("shop", "is there already");
    let kept = fs::read_to_string(into.join("shop/project.yaml")).expect("the edit");
    assert_eq!(kept, "token: phc_mine\n");
}
