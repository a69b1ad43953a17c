//! The answer to every question, found the slow way: each scans all that ever happened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::history::{Given, Happened, History, Which};
use super::periods;
use super::question::{Against, Ago, Number, Question, What};
use super::sequence;

/// A person, asked at one instant.
pub struct Person<'a> {
    pub history: &'a History,
    pub distinct_id: &'a str,
    pub properties: &'a BTreeMap<&'static str, &'static str>,
    pub zone: &'a TimeZone,
    pub now_ms: i64,
}

impl Person<'_> {
    pub fn answers(&self, question: &Question) -> bool {
        match question {
            Question::Number(left, sign, against) => self.compares(left, sign, against),
            Question::First(which, ago) => {
                let first_ms = self.times(which).into_iter().min();
                first_ms.is_some_and(|time_ms| ago.contains(time_ms, self.now_ms))
            }
            Question::Last(which, ago) => {
                let last_ms = self.times(which).into_iter().max();
                last_ms.is_some_and(|time_ms| ago.contains(time_ms, self.now_ms))
            }
            Question::FirstBy(which, side, instant_ms) => {
                let first_ms = self.times(which).into_iter().min();
                first_ms.is_some_and(|time_ms| side.has(time_ms, *instant_ms))
            }
            Question::LastBy(which, side, instant_ms) => {
                let last_ms = self.times(which).into_iter().max();
                last_ms.is_some_and(|time_ms| side.has(time_ms, *instant_ms))
            }
            Question::Stopped { which, within_ms, quiet_ms } => {
                self.did(which, Ago { from_ms: Some(*within_ms), until_ms: *quiet_ms })
                    && !self.did(which, Ago::within(*quiet_ms))
            }
            Question::Restarted { which, after_ms, within_ms } => {
                self.did(which, Ago { from_ms: None, until_ms: *after_ms })
                    && !self.did(which, Ago { from_ms: Some(*after_ms), until_ms: *within_ms })
                    && self.did(which, Ago::within(*within_ms))
            }
            Question::Latest { which, key, wanted, nth, within_ms } => {
                let events =
                    self.inside(which, Ago { from_ms: *within_ms, until_ms: 0 }).into_iter();
                let values: Vec<&Given> = events.filter_map(|event| event.given(key)).collect();
                values.get(usize::from(*nth) - 1).is_some_and(|given| wanted.passes(given))
            }
            Question::Regularly { which, at_least, of_last, period } => {
                let last = periods::last(self.now_ms, self.zone, *period, *of_last);
                let times = self.times(which).into_iter();
                let of = times.map(|time_ms| periods::of(time_ms, self.now_ms, self.zone, *period));
                let with: BTreeSet<_> = of.filter(|period| last.contains(period)).collect();
                with.len() >= usize::from(*at_least)
            }
            Question::Sequence(sequence) => sequence::happened(self, sequence),
            Question::Unfinished(sequence) => {
                let mut begun = sequence.clone();
                begun.steps.pop();
                sequence::happened(self, &begun) && !sequence::happened(self, sequence)
            }
            Question::Person(key, text) => {
                self.properties.get(key).is_some_and(|held| held.eq_ignore_ascii_case(text))
            }
            Question::Listed(ids) => ids.contains(&self.distinct_id),
            Question::All(questions) => questions.iter().all(|question| self.answers(question)),
            Question::Any(questions) => questions.iter().any(|question| self.answers(question)),
            Question::Not(question) => !self.answers(question),
        }
    }

    /// The events that lie there, newest first.
    pub fn inside(&self, which: &Which, ago: Ago) -> Vec<&Happened> {
        let mut events = self.history.of(which);
        events.retain(|event| ago.contains(event.time_ms, self.now_ms));
        events
    }

    fn did(&self, which: &Which, ago: Ago) -> bool {
        !self.inside(which, ago).is_empty()
    }

    fn times(&self, which: &Which) -> Vec<i64> {
        self.history.of(which).iter().map(|event| event.time_ms).collect()
    }

    fn compares(&self, left: &Number, sign: &str, against: &Against) -> bool {
        let right = match against {
            Against::Cents(cents) => Some((i128::from(*cents), 100)),
            Against::Number(number, thousandths) => self
                .number(number)
                .map(|(over, under)| (over * i128::from(*thousandths), under * 1_000)),
        };
        match (self.number(left), right) {
            (Some(left), Some(right)) => {
                crate::oracle::compare(left.0 * right.1, sign, right.0 * left.1)
            }
            // Nothing has no average, no smallest and no largest: no comparison holds.
            _ => false,
        }
    }

    /// A number as a fraction, exactly.
    fn number(&self, number: &Number) -> Option<(i128, i128)> {
        let events = self.inside(&number.which, number.ago);
        let cents = |key: &str| -> Vec<i128> {
            let given = events.iter().filter_map(|event| event.given(key));
            given
                .filter_map(|given| {
                    if let Given::Cents(cents) = given { Some(i128::from(*cents)) } else { None }
                })
                .collect()
        };
        match number.what {
            What::Count => Some((events.len() as i128, 1)),
            What::Distinct(key) => {
                let values: BTreeSet<&Given> =
                    events.iter().filter_map(|event| event.given(key)).collect();
                Some((values.len() as i128, 1))
            }
            What::Sum(key) => Some((cents(key).iter().sum(), 100)),
            What::Average(key) => {
                let cents = cents(key);
                let count = cents.len() as i128;
                (count > 0).then(|| (cents.iter().sum(), 100 * count))
            }
            What::Smallest(key) => cents(key).into_iter().min().map(|cents| (cents, 100)),
            What::Largest(key) => cents(key).into_iter().max().map(|cents| (cents, 100)),
        }
    }
}
