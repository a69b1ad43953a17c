//! When an outcome will change by the clock alone: asked anew at each instant at which it may.

use super::Verdict;
use crate::behaviour::Turns;

/// What comes next if nothing happens.
#[derive(Clone, Debug)]
pub struct Next<'a> {
    /// The first instant, in epoch milliseconds, at which another outcome is given, and which.
    pub change: Option<(i64, Verdict<'a>)>,
    /// Set where there was none, and only the instants up to this one were looked at.
    pub searched_until_ms: Option<i64>,
}

/// The first of the turns at which the verdict isn't what it is now.
pub(super) fn next<'a>(
    now: &Verdict<'a>,
    turns: &Turns,
    decide: impl Fn(i64) -> Option<Verdict<'a>>,
) -> Next<'a> {
    let mut verdicts = turns.instants().filter_map(|at_ms| Some((at_ms, decide(at_ms)?)));
    let change = verdicts.find(|(_, verdict)| !verdict.is_same(now));
    let searched = turns.instants().last().filter(|_| turns.is_cut() && change.is_none());
    Next { change, searched_until_ms: searched }
}
