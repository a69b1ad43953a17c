//! Explanations over HTTP: what isn't known, what will be, and positions.

use axum::body::Body;
use axum::http::Request;
use schemas::lookup::Coverage;
use schemas::unknown::Unknown;
use serde_json::{Value, json};

use crate::memory::FOLD_MS;
use crate::shop::{Answer, NOON_MS, Shop};

const MINUTE_MS: i64 = 60_000;

fn ask(shop: &Shop, query: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::get(format!("/api/explain?{query}"));
    let request = request.header("authorization", "Bearer phs_shop");
    let named = headers.iter();
    let request = named.fold(request, |request, (name, value)| request.header(*name, *value));
    shop.send(request.body(Body::empty()).expect("a request"))
}

fn offer(shop: &Shop) -> Value {
    ask(shop, "flag=offer&distinct_id=ann", &[]).json()
}

fn cover(shop: &Shop, coverage: Coverage) {
    shop.state().coverage.values_mut().for_each(|of| *of = coverage);
}

#[test]
fn what_is_being_filled_says_how_far() {
    let shop = Shop::open();
    cover(&shop, Coverage::Filling { percent: 40 });
    let explained = offer(&shop);
    let is = &explained["is"];
    assert_eq!((&is["failed"], &is["reason"]["code"]), (&json!(true), &json!("condition_filling")));
    let adds = &explained["cohorts"][0]["members"]["all"][0];
    assert_eq!(
        (&adds["truth"], &adds["why"]["code"]),
        (&json!("unknown"), &json!("condition_filling"))
    );
    assert_eq!(adds["seen"][0]["coverage"], json!({ "state": "filling", "percent": 40 }));
    assert_eq!(adds["seen"][0]["number"]["at_most"], Value::Null);
    assert_eq!(explained["changes"]["next"], Value::Null, "no clock ends it");
}

/// The log has a minute: whoever added three times is known not to have bought in four.
#[test]
fn what_becomes_known_by_the_clock_is_a_change() {
    let shop = Shop::open();
    shop.at(-10);
    (0..3).for_each(|number| shop.did("ann", "added to cart", -10 - number));
    cover(&shop, Coverage::Since(NOON_MS - MINUTE_MS));
    shop.at(0);
    let explained = offer(&shop);
    assert_eq!(explained["is"]["reason"]["code"], "coverage_incomplete");
    let next = &explained["changes"]["next"];
    assert_eq!(next["in_ms"], 4 * MINUTE_MS);
    assert_eq!((&next["to"]["failed"], &next["to"]["value"]), (&json!(false), &json!(true)));
    let flag_in = |after_ms| {
        shop.at(after_ms);
        shop.flag("ann", "offer")
    };
    assert_eq!(flag_in(4 * MINUTE_MS - 1)["failed"], true);
    assert_eq!(flag_in(4 * MINUTE_MS)["enabled"], true);
}

#[test]
fn it_waits_for_a_position_as_flags_do() {
    let shop = Shop::open();
    shop.state().folds_late = true;
    (0..3).for_each(|number| shop.did("ann", "added to cart", -number));
    assert_eq!(offer(&shop)["is"]["value"], false);
    let query = "flag=offer&distinct_id=ann";
    let late = ask(&shop, query, &[("sluice-position", "0:3"), ("sluice-wait-ms", "0")]).json();
    assert_eq!(late["unknown"]["code"], "position_not_reached");
    let answer = ask(&shop, query, &[("sluice-position", "0:3"), ("sluice-wait-ms", "5000")]);
    assert_eq!(answer.header("sluice-position"), Some("0:3,2:7"));
    let explained = answer.json();
    assert_eq!(explained["is"]["value"], true);
    assert_eq!(explained["evaluatedAt"], NOON_MS + FOLD_MS);
    assert_eq!(explained["position"], json!({ "0": 3, "2": 7 }));
    let wrong = ask(&shop, query, &[("sluice-position", "three")]);
    assert_eq!(wrong.status, 400, "{wrong:?}");
}

/// Until an edit is filled, what was before the edit answers, and is what is told.
#[test]
fn an_edit_that_is_being_filled_is_told() {
    let compiled = |members: &str| {
        let cohort =
            format!("members: {{ all: [ {{ did: added to cart, within: 5m }}{members} ] }}\n");
        Shop::compiled(&[
            ("shop/cohorts/hesitating.yaml", &cohort),
            ("shop/flags/offer.yaml", "rules:\n  - when: { cohort: hesitating }\n"),
        ])
    };
    let (shop, before) = (Shop::open(), compiled(""));
    let known = before.only_project().expect("one project").matchers[0].id;
    let edited = compiled(", { did: searched, within: 5m }");
    shop.state().saved = Some(edited.standing_on(&before, |matcher| matcher == known));
    let asked = |about: &str| {
        // Whoever waits sees what is saved meanwhile.
        let wait = [("sluice-position", "0:99"), ("sluice-wait-ms", "0")];
        ask(&shop, &format!("{about}&distinct_id=ann"), &wait).json()
    };
    for about in ["flag=offer", "cohort=hesitating"] {
        let explained = asked(about);
        assert_eq!(explained["earlier_definitions"], true, "{explained:#}");
        let members = &explained["cohorts"][0]["members"]["all"];
        assert_eq!(members.as_array().expect("a list").len(), 1, "{explained:#}");
    }
    shop.did("ann", "added to cart", 0);
    assert_eq!(offer(&shop)["is"]["value"], true, "she needn't have searched yet");
}

/// Of each matcher that is asked: what for, which event, how many of its hits, and from when on.
#[test]
fn a_condition_tells_which_events_it_looks_at() {
    let ago = |members: &str| format!("members: {members}\n");
    let project = "token: phc_shop\nsecrets: [ phs_shop ]\n";
    let shop = Shop::with(&[
        ("shop/project.yaml", project),
        ("shop/cohorts/first.yaml", &ago("{ first: a, within: 1h }")),
        ("shop/cohorts/last.yaml", &ago("{ last: a, within: 1h }")),
        ("shop/cohorts/before.yaml", &ago("{ last: a, ago: '>= 1h' }")),
        (
            "shop/cohorts/steps.yaml",
            &ago("{ sequence: [ { did: a }, { did: b } ], within: 1h, without: { did: c } }"),
        ),
    ]);
    ["a", "a", "b"].iter().zip(0..).for_each(|(event, after_ms)| shop.did("ann", event, after_ms));
    shop.at(MINUTE_MS);
    let seen = |cohort: &str| {
        let explained = ask(&shop, &format!("cohort={cohort}&distinct_id=ann"), &[]).json();
        let seen = explained["cohorts"][0]["members"]["seen"].clone();
        let seen = seen.as_array().expect("a list").clone();
        let told = seen.iter().map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            format!("{}: {} {}", text("role"), text("event"), one["in_all"])
        });
        (told.collect::<Vec<_>>(), seen[0]["after"].is_null())
    };
    assert_eq!(seen("first"), (vec!["first: a 1".to_owned()], false));
    assert_eq!(seen("last"), (vec!["last: a 1".to_owned()], false));
    assert_eq!(seen("before"), (vec!["last: a 0".to_owned()], true));
    let steps = ["step 1: a 2", "without, before step 2: c 0", "step 2: b 1"].map(str::to_owned);
    assert_eq!(seen("steps"), (steps.to_vec(), false));
    let shop = Shop::open();
    let number =
        || offer(&shop)["cohorts"][0]["members"]["all"][0]["seen"][0]["number"]["said"].clone();
    assert_eq!(number(), "0");
    shop.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!(number(), Value::Null, "it isn't known");
}

/// What lies outside isn't missing, whatever the log lacks.
#[test]
fn what_counts_between_dates_is_told_with_them() {
    let members = "members: { did: a, after: '2023-11-14 22:00', before: '2023-11-14 22:13:20', \
                   count: '>= 2' }\n";
    let steps = "members: { sequence: [ { did: a }, { did: b } ], after: '2023-11-14 22:00' }\n";
    let shop = Shop::with(&[
        ("shop/project.yaml", "token: phc_shop\nsecrets: [ phs_shop ]\n"),
        ("shop/cohorts/once.yaml", members),
        ("shop/cohorts/steps.yaml", steps),
    ]);
    [-1_000_000, -1, 0].iter().for_each(|ms| shop.did("ann", "a", *ms));
    cover(&shop, Coverage::Since(NOON_MS - 800_000));
    let asked = |cohort: &str| {
        let explained = ask(&shop, &format!("cohort={cohort}&distinct_id=ann"), &[]).json();
        explained["cohorts"][0]["members"].clone()
    };
    let (once, seen) = (asked("once"), &asked("once")["seen"][0]);
    let (after, before) = ("2023-11-14T22:00:00Z", "2023-11-14T22:13:20Z");
    let said = format!("the count of `a` after {after} and before {before} >= 2");
    assert_eq!((&once["events"], &once["truth"]), (&json!(said), &json!("false")), "{once:#}");
    assert_eq!((&seen["in_all"], &seen["number"]["said"]), (&json!(1), &json!("1")), "{seen:#}");
    let ends = (&json!("2023-11-14T22:00:00.000Z"), &json!("2023-11-14T22:13:19.999Z"));
    assert_eq!((&seen["after"], &seen["until"]), ends, "{seen:#}");
    assert_eq!(asked("steps")["events"], format!("`a`, then `b` after {after}"));
    cover(&shop, Coverage::Since(NOON_MS - 799_999));
    assert_eq!(asked("once")["seen"][0]["number"]["said"], "1 or more");
}

#[test]
fn what_the_request_says_of_the_person_wins() {
    let shop = Shop::open();
    let person = |query: &str| {
        let explained = ask(&shop, query, &[]).json();
        let when = &explained["rules"][0]["when"];
        let node = when["all"].get(0).unwrap_or(when);
        (node["truth"].clone(), node["source"].clone(), node["value"].clone())
    };
    let missing = (json!("false"), json!("missing"), Value::Null);
    assert_eq!(person("flag=pro&distinct_id=ann"), missing);
    let given = "flag=pro&distinct_id=ann&person_properties=%7B%22plan%22%3A%22PRO%22%7D";
    assert_eq!(person(given), (json!("true"), json!("request"), json!("PRO")));
    shop.state().unknown = Some(Unknown::CatchingUp);
    assert_eq!(person("flag=pro&distinct_id=ann").1, "unknown");
}

/// Asking why isn't checking a flag, and a key that isn't there is no unknown path.
#[test]
fn it_is_counted_for_itself() {
    let shop = Shop::open();
    offer(&shop);
    assert_eq!(ask(&shop, "flag=none&distinct_id=ann", &[]).status, 404);
    let metrics = shop.ask(axum::http::Method::GET, "/metrics").text();
    for line in [
        "sluice_http_answers_total{route=\"api\",status=\"200\"} 1",
        "sluice_http_answers_total{route=\"api\",status=\"404\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} isn't in\n{metrics}");
    }
    let mut checks = metrics.lines().filter(|line| line.starts_with("sluice_flag_checks_total{"));
    assert!(checks.all(|line| line.ends_with(" 0")), "{metrics}");
}

/// A date that is told moves no more, and "seven days ago" does.
#[test]
fn a_trial_tells_when_it_ends() {
    let trial = "rules:\n  - when: { person: { signed_up: { after: 7d ago } } }\n";
    let project = "token: phc_shop\nsecrets: [ phs_shop ]\n";
    let shop = Shop::with(&[("shop/project.yaml", project), ("shop/flags/trial.yaml", trial)]);
    let signed_up = json!({ "event": "$set", "distinct_id": "ann",
        "timestamp": NOON_MS, "properties": { "$set": { "signed_up": NOON_MS / 1_000 } } });
    let batch = json!({ "api_key": crate::shop::TOKEN, "batch": [signed_up] });
    assert_eq!(shop.post("/batch/", &batch).status, 200);
    shop.at(MINUTE_MS);
    let explained = ask(&shop, "flag=trial&distinct_id=ann", &[]).json();
    assert_eq!(explained["is"]["value"], true);
    let next = &explained["changes"]["next"];
    assert_eq!(
        (&next["in_ms"], &next["to"]["value"]),
        (&json!((7 * 24 * 60 - 1) * MINUTE_MS), &json!(false))
    );
}
