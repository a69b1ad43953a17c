//! Times deciding alone: twenty conditions of all kinds, of a person whose facts are at hand.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use schemas::catalog::{Project, Registry};
use schemas::definitions::{Source, compile};
use schemas::filter::Moment;
use schemas::lookup::{Coverage, Facts};
use schemas::record::Record;
use schemas::window::{Entry, Hit};
use serde_json::{Value, json};

use crate::dice::Dice;

const NOW_MS: i64 = 1_790_000_000_000;

/// A flag is on for whoever is in; names of events as in the shop that ships with Sluice.
const CONDITIONS: [&str; 20] = [
    "{ did: added, count: '>= 3', within: 5m }",
    "{ did: bought, count: '= 0', within: 5m }",
    "{ did: searched, count: '= 2', between: [10m, 5m] }",
    "{ did: refund, count: '> 1x', within: 1h, compared with: { did: bought } }",
    "{ did: searched, count: '>= 2x', within: 5m, compared with: { between: [10m, 5m] } }",
    "{ regularly: searched, at least: 2, of last: 3 days }",
    "{ regularly: searched, at least: 5, of last: 24 hours }",
    "{ distinct: product, of: seen, count: '>= 5', within: 10m }",
    "{ sum: price, of: seen, is: '> 100', within: 1d }",
    "{ average: price, of: seen, is: '> 20', within: 10m }",
    "{ smallest: price, of: seen, is: '!= 11', within: 10m }",
    "{ largest: price, of: seen, is: '>= 30', within: 10m }",
    "{ latest: product, of: seen, is: 5, nth: 2, within: 10m }",
    "{ first: bought, within: 7d }",
    "{ last: bought, ago: '>= 30d' }",
    "{ known: '>= 7d' }",
    "{ stopped: bought, within: 30d, quiet: 7d }",
    "{ restarted: bought, quiet: [30d, 1d] }",
    "{ sequence: [ { did: seen }, { did: added, after: '<= 2m' } ], same: product, \
     without: { did: emptied }, within: 1h }",
    "{ sequence: [ { did: seen }, { did: added }, { did: bought } ], within: 1h, \
     unfinished: true }",
];

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
    let project = project()?;
    let facts = facts(&project, arguments.events);
    let context = Context { distinct_id: "ann".to_owned(), ..Context::default() };
    let decided = evaluate(&project, &context, &facts, NOW_MS);
    let on = decided.iter().filter(|decision| decision.outcome.enabled).count();
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

fn project() -> Result<Project, String> {
    let source = |path: String, text: String| Source { path, text };
    let mut sources = vec![source("shop/project.yaml".to_owned(), "token: phc_shop\n".to_owned())];
    for (at, condition) in CONDITIONS.iter().enumerate() {
        let cohort = format!("members: {condition}\n");
        sources.push(source(format!("shop/cohorts/c{at:02}.yaml"), cohort));
        let flag = json!({ "rules": [{ "when": { "cohort": format!("c{at:02}") } }] });
        sources.push(source(format!("shop/flags/f{at:02}.yaml"), flag.to_string()));
    }
    let compiled = compile(&sources, &|_| None, &mut Registry::default());
    let compiled = compiled.map_err(|problems| format!("{problems:#?}"))?;
    let project = compiled.catalog.projects().first().ok_or("no project")?;
    Ok(project.as_ref().clone())
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
