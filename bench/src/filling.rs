//! Saves a new cohort in a node that has people, and times until its answers are exact.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cohort::report::spread;
use crate::conditions::{self, PEOPLE_EVENTS, TOKEN};
use crate::dice::Dice;
use crate::event::now_ms;
use crate::people::{beside, distinct_id};
use crate::rule::Rule;
use crate::wire::Connection;
use crate::{Failure, Outcome};

const SETTLES: Duration = Duration::from_secs(2);
const ASKED_EVERY: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// The folder of projects, as `bench definitions --set people` wrote it.
    #[arg(long)]
    dir: PathBuf,
    /// How many people `bench people` made active.
    #[arg(long, default_value_t = 1_000_000)]
    people: u64,
    /// Measures ingestion for this many seconds first, and saves the cohort beside it.
    #[arg(long, value_name = "SECONDS")]
    beside: Option<u64>,
    /// Does that so many times, each with a cohort of its own, and tells medians.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Connections that send events meanwhile.
    #[arg(long, default_value_t = 4)]
    senders: u64,
    /// How many people are asked for once it is filled.
    #[arg(long, default_value_t = 1_000)]
    sample: u64,
    /// How long to wait for it, in seconds.
    #[arg(long, default_value_t = 300)]
    limit: u64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let Arguments { url, people, senders, .. } = arguments;
    let Some(seconds) = arguments.beside else {
        println!("saved -> exact: {:.1} s", fill(arguments)?.as_secs_f64());
        return Ok(());
    };
    let wait = || {
        thread::sleep(Duration::from_secs(seconds));
        Ok(())
    };
    let (mut without, mut with, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.max(1) {
        without.push(beside(url, *people, *senders, wait)?.0);
        let (kept, filling) = beside(url, *people, *senders, || fill(arguments))?;
        with.push(kept);
        took.push(filling.as_secs_f64());
        println!(
            "saved -> exact {:.1} s beside {kept:.0} events/s, which were {:.0} before",
            took[took.len() - 1],
            without[without.len() - 1]
        );
        // What it left is made durable before the next begins.
        thread::sleep(SETTLES);
    }
    let of = |values: &[f64]| spread(values, |value| *value).ok_or("there was no round");
    let ([_, without, _], [_, with, _], [_, took, longest]) =
        (of(&without)?, of(&with)?, of(&took)?);
    println!("medians: saved -> exact {took:.1} s ({longest:.1} at most)");
    println!(
        "ingestion {without:.0} events/s, {with:.0} meanwhile: {:.0} %",
        100.0 * with / without
    );
    Ok(())
}

/// How long it takes from when a cohort is saved that nothing was kept for.
fn fill(arguments: &Arguments) -> Result<Duration, Failure> {
    let key = format!("since-{}", now_ms());
    // Everybody did it twice; it looks further back than whatever is there.
    let within_s = 86_400 + now_ms() / 1_000 % 86_400;
    conditions::save(&arguments.dir, &key, &Rule::did(PEOPLE_EVENTS[0], ">= 2", within_s))?;
    let saved = Instant::now();
    let mut connection = Connection::open(&arguments.url)?;
    let mut is_on = |person: u64| -> Result<Option<bool>, Failure> {
        let asked = json!({
            "token": TOKEN, "distinct_id": distinct_id(person), "flag_keys": [key],
        });
        let reply = connection.post("/flags/?v=2", asked.to_string().as_bytes())?;
        if reply.status == 503 {
            return Ok(None);
        }
        let answer: Value = serde_json::from_slice(reply.fine()?.body)?;
        let flag = &answer["flags"][&key];
        let is_known = flag.is_object() && flag["failed"] != json!(true);
        Ok(is_known.then(|| flag["enabled"] == json!(true)))
    };
    // Of some it is known at once, by what was kept for others.
    let (mut dice, mut took) = (Dice::new(arguments.people), Duration::ZERO);
    for _ in 0..arguments.sample {
        let person = dice.below(arguments.people);
        let is_in = loop {
            if let Some(is_in) = is_on(person)? {
                break is_in;
            }
            if saved.elapsed() > Duration::from_secs(arguments.limit) {
                return Err("it is still not filled".into());
            }
            thread::sleep(ASKED_EVERY);
            took = saved.elapsed();
        };
        if !is_in {
            return Err(format!("person {person} is not in").into());
        }
    }
    Ok(took)
}
