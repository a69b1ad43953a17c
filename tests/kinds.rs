//! A story of each kind of condition: events of the past, captured today, and who is in.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup};

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// What somebody did: an event's name, how many seconds ago, and its properties.
type Did = (&'static str, i64, Value);

/// A condition, what puts somebody in, and what doesn't.
struct Kind {
    key: &'static str,
    members: String,
    inside: Vec<Did>,
    outside: Vec<Did>,
}

fn kind(key: &'static str, members: &str, inside: Vec<Did>, outside: Vec<Did>) -> Kind {
    Kind { key, members: members.to_owned(), inside, outside }
}

fn did(name: &'static str, ago_s: i64) -> Did {
    (name, ago_s, json!({}))
}

fn days_ago(days: i64) -> String {
    let then = Timestamp::from_millisecond(now_ms() - days * DAY_S * 1_000);
    then.expect("an instant").to_string()
}

fn capture(server: &Server, person: &str, done: &[Did], dice: &mut Dice) {
    let events = done.iter().map(|(name, ago_s, properties)| {
        let mut event = Event::new(name, person, now_ms() - ago_s * 1_000, dice);
        event.properties = properties.as_object().expect("an object").clone();
        event
    });
    server.client.capture(&events.collect::<Vec<_>>());
}

/// Checks that each condition has one person in and another one out.
fn check(setup: Setup, kinds: &[Kind]) {
    let server = kinds.iter().fold(setup, |setup, kind| {
        let flag = json!({ "rules": [{ "when": { "cohort": kind.key } }] });
        setup.define(&format!("flags/is-{}.yaml", kind.key), &flag.to_string())
    });
    let (server, mut dice) = (server.start(), Dice::new(90));
    for kind in kinds {
        capture(&server, &format!("in {}", kind.key), &kind.inside, &mut dice);
        capture(&server, &format!("out {}", kind.key), &kind.outside, &mut dice);
    }
    for kind in kinds {
        let is_in = |who: &str| {
            let flags = server.client.flags(&format!("{who} {}", kind.key));
            flags.on(&format!("is-{}", kind.key))
        };
        assert!(is_in("in"), "{}: should be in", kind.key);
        assert!(!is_in("out"), "{}: should be out", kind.key);
    }
}

#[test]
fn every_kind_of_condition_is_decided() {
    let kinds: Vec<Kind> =
        [counts(), values(), moments(), orders()].into_iter().flatten().collect();
    let setup = kinds.iter().fold(Setup::embedded(), |setup, kind| {
        let members: Value = serde_saphyr::from_str(&kind.members).expect("YAML");
        let cohort = json!({ "members": members });
        setup.define(&format!("cohorts/{}.yaml", kind.key), &cohort.to_string())
    });
    check(setup, &kinds);
}

fn counts() -> Vec<Kind> {
    vec![
        kind(
            "between",
            "{ did: searched, count: '= 2', between: [10m, 5m] }",
            [9, 6, 1].map(|minutes| did("searched", minutes * MINUTE_S)).to_vec(),
            [9, 4, 1].map(|minutes| did("searched", minutes * MINUTE_S)).to_vec(),
        ),
        kind(
            "more-than",
            "{ did: refund, count: '> 1x', within: 1h, compared with: { did: bought } }",
            vec![did("refund", 60), did("refund", 50), did("bought", 70)],
            vec![did("refund", 60), did("bought", 70)],
        ),
        kind(
            "twice-as-much",
            "{ did: searched, count: '>= 2x', within: 5m, compared with: { between: [10m, 5m] } }",
            [7, 2, 1].map(|minutes| did("searched", minutes * MINUTE_S)).to_vec(),
            [7, 6, 2, 1].map(|minutes| did("searched", minutes * MINUTE_S)).to_vec(),
        ),
        kind(
            "since",
            &format!("{{ did: searched, count: '= 2', after: '{}' }}", days_ago(10)),
            [11, 9, 1].map(|days| did("searched", days * DAY_S)).to_vec(),
            [9, 8, 1].map(|days| did("searched", days * DAY_S)).to_vec(),
        ),
        kind(
            "between-dates",
            &format!(
                "{{ did: searched, count: '= 1', after: '{}', before: '{}' }}",
                days_ago(10),
                days_ago(5)
            ),
            [11, 6, 1].map(|days| did("searched", days * DAY_S)).to_vec(),
            [11, 4, 1].map(|days| did("searched", days * DAY_S)).to_vec(),
        ),
        kind(
            "regularly",
            "{ regularly: searched, at least: 2, of last: 3 days }",
            [0, 1].map(|days| did("searched", days * DAY_S)).to_vec(),
            [0, 0, 3].map(|days| did("searched", days * DAY_S)).to_vec(),
        ),
    ]
}

fn values() -> Vec<Kind> {
    let seen = |ago_s, product: Value, price: Value| {
        ("seen", ago_s, json!({ "product": product, "price": price }))
    };
    let three = vec![
        seen(90, json!("a"), json!(10)),
        seen(80, json!(5), json!("20.5")),
        seen(70, json!("5.0"), json!(30)),
    ];
    let two = vec![seen(90, json!("b"), json!(10)), seen(80, json!(null), json!("cheap"))];
    vec![
        kind(
            "distinct",
            "{ distinct: product, of: seen, count: '= 2', within: 10m }",
            three.clone(),
            two.clone(),
        ),
        kind(
            "sum",
            "{ sum: price, of: seen, is: '= 60.5', within: 10m }",
            three.clone(),
            two.clone(),
        ),
        kind(
            "average",
            "{ average: price, of: seen, is: '> 20', within: 10m }",
            three.clone(),
            two.clone(),
        ),
        kind(
            "smallest",
            "{ smallest: price, of: seen, is: '!= 11', within: 10m }",
            two.clone(),
            vec![did("seen", 60)],
        ),
        kind(
            "largest",
            "{ largest: price, of: seen, is: '>= 30', within: 10m }",
            three.clone(),
            two.clone(),
        ),
        kind(
            "latest",
            "{ latest: product, of: seen, is: 5, nth: 2, within: 10m }",
            [three, vec![did("seen", 10)]].concat(),
            two,
        ),
    ]
}

fn moments() -> Vec<Kind> {
    vec![
        kind(
            "first",
            "{ first: bought, within: 7d }",
            vec![did("bought", 2 * DAY_S), did("bought", HOUR_S)],
            vec![did("bought", 700 * DAY_S), did("bought", HOUR_S)],
        ),
        kind(
            "last",
            "{ last: bought, ago: '>= 30d' }",
            vec![did("bought", 500 * DAY_S), did("bought", 31 * DAY_S)],
            vec![did("bought", 500 * DAY_S), did("bought", 29 * DAY_S)],
        ),
        kind(
            "known",
            "{ known: '>= 7d' }",
            vec![did("anything", 8 * DAY_S)],
            vec![did("anything", 6 * DAY_S)],
        ),
        kind(
            "new-here",
            "{ all: [ { known: { before: 2026-01-01 } }, { last: bought, after: 2026-02-01 } ] }",
            vec![did("anything", 500 * DAY_S), did("bought", HOUR_S)],
            vec![did("anything", 40 * DAY_S), did("bought", HOUR_S)],
        ),
        kind(
            "stopped",
            "{ stopped: bought, within: 30d, quiet: 7d }",
            vec![did("bought", 8 * DAY_S)],
            vec![did("bought", 8 * DAY_S), did("bought", DAY_S)],
        ),
        kind(
            "restarted",
            "{ restarted: bought, quiet: [30d, 1d] }",
            vec![did("bought", 31 * DAY_S), did("bought", HOUR_S)],
            vec![did("bought", 31 * DAY_S), did("bought", 2 * DAY_S), did("bought", HOUR_S)],
        ),
    ]
}

fn orders() -> Vec<Kind> {
    let step = |name, ago_s, cart: i64| (name, ago_s, json!({ "cart": cart }));
    let begun = vec![step("filled", 500, 1), step("paying", 400, 1)];
    let with = |name, ago_s| [begun.clone(), vec![step(name, ago_s, 1)]].concat();
    vec![
        kind(
            "sequence",
            "{ sequence: [ { did: filled }, { did: paying, after: '<= 2m' } ], same: cart, \
             without: { did: emptied }, within: 1h }",
            begun.clone(),
            with("emptied", 450),
        ),
        kind(
            "unfinished",
            "{ sequence: [ { did: filled }, { did: paying }, { did: paid } ], within: 1h, \
             unfinished: true }",
            begun.clone(),
            with("paid", 300),
        ),
    ]
}

#[test]
fn every_form_of_posthog_is_decided() {
    let leaf = |kind: &str, more: Value| {
        let mut leaf = json!({ "type": "behavioral", "key": "bought", "event_type": "events",
            "value": kind, "time_value": 30, "time_interval": "day" });
        for (key, value) in more.as_object().expect("an object") {
            leaf[key] = value.clone();
        }
        leaf
    };
    let quiet = json!({ "seq_time_value": 7, "seq_time_interval": "day" });
    let then = json!({ "seq_event": "refund", "seq_event_type": "events", "seq_time_value": 1,
        "seq_time_interval": "hour" });
    let periods = json!({ "operator": "gte", "operator_value": 1, "time_value": 1,
        "min_periods": 2, "total_periods": 3 });
    let at_most = json!({ "operator": "lte", "operator_value": 2 });
    let bought = |days: &[i64]| -> Vec<Did> {
        days.iter().map(|days| did("bought", days * DAY_S + 60)).collect()
    };
    let refund = |minutes| vec![did("bought", DAY_S), did("refund", DAY_S - minutes * MINUTE_S)];
    let created = json!({ "type": "person_metadata", "key": "created_at",
        "operator": "is_date_before", "value": "-7d" });
    let seen = |days: i64| vec![did("anything", days * DAY_S)];
    let dated = |from: &str, to: &str| {
        json!({ "explicit_datetime": from, "explicit_datetime_to": to, "operator": "exact",
            "operator_value": 1 })
    };
    let (ten, five) = (days_ago(10), days_ago(5));
    let rows = [
        ("", created, seen(8), seen(6)),
        ("performed_event", json!({}), bought(&[29]), bought(&[30])),
        ("performed_event_multiple", at_most, bought(&[1, 2]), bought(&[40])),
        ("performed_event_first_time", json!({}), bought(&[29]), bought(&[1, 31])),
        ("stopped_performing_event", quiet.clone(), bought(&[8]), bought(&[8, 6])),
        ("restarted_performing_event", quiet, bought(&[31, 1]), bought(&[1])),
        ("performed_event_sequence", then, refund(59), refund(61)),
        ("performed_event_regularly", periods, bought(&[0, 2]), bought(&[2, 3])),
        ("performed_event_multiple", dated(&ten, &five), bought(&[11, 6, 1]), bought(&[11, 4])),
        ("performed_event_multiple", dated("-10d", &five), bought(&[11, 6, 1]), bought(&[9, 6])),
        ("performed_event", dated(&ten, "-5d"), bought(&[6, 1]), bought(&[11, 4])),
        ("performed_event_first_time", dated(&ten, &five), bought(&[6]), bought(&[11, 6])),
    ];
    let (mut cohorts, mut kinds) = (json!({}), Vec::new());
    let keys = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    for ((value, more, inside, outside), key) in rows.into_iter().zip(keys) {
        cohorts[key] = json!({ "type": "AND", "values": [leaf(value, more)] });
        kinds.push(kind(key, "", inside, outside));
    }
    let body = json!({ "flags": [], "cohorts": cohorts });
    check(Setup::embedded().define("posthog.json", &body.to_string()), &kinds);
}
