//! When events happened: `within`, `between` and `ago`, all counted back from now.

use super::super::node::{Fields, Node, Yaml};
use super::super::problem::Problems;
use crate::behaviour::Ago;
use crate::comparison::Comparison;
use crate::time::parse_length_ms;
use crate::window::FOREVER_MS;

/// The window that a condition has to have: `within: 5m` or `between: [10m, 5m]`.
pub(super) fn window(fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<Ago> {
    match (fields.get("within"), fields.get("between")) {
        (Some(_), Some(node)) => {
            let message = format!("{what} can't have both `within` and `between`");
            problems.add(node.place, message, "keep one of them");
            None
        }
        (None, Some(node)) => range(node, "between", problems),
        _ => within(fields, what, problems).map(Ago::within),
    }
}

/// The window of a condition that only knows `within`.
pub(super) fn within(fields: &Fields<'_>, what: &str, problems: &mut Problems<'_>) -> Option<i64> {
    let node = fields.need("within", what, "within: 5m", problems)?;
    length(node, "within", problems)
}

/// A length of time, in milliseconds.
pub(super) fn length(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<i64> {
    let given = text_of(node);
    match parse_length_ms(&given) {
        Ok(length_ms) => Some(length_ms),
        Err(error) => {
            let message = format!("`{key}: {given}` isn't a window");
            problems.add(node.place, message, error.to_string());
            None
        }
    }
}

/// A range of time that has ended: `[10m, 5m]` is from ten minutes ago until five minutes ago.
pub(super) fn range(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<Ago> {
    if let Yaml::List(ends) = &node.value
        && let [from, until] = ends.as_slice()
    {
        let (from_ms, until_ms) = (length(from, key, problems), length(until, key, problems));
        let (from_ms, until_ms) = (from_ms?, until_ms?);
        if from_ms > until_ms {
            return Some(Ago { from_ms, until_ms });
        }
        let message = format!("`{key}` ends before it begins");
        let fix = format!("write the older end first: `[{}, {}]`", text_of(until), text_of(from));
        problems.add(node.place, message, fix);
        return None;
    }
    let message = format!("`{key}` should be two lengths of time");
    problems.add(node.place, message, "write them like `[10m, 5m]`, the older end first");
    None
}

/// An age: `">= 30d"` is 30 days ago or longer, `"<= 7d"` is within the last 7 days.
pub(super) fn age(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<Ago> {
    let given = text_of(node);
    let asked = Comparison::split(&given).and_then(|(comparison, length)| {
        let comparison = matches!(comparison, Comparison::AtLeast | Comparison::AtMost)
            .then_some(comparison == Comparison::AtLeast)?;
        Some((comparison, length.to_owned()))
    });
    let Some((at_least, length)) = asked else {
        let message = format!("`{key}: {given}` doesn't say how long ago");
        problems.add(node.place, message, "write it like `\">= 30d\"` or `\"<= 7d\"`");
        return None;
    };
    match parse_length_ms(&length) {
        Ok(until_ms) if at_least => Some(Ago { from_ms: FOREVER_MS, until_ms }),
        Ok(from_ms) => Some(Ago::within(from_ms)),
        Err(error) => {
            let message = format!("`{key}: {given}` isn't a length of time");
            problems.add(node.place, message, error.to_string());
            None
        }
    }
}

fn text_of(node: &Node) -> String {
    match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Number(number) => number.to_string(),
        _ => node.kind().to_owned(),
    }
}
