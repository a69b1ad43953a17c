//! Two of the three kinds of YAML files: a project and a cohort.

use super::draft::CohortDraft;
use super::example;
use super::node::{self, Fields, Node, Yaml};
use super::problem::{Place, Problems};
use super::{carried, condition};
use crate::filter::PropertyMatching;

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

/// The file's `description`.
pub(super) fn description(
    fields: &Fields<'_>,
    problems: &mut Problems<'_>,
) -> Option<Option<String>> {
    match fields.get("description") {
        Some(node) => Some(Some(node.text("`description`", problems)?.to_owned())),
        None => Some(None),
    }
}
