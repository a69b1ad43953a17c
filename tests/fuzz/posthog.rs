//! PostHog's definitions: compiled or refused with a place; what compiles can be numbered again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::catalog::Registry;
use schemas::definitions::{Compiled, Source, compile};
use schemas::ids::MatcherId;

fuzz_target!(|text: &str| {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources =
        [source("shop/project.yaml", "token: phc_shop\n"), source("shop/posthog.json", text)];
    let mut registry = Registry::default();
    let Ok(compiled) = compile(&sources, &|_| None, &mut registry) else { return };
    let again = compile(&sources, &|_| None, &mut registry).expect("as before");
    let matchers = |compiled: &Compiled| -> Vec<MatcherId> {
        let projects = compiled.catalog.projects().iter();
        projects.flat_map(|project| project.matchers.iter().map(|matcher| matcher.id)).collect()
    };
    assert_eq!(matchers(&again), matchers(&compiled), "numbers stay");
});
