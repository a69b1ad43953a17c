//! Every mutant of the files that are changed, with a name that outlives edits around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::site::{self, Site};

/// A file that is changed.
pub struct Source {
    /// Where it is, from the repository's root on.
    pub path: String,
    pub text: String,
    pub sites: Vec<Site>,
}

/// One change.
pub struct Mutant {
    pub number: u32,
    /// The number that says that its place was reached.
    pub first: u32,
    /// File, function, what is replaced and the line that it is in; not the line's number.
    pub name: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// Reads the files that a list names, and finds what can be replaced in them.
pub fn sources(root: &Path, list: &str) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut first = 1;
    for path in paths(root, list)? {
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
        let sites = site::find(&text, first).with_context(|| path.clone())?;
        first += sites.iter().map(|site| site.replacements.len() as u32).sum::<u32>();
        sources.push(Source { path, text, sites });
    }
    ensure!(first < 1 << 16, "chosen.rs tells {} places apart at most", 1 << 16);
    Ok(sources)
}

fn paths(root: &Path, list: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(folder) = line.strip_suffix('/') else {
            paths.push(line.to_owned());
            continue;
        };
        let entries = fs::read_dir(root.join(folder)).with_context(|| line.to_owned())?;
        let mut inside = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".rs") && name != "tests.rs" {
                inside.push(format!("{folder}/{name}"));
            }
        }
        inside.sort();
        paths.extend(inside);
    }
    Ok(paths)
}

/// The mutants of the files.
pub fn mutants(sources: &[Source]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        let mut alike: BTreeMap<String, u32> = BTreeMap::new();
        for site in &source.sites {
            let (line, column) = site.at;
            for (number, replacement) in (site.first..).zip(&site.replacements) {
                let (path, function) = (&source.path, &site.function);
                let what = &replacement.what;
                let mut name = format!("{path} {function}: {what} in `{}`", lines[line - 1]);
                let times = alike.entry(name.clone()).or_default();
                *times += 1;
                if *times > 1 {
                    name += &format!(" ({times})");
                }
                let (first, file) = (site.first, path.clone());
                mutants.push(Mutant { number, first, name, file, line, column });
            }
        }
    }
    mutants
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let (path, text) = ("a.rs".to_owned(), text.to_owned());
        let sites = site::find(&text, 1).expect("Rust");
        mutants(&[Source { path, text, sites }]).into_iter().map(|mutant| mutant.name).collect()
    }

    #[test]
    fn a_name_outlives_edits_of_other_lines() {
        let before = names("fn old(a: u8) -> bool {\n    a != b || a != c\n}");
        let line = "a.rs old: != with == in `a != b || a != c`";
        let or = "a.rs old: || with && in `a != b || a != c`";
        assert_eq!(before, [or, line, &format!("{line} (2)")]);
        let after =
            "fn new() -> u8 { 7 }\nfn old(a: u8) -> bool {\n  let b = d;\n  a != b || a != c\n}";
        assert!(names(after).ends_with(&before));
    }
}
