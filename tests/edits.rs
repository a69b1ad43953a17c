//! Stories of analysts who edit definitions, while the node runs and while it doesn't.

use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::client::{Client, Said};
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{self, Setup, eventually};
use crate::shop::{TOKEN, adds};

/// Saving a file takes effect in a second; a busy machine gets more.
const RELOADED_WITHIN: Duration = Duration::from_secs(20);

/// Until the log has been read for it, a new cohort is unknown, and never silently empty.
#[test]
fn a_saved_cohort_is_filled_from_the_log() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(8));
    let search = |person, dice: &mut Dice| Event::new("searched", person, now_ms(), dice);
    let searches = [search("ann", &mut dice), search("ann", &mut dice), search("ben", &mut dice)];
    server.client.capture(&searches);
    assert_eq!(server.client.flags("ann").said("searching"), Said::Nothing);

    server.define(
        "cohorts/searching.yaml",
        "members:\n  all:\n    - { did: searched, count: \">= 2\", within: 10m }\n",
    );
    server.define(
        "flags/searching.yaml",
        "rules:\n  - { when: { cohort: searching }, rollout: 100% }\n",
    );
    let said = eventually("the cohort is filled", RELOADED_WITHIN, || {
        let said = server.client.flags("ann").said("searching");
        let waiting = matches!(said, Said::Nothing | Said::Failed(_));
        (!waiting).then_some(said)
    });
    assert_eq!(said, Said::Yes, "the first answer that is given has to be right");
    assert!(!server.client.flags("ben").on("searching"));
    server.client.capture(&[search("ben", &mut dice)]);
    assert!(server.client.flags("ben").on("searching"));
}

/// A cohort that flags use may be edited at any time: until the new one is filled, the old one
/// answers. Whoever asks meanwhile never gets "unknown", and never a wrong answer for either.
#[test]
fn an_edited_cohort_answers_without_a_gap() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(11));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    // Enough of a log that filling takes some moments.
    for _ in 0..40 {
        let crowd: Vec<Event> = (0..500)
            .map(|n| Event::new("searched", &format!("person {n}"), now_ms(), &mut dice))
            .collect();
        server.client.capture(&crowd);
    }
    assert!(server.client.flags("ann").on("offer"));
    for (count, wanted) in [(2, Said::Yes), (5, Said::No), (3, Said::Yes), (4, Said::No)] {
        let before = server.client.flags("ann").said("offer");
        server.define(
            "cohorts/hesitating.yaml",
            &format!("members: {{ did: added to cart, count: '>= {count}', within: {count}h }}\n"),
        );
        eventually("the edit decides", RELOADED_WITHIN, || {
            let said = server.client.flags("ann").said("offer");
            assert!(said == before || said == wanted, "{said:?} between {before:?} and {wanted:?}");
            (said == wanted).then_some(())
        });
    }
}

/// Several threads read a topic's partitions, each in the midst of something when a condition is
/// taken up: whatever happened before and after, wherever, counts, and counts once.
#[test]
fn a_condition_saved_while_events_stream_in_has_each_of_them() {
    const EACH: usize = 100;
    let broker = Broker::shared();
    let topic = broker.topic(4);
    let server = Setup::kafka(&topic.brokers, &topic.name).start();
    let people: Vec<String> = (0..300).map(|number| format!("person {number}")).collect();
    let mut saved = Vec::new();
    thread::scope(|scope| {
        let (client, mut dice, people) =
            (Client::new(server.port(), TOKEN), Dice::new(12), &people);
        let sending = scope.spawn(move || {
            for _ in 0..EACH {
                let search = |person: &String| {
                    Event::new("searched", person, now_ms(), &mut dice).with("price", 1_000)
                };
                client.capture(&people.iter().map(search).collect::<Vec<_>>());
            }
        });
        while !sending.is_finished() {
            let (name, above) = (format!("saved-{}", saved.len()), saved.len());
            let rule = format!(
                "rules: [{{ when: {{ did: searched, count: '= {EACH}', within: 1h, \
                 where: {{ price: '> {above}' }} }} }}]"
            );
            server.define(&format!("flags/{name}.yaml"), &rule);
            saved.push(name);
            thread::sleep(Duration::from_millis(400));
        }
    });
    println!("saved {} conditions meanwhile", saved.len());
    for person in &people {
        eventually("all of them are counted", RELOADED_WITHIN, || {
            let flags = server.client.flags(person);
            saved.iter().all(|name| flags.said(name) == Said::Yes).then_some(())
        });
    }
}

/// What was edited while the node was down is filled as well.
#[test]
fn a_cohort_saved_while_down_is_filled_too() {
    let (mut server, mut dice) = (Setup::embedded().start(), Dice::new(9));
    let searches = [1, 2].map(|_| Event::new("searched", "ann", now_ms(), &mut dice));
    server.client.capture(&searches);
    server.stop();
    let rule = crate::rule::Rule::did("searched", ">= 2", 600);
    for (path, text) in crate::rule::files("searching", &rule) {
        server.define(&path, &text);
    }
    server.restart();
    let said = eventually("the cohort is filled", RELOADED_WITHIN, || {
        let said = server.client.flags("ann").said("searching");
        (!matches!(said, Said::Failed(_))).then_some(said)
    });
    assert_eq!(said, Said::Yes);
}

#[test]
fn a_bad_file_leaves_the_last_good_catalog_serving() {
    let (server, mut dice) = (Setup::embedded().start(), Dice::new(10));
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));
    server.define(
        "cohorts/hesitating.yaml",
        "members:\n  all:\n    - { did: added to cart, cuont: \">= 4\", within: 5m }\n",
    );
    eventually("the file is refused, by name, line and column", RELOADED_WITHIN, || {
        server.log().contains("hesitating.yaml:3:").then_some(())
    });
    assert!(server.client.flags("ann").on("offer"), "the last good catalog serves");

    let (content, said) = harness::check(&server.definitions());
    assert!(!content, "a bad definition passed the check: {said}");
    assert!(said.contains("hesitating.yaml:3:"), "no file, line and column in: {said}");
    assert!(said.contains("count"), "no word of what was meant in: {said}");

    server.define(
        "cohorts/hesitating.yaml",
        "members:\n  all:\n    - { did: added to cart, count: \">= 4\", within: 5m }\n",
    );
    eventually("the mended file takes effect", RELOADED_WITHIN, || {
        (server.client.flags("ann").said("offer") == Said::No).then_some(())
    });
    let (content, said) = harness::check(&server.definitions());
    assert!(content, "good definitions did not pass: {said}");
}
