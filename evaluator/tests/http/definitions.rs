//! Definitions as SDKs poll them, to decide flags by themselves.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::shop::{Answer, SECRET, Shop};

const PATH: &str = "/flags/definitions?token=phc_shop&send_cohorts";

fn of_posthog(body: &Value) -> Shop {
    Shop::with(&[("shop/posthog.json", &body.to_string())])
}

fn poll(shop: &Shop, headers: &[(&str, &str)]) -> Answer {
    let request = Request::get(PATH).header(SECRET.0, SECRET.1);
    let headers = headers.iter();
    let request = headers.fold(request, |request, (name, value)| request.header(*name, *value));
    shop.send(request.body(Body::empty()).expect("a request"))
}

fn feed(shop: &Shop) -> Value {
    poll(shop, &[]).json()
}

/// The filters of the only rule of a flag that is written in YAML.
fn said(when: &str, more: &[(&str, &str)]) -> Value {
    let flag = format!("rules:\n  - when: {when}\n");
    let mut files = vec![("shop/flags/f.yaml", flag.as_str())];
    files.extend(more);
    let told = feed(&Shop::with(&files));
    let mut flags = told["flags"].as_array().expect("flags").iter();
    let flag = flags.find(|flag| flag["key"] == "f").expect("the flag");
    flag["filters"]["groups"][0]["properties"].clone()
}

/// What no SDK can decide.
fn asks() -> Value {
    json!({ "key": "id", "type": "cohort", "operator": "in", "value": i32::MAX })
}

fn person(key: &str, operator: &str, value: Value) -> Value {
    json!({ "key": key, "type": "person", "operator": operator, "value": value })
}

#[test]
fn whoever_knows_the_definitions_is_told_no_more() {
    let shop = Shop::open();
    let first = poll(&shop, &[("origin", "https://shop.example")]);
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("cache-control"), Some("private, must-revalidate"));
    assert_eq!(first.header("access-control-allow-origin"), None, "browsers don't ask for this");
    let weak = first.header("etag").expect("an etag").to_owned();
    let bare = weak.strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"'));
    let bare = bare.expect("a weak tag in quotes");
    let quoted = format!("\"{bare}\"");
    let among = format!("\"older\", {weak}");
    for known in [&weak, bare, &quoted, &among] {
        let answer = poll(&shop, &[("if-none-match", known)]);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), Some(weak.as_str()));
        assert_eq!(answer.header("cache-control"), Some("private, must-revalidate"));
    }
    assert_eq!(poll(&shop, &[("if-none-match", "W/\"older\"")]).status, 200);
    // The tag is the body's, whoever serves it, and not that of another body.
    assert_eq!(poll(&Shop::open(), &[]).header("etag"), Some(weak.as_str()));
    assert_ne!(poll(&Shop::with(&[]), &[]).header("etag"), Some(weak.as_str()));
}

#[test]
fn older_sdks_know_another_address() {
    let shop = Shop::open();
    let told = poll(&shop, &[]).text();
    for path in [
        "/flags/definitions/",
        "/api/feature_flag/local_evaluation",
        "/api/feature_flag/local_evaluation/",
    ] {
        let answer = shop.ask_privately(&format!("{path}?token=phc_shop&send_cohorts"));
        assert_eq!((answer.status, answer.text()), (200, told.clone()), "{path}");
        assert_eq!(shop.ask(Method::POST, path).status, 405, "{path}");
    }
    let counted = shop.ask(Method::GET, "/metrics").text();
    assert!(counted.contains(r#"answers_total{route="definitions",status="200"} 4"#), "{counted}");
}

#[test]
fn only_the_projects_secret_opens_its_definitions() {
    let other = "token: phc_zoo\nsecrets: [ phs_zoo ]\n";
    let shop = Shop::open_beside(&[("zoo/project.yaml", other)]);
    for (query, secret, status, code) in [
        ("", "Bearer phs_shop", 401, "not_authenticated"),
        ("?token=", "Bearer phs_shop", 401, "not_authenticated"),
        ("?token=phc_other", "Bearer phs_shop", 401, "authentication_failed"),
        ("?token=phc_shop", "", 401, "not_authenticated"),
        ("?token=phc_shop", "phs_shop", 401, "not_authenticated"),
        ("?token=phc_shop", "Bearer ", 401, "authentication_failed"),
        ("?token=phc_shop", "Bearer phc_shop", 401, "authentication_failed"),
        ("?token=phc_shop", "Bearer phs_zoo", 403, "permission_denied"),
        ("?token=phc_zoo", "Bearer phs_shop", 403, "permission_denied"),
        ("?token=phc_shop", "Bearer phs_shop", 200, ""),
        ("?token=phc_zoo", "Bearer phs_zoo", 200, ""),
    ] {
        let request = Request::get(format!("/flags/definitions{query}"));
        let request = match secret {
            "" => request,
            secret => request.header("authorization", secret),
        };
        let answer = shop.send(request.body(Body::empty()).expect("a request"));
        assert_eq!(answer.status, status, "{query} {secret}: {}", answer.text());
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        if status != 200 {
            assert_eq!(body["type"], "authentication_error", "{query} {secret}");
            assert_eq!(body["code"], code, "{query} {secret}");
            assert!(body["detail"].is_string() && body["attr"].is_null(), "{body}");
        }
    }
}

#[test]
fn posthogs_flags_are_served_as_they_came() {
    let flag = |key: &str| {
        json!({ "id": 7, "team_id": 2, "name": "", "key": key, "active": true, "deleted": false,
            "filters": { "groups": [{ "properties": [], "sort_key": "x" }], "unheard": [1.0] },
            "version": 3, "something_new": { "a": null } })
    };
    let (plain, mut inactive, mut gone) = (flag("a-plain"), flag("b-inactive"), flag("c-gone"));
    inactive["active"] = json!(false);
    gone["deleted"] = json!(true);
    let types = json!({ "0": "company", "1": "project" });
    for (version, told) in [(json!(2), 2), (json!(1), 1), (json!(null), 1)] {
        let told_all = feed(&of_posthog(&json!({
            "flags": [plain, inactive, gone], "group_type_mapping": types, "cohorts": {},
            "property_matching_version": version,
        })));
        assert_eq!(told_all["flags"], json!([plain, inactive]));
        assert_eq!(told_all["group_type_mapping"], types);
        assert_eq!(told_all["cohorts"], json!({}));
        assert_eq!(told_all["property_matching_version"], told);
    }
    assert_eq!(feed(&Shop::with(&[]))["property_matching_version"], 2);
}

#[test]
fn a_flag_that_depends_on_others_says_in_which_order() {
    let on = |key: Value| {
        let operator = "flag_evaluates_to";
        json!({ "key": key, "type": "flag", "operator": operator, "value": true })
    };
    let flag = |id: i64, key: &str, active: bool, named: &[Value]| {
        let properties: Vec<Value> = named.iter().map(|key| on(key.clone())).collect();
        json!({ "id": id, "key": key, "active": active,
            "filters": { "groups": [{ "properties": properties, "rollout_percentage": 100 }] } })
    };
    let told = feed(&of_posthog(&json!({ "flags": [
        flag(1, "base", true, &[]),
        flag(2, "middle", true, &[json!("base"), json!("off")]),
        flag(3, "top", true, &[json!("2"), json!(1), json!("off")]),
        flag(4, "off", false, &[json!("nothing")]),
        flag(5, "lost", true, &[json!("nothing"), json!("base")]),
        flag(6, "round", true, &[json!("about")]),
        flag(7, "about", true, &[json!("round")]),
        flag(8, "above", true, &[json!("round")]),
    ] })));
    let chains = |key: &str| {
        let flag = told["flags"].as_array().expect("flags").iter().find(|flag| flag["key"] == key);
        let filters = flag.expect("the flag")["filters"]["groups"][0]["properties"].clone();
        let filters = filters.as_array().expect("filters").iter();
        let told = filters.map(|f| json!([f["key"], f["dependency_chain"]]));
        Value::Array(told.collect())
    };
    assert_eq!(chains("middle"), json!([["base", ["base"]], ["off", ["off"]]]));
    let top = json!([["middle", ["off", "base", "middle"]], ["base", ["base"]], ["off", ["off"]]]);
    assert_eq!(chains("top"), top);
    assert_eq!(chains("lost"), json!([["nothing", []], ["base", []]]));
    assert_eq!(chains("round"), json!([["about", []]]));
    assert_eq!(chains("above"), json!([["round", []]]));
}

#[test]
fn a_cohort_that_no_sdk_reads_as_we_do_is_left_out() {
    let clicked = json!({ "key": "clicked", "type": "behavioral", "event_type": "events",
        "value": "performed_event", "time_value": 7, "time_interval": "day" });
    let pro = json!({ "key": "plan", "type": "person", "value": "pro" });
    let of = |id: i64| json!({ "key": "id", "type": "cohort", "value": id });
    let all = |values: &[Value]| json!({ "type": "AND", "values": values });
    let any = |values: &[Value]| json!({ "type": "OR", "values": values });
    let not = |mut leaf: Value| {
        leaf["negation"] = json!(true);
        leaf
    };
    let exactly = |mut leaf: Value| {
        leaf["operator"] = json!("exact");
        leaf
    };
    let pros = all(std::slice::from_ref(&pro));
    let cohorts = [
        ("1", any(std::slice::from_ref(&pros)), true, "properties"),
        ("2", any(&[all(&[pro.clone(), clicked])]), false, "an event"),
        ("3", all(&[of(2)]), false, "a cohort with an event"),
        ("4", all(&[of(3), pro.clone()]), false, "further away"),
        ("5", all(&[not(of(1))]), true, "not in a cohort"),
        ("6", any(&[not(of(1))]), false, "a negation that our OR ignores"),
        ("7", all(&[exactly(of(1))]), false, "an operator that matches nobody"),
        ("8", all(&[]), false, "nothing, which SDKs take for everybody"),
        ("9", all(&[any(&[]), pros.clone()]), false, "nothing inside"),
        ("10", all(&[of(99)]), false, "a cohort that isn't there"),
        ("11", all(&[of(12)]), false, "a circle"),
        ("12", all(&[of(11)]), false, "a circle"),
        ("13", all(&[pro.clone(), pros]), false, "leaves among groups"),
        ("14", json!({ "is_static": true, "filters": null }), false, "a static one"),
        ("15", json!({ "filters": { "properties": any(&[not(pro.clone())]) } }), true, "wrapped"),
        ("2147483647", all(&[pro]), false, "the id that is never there"),
    ];
    let all: Value = cohorts.iter().map(|(id, cohort, ..)| json!([id, cohort])).collect();
    let all = all.as_array().expect("a list").iter();
    let all = all.map(|pair| (pair[0].as_str().expect("an id").to_owned(), pair[1].clone()));
    let told = feed(&of_posthog(&json!({ "flags": [], "cohorts": Value::Object(all.collect()) })));
    for (id, cohort, is_told, what) in cohorts {
        let group = cohort.pointer("/filters/properties").unwrap_or(&cohort);
        assert_eq!(told["cohorts"].get(id), is_told.then_some(group), "{what}");
    }
}

#[test]
fn a_flag_of_yaml_is_one_of_posthogs() {
    let flag = "description: A banner.\nactive: false\n\
        variants: { control: 33.3%, banner: 66.7% }\npayloads: { banner: { text: Free } }\n\
        rules:\n  - { rollout: 12.5%, variant: banner }\n";
    let told = feed(&Shop::with(&[("shop/flags/f.yaml", flag)]));
    let id = told["flags"][0]["id"].clone();
    let expected = json!([{
        "id": id, "team_id": 0, "name": "A banner.", "key": "f",
        "filters": {
            "groups": [{ "properties": [], "rollout_percentage": 12.5, "variant": "banner" }],
            "multivariate": { "variants": [
                { "key": "control", "name": "", "rollout_percentage": 33.3 },
                { "key": "banner", "name": "", "rollout_percentage": 66.7 },
            ] },
            "payloads": { "banner": r#"{"text":"Free"}"# },
        },
        "deleted": false, "active": false, "ensure_experience_continuity": false, "version": 1,
        "evaluation_runtime": "all", "evaluation_contexts": [],
        "bucketing_identifier": "distinct_id", "has_experiment": false,
    }]);
    assert!(id.as_i64().is_some_and(|id| id > 0));
    assert_eq!(told["flags"], expected);
}

/// As PostHog writes them: posthog-go refuses the whole body for one `100.0`.
#[test]
fn a_whole_percentage_is_told_as_one() {
    let flag = "variants: { control: 50%, banner: 49.5%, none: 0.5% }\n\
        rules: [ { rollout: 100% }, { rollout: 0% }, { rollout: 0.5% }, { rollout: 12.5% } ]\n";
    let told = feed(&Shop::with(&[("shop/flags/f.yaml", flag)]));
    let filters = &told["flags"][0]["filters"];
    let percentages = |of: &Value| -> Vec<Value> {
        let each = of.as_array().expect("a list").iter();
        each.map(|member| member["rollout_percentage"].clone()).collect()
    };
    let groups = [json!(100), json!(0), json!(0.5), json!(12.5)];
    assert_eq!(percentages(&filters["groups"]), groups);
    let variants = [json!(50), json!(49.5), json!(0.5)];
    assert_eq!(percentages(&filters["multivariate"]["variants"]), variants);
}

#[test]
fn what_posthog_can_say_is_said() {
    for (when, filters) in [
        (
            "{ person: { plan: [Pro, team] } }",
            json!([person("plan", "exact", json!(["pro", "team"]))]),
        ),
        ("{ person: { plan: '!= pro' } }", json!([person("plan", "is_not", json!(["pro"]))])),
        ("{ person: { vip: true } }", json!([person("vip", "exact", json!(["true"]))])),
        ("{ person: { age: '> 17' } }", json!([person("age", "gt", json!(17.0))])),
        ("{ person: { age: '<= 17' } }", json!([person("age", "lte", json!(17.0))])),
        (
            "{ person: { mail: { contains: '@A.b' } } }",
            json!([person("mail", "icontains", json!("@a.b"))]),
        ),
        (
            "{ person: { mail: { does not start with: a } } }",
            json!([person("mail", "not_starts_with", json!("a"))]),
        ),
        (
            "{ person: { mail: { ends with: b } } }",
            json!([person("mail", "ends_with", json!("b"))]),
        ),
        (
            "{ person: { mail: { matches: '^a+$' } } }",
            json!([person("mail", "regex", json!("^a+$"))]),
        ),
        (
            "{ person: { plan: { set: false } } }",
            json!([person("plan", "is_not_set", json!("is_not_set"))]),
        ),
        ("{ cohort: paying }", json!([person("plan", "exact", json!(["pro"]))])),
    ] {
        let paying = ("shop/cohorts/paying.yaml", "members: { person: { plan: pro } }\n");
        assert_eq!(said(when, &[paying]), filters, "{when}");
    }
}

#[test]
fn what_posthog_cannot_say_is_asked_before_anything_else() {
    let hesitating = ("shop/cohorts/hesitating.yaml", "members: { did: purchase, within: 5m }\n");
    for when in [
        "{ did: purchase, within: 5m }",
        "{ not: { did: purchase, within: 5m } }",
        "{ cohort: hesitating }",
        "{ not: { cohort: hesitating } }",
        "{ any: [ { person: { plan: pro } }, { person: { plan: team } } ] }",
        "{ person: { age: 17 } }",
        "{ person: { born: { after: 2020-01-01 } } }",
        "{ person: { app: { version: '> 1.2' } } }",
        "{ person: { age: { between: [1, 2] } } }",
        "{ person: { mail: { contains: [a, b] } } }",
        "{ not: { person: { plan: pro } } }",
    ] {
        assert_eq!(said(when, &[hesitating]), json!([asks()]), "{when}");
        // What can be said may still rule the rule out.
        let both = format!("{{ all: [ {{ person: {{ vip: 'yes' }} }}, {when} ] }}");
        let vip = person("vip", "exact", json!(["yes"]));
        assert_eq!(said(&both, &[hesitating]), json!([asks(), vip]), "{when}");
    }
    // PostHog has no payload of one rule alone.
    let paid = "rules:\n  - { rollout: 50%, payload: 7 }\n";
    let told = feed(&Shop::with(&[("shop/flags/f.yaml", paid)]));
    assert_eq!(told["flags"][0]["filters"]["groups"][0]["properties"], json!([asks()]));
    // Where `exact` compares truthiness, YAML's `true` means something else.
    let body = json!({ "flags": [], "property_matching_version": 1 }).to_string();
    let imported = [("shop/posthog.json", body.as_str())];
    assert_eq!(said("{ person: { vip: true } }", &imported), json!([asks()]));
    assert_eq!(said("{ person: { vip: 'yes' } }", &imported)[0]["operator"], "exact");
}
