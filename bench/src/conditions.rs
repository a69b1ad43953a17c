//! The definitions that each measurement needs, and what their flags should say.

use std::fs;
use std::path::Path;

use schemas::catalog::{Catalog, Registry};
use schemas::definitions::{Source, compile};
use serde_json::json;

use crate::Outcome;
use crate::rule::{self, Rule, Wanted};

/// The project's folder in every measurement.
const PROJECT: &str = "load";
/// The project's token in every measurement.
pub const TOKEN: &str = "phc_load";
/// What opens its private routes.
pub const SECRET: &str = "phs_load";
/// Event names of the measurement of many people.
pub const PEOPLE_EVENTS: [&str; 5] = ["viewed", "added", "started", "bought", "returned"];

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Set {
    /// The ten conditions of workload W1.
    W1,
    /// One of them.
    One,
    /// A hundred conditions on what those of W1 watch.
    Hundred,
    /// Those of W1, and 990 cohorts that ask for other events.
    Thousand,
    /// Twenty flags, five of them behavioural.
    Flags,
    /// Fifty flags, ten of them behavioural.
    Fifty,
    /// Five hundred flags, ten of them behavioural.
    FiveHundred,
    /// One flag that is dear to decide and short to answer: it backtracks as far as it may.
    Dear,
    /// Five matchers that see two events each of everybody.
    People,
}

const DEAR: &str =
    "rules:\n  - when: { person: { mail: { matches: \"(?=a)(a|aa)*(?=x|!!)\" } } }\n";

/// Writes the files of one project.
pub fn write(folder: &Path, set: Set) -> Outcome {
    for Source { path, text } in sources(set) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().ok_or("no folder to write to")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Adds a cohort and a flag that is on for it to the project of a node that runs.
pub fn save(folder: &Path, key: &str, rule: &Rule) -> Outcome {
    for (path, text) in rule::files(key, rule) {
        let path = folder.join(PROJECT).join(path);
        // Renamed, so that the node never reads half of it.
        let whole = path.with_extension("saved");
        fs::write(&whole, text)?;
        fs::rename(&whole, &path)?;
    }
    Ok(())
}

/// The catalog of a measurement that needs no node.
///
/// # Errors
/// None of the definitions is wrong, unless the language has changed.
pub fn catalog(set: Set) -> Result<Catalog, String> {
    let compiled = compile(&sources(set), &|_| None, &mut Registry::default());
    Ok(compiled.map_err(|problems| format!("{problems:#?}"))?.catalog)
}

fn sources(set: Set) -> Vec<Source> {
    let project = format!("token: {TOKEN}\nsecrets: [{SECRET}]\n");
    let mut files = vec![("project.yaml".to_owned(), project)];
    for (key, rule) in rules(set) {
        files.extend(rule::files(key, &rule));
    }
    let plain = match set {
        Set::Flags => 15,
        Set::Fifty => 40,
        Set::FiveHundred => 490,
        _ => 0,
    };
    if let Set::Hundred = set {
        let more =
            (0..90).flat_map(|number| rule::files(&format!("more-{number:02}"), &more(number)));
        files.extend(more);
    }
    if let Set::Thousand = set {
        let other = |number| Rule::did(&format!("other {number}"), ">= 2", 300);
        let others =
            (0..990).flat_map(|number| rule::files(&format!("other-{number}"), &other(number)));
        // Nobody asks for them: what they cost is what events cost.
        files.extend(others.filter(|(path, _)| path.starts_with("cohorts/")));
    }
    if let Set::Dear = set {
        files.push(("flags/dear.yaml".to_owned(), DEAR.to_owned()));
    }
    files.extend((0..plain).map(plain_flag));
    let source = |(path, text)| Source { path: format!("{PROJECT}/{path}"), text };
    files.into_iter().map(source).collect()
}

/// Behavioural flags by key, each on for its rule.
pub fn rules(set: Set) -> Vec<(&'static str, Rule)> {
    match set {
        Set::W1 | Set::Hundred | Set::Thousand | Set::Fifty | Set::FiveHundred => w1(),
        Set::One => w1().into_iter().skip(2).take(1).collect(),
        Set::Flags => w1().into_iter().take(5).collect(),
        Set::Dear => Vec::new(),
        Set::People => {
            let rule = |event| (event, Rule::did(event, ">= 2", 3_600));
            PEOPLE_EVENTS.into_iter().map(rule).collect()
        }
    }
}

fn w1() -> Vec<(&'static str, Rule)> {
    let did = Rule::did;
    let dear = vec![("price", Wanted::MoreThan(50.0))];
    let shoes = vec![("category", Wanted::OneOf(vec!["shoes".to_owned()]))];
    vec![
        ("three-adds", did("added to cart", ">= 3", 300)),
        ("dear-add", Rule::did_where("added to cart", ">= 1", 300, dear)),
        ("five-views", did("product viewed", ">= 5", 300)),
        ("shoes", Rule::did_where("product viewed", ">= 2", 300, shoes)),
        ("checkout", did("checkout started", ">= 1", 300)),
        ("two-checkouts", did("checkout started", ">= 2", 60)),
        ("bought", did("purchase", ">= 1", 300)),
        ("not-bought", Rule::Not(Box::new(did("purchase", ">= 1", 300)))),
        ("ten-views", did("product viewed", ">= 10", 600)),
        ("just-added", did("added to cart", ">= 1", 30)),
    ]
}

/// Another threshold or window on what a condition of W1 watches, within what that keeps.
fn more(number: i64) -> Rule {
    let seconds = 30 + number * 3;
    match number % 3 {
        0 => {
            Rule::did("product viewed", [">= 1", ">= 3", ">= 7"][number as usize / 3 % 3], seconds)
        }
        1 => Rule::did("added to cart", [">= 1", ">= 2"][number as usize / 3 % 2], seconds),
        _ => Rule::did("purchase", ">= 1", seconds),
    }
}

/// A flag without behaviour: a rollout, an experiment, or a property that the asker tells.
fn plain_flag(number: u32) -> (String, String) {
    let flag = match number % 3 {
        0 => json!({ "rules": [{ "rollout": format!("{}%", 10 + number % 45 * 2) }] }),
        1 => json!({
            "variants": { "control": "50%", "test": "50%" },
            "rules": [{ "rollout": "100%" }],
        }),
        _ => json!({
            "rules": [{ "when": { "person": { "plan": ["pro", "team"] } }, "rollout": "100%" }],
        }),
    };
    (format!("flags/plain-{number:02}.yaml"), format!("{flag:#}\n"))
}
