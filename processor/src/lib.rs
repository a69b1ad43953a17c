//! Folds the log into state: reads records, keeps windows, links and properties of people, and
//! tells what is kept of whom. `main.rs` hosts it together with the evaluator.

pub mod census;
pub mod checkpointer;
pub mod cli;
pub mod clocks;
pub mod definitions;
pub mod dev;
pub mod examples;
pub mod explain;
pub mod fill;
pub mod fold;
pub mod follow;
pub mod following;
pub mod grouping;
pub mod hits;
pub mod import;
pub mod linking;
pub mod log;
pub mod lookup;
pub mod metrics;
pub mod node;
pub mod priority;
pub mod ruling;
pub mod settings;
pub mod sieve;
#[cfg(test)]
mod simulation;
pub mod store;
pub mod usage;
pub mod why;
pub mod worker;
pub mod writes;
