//! Four faults that PostHog's realtime cohorts were known for, each as a story.

use std::time::Duration;

use serde_json::json;

use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Server, Setup, eventually};
use crate::shop::{MINUTE_MS, TOKEN, adds, purchase};

const YEAR_MS: i64 = 365 * 24 * 60 * MINUTE_MS;

/// A range in the past has no newer events to hide behind: what wipes it is seen at once.
const BETWEEN: &str = "members: { did: added to cart, count: '= 2', between: [10m, 5m] }\n";

/// What somebody did, as a condition's own words say it.
type Told = (&'static str, &'static str, &'static str);

/// Conditions that differ in one thing, by whoever did what only one of them asks for.
const ALIKE: [Told; 14] = [
    ("a plain one", "{ did: seen }", r#"{}"#),
    ("another name", "{ did: Seen }", r#"{}"#),
    ("a name of two", "{ did: 'seen seen' }", r#"{}"#),
    ("a name that looks like a filter", "{ did: 'opened,plan:pro' }", r#"{}"#),
    ("a key", "{ did: opened, where: { plan: pro } }", r#"{ "plan": "pro" }"#),
    ("another key", "{ did: opened, where: { team: pro } }", r#"{ "team": "pro" }"#),
    ("another value", "{ did: opened, where: { plan: team } }", r#"{ "plan": "team" }"#),
    ("a key with a colon", "{ did: opened, where: { 'a:b': c } }", r#"{ "a:b": "c" }"#),
    ("a value with one", "{ did: opened, where: { a: 'b:c' } }", r#"{ "a": "b:c" }"#),
    ("two values", "{ did: opened, where: { a: [d, e] } }", r#"{ "a": "e" }"#),
    ("one of two parts", "{ did: opened, where: { a: 'd,e' } }", r#"{ "a": "d,e" }"#),
    ("more", "{ did: paid, where: { price: '> 10' } }", r#"{ "price": 11 }"#),
    ("less", "{ did: paid, where: { price: '< 10' } }", r#"{ "price": 9 }"#),
    ("as much", "{ did: paid, where: { price: 10 } }", r#"{ "price": 10 }"#),
];

fn flag_for(setup: Setup, key: &str, cohort: &str) -> Setup {
    let flag = json!({ "rules": [{ "when": { "cohort": key } }] });
    let setup = setup.define(&format!("cohorts/{key}.yaml"), cohort);
    setup.define(&format!("flags/is-{key}.yaml"), &flag.to_string())
}

fn counted(server: &Server, outcome: &str) -> f64 {
    let labels = [format!("outcome=\"{outcome}\""), "project=\"shop\"".to_owned()];
    server.client.metric("sluice_events_total", &labels.each_ref().map(String::as_str))
}

/// It counts as now, as a client's fast clock does, and takes nobody else's place.
#[test]
fn a_future_dated_event_wipes_no_window() {
    let (server, mut dice) =
        (flag_for(Setup::embedded(), "between", BETWEEN).start(), Dice::new(12));
    server.client.capture(&adds("ann", 2, now_ms() - 7 * MINUTE_MS, &mut dice));
    server.client.capture(&adds("ann", 2, now_ms(), &mut dice));
    let flags = server.client.flags("ann");
    assert!(flags.on("is-between") && !flags.on("offer"));

    for ahead_ms in [MINUTE_MS, 60 * MINUTE_MS, YEAR_MS, 7_000 * YEAR_MS] {
        server.client.capture(&adds("ann", 1, now_ms() + ahead_ms, &mut dice));
        let flags = server.client.flags("ann");
        assert!(flags.on("is-between"), "{ahead_ms} ms ahead: the past is gone");
        assert!(flags.on("offer"), "{ahead_ms} ms ahead: today is gone, or the event is");
    }
    server.client.capture(&adds("ben", 3, now_ms() + 7_000 * YEAR_MS, &mut dice));
    assert!(server.client.flags("ben").on("offer"), "it happens now, with no past to rest on");
    let clamped = server.client.metric("sluice_events_clamped_total", &["project=\"shop\""]);
    assert_eq!((clamped, counted(&server, "folded")), (7.0, 11.0), "and it is told");
}

/// Whatever comes late changes what its own time says it should, and nothing else.
#[test]
fn late_events_are_counted_and_flap_no_bit() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(23));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    assert!(server.client.flags("ann").on("offer"));
    // Older than each other and than what there is; the purchase is older than its window.
    for minutes in [1, 4, 2, 6, 30, 3, 59] {
        let ago_ms = minutes * MINUTE_MS;
        server.client.capture(&adds("ann", 1, now_ms() - ago_ms, &mut dice));
        server.client.capture(&[purchase("ann", now_ms() - 5 * MINUTE_MS - ago_ms, &mut dice)]);
        assert!(server.client.flags("ann").on("offer"), "flapped by what is {minutes} minutes old");
    }
    // Late ones alone, out of order: each counts.
    for (minutes, on) in [(2, false), (4, false), (3, true)] {
        server.client.capture(&adds("ben", 1, now_ms() - minutes * MINUTE_MS, &mut dice));
        assert_eq!(server.client.flags("ben").on("offer"), on, "{minutes} minutes late");
    }
    server.client.capture(&[purchase("ben", now_ms() - MINUTE_MS, &mut dice)]);
    assert!(!server.client.flags("ben").on("offer"), "bought a minute ago, told now");

    // Beyond what any window could see: dropped, and each is told.
    server.client.capture(&adds("cleo", 3, now_ms() - YEAR_MS, &mut dice));
    let mut impossible = adds("cleo", 1, now_ms(), &mut dice)[0].captured();
    impossible["timestamp"] = json!("0001-06-01T12:00:00.000Z");
    let body = json!({ "api_key": TOKEN, "batch": [impossible] });
    assert_eq!(server.client.post("/batch/", &body).status, 200);
    assert!(!server.client.flags("cleo").on("offer"));
    assert_eq!(counted(&server, "late"), 4.0);
    let all = server.client.metric("sluice_events_total", &[]);
    let told = ["folded", "known", "late"].map(|outcome| counted(&server, outcome));
    assert_eq!((all, told.iter().sum::<f64>()), (25.0, 25.0), "not all are accounted for");
}

#[test]
fn no_two_conditions_share_a_key() {
    let keys: Vec<String> = (0..ALIKE.len()).map(|number| format!("alike-{number:02}")).collect();
    let conditions = keys.iter().zip(ALIKE);
    let server = conditions
        .fold(Setup::embedded(), |setup, (key, (_, asked, _))| {
            let asked = asked.strip_suffix('}').expect("an object");
            flag_for(setup, key, &format!("members: {asked}, within: 5m }}\n"))
        })
        .start();
    let mut dice = Dice::new(8);
    for (what, asked, properties) in ALIKE {
        let name = serde_saphyr::from_str::<serde_json::Value>(asked).expect("YAML");
        let name = name["did"].as_str().expect("a name");
        let mut event = Event::new(name, what, now_ms(), &mut dice);
        event.properties = serde_json::from_str(properties).expect("an object");
        server.client.capture(&[event]);
    }
    for (mine, (what, ..)) in keys.iter().zip(ALIKE) {
        let flags = server.client.flags(what);
        for key in &keys {
            assert_eq!(flags.on(&format!("is-{key}")), key == mine, "{what}: {key}");
        }
    }
}

/// The edge is asked across, as fast as answers come: every one of them has to be right for the
/// millisecond at which it was given.
#[test]
fn a_five_minute_bit_is_never_late() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(4));
    let third_newest_ms = now_ms() - 5 * MINUTE_MS + 1_500;
    assert!(!server.client.flags("ann").on("offer"));
    server.client.capture(&adds("ann", 3, third_newest_ms + 2, &mut dice));
    let edge_ms = third_newest_ms + 5 * MINUTE_MS;

    let mut last_inside = None;
    let first_outside = eventually("five minutes pass", Duration::from_secs(20), || {
        let flags = server.client.flags("ann");
        let inside = flags.evaluated_at_ms < edge_ms;
        assert_eq!(flags.on("offer"), inside, "{} ms after", flags.evaluated_at_ms - edge_ms);
        if inside {
            last_inside = Some(flags.evaluated_at_ms);
        }
        (flags.evaluated_at_ms > edge_ms + 20).then_some(flags.evaluated_at_ms)
    });
    let last_inside = last_inside.expect("asked before the edge");
    println!("last in {} ms before, last out {first_outside}", edge_ms - last_inside);
}
