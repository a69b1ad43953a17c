//! Unknown only where it must be: wherever Sluice doesn't know, something may have happened that
//! leaves the same behind, and with which the answer is the other one.
//!
//! Times, lengths and instants since which the log is whole are seconds, so that they meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use evaluator::cohort::Asked;
use evaluator::context::Context;
use evaluator::truth::{Truth, Why};
use jiff::tz::TimeZone;
use schemas::filter::Moment;
use schemas::lookup::{Coverage, Facts};
use schemas::record::Record;
use schemas::time::SECOND_MS;
use schemas::unknown::Unknown;
use schemas::window::{Entry, Hit};

use super::asked::{Exact, START_MS, questions};
use super::chance::PERSON;
use super::compiled::{Compiled, Room};
use super::given;
use crate::dice::Dice;
use crate::harness::seed;
use crate::naive::answer::Person;
use crate::naive::history::{Given, Happened, History, Which};
use crate::naive::question::{Against, Ago, Number, Period, Question, Sequence, Step, What};

const NOW_MS: i64 = START_MS + 6 * SECOND_MS;
/// So many histories are tried of each question, in each room, with each gap.
const HISTORIES: usize = 3;

/// Events that happened, or didn't: second, name, hundredths.
const EVENTS: [(i64, &str, i64); 12] = [
    (1, "viewed", 200),
    (1, "added", -100),
    (2, "viewed", -200),
    (2, "added", 100),
    (3, "viewed", 100),
    (3, "added", 200),
    (3, "bought", 50),
    (4, "viewed", -100),
    (4, "added", 100),
    (5, "viewed", 100),
    (5, "added", -200),
    (5, "bought", 100),
];

#[test]
fn an_answer_is_unknown_only_where_it_may_be_otherwise() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    for (question, exact) in questions() {
        for room in [Room::Needed, Room::Only(1), Room::Only(2), Room::Only(3)] {
            let exact =
                exact == Exact::Always || exact == Exact::UntilPushedOut && room == Room::Needed;
            let compiled = Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, room);
            for missing in [None, Some(2), Some(3), Some(4), Some(i64::MAX)] {
                let asking = Asking { question: &question, compiled: &compiled, missing, exact };
                for _ in 0..HISTORIES {
                    let many = *dice.pick(&[100, 250, 500]);
                    let chosen = (0..EVENTS.len()).filter(|_| dice.per_mille(many));
                    let happened: Vec<Happened> = chosen.map(happened).collect();
                    if let Err(wrong) = asking.check(&happened) {
                        panic!(
                            "TEST_SEED={seed}: {wrong}: {question:?}\n\
                             {room:?}, missing until second {missing:?}, of {happened:#?}"
                        );
                    }
                }
            }
        }
    }
}

/// Between two milliseconds nothing can have happened, and in the one between them it can.
#[test]
fn nothing_happens_between_two_milliseconds() {
    let steps =
        [("viewed", None), ("added", Some(Which::named("bought")))].map(|(name, without)| {
            let which = Which::named(name);
            Step { which, after_ms_min: 0, after_ms_max: None, without }
        });
    let sequence = Sequence { steps: steps.to_vec(), within_ms: Some(3 * SECOND_MS), same: None };
    let question = Question::Sequence(sequence);
    let compiled = Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, Room::Needed);
    let missing = Some(i64::MAX);
    let asking = Asking { question: &question, compiled: &compiled, missing, exact: true };
    for (after_ms, truth) in [(1, Truth::True), (2, Truth::Open(Why::Unknown(Unknown::Filling)))] {
        let mut added = happened(1);
        added.time_ms = happened(7).time_ms + after_ms;
        assert_eq!(asking.said(&asking.facts(&[happened(7), added])), truth, "{after_ms} ms");
    }
    // Two steps take two of them.
    for (more_ms, open) in [(1, false), (2, true)] {
        let within_ms = Some(2 * SECOND_MS + more_ms);
        let question =
            Question::Sequence(Sequence { steps: steps.to_vec(), within_ms, same: None });
        let compiled = Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, Room::Needed);
        let (missing, exact) = (Some(4), true);
        let asking = Asking { question: &question, compiled: &compiled, missing, exact };
        let said = asking.said(&asking.facts(&[]));
        assert_eq!(matches!(said, Truth::Open(_)), open, "{more_ms} ms");
    }
}

/// Worlds that chance seldom makes: question, room, since which second it is whole, what happened.
#[test]
fn what_is_gone_is_not_taken_for_absent() {
    let distinct = |from, until, sign, cents| {
        let ago = Ago { from_ms: Some(from * SECOND_MS), until_ms: until * SECOND_MS };
        let number = Number { which: Which::ANY, what: What::Distinct("price"), ago };
        Question::Number(number, sign, Against::Cents(cents))
    };
    let period = Period::Back(2 * SECOND_MS);
    let now_and_then = Question::Regularly { which: Which::ANY, at_least: 1, of_last: 1, period };
    let earlier = Happened { time_ms: START_MS + SECOND_MS, ..happened(10) };
    let mut copied: Vec<Happened> = [8, 9, 10].map(happened).to_vec();
    copied.push(earlier);
    for (question, room, missing, happened) in [
        // The first of three at second 5 was pushed out, and whatever of its price was before.
        (distinct(5, 2, "=", 0), 2, None, [0, 9, 10, 11].map(happened).to_vec()),
        // The second of the stretch was dropped for a copy of the third.
        (now_and_then, 1, Some(2), copied),
    ] {
        let room = Room::Only(room);
        let compiled = Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, room);
        let asking = Asking { question: &question, compiled: &compiled, missing, exact: false };
        assert_eq!(asking.check(&happened), Ok(()), "{question:?}");
    }
    // Three of each were kept when one is enough now: more than that may be gone all the same.
    let question = distinct(5, 0, "=", 400);
    let [then, now] = [3, 1]
        .map(|k| Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, Room::Only(k)));
    let asking = |compiled| Asking { question: &question, compiled, missing: None, exact: false };
    let all: Vec<Happened> = (0..EVENTS.len()).map(happened).collect();
    let said = asking(&now).said(&asking(&then).facts(&all));
    assert_eq!(said, Truth::Open(Why::Unknown(Unknown::Overflow)));
}

/// A sum is at least what is known of it where all that was pushed out was free.
#[test]
fn what_was_free_makes_no_sum_unknown() {
    for (sign, cents) in [(">=", 100), ("<=", -100)] {
        let ago = Ago::within(5 * SECOND_MS);
        let number = Number { which: Which::ANY, what: What::Sum("price"), ago };
        let question = Question::Number(number, sign, Against::Cents(cents));
        let room = Room::Only(1);
        let compiled = Compiled::new(std::slice::from_ref(&question), &TimeZone::UTC, room);
        let priced = |at, cents| Happened { properties: given(cents, "shoes"), ..happened(at) };
        let happened = [priced(4, 0), priced(5, 0), priced(7, 0), priced(9, cents)];
        let asking =
            Asking { question: &question, compiled: &compiled, missing: None, exact: true };
        assert_eq!(asking.said(&asking.facts(&happened)), Truth::True, "{sign} {cents}");
    }
}

struct Asking<'a> {
    question: &'a Question,
    compiled: &'a Compiled,
    /// What happened until that second may be missing.
    missing: Option<i64>,
    /// Whether what is unknown has to be.
    exact: bool,
}

impl Asking<'_> {
    /// What is kept of all that.
    fn facts(&self, happened: &[Happened]) -> Facts {
        let record = self.folded(happened);
        let coverage = match self.missing {
            None => Coverage::Since(i64::MIN),
            Some(i64::MAX) => Coverage::Filling { percent: 50 },
            Some(second) => Coverage::Since(START_MS + second * SECOND_MS),
        };
        let matchers = self.compiled.project.matchers.iter();
        let coverage = Arc::new(matchers.map(|matcher| (matcher.id, coverage)).collect());
        Facts { record, coverage, ..Facts::default() }
    }

    fn said(&self, facts: &Facts) -> Truth<'static> {
        let context = Context { distinct_id: PERSON.to_owned(), ..Context::default() };
        match Asked::new(&self.compiled.project, &context, facts, NOW_MS).is_in(0) {
            Truth::Open(Why::Unknown(unknown)) => Truth::Open(Why::Unknown(unknown)),
            Truth::Open(_) => unreachable!("nothing else is open here"),
            Truth::True => Truth::True,
            Truth::False => Truth::False,
        }
    }

    fn check(&self, happened: &[Happened]) -> Result<(), String> {
        let facts = self.facts(happened);
        let said = self.said(&facts);
        let right = self.answer(happened.iter().cloned());
        let besides = self.besides(happened, &facts.record);
        let may_be_other = match said {
            Truth::Open(_) if !self.exact => return Ok(()),
            Truth::Open(_) => besides.several_make(!right),
            Truth::True | Truth::False => besides.one_makes(!right),
        };
        match said {
            Truth::True if right && !may_be_other => Ok(()),
            Truth::False if !right && !may_be_other => Ok(()),
            Truth::Open(_) if may_be_other => Ok(()),
            said => Err(format!("said {said:?}, right is {right}, may be other: {may_be_other}")),
        }
    }

    fn besides(&self, happened: &[Happened], record: &Record) -> Besides<'_> {
        let mut least = happened.to_vec();
        for event in happened {
            let others = least.iter().filter(|other| other.id != event.id);
            let without: Vec<Happened> = others.cloned().collect();
            if self.folded(&without) == *record {
                least = without;
            }
        }
        let may = self.possible().into_iter().filter(|event| self.may_miss(event, record));
        let mut bases = vec![least];
        if bases[0].len() < happened.len() {
            bases.push(happened.to_vec());
        }
        Besides { asking: self, bases, may: may.collect() }
    }

    /// Whether the log may lack the event, or newer ones would have pushed it out.
    fn may_miss(&self, event: &Happened, record: &Record) -> bool {
        let mut with = record.clone();
        self.fold(&mut with, event);
        let since_start_ms = event.time_ms - START_MS;
        self.missing.is_some_and(|second| since_start_ms <= second.saturating_mul(SECOND_MS))
            || with == *record
    }

    /// Whatever may have happened, each half second, and stamped a little ahead of now.
    fn possible(&self) -> Vec<Happened> {
        const MUCH: i64 = 100_000_000;
        // Each that happens, each that is asked for, and one between each two of them.
        let numbers = [-MUCH, -200, -150, -100, -90, -75, 0, 50, 60, 75, 90, 100, 150, 200, MUCH];
        let (names, texts, cents): (&[&'static str], &[&'static str], _) = match self.question {
            Question::Number(..) => (&["viewed"], &["shoes"], &numbers[..]),
            Question::Sequence(_) => (&["viewed", "added", "bought"], &["shoes", "hats"], &[0][..]),
            // Before, between and after the ids of what happened at that instant.
            _ => (&["viewed"], &["shoes", "hats"], &[0; 13][..]),
        };
        let mut possible = Vec::new();
        for halves in 1..=15 {
            let time_ms = START_MS + halves * SECOND_MS / 2;
            for (name, text) in names.iter().flat_map(|name| texts.iter().map(move |t| (name, t))) {
                for cents in cents {
                    let at = possible.len() as u64;
                    let id = 1_000 * (at % 13) + 500 + 2 * at;
                    possible.push(Happened { id, name, time_ms, properties: given(*cents, text) });
                }
            }
        }
        possible
    }

    fn answer(&self, happened: impl Iterator<Item = Happened>) -> bool {
        let mut history = History::default();
        happened.for_each(|event| history.add(event));
        let person = Person {
            history: &history,
            distinct_id: PERSON,
            properties: &BTreeMap::new(),
            zone: &TimeZone::UTC,
            now_ms: NOW_MS,
        };
        person.answers(self.question)
    }

    fn folded(&self, happened: &[Happened]) -> Record {
        let mut record = Record::default();
        happened.iter().for_each(|event| self.fold(&mut record, event));
        record
    }

    fn fold(&self, record: &mut Record, event: &Happened) {
        let moment = Moment { now_ms: NOW_MS, zone: &TimeZone::UTC };
        let matchers = self.compiled.project.matchers.iter();
        for matcher in matchers.filter(|m| m.event.is_empty() || m.event == event.name) {
            if event.time_ms > matcher.until_ms {
                continue;
            }
            let property = matcher.take.property().map(|key| &event.properties[key]);
            let property = property.map(|value| given::json(value, &mut Dice::new(1)));
            if let Some(value) = matcher.take.of(property.as_ref(), moment) {
                let hit = Hit { entry: Entry::new(event.time_ms, event.id), value };
                record.fold(matcher.id, matcher.kept, hit);
            }
        }
    }
}

/// What may have happened, with the same left behind.
struct Besides<'a> {
    asking: &'a Asking<'a>,
    /// What did, and before it the same without what was pushed out.
    bases: Vec<Vec<Happened>>,
    /// Each of these besides, or any of them.
    may: Vec<Happened>,
}

impl Besides<'_> {
    fn makes(&self, answer: bool, more: &[&Happened]) -> bool {
        let more = || more.iter().map(|event| (*event).clone());
        let histories = self.bases.iter().map(|base| base.iter().cloned().chain(more()));
        histories.into_iter().any(|all| self.asking.answer(all) == answer)
    }

    fn one_makes(&self, answer: bool) -> bool {
        self.makes(answer, &[]) || self.may.iter().any(|one| self.makes(answer, &[one]))
    }

    /// Tried with one event, copies of it, two events, and a few by chance.
    fn several_make(&self, answer: bool) -> bool {
        let may = &self.may;
        let copies = |event: &Happened| {
            let copy = |n: u64| Happened { id: event.id + n * 34, ..event.clone() };
            let copies: Vec<Happened> = (0..5u64).map(copy).collect();
            let copies: Vec<&Happened> = copies.iter().collect();
            (2..=copies.len()).any(|count| self.makes(answer, &copies[..count]))
        };
        let mut dice = Dice::new(may.len() as u64);
        let mut few = |at: usize| {
            let few: Vec<&Happened> = (0..3 + at % 4).map(|_| dice.pick(may)).collect();
            self.makes(answer, &few)
        };
        self.one_makes(answer)
            || may.iter().any(copies)
            || may.iter().any(|one| may.iter().any(|two| self.makes(answer, &[one, two])))
            || !may.is_empty() && (0..2_000).any(&mut few)
    }
}

fn happened(at: usize) -> Happened {
    let (second, name, cents) = EVENTS[at];
    let time_ms = START_MS + second * SECOND_MS;
    let text = if cents > 0 { "shoes" } else { "hats" };
    Happened { id: 1_001 + 1_000 * at as u64, name, time_ms, properties: given(cents, text) }
}

fn given(cents: i64, text: &'static str) -> BTreeMap<&'static str, Given> {
    BTreeMap::from([("price", Given::Cents(cents)), ("category", Given::Text(text))])
}
