//! A JSON object of a record, opened only when it is asked for: as it is, or inside a text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Skip, Text};

/// A JSON object, as JSON or as a JSON string of it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    written: &'a str,
    in_text: bool,
}

#[derive(Deserialize)]
struct Inside<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Object<'a> {
    /// An object as it is; none for any other value.
    pub(super) fn plain(raw: &'a RawValue) -> Option<Self> {
        let written = raw.get();
        written.starts_with('{').then_some(Object { written, in_text: false })
    }

    /// An object inside a text; none for an empty text, which is how a column says nothing.
    /// Any other value is told when it is opened.
    pub(super) fn in_text(raw: &'a RawValue) -> Option<Self> {
        let written = raw.get();
        (written != r#""""#).then_some(Object { written, in_text: true })
    }

    /// The bytes of the record. A name that isn't among them, with its first sign as it is or
    /// as its `\u` escape, isn't in the object either.
    pub fn written(&self) -> &'a str {
        self.written
    }

    /// The object as JSON text; its members are valid as JSON, and nothing more is known.
    ///
    /// # Errors
    /// [`Skip::BadProperties`] if it isn't a text, or if the text holds no JSON object.
    pub fn open(&self) -> Result<Text<'a>, Skip> {
        if !self.in_text {
            return Ok(Cow::Borrowed(self.written));
        }
        let Inside(text) = serde_json::from_str(self.written).map_err(|_| Skip::BadProperties)?;
        let held: &RawValue = serde_json::from_str(&text).map_err(|_| Skip::BadProperties)?;
        if held.get().starts_with('{') { Ok(text) } else { Err(Skip::BadProperties) }
    }
}
