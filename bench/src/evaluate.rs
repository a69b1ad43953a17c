//! Times deciding alone: twenty conditions of all kinds, of a person whose facts are at hand.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use schemas::catalog::Project;
use schemas::filter::Moment;
use schemas::lookup::{Coverage, Facts};
use schemas::record::Record;
use schemas::window::{Entry, Hit};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::twenty;

const NOW_MS: i64 = 1_790_000_000_000;

#[derive(Args)]
pub struct Arguments {
    /// Events of the person, spread over the last hour; a fifth of them is older.
    #[arg(long, default_value_t = 100)]
    events: usize,
    /// How often all twenty are decided.
    #[arg(long, default_value_t = 100_000)]
    rounds: u32,
}

pub fn run(arguments: &Arguments) -> crate::Outcome {
    let project = twenty::project()?;
    let facts = facts(&project, arguments.events);
    let context = Context { distinct_id: "ann".to_owned(), ..Context::default() };
    let decided = evaluate(&project, &context, &facts, NOW_MS);
    let on = decided.iter().filter(|decision| decision.outcome.enabled()).count();
    let failed = decided.iter().filter(|decision| decision.failed()).count();
    println!(
        "{} conditions of a person with {} events, {} bytes: {on} on, {failed} failed",
        decided.len(),
        arguments.events,
        facts.record.as_bytes().len()
    );
    let mut took: Vec<Duration> = Vec::with_capacity(arguments.rounds as usize);
    for _ in 0..arguments.rounds {
        let began = Instant::now();
        black_box(evaluate(black_box(&project), &context, &facts, NOW_MS));
        took.push(began.elapsed());
    }
    took.sort();
    let at = |share: f64| took[(took.len() as f64 * share) as usize].as_secs_f64() * 1e6;
    let mean = took.iter().sum::<Duration>().as_secs_f64() * 1e6 / took.len() as f64;
    println!("all of them: mean {mean:.2} µs, p50 {:.2} µs, p99 {:.2} µs", at(0.5), at(0.99));
    Ok(())
}

/// What would be kept of somebody who is busy.
fn facts(project: &Project, events: usize) -> Facts {
    let mut dice = Dice::new(20);
    let mut record = Record::default();
    let moment = Moment { now_ms: NOW_MS, zone: &project.time_zone };
    for _ in 0..events {
        let name = *dice.pick(&["seen", "seen", "seen", "added", "searched", "bought", "refund"]);
        let reach_ms = if dice.per_mille(200) { 40 * 24 * 3_600_000 } else { 3_600_000 };
        let entry = Entry::new(NOW_MS - dice.below(reach_ms) as i64, dice.throw() >> 10);
        let given = |key: &str, dice: &mut Dice| -> Value {
            if key == "price" { json!(dice.below(50)) } else { json!(dice.below(10)) }
        };
        for matcher in &project.matchers {
            if !matcher.event.is_empty() && matcher.event != name {
                continue;
            }
            let value = matcher.take.property().map(|key| given(key, &mut dice));
            if let Some(value) = matcher.take.of(value.as_ref(), moment) {
                record.fold(matcher.id, matcher.kept, Hit { entry, value });
            }
        }
    }
    let coverage = project.matchers.iter().map(|m| (m.id, Coverage::Since(i64::MIN))).collect();
    Facts { record, coverage: std::sync::Arc::new(coverage), ..Facts::default() }
}
