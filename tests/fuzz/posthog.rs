//! PostHog's definitions: compiled or refused with a place; what compiles can be numbered again,
//! and decides something.

#![no_main]

use evaluator::context::Context;
use evaluator::evaluate::evaluate;
use libfuzzer_sys::fuzz_target;
use schemas::catalog::Registry;
use schemas::definitions::{Compiled, Source, compile};
use schemas::ids::MatcherId;
use schemas::lookup::Facts;
use serde_json::json;

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
    let said = json!({ "plan": "pro", "age": 5, "joined": "2024-01-01", "version": "1.2.3" });
    let context = Context {
        distinct_id: "ann".to_owned(),
        person_properties: said.as_object().cloned().unwrap_or_default(),
        groups: [("company".to_owned(), "acme".to_owned())].into(),
        ..Context::default()
    };
    for project in compiled.catalog.projects() {
        let facts = Facts::default();
        let decided = evaluate(project, &context, &facts, 1_700_000_000_000);
        assert!(decided.iter().all(|decision| decision.flag.active));
    }
});
