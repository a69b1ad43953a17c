//! Imaginary visitors of the shop: they browse, fill carts, buy or hesitate, and go quiet.

use fastrand::Rng;
use serde_json::{Value, json};

/// How many there are.
pub const VISITORS: usize = 300;

const GOODS: [(&str, f64); 6] = [
    ("shoes", 89.0),
    ("shoes", 129.0),
    ("bags", 59.0),
    ("hats", 24.0),
    ("jackets", 179.0),
    ("socks", 9.0),
];

/// What a visitor is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Gone for a while.
    Quiet,
    /// Looking at things.
    Browsing,
    /// Putting things into the cart, again and again.
    Tempted,
    /// On the way to the till.
    Buying,
}

/// One visitor.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The distinct id.
    pub id: String,
    mood: Mood,
    wakes_at_ms: i64,
}

impl Visitor {
    /// The `number`-th visitor, who turns up within the first seconds.
    pub fn new(number: usize, now_ms: i64, dice: &mut Rng) -> Self {
        let wakes_at_ms = now_ms + dice.i64(0..8_000);
        Visitor { id: format!("visitor-{number:03}"), mood: Mood::Quiet, wakes_at_ms }
    }

    /// What the visitor does now, if anything.
    pub fn act(&mut self, now_ms: i64, dice: &mut Rng) -> Option<Value> {
        if now_ms < self.wakes_at_ms {
            return None;
        }
        let (name, properties) = self.event(dice);
        let chance = dice.u8(0..100);
        self.mood = match self.mood {
            Mood::Quiet => Mood::Browsing,
            Mood::Browsing if chance < 25 => Mood::Tempted,
            Mood::Browsing if chance < 40 => Mood::Quiet,
            Mood::Tempted if chance < 20 => Mood::Buying,
            Mood::Tempted if chance < 40 => Mood::Quiet,
            Mood::Buying => Mood::Quiet,
            same => same,
        };
        let pause_ms = match self.mood {
            Mood::Quiet => dice.i64(20_000..240_000),
            _ => dice.i64(500..6_000),
        };
        self.wakes_at_ms = now_ms + pause_ms;
        Some(json!({ "event": name, "distinct_id": self.id, "properties": properties }))
    }

    fn event(&self, dice: &mut Rng) -> (&'static str, Value) {
        let (category, price) = GOODS[dice.usize(0..GOODS.len())];
        let goods = json!({ "category": category, "price": price });
        match self.mood {
            Mood::Quiet => {
                let plan = if dice.u8(0..10) == 0 { "pro" } else { "free" };
                ("$pageview", json!({ "$current_url": "/", "$set_once": { "plan": plan } }))
            }
            Mood::Browsing => ("product viewed", goods),
            Mood::Tempted => ("added to cart", goods),
            Mood::Buying if dice.bool() => ("checkout started", goods),
            Mood::Buying => ("purchase", goods),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_do_everything_that_the_shop_watches() {
        let mut dice = Rng::with_seed(7);
        let mut visitors: Vec<Visitor> =
            (0..VISITORS).map(|number| Visitor::new(number, 0, &mut dice)).collect();
        let mut seen = std::collections::BTreeSet::new();
        for now_ms in (0..600_000).step_by(100) {
            for visitor in &mut visitors {
                if let Some(event) = visitor.act(now_ms, &mut dice) {
                    seen.insert(event["event"].as_str().unwrap_or_default().to_owned());
                }
            }
        }
        let expected =
            ["$pageview", "added to cart", "checkout started", "product viewed", "purchase"];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }
}
