//! The proof: random questions about random people, asked of Sluice's core and of the naive oracle.
//!
//! Without gaps, and where as much is kept as the rules say, every answer has to be certain.
//! Where events were pushed out, or the log lacks some, an answer that is certain has to be
//! right for everything that ever happened; [`excuse`] says when it may be unknown, and [`known`]
//! that it may only where something else could have happened.
//!
//! A limit that no state of a bounded size could lift: a copy of an event that bears another
//! time is known for one only while the first copy is among the newest K. [`copies`] says where
//! one came later than that; conditions that ask for those events aren't compared. Worlds with
//! such copies lack nothing and expire nothing.

mod asked;
mod chance;
mod compiled;
mod copies;
mod excuse;
mod given;
mod instants;
mod known;
mod laws;
mod state;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use evaluator::cohort::Asked;
use evaluator::context::Context;
use evaluator::truth::Truth;
use schemas::lookup::Facts;

use self::chance::PERSON;
use self::compiled::Compiled;
use self::state::State;
use self::world::{Then, World};
use crate::dice::Dice;
use crate::harness::seed;
use crate::naive::answer::Person;
use crate::naive::history::History;

/// A run takes so many comparisons, unless `ORACLE_COMPARISONS` says otherwise.
const COMPARISONS: u64 = 1_000_000;

/// `ORACLE_COMPARISONS=100000000` for a long run; `TEST_SEED` for one that was.
#[test]
fn sluice_answers_as_the_oracle_does() {
    let wanted = std::env::var("ORACLE_COMPARISONS");
    let wanted = wanted.map_or(COMPARISONS, |text| text.parse().expect("a number"));
    let seed = seed();
    let mut tally = Tally::default();
    for at in 0.. {
        let world = World::new(Dice::new(seed.wrapping_add(at)).throw());
        if let Err(difference) = compare(&world, &mut tally) {
            let shrunk = shrink(world, difference);
            panic!("TEST_SEED={seed}, world {at}\n{}", told(&shrunk.0, &shrunk.1));
        }
        if tally.compared >= wanted {
            break;
        }
    }
    let Tally { compared, held, open, crowded, left_out } = tally;
    println!("{compared} comparisons, seed {seed}, 0 differences ({held} true, {open} unknown)");
    println!("{crowded} of them with copies of other times among more than is kept");
    println!("{left_out} questions left out, for copies of what had been pushed out");
}

#[derive(Default)]
struct Tally {
    compared: u64,
    held: u64,
    open: u64,
    /// Where copies bore other times and something was pushed out.
    crowded: u64,
    /// Questions that weren't compared.
    left_out: u64,
}

/// Where Sluice and the oracle differ.
struct Difference {
    question: usize,
    now_ms: i64,
    said: String,
    right: bool,
}

/// Lets the world happen, and compares whenever it is asked.
fn compare(world: &World, tally: &mut Tally) -> Result<(), Difference> {
    let compiled = Compiled::new(&world.questions, &world.zone, world.room);
    let matchers = &compiled.project.matchers;
    let mut state = State::new(world, matchers);
    let mut history = History::default();
    let mut dice = Dice::new(world.handling);
    let mut log_ms = i64::MIN;
    for arrival in &world.arrivals {
        log_ms = arrival.log_ms;
        history.add(arrival.event.clone());
        state.fold(&arrival.event, arrival.part, matchers);
        match arrival.then {
            Then::Nothing => {}
            Then::Restore => state.restore(arrival.part),
            Then::Join => state.join(arrival.part, matchers),
            Then::Expire => state.expire(arrival.part, matchers, log_ms),
            Then::Ask => Asking { world, compiled: &compiled, state: &state, history: &history }
                .compare(log_ms, &mut dice, tally)?,
        }
    }
    let asking = Asking { world, compiled: &compiled, state: &state, history: &history };
    asking.compare(log_ms.max(instants::EARLIEST_MS), &mut dice, tally)
}

struct Asking<'a> {
    world: &'a World,
    compiled: &'a Compiled,
    state: &'a State,
    history: &'a History,
}

impl Asking<'_> {
    fn compare(&self, log_ms: i64, dice: &mut Dice, tally: &mut Tally) -> Result<(), Difference> {
        let matchers = &self.compiled.project.matchers;
        let order = State::order(dice);
        let facts = self.state.facts(matchers, &order);
        // What nobody can see any more changes nothing.
        let expired = state::expired(&facts, matchers, log_ms);
        let mistaken: Vec<bool> =
            matchers.iter().map(|m| self.state.has_mistaken(m, &order)).collect();
        for (at, question) in self.world.questions.iter().enumerate() {
            let members = &self.compiled.project.cohorts[at].members;
            if excuse::may_be_mistaken(members, &mistaken) {
                tally.left_out += 1;
                continue;
            }
            let before = tally.compared;
            for now_ms in instants::of(question, self.history, &self.world.zone, log_ms, dice) {
                let facts = if dice.per_mille(500) { &facts } else { &expired };
                self.compare_one(at, now_ms, facts, tally)?;
            }
            if excuse::has_lost_copies(members, matchers, self.state) {
                tally.crowded += tally.compared - before;
            }
        }
        Ok(())
    }

    fn compare_one(
        &self,
        question: usize,
        now_ms: i64,
        facts: &Facts,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let world = self.world;
        let properties: BTreeMap<&str, &str> = world
            .writes
            .iter()
            .max_by_key(|write| (write.time_ms, write.id))
            .map(|write| ("plan", write.text))
            .into_iter()
            .collect();
        let person = Person {
            history: self.history,
            distinct_id: PERSON,
            properties: &properties,
            zone: &world.zone,
            now_ms,
        };
        let right = person.answers(&world.questions[question]);
        let context = Context { distinct_id: PERSON.to_owned(), ..Context::default() };
        let asked = Asked::new(&self.compiled.project, &context, facts, now_ms);
        let said = asked.is_in(question);
        let agrees = match said {
            Truth::True => right,
            Truth::False => !right,
            Truth::Open(_) => {
                tally.open += 1;
                let cohort = &self.compiled.project.cohorts[question];
                let matchers = &self.compiled.project.matchers;
                excuse::may_be_unknown(&cohort.members, matchers, self.state)
            }
        };
        tally.compared += 1;
        tally.held += u64::from(right);
        match agrees {
            true => Ok(()),
            false => Err(Difference { question, now_ms, said: format!("{said:?}"), right }),
        }
    }
}

/// The world with as few events as still show a difference.
fn shrink(mut world: World, mut difference: Difference) -> (World, Difference) {
    let mut at = 0;
    while at < world.arrivals.len() {
        let left_out = world.arrivals.remove(at);
        match compare(&world, &mut Tally::default()) {
            Err(smaller) => difference = smaller,
            Ok(()) => {
                world.arrivals.insert(at, left_out);
                at += 1;
            }
        }
    }
    (world, difference)
}

fn told(world: &World, difference: &Difference) -> String {
    let Difference { question, now_ms, said, right } = difference;
    let mut text = format!(
        "at {now_ms} in {:?}: said {said}, right is {right}\nroom {:?}, gaps {:?}\n{:#?}\n",
        world.zone.iana_name(),
        world.room,
        world.gaps,
        world.questions[*question],
    );
    for arrival in &world.arrivals {
        let ago_ms = now_ms - arrival.event.time_ms;
        let _ = writeln!(text, "{ago_ms} ms ago: {arrival:?}");
    }
    text
}
