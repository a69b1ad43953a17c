//! What the eye would have to check otherwise: sizes, openings, leftovers, boundaries.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::repository;

const CODE_LINES_MAX: usize = 350;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
const FILE_BYTES_MAX: u64 = 1 << 20;

#[test]
fn every_file_says_what_it_is() {
    let silent = complaints(|_, text| {
        let opening = text.lines().next().unwrap_or_default();
        (!opening.starts_with("//! ")).then(|| format!("opens with {opening:?}"))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn files_and_functions_are_short() {
    let long = complaints(|path, text| {
        let code = code(text);
        let lines = if is_test(path) { 0 } else { code.len() };
        let function = longest_function(&code);
        if lines > CODE_LINES_MAX {
            return Some(format!("{lines} lines of code"));
        }
        (function.0 > FUNCTION_LINES_MAX).then(|| format!("{} lines: {}", function.0, function.1))
    });
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn lines_are_short() {
    let wide = complaints(|_, text| {
        let lines = (1..).zip(text.lines());
        let mut wide = lines.filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        wide.next().map(|(number, _)| format!("line {number}"))
    });
    assert_eq!(wide, Vec::<String>::new());
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file doesn't contain them.
    let marks =
        [["todo", "!("], ["unimplemented", "!("], ["dbg", "!("], ["FIX", "ME"], ["TO", "DO"]];
    let marks = marks.map(|halves| halves.concat());
    let left = complaints(|_, text| {
        let found = marks.iter().find(|mark| text.contains(*mark));
        found.map(|mark| format!("contains {mark}"))
    });
    assert_eq!(left, Vec::<String>::new());
}

/// What a crate must not do, it cannot import.
#[test]
fn the_boundaries_are_in_the_manifests() {
    let forbidden = [
        ("evaluator", &["rdkafka", "rocksdb", "processor"][..]),
        ("schemas", &["rdkafka", "rocksdb", "tokio", "axum", "evaluator", "processor"][..]),
    ];
    for (member, names) in forbidden {
        let manifest = read(&repository().join(member).join("Cargo.toml"));
        let lines = manifest.lines().map(str::trim);
        for line in lines.filter(|line| !line.starts_with('#')) {
            let imported = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(!names.contains(&imported), "{member} names {imported}");
        }
    }
    let manifest = read(&repository().join("tests/Cargo.toml"));
    assert!(!manifest.contains("processor"), "tests drive the binary from outside");
}

/// What a crate asks for, its code names; that of `bench` is partly the tests'.
#[test]
fn no_dependency_is_left_over() {
    let members = ["schemas", "evaluator", "processor", "tests", "tests/fuzz", "tests/mutants"];
    let alone = members.map(|member| (member, vec![member]));
    let mut named = 0;
    for (member, folders) in alone.into_iter().chain([("bench", vec!["bench", "tests"])]) {
        let files = folders.iter().flat_map(|folder| files(&repository().join(folder)));
        let is_code = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "rs");
        let code: String = files.filter(is_code).map(|path| read(&path)).collect();
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let words: BTreeSet<&str> = code.split(|c| !is_of_name(c)).collect();
        for name in dependencies(&read(&repository().join(member).join("Cargo.toml"))) {
            let word = name.replace('-', "_");
            assert!(words.contains(&*word), "{member} has no use for {name}");
            named += 1;
        }
    }
    assert!(named > 50, "only {named} dependencies were found");
}

/// The names of what a manifest asks for.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut is_inside = false;
    let lines = manifest.lines().filter(|line| {
        is_inside = if line.starts_with('[') { line.contains("dependencies") } else { is_inside };
        is_inside && line.starts_with(|c: char| c.is_ascii_lowercase())
    });
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).collect()
}

#[test]
fn nothing_large_is_kept() {
    for path in files(&repository()) {
        let bytes = fs::metadata(&path).expect("a file").len();
        assert!(bytes < FILE_BYTES_MAX, "{}: {bytes} bytes", path.display());
    }
}

/// The README's settings are the settings.
#[test]
fn the_readme_names_every_setting() {
    // The settings' file, librdkafka's own properties, and what opens nodes for other commands.
    const BESIDE: [&str; 3] = ["SLUICE_CONFIG", "SLUICE_KAFKA_PROPERTY", "SLUICE_SECRET"];
    let readme = repository().join("README.md");
    if !readme.exists() {
        return;
    }
    let documented = named_settings(&read(&readme));
    let real = settings(&read(&repository().join("processor/src/settings.rs")));
    assert!(real.contains("SLUICE_LISTEN"), "the table of settings wasn't found: {real:?}");
    let beside = |name: &&String| BESIDE.iter().any(|other| name.starts_with(other));
    let unknown: Vec<_> = documented.difference(&real).filter(|name| !beside(name)).collect();
    assert!(unknown.is_empty(), "the README names what isn't there: {unknown:?}");
    let silent: Vec<_> = real.difference(&documented).collect();
    assert!(silent.is_empty(), "the README leaves out: {silent:?}");
}

/// Every `SLUICE_…` in a text.
fn named_settings(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("SLUICE_").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| {
        let end = rest.find(|next: char| !next.is_ascii_uppercase() && next != '_');
        rest[..end.unwrap_or(rest.len())].trim_end_matches('_').to_owned()
    });
    names.filter(|name| name.len() > "SLUICE_".len()).collect()
}

/// The names of the table of settings, whose lines are `setting("key", default, help)`.
fn settings(source: &str) -> BTreeSet<String> {
    let table = source.split("SETTINGS: ").nth(1).unwrap_or_default();
    let table = table.split("];").next().unwrap_or_default();
    let keys = table.split("setting(").skip(1).filter_map(|entry| entry.split('"').nth(1));
    keys.map(|key| format!("SLUICE_{}", key.to_uppercase())).collect()
}

/// Whether a library's file holds nothing but tests.
fn is_test(path: &Path) -> bool {
    let mut inside = path.iter().skip_while(|part| *part != "src");
    inside.any(|part| part == "tests" || part == "tests.rs")
}

/// A file's lines up to its tests.
fn code(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| *line != "#[cfg(test)]").collect()
}

/// Length and opening of the longest function, by the indentation that rustfmt gives.
fn longest_function<'a>(lines: &[&'a str]) -> (usize, &'a str) {
    let mut longest = (0, "");
    for (at, line) in lines.iter().enumerate() {
        let opening = line.trim_start();
        let head = opening.split('(').next().unwrap_or_default();
        if opening.starts_with("//") || !head.split(' ').any(|word| word == "fn") {
            continue;
        }
        // A body on the same line, or none: a trait's method.
        if !line.ends_with([';', '}']) {
            let close = format!("{}}}", &line[..line.len() - opening.len()]);
            let end = lines[at..].iter().position(|line| *line == close);
            longest = longest.max((end.map_or(1, |end| end + 1), opening));
        }
    }
    longest
}

/// Asks of every Rust file what is wrong with it.
fn complaints(ask: impl Fn(&Path, &str) -> Option<String>) -> Vec<String> {
    let root = repository();
    let rust = files(&root).into_iter();
    let rust = rust.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let asked = rust.filter_map(|path| {
        let complaint = ask(&path, &read(&path))?;
        let path = path.strip_prefix(&root).expect("a file of the repository").display();
        Some(format!("{path}: {complaint}"))
    });
    asked.collect()
}

/// The repository's files, without what is hidden, built or installed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
        match path.is_dir() {
            _ if skipped => {}
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
