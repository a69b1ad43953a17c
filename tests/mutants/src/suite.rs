//! The tests that mutants are run with, in suites: each a process that ends at its first failure.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::{Result, ensure};

use crate::mutant::Mutant;

/// What a mutant may take besides; a loop that never ends shouldn't take the machine with it.
const MEMORY_KIB_MAX: u32 = 8 << 20;
/// How often a run is looked after.
const LOOK: Duration = Duration::from_millis(5);

/// Tests of one executable.
pub struct Suite {
    pub name: &'static str,
    /// The folder of its crate, and the target.
    pub of: (&'static str, &'static str),
    /// What to run and what not, as for `cargo test`; all if there's nothing.
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// What the files begin with for which it is run: others it reaches, and hardly tells.
    about: &'static [&'static str],
}

const PROOF: &str = "proof::sluice_answers_as_the_oracle_does";

const ALL: Suite =
    Suite { name: "", of: ("tests", "sluice"), arguments: &[], environment: &[], about: &[""] };

/// What runs in one process and needs no binary, no broker and no SDK, but for what takes half a
/// minute; the quick ones first. The numbers bound how long a mutant that survives takes.
pub const SUITES: [Suite; 9] = [
    Suite { name: "schemas", of: ("schemas", "schemas"), ..ALL },
    Suite { name: "evaluator", of: ("evaluator", "evaluator"), ..ALL },
    Suite {
        name: "proof",
        arguments: &[PROOF],
        environment: &[("ORACLE_COMPARISONS", "500000")],
        ..ALL
    },
    Suite { name: "http", of: ("evaluator", "http"), ..ALL },
    Suite {
        name: "processor",
        of: ("processor", "processor"),
        arguments: &[
            "--skip=simulation::",
            "--skip=log::",
            "--skip=whoever_does_a_thousand_things_a_second_stays_within_the_bound",
            "--skip=a_checkpoint_takes_coverage_and_offset_of_one_moment",
        ],
        ..ALL
    },
    Suite {
        name: "simulation",
        of: ("processor", "processor"),
        arguments: &["simulation::"],
        environment: &[("SIMULATION_SEEDS", "30")],
        about: &["schemas/", "processor/"],
    },
    Suite {
        name: "laws",
        arguments: &["windows::", "registers::", "links::", "people::", "proof::laws::"],
        about: &["schemas/", "processor/"],
        ..ALL
    },
    Suite {
        name: "known",
        arguments: &["proof::known::"],
        about: &["schemas/src/window/", "evaluator/src/behaviour/"],
        ..ALL
    },
    Suite {
        name: "turns",
        of: ("evaluator", "turns"),
        about: &["evaluator/src/behaviour/", "evaluator/src/explain/"],
        ..ALL
    },
];

/// How a run went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Passed,
    Failed,
    /// It took longer than it may.
    Late,
}

/// With what a suite is run.
pub enum With<'p> {
    Mutant(u32),
    /// None; the places that are reached, and what is said, go to two files.
    Reaching(&'p Path, File),
}

/// A suite that can be run.
pub struct Runnable {
    pub suite: &'static Suite,
    pub executable: PathBuf,
    /// The folder of its crate, in which cargo would run it.
    pub folder: PathBuf,
}

/// A suite, and what it does without mutants.
pub struct Measured {
    pub runnable: Runnable,
    /// The first numbers of the places that it reaches.
    reached: BTreeSet<u32>,
    pub took: Duration,
}

impl Runnable {
    /// Runs it once without mutants, and tells what it reaches.
    pub fn measure(self, scratch: &Path) -> Result<Measured> {
        let (list, said) = (scratch.join("reached"), scratch.join("said"));
        empty(scratch)?;
        let began = Instant::now();
        let with = With::Reaching(&list, File::create(&said)?);
        let ended = self.run(&with, scratch, Duration::from_secs(600))?;
        let took = began.elapsed();
        let (reached, said) = (fs::read_to_string(&list)?, fs::read(&said)?);
        ensure!(ended == Ended::Passed, "without a mutant: {}", String::from_utf8_lossy(&said));
        let reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
        let measured = Measured { runnable: self, reached, took };
        let Measured { runnable: Runnable { suite, .. }, reached, took } = &measured;
        eprintln!("{}: {took:.1?}, {} places", suite.name, reached.len());
        Ok(measured)
    }

    fn run(&self, with: &With, scratch: &Path, at_most: Duration) -> io::Result<Ended> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {MEMORY_KIB_MAX}; exec \"$0\" \"$@\"")]);
        command.arg(&self.executable).args(self.suite.arguments);
        // What ends at the first failure isn't stable yet, hence the variable.
        command.args(["-q", "-Z", "unstable-options", "--fail-fast"]).env("RUSTC_BOOTSTRAP", "1");
        // The same choices in each run, so that what survives does so again.
        command.envs(self.suite.environment.iter().copied()).env("TEST_SEED", "1");
        command.current_dir(&self.folder);
        command.env("CARGO_MANIFEST_DIR", &self.folder).env("TMPDIR", scratch);
        command.stdin(Stdio::null());
        match with {
            With::Mutant(number) => {
                command.env("MUTANT", number.to_string()).env("RUST_BACKTRACE", "0");
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
            With::Reaching(reached, said) => {
                command.env("MUTANTS_REACHED", reached);
                command.stdout(said.try_clone()?).stderr(said.try_clone()?);
            }
        }
        let mut child = command.spawn()?;
        // Looks are counted, not time: whoever stops both for a while doesn't make it late.
        for _ in 0..at_most.as_millis() / LOOK.as_millis() {
            if let Some(status) = child.try_wait()? {
                return Ok(if status.success() { Ended::Passed } else { Ended::Failed });
            }
            thread::sleep(LOOK);
        }
        child.kill()?;
        child.wait()?;
        Ok(Ended::Late)
    }
}

impl Measured {
    /// Whether the mutant could fail it.
    pub fn concerns(&self, mutant: &Mutant) -> bool {
        let mut about = self.runnable.suite.about.iter();
        self.reached.contains(&mutant.first) && about.any(|start| mutant.file.starts_with(start))
    }

    /// Runs it with a mutant alive, for several times as long as it takes without.
    pub fn run(&self, mutant: u32, scratch: &Path) -> io::Result<Ended> {
        empty(scratch)?;
        let at_most = self.took * 4 + Duration::from_secs(20);
        self.runnable.run(&With::Mutant(mutant), scratch, at_most)
    }
}

/// A folder in which nothing is left of a run that was ended.
fn empty(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}
