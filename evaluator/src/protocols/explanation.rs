//! The shape of an explanation: `schemas/explain.schema.json`.

use jiff::Timestamp;
use schemas::decimal::written;
use schemas::filter::Filter;
use schemas::flag::{FlagAnswer, Variant};
use schemas::lookup::{Coverage, Facts};
use schemas::matcher::Take;
use schemas::unknown::Unknown;
use schemas::window::{Hit, Range, Value as Taken};
use serde_json::{Map, Value, json};

use crate::behaviour::Span;
use crate::decision::{Decision, Reason};
use crate::explain::{
    Evidence, Expanded, Explanation, Judged, JudgedRule, Next, Node, Question, Role, Said, Source,
    Verdict, words,
};
use crate::truth::{Truth, Why};

/// What is explained.
pub enum About {
    /// The flag of this key.
    Flag(String),
    /// The cohort of this key.
    Cohort(String),
}

/// An explanation as JSON.
pub fn answer(about: &About, question: Question<'_>, explained: &Explanation<'_>) -> Value {
    let Question { project, context, facts, now_ms } = question;
    let mut answer = Map::new();
    let mut say = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    say("project", json!(project.name));
    match about {
        About::Flag(key) => say("flag", json!(key)),
        About::Cohort(key) => say("cohort", json!(key)),
    };
    say("distinct_id", json!(context.distinct_id));
    say("distinct_ids", distinct_ids(&context.distinct_id, facts));
    say("more_distinct_ids", json!(facts.incomplete.is_some()));
    say("evaluatedAt", json!(now_ms));
    say("at", time(now_ms));
    say("position", json!(facts.position));
    say("stale_ms", json!(facts.stale_ms));
    say("unknown", facts.unknown.map_or(Value::Null, unknown));
    say("earlier_definitions", json!(explained.stands));
    say("is", verdict(&explained.verdict));
    say("changes", changes(&explained.next, now_ms));
    match &explained.flag {
        Some(Ok(judged)) => {
            let decided = match &explained.verdict {
                // An index is told for that reason too, as at PostHog.
                Verdict::Flag(decision) if decision.reason == Reason::NoConditionMatch => None,
                Verdict::Flag(decision) => decision.condition_index,
                Verdict::Cohort(_) => None,
            };
            say("rules", rules(judged, decided));
            if !judged.variants.is_empty() {
                say("variants", variants(judged.variants, judged.variant_hash));
            }
        }
        Some(Err(fault)) => {
            say("fault", json!({ "code": fault.code, "description": fault.message }));
        }
        None => {}
    }
    say("cohorts", explained.cohorts.iter().map(cohort).collect());
    Value::Object(answer)
}

fn distinct_ids(asked: &str, facts: &Facts) -> Value {
    if facts.distinct_ids.is_empty() { json!([asked]) } else { json!(facts.distinct_ids) }
}

fn verdict(verdict: &Verdict<'_>) -> Value {
    match verdict {
        Verdict::Flag(decision) => decided(decision),
        Verdict::Cohort(truth) => with_truth(*truth, Map::new()),
    }
}

fn decided(decision: &Decision<'_>) -> Value {
    let outcome = decision.outcome;
    let payload = outcome.payload().map(|json| serde_json::from_str(json).unwrap_or(json!(json)));
    json!({
        "value": outcome.value.json(),
        "enabled": outcome.enabled(),
        "variant": outcome.variant(),
        "payload": payload.unwrap_or(Value::Null),
        "failed": decision.failed(),
        "reason": {
            "code": decision.reason.code(),
            "condition_index": decision.condition_index,
            "description": decision.reason.description(decision.condition_index),
        },
    })
}

fn changes(next: &Next<'_>, now_ms: i64) -> Value {
    let change = next.change.as_ref().map(|(at_ms, becomes)| {
        json!({ "at": time(*at_ms), "in_ms": at_ms - now_ms, "to": verdict(becomes) })
    });
    json!({ "next": change, "searched_until": next.searched_until_ms.map(time) })
}

fn rules(judged: &Judged<'_>, decided: Option<usize>) -> Value {
    let rules = judged.rules.iter().enumerate();
    rules.map(|(index, judged)| rule(index, judged, decided == Some(index))).collect()
}

fn rule(index: usize, judged: &JudgedRule<'_>, decided: bool) -> Value {
    let release = &judged.rule.release;
    let mut told = json!({
        "index": index,
        "decided": decided,
        "when": node(&judged.when),
        "rollout": {
            "percent": release.rollout_percent,
            "person_at_percent": judged.rollout_hash.map(|at| at * 100.0),
            "within": judged.is_within,
        },
        "variant": release.variant,
    });
    let mut say = |name: &str, value: Value| told[name] = value;
    if let Some(origin) = &release.origin {
        say("id", json!(origin.id));
        say("rule_type", json!(origin.rule_type.name()));
    }
    if let Some(value) = &release.value {
        say("value", value.json().clone());
    }
    if !release.variants.is_empty() {
        say("variants", variants(&release.variants, judged.variant_hash));
    }
    if release.ends_on_miss {
        say("on_miss", json!("default"));
    }
    if release.paused {
        say("paused", json!(true));
    }
    if let Some(holdout) = &release.holdout {
        say("held_out_percent", json!(holdout.percent));
    }
    told
}

fn variants(variants: &[Variant], hash: Option<f64>) -> Value {
    let share = |variant: &Variant| {
        let mut share = json!({ "key": variant.key, "percent": variant.percent });
        if let Some(value) = &variant.value {
            share["value"] = value.json().clone();
        }
        share
    };
    let shares: Vec<Value> = variants.iter().map(share).collect();
    json!({ "person_at_percent": hash.map(|at| at * 100.0), "shares": shares })
}

fn cohort(expanded: &Expanded<'_>) -> Value {
    json!({
        "key": expanded.cohort.key,
        "description": expanded.cohort.description,
        "members": node(&expanded.members),
    })
}

fn node(of: &Node<'_>) -> Value {
    let mut map = Map::new();
    let mut say = |name: &str, value: Value| map.insert(name.to_owned(), value);
    match &of.said {
        Said::All(parts) => say("all", parts.iter().map(node).collect()),
        Said::Any(parts) => say("any", parts.iter().map(node).collect()),
        Said::Not(part) => say("not", node(part)),
        Said::Cohort(key) => say("cohort", json!(key)),
        Said::Property { filter, value, source } => {
            say("person", json!(filter.words()));
            let source = match (value, source) {
                (Err(_), _) => "unknown",
                (Ok(None), _) => "missing",
                (_, Source::Given) => "request",
                (_, Source::Kept) => "state",
            };
            say("source", json!(source));
            say("value", value.clone().ok().flatten().unwrap_or(Value::Null))
        }
        Said::Group { group_type, filter, value } => {
            say("group", json!(format!("{group_type}: {}", filter.words())));
            say("value", value.clone().ok().flatten().unwrap_or(Value::Null))
        }
        Said::Flag(key, answer) => {
            let is = match answer {
                FlagAnswer::On => json!(true),
                FlagAnswer::Off => json!(false),
                FlagAnswer::Variant(variant) => json!(variant),
            };
            say("flag", json!(key));
            say("is", is)
        }
        Said::Listed(ids) => say("people", json!(format!("one of {ids} distinct ids"))),
        Said::Behaviour(leaf) => {
            say("events", json!(leaf.asked));
            say("seen", leaf.evidence.iter().map(evidence).collect())
        }
        Said::Fault(fault) => say("fault", json!(fault.message)),
    };
    with_truth(of.truth, map)
}

fn with_truth(truth: Truth<'_>, more: Map<String, Value>) -> Value {
    let (word, why) = match truth {
        Truth::True => ("true", None),
        Truth::False => ("false", None),
        Truth::Open(why) => ("unknown", Some(why)),
    };
    let mut map = Map::from_iter([("truth".to_owned(), json!(word))]);
    if let Some(why) = why {
        map.insert("why".to_owned(), reason(why));
    }
    map.extend(more);
    Value::Object(map)
}

fn evidence(of: &Evidence<'_>) -> Value {
    let mut map = Map::new();
    let mut say = |name: &str, value: Value| map.insert(name.to_owned(), value);
    say("role", json!(role(of.role)));
    let matcher = of.matcher;
    let event = matcher.map(|matcher| matcher.event.as_str()).filter(|event| !event.is_empty());
    say("event", json!(event));
    let filters = matcher.map_or(&[][..], |matcher| &matcher.filters);
    say("where", filters.iter().map(Filter::words).collect());
    say("property", json!(matcher.and_then(|matcher| matcher.take.property())));
    let (after, until) = ends(of.range);
    say("after", after);
    say("until", until);
    if let Some(span) = of.number {
        say("number", number(span));
    }
    if let Role::First | Role::Last = of.role {
        say("moment", of.moment_ms.map_or(Value::Null, time));
    }
    if let Some(periods) = of.periods {
        say("periods_at_least", json!(periods));
    }
    say("in_all", json!(of.hits_in_all));
    let take = matcher.map(|matcher| &matcher.take);
    say("newest", of.hits.iter().map(|one| hit(*one, take)).collect());
    say("coverage", coverage(of.coverage));
    Value::Object(map)
}

fn role(role: Role) -> String {
    match role {
        Role::Number => "number".to_owned(),
        Role::ComparedWith => "compared with".to_owned(),
        Role::First => "first".to_owned(),
        Role::Last => "last".to_owned(),
        Role::Latest => "latest".to_owned(),
        Role::Periods => "periods".to_owned(),
        Role::Step(number) => format!("step {number}"),
        Role::Without(number) => format!("without, before step {number}"),
    }
}

/// The end that is open is null: the beginning of time, or whatever is stamped ahead of now.
fn ends(range: Range) -> (Value, Value) {
    let after = if range.after_ms > i64::MIN { time(range.after_ms) } else { Value::Null };
    let until = if range.until_ms < i64::MAX { time(range.until_ms) } else { Value::Null };
    (after, until)
}

fn number(span: Span) -> Value {
    let is_one = span.low == span.high && !span.maybe_nothing;
    json!({
        "said": words::span(span),
        "exact": is_one || span.is_nothing(),
        "at_least": words::low(span).filter(|_| !span.is_nothing()),
        "at_most": words::high(span).filter(|_| !span.is_nothing()),
    })
}

/// The event's id is kept as the lower 54 bits of its hash.
fn hit(hit: Hit, take: Option<&Take>) -> Value {
    let mut map = Map::new();
    map.insert("time".to_owned(), time(hit.entry.time_ms()));
    map.insert("id_hash".to_owned(), json!(format!("{:014x}", hit.entry.tag())));
    match take {
        Some(Take::Number(_)) => {
            map.insert("number".to_owned(), json!(written(hit.value.units())));
        }
        Some(Take::Passes(_)) => {
            map.insert("passes".to_owned(), json!(hit.value == Taken::PASSED));
        }
        _ => {}
    }
    Value::Object(map)
}

fn coverage(coverage: Option<Coverage>) -> Value {
    match coverage {
        Some(Coverage::Since(i64::MIN)) => json!({ "state": "complete" }),
        Some(Coverage::Since(since_ms)) => json!({ "state": "since", "after": time(since_ms) }),
        Some(Coverage::Filling { percent }) => json!({ "state": "filling", "percent": percent }),
        None => json!({ "state": "filling", "percent": 0 }),
    }
}

fn unknown(unknown: Unknown) -> Value {
    reason(Why::Unknown(unknown))
}

fn reason(why: Why<'_>) -> Value {
    json!({ "code": why.code(), "description": why.description() })
}

/// An instant in UTC, with its milliseconds.
fn time(time_ms: i64) -> Value {
    let time = Timestamp::from_millisecond(time_ms);
    time.map_or_else(|_| json!(time_ms.to_string()), |time| json!(format!("{time:.3}")))
}
