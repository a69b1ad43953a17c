//! A glance: whose event a record is and what happened, read from its beginning and no further
//! unless somebody wants more.

use super::brief::Brief;
use super::picked::Picked;
use super::plain::Rest;
use crate::properties::may_write;

/// What the beginning of a record tells.
#[derive(Debug)]
pub struct Glance<'a> {
    brief: Brief<'a>,
    rest: Rest<'a>,
    goes_on: bool,
}

impl<'a> Glance<'a> {
    /// Reads a record up to its event's name. Nothing where that can't be told so: it is no text,
    /// or properties come first. What follows isn't looked at.
    pub(super) fn at(value: &'a str) -> Option<Self> {
        let (brief, rest) = (Brief::default(), Rest::new(value));
        let mut glance = Glance { brief, rest, goes_on: false };
        glance.goes_on = glance.rest.begins()?;
        while glance.goes_on {
            let key = glance.rest.key()?;
            if key == b"properties" {
                return None;
            }
            glance.brief.read(key, &mut glance.rest)?;
            glance.goes_on = glance.rest.goes_on()?;
            if key == b"event" {
                return if glance.brief.name.is_empty() { None } else { Some(glance) };
            }
        }
        None
    }

    /// The project's token, where it comes before the name.
    pub fn token(&self) -> Option<&'a str> {
        self.brief.token
    }

    /// What happened.
    pub fn name(&self) -> &'a str {
        self.brief.name
    }

    /// Whether what follows can write properties of somebody.
    pub fn may_write(&self) -> bool {
        may_write(self.rest.bytes())
    }

    /// Reads on, and gives the event with the properties of these names in the place of all.
    /// Nothing where [`super::Format::parse`] has to be asked: whether it is an event at all, and
    /// what it holds.
    pub fn pick<'p>(mut self, wanted: &'p [String]) -> Option<(Brief<'a>, Picked<'p>)> {
        let mut picked = Picked::default();
        while self.goes_on {
            match self.rest.key()? {
                b"properties" => picked = self.rest.properties(wanted)?,
                key => self.brief.read(key, &mut self.rest)?,
            }
            self.goes_on = self.rest.goes_on()?;
        }
        let is_event = self.rest.is_over() && !self.brief.distinct_id.is_empty();
        is_event.then_some((self.brief, picked))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn seen(record: &str) -> Option<(Option<String>, String)> {
        let glance = Glance::at(record)?;
        Some((glance.token().map(str::to_owned), glance.name().to_owned()))
    }

    #[test]
    fn the_name_is_found_behind_whatever_is_plain() {
        for (record, token, name) in [
            (r#"{"event":"view"}"#, None, "view"),
            (r#"{"event":"view","properties":{"#, None, "view"),
            (r#"{"uuid":"u","token":"shop","event":"view","properties":{"#, Some("shop"), "view"),
            (" {\n\"offset\" : 1.5e3 ,\t\"a\":null, \"event\" : \"käse\" }", None, "käse"),
            (r#"{"token":"a","token":"b","event":"x","event":"y"}"#, Some("a"), "x"),
            (r#"{"no #1]":"not the token","event":"view"}"#, None, "view"),
            (r#"{"more":{"event":[1]},"token":"a","b":"\"{","event":"vélo"}"#, Some("a"), "vélo"),
            (r#"{"a":true,"b":false,"c":0.5,"d":-7,"event":"view"}"#, None, "view"),
        ] {
            let found = (token.map(str::to_owned), name.to_owned());
            assert_eq!(seen(record), Some(found), "{record}");
        }
    }

    #[test]
    fn what_a_glance_cannot_tell_is_left_to_reading() {
        for record in [
            "",
            "[]",
            "{}",
            r#"{"event":7}"#,
            r#"{"event":""}"#,
            r#"{"e\u0076ent":"view","event":"other"}"#,
            r#"{"token":"\u0061","event":"view"}"#,
            r#"{"event":"v\u00e9lo"}"#,
            r#"{"a":01,"event":"view"}"#,
            r#"{"a":1.,"event":"view"}"#,
            r#"{"a":truly,"event":"view"}"#,
            r#"{"properties":{"event":"view"},"event":"other"}"#,
            r#"{"a":"b" "event":"view"}"#,
            r#"{"a":tru,"event":"view"}"#,
            r#"{"a":"event"}"#,
            r#"{"event":"view"#,
            r#"{"event":"view""#,
            r#"{"event":"of eight"#,
            "{\"event\":\"a\tb\"}",
            "{\"event\":\"a\tb\",\"uuid\":\"of more than eight\"}",
        ] {
            assert_eq!(seen(record), None, "{record}");
        }
    }

    fn price(record: &str) -> Option<String> {
        let wanted = ["price".to_owned()];
        let (event, picked) = Glance::at(record)?.pick(&wanted)?;
        let price = picked.value("price").map(ToString::to_string);
        Some(format!("{} {}", event.distinct_id, price.unwrap_or_default()))
    }

    #[test]
    fn what_is_wanted_is_picked_and_the_rest_passed() {
        for (properties, picked) in [
            (r#"{"price":7.50}"#, "ann 7.5"),
            (r#"{"list":[{"price":1}],"price":"\u0037","$lib":"a\"b"}"#, r#"ann "7""#),
            (r#"{"price":1,"price":2}"#, "ann 2"),
            (r#"{"price":"\u0037"}"#, r#"ann "7""#),
            (r#"{"price":18446744073709551615}"#, "ann 18446744073709551615"),
            (r#"{"price":-0}"#, "ann -0.0"),
            (r#"{"price":7e2}"#, "ann 700.0"),
            (r#"{"price":null,"a":0}"#, "ann null"),
            (r#"{"price":true,"a":12.5}"#, "ann true"),
            ("{ }", "ann "),
        ] {
            let record =
                format!(r#"{{"event":"e","properties":{properties},"distinct_id":"ann"}} "#);
            assert_eq!(price(&record).as_deref(), Some(picked), "{record}");
        }
        let short = r#"{"event":"e","distinct_id":"ann","a":1}"#;
        assert_eq!(price(short).as_deref(), Some("ann "), "to its very end");
    }

    /// Numbers are read as serde_json reads them, or not at all.
    #[test]
    fn what_is_picked_is_what_reading_tells() {
        let wanted = ["price".to_owned()];
        let of =
            |person: &str, more: &str| format!(r#"{{"event":"e","distinct_id":{person}{more}}}"#);
        let mut picked = 0;
        for record in [
            of("7", ""),
            of("0", ""),
            of("7.50", ""),
            of("123456789012345678", ""),
            of("12345678901234567890123", ""),
            of(r#""ann""#, r#","event":"f""#),
            of(r#""ann""#, r#","token":"a","token":"b""#),
            of(r#""ann""#, r#","properties":{"price":nule}"#),
            of(r#""ann""#, r#","properties":{"price":12345678901234567890123.5}"#),
        ] {
            let read = Format::Sluice.parse(record.as_bytes());
            let Some((brief, price)) = Glance::at(&record).and_then(|at| at.pick(&wanted)) else {
                continue;
            };
            picked += 1;
            let read = read.unwrap_or_else(|skip| panic!("{record} is no event: {skip:?}"));
            let told = (brief.name, brief.distinct_id, brief.token);
            assert_eq!(told, (&*read.name, &*read.distinct_id, read.token.as_deref()), "{record}");
            let properties = read.properties.as_ref().and_then(|all| all.open().ok());
            let properties = properties.as_deref().unwrap_or("{}");
            assert_eq!(price.value("price"), Picked::from_text(properties, &wanted).value("price"));
        }
        assert!(picked >= 5, "only {picked} are picked");
    }

    #[test]
    fn what_cannot_be_picked_is_left_to_reading() {
        for properties in [
            r#"{"price":[7]}"#,
            r#"{"price":1e999}"#,
            r#"{"price":7,}"#,
            r#"{"price":07}"#,
            r#"{"p\u0072ice":7}"#,
            r#"{"price":7,"$set":{"a":1}}"#,
            r#"{"$unset":["a"]}"#,
            "null",
            "[]",
            "{",
        ] {
            let record =
                format!(r#"{{"event":"e","distinct_id":"ann","properties":{properties}}}"#);
            assert_eq!(price(&record), None, "{record}");
        }
        assert_eq!(price(r#"{"event":"e"}"#), None, "nobody did it");
        assert_eq!(price(r#"{"event":"e","distinct_id":"ann"}}"#), None, "no end");
    }
}
