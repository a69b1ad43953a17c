//! A question about a person, written once: the oracle answers it, the definitions ask it.

use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
pub enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    Did(Did),
}

/// "Did it `comparison n` times within `within_ms`, where these properties hold."
#[derive(Clone, Debug)]
pub struct Did {
    pub event: String,
    pub filters: Vec<(String, Wanted)>,
    pub comparison: &'static str,
    pub n: usize,
    pub within_ms: i64,
}

#[derive(Clone, Debug)]
pub enum Wanted {
    OneOf(Vec<String>),
    MoreThan(f64),
}

impl Rule {
    /// `did("added to cart", ">= 3", 300)`: at least three within 300 seconds.
    pub fn did(event: &str, count: &'static str, within_s: i64) -> Rule {
        Rule::did_where(event, count, within_s, Vec::new())
    }

    pub fn did_where(
        event: &str,
        count: &'static str,
        within_s: i64,
        filters: Vec<(&str, Wanted)>,
    ) -> Rule {
        let (comparison, n) = count.split_once(' ').expect("an operator, a space, a number");
        Rule::Did(Did {
            event: event.to_owned(),
            filters: filters.into_iter().map(|(key, wanted)| (key.to_owned(), wanted)).collect(),
            comparison,
            n: n.parse().expect("a number"),
            within_ms: within_s * 1_000,
        })
    }

    /// The rule in the words of the definitions; JSON is YAML too.
    pub fn definition(&self) -> Value {
        match self {
            Rule::All(rules) => json!({ "all": definitions(rules) }),
            Rule::Any(rules) => json!({ "any": definitions(rules) }),
            Rule::Not(rule) => json!({ "not": rule.definition() }),
            Rule::Did(did) => did.definition(),
        }
    }
}

impl Did {
    fn definition(&self) -> Value {
        let mut did = json!({
            "did": self.event,
            "count": format!("{} {}", self.comparison, self.n),
            "within": length(self.within_ms),
        });
        if !self.filters.is_empty() {
            let filters = self.filters.iter().map(|(key, wanted)| {
                let wanted = match wanted {
                    Wanted::OneOf(values) => json!(values),
                    Wanted::MoreThan(number) => json!(format!("> {number}")),
                };
                (key.clone(), wanted)
            });
            did["where"] = Value::Object(filters.collect::<Map<_, _>>());
        }
        did
    }
}

/// The files of a cohort and of a flag that is on for it, both named `key`.
pub fn files(key: &str, rule: &Rule) -> [(String, String); 2] {
    let members = match rule {
        Rule::Did(_) => json!({ "all": [rule.definition()] }),
        _ => rule.definition(),
    };
    let cohort = json!({ "members": members });
    let flag = json!({ "rules": [{ "when": { "cohort": key }, "rollout": "100%" }] });
    [
        (format!("cohorts/{key}.yaml"), format!("{cohort:#}\n")),
        (format!("flags/{key}.yaml"), format!("{flag:#}\n")),
    ]
}

fn definitions(rules: &[Rule]) -> Vec<Value> {
    rules.iter().map(Rule::definition).collect()
}

fn length(within_ms: i64) -> String {
    let seconds = within_ms / 1_000;
    if seconds % 60 == 0 { format!("{}m", seconds / 60) } else { format!("{seconds}s") }
}
