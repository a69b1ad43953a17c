//! What is true in a simulation: every event that was sent is kept, and asked one by one.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use schemas::forgetting::EVENT;

/// How far ahead of its record an event may be.
pub const SKEW_MS: i64 = 5_000;

/// An event that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub partition: i32,
    pub offset: i64,
    pub id: u64,
    pub name: &'static str,
    pub person: String,
    pub price: i64,
    /// When it counts as having happened.
    pub time_ms: i64,
}

/// "Did that, with a price above so much, so often within so long."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: &'static str,
    above: Option<i64>,
    comparison: &'static str,
    n: usize,
    within_s: i64,
}

/// What people do.
pub const NAMES: [&str; 3] = ["add", "buy", "look"];

impl Rule {
    pub fn random(rng: &mut Rng) -> Rule {
        let pick = |rng: &mut Rng| ["=", "!=", ">", ">=", "<", "<="][rng.usize(..6)];
        let comparison = pick(rng);
        Rule {
            name: NAMES[rng.usize(..NAMES.len())],
            above: rng.bool().then(|| rng.i64(0..80)),
            comparison,
            // A count that holds always, or never, is refused.
            n: rng.usize(usize::from(matches!(comparison, ">=" | "<"))..5),
            within_s: [5, 30, 120, 600][rng.usize(..4)],
        }
    }

    /// The rule as an analyst writes it.
    pub fn yaml(&self) -> String {
        let Rule { name, above, comparison, n, within_s } = self;
        let filter = above.map(|above| format!(", where: {{ price: \"> {above}\" }}"));
        let filter = filter.unwrap_or_default();
        format!(
            "rules: [{{ when: {{ did: {name}, count: \"{comparison} {n}\", within: {within_s}s\
             {filter} }}, rollout: 100% }}]\n"
        )
    }

    /// Whether it holds, given everything before these offsets. None where it depends on what
    /// was in memory: of an event that came twice, dated before and after its person was
    /// forgotten.
    pub fn holds(
        &self,
        sent: &[Sent],
        read: &dyn Fn(&Sent) -> bool,
        whom: &str,
        now: i64,
    ) -> Option<bool> {
        let mine = || sent.iter().filter(|event| event.person == whom && read(event));
        let until_ms = mine().filter(|event| event.name == EVENT).map(|event| event.time_ms).max();
        let is_gone = |event: &Sent| until_ms.is_some_and(|until_ms| event.time_ms <= until_ms);
        let gone: HashSet<u64> = mine().filter(|event| is_gone(event)).map(|e| e.id).collect();
        if mine().any(|event| !is_gone(event) && gone.contains(&event.id)) {
            return None;
        }
        let mut earliest: HashMap<u64, i64> = HashMap::new();
        let mine = mine().filter(|event| event.name == self.name && !is_gone(event));
        for event in mine.filter(|event| self.above.is_none_or(|above| event.price > above)) {
            let time_ms = earliest.entry(event.id).or_insert(event.time_ms);
            *time_ms = (*time_ms).min(event.time_ms);
        }
        let inside = earliest.values().filter(|time_ms| **time_ms > now - self.within_s * 1_000);
        let count = inside.count();
        Some(match self.comparison {
            "=" => count == self.n,
            "!=" => count != self.n,
            ">" => count > self.n,
            ">=" => count >= self.n,
            "<" => count < self.n,
            _ => count <= self.n,
        })
    }
}
