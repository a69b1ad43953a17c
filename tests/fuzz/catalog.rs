//! Analysts' files: compiled or refused with a place, and whatever compiles can be numbered again.
//!
//! Several files lie behind each other, each opened by a line `--- shop/cohorts/a.yaml`.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use schemas::catalog::Registry;
use schemas::definitions::{Compiled, Source, compile};
use schemas::ids::MatcherId;

fuzz_target!(|text: &str| {
    let sources = sources(text);
    let mut registry = Registry::default();
    let environment = |name: &str| (name == "SECRET").then(|| name.to_owned());
    match compile(&sources, &environment, &mut registry) {
        Err(problems) => assert!(!problems.is_empty(), "refused without a word"),
        Ok(compiled) => {
            let again = compile(&sources, &environment, &mut registry).expect("as before");
            let matchers = |compiled: &Compiled| -> Vec<MatcherId> {
                let projects = compiled.catalog.projects().iter();
                projects
                    .flat_map(|project| project.matchers.iter().map(|matcher| matcher.id))
                    .collect()
            };
            assert_eq!(matchers(&again), matchers(&compiled), "numbers stay");
        }
    }
});

fn sources(text: &str) -> Vec<Source> {
    let project = ("shop/project.yaml".to_owned(), "token: phc_shop\n".to_owned());
    let mut files = BTreeMap::from([project]);
    let mut path = "shop/cohorts/a.yaml";
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("--- ") {
            Some(name) => path = name.trim(),
            None => files.entry(path.to_owned()).or_default().push_str(line),
        }
    }
    files.into_iter().map(|(path, text)| Source { path, text }).collect()
}
