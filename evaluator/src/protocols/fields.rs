//! Fields of an event as SDKs send them: borrowed JSON text, read leniently one by one.

use std::borrow::Cow;
use std::fmt;

use schemas::time::parse_timestamp_ms;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep an event may nest: less than serde_json's own bound, so that whoever reads the log
/// can parse all of it.
const NESTING_MAX: usize = 100;

/// The names that capture asks for. Others are passed over, so that what a request holds in
/// memory doesn't depend on how many fields somebody sends.
const NAMES: [&str; 16] = [
    "event",
    "distinct_id",
    "$distinct_id",
    "uuid",
    "timestamp",
    "properties",
    "token",
    "api_key",
    "$token",
    "batch",
    "sent_at",
    "offset",
    "$set",
    "$set_once",
    "$unset",
    "$ignore_sent_at",
];

/// An object's fields, by their place in [`NAMES`], none of them parsed.
#[derive(Debug, Default)]
pub struct Fields<'a>([Option<&'a RawValue>; NAMES.len()]);

/// Text, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// The fields of an object; of a name that comes twice, the last.
    ///
    /// # Errors
    /// When `json` is no object.
    pub fn parse(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// A field as it was written; null counts as absent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let place = place(name);
        debug_assert!(place.is_some(), "{name} is none of NAMES");
        self.0[place?].filter(|raw| raw.get() != "null")
    }

    /// A field that holds text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        scalar(self.raw(name).filter(|raw| is_text(raw))?)
    }

    /// Text as it is, anything else as its JSON text.
    pub fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        scalar(self.raw(name)?)
    }

    /// The same of a field of `properties`.
    pub fn property(&self, name: &str) -> Option<Cow<'a, str>> {
        let properties = self.raw("properties")?;
        // Most events hold none of the properties that capture asks for.
        if !properties.get().contains(name) {
            return None;
        }
        Fields::parse(properties.get()).ok()?.scalar(name)
    }

    /// An instant: RFC 3339 text, or epoch milliseconds.
    pub fn time_ms(&self, name: &str) -> Option<i64> {
        let raw = self.raw(name)?;
        if is_text(raw) { parse_timestamp_ms(&scalar(raw)?) } else { whole(raw.get()) }
    }

    /// A number, what is finer than 1 cut off.
    pub fn number(&self, name: &str) -> Option<i64> {
        whole(self.raw(name)?.get())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Text(name)) = map.next_key()? {
            match place(&name) {
                Some(place) => fields.0[place] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// Whether JSON nests deeper than is taken.
pub fn is_deep(json: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > NESTING_MAX {
                    return true;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn is_text(raw: &RawValue) -> bool {
    raw.get().starts_with('"')
}

fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    if is_text(raw) {
        serde_json::from_str(raw.get()).ok().map(|Text(text)| text)
    } else {
        Some(Cow::Borrowed(raw.get()))
    }
}

fn whole(number: &str) -> Option<i64> {
    let real = || number.parse().ok().map(|number: f64| number as i64);
    number.parse().ok().or_else(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_within_text_do_not_nest() {
        let text = format!(r#"{{"a\"{}":"{}"}}"#, "[".repeat(200), "{".repeat(200));
        assert!(!is_deep(&text));
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_deep(&nested(NESTING_MAX)));
        assert!(is_deep(&nested(NESTING_MAX + 1)));
    }
}
