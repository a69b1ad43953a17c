//! The three kinds of YAML files: a project, a cohort, a flag.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::draft::{CohortDraft, Draft, FlagDraft, RuleDraft, RulesDraft};
use super::example;
use super::node::{self, Fields, Node, Yaml};
use super::problem::{Place, Problems, suggestion};
use super::{carried, condition};
use crate::filter::PropertyMatching;
use crate::flag::{Bucketing, Flag, Runtime, Variant};

/// What `project.yaml` says.
#[derive(Debug)]
pub(super) struct ProjectFile {
    pub token: String,
    pub token_place: Place,
    pub team_id: Option<(i64, Place)>,
    pub secrets: Vec<String>,
    pub time_zone: jiff::tz::TimeZone,
    pub group_types: Vec<String>,
    /// Of what is told in PostHog's words.
    pub matching: Option<PropertyMatching>,
}

/// Reads `project.yaml`.
pub(super) fn project(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems<'_>,
) -> Option<ProjectFile> {
    let node = node::parse(text, problems)?;
    let known = [
        "token",
        "team_id",
        "secrets",
        "time_zone",
        "group_types",
        "property_matching_version",
        carried::KEY,
    ];
    let fields = node.fields("a project", &known, problems)?;
    let token = fields.need("token", "a project", "token: phc_...", problems);
    let token = token.and_then(|node| Some((node.text("`token`", problems)?, node.place)));
    let team_id = team_id(&fields, problems);
    let secrets = secrets(&fields, environment, problems);
    let time_zone = time_zone(&fields, problems);
    let group_types = group_types(&fields, problems);
    let matching = matching(&fields, problems);
    let (token, token_place) = token?;
    Some(ProjectFile {
        token: token.to_owned(),
        token_place,
        team_id: team_id?,
        secrets: secrets?,
        time_zone: time_zone?,
        group_types: group_types?,
        matching: matching?,
    })
}

/// The version, if there is one; none and a problem if it is no such version.
fn matching(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Option<PropertyMatching>> {
    let Some(node) = fields.get("property_matching_version") else {
        return Some(None);
    };
    let version = match &node.value {
        Yaml::Number(number) if number.as_i64() == Some(1) => Some(PropertyMatching::V1),
        Yaml::Number(number) if number.as_i64() == Some(2) => Some(PropertyMatching::V2),
        _ => None,
    };
    if version.is_none() {
        let message = format!("there is no version `{}` of PostHog's `exact`", node.to_json());
        problems.add(node.place, message, "write 1, or 2 for a project that is new at PostHog");
    }
    version.map(Some)
}

fn group_types(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<String>> {
    let Some(node) = fields.get("group_types") else {
        return Some(Vec::new());
    };
    let members = node.list("`group_types`", problems)?;
    let types = members.iter().map(|member| member.text("a group type", problems));
    let types: Vec<_> = types.map(|of| of.map(str::to_owned)).collect();
    types.into_iter().collect()
}

/// The number and its place, if there is one; none and a problem if it isn't a number.
fn team_id(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Option<(i64, Place)>> {
    let Some(node) = fields.get("team_id") else {
        return Some(None);
    };
    let number = match &node.value {
        Yaml::Number(number) => number.as_i64().filter(|number| *number > 0),
        _ => None,
    };
    if number.is_none() {
        let message = format!("`team_id` should be a whole number and is `{}`", node.to_json());
        let fix = "write the number that PostHog shows as the project's id, such as `team_id: 2`";
        problems.add(node.place, message, fix);
    }
    number.map(|number| Some((number, node.place)))
}

fn secrets(
    fields: &Fields<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems<'_>,
) -> Option<Vec<String>> {
    let Some(node) = fields.get("secrets") else {
        return Some(Vec::new());
    };
    let members = node.list("`secrets`", problems)?;
    let secrets: Vec<Option<String>> = members
        .iter()
        .map(|member| match &member.value {
            Yaml::Map(_) => from_environment(member, environment, problems),
            _ => member.text("a secret", problems).map(str::to_owned),
        })
        .collect();
    secrets.into_iter().collect()
}

fn from_environment(
    node: &Node,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let fields = node.fields("a secret", &["env"], problems)?;
    let named = fields.need("env", "a secret", "env: SHOP_SECRET", problems)?;
    let name = named.text("`env`", problems)?;
    let secret = environment(name).filter(|secret| !secret.is_empty());
    if secret.is_none() {
        let message = format!("the environment has no `{name}`");
        problems.add(named.place, message, format!("start Sluice with {name}=..."));
    }
    secret
}

fn time_zone(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<jiff::tz::TimeZone> {
    let Some(node) = fields.get("time_zone") else {
        return Some(jiff::tz::TimeZone::UTC);
    };
    let name = node.text("`time_zone`", problems)?;
    let zone = jiff::tz::TimeZone::get(name).ok();
    if zone.is_none() {
        let message = format!("`{name}` isn't a time zone");
        problems.add(node.place, message, "write a name such as `Europe/Berlin` or `UTC`");
    }
    zone
}

/// Reads a cohort's file; its name is the key.
pub(super) fn cohort(node: &Node, problems: &mut Problems<'_>) -> Option<CohortDraft> {
    let known = ["description", "members", "examples", carried::KEY];
    let fields = node.fields("a cohort", &known, problems)?;
    let description = description(&fields, problems);
    let example = "members: { did: purchase, within: 5m }";
    let members = fields.need("members", "a cohort", example, problems);
    let members = members.and_then(|node| condition::read(node, problems));
    let examples = example::read(&fields, problems);
    let file = problems.file().to_owned();
    Some(CohortDraft {
        description: description?.unwrap_or_default(),
        id: None,
        members: members?,
        raw: None,
        examples: examples?,
        file,
        strict: true,
        is_static: false,
    })
}

/// Reads a flag's file; its name is the key.
pub(super) fn flag(key: &str, node: &Node, problems: &mut Problems<'_>) -> Option<FlagDraft> {
    let known = ["description", "active", "variants", "payloads", "rules"];
    let fields = node.fields("a flag", &known, problems)?;
    let description = description(&fields, problems);
    let active = fields.get("active").map_or(Some(true), |node| node.truth("`active`", problems));
    let variants = variants(&fields, problems);
    let arms = arms(&fields);
    let payloads = payloads(&fields, &arms, problems);
    let rules = rules(&fields, &arms, problems);
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
        lacks_dependency: false,
        raw: None,
        rules: Ok(Default::default()),
    };
    let rules = RulesDraft {
        rules: rules?,
        payloads: payloads?,
        variants: variants?,
        enrollment: false,
        holdout: None,
        aggregation: None,
    };
    Some(FlagDraft { flag, rules: Ok(rules), file: problems.file().to_owned() })
}

/// A positive number that stays the same for a key; SDKs want one.
fn id_of(key: &str) -> i64 {
    ((xxh3_64(key.as_bytes()) & 0x7fff_ffff) as i64).max(1)
}

fn description(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Option<String>> {
    match fields.get("description") {
        Some(node) => Some(Some(node.text("`description`", problems)?.to_owned())),
        None => Some(None),
    }
}

fn variants(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<Variant>> {
    let Some(node) = fields.get("variants") else {
        return Some(Vec::new());
    };
    let entries = node.map("`variants`", problems)?;
    let arms: Vec<Option<Variant>> = entries
        .iter()
        .map(|(key, share)| {
            let percent = percent(share, &key.text, problems)?;
            Some(Variant { key: key.text.clone(), percent })
        })
        .collect();
    let arms: Vec<Variant> = arms.into_iter().collect::<Option<_>>()?;
    let total: f64 = arms.iter().map(|arm| arm.percent).sum();
    // Shares such as 33.33% and 33.34% add up to 100 but for the last bits.
    if (total - 100.0).abs() > 1e-6 {
        let message = format!("the variants add up to {total}%");
        problems.add(node.place, message, "change them so that they add up to 100%");
        return None;
    }
    Some(arms)
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
    let known = ["when", "rollout", "variant", "payload"];
    let fields = node.fields("a rule", &known, problems)?;
    let when = match fields.get("when") {
        Some(asked) => condition::read(asked, problems),
        None => Some(Draft::everybody()),
    };
    let rollout_percent = match fields.get("rollout") {
        Some(share) => percent(share, "rollout", problems),
        None => Some(100.0),
    };
    let variant = match fields.get("variant") {
        Some(named) => variant(named, arms, problems).map(Some),
        None => Some(None),
    };
    let payload = fields.get("payload").map(|payload| payload.to_json().to_string());
    Some(RuleDraft {
        when: when?,
        aggregation: None,
        rollout_percent: rollout_percent?,
        ends_on_miss: false,
        variant: variant?,
        payload,
    })
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
