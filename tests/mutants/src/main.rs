//! Changes one operator or number at a time, and tells which changes no test notices.
//!
//! Every mutant is in one build, behind a number that the environment tells: a build for each, as
//! cargo-mutants has it, would take most of a day.
#![allow(clippy::disallowed_methods, reason = "tests that hang are ended by the clock")]

mod compile;
mod mutant;
mod replacement;
mod rewrite;
mod run;
mod site;
mod suite;
mod survivors;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::compile::{Built, Place};
use crate::mutant::Mutant;
use crate::run::{Journal, Outcome};
use crate::suite::{Measured, Runnable, SUITES};
use crate::survivors::Survivors;
use crate::tree::Tree;

#[derive(Parser)]
#[command(about = "Tells which changes of an operator or a number no test notices.")]
struct Arguments {
    /// Parts of the names of the mutants that are run, such as a file or `< with`; all without.
    parts: Vec<String>,
    /// Run those alone that tests/mutants/survivors.txt lists.
    #[arg(long)]
    listed: bool,
    /// Name them, and run nothing.
    #[arg(long)]
    list: bool,
    /// Go on with a run that was ended, if nothing has changed since.
    #[arg(long)]
    go_on: bool,
    /// The repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// The folder that cargo builds in; the copy lies in it too.
    #[arg(long)]
    work: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let root = arguments.root.canonicalize()?;
    let read = |name: &str| {
        let path = root.join("tests/mutants").join(name);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let known = survivors::read(&read("survivors.txt")?)?;
    let sources = mutant::sources(&root, &read("files.txt")?)?;
    let mutants = mutant::mutants(&sources);
    let all = arguments.parts.is_empty();
    let is_asked = |mutant: &&Mutant| {
        (all || arguments.parts.iter().any(|part| mutant.name.contains(part)))
            && (!arguments.listed || known.contains_key(&mutant.name))
    };
    let asked: Vec<&Mutant> = mutants.iter().filter(is_asked).collect();
    if arguments.list {
        asked.iter().for_each(|mutant| println!("{}", mutant.name));
        return Ok(ExitCode::SUCCESS);
    }
    let work = &arguments.work;
    let place = Place {
        tree: Tree { from: root, to: work.join("tree") },
        known: work.join("left-out.txt"),
        target: work.clone(),
    };
    std::fs::create_dir_all(&place.tree.to)?;
    let crates: BTreeSet<&str> = SUITES.iter().map(|suite| suite.of.0).collect();
    let crates: Vec<&str> = crates.into_iter().collect();
    let built = compile::build(&place, &sources, &mutants, &crates)?;
    let is_built = |mutant: &&Mutant| !built.left_out.contains(&mutant.number);
    let (asked, left_out): (Vec<_>, Vec<_>) = asked.into_iter().partition(is_built);
    let suites = measured(&place.tree.to, &built, work)?;
    let journal = Journal::open(&work.join("outcomes.txt"), arguments.go_on)?;
    let scratch = work.join("scratch");
    let outcomes = run::run(&asked, &suites, &journal, &scratch)?;
    std::fs::remove_dir_all(&scratch)?;
    let outcomes: Vec<_> = asked.into_iter().zip(outcomes).collect();
    println!("{}", table(&outcomes, &left_out));
    let surprises = surprises(&outcomes, &known, all);
    Ok(if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every suite once without a mutant.
fn measured(tree: &Path, built: &Built, work: &Path) -> Result<Vec<Measured>> {
    let measured = SUITES.iter().map(|suite| {
        let (package, target) = suite.of;
        let executable = built.tests.get(&(package.to_owned(), target.to_owned()));
        let executable = executable.with_context(|| format!("no {package} {target}"))?.clone();
        let runnable = Runnable { suite, executable, folder: tree.join(package) };
        runnable.measure(&work.join("scratch/reaching")).context(suite.name)
    });
    measured.collect()
}

/// What became of how many, by file: a column for each outcome, and for what doesn't compile.
fn table(outcomes: &[(&Mutant, Outcome)], left_out: &[&Mutant]) -> String {
    let mut files: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for (mutant, outcome) in outcomes {
        files.entry(&mutant.file).or_default()[*outcome as usize] += 1;
    }
    for mutant in left_out {
        files.entry(&mutant.file).or_default()[4] += 1;
    }
    let mut sum = [0; 5];
    let mut table = String::from("caught   late  survived  unreached  don't compile\n");
    let row = |[caught, late, survived, unreached, left_out]: [usize; 5], name: &str| {
        format!("{caught:6} {late:6} {survived:9} {unreached:10} {left_out:14}  {name}\n")
    };
    for (file, counts) in files {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
        table += &row(counts, file);
    }
    table + &row(sum, "in all")
}

/// Tells what isn't as the list says; how many.
fn surprises(outcomes: &[(&Mutant, Outcome)], known: &Survivors, all: bool) -> usize {
    let mut surprises = 0;
    for (mutant, outcome) in outcomes {
        let Mutant { name, file, line, column, .. } = mutant;
        let said = match (outcome, known.contains_key(name)) {
            (Outcome::Survived, false) => "survives",
            (Outcome::Unreached, false) => "is reached by no test",
            (Outcome::Caught | Outcome::Late, true) => "is listed, and is caught",
            _ => continue,
        };
        surprises += 1;
        println!("{file}:{line}:{column} {said}:\n{name}");
    }
    let names: BTreeSet<&str> = outcomes.iter().map(|(mutant, _)| mutant.name.as_str()).collect();
    for name in known.keys().filter(|name| all && !names.contains(name.as_str())) {
        surprises += 1;
        println!("is listed, and isn't there:\n{name}");
    }
    println!("{} mutants run, {surprises} not as tests/mutants/survivors.txt says", outcomes.len());
    surprises
}
