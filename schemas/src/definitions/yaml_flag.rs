//! The third kind of YAML file: a flag.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::condition;
use super::draft::{Draft, FlagDraft, RuleDraft, RulesDraft};
use super::node::{Fields, Node, Yaml};
use super::problem::{Problems, suggestion};
use super::yaml::description;
use super::yaml_values::{self, default, value};
use crate::flag::{Bucketing, ConfigVersion, Flag, Release, Runtime, Variant, wrong_total};
use crate::flag_value::FlagValue;

/// Reads a flag's file; its name is the key.
pub(super) fn flag(key: &str, node: &Node, problems: &mut Problems<'_>) -> Option<FlagDraft> {
    let known = ["description", "active", "seed", "variants", "payloads", "rules", "default"];
    let fields = node.fields("a flag", &known, problems)?;
    let description = description(&fields, problems);
    let active = fields.get("active").map_or(Some(true), |node| node.truth("`active`", problems));
    let flag = Flag {
        key: key.to_owned(),
        id: id_of(key),
        version: 1,
        description: description?,
        has_experiment: false,
        active: active?,
        runtime: Runtime::All,
        contexts: Vec::new(),
        bucketing: Bucketing::DistinctId,
        keeps_value: false,
        config_version: ConfigVersion::One,
        lacks_dependency: false,
        raw: None,
        rules: Ok(Default::default()),
    };
    let rules = decided(&fields, problems)?;
    Some(FlagDraft { flag, rules: Ok(rules), file: problems.file().to_owned() })
}

fn decided(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<RulesDraft> {
    let seed = match fields.get("seed") {
        Some(node) => node.text("`seed`", problems).map(|seed| Some(seed.to_owned())),
        None => Some(None),
    };
    let variants = variants(fields, problems);
    let arms = arms(fields);
    let payloads = payloads(fields, &arms, problems);
    let rules = rules(fields, &arms, problems);
    let kind = yaml_values::kind(fields, problems);
    let default = default(fields, kind?, problems);
    Some(RulesDraft {
        rules: rules?,
        default: default?,
        seed: seed?,
        payloads: payloads?,
        variants: variants?,
        ..RulesDraft::default()
    })
}

/// A positive number that stays the same for a key; SDKs want one.
fn id_of(key: &str) -> i64 {
    ((xxh3_64(key.as_bytes()) & 0x7fff_ffff) as i64).max(1)
}

fn variants(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<Variant>> {
    let Some(node) = fields.get("variants") else {
        return Some(Vec::new());
    };
    let entries = node.map("`variants`", problems)?;
    let arms: Vec<Option<Variant>> = entries
        .iter()
        .map(|(key, arm)| {
            let (percent, value) = arm_of(&key.text, arm, problems)?;
            Some(Variant { key: key.text.clone(), percent, value })
        })
        .collect();
    let arms: Vec<Variant> = arms.into_iter().collect::<Option<_>>()?;
    if let Some(total) = wrong_total(&arms) {
        let message = format!("the variants add up to {total}%");
        problems.add(node.place, message, "change them so that they add up to 100%");
        return None;
    }
    Some(arms)
}

/// A variant's share, and its value if it says one.
fn arm_of(key: &str, arm: &Node, problems: &mut Problems<'_>) -> Option<(f64, Option<FlagValue>)> {
    if !matches!(arm.value, Yaml::Map(_)) {
        return Some((percent(arm, key, problems)?, None));
    }
    let fields = arm.fields("a variant", &["share", "value"], problems)?;
    let share = fields.need("share", "a variant", "share: 50%", problems);
    let percent = share.and_then(|share| percent(share, "share", problems));
    let value = match fields.get("value") {
        Some(given) => value(given, "`value`", problems).map(Some),
        None => Some(None),
    };
    Some((percent?, value?))
}

/// The variants' names, even where their shares are wrong: what names them isn't wrong too.
fn arms<'n>(fields: &Fields<'n>) -> Vec<&'n str> {
    match fields.get("variants").map(|node| &node.value) {
        Some(Yaml::Map(entries)) => entries.iter().map(|(key, _)| key.text.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn percent(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<f64> {
    let text = match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
    let percent = number.filter(|percent| (0.0..=100.0).contains(percent));
    if percent.is_none() {
        let given = if text.is_empty() { node.kind().to_owned() } else { format!("`{text}`") };
        let message = format!("`{what}` should be a share of people and is {given}");
        problems.add(node.place, message, "write a percentage from `0%` to `100%`");
    }
    percent
}

/// Payloads by variant, or by `true` for a flag without variants.
fn payloads(
    fields: &Fields<'_>,
    arms: &[&str],
    problems: &mut Problems<'_>,
) -> Option<BTreeMap<String, String>> {
    let Some(node) = fields.get("payloads") else {
        return Some(BTreeMap::new());
    };
    let entries = node.map("`payloads`", problems)?;
    let boolean = ["true"];
    let values = if arms.is_empty() { boolean.as_slice() } else { arms };
    for (key, _) in entries {
        if !values.contains(&key.text.as_str()) {
            let message = format!("the flag is never `{}`", key.text);
            problems.add(key.place, message, suggestion(&key.text, values.iter().copied()));
        }
    }
    let json = entries.iter().map(|(key, node)| (key.text.clone(), node.to_json().to_string()));
    Some(json.collect())
}

fn rules(
    fields: &Fields<'_>,
    arms: &[&str],
    problems: &mut Problems<'_>,
) -> Option<Vec<RuleDraft>> {
    let node = fields.need("rules", "a flag", "rules: [ { rollout: 100% } ]", problems)?;
    let members = node.list("`rules`", problems)?;
    let rules: Vec<_> = members.iter().map(|member| rule(member, arms, problems)).collect();
    rules.into_iter().collect()
}

fn rule(node: &Node, arms: &[&str], problems: &mut Problems<'_>) -> Option<RuleDraft> {
    let known = ["when", "rollout", "on miss", "value", "variant", "payload"];
    let fields = node.fields("a rule", &known, problems)?;
    let when = match fields.get("when") {
        Some(asked) => condition::read(asked, problems),
        None => Some(Draft::everybody()),
    };
    let rollout_percent = match fields.get("rollout") {
        Some(share) => percent(share, "rollout", problems),
        None => Some(100.0),
    };
    let ends_on_miss = match fields.get("on miss") {
        Some(policy) => ends_on_miss(policy, problems),
        None => Some(false),
    };
    let value = match fields.get("value") {
        Some(given) => value(given, "`value`", problems).map(Some),
        None => Some(None),
    };
    if let (Some(named), Some(_)) = (fields.get("variant"), fields.get("value")) {
        let message = "a rule gives a `variant` or a `value`, not both";
        problems.add(named.place, message, "take one of them away");
        return None;
    }
    let variant = match fields.get("variant") {
        Some(named) => variant(named, arms, problems).map(Some),
        None => Some(None),
    };
    let payload = fields.get("payload").map(|payload| payload.to_json().to_string());
    let release = Release {
        rollout_percent: rollout_percent?,
        ends_on_miss: ends_on_miss?,
        value: value?,
        variant: variant?,
        payload,
        ..Release::default()
    };
    Some(RuleDraft { when: when?, aggregation: None, release })
}

/// What those get whom the rollout misses.
fn ends_on_miss(node: &Node, problems: &mut Problems<'_>) -> Option<bool> {
    match node.text("`on miss`", problems)? {
        "next rule" => Some(false),
        "default" => Some(true),
        other => {
            let message = format!("`on miss` should be `next rule` or `default` and is `{other}`");
            problems.add(node.place, message, suggestion(other, ["next rule", "default"]));
            None
        }
    }
}

fn variant(node: &Node, arms: &[&str], problems: &mut Problems<'_>) -> Option<String> {
    let name = node.text("`variant`", problems)?;
    if !arms.contains(&name) {
        let message = format!("the flag has no variant `{name}`");
        let fix = match arms {
            [] => format!("add `variants: {{ {name}: 100% }}` to the flag"),
            arms => suggestion(name, arms.iter().copied()),
        };
        problems.add(node.place, message, fix);
        return None;
    }
    Some(name.to_owned())
}
