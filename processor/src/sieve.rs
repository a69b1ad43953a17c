//! The sieve: tells from a record's bytes, before they are parsed, that no matcher is concerned.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

/// How JSON may write any character besides as itself, and as `\n` and the like.
const ESCAPE: &str = "\\u";

/// Lets records of some events through, and of others only where it can't tell them apart.
pub struct Sieve {
    /// Event names and the escape; nothing where every record has to be looked at.
    words: Option<AhoCorasick>,
}

impl Sieve {
    /// A sieve for events of these names; the empty one stands for any event.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut words = vec![ESCAPE];
        for name in names {
            if name.is_empty() || !is_written_as_it_is(name) {
                return Sieve { words: None };
            }
            words.push(name);
        }
        // A contiguous automaton is the quickest, and what is filled at once is a handful.
        let kind = (words.len() <= 100).then_some(AhoCorasickKind::DFA);
        let words = AhoCorasickBuilder::new().kind(kind).build(words).ok();
        Sieve { words }
    }

    /// Whether a record with this value may be an event of these names. Never wrong where it
    /// says no.
    pub fn may_concern(&self, value: &[u8]) -> bool {
        self.words.as_ref().is_none_or(|words| words.is_match(value))
    }
}

/// Whether JSON has no way to write this but as it is, and by [`ESCAPE`].
fn is_written_as_it_is(name: &str) -> bool {
    !name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_another_name_is_held_back() {
        let sieve = Sieve::new(["purchase", "käse"]);
        for (record, concerns) in [
            (r#"{"event":"purchase","distinct_id":"ann"}"#, true),
            (r#"{"event":"käse","distinct_id":"ann"}"#, true),
            (r#"{"event":"k\u00e4se","distinct_id":"ann"}"#, true),
            (r#"{"event":"\u0070urchase","distinct_id":"ann"}"#, true),
            (r#"{"event":"view","distinct_id":"ann","properties":{"next":"purchase"}}"#, true),
            (r#"{"event":"view","distinct_id":"ann","properties":{"a":"say \"no\"\n"}}"#, false),
            (r#"{"event":"view","distinct_id":"ann"}"#, false),
            ("", false),
        ] {
            assert_eq!(sieve.may_concern(record.as_bytes()), concerns, "{record}");
        }
    }

    #[test]
    fn what_json_may_write_in_several_ways_isnt_told_apart() {
        for names in [vec!["purchase", ""], vec!["cart/add"], vec!["say \"no\""], vec!["a\tb"]] {
            assert!(Sieve::new(names.iter().copied()).may_concern(b"{}"), "{names:?}");
        }
    }
}
