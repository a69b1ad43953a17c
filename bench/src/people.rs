//! Makes many people active and reads what that costs in memory, before a restart and after.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::conditions::{PEOPLE_EVENTS, TOKEN};
use crate::dice::Dice;
use crate::event::{now_ms, rfc3339};
use crate::process;
use crate::together::together;
use crate::wait::ready as ready_at;
use crate::wire::{Connection, Reply};
use crate::{Failure, Outcome};

const BATCH: u64 = 1_000;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// The node's process.
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value_t = 1_000_000)]
    people: u64,
    /// Spread evenly over five event names.
    #[arg(long, default_value_t = 10)]
    events_each: u64,
    #[arg(long, default_value_t = 4)]
    connections: u64,
}

#[derive(clap::Args)]
pub struct ReadyArguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    url: String,
    /// How many people were made active.
    #[arg(long, default_value_t = 1_000_000)]
    people: u64,
    /// How many of them are asked for once the node is ready.
    #[arg(long, default_value_t = 1_000)]
    sample: u64,
    /// How long to wait for it, in seconds.
    #[arg(long, default_value_t = 120)]
    limit: u64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let began = Instant::now();
    together(arguments.connections, |number| send(arguments, number))?;
    let events = arguments.people * arguments.events_each;
    let seconds = began.elapsed().as_secs_f64();
    println!("{events} events in {seconds:.1} s: {:.0} events/s", events as f64 / seconds);
    println!(
        "memory {:.0} MiB, peak {:.0} MiB",
        process::memory_mib(arguments.pid)?,
        process::memory_peak_mib(arguments.pid)?
    );
    Ok(())
}

/// Everybody's first event, then everybody's second: each round touches all people again.
fn send(arguments: &Arguments, number: u64) -> Result<(), String> {
    let mut connection = Connection::open(&arguments.url).map_err(|error| error.to_string())?;
    let mut dice = Dice::new(number);
    for round in 0..arguments.events_each {
        let event = PEOPLE_EVENTS[(round % PEOPLE_EVENTS.len() as u64) as usize];
        let firsts = (0..arguments.people).step_by(BATCH as usize);
        for first in firsts.skip(number as usize).step_by(arguments.connections as usize) {
            let last = (first + BATCH).min(arguments.people);
            let body = batch(event, first..last, &mut dice);
            let taken = connection.post("/batch/", body.as_bytes()).and_then(Reply::fine);
            taken.map_err(|error| format!("a batch was not taken: {error}"))?;
        }
    }
    Ok(())
}

/// Does something while so many connections send as many events of random people as are taken.
/// Returns how many those were a second, and what came of it.
///
/// # Errors
/// When that fails, or a batch isn't taken.
pub fn beside<T>(
    url: &str,
    people: u64,
    senders: u64,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<(f64, T), Failure> {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    let done = thread::scope(|scope| {
        let sender = |number| {
            let (stop, sent) = (&stop, &sent);
            scope.spawn(move || send_until(url, (number, people), stop, sent))
        };
        let senders: Vec<_> = (0..senders).map(sender).collect();
        let done = work();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        done
    })?;
    Ok((sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64(), done))
}

/// Sends more and more events of random people until told to stop, and counts what is taken.
fn send_until(
    url: &str,
    (number, people): (u64, u64),
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> Result<(), String> {
    let mut connection = Connection::open(url).map_err(|error| error.to_string())?;
    let mut dice = Dice::new(u64::MAX - number);
    while !stop.load(Ordering::Relaxed) {
        let event = *dice.pick(&PEOPLE_EVENTS);
        let first = dice.below(people.saturating_sub(BATCH).max(1));
        let body = batch(event, first..first + BATCH, &mut dice);
        let taken = connection.post("/batch/", body.as_bytes()).and_then(Reply::fine);
        taken.map_err(|error| format!("a batch was not taken: {error}"))?;
        sent.fetch_add(BATCH, Ordering::Relaxed);
    }
    Ok(())
}

fn batch(event: &str, people: std::ops::Range<u64>, dice: &mut Dice) -> String {
    let mut body = format!(r#"{{"api_key":"{TOKEN}","batch":["#);
    let rest = format!(r#""timestamp":"{}","properties":{{}}}}"#, rfc3339(now_ms()));
    for (number, person) in people.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let (person, uuid) = (distinct_id(person), dice.uuid());
        let written = write!(
            body,
            r#"{comma}{{"event":"{event}","distinct_id":"{person}","uuid":"{uuid}",{rest}"#
        );
        written.expect("writing to memory");
    }
    body.push_str("]}");
    body
}

/// Started with the node: waits until it is ready, then checks that it knows everybody.
pub fn ready(arguments: &ReadyArguments) -> Outcome {
    let began = Instant::now();
    let mut connection = ready_at(&arguments.url, began + Duration::from_secs(arguments.limit))?;
    println!("ready after {:.3} s", began.elapsed().as_secs_f64());
    let mut dice = Dice::new(arguments.people);
    for _ in 0..arguments.sample {
        let person = distinct_id(dice.below(arguments.people));
        let asked = json!({ "token": TOKEN, "distinct_id": person }).to_string();
        let reply = connection.post("/flags/?v=2", asked.as_bytes())?.fine()?;
        let body: Value = serde_json::from_slice(reply.body)?;
        for event in PEOPLE_EVENTS {
            if body["flags"][event]["enabled"] != json!(true) {
                return Err(format!("{event} of {person} is not on: {body}").into());
            }
        }
    }
    println!("{} right answers after {:.3} s", arguments.sample, began.elapsed().as_secs_f64());
    Ok(())
}

/// An id of 36 characters that is the person's own.
pub fn distinct_id(person: u64) -> String {
    Dice::new(person).uuid()
}
