//! Measures what Sluice promises: fills a topic, loads a node over HTTP, and counts.
#![allow(clippy::disallowed_methods, reason = "measuring time is what this is for")]

mod cohort;
mod conditions;
#[path = "../../tests/dice.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod dice;
mod evaluate;
#[path = "../../tests/event.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod event;
mod fill;
mod filling;
mod flags;
mod floor;
mod hot_path;
mod members;
#[path = "../../tests/oracle.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod oracle;
mod overhead;
mod overload;
mod people;
mod positions;
mod process;
#[path = "../../tests/rule.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod rule;
mod state;
mod together;
mod twenty;
mod verify;
mod visible;
mod wait;
mod wire;
mod workload;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The floor and the store alone have what Sluice has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can go wrong while measuring ends the measurement, with a sentence.
type Outcome = Result<(), Failure>;

/// What ended it.
type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "Measures what Sluice promises.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the definitions that a measurement needs.
    Definitions {
        /// Where: the folder of projects, as in SLUICE_DEFINITIONS.
        #[arg(long)]
        dir: PathBuf,
        /// For which measurement.
        #[arg(long)]
        set: conditions::Set,
    },
    /// Fills a topic with workload W1.
    KafkaFill(fill::Arguments),
    /// Waits until a node has taken so many events, and says at what cost.
    KafkaWait(wait::Arguments),
    /// Compares a node's answers with workload W1 as it was filled.
    Verify(verify::Arguments),
    /// Asks for flags at a steady rate while events arrive.
    Flags(flags::Arguments),
    /// Times deciding alone, without a node.
    Evaluate(evaluate::Arguments),
    /// CohortBench: Sluice beside what experts build otherwise, over the same topic.
    Cohort(cohort::Arguments),
    /// CohortBench around its workload: more people, conditions, bytes; and restarts.
    Around(cohort::around::Arguments),
    /// Reads a topic as cheaply as a program can, and keeps nothing.
    Floor(floor::Arguments),
    /// Goes one of the ways that are gone most often, so many times.
    HotPath(hot_path::Arguments),
    /// Asks for one flag and for all, beside a server that does nothing.
    Overhead(overhead::Arguments),
    /// Answers nothing: what `overhead` compares with.
    #[command(hide = true)]
    Nothing,
    /// Asks for five times what a node can answer, and times both answers and refusals.
    Overload(overload::Arguments),
    /// Captures and asks with the position, many times, and counts answers that are old.
    Positions(positions::Arguments),
    /// Makes many people active, then reads the node's peak memory.
    People(people::Arguments),
    /// Counts the members of a cohort, alone and beside ingestion.
    Members(members::Arguments),
    /// Saves a new cohort in a node that has people, and times until its answers are exact.
    Filling(filling::Arguments),
    /// Times the store alone: hits go in, and are made durable.
    State(state::Arguments),
    /// Times events from when they are handed over until a check says yes.
    Visible(visible::Arguments),
    /// Waits until a node is ready and right, and says how long that took.
    Ready(people::ReadyArguments),
}

fn main() -> Outcome {
    match Arguments::parse().command {
        Command::Definitions { dir, set } => conditions::write(&dir, set),
        Command::KafkaFill(arguments) => fill::run(&arguments),
        Command::KafkaWait(arguments) => wait::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Flags(arguments) => flags::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Cohort(arguments) => cohort::run(&arguments),
        Command::Around(arguments) => cohort::around::run(&arguments),
        Command::Floor(arguments) => floor::run(&arguments),
        Command::HotPath(arguments) => hot_path::run(&arguments),
        Command::Overhead(arguments) => overhead::run(&arguments),
        Command::Nothing => overhead::serve_nothing(),
        Command::Overload(arguments) => overload::run(&arguments),
        Command::Positions(arguments) => positions::run(&arguments),
        Command::People(arguments) => people::run(&arguments),
        Command::Members(arguments) => members::run(&arguments),
        Command::Filling(arguments) => filling::run(&arguments),
        Command::State(arguments) => state::run(&arguments),
        Command::Visible(arguments) => visible::run(&arguments),
        Command::Ready(arguments) => people::ready(&arguments),
    }
}
