//! Whether a contestant is right: everything that it knows of a small topic, against the oracle.

use std::collections::HashMap;
use std::fs;

use super::Ground;
use super::contestant::Contestant;
use super::node::Node;
use super::run::run;
use crate::conditions::{self, Set};
use crate::fill::Filled;
use crate::oracle::{Oracle, Verdict};
use crate::verify;
use crate::workload::{Shape, Workload, distinct_id};

/// A topic that is small enough for the oracle.
pub const SMALL: Shape = Shape { events: 200_000, persons: 20_000, seed: 2, ..Shape::W1 };
pub const TOPIC: &str = "cohort-small";
/// Windows have moved on a little by then.
const LATER_MS: i64 = 20_000;

/// Asks a contestant about everybody.
///
/// # Errors
/// When it doesn't run, or an answer is wrong: which ones.
pub fn check(
    contestant: &Contestant,
    ground: &Ground,
    filled: Filled,
) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(set) = contestant.conditions() {
        let node = Node::start(ground, TOPIC, set)?;
        node.take_in(SMALL.events, SMALL.persons)?;
        let (url, ending) = (node.url.clone(), filled.ending_ms);
        return verify::run(&verify::Arguments {
            url,
            shape: SMALL,
            ending,
            sample: SMALL.persons,
            set,
        });
    }
    let now_ms = filled.ending_ms + LATER_MS;
    let path = ground.work.join(format!("{}.answers", contestant.name));
    run(contestant, ground, (TOPIC, SMALL.events), Some((&path, now_ms)))?;
    let said = fs::read_to_string(&path)?;
    let said: HashMap<&str, &str> = said.lines().filter_map(|line| line.split_once(' ')).collect();

    let mut oracle = Oracle::default();
    for sketch in Workload::new(SMALL, filled.ending_ms).filter(|sketch| sketch.is_watched()) {
        oracle.see(sketch.event(), sketch.time_ms);
    }
    let rules = conditions::rules(Set::W1);
    let right = |person: &str| -> String {
        let is_in = |rule| oracle.verdict(person, rule, now_ms) == Verdict::True;
        rules.iter().map(|(_, rule)| if is_in(rule) { '1' } else { '0' }).collect()
    };
    let nobody = right("nobody");
    let wrong: Vec<String> = (0..SMALL.persons)
        .map(distinct_id)
        .filter_map(|person| {
            let said = said.get(person.as_str()).copied().unwrap_or(&nobody);
            let right = right(&person);
            (right != said).then(|| format!("{person} is {right}, not {said}"))
        })
        .collect();
    println!("{}: {} people compared, {} wrong", contestant.name, SMALL.persons, wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong[..wrong.len().min(5)].join("\n").into()) }
}
