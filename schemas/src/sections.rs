//! Sections: where windows, links and properties lie in a stored record, in each version of it.
//!
//! Version 3, little-endian where not said otherwise; version 2 is the same without links, and
//! what a record has until it gets the first:
//!
//! ```text
//! version u8 | bytes of windows u32 | bytes of links u32
//!            | windows, by matcher | links (links.rs) | properties, by key (properties.rs)
//! window:  matcher u32 | bytes u16 | as its matcher keeps hits (window/)
//! ```
//!
//! Version 1 had neither links nor a window's bytes, but the number of its 12-byte entries.

use std::ops::Range;

use crate::ids::MatcherId;
use crate::record::RecordError;
use crate::window::{self, ENTRY_BYTES};
use crate::{links, properties};

/// With links.
pub const VERSION: u8 = 3;
/// Without.
pub const VERSION_UNLINKED: u8 = 2;
/// Still read, and rewritten when it changes.
const VERSION_OF_ENTRIES: u8 = 1;

/// Before the windows of a record without links.
pub const HEADER_BYTES: usize = 5;
/// What a record with links has there besides.
pub const LINKS_HEADER_BYTES: usize = 4;
/// Before what is stored of a window.
pub const WINDOW_HEADER_BYTES: usize = 6;

/// Takes stored bytes for a record, in a version that is written now.
///
/// # Errors
/// Another version, or a torn layout.
pub fn check(mut record: Vec<u8>) -> Result<Vec<u8>, RecordError> {
    match record.first() {
        None => return Ok(record),
        Some(&(VERSION | VERSION_UNLINKED)) => {}
        Some(&VERSION_OF_ENTRIES) => tell_bytes(&mut record).ok_or(RecordError::Torn)?,
        Some(&other) => return Err(RecordError::Version(other)),
    }
    check_sections(&record).ok_or(RecordError::Torn)?;
    Ok(record)
}

fn check_sections(record: &[u8]) -> Option<()> {
    record.get(..windows(record).start)?;
    let mut rest = record.get(windows(record))?;
    while !rest.is_empty() {
        let (window, after) =
            rest.split_at_checked(window_bytes(rest.get(..WINDOW_HEADER_BYTES)?))?;
        window::is_whole(&window[WINDOW_HEADER_BYTES..]).then_some(())?;
        rest = after;
    }
    links::check(record.get(links(record))?)?;
    properties::check(record.get(links(record).end..)?)
}

/// Brings a record of version 1 to version 2.
fn tell_bytes(record: &mut [u8]) -> Option<()> {
    record[0] = VERSION_UNLINKED;
    record.get(..HEADER_BYTES)?;
    let Range { start: mut at, end } = windows(record);
    while at < end {
        let entries = stored_bytes(record.get(at..at + WINDOW_HEADER_BYTES)?);
        let bytes = u16::try_from(entries * ENTRY_BYTES).ok()?;
        record[at + 4..at + WINDOW_HEADER_BYTES].copy_from_slice(&bytes.to_le_bytes());
        at += WINDOW_HEADER_BYTES + usize::from(bytes);
    }
    Some(())
}

/// Where the windows lie.
pub fn windows(record: &[u8]) -> Range<usize> {
    let more = if has_links(record) { LINKS_HEADER_BYTES } else { 0 };
    let start = HEADER_BYTES + more;
    start..start + len_at(record, 1)
}

/// Where the links lie.
pub fn links(record: &[u8]) -> Range<usize> {
    let start = windows(record).end;
    let len = if has_links(record) { len_at(record, HEADER_BYTES) } else { 0 };
    start..start + len
}

/// Whether the record has links.
pub fn has_links(record: &[u8]) -> bool {
    record.first() == Some(&VERSION)
}

fn len_at(record: &[u8], at: usize) -> usize {
    match record.get(at..at + 4) {
        Some(bytes) => u32::from_le_bytes(bytes.try_into().expect("4 bytes")) as usize,
        None => 0,
    }
}

/// Whose window it is.
pub fn matcher_of(window: &[u8]) -> MatcherId {
    MatcherId(u32::from_le_bytes(window[..4].try_into().expect("4 bytes")))
}

/// How many bytes are stored of a window.
pub fn stored_bytes(window: &[u8]) -> usize {
    usize::from(u16::from_le_bytes(window[4..6].try_into().expect("2 bytes")))
}

/// The same with its header.
pub fn window_bytes(window: &[u8]) -> usize {
    WINDOW_HEADER_BYTES + stored_bytes(window)
}
