//! Definitions that are refused: the whole message, with its place and its fix.

use super::{compile_all, shop, source};
use crate::catalog::Registry;
use crate::definitions::Problem;

/// Checks every problem of the files beside `shop/project.yaml`, in the order of their places.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let problems = shop(files).expect_err("a problem");
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems, expected, "{files:?}");
}

/// Checks the one problem of a cohort in `x.yaml`, without the file's name.
fn check_cohort(text: &str, expected: &str) {
    check(&[("cohorts/x.yaml", text)], &[&format!("shop/cohorts/x.yaml:{expected}")]);
}

/// Checks the one problem of a flag in `x.yaml`, without the file's name.
fn check_flag(text: &str, expected: &str) {
    check(&[("flags/x.yaml", text)], &[&format!("shop/flags/x.yaml:{expected}")]);
}

#[test]
fn all_problems_are_reported_together() {
    check(
        &[
            ("cohorts/x.yaml", "member: x\nmembers:\n  did: buy\n  witin: 5m\n"),
            ("flags/y.yaml", "rules:\n- { when: { cohort: z }, rollout: 5 }\n- { variant: a }\n"),
        ],
        &[
            "shop/cohorts/x.yaml:1:1: a cohort has no `member` (fix: did you mean `members`?)",
            "shop/cohorts/x.yaml:3:3: a `did` condition needs `within` (fix: add `within: 5m`)",
            "shop/cohorts/x.yaml:4:3: a `did` condition has no `witin` \
             (fix: did you mean `within`?)",
            "shop/flags/y.yaml:2:35: `rollout` should be a share of people and is `5` \
             (fix: write a percentage from `0%` to `100%`)",
            "shop/flags/y.yaml:3:14: the flag has no variant `a` \
             (fix: add `variants: { a: 100% }` to the flag)",
        ],
    );
}

#[test]
fn yaml_has_to_be_yaml() {
    let rows = [
        (
            "members: { did: buy, within: 5m, within: 1m }",
            "1:34: `within` stands here twice (fix: keep one of them)",
        ),
        (
            "members: { did: buy, count: > 3 }",
            "1:29: this isn't YAML: unexpected character: `>' (fix: mind indentation, and quote \
             text with `: `, `#` or a sign at its beginning)",
        ),
        ("", "1:1: a cohort should be a map and is nothing (fix: write a map)"),
        ("- x", "1:1: a cohort should be a map and is a list (fix: write a map)"),
    ];
    for (text, expected) in rows {
        check_cohort(text, expected);
    }
}

#[test]
fn a_condition_has_one_kind() {
    let rows = [
        ("members:", "1:8: a condition should be a map and is nothing (fix: write a map)"),
        (
            "members: []",
            "1:10: a condition is a map and this is a list \
             (fix: write `all:` or `any:` before the list)",
        ),
        (
            "members: { all: [] }",
            "1:17: `all` has no condition \
             (fix: add at least one, such as `- cohort: hesitating`)",
        ),
        (
            "members: { did: buy, cohort: y }",
            "1:10: one condition can't be both `did` and `cohort` \
             (fix: write two conditions under `all:` or `any:`)",
        ),
        ("members: { di: a }", "1:12: no kind of condition has `di` (fix: did you mean `did`?)"),
        (
            "members: {}",
            "1:10: this condition is empty \
             (fix: one of `did`, `first`, `last`, `known`, `stopped`, `restarted`, `regularly`, \
             `sequence`, `distinct`, `sum`, `average`, `smallest`, ...)",
        ),
        (
            "members: { person: { plan: pro }, within: 5m }",
            "1:35: a `person` condition has no `within` (fix: only `person` can stand here)",
        ),
    ];
    for (text, expected) in rows {
        check_cohort(text, expected);
    }
}

#[test]
fn a_count_is_a_comparison() {
    let count = |count: &str| format!("members: {{ did: buy, within: 5m, count: {count} }}");
    let more = "is more than Sluice keeps (fix: write a number up to 1024)";
    let how = "(fix: write it like `\">= 3\"`, with one of >=, >, <=, <, =, !=)";
    let wrong = "`count` should be a comparison with a whole number and is";
    let rows = [
        (
            "3",
            "`count: 3` doesn't say how to compare \
             (fix: write `count: \">= 3\"` or `count: \"= 3\"`)"
                .to_owned(),
        ),
        ("'>= 3.5'", format!("{wrong} `>= 3.5` {how}")),
        ("'often'", format!("{wrong} `often` {how}")),
        ("'> -1'", format!("{wrong} `> -1` {how}")),
        ("[1]", format!("{wrong} a list {how}")),
        ("'>= 1025'", format!("a count of 1025 {more}")),
        ("'= 99999999999999999999'", format!("a count of 99999999999999999999 {more}")),
        (
            "'>= 0'",
            "this count holds always (fix: write `\">= 1\"`, or leave `count` out)".to_owned(),
        ),
        ("'< 0'", "this count holds never (fix: write `\"= 0\"`)".to_owned()),
    ];
    for (asked, expected) in rows {
        check_cohort(&count(asked), &format!("1:41: {expected}"));
    }
}

#[test]
fn a_window_is_a_length() {
    let form = "a length is a whole number and one of s, m, h, d, w, such as `30s` or `5m`";
    let range = "a window is between 1s and 400d long";
    let rows =
        [("5", form), ("5x", form), ("1.5h", form), ("0s", range), ("401d", range), ("-5m", form)];
    for (length, fix) in rows {
        let text = format!("members:\n  did: buy\n  within: {length}\n");
        check_cohort(&text, &format!("3:11: `within: {length}` isn't a window (fix: {fix})"));
    }
}

#[test]
fn what_is_asked_of_a_property_makes_sense() {
    let rows = [
        (
            "'> many'",
            "`p` is compared with `many`, which isn't a number \
             (fix: write it like `\"> 50\"`; for the very text, `is: ...`)",
        ),
        (
            "null",
            "`p` is compared with nothing, which is no value (fix: write a text, a number, \
             `true` or `false`; `set: false` asks for a missing property)",
        ),
        ("[]", "`p` has an empty list (fix: add a value to the list)"),
    ];
    for (asked, expected) in rows {
        let text = format!("members: {{ person: {{ p: {asked} }} }}");
        check_cohort(&text, &format!("1:25: {expected}"));
    }
    let tests = [
        (
            "has: x",
            "1:27: `has` isn't a test of a property (fix: one of `is`, `is not`, `contains`, \
             `does not contain`, `starts with`, `does not start with`, `ends with`, \
             `does not end with`, `matches`, `does not match`, `between`, `not between`, ...)",
        ),
        (
            "matches: '('",
            "1:36: `matches` isn't followed by what it needs (fix: write a regular expression, \
             with `\\` before ( ) [ ] . that stand for themselves)",
        ),
        (
            "between: [3, 1]",
            "1:36: `between` isn't followed by what it needs \
             (fix: write two numbers, the smaller first, such as `[10, 20]`)",
        ),
        (
            "not between: 5",
            "1:40: `not between` isn't followed by what it needs \
             (fix: write two numbers, the smaller first, such as `[10, 20]`)",
        ),
        (
            "set: x",
            "1:32: `set` should be `true` or `false` and is a text \
             (fix: write `true` or `false`)",
        ),
    ];
    for (asked, expected) in tests {
        check_cohort(&format!("members: {{ person: {{ p: {{ {asked} }} }} }}"), expected);
    }
}

#[test]
fn dates_and_versions_are_such() {
    let tests = [
        (
            "before: soon",
            "1:35: `before: soon` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
             `2026-01-31T18:00:00Z`, or `7d ago`)",
        ),
        (
            "after: 2026-02-30",
            "1:34: `after: 2026-02-30` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` \
             or `2026-01-31T18:00:00Z`, or `7d ago`)",
        ),
        (
            "after: -7d",
            "1:34: `after: -7d` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
             `2026-01-31T18:00:00Z`, or `7d ago`)",
        ),
        (
            "at: 7d ago",
            "1:31: `at: 7d ago` isn't a date (fix: write `2026-01-31`, `2026-01-31 18:00` or \
             `2026-01-31T18:00:00Z`)",
        ),
        (
            "before: 2026",
            "1:35: `before` should be a text and is a number (fix: put it in quotes: \"2026\")",
        ),
        (
            "version: 1.2",
            "1:36: `version` should be a text and is a number (fix: put it in quotes: \"1.2\")",
        ),
        (
            "version: new",
            "1:36: `version: new` isn't a version (fix: write it like `1.2.3`, `\">= 1.2\"`, \
             `\"~1.2.3\"`, `\"^1.2\"` or `1.2.*`)",
        ),
        (
            "version: '>= 1.*'",
            "1:36: `version: >= 1.*` isn't a version (fix: write it like `1.2.3`, `\">= 1.2\"`, \
             `\"~1.2.3\"`, `\"^1.2\"` or `1.2.*`)",
        ),
    ];
    for (asked, expected) in tests {
        check_cohort(&format!("members: {{ person: {{ p: {{ {asked} }} }} }}"), expected);
    }
}

#[test]
fn cohorts_are_there_and_go_in_no_circle() {
    check(
        &[
            ("cohorts/a.yaml", "members:\n  cohort: b\n"),
            ("cohorts/b.yaml", "members: { any: [ { cohort: c }, { cohort: cc } ] }"),
            ("cohorts/c.yaml", "members: { not: { cohort: a } }"),
            ("cohorts/outside.yaml", "members: { not: { cohort: a } }"),
            ("flags/f.yaml", "rules: [ { when: { cohort: outsid } } ]"),
        ],
        &[
            "shop/cohorts/a.yaml:2:11: these cohorts refer to each other in a circle: \
             a → b → c → a (fix: take one of the references out)",
            "shop/cohorts/b.yaml:1:44: there is no cohort `cc` (fix: did you mean `c`?)",
            "shop/flags/f.yaml:1:28: there is no cohort `outsid` (fix: did you mean `outside`?)",
        ],
    );
}

#[test]
fn a_broken_cohort_is_not_missing_too() {
    check(
        &[("cohorts/a.yaml", "members: { cohort: b }"), ("cohorts/b.yaml", "members: { di: x }")],
        &["shop/cohorts/b.yaml:1:12: no kind of condition has `di` (fix: did you mean `did`?)"],
    );
}

#[test]
fn a_flag_is_consistent() {
    let rows = [
        ("active: true", "1:1: a flag needs `rules` (fix: add `rules: [ { rollout: 100% } ]`)"),
        (
            "active: no\nrules: []",
            "1:9: `active` should be `true` or `false` and is a text \
             (fix: write `true` or `false`)",
        ),
        (
            "rules: [ { rollout: 150% } ]",
            "1:21: `rollout` should be a share of people and is `150%` \
             (fix: write a percentage from `0%` to `100%`)",
        ),
        (
            "variants: { a: 50%, b: 40% }\nrules: []",
            "1:11: the variants add up to 90% \
             (fix: change them so that they add up to 100%)",
        ),
        (
            "variants: { banner: 100% }\nrules: [ { variant: baner } ]",
            "2:21: the flag has no variant `baner` (fix: did you mean `banner`?)",
        ),
        (
            "variants: { banner: 100% }\npayloads: { baner: 1 }\nrules: []",
            "2:13: the flag is never `baner` (fix: did you mean `banner`?)",
        ),
    ];
    for (text, expected) in rows {
        check_flag(text, expected);
    }
}

/// Checks all problems of these files, which are the only ones.
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let sources: Vec<_> = files.iter().map(|(path, text)| source(path, text)).collect();
    let problems = compile_all(&sources, &mut Registry::default()).expect_err("a problem");
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems, expected, "{files:?}");
}

#[test]
fn a_project_has_a_token_of_its_own() {
    let rows = [
        (
            "tim_zone: UTC\ntoken: x",
            "1:1: a project has no `tim_zone` (fix: did you mean `time_zone`?)",
        ),
        ("secrets: []", "1:1: a project needs `token` (fix: add `token: phc_...`)"),
        (
            "token: 5",
            "1:8: `token` should be a text and is a number (fix: put it in quotes: \"5\")",
        ),
        (
            "token: x\nteam_id: phc_x",
            "2:10: `team_id` should be a whole number and is `\"phc_x\"` (fix: write the number \
             that PostHog shows as the project's id, such as `team_id: 2`)",
        ),
        (
            "token: x\ntime_zone: Berlin",
            "2:12: `Berlin` isn't a time zone \
             (fix: write a name such as `Europe/Berlin` or `UTC`)",
        ),
        (
            "token: x\nsecrets: [ { env: NOPE }, { env: SHOP_SECRET } ]",
            "2:19: the environment has no `NOPE` (fix: start Sluice with NOPE=...)",
        ),
    ];
    for (text, expected) in rows {
        check_files(&[("a/project.yaml", text)], &[&format!("a/project.yaml:{expected}")]);
    }
    check_files(
        &[("a/project.yaml", "token: x"), ("b/project.yaml", "token: x")],
        &["b/project.yaml:1:8: project `a` has the same token \
           (fix: give each project a token of its own)"],
    );
    check_files(
        &[
            ("a/project.yaml", "token: x\nteam_id: 2"),
            ("b/project.yaml", "team_id: 2\ntoken: y"),
            ("c/project.yaml", "team_id: 3\ntoken: z"),
        ],
        &["b/project.yaml:1:10: project `a` has the same `team_id` \
           (fix: give each project the `team_id` it has at PostHog)"],
    );
    check_files(
        &[("a/flags/x.yaml", "rules: []")],
        &["a/project.yaml: the project has no such file (fix: write it, with `token: phc_...`)"],
    );
}

#[test]
fn files_stand_where_they_belong() {
    check(
        &[
            (".x.yaml.swp", ""),
            ("README.md", ""),
            ("cohort/x.yaml", ""),
            ("flags/x.json", ""),
            ("flags/x.yml", ""),
            ("x.yaml", ""),
        ],
        &[
            "shop/cohort/x.yaml: a project has no folder `cohort` (fix: did you mean `cohorts`?)",
            "shop/flags/x.json: PostHog's JSON stands in the project's folder \
             (fix: move it to `<project>/`)",
            "shop/flags/x.yml: definitions end in `.yaml` (fix: rename it to `x.yaml`)",
            "shop/x.yaml: no definition stands here \
             (fix: move it to `<project>/cohorts/` or `<project>/flags/`)",
        ],
    );
}
