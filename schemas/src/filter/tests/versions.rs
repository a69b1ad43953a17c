//! Versions, with what PostHog's server makes of them.

use serde_json::json;

use super::{NOW, check, filter};
use crate::filter::PropertyMatching;

#[test]
#[rustfmt::skip]
fn versions_are_ordered_by_semver() {
    let gone = "<missing>";
    check(
        "semver_eq",
        json!("1.2.3"),
        json!(["1.2.3", "v1.2.3", "01.02.003", "1.2.3+b"]),
        json!([gone, null, "1.2.4", "1.2.3-rc.1"]),
    );
    check(
        "semver_eq",
        json!("1.2"),
        json!(["1.2.0", 1.2, "1.2"]),
        json!(["1.2.1", "1", "1.2.0.0"]),
    );
    check("semver_eq", json!(3), json!(["3.0.0", 3, "3"]), json!(["3.0.1", "x"]));
    check(
        "semver_neq",
        json!("1.2.3"),
        json!(["1.2.4", "1.2.3-rc.1"]),
        json!([gone, null, "1.2.3", "abc", ""]),
    );
    check(
        "semver_gt",
        json!("3.9"),
        json!(["3.10", "3.10.0", "4", "10.0.0"]),
        json!([gone, "3.9.0", "3.08", "x", true]),
    );
    check(
        "semver_gt",
        json!("1.0.0-alpha"),
        json!(["1.0.0-alpha.1", "1.0.0-beta", "1.0.0"]),
        json!(["1.0.0-alpha", "0.9.9"]),
    );
    check(
        "semver_gte",
        json!("1.2.3"),
        json!(["1.2.3", "1.10.0", "2.0.0-rc.1"]),
        json!([gone, "1.2.3-rc.1", "1.2.2"]),
    );
    check(
        "semver_lt",
        json!("1.2.3"),
        json!(["1.2.2", "1.2.3-rc.1", "0"]),
        json!([gone, "1.2.3", "1.10.0", "one"]),
    );
    check("semver_lte", json!("v1.2"), json!(["1.2.0", "1.1.99"]), json!([gone, "1.2.1"]));
}

#[test]
#[rustfmt::skip]
fn tilde_caret_and_wildcard_are_ranges() {
    let gone = "<missing>";
    check(
        "semver_tilde",
        json!("1.2.3"),
        json!(["1.2.3", "1.2.99"]),
        json!([gone, "1.3.0", "1.2.2", "1.2.4-rc.1", "x"]),
    );
    check("semver_tilde", json!("1"), json!(["1.0.5"]), json!(["1.1.0"]));
    check(
        "semver_caret",
        json!("1.2.3"),
        json!(["1.2.3", "1.99.0"]),
        json!([gone, "2.0.0", "1.2.2"]),
    );
    check("semver_caret", json!("0.2.3"), json!(["0.2.9"]), json!(["0.3.0"]));
    check("semver_caret", json!("0.0.3"), json!(["0.0.3"]), json!(["0.0.4"]));
    check(
        "semver_wildcard",
        json!("1.2.*"),
        json!(["1.2.0", "1.2.99", "v1.02.3"]),
        json!([gone, "1.3.0", "1.1.9"]),
    );
    check("semver_wildcard", json!("v1.*"), json!(["1.0.0", "1.99.9"]), json!(["2.0.0", "0.9.0"]));
    check("semver_wildcard", json!("1.*.*"), json!(["1.5.9"]), json!(["2.0.0"]));
    check("semver_wildcard", json!("*"), json!(["0.0.1", "99.0.0"]), json!([gone, "x"]));
}

#[test]
fn a_filter_without_a_version_passes_neither_way() {
    for (operator, value) in [
        ("semver_eq", "abc"),
        ("semver_gt", "1.2.3.4"),
        ("semver_tilde", "1.x.y"),
        ("semver_wildcard", "1.*.3"),
        ("semver_caret", ""),
    ] {
        let filter = filter(operator, json!(value), PropertyMatching::V1);
        let version = json!("1.2.3");
        assert!(!filter.matches(Some(&version), NOW), "{operator} {value}");
        assert!(!filter.clone().opposite().matches(Some(&version), NOW), "{operator} {value}");
        // What is no version is known not to pass.
        assert!(filter.opposite().matches(Some(&json!("none")), NOW), "{operator} {value}");
    }
}
