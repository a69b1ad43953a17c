//! Typed values in YAML: what a flag may be, and what is refused, with its place and its fix.

use super::{Problem, shop, the_project};
use crate::flag::Rules;
use crate::flag_value::FlagValue;

fn rules_of(text: &str) -> Rules {
    let compiled = shop(&[("flags/x.yaml", text)]).unwrap_or_else(|told| panic!("{told:#?}"));
    the_project(&compiled).flags[0].rules.clone().expect("rules")
}

fn value(text: &str) -> FlagValue {
    FlagValue::of(serde_json::from_str(text).expect("JSON")).expect("a value")
}

#[test]
fn a_flag_may_be_a_number() {
    let rules = rules_of(
        "seed: checkout-2026\n\
         variants: { few: { share: 40%, value: 3 }, many: { share: 60%, value: 9.5 } }\n\
         rules:\n\
         - { when: { person: { plan: pro } }, rollout: 10%, on miss: default, value: 20 }\n\
         - { when: { person: { plan: team } }, on miss: next rule, variant: few }\n\
         - rollout: 50%\n\
         default: 1\n",
    );
    assert_eq!((rules.default.clone(), rules.seed.as_deref()), (value("1"), Some("checkout-2026")));
    let arms: Vec<_> = rules.variants.iter().map(|arm| (arm.percent, arm.value.clone())).collect();
    assert_eq!(arms, [(40.0, Some(value("3"))), (60.0, Some(value("9.5")))]);
    let [first, second, third] = [0, 1, 2].map(|at| &rules.rules[at].release);
    assert_eq!((first.value.clone(), first.ends_on_miss), (Some(value("20")), true));
    assert_eq!((second.variant.as_deref(), second.ends_on_miss), (Some("few"), false));
    assert_eq!((third.value.clone(), third.ends_on_miss), (None, false));
    assert_eq!(rules.seed("x", third), "checkout-2026");
}

/// Flags without typed values are what they were.
#[test]
fn the_default_is_off_unless_values_say_otherwise() {
    let rows = [
        ("rules: [ {} ]", FlagValue::off()),
        ("variants: { a: 100% }\nrules: [ {} ]", FlagValue::off()),
        ("rules: [ { value: true }, {} ]", FlagValue::off()),
        ("rules: [ { value: red } ]", FlagValue::nothing()),
        ("rules: [ { value: { a: [ 1 ] } } ]", FlagValue::nothing()),
        ("rules: []\ndefault: true", value("true")),
        ("variants: { a: 100% }\nrules: [ {} ]\ndefault: a", value("\"a\"")),
        ("variants: { a: { share: 100%, value: b } }\nrules: [ {} ]", FlagValue::nothing()),
    ];
    for (text, default) in rows {
        assert_eq!(rules_of(text).default, default, "{text}");
    }
}

#[test]
fn values_are_of_one_type_and_have_a_place() {
    let one_type = "(fix: make all values of a flag one type)";
    let kinds = "(fix: write `true` or `false`, a text, a number or a map)";
    let rows = [
        (
            "rules: [ { value: 1 }, { value: a } ]",
            format!(
                "1:33: the flag has values of type number and of type string: `\"a\"` {one_type}"
            ),
        ),
        (
            "rules: [ { value: 1 }, { rollout: 5% } ]",
            format!(
                "1:24: the flag has values of type number and of type boolean: \
                 a rule without a `value` gives `true` {one_type}"
            ),
        ),
        (
            "variants: { a: { share: 50%, value: 1 }, b: 50% }\nrules: []",
            format!(
                "1:42: the flag has values of type number and of type string: \
                 the variant's name `b` {one_type}"
            ),
        ),
        (
            "rules: [ { value: 1, payload: 2 } ]",
            "1:31: a value of type number stands where a payload would \
             (fix: put all of it into an object as `value`)"
                .to_owned(),
        ),
        ("rules: [ { value: [ 1 ] } ]", format!("1:19: `value` is a list {kinds}")),
        ("rules: [ { value: '' } ]", format!("1:19: `value` is an empty text {kinds}")),
        ("rules: []\ndefault: null", format!("2:10: `default` is nothing {kinds}")),
        (
            "rules: [ { value: 9007199254740993 } ]",
            format!("1:19: `value` is beyond 9007199254740991, where JSON isn't exact {kinds}"),
        ),
        (
            "variants: { a: 100% }\nrules: [ { value: b, variant: a } ]",
            "2:31: a rule gives a `variant` or a `value`, not both \
             (fix: take one of them away)"
                .to_owned(),
        ),
        (
            "rules: [ { rollout: 5%, on miss: defaults } ]",
            "1:34: `on miss` should be `next rule` or `default` and is `defaults` \
             (fix: did you mean `default`?)"
                .to_owned(),
        ),
        (
            "variants: { a: { value: 1 } }\nrules: []",
            "1:16: a variant needs `share` (fix: add `share: 50%`)".to_owned(),
        ),
        (
            "seed: 5\nrules: []",
            "1:7: `seed` should be a text and is a number (fix: put it in quotes: \"5\")"
                .to_owned(),
        ),
    ];
    for (text, expected) in rows {
        let problems = shop(&[("flags/x.yaml", text)]).expect_err(text);
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(problems, [format!("shop/flags/x.yaml:{expected}")], "{text}");
    }
}
