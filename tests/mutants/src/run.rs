//! Runs each mutant with the suites that reach it, until one fails.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{io, thread};

use crate::mutant::Mutant;
use crate::suite::{Ended, Measured};

/// Each has threads of its own besides.
const AT_A_TIME: usize = 2;
/// How often it is told how far this is.
const TOLD_SECONDS: u64 = 60;

/// What became of a mutant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A test of the suite failed.
    Caught(&'static str),
    /// The suite didn't end in time, as with a loop that never does.
    Late(&'static str),
    Survived,
    /// No suite gets there.
    Unreached,
}

/// Runs the mutants; the outcomes are in their order.
pub fn run(mutants: &[&Mutant], suites: &[Measured], scratch: &Path) -> io::Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::Unreached; mutants.len()]);
    let began = Instant::now();
    let told = AtomicUsize::new(0);
    let work = |worker: usize| -> io::Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(at) else { return Ok(()) };
            let outcome = run_one(mutant, suites, &scratch.join(worker.to_string()))?;
            outcomes.lock().expect("nobody panics with it")[at] = outcome;
            let minutes = (began.elapsed().as_secs() / TOLD_SECONDS) as usize;
            if told.swap(minutes, Ordering::Relaxed) < minutes {
                eprintln!("{minutes} min: {at} of {}", mutants.len());
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|at| scope.spawn(move || work(at))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    Ok(outcomes.into_inner().expect("nobody panicked with it"))
}

fn run_one(mutant: &Mutant, suites: &[Measured], scratch: &Path) -> io::Result<Outcome> {
    let mut outcome = Outcome::Unreached;
    for measured in suites.iter().filter(|suite| suite.concerns(mutant)) {
        let name = measured.runnable.suite.name;
        outcome = match measured.run(mutant.number, scratch)? {
            Ended::Passed => Outcome::Survived,
            Ended::Failed => return Ok(Outcome::Caught(name)),
            Ended::Late => return Ok(Outcome::Late(name)),
        };
    }
    Ok(outcome)
}
