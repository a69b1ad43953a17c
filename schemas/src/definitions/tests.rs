//! Definitions from files to a catalog: what is read, what is refused, and how it is said.

mod aloud;
mod conditions;
mod dates;
mod examples;
mod import;
mod posthog;
mod posthog_behaviour;
mod posthog_cohort;
mod posthog_rules;
mod refused;
mod refused_conditions;
mod values;

use serde_json::{Value, json};

use super::{Compiled, Problem, Source, compile};
use crate::behaviour::{Aggregate, Behaviour, Compared, Operand};
use crate::catalog::{Project, Registry};
use crate::cohort::Condition;
use crate::comparison::Comparison;
use crate::decimal::ONE;
use crate::filter::Moment;
use crate::ids::MatcherId;
use crate::time::{DAY_MS, MINUTE_MS};

const PROJECT: &str = "token: phc_shop\n";

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

fn compile_all(sources: &[Source], registry: &mut Registry) -> Result<Compiled, Vec<Problem>> {
    let environment = |name: &str| (name == "SHOP_SECRET").then(|| "phs_1".to_owned());
    compile(sources, &environment, registry)
}

/// The project `shop` that these files describe beside a `project.yaml`.
fn shop(files: &[(&str, &str)]) -> Result<Compiled, Vec<Problem>> {
    let mut sources = vec![source("shop/project.yaml", PROJECT)];
    sources.extend(files.iter().map(|(path, text)| source(&format!("shop/{path}"), text)));
    compile_all(&sources, &mut Registry::default())
}

/// The project that these files describe, `project.yaml` among them.
fn all_of(files: &[(&str, &str)]) -> Result<Compiled, Vec<Problem>> {
    let sources = files.iter().map(|(path, text)| source(&format!("shop/{path}"), text));
    compile_all(&sources.collect::<Vec<_>>(), &mut Registry::default())
}

fn the_project(compiled: &Compiled) -> &Project {
    compiled.catalog.only_project().expect("one project")
}

/// A condition that counts events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    matcher: MatcherId,
    comparison: Comparison,
    n: i128,
    within_ms: i64,
}

fn counted(condition: &Condition) -> Counted {
    let Condition::Behaviour(Behaviour::Number(Compared { left, comparison, right })) = condition
    else {
        panic!("{condition:?} counts nothing");
    };
    let Operand::Given(number) = right else { panic!("{right:?} is not given") };
    assert_eq!((left.aggregate, left.ago.until_ms), (Aggregate::Count, 0));
    Counted {
        matcher: left.of.matcher,
        comparison: *comparison,
        n: number.units() / ONE,
        within_ms: left.ago.from_ms,
    }
}

#[test]
fn the_shop_of_the_demo_compiles() {
    // Asked when it runs, since one target folder serves several clones.
    let root =
        std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests") + "/../definitions";
    let mut sources = Vec::new();
    for folder in ["shop", "shop/cohorts", "shop/flags"] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a name").to_string_lossy();
                let text = std::fs::read_to_string(&path).expect("a text");
                sources.push(source(&format!("{folder}/{name}"), &text));
            }
        }
    }
    let compiled = compile_all(&sources, &mut Registry::default())
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let shop = the_project(&compiled);
    assert!(shop.cohorts.len() >= 5 && shop.flags.len() >= 5);
    assert!(shop.flags.iter().all(|flag| flag.active && flag.rules.is_ok()));
    let hesitating = shop.cohorts.iter().find(|cohort| cohort.key == "hesitating");
    let Condition::All(conditions) = &hesitating.expect("hesitating").members else { panic!() };
    let did = counted(&conditions[0]);
    assert_eq!((did.comparison, did.n, did.within_ms), (Comparison::AtLeast, 3, 5 * MINUTE_MS));
    let fed = &shop.gate.at("added to cart").matchers;
    assert!(fed.iter().any(|at| shop.matchers[*at].id == did.matcher));
    assert!(shop.cohorts.iter().all(|cohort| cohort.examples.len() >= 2), "each has examples");
}

#[test]
fn conditions_share_a_matcher_with_the_most_that_any_needs() {
    let compiled = shop(&[
        (
            "cohorts/a.yaml",
            "members: { did: buy, count: '= 7', within: 1m, where: { a: x, b: '> 1' } }",
        ),
        (
            "cohorts/b.yaml",
            "members: { did: buy, count: '< 3', within: 2d, where: { b: '> 1.0', a: X } }",
        ),
        ("cohorts/c.yaml", "members: { did: buy, within: 1m }"),
    ]);
    let compiled = compiled.expect("good definitions");
    let shop = the_project(&compiled);
    let needs: Vec<_> =
        shop.matchers.iter().map(|m| (m.filters.len(), m.kept.k, m.kept.horizon_ms)).collect();
    assert_eq!(needs, [(2, 8, 2 * DAY_MS), (0, 1, MINUTE_MS)]);
    assert_eq!(compiled.catalog.horizon_ms(), 2 * DAY_MS);
}

/// Each keeps little enough, but as often as the one and for as long as the other is too much.
#[test]
fn conditions_stay_apart_where_one_matcher_would_keep_too_much() {
    let often = "members: { did: buy, count: '>= 100', between: [10m, 5m] }";
    let long = "members: { did: buy, between: [7d, 10075m] }";
    let files = [
        ("cohorts/a.yaml", often),
        ("cohorts/b.yaml", long),
        ("cohorts/c.yaml", often),
        ("cohorts/d.yaml", "members: { did: buy, count: '>= 2', between: [10m, 5m] }"),
    ];
    let mut registry = Registry::default();
    let mut compiled = |files: &[(&str, &str)]| {
        let mut sources = vec![source("shop/project.yaml", PROJECT)];
        sources.extend(files.iter().map(|(path, text)| source(&format!("shop/{path}"), text)));
        compile_all(&sources, &mut registry).expect("good definitions")
    };
    let all = compiled(&files);
    let shop = the_project(&all);
    let kept: Vec<_> = shop.matchers.iter().map(|m| (m.kept.k, m.kept.horizon_ms)).collect();
    assert_eq!(kept, [(1, 7 * DAY_MS), (100, 10 * MINUTE_MS), (2, 10 * MINUTE_MS)]);
    assert!(shop.matchers.iter().all(|matcher| !matcher.kept.is_too_much()));
    let of = |key: &str| {
        let cohort = shop.cohorts.iter().find(|cohort| cohort.key == key);
        match &cohort.expect("a cohort").members {
            Condition::Behaviour(behaviour) => behaviour.matchers()[0].matcher,
            other => panic!("{other:?} counts nothing"),
        }
    };
    assert_eq!(["a", "b", "c", "d"].map(of), [1, 0, 1, 2].map(|at| shop.matchers[at].id));
    // Those that fit share one, as all do elsewhere.
    let fitting = compiled(&[files[0], files[3]]);
    assert_eq!(the_project(&fitting).matchers.len(), 1);
}

#[test]
fn numbers_stay_and_bad_definitions_take_none() {
    let good = [
        source("shop/project.yaml", PROJECT),
        source("shop/cohorts/a.yaml", "members: { did: buy, count: '>= 3', within: 5m }"),
    ];
    let mut registry = Registry::default();
    compile_all(&good, &mut registry).expect("good definitions");
    let before = registry.clone();

    let mut bad = good.to_vec();
    bad.push(source("shop/cohorts/b.yaml", "members: { did: sell, within: never }"));
    compile_all(&bad, &mut registry).expect_err("a bad window");
    assert_eq!(registry, before);

    let mut shorter = good.clone();
    shorter[1].text = "members: { did: buy, count: '>= 2', within: 1m }".to_owned();
    let compiled = compile_all(&shorter, &mut registry).expect("good definitions");
    assert_eq!(registry, before);
    let matcher = &the_project(&compiled).matchers[0];
    assert_eq!((matcher.kept.k, matcher.kept.horizon_ms), (3, 5 * MINUTE_MS));
}

/// What a date is depends on the zone, so another one asks anew; nothing else does.
#[test]
fn another_time_zone_asks_anew_for_dates() {
    let mut registry = Registry::default();
    let mut numbers = |zone: &str| {
        let project = source("shop/project.yaml", &format!("{PROJECT}time_zone: {zone}\n"));
        let dated = source(
            "shop/cohorts/a.yaml",
            "members: { did: buy, within: 1m, where: { due: { after: 2026-01-01 } } }",
        );
        let latest = source(
            "shop/cohorts/b.yaml",
            "members: { latest: due, of: buy, within: 1m, is: { before: 7d ago } }",
        );
        let plain = source("shop/cohorts/c.yaml", "members: { did: buy, within: 1m }");
        let compiled = compile_all(&[project, dated, latest, plain], &mut registry);
        let compiled = compiled.expect("good definitions");
        let mut ids: Vec<u32> = the_project(&compiled).matchers.iter().map(|m| m.id.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(numbers("UTC"), [0, 1, 2]);
    let berlin = numbers("Europe/Berlin");
    assert_eq!(berlin.iter().filter(|id| **id > 2).count(), 2, "{berlin:?}");
    assert_eq!(numbers("Europe/Berlin"), berlin);
}

#[test]
fn cohorts_come_after_those_they_name() {
    let compiled = shop(&[
        ("cohorts/a.yaml", "members: { all: [ { cohort: b }, { cohort: c } ] }"),
        ("cohorts/b.yaml", "members: { not: { cohort: c } }"),
        ("cohorts/c.yaml", "members: { person: { plan: pro } }"),
    ]);
    let compiled = compiled.expect("good definitions");
    let keys: Vec<_> = the_project(&compiled).cohorts.iter().map(|c| c.key.as_str()).collect();
    assert_eq!(keys, ["c", "b", "a"]);
}

/// In what follows it is noon of 7 January 2026, UTC.
const NOW: Moment<'static> = Moment { now_ms: 1_767_787_200_000, zone: &jiff::tz::TimeZone::UTC };

/// Each row: what YAML asks of the property `p`, values that pass, values that don't.
fn check_property(asked: &str, passing: Value, failing: Value) {
    let text = format!("members: {{ person: {{ p: {asked} }} }}");
    let compiled = shop(&[("cohorts/x.yaml", &text)]).unwrap_or_else(|p| panic!("{asked}: {p:?}"));
    let Condition::All(filters) = &the_project(&compiled).cohorts[0].members else { panic!() };
    for (values, expected) in [(passing, true), (failing, false)] {
        for value in values.as_array().expect("a list") {
            let given = Some(value).filter(|value| **value != json!("<missing>"));
            let passes = filters.iter().all(|filter| match filter {
                Condition::Person(filter) => filter.matches(given, NOW),
                _ => panic!(),
            });
            assert_eq!(passes, expected, "{asked} {given:?}");
        }
    }
}

#[test]
#[rustfmt::skip]
fn properties_are_asked_in_plain_words() {
    let gone = "<missing>";
    check_property("red", json!(["red", "RED"]), json!([gone, null, "reddish", ["red"]]));
    check_property("true", json!([true, "true", "True"]), json!([gone, false, 1, "yes"]));
    check_property("yes", json!(["yes", "Yes"]), json!([gone, true]));
    check_property("50", json!([50, 50.0, "50", "50.0"]), json!([gone, 51, "x", null]));
    check_property("'50'", json!([50, "50"]), json!([gone, 50.5, "50.0"]));
    check_property("[shoes, 7, false]", json!(["Shoes", 7.0, false]), json!([gone, "hat", 8]));
    check_property("'> 50'", json!([50.1, "51"]), json!([gone, 50, "x", null, true]));
    check_property("'<= 0.5'", json!([0.5, -1]), json!([gone, 1]));
    check_property("'= 5'", json!([5, 5.0]), json!([gone, 6]));
    check_property("'!= 5'", json!([gone, 6, "x", null]), json!([5, "5"]));
    check_property("'= red'", json!(["Red"]), json!([gone, "= red"]));
    check_property("'!= red'", json!([gone, "blue", null]), json!(["Red"]));
    check_property("{ is: '> 50' }", json!(["> 50"]), json!([gone, 51]));
    check_property("{ is not: [a, b] }", json!([gone, "c"]), json!(["A", "b"]));
    check_property("{ contains: Shoe }", json!(["red shoes"]), json!([gone, "shoo"]));
    check_property("{ contains: [a, b] }", json!(["cab"]), json!([gone, "c"]));
    check_property("{ does not contain: x }", json!([gone, "y"]), json!(["aXa"]));
    check_property("{ starts with: A, ends with: z }", json!(["a-Z"]), json!([gone, "a", "z"]));
    check_property("{ does not start with: a }", json!([gone, "b"]), json!(["Ab"]));
    check_property("{ does not end with: a }", json!([gone, "b"]), json!(["bA"]));
    check_property("{ matches: '^a.c$' }", json!(["abc"]), json!([gone, "ABC"]));
    check_property("{ does not match: b }", json!([gone, "ac"]), json!(["abc"]));
    check_property("{ between: [1, 2.5] }", json!([1, 2.5, "2"]), json!([gone, 3, "x"]));
    check_property("{ not between: [1, 2] }", json!([gone, 3, "x"]), json!([1, "2"]));
    check_property(
        "{ before: 2026-01-07 }",
        json!(["2026-01-06T23:59:59Z", 0]),
        json!([gone, "2026-01-07", "soon"]),
    );
    check_property(
        "{ after: 2026-01-07 10:00 }",
        json!(["2026-01-07 10:01"]),
        json!([gone, "2026-01-07"]),
    );
    check_property(
        "{ at: '2026-01-07T10:00:00Z' }",
        json!(["2026-01-07T11:00:00+01:00"]),
        json!([gone, "2026-01-07"]),
    );
    check_property(
        "{ after: 7d ago }",
        json!(["2025-12-31T12:00:00.001Z", "1h"]),
        json!([gone, "2025-12-31T12:00:00Z"]),
    );
    check_property(
        "{ before: 5m ago }",
        json!(["2026-01-07T11:54:59Z"]),
        json!(["2026-01-07T11:55:00Z"]),
    );
    check_property("{ version: 1.2.3 }", json!(["1.2.3", "v1.2.3"]), json!([gone, "1.2.4"]));
    check_property(
        "{ version: '>= 2.10' }",
        json!(["2.10.0", "2.11", "3"]),
        json!([gone, "2.9.9", "x"]),
    );
    check_property("{ version: '< 2' }", json!(["1.9"]), json!(["2.0.0"]));
    check_property("{ version: '!= 2' }", json!(["1.9"]), json!([gone, "2.0", "x"]));
    check_property("{ version: ~1.2.3 }", json!(["1.2.9"]), json!(["1.3.0"]));
    check_property("{ version: ^1.2.3 }", json!(["1.9.0"]), json!(["2.0.0"]));
    check_property("{ version: 1.2.* }", json!(["1.2.9"]), json!(["1.3.0"]));
    check_property("{ set: true }", json!([null, ""]), json!([gone]));
    check_property("{ set: false }", json!([gone]), json!([null, ""]));
}

#[test]
fn a_project_is_found_by_its_token_and_by_its_team() {
    let sources = [
        source("bar/project.yaml", "token: phc_bar\nteam_id: 7\n"),
        source("shop/project.yaml", "token: phc_shop\nteam_id: 2\n"),
        source("zoo/project.yaml", "token: phc_zoo\n"),
    ];
    let catalog =
        compile_all(&sources, &mut Registry::default()).expect("good definitions").catalog;
    let of_team = |team_id| catalog.project_of_team(team_id).map(|project| project.name.as_str());
    assert_eq!([2, 7, 3].map(of_team), [Some("shop"), Some("bar"), None]);
    assert_eq!(catalog.project("phc_zoo").map(|project| project.team_id), Some(None));
}

/// What a pipeline knows of a person is looked at only for these.
#[test]
fn a_project_knows_which_person_properties_are_asked_for() {
    let compiled = shop(&[
        (
            "cohorts/a.yaml",
            "members: { not: { any: [ { person: { plan: pro, team: { set: true } } } ] } }",
        ),
        ("flags/b.yaml", "rules: [ { when: { person: { distinct_id: ann, city: Berlin } } } ]"),
        ("cohorts/c.yaml", "members: { did: buy, within: 1m, where: { price: 5 } }"),
    ]);
    let compiled = compiled.expect("good definitions");
    let mut keys: Vec<&str> =
        the_project(&compiled).person_keys.iter().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["city", "plan", "team"]);
}
