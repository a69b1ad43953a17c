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
        for imported in dependencies(member) {
            assert!(!names.contains(&&*imported), "{member} names {imported}");
        }
    }
    assert!(!manifest("tests").contains("processor"), "tests drive the binary from outside");
}

/// What a crate asks for, its code names; that of `bench` is partly the tests'.
#[test]
fn no_dependency_is_left_over() {
    let members: [(&str, &[&str]); 7] = [
        ("schemas", &["schemas"]),
        ("evaluator", &["evaluator"]),
        ("processor", &["processor"]),
        ("bench", &["bench", "tests"]),
        ("tests", &["tests"]),
        ("tests/fuzz", &["tests/fuzz"]),
        ("tests/mutants", &["tests/mutants"]),
    ];
    let mut found = 0;
    for (member, folders) in members {
        let files = folders.iter().flat_map(|folder| rust(&repository().join(folder)));
        let code: String = files.map(|path| read(&path)).collect();
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let words: BTreeSet<&str> = code.split(|c| !is_of_name(c)).collect();
        for name in dependencies(member) {
            let word = name.replace('-', "_");
            assert!(words.contains(&*word), "{member} has no use for {name}");
            found += 1;
        }
    }
    assert!(found > 50, "only {found} dependencies were found");
}

/// The names of what a crate asks for.
fn dependencies(member: &str) -> Vec<String> {
    let mut is_inside = false;
    let manifest = manifest(member);
    let lines = manifest.lines().map(str::trim).filter(|line| {
        is_inside = if line.starts_with('[') { line.contains("dependencies") } else { is_inside };
        is_inside && line.starts_with(|c: char| c.is_ascii_lowercase())
    });
    lines.filter_map(|line| Some(line.split(['.', ' ', '=']).next()?.to_owned())).collect()
}

fn manifest(member: &str) -> String {
    read(&repository().join(member).join("Cargo.toml"))
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
    let asked = rust(&root).into_iter().filter_map(|path| {
        let complaint = ask(&path, &read(&path))?;
        let path = path.strip_prefix(&root).expect("a file of the repository").display();
        Some(format!("{path}: {complaint}"))
    });
    asked.collect()
}

/// A folder's Rust files.
fn rust(folder: &Path) -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(is_rust).collect()
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
