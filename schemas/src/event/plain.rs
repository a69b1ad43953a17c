//! JSON as it is mostly written, read along: what has escapes or is nested is left to serde_json.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Number, Value as Json};

use super::marks::Marks;
use super::picked::Picked;
use crate::properties::is_write;

/// The most digits before a number's point: fewer than the largest whole number has.
const DIGITS_MAX: usize = 18;

/// What hasn't been read yet of a record. Whatever gives nothing has to be read in another way.
#[derive(Debug)]
pub(super) struct Rest<'a> {
    record: &'a str,
    at: usize,
    marks: Marks,
}

impl<'a> Rest<'a> {
    /// All of a record.
    pub fn new(record: &'a str) -> Self {
        Rest { record, at: 0, marks: Marks::new(record.as_bytes()) }
    }

    /// Passes an object's beginning: whether it has a field.
    pub fn begins(&mut self) -> Option<bool> {
        self.pass(b'{')?;
        if self.peek()? == b'}' { self.goes_on() } else { Some(true) }
    }

    /// Passes what ends a field: whether there is another.
    #[inline]
    pub fn goes_on(&mut self) -> Option<bool> {
        let goes_on = match self.peek()? {
            b',' => true,
            b'}' => false,
            _ => return None,
        };
        self.at += 1;
        Some(goes_on)
    }

    /// The name of a field, with the colon.
    #[inline]
    pub fn key(&mut self) -> Option<&'a [u8]> {
        let key = self.quoted()?;
        self.pass(b':')?;
        self.record.as_bytes().get(key)
    }

    /// Passes any value.
    pub fn skip(&mut self) -> Option<()> {
        if self.quoted().is_some() || self.number().is_some() || self.literal().is_some() {
            return Some(());
        }
        self.read::<IgnoredAny>().map(drop)
    }

    /// Of an object, the properties of these names, none of them nested; nothing where it writes
    /// properties of somebody.
    pub fn properties<'p>(&mut self, wanted: &'p [String]) -> Option<Picked<'p>> {
        let mut picked = Picked::default();
        let mut goes_on = self.begins()?;
        while goes_on {
            let key = self.key()?;
            if key.first() == Some(&b'$') && is_write(key) {
                return None;
            }
            match wanted.iter().find(|wanted| wanted.as_bytes() == key) {
                Some(wanted) => picked.keep(wanted, self.flat()?),
                None => self.skip()?,
            }
            goes_on = self.goes_on()?;
        }
        Some(picked)
    }

    /// What it is.
    pub fn bytes(&self) -> &'a [u8] {
        self.record.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whether nothing but white space is left.
    pub fn is_over(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The text that comes next; nothing, and nothing but white space is passed, where it is no
    /// text or has escapes.
    #[inline]
    pub fn text(&mut self) -> Option<&'a str> {
        let text = self.quoted()?;
        self.record.get(text)
    }

    /// The whole number that comes next, if it has neither a sign nor many digits.
    pub fn whole(&mut self) -> Option<&'a str> {
        self.number().filter(|number| !number.contains('.'))
    }

    fn flat(&mut self) -> Option<Json> {
        if let Some(text) = self.text() {
            return Some(text.into());
        }
        if let Some(number) = self.number() {
            return number_of(number).map(Json::Number);
        }
        // How deeply values may be nested is counted from where a record begins.
        match self.peek()? {
            b'{' | b'[' => None,
            _ => self.literal().or_else(|| self.read()),
        }
    }

    fn read<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let rest = self.record.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(value)
    }

    /// Where the text is that comes next.
    #[inline]
    fn quoted(&mut self) -> Option<Range<usize>> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let end = self.marks.first(self.record.as_bytes(), start)?;
        if self.record.as_bytes()[end] != b'"' {
            return None;
        }
        self.at = end + 1;
        Some(start..end)
    }

    /// The number that comes next, if it has neither a sign nor an exponent nor many digits.
    fn number(&mut self) -> Option<&'a str> {
        let rest = self.bytes();
        let digits = |from: usize| {
            let digits = rest.get(from..).unwrap_or_default();
            digits.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let whole = digits(0);
        if whole == 0 || whole > DIGITS_MAX || (whole > 1 && rest[0] == b'0') {
            return None;
        }
        let mut end = whole;
        if rest.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            end += if fraction == 0 { return None } else { 1 + fraction };
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            return None;
        }
        self.at += end;
        self.record.get(self.at - end..self.at)
    }

    /// The truth value or the null that comes next.
    fn literal(&mut self) -> Option<Json> {
        let rest = self.bytes();
        let (literal, value) = match rest.first()? {
            b't' => ("true", Json::Bool(true)),
            b'f' => ("false", Json::Bool(false)),
            b'n' => ("null", Json::Null),
            _ => return None,
        };
        if !rest.starts_with(literal.as_bytes()) {
            return None;
        }
        self.at += literal.len();
        Some(value)
    }

    /// Passes white space, and this byte, which has to come next.
    #[inline]
    fn pass(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// Passes white space; the byte behind it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match *self.record.as_bytes().get(self.at)? {
            ..=b' ' => self.peek_behind_space(),
            byte => Some(byte),
        }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> Option<u8> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += self.bytes().iter().take_while(|byte| is_space(byte)).count();
        self.bytes().first().copied()
    }
}

/// What [`Rest::number`] gives, as serde_json would read it.
fn number_of(written: &str) -> Option<Number> {
    match written.parse::<u64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(written.parse().ok()?),
    }
}
