//! What properties were given as, written as JSON.

use serde_json::Value;

use crate::dice::Dice;
use crate::naive::history::Given;

/// Hundredths as a decimal number: 1225 is `12.25`.
pub fn spelled(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, hundredths) = (cents.abs() / 100, cents.abs() % 100);
    if hundredths == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{hundredths:02}")
    }
}

/// One of the ways in which SDKs write it.
pub fn json(given: &Given, dice: &mut Dice) -> Value {
    let cents = match given {
        Given::Null => return Value::Null,
        Given::Text(text) => return Value::from(*text),
        Given::Cents(cents) => *cents,
    };
    let mut text = spelled(cents);
    match (dice.below(4), text.contains('.')) {
        (0, false) => text.push_str(".0"),
        (0, true) => text.push('0'),
        (1, _) => text = format!("{cents}e-2"),
        _ => {}
    }
    let number = || serde_json::from_str(&text).expect("a number");
    if dice.per_mille(500) { number() } else { Value::from(text) }
}
