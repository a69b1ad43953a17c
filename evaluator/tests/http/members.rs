//! Who is in a cohort: listed page by page, counted, asked before it is saved.

use axum::http::Method;
use schemas::scan::Unheld;
use serde_json::{Value, json};

use crate::shop::{NOON_MS, SECRET, Shop};

/// A shop in which every third of so many visitors hesitates.
fn visited(visitors: i64) -> Shop {
    let shop = Shop::open();
    for number in 0..visitors {
        let adds = if number % 3 == 0 { 3 } else { 2 };
        (0..adds).for_each(|at| shop.did(&format!("visitor-{number:03}"), "added to cart", at));
    }
    shop.at(1_000);
    shop
}

fn hesitating() -> String {
    "{ members: { all: [ { did: added to cart, count: '>= 3', within: 5m } ] } }".to_owned()
}

/// Every member's id, page by page of so many.
fn pages(mut page: impl FnMut(&str) -> Value, limit: usize) -> Vec<String> {
    let mut listed = Vec::new();
    let mut after = String::new();
    loop {
        let told = page(&format!("?limit={limit}&after={after}"));
        let members = told["members"].as_array().expect("a list").clone();
        assert!(members.len() <= limit);
        assert_eq!(told["count"], members.len());
        listed.extend(members.iter().map(|member| {
            assert_eq!(member["distinctIds"], json!([member["distinctId"]]));
            member["distinctId"].as_str().expect("text").to_owned()
        }));
        match told["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return listed,
        }
    }
}

#[test]
fn pages_have_everybody_once_and_as_many_as_are_counted() {
    let shop = visited(50);
    let expected: Vec<String> = (0..50).step_by(3).map(|n| format!("visitor-{n:03}")).collect();
    let listed = pages(
        |query| shop.ask_privately(&format!("/api/cohorts/hesitating/members{query}")).json(),
        7,
    );
    assert_eq!(listed, expected);
    let counted = shop.ask_privately("/api/cohorts/hesitating/count").json();
    let told = json!({
        "project": "shop", "cohort": "hesitating", "now": NOON_MS + 1_000,
        "positionBefore": "0:117,2:7", "positionAfter": "0:117,2:7",
        "count": 17, "unknown": 0, "unknownReasons": {}, "scanned": 50, "next": null,
    });
    assert_eq!(counted, told);
}

/// All pages are about the instant of the first, whenever they are asked for.
#[test]
fn a_list_is_about_one_instant() {
    let shop = visited(9);
    let path = "/api/cohorts/hesitating/members?limit=1";
    let first = shop.ask_privately(path).json();
    shop.at(600_000);
    let next = first["next"].as_str().expect("more");
    let second = shop.ask_privately(&format!("{path}&after={next}")).json();
    assert_eq!(second["now"], first["now"]);
    assert_eq!(second["members"][0]["distinctId"], "visitor-003");
    assert_eq!(shop.ask_privately(path).json()["members"], json!([]), "anew, nobody is in");
}

#[test]
fn a_list_that_cannot_be_held_is_begun_anew() {
    let shop = visited(1);
    for (unheld, status, code) in
        [(Unheld::Lapsed, 410, "list_lapsed"), (Unheld::TooMany, 503, "busy")]
    {
        shop.state().unheld = Some(unheld);
        let answer = shop.ask_privately("/api/cohorts/hesitating/members");
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text().contains(code), "{answer:?}");
    }
}

#[test]
fn what_cannot_be_known_is_counted_by_its_reason() {
    let shop = visited(6);
    shop.state().coverage.clear();
    let told = shop.ask_privately("/api/cohorts/hesitating/count").json();
    assert_eq!(told["count"], 0);
    assert_eq!(told["unknown"], 6);
    assert_eq!(told["unknownReasons"], json!({ "condition_filling": 6 }));
}

#[test]
fn a_cohort_is_asked_before_it_is_saved() {
    let shop = visited(30);
    let post = |path: &str, body: String| shop.post_with(path, &[SECRET], body.into_bytes());
    let listed =
        pages(|query| post(&format!("/api/cohorts/members{query}"), hesitating()).json(), 4);
    assert_eq!(listed.len(), 10);
    let counted = post("/api/cohorts/count", hesitating()).json();
    assert_eq!((&counted["cohort"], &counted["count"]), (&Value::Null, &json!(10)));
    assert_eq!(counted["notKept"], json!([]));

    // Fewer than are kept are enough; another cohort may be named.
    let fewer = "{ members: { all: [ { did: added to cart, count: '= 2', within: 1m }, \
                 { not: { cohort: hesitating } } ] } }";
    assert_eq!(post("/api/cohorts/count", fewer.to_owned()).json()["count"], 20);

    // What nothing is kept for isn't known, unless the rest decides.
    for (condition, unknown) in [
        ("{ did: wished for, within: 5m }", 10),
        ("{ did: added to cart, count: '>= 9', within: 5m }", 10),
        ("{ did: added to cart, within: 30d }", 10),
        ("{ did: purchase, within: 5m }", 0),
    ] {
        let body = format!("{{ members: {{ all: [ {{ cohort: hesitating }}, {condition} ] }} }}");
        let told = post("/api/cohorts/count", body).json();
        assert_eq!((&told["count"], &told["unknown"]), (&json!(0), &json!(unknown)), "{condition}");
        if unknown > 0 {
            assert_eq!(told["unknownReasons"], json!({ "condition_not_kept": unknown }));
            let said = told["notKept"][0].as_str().expect("words");
            assert!(said.contains("wished for") || said.contains("added to cart"), "{said}");
        }
    }
}

#[test]
fn mistakes_in_a_cohort_are_told_with_place_and_fix() {
    let shop = visited(1);
    let body =
        "members:\n  all:\n    - { did: added to cart, within: 5 }\n    - { cohort: hesitatin }\n";
    for (body, line, fix) in [
        (body, 3, "5m"),
        ("members:\n  cohort: hesitatin\n", 2, "did you mean `hesitating`?"),
        ("", 0, ""),
        ("{ members: [", 0, ""),
    ] {
        let answer = shop.post_with("/api/cohorts/count", &[SECRET], body.as_bytes().to_vec());
        assert_eq!(answer.status, 400, "{answer:?}");
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let problem = &told["problems"][0];
        assert!(problem["line"].as_u64() >= Some(line), "{told}");
        assert!(problem["fix"].as_str().expect("text").contains(fix), "{told}");
    }
}

#[test]
fn whoever_may_not_ask_or_asks_wrong_is_told_so() {
    let shop = visited(4);
    for path in ["/api/cohorts/hesitating/members", "/api/cohorts/hesitating/count"] {
        assert_eq!(shop.ask(Method::GET, path).status, 401, "{path}");
    }
    let wrong = [("authorization", "Bearer phs_other")];
    let answer = shop.post_with("/api/cohorts/count", &wrong, b"nonsense".to_vec());
    assert_eq!(answer.status, 401);
    let answer = shop.ask_privately("/api/cohorts/hesitatin/count");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("did you mean `hesitating`?"), "{answer:?}");
    let page = shop.ask_privately("/api/cohorts/hesitating/members?limit=1").json();
    let next = page["next"].as_str().expect("more");
    for query in ["limit=0", "limit=1001", "limit=ten", "after=x", &format!("after={next}A")] {
        let answer = shop.ask_privately(&format!("/api/cohorts/hesitating/members?{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    // A cursor opens the list it was given for.
    let body = hesitating().into_bytes();
    let path = format!("/api/cohorts/members?after={next}");
    assert_eq!(shop.post_with(&path, &[SECRET], body).status, 400);
}

/// However deep it lies, and however often it is named: walked without a memory, forty cohorts that
/// each name the one before twice take 2^40 steps.
#[test]
fn a_cohort_that_asks_of_groups_is_neither_listed_nor_counted() {
    for (deepest, status) in
        [("{ group: { company: { plan: pro } } }", 400), ("{ person: { plan: pro } }", 200)]
    {
        let mut files = vec![(
            "shop/project.yaml".to_owned(),
            "token: phc_shop\nsecrets: [ phs_shop ]\n".to_owned(),
        )];
        files.push(("shop/cohorts/c0.yaml".to_owned(), format!("members: {deepest}\n")));
        for level in 1..=40 {
            let before = format!("{{ cohort: c{} }}", level - 1);
            let twice = format!("members: {{ all: [ {before}, {before} ] }}\n");
            files.push((format!("shop/cohorts/c{level}.yaml"), twice));
        }
        let files: Vec<_> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        let shop = Shop::with(&files);
        for path in ["/api/cohorts/c40/members", "/api/cohorts/c40/count"] {
            assert_eq!(shop.ask_privately(path).status, status, "{path}: {deepest}");
        }
    }
}
