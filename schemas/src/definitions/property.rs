//! What `where` and `person` ask of properties.
//!
//! A plain text, `true` or `false` asks for equality, whatever the letters' case. A number, and a
//! text that begins with `>`, `>=`, `<`, `<=`, `=` or `!=`, compares; `"= red"` and `"!= red"`
//! take a text too. A list asks for one of its members. A map names its tests, and all must hold.
//! A missing property passes only tests that say no: `!=`, `is not`, `does not …`, `not between`,
//! `set: false`.

use super::node::{Key, Node, Yaml};
use super::problem::{Place, Problems, suggestion};
use crate::comparison::Comparison;
use crate::filter::{self, Date, Filter, PropertyMatching};
use crate::time::length_ms;

/// The tests that a map may name.
const TESTS: [&str; 17] = [
    "is",
    "is not",
    "contains",
    "does not contain",
    "starts with",
    "does not start with",
    "ends with",
    "does not end with",
    "matches",
    "does not match",
    "between",
    "not between",
    "before",
    "after",
    "at",
    "version",
    "set",
];

/// The filters that a map from properties to what is asked of them stands for.
pub(super) fn read(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<Vec<Filter>> {
    let entries = node.map(what, problems)?;
    if entries.is_empty() {
        problems.add(node.place, format!("{what} names no property"), "name one, or leave it out");
        return None;
    }
    let filters: Vec<_> =
        entries.iter().map(|(key, asked)| one(&key.text, asked, problems)).collect();
    let filters: Option<Vec<_>> = filters.into_iter().collect();
    Some(filters?.into_iter().flatten().collect())
}

fn one(key: &str, asked: &Node, problems: &mut Problems<'_>) -> Option<Vec<Filter>> {
    match &asked.value {
        Yaml::Map(tests) => {
            let tests: Vec<_> = tests.iter().map(|test| named(key, test, problems)).collect();
            tests.into_iter().collect()
        }
        Yaml::Text(text) => match Comparison::split(text) {
            Some((comparison, right)) => {
                Some(vec![compared(key, comparison, right, asked.place, problems)?])
            }
            None => Some(vec![equal(key, asked, problems)?]),
        },
        Yaml::List(members) => {
            for member in members {
                if let Yaml::Text(text) = &member.value
                    && Comparison::split(text).is_some()
                {
                    let message = format!("a list holds values, and `{text}` is a comparison");
                    let fix = "write two conditions under `any:`, or `is: [...]` for the very text";
                    problems.add(member.place, message, fix);
                    return None;
                }
            }
            Some(vec![equal(key, asked, problems)?])
        }
        _ => Some(vec![equal(key, asked, problems)?]),
    }
}

fn compared(
    key: &str,
    comparison: Comparison,
    right: &str,
    place: Place,
    problems: &mut Problems<'_>,
) -> Option<Filter> {
    match (comparison, right.parse::<f64>()) {
        (_, Ok(number)) if number.is_finite() => Some(Filter::number(key, comparison, number)),
        (Comparison::Equal, _) if !right.is_empty() => {
            Some(Filter::one_of(key, &[right.to_owned()], &[]))
        }
        (Comparison::NotEqual, _) if !right.is_empty() => {
            Some(Filter::one_of(key, &[right.to_owned()], &[]).opposite())
        }
        _ => {
            let message = format!("`{key}` is compared with `{right}`, which isn't a number");
            problems.add(place, message, "write it like `\"> 50\"`; for the very text, `is: ...`");
            None
        }
    }
}

/// Equality with a value, or with one of a list.
fn equal(key: &str, asked: &Node, problems: &mut Problems<'_>) -> Option<Filter> {
    let members = match &asked.value {
        Yaml::List(members) => members.as_slice(),
        _ => std::slice::from_ref(asked),
    };
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for member in members {
        match &member.value {
            Yaml::Text(text) => texts.push(text.clone()),
            Yaml::Bool(truth) => texts.push(truth.to_string()),
            Yaml::Number(number) => numbers.extend(number.as_f64()),
            _ => {
                let message =
                    format!("`{key}` is compared with {}, which is no value", member.kind());
                let fix = "write a text, a number, `true` or `false`; \
                           `set: false` asks for a missing property";
                problems.add(member.place, message, fix);
                return None;
            }
        }
    }
    if texts.is_empty() && numbers.is_empty() {
        problems.add(asked.place, format!("`{key}` has an empty list"), "add a value to the list");
        return None;
    }
    Some(Filter::one_of(key, &texts, &numbers))
}

/// One test of a map, such as `contains: shoe`.
fn named(key: &str, test: &(Key, Node), problems: &mut Problems<'_>) -> Option<Filter> {
    let (name, asked) = test;
    let operator = match name.text.as_str() {
        "is" => return equal(key, asked, problems),
        "is not" => return equal(key, asked, problems).map(Filter::opposite),
        "before" => return dated(key, Comparison::Less, test, problems),
        "after" => return dated(key, Comparison::Greater, test, problems),
        "at" => return dated(key, Comparison::Equal, test, problems),
        "version" => return version(key, asked, problems),
        "set" => match asked.truth("`set`", problems)? {
            true => "is_set",
            false => "is_not_set",
        },
        "contains" => "icontains_multi",
        "does not contain" => "not_icontains_multi",
        "starts with" => "starts_with",
        "does not start with" => "not_starts_with",
        "ends with" => "ends_with",
        "does not end with" => "not_ends_with",
        "matches" => "regex",
        "does not match" => "not_regex",
        "between" => "between",
        "not between" => "not_between",
        wrong => {
            let message = format!("`{wrong}` isn't a test of a property");
            problems.add(name.place, message, suggestion(wrong, TESTS));
            return None;
        }
    };
    check_operand(operator, name, asked, problems)?;
    let filter = Filter::compile(key, operator, &asked.to_json(), PropertyMatching::V2);
    filter.map_err(|fault| problems.add(name.place, fault.message, "use another test")).ok()
}

/// Before, after or at a date; `7d ago` is a date too, but never the very one.
fn dated(
    key: &str,
    comparison: Comparison,
    (name, asked): &(Key, Node),
    problems: &mut Problems<'_>,
) -> Option<Filter> {
    let date = date(&name.text, asked, comparison != Comparison::Equal, problems)?;
    Some(Filter::dated(key, comparison, date))
}

/// A date, by the clock of the project's time zone where it has none of its own; `7d ago` is one
/// where it may move.
pub(super) fn date(
    name: &str,
    asked: &Node,
    may_move: bool,
    problems: &mut Problems<'_>,
) -> Option<Date> {
    let text = asked.text(&format!("`{name}`"), problems)?;
    let date = match text.strip_suffix(" ago").filter(|_| may_move) {
        Some(length) => length_ms(length).map(Date::Ago),
        None => Date::absolute(text),
    };
    if date.is_none() {
        let more = if may_move { ", or `7d ago`" } else { "" };
        let fix = format!("write `2026-01-31`, `2026-01-31 18:00` or `2026-01-31T18:00:00Z`{more}");
        problems.add(asked.place, format!("`{name}: {text}` isn't a date"), fix);
    }
    date
}

/// A version, or those that a comparison, a tilde, a caret or a star takes.
fn version(key: &str, asked: &Node, problems: &mut Problems<'_>) -> Option<Filter> {
    let text = asked.text("`version`", problems)?;
    let (operator, right) = match Comparison::split(text) {
        Some((Comparison::Equal, right)) => ("semver_eq", right),
        Some((Comparison::NotEqual, right)) => ("semver_neq", right),
        Some((Comparison::Greater, right)) => ("semver_gt", right),
        Some((Comparison::AtLeast, right)) => ("semver_gte", right),
        Some((Comparison::Less, right)) => ("semver_lt", right),
        Some((Comparison::AtMost, right)) => ("semver_lte", right),
        None => match text.split_at_checked(1) {
            Some(("~", right)) => ("semver_tilde", right),
            Some(("^", right)) => ("semver_caret", right),
            _ if text.contains('*') => ("semver_wildcard", text),
            _ => ("semver_eq", text),
        },
    };
    let filter = Filter::compile(key, operator, &right.into(), PropertyMatching::V2).ok();
    let filter = filter.filter(|filter| !filter.is_senseless());
    if filter.is_none() {
        let fix = "write it like `1.2.3`, `\">= 1.2\"`, `\"~1.2.3\"`, `\"^1.2\"` or `1.2.*`";
        problems.add(asked.place, format!("`version: {text}` isn't a version"), fix);
    }
    filter
}

fn check_operand(
    operator: &str,
    name: &Key,
    asked: &Node,
    problems: &mut Problems<'_>,
) -> Option<()> {
    let (good, wanted) = match operator {
        "is_set" | "is_not_set" => (true, ""),
        "between" | "not_between" => {
            (is_range(asked), "two numbers, the smaller first, such as `[10, 20]`")
        }
        "icontains_multi" | "not_icontains_multi" => {
            (is_text(asked) || is_texts(asked), "a text or a list of texts")
        }
        "regex" | "not_regex" => {
            let good = matches!(&asked.value, Yaml::Text(text) if filter::regex(text).is_some());
            (good, "a regular expression, with `\\` before ( ) [ ] . that stand for themselves")
        }
        _ => (is_text(asked), "a text"),
    };
    if !good {
        let message = format!("`{}` isn't followed by what it needs", name.text);
        problems.add(asked.place, message, format!("write {wanted}"));
        return None;
    }
    Some(())
}

fn is_text(node: &Node) -> bool {
    matches!(&node.value, Yaml::Text(text) if !text.is_empty())
}

fn is_texts(node: &Node) -> bool {
    matches!(&node.value, Yaml::List(members) if !members.is_empty() && members.iter().all(is_text))
}

fn is_range(node: &Node) -> bool {
    let Yaml::List(bounds) = &node.value else {
        return false;
    };
    match bounds.iter().map(|bound| &bound.value).collect::<Vec<_>>().as_slice() {
        [Yaml::Number(low), Yaml::Number(high)] => low.as_f64() <= high.as_f64(),
        _ => false,
    }
}
