//! The four ways that are gone most often, each alone and so many times: what callgrind counts the
//! instructions of, and what a profiler looks at.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use processor::fold::{Bounds, Fold, Outcome, Reading};
use processor::log::LogRecord;
use processor::store::{Partition, PersonKey};
use schemas::catalog::Catalog;
use schemas::event::Format;
use schemas::lookup::{Coverage, Facts};
use schemas::record::Record;
use schemas::time::MINUTE_MS;

use crate::conditions::{self, Set, TOKEN};
use crate::workload::{Shape, Sketch, Workload};

const NOW_MS: i64 = 1_790_000_000_000;
/// Events are made once and gone through again and again.
const SHAPE: Shape = Shape { events: 20_000, persons: 2_000, ..Shape::W1 };

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// Folds an event that conditions watch.
    Fold,
    /// Looks at an event that none watches.
    Skip,
    /// Decides one flag, a behavioural one, of fifty.
    Flag,
    /// Decides fifty flags, ten of them behavioural.
    Fifty,
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Which of them.
    #[arg(long)]
    path: Path,
    /// How often.
    #[arg(long)]
    times: usize,
}

pub fn run(arguments: &Arguments) -> crate::Outcome {
    let catalog = conditions::catalog(match arguments.path {
        Path::Fold | Path::Skip => Set::W1,
        Path::Flag | Path::Fifty => Set::Fifty,
    })?;
    match arguments.path {
        Path::Fold => fold(&catalog, arguments.times, Sketch::is_watched),
        Path::Skip => fold(&catalog, arguments.times, |sketch| !sketch.is_watched()),
        Path::Flag => decide(&catalog, arguments.times, Some("three-adds")),
        Path::Fifty => decide(&catalog, arguments.times, None),
    }
}

/// How a node reads unless it is told otherwise.
fn reading() -> Reading {
    let bounds = Bounds { skew_ms: 5_000, lateness_ms: 60 * MINUTE_MS };
    Reading { format: Format::Sluice, bounds, token: None }
}

fn fold(catalog: &Catalog, times: usize, which: impl Fn(&Sketch) -> bool) -> crate::Outcome {
    let sketches = Workload::new(SHAPE, NOW_MS).filter(which);
    let records: Vec<(i64, Vec<u8>)> = sketches
        .map(|sketch| {
            let mut value = Vec::new();
            sketch.write(TOKEN, SHAPE.bytes, &mut value);
            (sketch.time_ms, value)
        })
        .collect();
    let (partition, mut fold) = (Partition::default(), Fold::new(reading()));
    let mut folded = 0;
    for ((timestamp_ms, value), offset) in records.iter().cycle().zip(0..times as i64) {
        let (timestamp_ms, value) = (*timestamp_ms, Some(value.as_slice()));
        let record = LogRecord { partition: 0, offset, timestamp_ms, value };
        let effect = fold.fold(catalog, &partition, record);
        folded += u64::from(effect.outcome == Outcome::Folded);
    }
    println!("{times} records, {folded} folded, {} people", partition.hot.people());
    Ok(())
}

fn decide(catalog: &Catalog, times: usize, only: Option<&str>) -> crate::Outcome {
    let project = catalog.projects().first().ok_or("no project")?;
    let flag_keys = only.map(|key| BTreeSet::from([key.to_owned()]));
    let context = Context { distinct_id: "ann".to_owned(), flag_keys, ..Context::default() };
    let coverage = project.matchers.iter().map(|m| (m.id, Coverage::Since(i64::MIN))).collect();
    let record = busiest(catalog)?;
    let facts = Facts { record, coverage: Arc::new(coverage), ..Facts::default() };
    let mut on = 0;
    for _ in 0..times {
        let decided = evaluate(black_box(project), &context, &facts, NOW_MS);
        on += decided.iter().filter(|decision| decision.outcome.enabled()).count();
    }
    println!("{times} times, {on} flags on");
    Ok(())
}

/// What is kept of the busiest visitor.
fn busiest(catalog: &Catalog) -> Result<Record, Box<dyn std::error::Error>> {
    let (partition, mut fold) = (Partition::default(), Fold::new(reading()));
    let mut value = Vec::new();
    for (sketch, offset) in Workload::new(SHAPE, NOW_MS).filter(|s| s.person == 0).zip(0..) {
        sketch.write(TOKEN, SHAPE.bytes, &mut value);
        let timestamp_ms = sketch.time_ms;
        let value = Some(value.as_slice());
        fold.fold(catalog, &partition, LogRecord { partition: 0, offset, timestamp_ms, value });
    }
    let project = catalog.projects().first().ok_or("no project")?;
    let key = PersonKey::new(project.id, &crate::workload::distinct_id(0));
    Ok(partition.hot.glance(&key).ok_or("nobody is kept")?.0)
}
