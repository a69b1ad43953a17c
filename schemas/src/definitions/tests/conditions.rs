//! Conditions as they are written, and what they compile to.

use super::aloud::aloud;
use super::{shop, the_project};

/// Each row: the condition in YAML, then read aloud.
pub(super) fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let text = format!("members: {{ {text} }}");
        let compiled = shop(&[("cohorts/x.yaml", &text)]);
        let compiled = compiled.unwrap_or_else(|problems| panic!("{text}: {problems:#?}"));
        let project = the_project(&compiled);
        assert_eq!(aloud(project, &project.cohorts[0].members), *expected, "{text}");
    }
}

#[test]
fn counts_end_now_or_in_the_past() {
    check(&[
        ("did: a, within: 5m", "count a{newest 1 for 5m} in 5m..0 >= 1"),
        ("did: a, within: 5m, count: '= 3'", "count a{newest 4 for 5m} in 5m..0 = 3"),
        (
            "did: a, between: [10m, 5m], count: '< 3', where: { p: 1 }",
            "count a[p]{each 5m 3 for 10m} in 10m..5m < 3",
        ),
        (
            "did: a, between: [400d, 1d], count: '>= 682'",
            "count a{each 399d 682 for 400d} in 400d..1d >= 682",
        ),
    ]);
}

#[test]
fn moments_are_the_first_and_the_last() {
    check(&[
        ("first: a, within: 7d", "when a{earliest 1 for ever} in 7d..0"),
        ("first: a, between: [2d, 1d]", "when a{earliest 1 for ever} in 2d..1d"),
        ("first: a, ago: '>= 30d'", "when a{earliest 1 for ever} in ever..30d"),
        ("first: a, ago: '<= 30d'", "when a{earliest 1 for ever} in 30d..0"),
        ("last: a, ago: '>= 30d', where: { p: x }", "when a[p]{newest 1 for ever} in ever..30d"),
        ("last: a, ago: '<= 30d'", "when a{newest 1 for 30d} in 30d..0"),
        ("last: a, between: [3d, 1d]", "when a{newest 1 for 3d} in 3d..1d"),
        ("first: a, before: 2026-02-01", "when a{earliest 1 for ever} before 2026-02-01T00:00:00"),
        (
            "first: a, after: '2026-02-01 18:00'",
            "when a{earliest 1 for ever} after 2026-02-01T18:00:00",
        ),
        (
            "last: a, before: 2026-02-01T18:00:00+01:00",
            "when a{newest 1 for ever} before 2026-02-01T17:00:00Z",
        ),
        (
            "known: { before: 2026-02-01 }",
            "when <any>{earliest 1 for ever} before 2026-02-01T00:00:00",
        ),
        (
            "known: { after: 2026-02-01 }",
            "when <any>{earliest 1 for ever} after 2026-02-01T00:00:00",
        ),
        ("known: '>= 7d'", "when <any>{earliest 1 for ever} in ever..7d"),
        ("known: '<= 1h'", "when <any>{earliest 1 for ever} in 1h..0"),
        ("stopped: a, within: 30d, quiet: 7d", "when a{newest 1 for 30d} in 30d..7d"),
        (
            "restarted: a, quiet: [30d, 1d]",
            "(when a{earliest 1 for ever} in ever..30d \
             and count a{each 29d 1 for 30d} in 30d..1d = 0 \
             and count a{newest 1 for 1d} in 1d..0 >= 1)",
        ),
    ]);
}

#[test]
fn regularity_is_asked_of_calendar_periods() {
    check(&[
        ("regularly: a, at least: 3, of last: 7 days", "a{each 20h 1 for 8d} in 3 of 7 days"),
        ("regularly: a, at least: 1, of last: 1 hour", "a{each 30m 1 for 2h} in 1 of 1 hours"),
        (
            "regularly: a, at least: 4, of last: 4 weeks, where: { p: x }",
            "a[p]{each 6d 1 for 29d} in 4 of 4 weeks",
        ),
        (
            "regularly: a, at least: 400, of last: 400 days",
            "a{each 20h 1 for 401d} in 400 of 400 days",
        ),
    ]);
}

#[test]
fn summaries_keep_values() {
    check(&[
        (
            "distinct: p, of: a, count: '>= 5', within: 10m",
            "distinct a.p{values 256 for 10m} in 10m..0 >= 5",
        ),
        (
            "sum: price, of: a, is: '> 99.5', within: 1d",
            "sum a#price{numbers 256 for 1d} in 1d..0 > 99.5",
        ),
        (
            "average: price, of: a, is: '<= -2', between: [2d, 1d], where: { p: x }",
            "average a[p]#price{numbers 256 for 2d} in 2d..1d <= -2",
        ),
        (
            "smallest: price, of: a, is: '= 0', within: 1h",
            "smallest a#price{numbers 256 for 1h} in 1h..0 = 0",
        ),
        (
            "largest: price, of: a, is: '!= 1e3', within: 1h",
            "largest a#price{numbers 256 for 1h} in 1h..0 != 1000",
        ),
        (
            "latest: category, of: a, is: shoes, within: 1h",
            "latest 1 of a?[\"category\",true,[\"one_of\",[\"shoes\"],[]]]{values 1 for 1h} \
             in 1h..0",
        ),
        (
            "latest: price, of: a, is: '> 5', nth: 2, within: 1h, where: { p: x }",
            "latest 2 of a[p]?[\"price\",true,[\"compared\",\"Greater\",[\"5.0\"]]]\
             {values 2 for 1h} in 1h..0",
        ),
    ]);
}

#[test]
fn a_number_is_compared_with_another() {
    check(&[
        (
            "did: a, within: 5m, count: '>= 2x', compared with: { between: [10m, 5m] }",
            "count a{newest 256 for 10m} in 5m..0 >= 2000‰ of \
             count a{newest 256 for 10m} in 10m..5m",
        ),
        (
            "did: a, within: 1h, count: '> 1x', compared with: { did: b }",
            "count a{newest 256 for 1h} in 1h..0 > 1000‰ of count b{newest 256 for 1h} in 1h..0",
        ),
        (
            "did: a, where: { p: x }, within: 1h, count: '< 0.5x', \
             compared with: { where: { q: x } }",
            "count a[p]{newest 256 for 1h} in 1h..0 < 500‰ of \
             count a[q]{newest 256 for 1h} in 1h..0",
        ),
        (
            "did: a, where: { p: x }, within: 1h, count: '= 1x', \
             compared with: { did: b, within: 1d }",
            "count a[p]{newest 256 for 1h} in 1h..0 = 1000‰ of count b{newest 256 for 1d} in 1d..0",
        ),
        (
            "sum: p, of: a, within: 1h, is: '> 1.5x', compared with: { largest: q, of: b }",
            "sum a#p{numbers 256 for 1h} in 1h..0 > 1500‰ of \
             largest b#q{numbers 256 for 1h} in 1h..0",
        ),
        (
            "distinct: p, of: a, within: 1h, count: '!= 1x', compared with: { did: a }",
            "distinct a.p{values 256 for 1h} in 1h..0 != 1000‰ of \
             count a{newest 256 for 1h} in 1h..0",
        ),
    ]);
}

#[test]
fn sequences_have_an_order() {
    check(&[
        (
            "sequence: [ { did: a }, { did: b } ], within: 10m",
            "a{newest 256 for 10m} → b{newest 256 for 10m} in 10m..0",
        ),
        (
            "sequence: [ { did: a, where: { q: x } }, { did: b, after: '<= 1m' }, \
             { did: c, after: [1s, 1h] }, { did: d, after: '>= 5s' }, { did: e } ], \
             within: 1d, same: p",
            "a[q].p{values 256 for 1d} → b.p{values 256 for 1d} after 0..1m → \
             c.p{values 256 for 1d} after 1s..1h → d.p{values 256 for 1d} after 5s..ever → \
             e.p{values 256 for 1d} in 1d..0 same",
        ),
        (
            "sequence: [ { did: a }, { did: b, without: { did: x } }, { did: c } ], within: 1m",
            "a{newest 256 for 1m} → b{newest 256 for 1m} without x{newest 256 for 1m} → \
             c{newest 256 for 1m} in 1m..0",
        ),
        (
            "sequence: [ { did: a }, { did: b } ], within: 1m, same: p, \
             without: { did: x, where: { q: 1 } }",
            "a.p{values 256 for 1m} → b.p{values 256 for 1m} without x[q]{newest 256 for 1m} \
             in 1m..0 same",
        ),
    ]);
}

#[test]
fn an_unfinished_sequence_is_all_but_its_last_step() {
    let (a, b, c) = ("a{newest 256 for 1m}", "b{newest 256 for 1m}", "c{newest 256 for 1m}");
    check(&[
        (
            "sequence: [ { did: a }, { did: b } ], within: 1m, unfinished: true",
            &format!("(count {a} in 1m..0 >= 1 and not {a} → {b} in 1m..0)"),
        ),
        (
            "sequence: [ { did: a }, { did: b }, { did: c } ], within: 1m, unfinished: true",
            &format!("({a} → {b} in 1m..0 and not {a} → {b} → {c} in 1m..0)"),
        ),
        (
            "sequence: [ { did: a }, { did: b } ], within: 1m, unfinished: false",
            &format!("{a} → {b} in 1m..0"),
        ),
    ]);
}
