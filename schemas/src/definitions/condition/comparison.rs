//! Comparisons as they are written: a sign, then a whole number, a number or a factor.

use super::super::node::{Node, Yaml};
use super::super::problem::{Place, Problems};
use crate::comparison::Comparison;
use crate::decimal::{Decimal, ONE};

/// What the number of events is compared with, up to `most`; at least once, where nothing is
/// said.
pub(super) fn count(
    node: Option<&Node>,
    most: u16,
    problems: &mut Problems<'_>,
) -> Option<(Comparison, u16)> {
    let Some(node) = node else {
        return Some((Comparison::AtLeast, 1));
    };
    let text = signed(node, "count", WHOLE, problems)?;
    let Some((comparison, n)) = Comparison::split(text) else {
        return refuse(node.place, "count", WHOLE, &format!("`{text}`"), problems);
    };
    if factor_of(n).is_some() {
        return refuse_factor(node.place, text, problems);
    }
    let whole = n.bytes().all(|digit| digit.is_ascii_digit()) && !n.is_empty();
    match n.parse::<u64>() {
        Ok(n) if n <= u64::from(most) => {
            always_or_never(node.place, comparison, n, problems)?;
            Some((comparison, n as u16))
        }
        _ if whole => {
            let message = format!("a count of {n} is more than Sluice keeps");
            problems.add(node.place, message, format!("write a number up to {most}"));
            None
        }
        _ => refuse(node.place, "count", WHOLE, &format!("`{text}`"), problems),
    }
}

/// What a sum, a mean or an extreme is compared with.
pub(super) fn number(
    node: &Node,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<(Comparison, Decimal)> {
    let text = signed(node, key, NUMBER, problems)?;
    let Some((comparison, n)) = Comparison::split(text) else {
        return refuse(node.place, key, NUMBER, &format!("`{text}`"), problems);
    };
    match Decimal::parse(n) {
        Some(n) => Some((comparison, n)),
        None if factor_of(n).is_some() => refuse_factor(node.place, text, problems),
        None => refuse(node.place, key, NUMBER, &format!("`{text}`"), problems),
    }
}

/// How many thousandths of another number a number is compared with: `">= 2x"` is twice it.
pub(super) fn factor(
    node: &Node,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<(Comparison, u32)> {
    let text = signed(node, key, FACTOR, problems)?;
    let asked = Comparison::split(text)
        .and_then(|(comparison, factor)| Some((comparison, factor_of(factor)?)));
    let Some((comparison, factor)) = asked else {
        return refuse(node.place, key, FACTOR, &format!("`{text}`"), problems);
    };
    let thousandth = ONE / 1_000;
    let thousandths = u32::try_from(factor.units() / thousandth).unwrap_or(u32::MAX);
    let exact = factor.units() % thousandth == 0;
    if !exact || !(1..=THOUSANDTHS_MAX).contains(&thousandths) {
        let message = format!("`{key}` is compared with `{text}`, which is no factor");
        problems.add(node.place, message, "write one from `0.001x` to `1000x`, three places");
        return None;
    }
    Some((comparison, thousandths))
}

/// The largest factor, in thousandths.
const THOUSANDTHS_MAX: u32 = 1_000_000;

/// What follows a sign, and an example of it.
type Form = (&'static str, &'static str);
const WHOLE: Form = ("a whole number", "3");
const NUMBER: Form = ("a number", "99.5");
const FACTOR: Form = ("a factor of the number that `compared with` names", "2x");

fn factor_of(text: &str) -> Option<Decimal> {
    Decimal::parse(text.strip_suffix('x')?.trim_end())
}

/// The text of a comparison. A bare number doesn't say how to compare.
fn signed<'n>(
    node: &'n Node,
    key: &str,
    form: Form,
    problems: &mut Problems<'_>,
) -> Option<&'n str> {
    match &node.value {
        Yaml::Text(text) => Some(text),
        Yaml::Number(number) => {
            let message = format!("`{key}: {number}` doesn't say how to compare");
            let fix = format!("write `{key}: \">= {number}\"` or `{key}: \"= {number}\"`");
            problems.add(node.place, message, fix);
            None
        }
        _ => refuse(node.place, key, form, node.kind(), problems),
    }
}

fn refuse<T>(
    place: Place,
    key: &str,
    (what, example): Form,
    given: &str,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let message = format!("`{key}` should be a comparison with {what} and is {given}");
    let fix = format!("write it like `\">= {example}\"`, with one of >=, >, <=, <, =, !=");
    problems.add(place, message, fix);
    None
}

fn refuse_factor<T>(place: Place, text: &str, problems: &mut Problems<'_>) -> Option<T> {
    let message = format!("`{text}` is a factor, and there is no number to multiply");
    problems.add(place, message, "add `compared with: { between: [10m, 5m] }`, or drop the x");
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
