//! `after` and `before`: dates that events lie between, in place of a window.

use super::super::dates::{Dates, Stretch};
use super::super::node::Fields;
use super::super::problem::Problems;
use super::super::property;
use super::ago;

/// The dates that are said, if any.
pub(super) fn read(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Dates> {
    let mut date = |key| match fields.get(key) {
        Some(node) => property::date(key, node, false, problems).map(Some),
        None => Some(None),
    };
    let (after, before) = (date("after"), date("before"));
    let dates = Dates { after: after?, before: before? };
    if dates.are_nothing() {
        let place = fields.get("before").map_or(Default::default(), |node| node.place);
        let message = "nothing lies `after` the one date and `before` the other";
        problems.add(place, message, "write the earlier date under `after`");
        return None;
    }
    Some(dates)
}

/// When events happened, which a condition has to say: between dates, or in a window.
pub(super) fn stretch(
    fields: &Fields<'_>,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<Stretch> {
    if fields.get("after").or(fields.get("before")).is_none() {
        return ago::window(fields, what, problems).map(Stretch::from);
    }
    if let Some(node) = fields.get("within").or(fields.get("between")) {
        let message = format!("{what} says twice when it was");
        problems.add(node.place, message, "keep the dates, or the time back from now");
        return None;
    }
    read(fields, problems).map(Stretch::from)
}
