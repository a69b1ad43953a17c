//! Who is in a cohort: everybody asked at one instant, listed or counted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustc_hash::FxHashSet;
use schemas::catalog::Project;
use schemas::cohort::Condition;
use schemas::ids::ProjectId;
use schemas::lookup::{Facts, Position};
use schemas::scan::{Met, Place, Scan, Stretch};
use schemas::unknown::Unknown;

use crate::cohort::Asked;
use crate::context::Context;
use crate::truth::Truth;

/// How many parts a count is made in, each by one thread.
const PARTS: u64 = 64;
/// How many threads count.
const THREADS: usize = 2;
/// How many people are passed between two looks at the clock.
const LOOK_EVERY: u64 = 32;

/// A cohort, and the instant that everybody is asked about.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The project that decides it.
    pub project: &'a Project,
    /// Who is in.
    pub members: &'a Condition,
    /// Epoch milliseconds.
    pub now_ms: i64,
}

/// How far one request goes.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// After this place.
    pub after: &'a Place,
    /// With state that has reached this.
    pub at_least: &'a Position,
    /// The instant of the request, in epoch milliseconds.
    pub asked_ms: i64,
    /// How many records are passed at most.
    pub passed_max: u64,
    /// Tells how long the process has run.
    pub monotonic: &'a (dyn Fn() -> Duration + Sync),
    /// When, by that, the request ends.
    pub ends: Duration,
}

/// How many people were asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Who is in.
    pub count: u64,
    /// Of whom it isn't known, by the reason's code.
    pub unknown: BTreeMap<&'static str, u64>,
    /// How many people were asked.
    pub scanned: u64,
}

/// One who is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The first of their ids.
    pub distinct_id: String,
    /// All of them.
    pub distinct_ids: Vec<String>,
}

/// What was found on one way through people, and where it ended if they go on there.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many.
    pub tally: Tally,
    /// Those who are in, where they are listed.
    pub members: Vec<Member>,
    /// Where to go on.
    pub next: Option<Place>,
}

/// Whether members depend on the groups that a request names, so that nothing can be said of people
/// alone.
pub fn asks_of_groups(project: &Project, members: &Condition) -> bool {
    let (mut left, mut walked) = (vec![members], FxHashSet::default());
    while let Some(condition) = left.pop() {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => left.extend(parts),
            Condition::Not(part) => left.push(part),
            Condition::Cohort(index) if walked.insert(*index) => {
                left.push(&project.cohorts[*index].members);
            }
            Condition::Group(..) => return true,
            _ => {}
        }
    }
    false
}

/// Lists up to `limit` of those who are in.
///
/// # Errors
/// When state can't be read.
pub fn list(
    scan: &impl Scan,
    question: Question<'_>,
    limits: Limits<'_>,
    limit: usize,
) -> Result<Found, Unknown> {
    let stretch = limits.stretch(question, limits.after, None);
    let mut found = Found::default();
    let mut poll = Poll::new(question, limits);
    found.next = scan.scan(&stretch, &mut |met| {
        if poll.ask(met) == Some(true)
            && let Met::Person { distinct_id, facts } = met
        {
            found.members.push(Member::of(distinct_id, facts));
        }
        if found.members.len() >= limit { ControlFlow::Break(()) } else { poll.goes_on() }
    })?;
    found.tally = poll.tally;
    Ok(found)
}

/// Counts those who are in, on several threads, as far as time allows.
///
/// # Errors
/// When state can't be read.
pub fn count(
    scan: &impl Scan,
    question: Question<'_>,
    limits: Limits<'_>,
) -> Result<Found, Unknown> {
    let first = limits.after.hash() >> (u64::BITS - PARTS.trailing_zeros());
    let next = AtomicU64::new(first);
    let work = || {
        let mut counted = Vec::new();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= PARTS || (part > first && limits.is_over()) {
                return counted;
            }
            let found = count_part(scan, question, limits, part);
            let stops = found.as_ref().map_or(true, |found| found.next.is_some());
            counted.push((part, found));
            if stops {
                return counted;
            }
        }
    };
    let counted = std::thread::scope(|scope| {
        // Threads of their own, because they don't come back from stepping aside.
        let aside = || {
            scan.step_aside();
            work()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(aside)).collect();
        let mut counted: BTreeMap<u64, _> = BTreeMap::new();
        for thread in threads {
            match thread.join() {
                Ok(parts) => counted.extend(parts),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        counted
    });
    join(counted, first)
}

/// What the parts come to, up to the first that time didn't allow for.
fn join(mut counted: BTreeMap<u64, Result<Found, Unknown>>, first: u64) -> Result<Found, Unknown> {
    let mut whole = Found::default();
    for part in first..PARTS {
        let Some(found) = counted.remove(&part) else {
            whole.next = Some(Place::part(part, PARTS));
            break;
        };
        let found = found?;
        whole.tally.add(&found.tally);
        if found.next.is_some() {
            whole.next = found.next;
            break;
        }
    }
    Ok(whole)
}

fn count_part(
    scan: &impl Scan,
    question: Question<'_>,
    limits: Limits<'_>,
    part: u64,
) -> Result<Found, Unknown> {
    let begin = Place::part(part, PARTS);
    let end = (part + 1 < PARTS).then(|| Place::part(part + 1, PARTS));
    let stretch = limits.stretch(question, limits.after.max(&begin), end.as_ref());
    let mut poll = Poll::new(question, limits);
    let next = scan.scan(&stretch, &mut |met| {
        poll.ask(met);
        poll.goes_on()
    })?;
    Ok(Found { tally: poll.tally, members: Vec::new(), next })
}

impl<'a> Limits<'a> {
    fn stretch(
        self,
        question: Question<'_>,
        after: &'a Place,
        before: Option<&'a Place>,
    ) -> Stretch<'a> {
        let Limits { at_least, asked_ms, .. } = self;
        let project: ProjectId = question.project.id;
        Stretch { project, after, before, at_least, now_ms: question.now_ms, asked_ms }
    }

    fn is_over(self) -> bool {
        (self.monotonic)() >= self.ends
    }
}

/// One person after the other, asked.
struct Poll<'a> {
    question: Question<'a>,
    limits: Limits<'a>,
    context: Context,
    tally: Tally,
    passed: u64,
}

impl<'a> Poll<'a> {
    fn new(question: Question<'a>, limits: Limits<'a>) -> Self {
        Poll { question, limits, context: Context::default(), tally: Tally::default(), passed: 0 }
    }

    /// Whether the person is in, and counts them; nothing where nobody is met.
    fn ask(&mut self, met: Met<'_>) -> Option<bool> {
        self.passed += 1;
        let Met::Person { distinct_id, facts } = met else { return None };
        self.context.distinct_id.clear();
        self.context.distinct_id.push_str(distinct_id);
        self.tally.scanned += 1;
        let Question { project, members, now_ms } = self.question;
        match Asked::new(project, &self.context, facts, now_ms).holds(members) {
            Truth::True => self.tally.count += 1,
            Truth::False => return Some(false),
            Truth::Open(why) => {
                *self.tally.unknown.entry(why.code()).or_default() += 1;
                return None;
            }
        }
        Some(true)
    }

    /// Whether another may be passed.
    fn goes_on(&self) -> ControlFlow<()> {
        let looks = self.passed.is_multiple_of(LOOK_EVERY);
        if self.passed >= self.limits.passed_max || (looks && self.limits.is_over()) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.count += other.count;
        self.scanned += other.scanned;
        for (code, people) in &other.unknown {
            *self.unknown.entry(code).or_default() += people;
        }
    }
}

impl Member {
    fn of(distinct_id: &str, facts: &Facts) -> Member {
        let distinct_id = distinct_id.to_owned();
        let distinct_ids = match facts.distinct_ids.as_slice() {
            [] => vec![distinct_id.clone()],
            ids => ids.to_vec(),
        };
        Member { distinct_id, distinct_ids }
    }
}

#[cfg(test)]
mod tests;
