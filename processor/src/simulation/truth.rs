//! What is true in a simulation: every event that was sent is kept, and asked one by one.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use schemas::filter::Date;
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

/// "Did that, with a price above so much, so often then."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: &'static str,
    above: Option<i64>,
    comparison: &'static str,
    n: usize,
    when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// So many seconds until now.
    Within(i64),
    /// After one instant, or before another, or both, in epoch milliseconds.
    Between(Option<i64>, Option<i64>),
}

/// What people do.
pub const NAMES: [&str; 3] = ["add", "buy", "look"];

impl When {
    fn random(rng: &mut Rng, now_ms: i64) -> When {
        if rng.u8(..4) > 0 {
            return When::Within([5, 30, 120, 600][rng.usize(..4)]);
        }
        let one_ms = now_ms + rng.i64(-300_000..100_000);
        let other_ms = one_ms + rng.i64(2..200_000);
        match rng.u8(..3) {
            0 => When::Between(Some(one_ms), None),
            1 => When::Between(None, Some(one_ms)),
            _ => When::Between(Some(one_ms), Some(other_ms)),
        }
    }

    fn yaml(self) -> String {
        let dated = |key: &str, time_ms: Option<i64>| {
            time_ms.map(|time_ms| format!("{key}: \"{}\"", Date::of_ms(time_ms).words()))
        };
        match self {
            When::Within(seconds) => format!("within: {seconds}s"),
            When::Between(after_ms, before_ms) => {
                let dates = [dated("after", after_ms), dated("before", before_ms)];
                dates.into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn has(self, time_ms: i64, now_ms: i64) -> bool {
        match self {
            When::Within(seconds) => time_ms > now_ms - seconds * 1_000,
            When::Between(after_ms, before_ms) => {
                after_ms.is_none_or(|after_ms| time_ms > after_ms)
                    && before_ms.is_none_or(|before_ms| time_ms < before_ms)
            }
        }
    }
}

impl Rule {
    /// A rule whose dates lie around now.
    pub fn random(rng: &mut Rng, now_ms: i64) -> Rule {
        let pick = |rng: &mut Rng| ["=", "!=", ">", ">=", "<", "<="][rng.usize(..6)];
        let comparison = pick(rng);
        Rule {
            name: NAMES[rng.usize(..NAMES.len())],
            above: rng.bool().then(|| rng.i64(0..80)),
            comparison,
            // A count that holds always, or never, is refused.
            n: rng.usize(usize::from(matches!(comparison, ">=" | "<"))..5),
            when: When::random(rng, now_ms),
        }
    }

    /// The rule as an analyst writes it.
    pub fn yaml(&self) -> String {
        let Rule { name, above, comparison, n, when } = self;
        let filter = above.map(|above| format!(", where: {{ price: \"> {above}\" }}"));
        let filter = filter.unwrap_or_default();
        format!(
            "rules: [{{ when: {{ did: {name}, count: \"{comparison} {n}\", {}{filter} }}, \
             rollout: 100% }}]\n",
            when.yaml()
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
        let count = earliest.values().filter(|time_ms| self.when.has(**time_ms, now)).count();
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
