//! Traffic: who does what while a node is killed, and what is asked of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::Setup;
use crate::rule::{self, Rule, Wanted};
use crate::shop::MINUTE_MS;

/// How many people there are.
pub const PEOPLE: u64 = 200;
/// How long somebody goes on sending whom nobody tells to stop.
const SENDING_MAX: Duration = Duration::from_secs(60);

/// Events on their way, and whether the node said that it has them.
pub struct Batch {
    pub events: Vec<Event>,
    pub sent_ms: i64,
    pub acknowledged: bool,
}

/// Sends batches until it is told to stop or nobody answers. An answer that isn't 200 isn't an
/// acknowledgement.
pub fn load(client: &Client, mut dice: Dice, stop: &AtomicBool, sent: &Mutex<Vec<Batch>>) {
    // Should the test fail meanwhile, nobody tells it to stop.
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) && began.elapsed() < SENDING_MAX {
        let sent_ms = now_ms();
        let count = 1 + dice.below(12);
        let mut events: Vec<Event> = (0..count).map(|_| event(&mut dice, sent_ms)).collect();
        if dice.per_mille(100) {
            events.push(events[0].clone());
        }
        let body = client.batch(&events).to_string();
        let answer = client.try_post("/batch/", body.as_bytes());
        let acknowledged = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        sent.lock().expect("no loader panicked").push(Batch { events, sent_ms, acknowledged });
        if answer.is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(dice.below(12)));
    }
}

/// Something that happened within the last eight minutes, most of it just now.
fn event(dice: &mut Dice, sent_ms: i64) -> Event {
    let back_ms = if dice.per_mille(400) { 8 * MINUTE_MS } else { 4_000 };
    let time_ms = sent_ms - dice.below(back_ms as u64) as i64;
    let name = *dice.pick(&[
        "product viewed",
        "product viewed",
        "added to cart",
        "checkout started",
        "purchase",
        "$pageview",
    ]);
    let person = person(dice.below(PEOPLE));
    let price = dice.below(100);
    let category = *dice.pick(&["shoes", "bags", "hats"]);
    Event::new(name, &person, time_ms, dice).with("price", price).with("category", category)
}

pub fn person(number: u64) -> String {
    format!("visitor-{number:03}")
}

/// Every comparison, with filters, windows that end during the test, and all ways to combine.
pub fn rules() -> Vec<(&'static str, Rule)> {
    let did = Rule::did;
    let not = |rule| Rule::Not(Box::new(rule));
    let shoes = vec![("category", Wanted::OneOf(vec!["shoes".to_owned(), "hats".to_owned()]))];
    let dear = vec![("price", Wanted::MoreThan(70.0))];
    vec![
        ("three-adds", did("added to cart", ">= 3", 300)),
        ("few-views", did("product viewed", "< 5", 120)),
        ("two-checkouts", did("checkout started", "= 2", 300)),
        ("not-three-views", did("product viewed", "!= 3", 4)),
        ("many-views", did("product viewed", "> 6", 480)),
        ("at-most-four", did("product viewed", "<= 4", 240)),
        ("nothing-bought", not(did("purchase", ">= 1", 3))),
        ("shoes", Rule::did_where("product viewed", ">= 2", 300, shoes)),
        ("dear", Rule::did_where("added to cart", ">= 1", 60, dear)),
        (
            "hesitates",
            Rule::All(vec![did("added to cart", ">= 2", 300), not(did("purchase", ">= 1", 60))]),
        ),
        (
            "either",
            Rule::Any(vec![
                did("purchase", ">= 3", 480),
                not(Rule::Any(vec![
                    did("product viewed", ">= 1", 2),
                    did("added to cart", "= 0", 300),
                ])),
            ]),
        ),
    ]
}

pub fn define(setup: Setup, rules: &[(&str, Rule)]) -> Setup {
    let files = rules.iter().flat_map(|(key, rule)| rule::files(key, rule));
    files.fold(setup, |setup, (path, text)| setup.define(&path, &text))
}
