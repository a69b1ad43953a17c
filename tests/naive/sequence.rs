//! Sequences by trying every event for every step.

use super::answer::Person;
use super::history::{Given, Happened};
use super::question::{Ago, Sequence, Step};

pub fn happened(person: &Person<'_>, sequence: &Sequence) -> bool {
    let ago = Ago { from_ms: sequence.within_ms, until_ms: 0 };
    let tried: Vec<Tried<'_>> = sequence
        .steps
        .iter()
        .map(|step| Tried {
            step,
            candidates: person.inside(&step.which, ago),
            excluded: step.without.as_ref().map(|which| person.inside(which, ago)),
        })
        .collect();
    let (first, rest) = tried.split_first().expect("a step");
    first.candidates.iter().any(|event| match sequence.same {
        None => goes_on(rest, event, None),
        Some(key) => event.given(key).is_some_and(|value| goes_on(rest, event, Some((key, value)))),
    })
}

struct Tried<'a> {
    step: &'a Step,
    candidates: Vec<&'a Happened>,
    excluded: Option<Vec<&'a Happened>>,
}

/// Whether some events for the steps that are left come after `before`.
fn goes_on(rest: &[Tried<'_>], before: &Happened, same: Option<(&str, &Given)>) -> bool {
    let Some((next, rest)) = rest.split_first() else {
        return true;
    };
    next.candidates.iter().any(|event| {
        let after_ms = event.time_ms - before.time_ms;
        let between =
            |other: &&Happened| before.time_ms < other.time_ms && other.time_ms < event.time_ms;
        after_ms > 0
            && after_ms >= next.step.after_ms_min
            && next.step.after_ms_max.is_none_or(|most_ms| after_ms <= most_ms)
            && same.is_none_or(|(key, value)| event.given(key) == Some(value))
            && !next.excluded.iter().flatten().any(between)
            && goes_on(rest, event, same)
    })
}
