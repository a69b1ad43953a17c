//! When an outcome will change, against asking at every instant.

mod dates;

use std::ops::Range;
use std::sync::Arc;

use evaluator::behaviour::TURNS_MAX;
use evaluator::cohort::Asked;
use evaluator::context::Context;
use evaluator::explain::{Explanation, Question, Verdict, cohort};
use evaluator::truth::Truth;
use schemas::catalog::Project;
use schemas::decimal::ONE;
use schemas::definitions::{Source, compile};
use schemas::lookup::{Coverage, Facts};
use schemas::matcher::{Matcher, Take};
use schemas::record::Record;
use schemas::time::{DAY_MS, HOUR_MS, parse_timestamp_ms};
use schemas::unknown::Unknown;
use schemas::window::{Entry, Hit, Value};
use serde_json::json;

const NOON_MS: i64 = 1_700_000_000_000;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Every kind of condition, over seconds.
const KINDS: [&str; 24] = [
    "{ did: a, count: '>= 2', within: 2s }",
    "{ did: a, count: '= 1', within: 1s }",
    "{ did: a, count: '= 1', between: [8s, 3s] }",
    "{ did: a, count: '> 1x', within: 2s, compared with: { did: b } }",
    "{ did: a, count: '>= 2x', within: 1s, compared with: { between: [3s, 1s] } }",
    "{ distinct: p, of: a, count: '>= 2', within: 2s }",
    "{ distinct: p, of: a, count: '= 1', between: [3s, 1s] }",
    "{ sum: p, of: a, is: '> 4', within: 2s }",
    "{ average: p, of: a, is: '> 2', within: 2s }",
    "{ smallest: p, of: a, is: '< 2', between: [3s, 2s] }",
    "{ largest: p, of: a, is: '>= 3', within: 3s }",
    "{ first: a, within: 2s }",
    "{ first: a, ago: '>= 2s' }",
    "{ first: a, between: [3s, 1s] }",
    "{ last: a, between: [3s, 1s] }",
    "{ last: a, ago: '>= 1s' }",
    "{ known: '>= 2s' }",
    "{ stopped: a, within: 3s, quiet: 1s }",
    "{ restarted: a, quiet: [3s, 1s] }",
    "{ latest: p, of: a, is: x, nth: 2, within: 2s }",
    "{ sequence: [ { did: a }, { did: b, after: '>= 1s' } ], within: 3s }",
    "{ sequence: [ { did: a }, { did: b, after: '<= 1s' }, { did: c, after: [1s, 2s] } ], \
     without: { did: a }, same: p, within: 3s }",
    "{ sequence: [ { did: a }, { did: b } ], within: 2s, unfinished: true }",
    "{ any: [ { did: a, within: 1s }, { all: [ { did: b, within: 2s }, \
     { not: { did: c, within: 1s } } ] } ] }",
];

/// Draws that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound) as i64
    }
}

/// A project with one cohort.
fn project(members: &str, time_zone: &str) -> Arc<Project> {
    let source = |path: &str, text: String| Source { path: path.to_owned(), text };
    let sources = [
        source("shop/project.yaml", format!("token: phc_shop\ntime_zone: {time_zone}\n")),
        source("shop/cohorts/it.yaml", format!("members: {members}\n")),
    ];
    let compiled = compile(&sources, &|_| None, &mut Default::default());
    let catalog = compiled.unwrap_or_else(|problems| panic!("{members}: {problems:?}")).catalog;
    Arc::clone(catalog.only_project().expect("one project"))
}

/// A project with one cohort, of one condition of PostHog's.
fn of_posthog(leaf: &serde_json::Value, more: &str) -> Project {
    let body = json!({ "flags": [], "cohorts": { "7": { "type": "AND", "values": [leaf] } } });
    let sources = [
        Source { path: "shop/project.yaml".to_owned(), text: format!("token: phc_shop\n{more}") },
        Source { path: "shop/posthog.json".to_owned(), text: body.to_string() },
    ];
    let compiled = compile(&sources, &|_| None, &mut Default::default()).expect("a cohort");
    let mut project = Project::clone(compiled.catalog.only_project().expect("one project"));
    project.cohorts[0].key = "it".to_owned();
    project
}

/// What a matcher takes of an event whose property is this.
fn taken(matcher: &Matcher, property: i64) -> Value {
    match &matcher.take {
        Take::Nothing => Value::NONE,
        Take::Value(_) => Value::hashed(property as u128),
        Take::Number(_) => Value::number(i128::from(property) * ONE),
        Take::Passes(_) if property > 1 => Value::PASSED,
        Take::Passes(_) => Value::NONE,
    }
}

/// Somebody who did so much until a moment after now, of which not everything may be known.
fn facts(project: &Project, now_ms: i64, events: i64, length_ms: i64, dice: &mut Dice) -> Facts {
    let mut record = Record::default();
    for number in 0..events {
        let time_ms = now_ms + length_ms / 10 - dice.below(length_ms as u64);
        let (name, property) = (NAMES[dice.below(3) as usize], dice.below(4));
        // Some are copies of events that were there before.
        let id = if dice.below(4) == 0 { dice.below(number as u64 + 1) } else { number };
        let entry = Entry::new(time_ms, id as u64);
        let named = |matcher: &&Matcher| [name, ""].contains(&matcher.event.as_str());
        let in_time = |matcher: &&Matcher| time_ms <= matcher.until_ms;
        for matcher in project.matchers.iter().filter(named).filter(in_time) {
            let hit = Hit { entry, value: taken(matcher, property) };
            record.fold(matcher.id, matcher.kept, hit);
        }
    }
    let coverage = project.matchers.iter().map(|matcher| {
        let coverage = match dice.below(8) {
            0..5 => Coverage::Since(i64::MIN),
            5..7 => Coverage::Since(now_ms - dice.below(length_ms as u64)),
            _ => Coverage::Filling { percent: 5 },
        };
        (matcher.id, coverage)
    });
    let coverage = Arc::new(coverage.collect());
    let incomplete = (dice.below(40) == 0).then_some(Unknown::TooManyIds);
    Facts { record, incomplete, coverage, ..Facts::default() }
}

/// What is said of somebody now.
fn explained<'a>(
    project: &'a Project,
    context: &'a Context,
    facts: &'a Facts,
    now_ms: i64,
) -> Explanation<'a> {
    let question = Question { project, context, facts, now_ms };
    cohort(question, "it").expect("the cohort is there")
}

/// Which of three answers it is: open is open, for whatever reason.
fn answer(truth: Truth<'_>) -> Option<bool> {
    match truth {
        Truth::True => Some(true),
        Truth::False => Some(false),
        Truth::Open(_) => None,
    }
}

/// Checks what is said of this time, from now on, against asking at all these instants, and tells
/// whether it changes.
fn check_during(
    project: &Project,
    facts: &Facts,
    Range { start: now_ms, end: end_ms }: Range<i64>,
    instants: impl Iterator<Item = i64>,
    who: &str,
) -> bool {
    let context = Context { distinct_id: "ann".to_owned(), ..Context::default() };
    let index = project.cohorts.iter().position(|cohort| cohort.key == "it").expect("it");
    let ask = |now_ms| answer(Asked::new(project, &context, facts, now_ms).is_in(index));
    let now = ask(now_ms);
    let mut answers = instants.map(|now_ms| (now_ms, ask(now_ms)));
    let expected = answers.find(|(_, answer)| *answer != now);
    let next = explained(project, &context, facts, now_ms).next;
    let said = next.change.map(|(at_ms, verdict)| match verdict {
        Verdict::Cohort(truth) => (at_ms, answer(truth)),
        Verdict::Flag(_) => panic!("a cohort was asked for"),
    });
    let said = said.filter(|(at_ms, _)| *at_ms < end_ms);
    let after = |change: Option<(i64, Option<bool>)>| change.map(|(at, to)| (at - now_ms, to));
    match next.searched_until_ms {
        None => assert_eq!(after(said), after(expected), "{who}, {now:?} now: {facts:?}"),
        Some(until_ms) => {
            assert_eq!(said, None, "{who}");
            assert!(expected.is_none_or(|(at_ms, _)| at_ms > until_ms), "{who}: {expected:?}");
        }
    }
    said.is_some()
}

/// Checks it against instants until nothing changes any more.
fn check(
    project: &Project,
    facts: &Facts,
    now_ms: i64,
    instants: impl Iterator<Item = i64>,
    who: &str,
) -> bool {
    check_during(project, facts, now_ms..i64::MAX, instants, who)
}

#[test]
fn the_next_change_is_the_first_millisecond_with_another_answer() {
    let mut dice = Dice(4_711);
    for kind in KINDS {
        let project = project(kind, "UTC");
        let mut changes = 0;
        for round in 0..60_u64 {
            let events = if round % 20 == 19 { 900 } else { dice.below(4 + 10 * (round % 2)) };
            let facts = facts(&project, NOON_MS, events, 5_000, &mut dice);
            let instants = (1..9_500).map(|ms| NOON_MS + ms);
            let who = format!("{kind}, round {round}");
            changes += usize::from(check(&project, &facts, NOON_MS, instants, &who));
        }
        assert!(changes >= 3, "{kind}: only {changes} changes were seen");
    }
}

/// Hours, days and weeks of places where clocks change within the time.
#[test]
fn periods_of_the_calendar_change_when_they_begin() {
    let mut dice = Dice(815);
    // Clocks change then, and in 2011 Samoa had no 30th of December.
    for (last, (unit, unit_ms), zone, now) in [
        (5, ("hours", HOUR_MS), "Australia/Lord_Howe", "2026-04-04T13:10:20Z"),
        (8, ("hours", HOUR_MS), "Pacific/Chatham", "2026-09-26T10:01:00Z"),
        (4, ("days", DAY_MS), "Europe/Berlin", "2026-03-28T12:00:00Z"),
        (3, ("weeks", 7 * DAY_MS), "Pacific/Apia", "2011-12-29T12:00:00Z"),
    ] {
        let period = format!("{last} {unit}");
        let project = project(&format!("{{ regularly: a, at least: 1, of last: {period} }}"), zone);
        let now_ms = parse_timestamp_ms(now).expect("an instant");
        let mut changes = 0;
        let rounds = if unit_ms == HOUR_MS { 300 } else { 25 };
        for round in 0..rounds {
            let (events, length_ms) = (dice.below(12), unit_ms * (1 + dice.below(last + 2)));
            let facts = facts(&project, now_ms, events, length_ms, &mut dice);
            // Periods begin at whole minutes.
            let first = now_ms.div_euclid(60_000) + 1;
            let minutes = unit_ms * (last as i64 + 5) / 60_000;
            let instants = (first..first + minutes).map(|minute| minute * 60_000);
            let who = format!("{period} in {zone}, round {round}");
            changes += usize::from(check(&project, &facts, now_ms, instants, &who));
            let context = Context { distinct_id: "ann".to_owned(), ..Context::default() };
            let next = explained(&project, &context, &facts, now_ms).next;
            assert_eq!(next.searched_until_ms, None, "{who}: it knows until when to look");
        }
        assert!(changes >= 3, "{period}: only {changes} changes were seen");
    }
}

/// What is stamped a little ahead may be of the first instant of a day that hasn't begun.
#[test]
fn an_event_of_midnight_counts_until_its_day_is_out_of_sight() {
    let project = project("{ regularly: a, at least: 1, of last: 2 days }", "UTC");
    let midnight_ms = parse_timestamp_ms("2026-11-22T00:00:00Z").expect("an instant");
    let matcher = &project.matchers[0];
    let mut record = Record::default();
    record.fold(matcher.id, matcher.kept, Entry::new(midnight_ms, 1).into());
    let coverage = Arc::new([(matcher.id, Coverage::Since(i64::MIN))].into_iter().collect());
    let facts = Facts { record, coverage, ..Facts::default() };
    let hours = (0..72).map(|hour| midnight_ms + hour * HOUR_MS);
    assert!(check(&project, &facts, midnight_ms - 2_000, hours, "at midnight"));
}

/// PostHog's periods are counted back from now.
#[test]
fn periods_counted_back_change_as_events_pass_their_edges() {
    let leaf = json!({ "type": "behavioral", "key": "a", "event_type": "events",
        "value": "performed_event_regularly", "operator": "gte", "operator_value": 1,
        "time_value": 2, "time_interval": "minute", "min_periods": 2, "total_periods": 3 });
    let project = of_posthog(&leaf, "");
    let (mut dice, mut changes) = (Dice(99), 0);
    for round in 0..20 {
        let events = dice.below(8);
        let facts = facts(&project, NOON_MS, events, 500_000, &mut dice);
        let instants = (1..500_000).map(|ms| NOON_MS + ms);
        changes +=
            usize::from(check(&project, &facts, NOON_MS, instants, &format!("round {round}")));
    }
    assert!(changes >= 3, "only {changes} changes were seen");
}

/// Where there are too many instants, the answer says how far it has looked.
#[test]
fn what_was_not_looked_at_is_said() {
    let often = "{ did: a, count: '>= 1000', within: 5m }";
    let project = project(&format!("{{ any: [ {often}, {{ did: a, within: 10m }} ] }}"), "UTC");
    let matcher = &project.matchers[0];
    let mut record = Record::default();
    for number in 0..1_000 {
        let entry = Entry::new(NOON_MS - number, number as u64);
        record.fold(matcher.id, matcher.kept, Hit { entry, value: Value::NONE });
    }
    let coverage = Arc::new([(matcher.id, Coverage::Since(i64::MIN))].into_iter().collect());
    let facts = Facts { record, coverage, ..Facts::default() };
    let context = Context { distinct_id: "ann".to_owned(), ..Context::default() };
    let next = explained(&project, &context, &facts, NOON_MS).next;
    assert!(next.change.is_none(), "it changes when the last of them is ten minutes old");
    assert_eq!(TURNS_MAX, 1_000);
    assert_eq!(next.searched_until_ms, Some(NOON_MS + 5 * 60_000));
}
