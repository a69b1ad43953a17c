//! A condition as an analyst writes it: one map, whose keys say what is asked.

use super::draft::Draft;
use super::node::{Fields, Node, Yaml};
use super::problem::{Place, Problems};
use super::property;
use crate::comparison::Comparison;
use crate::time::parse_length_ms;

/// The largest number that a count is compared with.
pub const COUNT_MAX: u16 = 1_024;

/// The keys that say which kind of condition a map is.
const KINDS: [&str; 7] = ["did", "person", "people", "cohort", "all", "any", "not"];
/// Kinds that have their names and aren't supported yet.
const LATER: [&str; 12] = [
    "sequence",
    "distinct",
    "sum",
    "average",
    "smallest",
    "largest",
    "first",
    "last",
    "regularly",
    "stopped",
    "restarted",
    "same",
];

/// The condition that `node` describes; what is wrong in it becomes problems, all of them.
pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    match kind(node, problems)? {
        "did" => did(node, problems),
        "person" => {
            let asked =
                node.fields("a `person` condition", &["person"], problems)?.get("person")?;
            let filters = property::read(asked, "`person`", problems)?;
            Some(Draft::All(filters.into_iter().map(Draft::Person).collect()))
        }
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
    let later = entries.iter().find(|(key, _)| LATER.contains(&key.text.as_str()));
    if let Some((key, _)) = later {
        let message = format!("`{}` conditions aren't supported yet", key.text);
        problems.add(key.place, message, "count events with `did`, `count` and `within`");
        return None;
    }
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

fn did(node: &Node, problems: &mut Problems<'_>) -> Option<Draft> {
    let known = ["did", "count", "within", "where"];
    let fields = node.fields("a `did` condition", &known, problems)?;
    let event = fields.get("did")?.text("`did`", problems);
    let count = count(&fields, problems);
    let within_ms = within_ms(&fields, problems);
    let filters = match fields.get("where") {
        Some(asked) => property::read(asked, "`where`", problems),
        None => Some(Vec::new()),
    };
    let ((comparison, n), within_ms) = (count?, within_ms?);
    Some(Draft::count(event?, filters?, (comparison, n), within_ms))
}

/// What the number of events is compared with; at least once, where nothing is said.
fn count(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<(Comparison, u16)> {
    let Some(node) = fields.get("count") else {
        return Some((Comparison::AtLeast, 1));
    };
    let text = match &node.value {
        Yaml::Text(text) => text.as_str(),
        Yaml::Number(number) => {
            let message = format!("`count: {number}` doesn't say how to compare");
            let fix = format!("write `count: \">= {number}\"` or `count: \"= {number}\"`");
            problems.add(node.place, message, fix);
            return None;
        }
        _ => return refuse_count(node.place, node.kind(), problems),
    };
    let Some((comparison, n)) = split_comparison(text) else {
        return refuse_count(node.place, &format!("`{text}`"), problems);
    };
    let whole = n.bytes().all(|digit| digit.is_ascii_digit()) && !n.is_empty();
    match n.parse::<u64>() {
        Ok(n) if n <= u64::from(COUNT_MAX) => {
            always_or_never(node.place, comparison, n, problems)?;
            Some((comparison, n as u16))
        }
        _ if whole => {
            let message = format!("a count of {n} is more than Sluice keeps");
            problems.add(node.place, message, format!("write a number up to {COUNT_MAX}"));
            None
        }
        _ => refuse_count(node.place, &format!("`{text}`"), problems),
    }
}

fn refuse_count<T>(place: Place, given: &str, problems: &mut Problems<'_>) -> Option<T> {
    let message = format!("`count` should be a comparison with a whole number and is {given}");
    problems.add(place, message, "write it like `\">= 3\"`, with one of >=, >, <=, <, =, !=");
    None
}

/// A count that holds for everybody, or for nobody, asks nothing: somebody meant another one.
fn always_or_never(
    place: Place,
    comparison: Comparison,
    n: u64,
    problems: &mut Problems<'_>,
) -> Option<()> {
    let (answer, fix) = match (comparison, n) {
        (Comparison::AtLeast, 0) => ("always", "write `\">= 1\"`, or leave `count` out"),
        (Comparison::Less, 0) => ("never", "write `\"= 0\"`"),
        _ => return Some(()),
    };
    problems.add(place, format!("this count holds {answer}"), fix);
    None
}

fn within_ms(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<i64> {
    let node = fields.need("within", "a `did` condition", "within: 5m", problems)?;
    let length = match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Number(number) => number.to_string(),
        _ => node.kind().to_owned(),
    };
    match parse_length_ms(&length) {
        Ok(length_ms) => Some(length_ms),
        Err(error) => {
            let message = format!("`within: {length}` isn't a window");
            problems.add(node.place, message, error.to_string());
            None
        }
    }
}

/// The comparison that `text` begins with, and what follows it.
pub(super) fn split_comparison(text: &str) -> Option<(Comparison, &str)> {
    // The longer signs come first, because the shorter ones begin them.
    let signs = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("!=", Comparison::NotEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
    ];
    let text = text.trim();
    signs.iter().find_map(|(sign, comparison)| {
        text.strip_prefix(sign).map(|rest| (*comparison, rest.trim_start()))
    })
}
