//! Twenty conditions of all kinds, of a shop, each with a flag.

use schemas::catalog::{Project, Registry};
use schemas::definitions::{Source, compile};
use serde_json::json;

/// A flag is on for whoever is in; names of events as in the shop that ships with Sluice.
const CONDITIONS: [&str; 20] = [
    "{ did: added, count: '>= 3', within: 5m }",
    "{ did: bought, count: '= 0', within: 5m }",
    "{ did: searched, count: '= 2', between: [10m, 5m] }",
    "{ did: refund, count: '> 1x', within: 1h, compared with: { did: bought } }",
    "{ did: searched, count: '>= 2x', within: 5m, compared with: { between: [10m, 5m] } }",
    "{ regularly: searched, at least: 2, of last: 3 days }",
    "{ regularly: searched, at least: 5, of last: 24 hours }",
    "{ distinct: product, of: seen, count: '>= 5', within: 10m }",
    "{ sum: price, of: seen, is: '> 100', within: 1d }",
    "{ average: price, of: seen, is: '> 20', within: 10m }",
    "{ smallest: price, of: seen, is: '!= 11', within: 10m }",
    "{ largest: price, of: seen, is: '>= 30', within: 10m }",
    "{ latest: product, of: seen, is: 5, nth: 2, within: 10m }",
    "{ first: bought, within: 7d }",
    "{ last: bought, ago: '>= 30d' }",
    "{ known: '>= 7d' }",
    "{ stopped: bought, within: 30d, quiet: 7d }",
    "{ restarted: bought, quiet: [30d, 1d] }",
    "{ sequence: [ { did: seen }, { did: added, after: '<= 2m' } ], same: product, \
     without: { did: emptied }, within: 1h }",
    "{ sequence: [ { did: seen }, { did: added }, { did: bought } ], within: 1h, \
     unfinished: true }",
];

/// The shop that has them.
///
/// # Errors
/// None of them is wrong, unless the language has changed.
pub fn project() -> Result<Project, String> {
    let source = |path: String, text: String| Source { path, text };
    let mut sources = vec![source("shop/project.yaml".to_owned(), "token: phc_shop\n".to_owned())];
    for (at, condition) in CONDITIONS.iter().enumerate() {
        let cohort = format!("members: {condition}\n");
        sources.push(source(format!("shop/cohorts/c{at:02}.yaml"), cohort));
        let flag = json!({ "rules": [{ "when": { "cohort": format!("c{at:02}") } }] });
        sources.push(source(format!("shop/flags/f{at:02}.yaml"), flag.to_string()));
    }
    let compiled = compile(&sources, &|_| None, &mut Registry::default());
    let compiled = compiled.map_err(|problems| format!("{problems:#?}"))?;
    let project = compiled.catalog.projects().first().ok_or("no project")?;
    Ok(project.as_ref().clone())
}
