//! Examples in cohort files: what is read, and what is refused.

use serde_json::json;

use super::{shop, the_project};
use crate::definitions::Problem;
use crate::example::Example;
use crate::time::parse_timestamp_ms;

const MEMBERS: &str = "members: { did: a, within: 1m }\n";

fn read(examples: &str) -> Result<Vec<Example>, Vec<String>> {
    let text = format!("{MEMBERS}examples:\n{examples}\n");
    let compiled = shop(&[("cohorts/x.yaml", &text)]);
    let said = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    compiled.map(|compiled| the_project(&compiled).cohorts[0].examples.clone()).map_err(said)
}

#[test]
fn an_event_says_when_and_what() {
    let examples = "- at: 2026-03-29T10:00:00Z
  person: { plan: pro }
  distinct_id: ann
  events:
    - { 5m ago: added to cart, price: 60, tags: [a] }
    - { now: purchase }
    - { 2026-03-29T09:59:59.999Z: searched }
    - { 900d ago: came }
    - { 10ms ago: went }
  in: false
- { in: true }";
    let read = read(examples).expect("good examples");
    let at_ms = parse_timestamp_ms("2026-03-29T10:00:00Z").expect("an instant");
    let [one, other] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((one.at_ms, one.distinct_id.as_str(), one.is_in), (at_ms, "ann", false));
    assert_eq!((one.file.as_str(), one.line, one.column), ("shop/cohorts/x.yaml", 12, 7));
    assert_eq!(json!(one.properties), json!({ "plan": "pro" }));
    let told: Vec<(&str, i64)> =
        one.events.iter().map(|event| (event.name.as_str(), at_ms - event.time_ms)).collect();
    let expected = [
        ("added to cart", 300_000),
        ("purchase", 0),
        ("searched", 1),
        ("came", 77_760_000_000),
        ("went", 10),
    ];
    assert_eq!(told, expected);
    assert_eq!(json!(one.events[0].properties), json!({ "price": 60, "tags": ["a"] }));
    let noon_ms = parse_timestamp_ms("2026-01-07T12:00:00Z").expect("an instant");
    assert_eq!((other.at_ms, other.is_in, other.events.len()), (noon_ms, true, 0));
}

#[test]
fn an_example_that_makes_no_sense_is_refused() {
    let how = "(fix: write it like `{ 5m ago: added to cart, price: 60 }`)";
    let earlier = "(fix: write an earlier time, or change `at`)";
    let rows = [
        ("- { events: [] }", "3:3: an example needs `in` (fix: add `in: true`)".to_owned()),
        (
            "- { in: perhaps }",
            "3:9: `in` should be `true` or `false` and is a text (fix: write `true` or `false`)"
                .to_owned(),
        ),
        (
            "- { in: true, event: [] }",
            "3:15: an example has no `event` (fix: did you mean `events`?)".to_owned(),
        ),
        (
            "- { in: true, at: noon }",
            "3:19: `at: noon` isn't an instant since the year 2000 \
             (fix: write it like `2026-03-29T10:00:00Z`)"
                .to_owned(),
        ),
        (
            "- { in: true, events: [ { purchase: 5m ago } ] }",
            format!("3:25: this event doesn't say when it happened {how}"),
        ),
        (
            "- { in: true, events: [ { 5m ago: a, now: b } ] }",
            format!("3:38: this event says twice when it happened {how}"),
        ),
        (
            "- { in: true, events: [ { 2026-01-08: a } ] }",
            format!("3:27: this event happens after the cohort is asked {earlier}"),
        ),
        (
            "- { in: true, events: [ { 20000d ago: a } ] }",
            format!("3:27: this event happened before the year 2000 {earlier}"),
        ),
        (
            "- { in: true, events: [ { now: 7 } ] }",
            "3:32: an event's name should be a text and is a number \
             (fix: put it in quotes: \"7\")"
                .to_owned(),
        ),
    ];
    for (text, expected) in rows {
        let expected = format!("shop/cohorts/x.yaml:{expected}");
        assert_eq!(read(text).expect_err(text), [expected], "{text}");
    }
}
