//! Person properties as registers that merge in any order.
//!
//! A key has two registers: the newest `$set` or `$unset`, and the earliest `$set_once`.
//! The first wins where it holds a value; after an `$unset`, and where there is neither, the
//! `$set_once` counts, if it is later than the `$unset`.
//!
//! Stored: `key bytes u16 | kind u8 | stamp 12 | value bytes u32 | key | value as JSON`.

use std::borrow::Cow;
use std::ops::Range;

use crate::event::any_dollar;
use crate::window::{ENTRY_BYTES, Entry};

/// The most bytes that one person's properties take; what would exceed it is left out, counted.
pub const PROPERTIES_BYTES_MAX: usize = 64 * 1024;

const HEADER_BYTES: usize = 2 + 1 + ENTRY_BYTES + 4;

/// Whether what an event has under this name writes a person's properties.
pub fn is_write(name: &[u8]) -> bool {
    matches!(name, b"$set" | b"$set_once" | b"$unset")
}

/// Whether these bytes of an event can hold a write at all: a name of one, or a sign of ASCII that
/// is written as its number.
pub fn may_write(bytes: &[u8]) -> bool {
    any_dollar(bytes, |found| match found {
        [b'$', rest @ ..] => rest.starts_with(b"set") || rest.starts_with(b"unset"),
        rest => matches!(rest, [b'\\', b'u', b'0', b'0', b'2'..=b'7', ..]),
    })
}

/// What a register holds. The order decides between writes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `$set`
    Set = 0,
    /// `$unset`; it wins over a `$set` in the same event.
    Unset = 1,
    /// `$set_once`
    SetOnce = 2,
}

/// One dated write of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// The property's name.
    pub key: Cow<'a, str>,
    /// What was written.
    pub kind: Kind,
    /// When, and by which event.
    pub stamp: Entry,
    /// JSON text; empty for `$unset`.
    pub value: Cow<'a, str>,
}

impl Register<'_> {
    /// Bytes it takes when stored.
    pub fn stored_len(&self) -> usize {
        HEADER_BYTES + self.key.len() + self.value.len()
    }

    /// The register as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.stored_len());
        bytes.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.stamp.to_bytes());
        bytes.extend_from_slice(&(self.value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend_from_slice(self.value.as_bytes());
        bytes
    }

    fn is_once(&self) -> bool {
        self.kind == Kind::SetOnce
    }

    /// Whether the writes were made at different milliseconds.
    pub(crate) fn is_of_another_time(&self, other: &Register<'_>) -> bool {
        self.stamp.time_ms() != other.stamp.time_ms()
    }

    /// Whether this write stands when both were made.
    pub(crate) fn beats(&self, other: &Register<'_>) -> bool {
        let mine = (self.stamp, self.kind, &self.value);
        let theirs = (other.stamp, other.kind, &other.value);
        if self.is_once() { mine < theirs } else { mine > theirs }
    }
}

/// The registers stored in `section`, by key, `$set_once` last.
pub fn registers(section: &[u8]) -> impl Iterator<Item = Register<'_>> {
    let mut rest = section;
    std::iter::from_fn(move || {
        let (register, after) = read(rest)?;
        rest = after;
        Some(register)
    })
}

/// Whether `section` is laid out as registers to its end.
pub(crate) fn check(section: &[u8]) -> Option<()> {
    let mut rest = section;
    while !rest.is_empty() {
        rest = read(rest)?.1;
    }
    Some(())
}

/// Which bytes of `section` a register takes the place of; none unless it `wins` over what is
/// held.
pub(crate) fn place(
    section: &[u8],
    register: &Register<'_>,
    wins: impl Fn(&Register<'_>, &Register<'_>) -> bool,
) -> Option<Range<usize>> {
    if register.key.len() > usize::from(u16::MAX) {
        return None;
    }
    let mut at = 0;
    for held in registers(section) {
        let len = held.stored_len();
        let order = (held.key.as_ref(), held.is_once());
        match order.cmp(&(register.key.as_ref(), register.is_once())) {
            std::cmp::Ordering::Less => at += len,
            std::cmp::Ordering::Equal if wins(register, &held) => return Some(at..at + len),
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => break,
        }
    }
    Some(at..at)
}

/// What the registers say now: property and JSON text, by key.
pub fn resolve<'a>(
    registers: impl Iterator<Item = Register<'a>>,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let mut registers = registers.peekable();
    std::iter::from_fn(move || {
        loop {
            let first = registers.next()?;
            let once = match first.kind {
                Kind::SetOnce => Some(first.clone()),
                _ => registers.next_if(|next| next.is_once() && next.key == first.key),
            };
            let value = match (first.kind, once) {
                (Kind::Set, _) => Some(first.value),
                (Kind::Unset, Some(once)) if once.stamp > first.stamp => Some(once.value),
                (Kind::SetOnce, Some(once)) => Some(once.value),
                _ => None,
            };
            if let Some(value) = value {
                return Some((first.key, value));
            }
        }
    })
}

fn read(bytes: &[u8]) -> Option<(Register<'_>, &[u8])> {
    let header = bytes.get(..HEADER_BYTES)?;
    let key_len = usize::from(u16::from_le_bytes([header[0], header[1]]));
    let kind = match header[2] {
        0 => Kind::Set,
        1 => Kind::Unset,
        2 => Kind::SetOnce,
        _ => return None,
    };
    let stamp = Entry::from_bytes(header[3..3 + ENTRY_BYTES].try_into().ok()?);
    let value_len = u32::from_le_bytes(header[3 + ENTRY_BYTES..].try_into().ok()?) as usize;
    let key_end = HEADER_BYTES.checked_add(key_len)?;
    let value_end = key_end.checked_add(value_len)?;
    let key = std::str::from_utf8(bytes.get(HEADER_BYTES..key_end)?).ok()?;
    let value = std::str::from_utf8(bytes.get(key_end..value_end)?).ok()?;
    let register = Register { key: key.into(), kind, stamp, value: value.into() };
    Some((register, &bytes[value_end..]))
}
