//! Builds the tests with all mutants in them, and leaves out those that don't compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::mutant::{Mutant, Source};
use crate::rewrite::{Rewritten, rewrite};
use crate::tree::{Changes, Tree};

/// A mistake of types hides those of lifetimes, and a crate's hide those of the crates above it.
const ROUNDS_MAX: usize = 16;

/// Where things are kept between runs.
pub struct Place {
    pub tree: Tree,
    /// The folder that cargo builds in.
    pub target: PathBuf,
    /// The names of mutants that didn't compile last time, which saves finding that out anew.
    pub known: PathBuf,
}

/// What was built.
pub struct Built {
    /// The tests, by the folder of their crate and the name of the target.
    pub tests: BTreeMap<(String, String), PathBuf>,
    /// The mutants that don't compile.
    pub left_out: BTreeSet<u32>,
}

/// Builds the tests of the crates with every mutant that compiles.
pub fn build(
    place: &Place,
    sources: &[Source],
    mutants: &[Mutant],
    crates: &[&str],
) -> Result<Built> {
    let known = fs::read_to_string(&place.known).unwrap_or_default();
    let known: BTreeSet<&str> = known.lines().collect();
    let known = mutants.iter().filter(|mutant| known.contains(mutant.name.as_str()));
    let mut left_out: BTreeSet<u32> = known.map(|mutant| mutant.number).collect();
    for round in 1..=ROUNDS_MAX {
        let each = sources.iter().map(|source| {
            (PathBuf::from(&source.path), rewrite(&source.text, &source.sites, &left_out))
        });
        let rewritten: BTreeMap<PathBuf, Rewritten> = each.collect();
        place.tree.bring(&changes(&place.tree.from, &rewritten)?)?;
        let told = cargo(place, crates)?;
        eprintln!(
            "round {round}: {} mutants left out, {} errors",
            left_out.len(),
            told.errors.len()
        );
        if told.errors.is_empty() {
            ensure!(told.success, "cargo failed without a word about the sources");
            return Ok(Built { tests: told.tests, left_out });
        }
        let before = left_out.len();
        for error in &told.errors {
            left_out.extend(error.blamed(&rewritten));
        }
        ensure!(left_out.len() > before, "no mutant is to blame:\n{}", told.rendered());
        let names = mutants.iter().filter(|mutant| left_out.contains(&mutant.number));
        let names: Vec<&str> = names.map(|mutant| mutant.name.as_str()).collect();
        fs::write(&place.known, names.join("\n"))?;
    }
    anyhow::bail!("after {ROUNDS_MAX} rounds something still doesn't compile")
}

/// The texts of the copy that differ: what is rewritten, and the module that it asks.
fn changes(root: &Path, rewritten: &BTreeMap<PathBuf, Rewritten>) -> Result<Changes> {
    let mut changes = Changes::new();
    for (path, rewritten) in rewritten {
        changes.insert(path.clone(), rewritten.text.clone());
        let folder = path.components().take(2).collect::<PathBuf>();
        let lib = folder.join("lib.rs");
        if !changes.contains_key(&lib) {
            let text = fs::read_to_string(root.join(&lib))?;
            changes.insert(lib, text + "\nmod mutant;\n");
            changes.insert(folder.join("mutant.rs"), include_str!("chosen.rs").to_owned());
        }
    }
    Ok(changes)
}

/// What cargo said.
struct Told {
    success: bool,
    errors: Vec<Error>,
    tests: BTreeMap<(String, String), PathBuf>,
}

impl Told {
    fn rendered(&self) -> String {
        self.errors.iter().map(|error| error.rendered.as_str()).collect()
    }
}

struct Error {
    rendered: String,
    /// Files and bytes, the primary ones first.
    parts: Vec<(PathBuf, Range<usize>)>,
}

impl Error {
    fn of(message: &Value) -> Option<Self> {
        let message = &message["message"];
        let mut spans: Vec<&Value> = message["spans"].as_array()?.iter().collect();
        spans.sort_by_key(|span| span["is_primary"] != true);
        let part = |span: &Value| {
            let byte = |name: &str| usize::try_from(span[name].as_u64()?).ok();
            Some((span["file_name"].as_str()?.into(), byte("byte_start")?..byte("byte_end")?))
        };
        let parts: Vec<_> = spans.into_iter().filter_map(part).collect();
        let is_error = message["level"] == "error" && !parts.is_empty();
        let rendered = message["rendered"].as_str().unwrap_or_default().to_owned();
        is_error.then_some(Error { rendered, parts })
    }

    /// The mutant that one of its parts lies in, the primary ones first; else those of a site.
    fn blamed(&self, rewritten: &BTreeMap<PathBuf, Rewritten>) -> Vec<u32> {
        let parts = || {
            let parts = self.parts.iter();
            parts.filter_map(|(file, part)| Some((rewritten.get(file)?, part)))
        };
        if let Some(mutant) = parts().find_map(|(file, part)| file.mutant_at(part)) {
            return vec![mutant];
        }
        parts().find_map(|(file, part)| file.site_at(part)).into_iter().flatten().collect()
    }
}

fn cargo(place: &Place, crates: &[&str]) -> Result<Told> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--tests", "--keep-going", "--locked", "--message-format=json"]);
    command.args(["--features", "processor/failpoints"]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    command.arg("--target-dir").arg(&place.target).current_dir(&place.tree.to);
    // A target folder of its own can do without what only debuggers and later edits are after.
    command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cargo")?;
    let (mut errors, mut tests) = (Vec::new(), BTreeMap::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        errors.extend(Error::of(&message));
        tests.extend(test(&message));
    }
    Ok(Told { success: output.status.success(), errors, tests })
}

/// The test that a message says was built.
fn test(message: &Value) -> Option<((String, String), PathBuf)> {
    let executable = message["executable"].as_str()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let folder = manifest.parent()?.file_name()?.to_string_lossy().into_owned();
    let target = message["target"]["name"].as_str()?.to_owned();
    (message["profile"]["test"] == true).then(|| ((folder, target), executable.into()))
}
