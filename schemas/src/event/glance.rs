//! A glance: whose event a record is and what happened, read from its beginning and no further.

use memchr::memchr2;

/// What the beginning of a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// The project's token, where it comes before the name.
    pub token: Option<&'a str>,
    /// What happened.
    pub name: &'a str,
}

/// Reads a record up to its event's name. Nothing where it isn't written plainly so far: with
/// escapes, or with lists or objects before the name. What follows isn't looked at.
pub(super) fn glance(value: &[u8]) -> Option<Glance<'_>> {
    let mut rest = Rest(value);
    let mut token = None;
    rest.pass(b'{')?;
    loop {
        let key = rest.text()?;
        rest.pass(b':')?;
        match key {
            b"event" => {
                let name = std::str::from_utf8(rest.text()?).ok().filter(|name| !name.is_empty());
                return name.map(|name| Glance { token, name });
            }
            // Of several the first counts, as it does where a record is read whole.
            b"token" if token.is_none() => token = Some(std::str::from_utf8(rest.text()?).ok()?),
            _ => rest.skip_scalar()?,
        }
        rest.pass(b',')?;
    }
}

/// What hasn't been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Passes white space, and this byte, which has to come next.
    fn pass(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// The text that comes next; nothing where it has escapes.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.pass(b'"')?;
        let end = memchr2(b'"', b'\\', self.0).filter(|end| self.0[*end] == b'"')?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    /// Passes a text, a number, or a word.
    fn skip_scalar(&mut self) -> Option<()> {
        self.skip_space();
        match self.0.first()? {
            b'"' => self.text().map(drop),
            b'{' | b'[' => None,
            _ => {
                let end = self.0.iter().position(|byte| matches!(byte, b',' | b'}'))?;
                self.0 = &self.0[end..];
                Some(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(record: &str) -> Option<(Option<&str>, &str)> {
        glance(record.as_bytes()).map(|glance| (glance.token, glance.name))
    }

    #[test]
    fn the_name_is_found_behind_whatever_is_plain() {
        for (record, found) in [
            (r#"{"event":"view"}"#, (None, "view")),
            (r#"{"uuid":"u","token":"shop","event":"view","properties":{"#, (Some("shop"), "view")),
            (" {\n\"offset\" : 1.5e3 ,\t\"a\":null, \"event\" : \"käse\" }", (None, "käse")),
            (r#"{"token":"a","token":"b","event":"x","event":"y"}"#, (Some("a"), "x")),
        ] {
            assert_eq!(seen(record), Some(found), "{record}");
        }
    }

    #[test]
    fn what_a_glance_cannot_tell_is_left_to_reading() {
        for record in [
            "",
            "[]",
            r#"{"event":7}"#,
            r#"{"event":""}"#,
            r#"{"event":"a\u0062"}"#,
            r#"{"e\u0076ent":"view","event":"other"}"#,
            r#"{"properties":{"event":"view"},"event":"other"}"#,
            r#"{"token":7,"event":"view"}"#,
            r#"{"a":"b" "event":"view"}"#,
            r#"{"a":"event"}"#,
            r#"{"event":"view"#,
        ] {
            assert_eq!(seen(record), None, "{record}");
        }
        assert_eq!(glance(b"{\"event\":\"\xff\"}"), None);
    }
}
