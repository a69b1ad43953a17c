//! Filters as tables: operator, filter value, property value, result.

use serde_json::{Value, json};

use crate::filter::{Filter, Moment, PropertyMatching};

mod dates;
mod versions;

/// In what follows it is 2026-03-31T10:00:00.5Z, and the project lives by UTC.
const NOW: Moment<'static> = Moment { now_ms: 1_774_951_200_500, zone: &jiff::tz::TimeZone::UTC };

fn filter(operator: &str, value: Value, matching: PropertyMatching) -> Filter {
    Filter::compile("plan", operator, &value, matching).expect("a known operator")
}

/// Each row: operator, filter value, then property values that pass and that don't.
/// A missing property is written `"<missing>"`.
fn check(operator: &str, value: Value, passing: Value, failing: Value) {
    let filter = filter(operator, value, PropertyMatching::V1);
    for (properties, expected) in [(passing, true), (failing, false)] {
        for property in properties.as_array().expect("a list of values") {
            let given = Some(property).filter(|property| **property != json!("<missing>"));
            assert_eq!(filter.matches(given, NOW), expected, "{operator} {given:?}");
        }
    }
}

#[test]
#[rustfmt::skip]
fn operators_pass_what_posthog_passes() {
    let gone = "<missing>";
    check("exact", json!("Pro"), json!(["pro", "PRO"]), json!([gone, null, "prose", ["pro"]]));
    check("exact", json!(["pro", 1]), json!(["Pro", 1, "1"]), json!([gone, 1.0, true]));
    check("exact", json!("straße"), json!(["STRAßE"]), json!(["STRASSE", "strasse"]));
    check("exact", json!("k"), json!(["K", "\u{212a}"]), json!(["kk"]));
    check("between", json!([5, 5]), json!([5, "5.0"]), json!([gone, 4.999, 5.001]));
    check("is_not", json!("pro"), json!([gone, null, "free"]), json!(["pro", "PRO"]));
    check("is_set", json!(null), json!([null, "", 0]), json!([gone]));
    check("is_not_set", json!("x"), json!([gone]), json!([null, "x"]));
    check("icontains", json!("RO"), json!(["pro", "Rome"]), json!([gone, null, "r", "rö"]));
    check("icontains", json!("Ä"), json!(["xÄx"]), json!(["xäx"]));
    check("icontains", json!(""), json!(["", "x", null]), json!([gone]));
    check("not_icontains", json!("ro"), json!([gone, "free", null]), json!(["PRO"]));
    check("icontains_multi", json!(["a", 7]), json!(["bAr", 172]), json!([gone, "b", 1]));
    check("not_icontains_multi", json!(["a"]), json!([gone, "b"]), json!(["A"]));
    check("starts_with", json!("Pr"), json!(["PRO", "pr"]), json!([gone, "p", "spr"]));
    check("not_starts_with", json!("pr"), json!([gone, "p"]), json!(["Pro"]));
    check("ends_with", json!("O"), json!(["pro", "o"]), json!([gone, "", "ox"]));
    check("not_ends_with", json!("o"), json!([gone, ""]), json!(["PRO"]));
    check("regex", json!("^p.o$"), json!(["pro"]), json!([gone, "PRO", "apro"]));
    check("regex", json!("(?<!n)ull$"), json!(["full"]), json!([null]));
    check("not_regex", json!("^p"), json!([gone, "free"]), json!(["pro"]));
    check("regex", json!("("), json!([]), json!([gone, "("]));
    check("not_regex", json!("("), json!([gone]), json!(["(", "x"]));
    check("gt", json!(5), json!([5.1, "6", 1e300]), json!([gone, 5, "5", "x", true, null, [9]]));
    check("gte", json!("5"), json!([5, "5.0"]), json!([gone, 4.9, ""]));
    check("lt", json!(5), json!([-1, "4"]), json!([gone, 5, null, "x"]));
    check("lte", json!(5), json!([5]), json!([gone, 6]));
    check("gt", json!("many"), json!([]), json!([gone, 5, "many"]));
    check("min", json!(5), json!([5, "6"]), json!([gone, 4.9]));
    check("max", json!(5), json!([5, "4"]), json!([gone, 5.1]));
    check("between", json!([1, 2]), json!([1, "2"]), json!([gone, 3, "x", null, "NaN"]));
    check("not_between", json!([1, 2]), json!([gone, 3, "x"]), json!([1, "NaN"]));
    check("between", json!([2, 1]), json!([]), json!([gone, 1, 2]));
    check("exact", json!(null), json!([]), json!([gone, null, "null"]));
    check("is_not", json!(null), json!([]), json!([gone, null, "x"]));
}

#[test]
fn exact_follows_the_version_of_the_project() {
    let rows = [
        (json!(false), json!("banana"), true, false),
        (json!(false), json!(0), true, false),
        (json!(["true", "false"]), json!("true"), false, true),
        (json!(["true", "false"]), json!("pro"), true, false),
        (json!([]), json!(true), true, true),
        (json!([]), json!([]), true, true),
        (json!(true), json!([true]), true, false),
        (json!(false), json!("FALSE"), true, true),
        (json!(false), json!(null), true, false),
        (json!(false), json!(""), true, false),
        (json!([]), json!([true, ["TRUE", []]]), true, true),
        (json!([]), json!([true, [false]]), false, false),
        (json!([]), json!(false), false, false),
        (json!([]), json!(null), false, false),
        (json!([]), json!(1), false, false),
        (json!([]), json!("banana"), false, false),
        (json!([false, "PRO"]), json!("pro"), true, true),
        (json!([[true], "PRO"]), json!([true]), true, true),
        (json!([null, "PRO"]), json!("null"), true, true),
        (json!([1, "PRO"]), json!("1"), true, true),
        (json!("οδος"), json!("ΟΔΟΣ"), true, true),
        (json!("i\u{307}"), json!("İ"), true, true),
        (json!("ss"), json!("ß"), false, false),
    ];
    for (value, property, v1, v2) in rows {
        for (matching, expected) in [(PropertyMatching::V1, v1), (PropertyMatching::V2, v2)] {
            let filter = filter("exact", value.clone(), matching);
            assert_eq!(filter.matches(Some(&property), NOW), expected, "{value} {property}");
            assert_eq!(filter.opposite().matches(Some(&property), NOW), !expected);
        }
    }
}

#[test]
fn what_cannot_be_evaluated_passes_neither_way() {
    let cheap = filter("lt", json!(5), PropertyMatching::V2);
    assert!(!cheap.matches(Some(&json!("five")), NOW));
    assert!(!cheap.clone().opposite().matches(Some(&json!("five")), NOW));
    assert!(cheap.opposite().matches(None, NOW));
    let slow = filter("regex", json!("(a|a)*(?!b)c"), PropertyMatching::V2);
    let long = json!("a".repeat(64));
    assert!(!slow.matches(Some(&long), NOW) && !slow.opposite().matches(Some(&long), NOW));
}

#[test]
fn an_unknown_operator_is_a_fault() {
    let fault = |operator| {
        Filter::compile("plan", operator, &json!(1), PropertyMatching::V1).expect_err("fault")
    };
    assert_eq!(fault("resembles").code, "flag_data_parsing_error");
    assert_eq!(fault("resembles").message, "the operator `resembles` on `plan` is unknown");
    assert_eq!(fault("not_gt").code, "flag_data_parsing_error");
    assert_eq!(fault("semver_about").code, "flag_data_parsing_error");
    assert_eq!(fault("not_is_date_exact").code, "flag_data_parsing_error");
}

#[test]
fn canonical_text_is_equal_for_equal_filters_only() {
    let canonical = |operator, value, matching| filter(operator, value, matching).canonical();
    let (v1, v2) = (PropertyMatching::V1, PropertyMatching::V2);
    let same = [
        (canonical("exact", json!("A"), v1), canonical("exact", json!(["a", "a"]), v2)),
        (canonical("exact", json!(["a", "b"]), v1), canonical("exact", json!(["b", "A"]), v1)),
        (canonical("gt", json!(5), v1), canonical("gt", json!("5.0"), v2)),
        (canonical("gt", json!(0.0), v1), canonical("gt", json!(-0.0), v1)),
        (canonical("icontains", json!("A"), v1), canonical("icontains", json!("a"), v1)),
        (canonical("min", json!(5), v1), canonical("gte", json!(5), v1)),
        (canonical("semver_eq", json!("v1.02"), v1), canonical("semver_eq", json!("1.2.0"), v1)),
        (
            canonical("is_date_after", json!("2026-01-01T01:00+01"), v1),
            canonical("is_date_after", json!("2026-01-01T00:00:00.0Z"), v1),
        ),
    ];
    for (left, right) in same {
        assert_eq!(left, right);
    }
    let mut different = vec![
        canonical("exact", json!("true"), v1),
        canonical("exact", json!("true"), v2),
        canonical("exact", json!("a\",\"b"), v1),
        canonical("exact", json!(["a", "b"]), v1),
        canonical("is_not", json!(["a", "b"]), v1),
        canonical("regex", json!("A"), v1),
        canonical("regex", json!("a"), v1),
        canonical("gt", json!("NaN"), v1),
        canonical("gt", json!("inf"), v1),
        canonical("gte", json!("inf"), v1),
        canonical("icontains_multi", json!(["a", "b"]), v1),
        canonical("icontains_multi", json!(["a,b"]), v1),
        canonical("is_date_after", json!("2026-01-01"), v1),
        canonical("is_date_after", json!("2026-01-01T00:00:00Z"), v1),
        canonical("is_date_before", json!("2026-01-01"), v1),
        canonical("is_date_before", json!("-1m"), v1),
        canonical("is_date_before", json!("-1y"), v1),
        canonical("semver_gt", json!("1.2"), v1),
        canonical("semver_gte", json!("1.2"), v1),
        canonical("semver_tilde", json!("1.2"), v1),
        canonical("semver_caret", json!("1.2"), v1),
        canonical("semver_wildcard", json!("1.2.*"), v1),
        canonical("semver_wildcard", json!("<"), v1),
    ];
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 23);
}

#[test]
fn filters_are_told_in_words() {
    let words = |operator, value| filter(operator, value, PropertyMatching::V2).words();
    for (operator, value, expected) in [
        ("is_date_before", json!("2026-01-31"), "`plan` is before 2026-01-31T00:00:00"),
        ("is_date_after", json!("2026-01-31T10:00+02"), "`plan` is after 2026-01-31T08:00:00Z"),
        ("is_date_exact", json!("-3m"), "`plan` is at 3 months ago"),
        ("semver_gte", json!("v2.1"), "`plan` is a version >= 2.1.0"),
        ("semver_caret", json!("2.1"), "`plan` is a version of ^2.1.0"),
        ("semver_eq", json!("x"), "`plan` is asked what no value passes"),
    ] {
        assert_eq!(words(operator, value), expected);
    }
}
