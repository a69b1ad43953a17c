//! The shop that stories are told about: its definitions and what its visitors do.

use serde_json::Value;

use crate::dice::Dice;
use crate::event::Event;

pub const TOKEN: &str = "phc_test";
pub const SECRET: &str = "phs_test";
pub const MINUTE_MS: i64 = 60_000;

/// Path in the project's folder, and text.
pub const DEFINITIONS: &[(&str, &str)] = &[
    ("project.yaml", "token: phc_test\nsecrets: [phs_test]\n"),
    ("cohorts/hesitating.yaml", HESITATING),
    ("cohorts/many-adds.yaml", MANY_ADDS),
    ("cohorts/quiet.yaml", QUIET),
    ("cohorts/shoe-lovers.yaml", SHOE_LOVERS),
    ("cohorts/paying.yaml", PAYING),
    ("flags/offer.yaml", OFFER),
    ("flags/many-adds.yaml", "rules:\n  - { when: { cohort: many-adds }, rollout: 100% }\n"),
    ("flags/quiet.yaml", "rules:\n  - { when: { cohort: quiet }, rollout: 100% }\n"),
    ("flags/shoes.yaml", "rules:\n  - { when: { cohort: shoe-lovers }, rollout: 100% }\n"),
    ("flags/perks.yaml", "rules:\n  - { when: { cohort: paying }, rollout: 100% }\n"),
    ("flags/banner.yaml", BANNER),
];

const HESITATING: &str = r#"description: Three adds in five minutes and no purchase.
members:
  all:
    - { did: added to cart, count: ">= 3", within: 5m }
    - not: { did: purchase, within: 5m }
"#;

const MANY_ADDS: &str = r#"description: Three adds in an hour.
members:
  all:
    - { did: added to cart, count: ">= 3", within: 1h }
"#;

const QUIET: &str = r#"description: Nothing bought for four seconds.
members:
  all:
    - not: { did: purchase, within: 4s }
"#;

const SHOE_LOVERS: &str = r#"description: Two dear pairs in ten minutes.
members:
  all:
    - did: product viewed
      count: ">= 2"
      within: 10m
      where: { category: [shoes], price: "> 50" }
"#;

const PAYING: &str = r#"description: On a plan that is paid for.
members:
  all:
    - person: { plan: [pro, team] }
"#;

const OFFER: &str = r#"description: Free shipping for those who hesitate.
rules:
  - { when: { cohort: hesitating }, rollout: 100%, payload: { text: Free shipping } }
"#;

const BANNER: &str = r#"description: An experiment on everybody.
variants: { control: 50%, banner: 50% }
rules:
  - { rollout: 100% }
"#;

/// `count` adds to the cart, a millisecond apart, the last one at `last_ms`.
pub fn adds(person: &str, count: i64, last_ms: i64, dice: &mut Dice) -> Vec<Event> {
    let times = (0..count).map(|back| last_ms - back);
    times.map(|time_ms| Event::new("added to cart", person, time_ms, dice)).collect()
}

pub fn purchase(person: &str, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("purchase", person, time_ms, dice)
}

/// An event that sets properties of the person who sent it.
pub fn sets(operator: &str, person: &str, values: Value, time_ms: i64, dice: &mut Dice) -> Event {
    Event::new("settings saved", person, time_ms, dice).with(operator, values)
}
