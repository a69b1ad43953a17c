//! The gate: which matchers an event of a name may hit, and what they ask of it.

use rustc_hash::FxHashMap;

use crate::matcher::Matcher;

/// A project's matchers, by the events that they watch.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    named: FxHashMap<String, Watching>,
    /// What watches events of any other name.
    others: Watching,
}

/// Who watches events of a name.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// Indexes into the project's matchers; none where what happens is nobody's concern.
    pub matchers: Vec<usize>,
    /// The properties that these ask for, each once.
    pub properties: Vec<String>,
}

impl Gate {
    /// The gate of these matchers.
    pub fn of(matchers: &[Matcher]) -> Self {
        let mut gate = Gate::default();
        for matcher in matchers.iter().filter(|matcher| !matcher.event.is_empty()) {
            gate.named.entry(matcher.event.clone()).or_default();
        }
        for (at, matcher) in matchers.iter().enumerate() {
            if let Some(watching) = gate.named.get_mut(&matcher.event) {
                watching.add(at, matcher);
                continue;
            }
            // Whatever happens concerns it.
            gate.others.add(at, matcher);
            gate.named.values_mut().for_each(|watching| watching.add(at, matcher));
        }
        gate
    }

    /// Who watches events of this name.
    pub fn at(&self, event_name: &str) -> &Watching {
        self.named.get(event_name).unwrap_or(&self.others)
    }
}

impl Watching {
    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.matchers.is_empty()
    }

    fn add(&mut self, at: usize, matcher: &Matcher) {
        self.matchers.push(at);
        let filtered = matcher.filters.iter().map(|filter| filter.key.as_str());
        for property in filtered.chain(matcher.take.property()) {
            if !self.properties.iter().any(|known| known == property) {
                self.properties.push(property.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MatcherId;
    use crate::matcher::Take;
    use crate::window::{Keep, Kept};

    fn matcher(event: &str, take: Take) -> Matcher {
        let kept = Kept { keep: Keep::Newest, k: 1, horizon_ms: 1 };
        Matcher {
            id: MatcherId(0),
            event: event.to_owned(),
            filters: Vec::new(),
            until_ms: i64::MAX,
            take,
            kept,
        }
    }

    #[test]
    fn what_watches_any_event_watches_those_with_a_name_too() {
        let price = || Take::Number("price".to_owned());
        let gate = Gate::of(&[
            matcher("bought", price()),
            matcher("", Take::Value("plan".to_owned())),
            matcher("bought", price()),
            matcher("viewed", Take::Nothing),
        ]);
        for (event, matchers, properties) in [
            ("bought", vec![0, 1, 2], vec!["price", "plan"]),
            ("viewed", vec![1, 3], vec!["plan"]),
            ("heard of", vec![1], vec!["plan"]),
        ] {
            let watching = gate.at(event);
            assert_eq!((&watching.matchers, watching.is_empty()), (&matchers, false), "{event}");
            assert_eq!(watching.properties, properties, "{event}");
        }
        let gate = Gate::of(&[matcher("bought", Take::Nothing)]);
        assert!(gate.at("viewed").is_empty() && !gate.at("bought").is_empty());
    }
}
