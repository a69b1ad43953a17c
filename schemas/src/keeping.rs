//! Keeping: whom flags took a person for first, so that a visitor who logs in keeps what they were
//! given (PostHog's experience continuity).
//!
//! It is an event of Sluice's own. Of a flag the earliest counts, by event time, in whatever order
//! they come; beside a person's properties it merges as a `$set_once` does.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::cut_distinct_id;
use crate::properties::{Kind, Register};
use crate::window::Entry;

/// The event that says so, of the distinct id that logged in.
pub const EVENT: &str = "$sluice_keep";

/// Its properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whom the flags took the person for.
    pub identifier: String,
    /// The flags' keys.
    pub flags: Vec<String>,
}

impl Kept {
    /// Reads the properties of such an event, a JSON object; none where they aren't as they have
    /// to be.
    pub fn read(properties: &str) -> Option<Kept> {
        let kept: Kept = serde_json::from_str(properties).ok()?;
        (!kept.identifier.is_empty()).then_some(kept)
    }

    /// What is written of each flag.
    pub fn registers(&self, stamp: Entry) -> impl Iterator<Item = Register<'static>> {
        let identifier = Value::from(cut_distinct_id(&self.identifier)).to_string();
        self.flags.iter().map(move |flag| Register {
            key: key(flag).into(),
            kind: Kind::SetOnce,
            stamp,
            value: identifier.clone().into(),
        })
    }
}

/// Where it is kept whom a flag took the person for first, beside their properties.
pub fn key(flag_key: &str) -> String {
    format!("$sluice_identifier/{flag_key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::is_own;
    use crate::properties::resolve;
    use crate::record::Record;

    const NOON_MS: i64 = 1_700_000_000_000;

    #[test]
    fn the_earliest_counts_in_whatever_order_they_come() {
        let kept = |identifier: &str, flags: &[&str], after_ms: i64| {
            let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let kept = Kept { identifier: identifier.to_owned(), flags };
            let properties = serde_json::to_string(&kept).expect("JSON");
            assert_eq!(Kept::read(&properties).as_ref(), Some(&kept));
            let stamp = Entry::new(NOON_MS + after_ms, after_ms as u64);
            kept.registers(stamp).collect::<Vec<_>>()
        };
        let first = kept("phone", &["f", "g"], 1);
        let later = kept("laptop", &["f", "h"], 2);
        for order in [[&first, &later], [&later, &first]] {
            let mut record = Record::default();
            for register in [order[0], order[1], order[0]].into_iter().flatten() {
                record.write(register);
            }
            let said: Vec<String> =
                resolve(record.registers()).map(|(key, value)| format!("{key} {value}")).collect();
            let expected = [("f", "phone"), ("g", "phone"), ("h", "laptop")];
            assert_eq!(said, expected.map(|(flag, who)| format!("{} \"{who}\"", key(flag))));
        }
        assert!(first.iter().all(|register| is_own(&register.key)));
    }

    #[test]
    fn what_names_nobody_keeps_nothing() {
        for properties in ["{}", r#"{"identifier":"","flags":["f"]}"#, r#"{"identifier":"x"}"#] {
            assert_eq!(Kept::read(properties), None, "{properties}");
        }
    }
}
