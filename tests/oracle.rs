//! The right answer, found the slow way: every event is kept, and every question scans them.
//!
//! Nothing of Sluice is imported here. The rules, in full:
//! - the window is `(now − W, now]`, and what is stamped ahead of `now` happens now;
//! - an event counts once, whatever the number of its copies, at the earliest of their times;
//! - an event's time is at most [`SKEW_MS`] after the time at which the log took it.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::rule::{Did, Rule, Wanted};

/// How far ahead of the log an event may be stamped.
pub const SKEW_MS: i64 = 5_000;

#[derive(Debug, Default)]
pub struct Oracle {
    /// By person, to save the scan of everybody else.
    events: BTreeMap<String, Vec<Seen>>,
}

#[derive(Clone, Debug)]
struct Seen {
    event: Event,
    /// False while nobody knows whether the log has it: sent, and not answered.
    certain: bool,
}

/// What the answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    True,
    False,
    /// It depends on events of which nobody knows whether the log has them.
    Either,
}

impl Oracle {
    /// The log took this event at `record_ms`.
    pub fn see(&mut self, event: Event, record_ms: i64) {
        self.add(event, record_ms, true);
    }

    /// The log may have taken this event.
    pub fn perhaps(&mut self, event: Event, record_ms: i64) {
        self.add(event, record_ms, false);
    }

    fn add(&mut self, mut event: Event, record_ms: i64, certain: bool) {
        event.time_ms = event.time_ms.min(record_ms + SKEW_MS);
        self.events.entry(event.person.clone()).or_default().push(Seen { event, certain });
    }

    pub fn verdict(&self, person: &str, rule: &Rule, now_ms: i64) -> Verdict {
        let each = |rules: &[Rule]| -> Vec<Verdict> {
            rules.iter().map(|rule| self.verdict(person, rule, now_ms)).collect()
        };
        match rule {
            Rule::All(rules) => all(&each(rules)),
            Rule::Any(rules) => {
                let none: Vec<Verdict> = each(rules).into_iter().map(not).collect();
                not(all(&none))
            }
            Rule::Not(rule) => not(self.verdict(person, rule, now_ms)),
            Rule::Did(did) => {
                let (least, most) = self.count(person, did, now_ms);
                let answers: Vec<bool> =
                    (least..=most).map(|count| compare(count, did.comparison, did.n)).collect();
                match (answers.contains(&true), answers.contains(&false)) {
                    (true, false) => Verdict::True,
                    (false, true) => Verdict::False,
                    _ => Verdict::Either,
                }
            }
        }
    }

    /// How many events count: without those nobody knows of, and with all of them.
    pub fn count(&self, person: &str, did: &Did, now_ms: i64) -> (usize, usize) {
        let mut once: BTreeMap<&str, Seen> = BTreeMap::new();
        for seen in self.events.get(person).into_iter().flatten() {
            let first = once.entry(&seen.event.uuid).or_insert_with(|| seen.clone());
            first.event.time_ms = first.event.time_ms.min(seen.event.time_ms);
            first.certain |= seen.certain;
        }
        let counted: Vec<&Seen> = once
            .values()
            .filter(|seen| seen.event.name == did.event)
            .filter(|seen| seen.event.time_ms > now_ms - did.within_ms)
            .filter(|seen| did.filters.iter().all(|(key, wanted)| has(&seen.event, key, wanted)))
            .collect();
        (counted.iter().filter(|seen| seen.certain).count(), counted.len())
    }
}

fn has(event: &Event, key: &str, wanted: &Wanted) -> bool {
    let Some(value) = event.properties.get(key) else {
        return false;
    };
    match wanted {
        Wanted::OneOf(texts) => texts.iter().any(|text| value.as_str() == Some(text)),
        Wanted::MoreThan(number) => value.as_f64().is_some_and(|value| value > *number),
    }
}

pub fn compare<T: PartialOrd>(left: T, comparison: &str, right: T) -> bool {
    match comparison {
        "=" => left == right,
        "!=" => left != right,
        ">" => left > right,
        ">=" => left >= right,
        "<" => left < right,
        "<=" => left <= right,
        other => panic!("no comparison: {other}"),
    }
}

fn all(verdicts: &[Verdict]) -> Verdict {
    if verdicts.contains(&Verdict::False) {
        Verdict::False
    } else if verdicts.contains(&Verdict::Either) {
        Verdict::Either
    } else {
        Verdict::True
    }
}

fn not(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::True => Verdict::False,
        Verdict::False => Verdict::True,
        Verdict::Either => Verdict::Either,
    }
}
