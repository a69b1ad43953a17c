//! Conditions that are refused, kind by kind: the whole message, with its place and its fix.

use serde_json::json;

use super::{all_of, shop};
use crate::definitions::Problem;

/// Checks every problem of a cohort whose condition stands on line 1 from column 12 on.
pub(super) fn check(rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        let text = format!("members: {{ {text} }}");
        let problems = shop(&[("cohorts/x.yaml", &text)]).expect_err(&text);
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        let expected: Vec<String> =
            expected.iter().map(|said| format!("shop/cohorts/x.yaml:1:{said}")).collect();
        assert_eq!(problems, expected, "{text}");
    }
}

const LENGTH: &str = "a length is a whole number and one of s, m, h, d, w, such as `30s` or `5m`";

#[test]
fn all_mistakes_of_a_condition_are_told_together() {
    check(&[(
        "did: 7, where: { p: '> x' }, count: often, within: soon",
        &[
            "17: `did` should be a text and is a number (fix: put it in quotes: \"7\")",
            "32: `p` is compared with `x`, which isn't a number \
             (fix: write it like `\"> 50\"`; for the very text, `is: ...`)",
            "48: `count` should be a comparison with a whole number and is `often` \
             (fix: write it like `\">= 3\"`, with one of >=, >, <=, <, =, !=)",
            &format!("63: `within: soon` isn't a window (fix: {LENGTH})"),
        ],
    )]);
}

/// The largest and the smallest that may be asked are in; the next ones are refused.
#[test]
fn bounds_are_in() {
    let asked = |text: &str| shop(&[("cohorts/x.yaml", &format!("members: {{ {text} }}"))]).is_ok();
    for (inside, outside) in [
        ("did: a, within: 1d, count: '>= 1024'", "did: a, within: 1d, count: '>= 1025'"),
        ("did: a, between: [2h, 1h]", "did: a, between: [1h, 1h]"),
        ("did: a, between: [1986m, 1985m]", "did: a, between: [1987m, 1986m]"),
        (
            "did: a, within: 1d, count: '>= 1000x', compared with: { did: b }",
            "did: a, within: 1d, count: '>= 1000.001x', compared with: { did: b }",
        ),
        (
            "did: a, within: 1d, count: '>= 0.001x', compared with: { did: b }",
            "did: a, within: 1d, count: '>= 1.0005x', compared with: { did: b }",
        ),
        (
            "latest: p, of: a, is: x, nth: 256, within: 1d",
            "latest: p, of: a, is: x, nth: 257, within: 1d",
        ),
        (
            "latest: p, of: a, is: x, nth: 1, within: 1d",
            "latest: p, of: a, is: x, nth: 0, within: 1d",
        ),
        (
            "sequence: [ { did: a }, { did: b, after: [1m, 1m] } ], within: 1d",
            "sequence: [ { did: a }, { did: b, after: [2m, 1m] } ], within: 1d",
        ),
        ("stopped: a, within: 8d, quiet: 7d", "stopped: a, within: 7d, quiet: 8d"),
        (
            "regularly: a, at least: 1, of last: 58 weeks",
            "regularly: a, at least: 1, of last: 59 weeks",
        ),
    ] {
        assert!(asked(inside), "{inside}");
        assert!(!asked(outside), "{outside}");
    }
}

#[test]
fn a_group_is_asked_by_its_type() {
    check(&[
        (
            "group: {}",
            &["19: `group` names no type of group \
               (fix: name one, such as `group: { company: { plan: pro } }`)"],
        ),
        (
            "group: { company: {} }",
            &["30: `company` names no property (fix: name one, or leave it out)"],
        ),
        ("group: acme", &["19: `group` should be a map and is a text (fix: write a map)"]),
    ]);
    // Where the types are known, one that isn't among them is a mistake, in PostHog's too.
    let project = ("project.yaml", "token: phc_shop\ngroup_types: [team]\n");
    let posthog = json!({ "flags": [], "group_type_mapping": { "0": "company" } }).to_string();
    let cohort = |of: &str| format!("members: {{ not: {{ group: {{ {of}: {{ plan: pro }} }} }} }}");
    for (of, fix) in
        [("company", None), ("team", None), ("compny", Some("did you mean `company`?"))]
    {
        let cohort = cohort(of);
        let files = [project, ("posthog.json", posthog.as_str()), ("cohorts/x.yaml", &cohort)];
        let said = all_of(&files).map(|_| ());
        let said = said.map_err(|problems| problems[0].to_string());
        let expected = fix.map(|fix| {
            format!(
                "shop/cohorts/x.yaml:1:28: the project has no groups of type `{of}` (fix: {fix})"
            )
        });
        assert_eq!(said.err(), expected, "{of}");
    }
}

#[test]
fn a_range_is_two_lengths() {
    let two = "`between` should be two lengths of time \
               (fix: write them like `[10m, 5m]`, the older end first)";
    check(&[
        (
            "did: a, within: 5m, between: [10m, 5m]",
            &["41: a `did` condition can't have both `within` and `between` \
               (fix: keep one of them)"],
        ),
        ("did: a, between: 5m", &[&format!("29: {two}")]),
        ("did: a, between: [5m]", &[&format!("29: {two}")]),
        (
            "did: a, between: [5m, 10m]",
            &["29: `between` ends before it begins \
               (fix: write the older end first: `[10m, 5m]`)"],
        ),
        (
            "did: a, between: [x, 0s]",
            &[
                &format!("30: `between: x` isn't a window (fix: {LENGTH})"),
                "33: `between: 0s` isn't a window (fix: a window is between 1s and 400d long)",
            ],
        ),
        (
            "did: a, between: [400d, 399d], count: '>= 6'",
            &["10: this may take 4824 entries of one person, and 4096 are kept: up to 12 of each \
               1d since 400d ago (fix: write a lower number, a longer time, or one that began \
               less long ago)"],
        ),
    ]);
}

#[test]
fn a_moment_is_told_once() {
    let age = "(fix: write it like `\">= 30d\"` or `\"<= 7d\"`)";
    check(&[
        ("first: a", &["10: a `first` condition needs `within` (fix: add `within: 5m`)"]),
        (
            "last: a, ago: '>= 1d', within: 1d",
            &["43: a `last` condition says twice when it was \
               (fix: keep one of `within`, `between` and `ago`, or the dates)"],
        ),
        (
            "first: a, before: 2026-02-01, between: [2d, 1d]",
            &["51: a `first` condition says twice when it was \
               (fix: keep one of `within`, `between` and `ago`, or the dates)"],
        ),
        (
            "first: a, after: 7d ago",
            &["29: `after: 7d ago` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
               `2026-01-31T18:00:00Z`)"],
        ),
        (
            "known: { at: 2026-02-01 }",
            &[
                "19: `known` should have a date \
               (fix: write `{ before: 2026-01-31 }`, `{ after: 2026-01-31 }` or both dates)",
                "21: `known` has no `at` (fix: did you mean `after`?)",
            ],
        ),
        ("last: a, ago: 1d", &[&format!("26: `ago: 1d` doesn't say how long ago {age}")]),
        ("last: a, ago: '> 1d'", &[&format!("26: `ago: > 1d` doesn't say how long ago {age}")]),
        (
            "first: a, ago: '>= 500d'",
            &["27: `ago: >= 500d` isn't a length of time \
               (fix: a window is between 1s and 400d long)"],
        ),
        ("known: 7", &[&format!("19: `known: 7` doesn't say how long ago {age}")]),
        (
            "first: a, count: '>= 2', within: 1d",
            &["22: a `first` condition has no `count` \
               (fix: one of `first`, `where`, `within`, `between`, `ago`, `after`, `before`)"],
        ),
        (
            "stopped: a, within: 7d, quiet: 7d",
            &["43: nobody did it within that time and was quiet for all of it \
               (fix: write a `within` that is longer than `quiet`)"],
        ),
        (
            "stopped: a",
            &[
                "10: a `stopped` condition needs `within` (fix: add `within: 5m`)",
                "10: a `stopped` condition needs `quiet` (fix: add `quiet: 7d`)",
            ],
        ),
        (
            "restarted: a, quiet: 7d",
            &["33: `quiet` should be two lengths of time \
               (fix: write them like `[10m, 5m]`, the older end first)"],
        ),
    ]);
}

#[test]
fn periods_are_counted() {
    let periods = "`of last` should be a number of hours, days or weeks \
                   (fix: write it like `24 hours`, `7 days` or `4 weeks`)";
    let least = "`at least` should be a whole number of periods (fix: write it like `at least: 3`)";
    check(&[
        ("regularly: a, at least: 3, of last: 7", &[&format!("48: {periods}")]),
        ("regularly: a, at least: 3, of last: 7 months", &[&format!("48: {periods}")]),
        (
            "regularly: a, at least: 0, of last: 0 days",
            &[&format!("36: {least}"), &format!("48: {periods}")],
        ),
        (
            "regularly: a, at least: 8, of last: 7 days",
            &["36: there are no 8 periods in the last 7 (fix: write a number from 1 to 7)"],
        ),
        (
            "regularly: a, at least: 8, of last: 500 days",
            &["48: 500 periods reach back further than 400 days (fix: write a lower number, a \
               longer time, or one that began less long ago)"],
        ),
        (
            "regularly: a, at least: 8, of last: 2000 hours",
            &["48: this may take 8012 entries of one person, and 4096 are kept: up to 2 of each \
               30m since 2001h ago (fix: write a lower number, a longer time, or one that began \
               less long ago)"],
        ),
    ]);
}

#[test]
fn a_summary_is_compared_with_a_number() {
    let how = "with one of >=, >, <=, <, =, !=)";
    check(&[
        (
            "sum: price, is: '> 1', within: 1d",
            &["10: a `sum` condition needs `of` (fix: add `of: purchase`)"],
        ),
        (
            "sum: price, of: a, within: 1d",
            &["10: a `sum` condition needs `is` (fix: add `is: \"> 100\"`)"],
        ),
        (
            "sum: price, of: a, within: 1d, is: 100",
            &["47: `is: 100` doesn't say how to compare \
               (fix: write `is: \">= 100\"` or `is: \"= 100\"`)"],
        ),
        (
            "sum: price, of: a, within: 1d, is: '> 100000000000000000'",
            &[&format!(
                "47: `is` should be a comparison with a number and is `> 100000000000000000` \
                 (fix: write it like `\">= 99.5\"`, {how}"
            )],
        ),
        (
            "sum: price, of: a, within: 1d, count: '> 1', is: '> 1'",
            &["43: a `sum` condition has no `count` (fix: one of `sum`, `of`, `where`, `is`, \
               `within`, `between`, `after`, `before`, `compared with`)"],
        ),
        (
            "distinct: p, of: a, within: 1d, count: '>= 257'",
            &["51: a count of 257 is more than Sluice keeps (fix: write a number up to 256)"],
        ),
        (
            "latest: p, of: a, within: 1d, is: { contains: x, set: true }, nth: 0",
            &[
                "46: `is` asks 2 things of one value (fix: write one test; two `latest` \
                 conditions under `all:` ask two)",
                "79: `nth` should say which value, counted from the newest \
                 (fix: write a number from 1, the newest, to 256)",
            ],
        ),
    ]);
}

#[test]
fn a_factor_needs_another_number() {
    let factor = "a factor of the number that `compared with` names";
    let how = "(fix: write it like `\">= 2x\"`, with one of >=, >, <=, <, =, !=)";
    check(&[
        (
            "did: a, within: 1d, count: '>= 2x'",
            &["39: `>= 2x` is a factor, and there is no number to multiply \
               (fix: add `compared with: { between: [10m, 5m] }`, or drop the x)"],
        ),
        (
            "sum: p, of: a, within: 1d, is: '>= 2x'",
            &["43: `>= 2x` is a factor, and there is no number to multiply \
               (fix: add `compared with: { between: [10m, 5m] }`, or drop the x)"],
        ),
        (
            "did: a, within: 1d, count: '>= 2', compared with: { did: b }",
            &[&format!("39: `count` should be a comparison with {factor} and is `>= 2` {how}")],
        ),
        (
            "did: a, within: 1d, compared with: { did: b }",
            &["10: a `did` condition needs `count` (fix: add `count: \"> 1x\"`)"],
        ),
        (
            "did: a, within: 1d, count: '> 0.0001x', compared with: { did: b }",
            &["39: `count` is compared with `> 0.0001x`, which is no factor \
               (fix: write one from `0.001x` to `1000x`, three places)"],
        ),
        (
            "did: a, within: 1d, count: '> 1x', compared with: {}",
            &["62: `compared with` names no other number \
               (fix: name an event, or another time: `{ between: [10m, 5m] }`)"],
        ),
        (
            "did: a, within: 1d, count: '> 1x', compared with: { did: b, count: '> 1' }",
            &["72: `compared with` has no `count` \
               (fix: one of `where`, `within`, `between`, `after`, `before`, `did`)"],
        ),
    ]);
}

#[test]
fn steps_come_in_order() {
    let after = "`after` doesn't say how long after the step before \
                 (fix: write it like `\"<= 1m\"`, `\">= 10s\"` or `[10s, 1m]`, from 1s to 400d)";
    let first = |key| {
        format!(
            "there is no step before the first that `{key}` could speak of \
             (fix: move it to a later step)"
        )
    };
    check(&[
        (
            "sequence: [ { did: a } ]",
            &[
                "10: a `sequence` condition needs `within` (fix: add `within: 5m`)",
                "22: a sequence has 2 to 5 steps, and this has 1 \
                 (fix: write steps like `- { did: product viewed }`)",
            ],
        ),
        (
            "within: 1m, sequence: [ { did: a, after: '<= 1m' }, { did: b } ]",
            &[&format!("53: {}", first("after"))],
        ),
        (
            "within: 1m, sequence: [ { did: a, without: { did: b } }, { did: b } ]",
            &[&format!("55: {}", first("without"))],
        ),
        (
            "within: 1m, sequence: [ { did: a }, { did: b, after: 1m }, \
             { did: c, after: [2m, 1m] } ]",
            &[&format!("65: {after}"), &format!("88: {after}")],
        ),
        (
            "within: 1m, without: { did: x }, \
             sequence: [ { did: a }, { did: b, without: { did: y } } ]",
            &["88: `without` stands at the step and at the whole sequence \
               (fix: keep the one at the steps, or that of the whole)"],
        ),
        (
            "within: 1m, unfinished: maybe, same: 5, without: { event: x }, \
             sequence: [ { did: a, count: '> 1' }, { event: b } ]",
            &[
                "36: `unfinished` should be `true` or `false` and is a text \
                 (fix: write `true` or `false`)",
                "49: `same` should be a text and is a number (fix: put it in quotes: \"5\")",
                "61: `without` needs `did` (fix: add `did: purchase`)",
                "63: `without` has no `event` (fix: one of `did`, `where`)",
                "97: a step has no `count` (fix: one of `did`, `where`, `after`, `without`)",
                "113: a step needs `did` (fix: add `did: purchase`)",
                "115: a step has no `event` (fix: one of `did`, `where`, `after`, `without`)",
            ],
        ),
    ]);
}
