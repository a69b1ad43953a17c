//! Stories of analysts who ask who is in a cohort, and how many.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::conformance::{complaints, schema_of};
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup, eventually};
use crate::oracle::{Oracle, Verdict};
use crate::rule::{Rule, Wanted};
use crate::shop::{MINUTE_MS, adds, purchase};

const SECRET: [(&str, &str); 1] = [("authorization", "Bearer phs_test")];
const PROJECT: &str = "token: phc_test\nsecrets: [phs_test]\n";
const PEOPLE: u64 = 300;
/// How long a new condition may take to be filled on a busy machine.
const FILLED_WITHIN: Duration = Duration::from_secs(60);

fn start() -> Server {
    Setup::embedded().define("project.yaml", PROJECT).start()
}

fn get(server: &Server, path: &str) -> Answer {
    server.client.try_get_with(path, &SECRET).expect("an answer")
}

fn told(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(complaints(&schema_of("members"), &told), [""; 0]);
    told
}

fn count(server: &Server, cohort: &str) -> Value {
    told(get(server, &format!("/api/cohorts/{cohort}/count")))
}

/// How many would be in a cohort that isn't saved.
fn preview(server: &Server, members: &Value) -> Value {
    let cohort = json!({ "members": members }).to_string();
    let answer = server.client.try_post_with("/api/cohorts/count", &SECRET, cohort.as_bytes());
    told(answer.expect("an answer"))
}

/// Everybody who is in, a page of `limit` at a time, and the instant that is told.
fn list(server: &Server, cohort: &str, limit: usize) -> (Vec<Value>, i64) {
    let mut members = Vec::new();
    let mut after = String::new();
    let mut now = None;
    loop {
        let path = format!("/api/cohorts/{cohort}/members?limit={limit}{after}");
        let page = told(get(server, &path));
        let found = page["members"].as_array().expect("a list");
        assert!(found.len() <= limit);
        members.extend(found.iter().cloned());
        let told_ms = page["now"].as_i64().expect("epoch milliseconds");
        assert_eq!(*now.get_or_insert(told_ms), told_ms, "one instant for all pages");
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (members, told_ms),
        }
    }
}

fn ids(members: &[Value]) -> BTreeSet<String> {
    let ids = members.iter().map(|member| member["distinctId"].as_str().expect("text").to_owned());
    let set: BTreeSet<String> = ids.collect();
    assert_eq!(set.len(), members.len(), "somebody is listed twice");
    set
}

/// The shop's cohorts, as the oracle knows them.
fn cohorts() -> [(&'static str, Rule); 4] {
    let bought = |within_s| Rule::did("purchase", ">= 1", within_s);
    let shoes = || {
        let shoes = Wanted::OneOf(vec!["shoes".to_owned()]);
        vec![("category", shoes), ("price", Wanted::MoreThan(50.0))]
    };
    [
        (
            "hesitating",
            Rule::All(vec![
                Rule::did("added to cart", ">= 3", 300),
                Rule::Not(Box::new(bought(300))),
            ]),
        ),
        ("many-adds", Rule::did("added to cart", ">= 3", 3_600)),
        ("quiet", Rule::Not(Box::new(bought(4)))),
        ("shoe-lovers", Rule::did_where("product viewed", ">= 2", 600, shoes())),
    ]
}

/// Only who is known can be listed: by something that a condition can still see.
fn known() -> Rule {
    let category = Wanted::OneOf(vec!["shoes".to_owned()]);
    let dear_shoes = vec![("category", category), ("price", Wanted::MoreThan(50.0))];
    Rule::Any(vec![
        Rule::did("added to cart", ">= 1", 3_600),
        Rule::did("purchase", ">= 1", 300),
        Rule::did_where("product viewed", ">= 1", 600, dear_shoes),
    ])
}

/// A day in the shop: some events of each of these people, in the last twelve minutes.
fn visits(people: std::ops::Range<u64>, dice: &mut Dice) -> Vec<Event> {
    let now = now_ms();
    let mut events = Vec::new();
    for person in people {
        for _ in 0..dice.below(7) {
            let name =
                *dice.pick(&["added to cart", "added to cart", "purchase", "product viewed"]);
            let time_ms = now - dice.below(12 * MINUTE_MS as u64) as i64;
            let event = Event::new(name, &format!("visitor-{person}"), time_ms, dice);
            let category = *dice.pick(&["shoes", "shoes", "bags"]);
            events.push(event.with("price", 30 + dice.below(100)).with("category", category));
        }
    }
    events
}

/// Some people are on disk alone, some in memory alone, and some in both.
#[test]
fn everybody_who_is_in_is_listed_and_counted() {
    let (mut server, mut dice) = (start(), Dice::new(crate::harness::seed()));
    let mut oracle = Oracle::default();
    let mut capture = |server: &Server, events: Vec<Event>| {
        events.chunks(500).for_each(|events| server.client.capture(events));
        events.into_iter().for_each(|event| oracle.see(event, now_ms()));
    };
    capture(&server, visits(0..PEOPLE * 2 / 3, &mut dice));
    // What is read again after this is in the log, and the rest is only on disk.
    eventually("a checkpoint", FILLED_WITHIN, || {
        (server.client.metric("sluice_checkpoints_total", &[]) > 0.0).then_some(())
    });
    server.stop();
    server.restart();
    capture(&server, visits(PEOPLE / 3..PEOPLE, &mut dice));

    let people = || (0..PEOPLE).map(|person| format!("visitor-{person}"));
    let mut sizes = Vec::new();
    for (cohort, rule) in cohorts() {
        let rule = Rule::All(vec![known(), rule]);
        let expected = |now_ms| -> BTreeSet<String> {
            people().filter(|id| oracle.verdict(id, &rule, now_ms) == Verdict::True).collect()
        };
        let (members, now) = list(&server, cohort, 7);
        assert_eq!(ids(&members), expected(now), "{cohort}");
        let counted = count(&server, cohort);
        let now = counted["now"].as_i64().expect("epoch milliseconds");
        assert_eq!(counted["count"], expected(now).len(), "{cohort}");
        assert_eq!(counted["unknown"], 0, "{counted}");
        let met = people().filter(|id| oracle.verdict(id, &known(), now) == Verdict::True);
        assert_eq!(counted["scanned"], met.count());
        sizes.push(expected(now).len());
    }
    assert!(sizes.iter().all(|size| (1..PEOPLE as usize).contains(size)), "{sizes:?}");
}

/// By any of their ids they were there, and they are one.
#[test]
fn whoever_logged_in_is_one_person() {
    let (server, mut dice) = (start(), Dice::new(81));
    let now = now_ms();
    for device in ["phone", "laptop"] {
        server.client.capture(&adds(device, 3, now - 50, &mut dice));
    }
    server.client.capture(&adds("ben", 3, now - 50, &mut dice));
    assert_eq!(count(&server, "hesitating")["count"], 3);
    for device in ["phone", "laptop"] {
        let login = Event::new("$identify", "ann", now - 10, &mut dice);
        server.client.capture(&[login.with("$anon_distinct_id", device)]);
    }
    let (mut members, _) = list(&server, "hesitating", 1);
    members.sort_by_key(|member| member["distinctId"].to_string());
    assert_eq!(
        members,
        [
            json!({ "distinctId": "ann", "distinctIds": ["ann", "laptop", "phone"] }),
            json!({ "distinctId": "ben", "distinctIds": ["ben"] }),
        ]
    );
    server.client.capture(&[purchase("laptop", now, &mut dice)]);
    let counted = count(&server, "hesitating");
    assert_eq!((&counted["count"], &counted["scanned"]), (&json!(1), &json!(2)));
}

/// What is kept already tells how many would be in; for the rest it is saved first.
#[test]
fn a_cohort_is_tried_before_it_is_saved() {
    let (server, mut dice) = (start(), Dice::new(82));
    let now = now_ms();
    for person in 0..10 {
        let id = format!("visitor-{person}");
        server.client.capture(&adds(&id, 1 + person % 3, now - 20, &mut dice));
        let wish = Event::new("wished for", &id, now - 10, &mut dice);
        server.client.capture(&[wish.with("price", person * 10)]);
    }
    let two = json!({ "did": "added to cart", "count": ">= 2", "within": "2m" });
    let tried = preview(&server, &json!({ "all": [two, { "not": { "cohort": "hesitating" } }] }));
    assert_eq!(
        (&tried["count"], &tried["unknown"], &tried["notKept"]),
        (&json!(3), &json!(0), &json!([]))
    );

    let wished = json!({ "did": "wished for", "within": "5m", "where": { "price": "> 35" } });
    let both = json!({ "all": [two, wished] });
    let tried = preview(&server, &both);
    assert_eq!((&tried["count"], &tried["unknown"]), (&json!(0), &json!(6)), "{tried}");
    assert_eq!(tried["unknownReasons"], json!({ "condition_not_kept": 6 }));
    let why = tried["notKept"][0].as_str().expect("words");
    assert!(why.contains("`wished for`"), "{why}");

    server.define("cohorts/wishing.yaml", &json!({ "members": both }).to_string());
    let counted = eventually("the cohort is filled", FILLED_WITHIN, || {
        let answer = get(&server, "/api/cohorts/wishing/count");
        let counted = (answer.status == 200).then(|| answer.json())?;
        (counted["unknown"] == 0).then_some(counted)
    });
    assert_eq!(counted["count"], 4, "{counted}");
    assert_eq!(preview(&server, &both)["count"], 4, "now it is kept");
}

#[test]
fn whoever_asks_wrong_is_told_what_to_send() {
    let (server, mut dice) = (start(), Dice::new(83));
    for person in ["ann", "ben"] {
        server.client.capture(&adds(person, 3, now_ms(), &mut dice));
    }
    let path = "/api/cohorts/hesitating/members";
    assert_eq!(server.client.try_get(path).expect("an answer").status, 401);
    for secret in ["Bearer phs_wrong", "Bearer phc_test", "phs_test"] {
        let answer = server.client.try_get_with(path, &[("authorization", secret)]);
        assert_eq!(answer.expect("an answer").status, 401, "{secret}");
    }
    let answer = get(&server, "/api/cohorts/hesitatig/count");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("did you mean `hesitating`?"), "{}", answer.body);
    let next = told(get(&server, &format!("{path}?limit=1")))["next"].clone();
    let next = next.as_str().expect("another page");
    let damaged = format!("{path}?after={}", &next[..next.len() - 1]);
    assert_eq!(get(&server, &damaged).status, 400);
    let other = format!("/api/cohorts/quiet/members?after={next}");
    assert_eq!(get(&server, &other).status, 400, "another cohort's");
    let cohort = b"members:\n  all:\n    - { did: purchase, withn: 5m }\n";
    let answer = server.client.try_post_with("/api/cohorts/members", &SECRET, cohort);
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 400);
    let problem = &answer.json()["problems"][0];
    assert_eq!(problem["line"], 3, "{problem}");
    assert!(problem["fix"].as_str().is_some_and(|fix| fix.contains("within")), "{problem}");
}
