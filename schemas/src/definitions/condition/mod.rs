//! A condition as an analyst writes it: one map, whose keys say what is asked.

mod ago;
mod comparison;
mod dates;
mod events;
mod latest;
mod moment;
mod number;
mod regularly;
mod sequence;

use super::draft::{Draft, GroupType};
use super::node::{Node, Yaml};
use super::problem::Problems;
use super::property;

/// The largest number that a count is compared with.
pub const COUNT_MAX: u16 = 1_024;

/// The keys that say which kind of condition a map is.
const KINDS: [&str; 21] = [
    "did",
    "first",
    "last",
    "known",
    "stopped",
    "restarted",
    "regularly",
    "sequence",
    "distinct",
    "sum",
    "average",
    "smallest",
    "largest",
    "latest",
    "person",
    "group",
    "people",
    "cohort",
    "all",
    "any",
    "not",
];

/// The condition that `node` describes; what is wrong in it becomes problems, all of them.
pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    match kind(node, problems)? {
        kind @ ("did" | "distinct" | "sum" | "average" | "smallest" | "largest") => {
            number::read(kind, node, problems)
        }
        kind @ ("first" | "last") => moment::first_or_last(kind, node, problems),
        "known" => moment::known(node, problems),
        "stopped" => moment::stopped(node, problems),
        "restarted" => moment::restarted(node, problems),
        "regularly" => regularly::read(node, problems),
        "latest" => latest::read(node, problems),
        "sequence" => sequence::read(node, problems),
        "person" => {
            let asked =
                node.fields("a `person` condition", &["person"], problems)?.get("person")?;
            let filters = property::read(asked, "`person`", problems)?;
            Some(Draft::All(filters.into_iter().map(Draft::Person).collect()))
        }
        "group" => group(node, problems),
        "people" => people(node, problems),
        "cohort" => {
            let asked =
                node.fields("a `cohort` condition", &["cohort"], problems)?.get("cohort")?;
            let key = match &asked.value {
                // Cohorts of PostHog are named by their ids.
                Yaml::Number(id) => id.to_string(),
                _ => asked.text("`cohort`", problems)?.to_owned(),
            };
            Some(Draft::Cohort { key, at: Some(asked.place) })
        }
        "not" => {
            let asked = node.fields("`not`", &["not"], problems)?.get("not")?;
            Some(read(asked, problems)?.negated_if(true))
        }
        list => {
            let inner = node.fields(&format!("`{list}`"), &[list], problems)?.get(list)?;
            let inner = each(inner, list, problems)?;
            Some(if list == "all" { Draft::All(inner) } else { Draft::Any(inner) })
        }
    }
}

/// What is asked of groups: filters by the type of the group.
fn group(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let asked = node.fields("a `group` condition", &["group"], problems)?.get("group")?;
    let types = asked.map("`group`", problems)?;
    if types.is_empty() {
        let fix = "name one, such as `group: { company: { plan: pro } }`";
        problems.add(asked.place, "`group` names no type of group", fix);
        return None;
    }
    let filters: Vec<Option<Vec<Draft>>> = types
        .iter()
        .map(|(of, asked)| {
            let filters = property::read(asked, &format!("`{}`", of.text), problems)?;
            let of = GroupType::Named(of.text.clone(), of.place);
            Some(filters.into_iter().map(|filter| Draft::Group(of.clone(), filter)).collect())
        })
        .collect();
    let filters: Vec<Vec<Draft>> = filters.into_iter().collect::<Option<_>>()?;
    Some(Draft::All(filters.into_iter().flatten().collect()))
}

/// A list of distinct ids.
fn people(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let asked = node.fields("a `people` condition", &["people"], problems)?.get("people")?;
    let members = asked.list("`people`", problems)?;
    let ids: Vec<Option<String>> = members
        .iter()
        .map(|member| member.text("a distinct id", problems).map(str::to_owned))
        .collect();
    Some(Draft::Listed(ids.into_iter().collect::<Option<_>>()?))
}

fn kind(node: &Node, problems: &mut Problems<'_>) -> Option<&'static str> {
    if let Yaml::List(_) = node.value {
        problems.add(
            node.place,
            "a condition is a map and this is a list",
            "write `all:` or `any:` before the list",
        );
        return None;
    }
    let entries = node.map("a condition", problems)?;
    let mut kinds = KINDS.iter().filter(|kind| entries.iter().any(|(key, _)| key.text == **kind));
    let one = kinds.next();
    if let Some(another) = kinds.next() {
        let message = format!("one condition can't be both `{}` and `{another}`", one?);
        problems.add(node.place, message, "write two conditions under `all:` or `any:`");
        return None;
    }
    if one.is_none() {
        let (place, message) = match entries.first() {
            Some((key, _)) => (key.place, format!("no kind of condition has `{}`", key.text)),
            None => (node.place, "this condition is empty".to_owned()),
        };
        let first = entries.first().map_or("", |(key, _)| key.text.as_str());
        problems.add(place, message, super::problem::suggestion(first, KINDS));
    }
    one.copied()
}

fn each(list: &Node, name: &str, problems: &mut Problems<'_>) -> Option<Vec<Draft>> {
    let members = list.list(&format!("`{name}`"), problems)?;
    if members.is_empty() {
        let message = format!("`{name}` has no condition");
        problems.add(list.place, message, "add at least one, such as `- cohort: hesitating`");
        return None;
    }
    let read: Vec<Option<Draft>> = members.iter().map(|member| read(member, problems)).collect();
    read.into_iter().collect()
}
