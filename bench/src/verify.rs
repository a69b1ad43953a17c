//! Compares a node's answers with the workload that its topic was filled with.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::Outcome;
use crate::conditions::{self, Set, TOKEN};
use crate::dice::Dice;
use crate::oracle::{Oracle, Verdict};
use crate::wire::Connection;
use crate::workload::{Shape, Workload, distinct_id};

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    pub url: String,
    #[command(flatten)]
    pub shape: Shape,
    /// The end of the workload, as kafka-fill printed it.
    #[arg(long)]
    pub ending: i64,
    /// How many people are asked for, half of them among the busiest.
    #[arg(long, default_value_t = 2_000)]
    pub sample: u32,
    /// The conditions that the node has.
    #[arg(long, default_value = "w1")]
    pub set: Set,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let shape = arguments.shape;
    let mut dice = Dice::new(shape.seed ^ 1);
    let busiest = 0..(arguments.sample / 2).min(shape.persons);
    let others = busiest.clone().map(|_| dice.below(u64::from(shape.persons)) as u32);
    let sample: HashSet<u32> = others.chain(busiest).collect();
    let mut oracle = Oracle::default();
    for sketch in Workload::new(shape, arguments.ending) {
        if sketch.is_watched() && sample.contains(&sketch.person) {
            oracle.see(sketch.event(), sketch.time_ms);
        }
    }

    let rules = conditions::rules(arguments.set);
    let mut connection = Connection::open(&arguments.url)?;
    let (mut compared, mut yes, mut wrong) = (0, 0, Vec::new());
    for person in sample.into_iter().map(distinct_id) {
        let asked = json!({ "token": TOKEN, "distinct_id": person }).to_string();
        let reply = connection.post("/flags/?v=2", asked.as_bytes())?.fine()?;
        let body: Value = serde_json::from_slice(reply.body)?;
        let now_ms = body["evaluatedAt"].as_i64().ok_or("no evaluatedAt")?;
        for (key, rule) in &rules {
            let flag = &body["flags"][*key];
            let wanted = oracle.verdict(&person, rule, now_ms) == Verdict::True;
            let right = flag["failed"] != json!(true) && flag["enabled"] == json!(wanted);
            compared += 1;
            yes += u32::from(wanted);
            if !right {
                wrong.push(format!("{key} of {person} should be {wanted}: {flag}"));
            }
        }
    }
    println!("{compared} answers compared, {yes} of them yes, {} wrong", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong[..wrong.len().min(5)].join("\n").into()) }
}
