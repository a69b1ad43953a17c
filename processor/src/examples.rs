//! Examples of cohorts: folded in memory, asked, and told where the cohort says otherwise.

use std::sync::Arc;

use evaluator::behaviour::Seen;
use evaluator::cohort::Asked;
use evaluator::context::Context;
use evaluator::truth::Truth;
use rustc_hash::FxHashMap;
use schemas::catalog::{Catalog, Project};
use schemas::cohort::{Cohort, CohortIndex};
use schemas::definitions::Problem;
use schemas::example::{Example, Happened};
use schemas::lookup::{Coverage, Facts, Position};
use schemas::record::Record;
use schemas::window::{Entry, Hit};
use serde_json::json;

use crate::hits::{Candidate, Given, hits};
use crate::why::Why;
use crate::writes::writes;

/// Every example that its cohort answers otherwise.
pub fn wrong(catalog: &Catalog) -> Vec<Problem> {
    let mut wrong = Vec::new();
    for project in catalog.projects() {
        for (index, cohort) in project.cohorts.iter().enumerate() {
            let examples = cohort.examples.iter();
            wrong.extend(examples.filter_map(|example| check(project, index, cohort, example)));
        }
    }
    wrong.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    wrong
}

fn check(
    project: &Project,
    index: CohortIndex,
    cohort: &Cohort,
    example: &Example,
) -> Option<Problem> {
    let facts = facts(project, example);
    let context = Context {
        distinct_id: example.distinct_id.clone(),
        person_properties: example.properties.clone(),
        groups: example.groups.keys().map(|of| (of.clone(), of.clone())).collect(),
        group_properties: example.groups.clone(),
        ..Context::default()
    };
    let asked = Asked::new(project, &context, &facts, example.at_ms);
    let answer = asked.is_in(index);
    if answer == Truth::from(example.is_in) {
        return None;
    }
    let seen = Seen { facts: &facts, zone: &project.time_zone, now_ms: example.at_ms };
    let why = Why { project, asked: &asked, seen }.said(&cohort.members);
    let said = |is_in| if is_in { "in" } else { "not in" };
    let answered = match answer {
        Truth::True => said(true),
        Truth::False => said(false),
        Truth::Open(_) => "unknown",
    };
    Some(Problem {
        file: example.file.clone(),
        line: example.line,
        column: example.column,
        message: format!(
            "the example is {}, and the cohort says {answered}: {why}",
            said(example.is_in)
        ),
        fix: "change the example, or what the cohort asks".to_owned(),
    })
}

/// What would be known of the person, had the log every event.
fn facts(project: &Project, example: &Example) -> Facts {
    let mut record = Record::default();
    for (number, happened) in (0..).zip(&example.events) {
        fold(project, happened, number, &mut record);
    }
    let covered = project.matchers.iter().map(|m| (m.id, Coverage::Since(i64::MIN)));
    let coverage = Arc::new(covered.collect::<FxHashMap<_, _>>());
    Facts {
        groups: Default::default(),
        record,
        distinct_ids: Vec::new(),
        incomplete: None,
        coverage,
        unknown: None,
        position: Position::new(),
        stale_ms: 0,
    }
}

fn fold(project: &Project, happened: &Happened, number: u64, record: &mut Record) {
    let entry = Entry::new(happened.time_ms, number);
    let properties = json!(happened.properties).to_string();
    let (watching, time_ms) = (project.gate.at(&happened.name), happened.time_ms);
    let candidate = Candidate { watching, time_ms, properties: Given::Written(Some(&properties)) };
    hits(project, candidate, |matcher, value| {
        record.fold(matcher.id, matcher.kept, Hit { entry, value });
    });
    writes(&properties, entry, |register| {
        record.write(&register);
    });
}
