//! Simulation: log, disk and node turned by one seed, crashed, edited, and never wrong.
//!
//! A failure names its seed: `SIMULATION_SEED=42 script/test simulation` repeats that run alone,
//! `SIMULATION_SEEDS=100000` runs so many, `SIMULATION_SEEDS=50000..100000` the second half.

pub mod disk;
mod everybody;
mod log;
mod node;
mod truth;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

/// Steps of one run; a third of them send ten events each.
const STEPS: usize = 400;
const CRASHES: usize = 3;

#[test]
fn no_seed_gives_a_wrong_answer() {
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let said = |name| std::env::var(name).ok();
    let seeds = match (said("SIMULATION_SEED"), said("SIMULATION_SEEDS")) {
        (Some(seed), _) => number(&seed)..number(&seed) + 1,
        (None, Some(seeds)) => match seeds.split_once("..") {
            Some((first, end)) => number(first)..number(end),
            None => 0..number(&seeds),
        },
        (None, None) => 0..1_000,
    };
    let (mut compared, mut unknown) = (0, 0);
    for seed in seeds.clone() {
        if seed % 10_000 == 0 && seed > seeds.start {
            println!("seeds {}..{seed}: none wrong", seeds.start);
        }
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(world) => (compared, unknown) = (compared + world.0, unknown + world.1),
            Err(panic) => {
                eprintln!("SIMULATION_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    println!("seeds {seeds:?}: {compared} comparisons, {unknown} of them unknown, 0 wrong");
}

fn run(seed: u64) -> (u64, u64) {
    let mut world = World::new(seed);
    world.start();
    let parts = CRASHES + 2;
    for part in 1..=parts {
        (0..STEPS / parts).for_each(|_| world.step());
        match part {
            // Somewhere in the middle, definitions change.
            3 => world.edit(1 + seed as usize % 3),
            _ if part < parts => {
                world.crash();
                world.start();
            }
            _ => world.settle(),
        }
    }
    (world.compared, world.unknown)
}
