//! JSON as it is mostly written, read along: what has escapes or is nested is left to serde_json.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::picked::Picked;
use super::scalar::Scalar;

/// What hasn't been read yet. Whatever gives nothing has to be read in another way.
#[derive(Debug)]
pub(super) struct Rest<'a>(pub &'a str);

impl<'a> Rest<'a> {
    /// Passes white space; the byte behind it.
    pub fn peek(&mut self) -> Option<u8> {
        match self.0.as_bytes().first()? {
            ..=b' ' => self.peek_behind_space(),
            first => Some(*first),
        }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> Option<u8> {
        self.0 = self.0.trim_start_matches([' ', '\n', '\r', '\t']);
        self.0.as_bytes().first().copied()
    }

    /// Passes an object's beginning: whether it has a field.
    pub fn begins(&mut self) -> Option<bool> {
        self.pass(b'{')?;
        if self.peek()? == b'}' { self.goes_on() } else { Some(true) }
    }

    /// Passes what ends a field: whether there is another.
    pub fn goes_on(&mut self) -> Option<bool> {
        let goes_on = self.peek()? == b',';
        self.pass(if goes_on { b',' } else { b'}' })?;
        Some(goes_on)
    }

    /// The name of a field, with the colon.
    pub fn key(&mut self) -> Option<&'a str> {
        let key = self.text()?;
        self.pass(b':')?;
        Some(key)
    }

    /// A field's text or number, or what it has instead.
    pub fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.text() {
            Some(text) => Some(Scalar::Text(text.into())),
            None => self.read(),
        }
    }

    /// Passes any value.
    pub fn skip(&mut self) -> Option<()> {
        match self.text() {
            Some(_) => Some(()),
            None => self.read::<IgnoredAny>().map(drop),
        }
    }

    /// Of an object, the properties of these names, none of them nested.
    pub fn properties<'p>(&mut self, wanted: &'p [String]) -> Option<Picked<'p>> {
        let mut picked = Picked::default();
        let mut goes_on = self.begins()?;
        while goes_on {
            let key = self.key()?;
            match wanted.iter().find(|wanted| **wanted == key) {
                Some(wanted) => picked.keep(wanted, self.flat()?),
                None => self.skip()?,
            }
            goes_on = self.goes_on()?;
        }
        Some(picked)
    }

    fn flat(&mut self) -> Option<Json> {
        if let Some(text) = self.text() {
            return Some(text.into());
        }
        // How deeply values may be nested is counted from where a record begins.
        if matches!(self.peek()?, b'{' | b'[') { None } else { self.read() }
    }

    fn read<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter();
        let value = values.next()?.ok()?;
        self.0 = self.0.get(values.byte_offset()..)?;
        Some(value)
    }

    /// The text that comes next; nothing, and nothing but white space is passed, where it is no
    /// text or has escapes.
    fn text(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let inside = self.0.get(1..)?;
        let end = plain(inside.as_bytes());
        if *inside.as_bytes().get(end)? != b'"' {
            return None;
        }
        self.0 = inside.get(end + 1..)?;
        inside.get(..end)
    }

    /// Passes white space, and this byte, which has to come next.
    fn pass(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.0 = self.0.get(1..)?;
        Some(())
    }
}

/// How many bytes stand before a quote, a backslash, or what JSON has no place for in texts; eight
/// are looked at at a time.
fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        // The lowest bit that is set tells the first such byte; those above it may be wrong.
        let found = below(eight ^ of(b'"'), 1) | below(eight ^ of(b'\\'), 1) | below(eight, b' ');
        if found != 0 {
            return bytes.len() - rest.len() + found.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + plain_of_few(rest)
}

#[cold]
fn plain_of_few(bytes: &[u8]) -> usize {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    bytes.iter().position(ends).unwrap_or(bytes.len())
}

/// The highest bit of each byte that is below this one.
fn below(eight: u64, byte: u8) -> u64 {
    eight.wrapping_sub(of(byte)) & !eight & of(0x80)
}

/// Eight times the same byte.
const fn of(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}
