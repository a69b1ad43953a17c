//! Runs each mutant with the suites that reach it, until one fails.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use crate::mutant::Mutant;
use crate::suite::{Ended, Measured};

/// Each has threads of its own besides.
const AT_A_TIME: usize = 2;
/// After how many it is told how far this is.
const TOLD_AFTER: usize = 50;

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Caught,
    /// A suite didn't end in time, as with a loop that never does.
    Late,
    Survived,
    /// No suite gets there.
    Unreached,
}

impl Outcome {
    pub const ALL: [Outcome; 4] =
        [Outcome::Caught, Outcome::Late, Outcome::Survived, Outcome::Unreached];

    pub fn label(self) -> &'static str {
        match self {
            Outcome::Caught => "caught",
            Outcome::Late => "late",
            Outcome::Survived => "survived",
            Outcome::Unreached => "unreached",
        }
    }
}

/// What became of mutants so far, on disk, so that a run that was ended can go on.
pub struct Journal {
    file: Mutex<File>,
    known: BTreeMap<String, Outcome>,
}

impl Journal {
    /// Goes on with what is there, or begins anew.
    pub fn open(path: &Path, goes_on: bool) -> io::Result<Self> {
        let before = if goes_on { fs::read_to_string(path)? } else { String::new() };
        let known = before.lines().filter_map(|line| {
            let (label, name) = line.split_once(' ')?;
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.label() == label)?;
            Some((name.to_owned(), outcome))
        });
        let known = known.collect();
        let mut options = OpenOptions::new();
        let file =
            options.create(true).write(true).append(goes_on).truncate(!goes_on).open(path)?;
        Ok(Journal { file: Mutex::new(file), known })
    }

    fn write(&self, mutant: &Mutant, outcome: Outcome) -> io::Result<()> {
        let mut file = self.file.lock().expect("nobody panics with it");
        file.write_all(format!("{} {}\n", outcome.label(), mutant.name).as_bytes())
    }
}

/// Runs the mutants of which the journal tells nothing; the outcomes are in their order.
pub fn run(
    mutants: &[&Mutant],
    suites: &[Measured],
    journal: &Journal,
    scratch: &Path,
) -> io::Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::Unreached; mutants.len()]);
    let work = |worker: usize| -> io::Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(at) else { return Ok(()) };
            let outcome = match journal.known.get(&mutant.name) {
                Some(known) => *known,
                None => {
                    let outcome = run_one(mutant, suites, &scratch.join(worker.to_string()))?;
                    journal.write(mutant, outcome)?;
                    outcome
                }
            };
            outcomes.lock().expect("nobody panics with it")[at] = outcome;
            if at.is_multiple_of(TOLD_AFTER) {
                eprintln!("{at} of {}", mutants.len());
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
        outcome = match measured.run(mutant.number, scratch)? {
            Ended::Passed => Outcome::Survived,
            Ended::Failed => return Ok(Outcome::Caught),
            Ended::Late => return Ok(Outcome::Late),
        };
    }
    Ok(outcome)
}
