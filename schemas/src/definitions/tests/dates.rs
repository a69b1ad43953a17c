//! Dates in the place of windows: what they compile to, and what is refused.

use super::conditions::check;
use super::refused_conditions::check as refused;
use super::{shop, the_project};

#[test]
fn dates_take_the_place_of_a_window() {
    let january = "after 2026-01-01T00:00:00Z, until 2026-01-31T23:59:59.999Z";
    let dates = "after: 2026-01-01, before: 2026-02-01";
    check(&[
        (
            "did: a, after: '2026-01-01 18:00'",
            "count a{newest 1 for ever, after 2026-01-01T18:00:00Z} in ever..0 >= 1",
        ),
        (
            "did: a, before: 2026-02-01, count: '< 3'",
            "count a{newest 3 for ever, until 2026-01-31T23:59:59.999Z} in ever..0 < 3",
        ),
        (
            &format!("sum: p, of: a, is: '> 1', {dates}"),
            &format!("sum a#p{{numbers 256 for ever, {january}}} in ever..0 > 1"),
        ),
        (
            &format!("did: a, within: 5m, count: '> 1x', compared with: {{ {dates} }}"),
            &format!(
                "count a{{newest 256 for 5m}} in 5m..0 > 1000‰ of \
                 count a{{newest 256 for ever, {january}}} in ever..0"
            ),
        ),
        (
            "did: a, after: 2026-01-01, count: '> 1x', compared with: { did: b }",
            "count a{newest 256 for ever, after 2026-01-01T00:00:00Z} in ever..0 > 1000‰ of \
             count b{newest 256 for ever, after 2026-01-01T00:00:00Z} in ever..0",
        ),
        (
            &format!("latest: c, of: a, is: x, {dates}"),
            &format!(
                "latest 1 of a?[\"c\",true,[\"one_of\",[\"x\"],[]]]\
                 {{values 1 for ever, {january}}} in ever..0"
            ),
        ),
        (
            &format!("sequence: [ {{ did: a }}, {{ did: b, without: {{ did: x }} }} ], {dates}"),
            &format!(
                "a{{newest 256 for ever, {january}}} → b{{newest 256 for ever, {january}}} \
                 without x{{newest 256 for ever, {january}}} in ever..0"
            ),
        ),
        (
            &format!("first: a, {dates}"),
            "(when a{earliest 1 for ever} after 2026-01-01T00:00:00 and \
             when a{earliest 1 for ever} before 2026-02-01T00:00:00)",
        ),
        (
            &format!("known: {{ {dates} }}"),
            "(when <any>{earliest 1 for ever} after 2026-01-01T00:00:00 and \
             when <any>{earliest 1 for ever} before 2026-02-01T00:00:00)",
        ),
    ]);
}

/// What happened before a date is told apart when it is asked for, and what happened after one
/// mustn't push it out.
#[test]
fn conditions_that_begin_at_dates_share_what_is_kept() {
    let matchers = |conditions: &str| {
        let text = format!("members: {{ all: [ {conditions} ] }}");
        let compiled = shop(&[("cohorts/x.yaml", &text)]).expect("definitions");
        the_project(&compiled).matchers.len()
    };
    assert_eq!(matchers("{ did: a, after: 2026-01-01 }, { did: a, within: 5m }"), 1);
    assert_eq!(matchers("{ did: a, before: 2026-01-01 }, { did: a, within: 5m }"), 2);
    let alike = "{ did: a, before: 2026-01-01 }, { did: a, before: 2026-01-01T00:00:00Z }";
    assert_eq!(matchers(alike), 1);
    assert_eq!(matchers(&alike.replace("01T", "02T")), 2);
}

#[test]
fn dates_stand_alone_and_in_order() {
    let order = "nothing lies `after` the one date and `before` the other \
                 (fix: write the earlier date under `after`)";
    let twice = "says twice when it was (fix: keep the dates, or the time back from now)";
    refused(&[
        ("did: a, after: 2026-01-01, within: 5m", &[&format!("47: a `did` condition {twice}")]),
        (
            "sum: p, of: a, is: '> 1', before: 2026-01-01, between: [10m, 5m]",
            &[&format!("67: a `sum` condition {twice}")],
        ),
        (
            "sequence: [ { did: a }, { did: b } ], within: 1d, after: 2026-01-01",
            &[&format!("58: a `sequence` condition {twice}")],
        ),
        ("did: a, after: 2026-01-01, before: 2026-01-01", &[&format!("47: {order}")]),
        ("first: a, before: 2026-01-01, after: 2026-02-01", &[&format!("30: {order}")]),
        ("known: { after: 2026-02-01, before: 2026-01-01 }", &[&format!("48: {order}")]),
        (
            "latest: c, of: a, is: x, before: soon",
            &["45: `before: soon` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
               `2026-01-31T18:00:00Z`)"],
        ),
        (
            "did: a, within: 1d, compared with: { after: 7d ago }, count: '> 1x'",
            &["56: `after: 7d ago` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
               `2026-01-31T18:00:00Z`)"],
        ),
    ]);
}
