//! Turns: the instants at which an answer may change by the clock alone, though nothing happens.
//!
//! An answer only depends on now through the edges of its stretches of time, so it changes only
//! when one of them passes something that is known: a hit, or where hits may be missing.

use std::collections::BTreeSet;

use schemas::behaviour::{
    Ago, Behaviour, Operand, Period, Regularly, Sequence, Then, Watched, When,
};
use schemas::filter::Date;
use schemas::lookup::Coverage;
use schemas::window::{Keep, Range};

use super::{Seen, periods};

/// How many instants are looked at.
pub const TURNS_MAX: usize = 1_000;

/// The next instants at which an answer may change, and no more than [`TURNS_MAX`] of them.
#[derive(Clone, Debug)]
pub struct Turns {
    now_ms: i64,
    instants: BTreeSet<i64>,
    is_cut: bool,
}

impl Turns {
    /// None yet, after this instant.
    pub fn after(now_ms: i64) -> Turns {
        Turns { now_ms, instants: BTreeSet::new(), is_cut: false }
    }

    /// The instants in epoch milliseconds, in order.
    pub fn instants(&self) -> impl Iterator<Item = i64> + '_ {
        self.instants.iter().copied()
    }

    /// Whether there are more after them.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// One more: `length_ms` after `time_ms`, unless that has passed or is never.
    pub fn add(&mut self, time_ms: i64, length_ms: i64) {
        let Some(at_ms) = time_ms.checked_add(length_ms).filter(|at_ms| *at_ms > self.now_ms)
        else {
            return;
        };
        if self.is_full_before(at_ms) {
            self.is_cut |= !self.instants.contains(&at_ms);
            return;
        }
        self.instants.insert(at_ms);
        if self.instants.len() > TURNS_MAX {
            self.instants.pop_last();
            self.is_cut = true;
        }
    }

    fn is_full_before(&self, at_ms: i64) -> bool {
        self.instants.len() >= TURNS_MAX && self.instants.last().is_some_and(|last| at_ms >= *last)
    }
}

impl Seen<'_> {
    /// Adds every instant at which the answer may change.
    pub fn add_turns(self, behaviour: &Behaviour<Watched>, turns: &mut Turns) {
        match behaviour {
            Behaviour::Number(asked) => {
                self.add_edges(asked.left.of, &edges(asked.left.ago), turns);
                if let Operand::Of(right, _) = &asked.right {
                    self.add_edges(right.of, &edges(right.ago), turns);
                }
            }
            Behaviour::When(asked) => self.add_moment(asked, turns),
            Behaviour::Latest(asked) => self.add_edges(asked.of, &edges(asked.ago), turns),
            Behaviour::Regularly(asked) => match asked.period {
                Period::Back(length_ms) => {
                    let back = (1..=i64::from(asked.of_last)).map(|n| length_ms.saturating_mul(n));
                    self.add_edges(asked.of, &back.collect::<Vec<_>>(), turns);
                }
                _ => self.add_starts(asked, turns),
            },
            Behaviour::Sequence(asked) => self.add_sequence(asked, turns),
        }
    }

    fn add_edges(self, of: Watched, edges_ms: &[i64], turns: &mut Turns) {
        for time_ms in self.known_ms(of) {
            edges_ms.iter().for_each(|edge_ms| turns.add(time_ms, *edge_ms));
        }
    }

    /// A date may move on with now, and pass what is known.
    fn add_moment(self, asked: &When<Watched>, turns: &mut Turns) {
        let date = match asked.then {
            Then::Ago(ago) => return self.add_edges(asked.of, &edges(ago), turns),
            Then::Before(date) | Then::At(date) | Then::After(date) => date,
        };
        // Whatever is known, the clock may skip the date, and nothing is before or after it then.
        for time_ms in self.known_ms(asked.of).into_iter().chain([self.now_ms]) {
            let known = Date::of_ms(time_ms);
            date.meets_ms(&known, self.moment()).into_iter().for_each(|at_ms| turns.add(at_ms, 0));
        }
    }

    /// When the next periods of the calendar begin, until nothing that is known lies in the last
    /// ones.
    fn add_starts(self, asked: &Regularly<Watched>, turns: &mut Turns) {
        let Some(newest_ms) = self.known_ms(asked.of).into_iter().max() else { return };
        let (mut inside_ms, mut left) = (self.now_ms, asked.of_last);
        while left > 0 {
            let next_ms = periods::next_start_ms(inside_ms, self.zone, asked.period);
            let Some(next_ms) = next_ms.filter(|next_ms| *next_ms > inside_ms) else { return };
            turns.add(next_ms, 0);
            if turns.is_full_before(next_ms.saturating_add(1)) {
                turns.is_cut = true;
                return;
            }
            left -= u16::from(next_ms > newest_ms);
            inside_ms = next_ms;
        }
    }

    /// Steps that may be missing may have been as early as the range begins, and the steps after
    /// them as early as they may follow.
    fn add_sequence(self, asked: &Sequence<Watched>, turns: &mut Turns) {
        let steps = asked.steps.iter();
        let matchers: Vec<Watched> =
            steps.flat_map(|step| [Some(step.of), step.without]).flatten().collect();
        let is_whole = matchers.iter().all(|of| self.gap(*of, Range::EVER).is_none());
        let mut edges_ms = edges(asked.ago);
        let mut after_ms: i64 = 0;
        for step in asked.steps.iter().skip(1).filter(|_| !is_whole) {
            after_ms = after_ms.saturating_add(step.after_ms_min.max(1));
            edges_ms.push(asked.ago.from_ms.saturating_sub(after_ms));
        }
        matchers.into_iter().for_each(|of| self.add_edges(of, &edges_ms, turns));
    }

    /// When something is known to have happened, or may have until then.
    fn known_ms(self, of: Watched) -> Vec<i64> {
        let mut known: Vec<i64> = self.kept(of).iter().map(|hit| hit.entry.time_ms()).collect();
        if !matches!(of.kept.keep, Keep::Values | Keep::Numbers) {
            known.extend(self.window(of).lost_ms());
        }
        match self.facts.coverage.get(&of.matcher) {
            Some(Coverage::Since(since_ms)) if *since_ms > i64::MIN => known.push(*since_ms),
            _ => {}
        }
        // After this nothing can be missing.
        known.extend(Some(of.during.until_ms).filter(|until_ms| *until_ms < i64::MAX));
        known
    }
}

/// How long after an instant it leaves a stretch of time, and enters it.
fn edges(ago: Ago) -> Vec<i64> {
    match ago.until_ms {
        // It is in from the beginning, even if it is stamped ahead.
        0 => vec![ago.from_ms],
        until_ms => vec![ago.from_ms, until_ms],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: i64 = TURNS_MAX as i64;

    fn turns(times_ms: impl Iterator<Item = i64>) -> (Vec<i64>, bool) {
        let mut turns = Turns::after(10);
        times_ms.for_each(|time_ms| turns.add(time_ms, 5));
        (turns.instants().collect(), turns.is_cut())
    }

    #[test]
    fn what_has_passed_is_no_turn() {
        assert_eq!(turns([3, 5, 6, 8, 6, i64::MAX].into_iter()), (vec![11, 13], false));
    }

    #[test]
    fn the_first_thousand_stay_in_any_order() {
        let first: Vec<i64> = (11..11 + MOST).collect();
        assert_eq!(turns(6..6 + MOST), (first.clone(), false));
        assert_eq!(turns((6..6 + MOST).chain([6, 5 + MOST])), (first.clone(), false), "again");
        assert_eq!(turns(6..7 + MOST), (first.clone(), true));
        assert_eq!(turns((6..7 + MOST).rev()), (first.clone(), true));
        let even_then_odd = (6..7 + MOST).step_by(2).chain((7..7 + MOST).step_by(2));
        assert_eq!(turns(even_then_odd), (first, true));
    }
}
