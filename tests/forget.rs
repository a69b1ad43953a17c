//! Stories of people who are deleted, and laws of what is left of a record then.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use schemas::ids::MatcherId;
use schemas::links::{Link, Role};
use schemas::properties::{Kind, Register};
use schemas::record::Record;
use schemas::window::{Entry, FOREVER_MS, Hit, Keep, Kept, Value};
use serde_json::json;

use crate::broker::Broker;
use crate::client::{Answer, Said};
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{self, Server, Setup};
use crate::kafka::wait_for;
use crate::shop::{TOKEN, adds, sets};
use crate::windows::{START_MS, check};

const PROJECT: &str = "token: phc_test\nsecrets: [ s3cret ]\n";
const NEWCOMER: &str = "rules:\n  - when: { first: added to cart, within: 1h }\n";
const FLAGS: [&str; 3] = ["offer", "perks", "newcomer"];

fn setup(setup: Setup) -> Setup {
    setup.define("project.yaml", PROJECT).define("flags/newcomer.yaml", NEWCOMER)
}

fn forget(server: &Server, secret: &str, distinct_id: &str) -> Answer {
    let body = json!({ "distinct_id": distinct_id }).to_string();
    let authorization = format!("Bearer {secret}");
    let headers = [("authorization", authorization.as_str())];
    let answer = server.client.try_post_with("/api/forget", &headers, body.as_bytes());
    answer.expect("an answer")
}

/// Ann's visit: three adds on her phone, which she then logs in with, and her plan.
fn visit(now: i64, dice: &mut Dice) -> Vec<Event> {
    let login = Event::new("$identify", "ann", now - 5, dice).with("$anon_distinct_id", "phone");
    let plan = sets("$set", "ann", json!({ "plan": "pro" }), now - 4, dice);
    [adds("phone", 3, now - 10, dice), vec![login, plan]].concat()
}

/// Which of the flags are on for whom.
fn on(server: &Server, person: &str) -> Vec<&'static str> {
    let flags = server.client.flags(person);
    FLAGS.into_iter().filter(|key| flags.on(key)).collect()
}

#[test]
fn whoever_is_forgotten_is_out_at_once_and_no_replay_brings_them_back() {
    let setup = setup(Setup::embedded()).set("SLUICE_START", "earliest");
    let (mut server, mut dice) = (setup.start(), Dice::new(90));
    let visit = visit(now_ms(), &mut dice);
    server.client.capture(&visit);
    server.client.capture(&adds("ben", 3, now_ms(), &mut dice));
    for person in ["ann", "phone"] {
        assert_eq!(on(&server, person), FLAGS, "{person}");
    }
    let answer = forget(&server, "s3cret", "ann");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json(), json!({ "forgotten": ["ann", "phone"], "complete": true }));
    assert!(answer.position().is_some());
    let gone = |server: &Server| {
        for person in ["ann", "phone"] {
            assert_eq!(on(server, person), [""; 0], "{person}");
        }
        assert_eq!(on(server, "ben"), ["offer", "newcomer"], "he was there all the time");
    };
    gone(&server);
    server.client.capture(&visit);
    gone(&server);
    server.kill();
    server.restart();
    gone(&server);
    // From the first event on.
    server.kill();
    fs::remove_dir_all(server.data().join("store")).expect("the store goes");
    server.restart();
    gone(&server);

    // Somebody new.
    let now = now_ms();
    server.client.capture(&[visit[4].clone()]);
    server.client.capture(&adds("phone", 3, now, &mut dice));
    assert_eq!(on(&server, "phone"), ["offer", "newcomer"]);
    assert_eq!(on(&server, "ann"), [""; 0], "it isn't hers any more");
    let plan = sets("$set_once", "ann", json!({ "plan": "team" }), now, &mut dice);
    let login = Event::new("$identify", "ann", now, &mut dice).with("$anon_distinct_id", "phone");
    server.client.capture(&[plan, login]);
    assert_eq!(on(&server, "ann"), FLAGS);
}

#[test]
fn only_the_secret_opens_it_and_the_command_line_asks_with_it() {
    let (server, mut dice) = (setup(Setup::embedded()).start(), Dice::new(91));
    server.client.capture(&visit(now_ms(), &mut dice));
    for secret in ["", "phc_test", "s3cre"] {
        assert_eq!(forget(&server, secret, "ann").status, 401, "{secret:?}");
    }
    let forged = Event::new("$sluice_forget", "ann", now_ms(), &mut dice);
    let refused = server.client.offer(std::slice::from_ref(&forged));
    assert_eq!((refused.status, refused.body.contains("/api/forget")), (400, true));
    let taken = server.client.offer(&[forged, adds("ben", 1, now_ms(), &mut dice).remove(0)]);
    assert_eq!(taken.status, 200, "the other event");
    assert_eq!(on(&server, "ann"), FLAGS);

    let ask = |project: &str, secret: &str| {
        let base = server.client.base();
        let [whom, url, secret] = [("distinct-id", "phone"), ("url", base), ("secret", secret)]
            .map(|(name, value)| format!("--{name}={value}"));
        harness::run(&["forget", &format!("--project={project}"), &whom, &url, &secret])
    };
    let (done, said) = ask("shop", "wrong");
    assert!(!done && said.contains("opens no project"), "{said}");
    let (done, said) = ask("zoo", "s3cret");
    assert!(!done && said.contains("opens the project \"shop\""), "{said}");
    assert_eq!(on(&server, "ann"), FLAGS);
    let (done, said) = ask("shop", "s3cret");
    assert!(done && said.contains(r#"["phone","ann"]"#), "{said}");
    assert_eq!(on(&server, "ann"), [""; 0]);
}

/// Each partition has what is forgotten before what comes after, so that the order in which
/// they are read anew changes nothing.
#[test]
fn what_lies_in_other_partitions_is_forgotten_too() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(4), Dice::new(92));
    let kafka = Setup::kafka(&topic.brokers, &topic.name).set("SLUICE_START", "earliest");
    let mut server = setup(kafka).start();
    let visit = visit(now_ms(), &mut dice);
    let produce = |events: &[Event], dice: &mut Dice| {
        for event in events {
            topic.put_json(dice.below(4) as i32, "any", &event.record(TOKEN));
        }
    };
    produce(&visit, &mut dice);
    wait_for(&server, "ann", "offer", &Said::Yes);
    wait_for(&server, "ann", "perks", &Said::Yes);
    let answer = forget(&server, "s3cret", "phone");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let position = answer.position().expect("a position");
    assert_eq!(position.split(',').count(), 4, "{position}");
    let gone = |server: &Server| ["ann", "phone"].iter().all(|who| on(server, who).is_empty());
    server.client.flags_from("ann", &position, 5_000).on("offer");
    assert!(gone(&server));
    produce(&visit, &mut dice);
    // Owned by somebody else from now on; what came before is no hindrance.
    let now = now_ms();
    let login = Event::new("$identify", "eve", now, &mut dice).with("$anon_distinct_id", "phone");
    produce(&[vec![login], adds("phone", 3, now, &mut dice)].concat(), &mut dice);
    wait_for(&server, "eve", "offer", &Said::Yes);
    for round in ["live", "restarted", "anew"] {
        assert_eq!(on(&server, "eve"), ["offer", "newcomer"], "{round}");
        assert_eq!(on(&server, "phone"), ["offer", "newcomer"], "{round}");
        assert_eq!(on(&server, "ann"), [""; 0], "{round}");
        server.kill();
        if round == "restarted" {
            fs::remove_dir_all(server.data().join("store")).expect("the store goes");
        }
        server.restart();
    }
}

/// PostHog's topic is only read, and whoever writes to it needs no secret.
#[test]
fn nobody_is_forgotten_in_a_topic_that_is_only_read() {
    let broker = Broker::shared();
    let (topic, mut dice) = (broker.topic(1), Dice::new(93));
    let kafka = Setup::kafka(&topic.brokers, &topic.name);
    let project = "token: phc_test\nteam_id: 2\nsecrets: [ s3cret ]\n";
    let kafka = kafka.define("project.yaml", project).set("SLUICE_KAFKA_FORMAT", "clickhouse");
    let server = kafka.start();
    let put = |event: &Event| {
        let mut record = event.captured();
        record["team_id"] = 2.into();
        record["properties"] = "{}".into();
        topic.put_json(0, "any", &record);
    };
    let now = now_ms();
    adds("ann", 3, now, &mut dice).iter().for_each(put);
    put(&Event::new("$sluice_forget", "ann", now, &mut dice));
    adds("marker", 3, now, &mut dice).iter().for_each(put);
    wait_for(&server, "marker", "offer", &Said::Yes);
    assert!(server.client.flags("ann").on("offer"));
    let answer = forget(&server, "s3cret", "ann");
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("only reads its topic"), "{}", answer.body);
}

const KINDS: [Keep; 5] =
    [Keep::Newest, Keep::Earliest, Keep::Stretches(60_000), Keep::Values, Keep::Numbers];

fn kept(matcher: MatcherId) -> Option<Kept> {
    let keep = *KINDS.get(matcher.0 as usize)?;
    Some(Kept { keep, k: 3, horizon_ms: FOREVER_MS })
}

/// An event that hits every matcher, sets properties and links.
fn fold(record: &mut Record, after_ms: i64) {
    let stamp = Entry::new(START_MS + after_ms, (after_ms as u64).wrapping_mul(0x9E37_79B9));
    let value = Value::number(i128::from(after_ms % 7));
    for matcher in (0..KINDS.len() as u32).map(MatcherId) {
        let kept = kept(matcher).expect("one of them");
        let value =
            if matches!(kept.keep, Keep::Values | Keep::Numbers) { value } else { Value::NONE };
        record.fold(matcher, kept, Hit { entry: stamp, value });
    }
    for kind in [Kind::Set, Kind::SetOnce] {
        let value = after_ms.to_string().into();
        record.write(&Register { key: format!("{}", after_ms % 5).into(), kind, stamp, value });
    }
    for role in [Role::Belongs, Role::Owns] {
        record.link(&Link { stamp, role, other: format!("id {}", after_ms % 3).into() });
    }
}

fn folded(times: &[i64]) -> Record {
    let mut record = Record::default();
    times.iter().for_each(|after_ms| fold(&mut record, *after_ms));
    record
}

/// Of what was before, nothing is left, not a byte; what comes after is as though it were the
/// first, however both were folded, merged, and forgotten again.
#[test]
fn what_is_left_tells_nothing_of_what_went() {
    let times = vec(0i64..400_000, 0..40);
    check(&(times, 0i64..400_000, any::<u64>()), |(times, until, seed)| {
        let mut dice = Dice::new(seed);
        let until_ms = START_MS + until;
        let (before, after): (Vec<i64>, Vec<i64>) = times.iter().partition(|ms| **ms <= until);
        let mut record = folded(&before);
        record.forget(until_ms, kept);
        prop_assert_eq!(&record, &Record::default());
        let mut late = [after.clone(), after.clone()].concat();
        dice.shuffle(&mut late);
        late.iter().for_each(|ms| fold(&mut record, *ms));
        let expected = folded(&after);
        prop_assert_eq!(&record, &expected);
        prop_assert!(!record.forget(until_ms, kept), "nothing more goes");
        let mut merged = expected.clone();
        let mut old = folded(&before);
        old.forget(until_ms, kept);
        merged.merge(&old, kept);
        prop_assert_eq!(&merged, &expected);
        let read = Record::from_bytes(expected.as_bytes());
        prop_assert_eq!(read, Ok(expected));
        Ok(())
    });
}

/// Whatever is in a record: forgetting takes all of before, leaves all of after, twice is once,
/// and the later of two instants decides.
#[test]
fn forgetting_takes_what_was_before_and_only_that() {
    let times = vec(0i64..400_000, 0..40);
    check(&(times, 0i64..400_000, 0i64..400_000), |(times, one, other)| {
        let whole = folded(&times);
        let forgotten = |instants: &[i64]| {
            let mut record = whole.clone();
            for after_ms in instants {
                record.forget(START_MS + after_ms, kept);
            }
            record
        };
        let record = forgotten(&[one]);
        let is_left = |stamp: Entry| stamp.time_ms() > START_MS + one;
        prop_assert!(record.registers().all(|register| is_left(register.stamp)));
        prop_assert!(record.links().all(|link| is_left(link.stamp)));
        let sets = |record: &Record| record.registers().filter(|r| is_left(r.stamp)).count();
        prop_assert_eq!(sets(&record), sets(&whole));
        for (matcher, stored) in whole.windows() {
            let kept = kept(matcher).expect("a kind");
            let left = |stored| {
                let mut entries = Vec::new();
                match kept.keep {
                    Keep::Values | Keep::Numbers => {
                        let values = schemas::window::values::Values::new(stored);
                        entries.extend(values.all().map(|hit| hit.entry));
                    }
                    _ => entries.extend(schemas::window::Window::new(stored).entries()),
                }
                entries
            };
            let expected: Vec<Entry> =
                left(stored).into_iter().filter(|entry| is_left(*entry)).collect();
            prop_assert_eq!(left(record.stored(matcher)), expected, "{:?}", kept.keep);
        }
        prop_assert_eq!(&forgotten(&[one, one]), &record);
        prop_assert_eq!(forgotten(&[one, other]), forgotten(&[one.max(other)]));
        prop_assert_eq!(record.newest_ms(kept).is_some(), !record.is_empty());
        prop_assert!(record.newest_ms(kept).is_none_or(|ms| ms > START_MS + one));
        Ok(())
    });
}
