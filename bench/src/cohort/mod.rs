//! CohortBench: the same topic, read by Sluice and by what experts build otherwise, one after the
//! other on one machine, each checked before it is timed.

pub mod around;
mod check;
mod contestant;
mod node;
pub mod report;
mod run;

use std::path::PathBuf;

pub use contestant::java;
use contestant::{ALL, Contestant};
use node::Node;
use report::{Report, Standing};
use run::Run;
pub use run::timed;

use crate::fill::{self, Filled, fill};
use crate::workload::Shape;
use crate::{Failure, Outcome};

/// What takes part, and where.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    ground: Ground,
    #[command(flatten)]
    shape: Shape,
    /// What the workload is called in the report.
    #[arg(long, default_value = "W1")]
    workload: String,
    /// How often each is timed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Who takes part; everybody if nobody is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The folder that gets the report, as Markdown and as JSON.
    #[arg(long)]
    out: PathBuf,
}

/// Where contestants meet.
#[derive(clap::Args)]
pub struct Ground {
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    /// The binary.
    #[arg(long)]
    sluice: PathBuf,
    /// What `bench/peers/build` printed; without it nobody in Java takes part.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Without it Redis doesn't take part.
    #[arg(long)]
    redis_server: Option<PathBuf>,
    /// A folder for what contestants keep, on the disk that is to be measured.
    #[arg(long)]
    work: PathBuf,
}

const TOPIC: &str = "cohort";

pub fn run(arguments: &Arguments) -> Outcome {
    let ground = &arguments.ground;
    let named = |contestant: &&Contestant| {
        let only = &arguments.only;
        only.is_empty() || only.iter().any(|name| name == contestant.name)
    };
    if let Some(name) = arguments.only.iter().find(|name| ALL.iter().all(|c| c.name != **name)) {
        let names: Vec<&str> = ALL.iter().map(|contestant| contestant.name).collect();
        return Err(format!("nobody is called {name:?}: there are {}", names.join(", ")).into());
    }
    let (here, away): (Vec<&Contestant>, Vec<&Contestant>) =
        ALL.iter().filter(named).partition(|contestant| contestant.is_here(ground));
    for contestant in away {
        println!("{} doesn't take part: this machine lacks what it needs", contestant.name);
    }
    let small = topic(ground, check::TOPIC, check::SMALL)?;
    let filled = topic(ground, TOPIC, arguments.shape)?;
    println!("the topic is filled: {} people have a watched event", filled.active);

    let mut results: Vec<Standing> = Vec::new();
    for contestant in here {
        // Whoever is wrong isn't timed, and nobody else has to wait for that.
        let fault = match contestant.can_be_checked() {
            true => check::check(contestant, ground, small).err().map(|fault| fault.to_string()),
            false => None,
        };
        if let Some(fault) = &fault {
            println!("{} isn't timed: {fault}", contestant.name);
        }
        results.push(Standing { contestant: *contestant, fault, runs: Vec::new() });
    }
    for number in 1..=arguments.runs {
        for result in results.iter_mut().filter(|result| result.fault.is_none()) {
            match time(&result.contestant, arguments) {
                Ok(run) => {
                    println!("{number}: {}: {run:?}", result.contestant.name);
                    result.runs.push(run);
                }
                Err(error) => result.fault = Some(error.to_string()),
            }
        }
    }
    let report = Report {
        workload: &arguments.workload,
        shape: arguments.shape,
        active: filled.active,
        results: &results,
    };
    report.write(&arguments.out)
}

fn topic(ground: &Ground, topic: &str, shape: Shape) -> Result<Filled, Failure> {
    fill(&fill::Arguments {
        brokers: ground.brokers.clone(),
        topic: topic.to_owned(),
        partitions: 4,
        shape,
        partitioner: "murmur2_random".to_owned(),
    })
}

fn time(contestant: &Contestant, arguments: &Arguments) -> Result<Run, Failure> {
    let Shape { events, persons, .. } = arguments.shape;
    if let Some(set) = contestant.conditions() {
        // As installed, a run would be over after one or two.
        let often = [("SLUICE_CHECKPOINT_INTERVAL_MS", "2000".to_owned())];
        let node = Node::start_with(&arguments.ground, TOPIC, set, &often)?;
        return node.take_in(events, persons);
    }
    run::run(contestant, &arguments.ground, (TOPIC, events), None)
}
