//! Everything kept of one distinct id in one partition: windows, links and property registers.
//!
//! A record merges with any other of the same distinct id, in any order and any number of times.
//! Its layout is in `sections.rs`.

mod reading;

use std::ops::Range;

use crate::ids::MatcherId;
use crate::properties::{self, Register};
use crate::sections::{
    self, HEADER_BYTES, LINKS_HEADER_BYTES, VERSION, VERSION_UNLINKED, WINDOW_HEADER_BYTES,
    matcher_of, stored_bytes, window_bytes,
};
use crate::window::{ENTRY_BYTES, Entry, Folded, Hit, Keep, Kept, LOST_BYTES, Placing, Window};

/// Records grow by this step, so that a hit rarely moves one and little is wasted.
const GROWTH_BYTES: usize = 2 * ENTRY_BYTES;

/// Why stored bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by another version.
    #[error("a record of version {0}, this is version {VERSION}")]
    Version(u8),
    /// Cut off, or not laid out as a record.
    #[error("a record that is torn")]
    Torn,
}

/// What is kept of a distinct id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<u8>);

impl Record {
    /// The record as it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes it takes in memory, spare room included.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= self.windows_at().start
    }

    /// The windows, by matcher, as they are stored.
    pub fn windows(&self) -> impl Iterator<Item = (MatcherId, &[u8])> {
        let mut rest = self.windows_section();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (window, after) = rest.split_at(window_bytes(rest));
            rest = after;
            Some((matcher_of(window), &window[WINDOW_HEADER_BYTES..]))
        })
    }

    /// What is stored for one matcher; nothing where nothing was kept.
    pub fn stored(&self, matcher: MatcherId) -> &[u8] {
        let found = self.windows().find(|(id, _)| *id >= matcher);
        found.filter(|(id, _)| *id == matcher).map_or(&[], |(_, stored)| stored)
    }

    /// The entries of one matcher that keeps no values.
    pub fn window(&self, matcher: MatcherId) -> Window<'_> {
        Window::new(self.stored(matcher))
    }

    /// Keeps a hit of `matcher`.
    pub fn fold(&mut self, matcher: MatcherId, kept: Kept, hit: Hit) -> Folded {
        debug_assert!(kept.k > 0);
        if kept.keep == Keep::Newest {
            return self.fold_newest(matcher, kept.k, hit.entry);
        }
        match kept.fold(self.stored(matcher), hit) {
            None => Folded::Duplicate,
            Some(changed) => {
                self.replace(matcher, &changed);
                Folded::Kept
            }
        }
    }

    /// Stores something else for a matcher.
    pub(crate) fn replace(&mut self, matcher: MatcherId, changed: &[u8]) {
        debug_assert!(changed.len() <= usize::from(u16::MAX), "more than a window may have");
        self.ensure_header();
        let (at, found) = self.locate(matcher);
        let before = if found { window_bytes(&self.0[at..]) } else { 0 };
        let windows_len = self.windows_len() - before;
        let mut window = Vec::with_capacity(WINDOW_HEADER_BYTES + changed.len());
        window.extend_from_slice(&matcher.0.to_le_bytes());
        window.extend_from_slice(&(changed.len() as u16).to_le_bytes());
        window.extend_from_slice(changed);
        self.splice(at, before, &window);
        self.set_windows_len(windows_len + window.len());
    }

    /// The same in place, for the way that most matchers keep hits.
    fn fold_newest(&mut self, matcher: MatcherId, k: u16, entry: Entry) -> Folded {
        let (at, found) = self.locate(matcher);
        if !found {
            self.open_window(at, matcher, entry);
            return Folded::Kept;
        }
        let entries_at = at + WINDOW_HEADER_BYTES;
        let bytes = stored_bytes(&self.0[at..]);
        let len = bytes / ENTRY_BYTES;
        let window = Window::new(&self.0[entries_at..entries_at + bytes]);
        match window.placing(entry, k) {
            Placing::Not(folded) => return folded,
            Placing::At(index) if len < usize::from(k) => {
                let place = entries_at + index * ENTRY_BYTES;
                self.splice(place, 0, &entry.to_bytes());
                self.set_stored_bytes(at, bytes + ENTRY_BYTES);
            }
            Placing::At(index) => self.rotate_in(entries_at, index, len - 1, entry),
            Placing::Instead { twin, at: index } => {
                let from = entries_at + twin * ENTRY_BYTES;
                let to = entries_at + (index + 1) * ENTRY_BYTES;
                let oldest = window.entries().last();
                self.0[from..to].rotate_left(ENTRY_BYTES);
                self.0[to - ENTRY_BYTES..to].copy_from_slice(&entry.to_bytes());
                // What it is older than now may have been pushed out of a full window.
                if let Some(oldest) = oldest.filter(|_| index + 1 == usize::from(k)) {
                    self.lose(matcher, oldest.time_ms());
                }
            }
        }
        debug_assert!(self.window(matcher).entries().is_sorted_by(|newer, older| newer > older));
        Folded::Kept
    }

    /// Tells that entries of `lost_ms` and before may be missing.
    fn lose(&mut self, matcher: MatcherId, lost_ms: i64) {
        let (at, found) = self.locate(matcher);
        if !found {
            return;
        }
        let bytes = stored_bytes(&self.0[at..]);
        let known = self.window(matcher).lost_ms();
        let entries = bytes - known.map_or(0, |_| LOST_BYTES);
        let lost_ms = known.map_or(lost_ms, |known| known.max(lost_ms));
        let place = at + WINDOW_HEADER_BYTES + entries;
        self.splice(place, bytes - entries, &lost_ms.to_le_bytes());
        self.set_stored_bytes(at, entries + LOST_BYTES);
    }

    /// Adds everything of `other`. `kept` tells what a matcher keeps; a matcher without an
    /// answer is no longer used, and its entries are left behind.
    pub fn merge(&mut self, other: &Record, kept: impl Fn(MatcherId) -> Option<Kept>) {
        self.merge_windows(other, kept);
        self.merge_links(other.links_section());
        for register in other.registers() {
            self.write(&register);
        }
    }

    /// Adds the windows and properties of another distinct id of the same person, who counts
    /// less: what both set at one time stays as it is here.
    pub fn join(&mut self, other: &Record, kept: impl Fn(MatcherId) -> Option<Kept>) {
        self.merge_windows(other, kept);
        for register in other.registers() {
            self.write_where(&register, |new, held| {
                new.is_of_another_time(held) && new.beats(held)
            });
        }
    }

    fn merge_windows(&mut self, other: &Record, kept: impl Fn(MatcherId) -> Option<Kept>) {
        for (matcher, stored) in other.windows() {
            let Some(kept) = kept(matcher) else { continue };
            let is_newest = kept.keep == Keep::Newest;
            // In place, as long as both tell the same of every event.
            if is_newest && !Window::new(stored).disagrees(self.window(matcher)) {
                let window = Window::new(stored);
                window.entries().for_each(|entry| _ = self.fold_newest(matcher, kept.k, entry));
                window.lost_ms().into_iter().for_each(|lost_ms| self.lose(matcher, lost_ms));
            } else if let Some(changed) = kept.merge(self.stored(matcher), stored) {
                self.replace(matcher, &changed);
            }
        }
    }

    /// Whether the distinct id was ever linked with another, or with a person.
    pub fn has_links(&self) -> bool {
        sections::has_links(&self.0)
    }

    /// The property registers, by key.
    pub fn registers(&self) -> impl Iterator<Item = Register<'_>> {
        properties::registers(self.properties_section())
    }

    /// Merges one property register. Returns whether it was kept: an older one loses, and so
    /// does one that would grow a person's properties beyond
    /// [`properties::PROPERTIES_BYTES_MAX`].
    pub fn write(&mut self, register: &Register<'_>) -> bool {
        self.write_where(register, |new, held| new.beats(held))
    }

    fn write_where(
        &mut self,
        register: &Register<'_>,
        wins: impl Fn(&Register<'_>, &Register<'_>) -> bool,
    ) -> bool {
        let Some(range) = properties::place(self.properties_section(), register, wins) else {
            return false;
        };
        let grown = self.properties_section().len() - range.len() + register.stored_len();
        if grown > properties::PROPERTIES_BYTES_MAX {
            return false;
        }
        self.ensure_header();
        let section = sections::links(&self.0).end;
        self.splice(section + range.start, range.len(), &register.to_bytes());
        true
    }

    /// Keeps only what some matcher can still see at `log_time_ms`: `kept` tells how far back
    /// it looks, or nothing once it is no longer used. Returns whether anything is left.
    pub fn expire(&mut self, kept: impl Fn(MatcherId) -> Option<Kept>, log_time_ms: i64) -> bool {
        let visible = |matcher, stored: &[u8]| {
            kept(matcher).is_some_and(|kept| kept.is_visible(stored, log_time_ms))
        };
        if self.windows().any(|(matcher, stored)| !visible(matcher, stored)) {
            let mut left = Vec::new();
            for (matcher, stored) in self.windows().filter(|(id, stored)| visible(*id, stored)) {
                left.extend_from_slice(&matcher.0.to_le_bytes());
                left.extend_from_slice(&(stored.len() as u16).to_le_bytes());
                left.extend_from_slice(stored);
            }
            self.0.splice(self.windows_at(), left.iter().copied());
            self.set_windows_len(left.len());
        }
        !self.is_empty()
    }

    fn windows_at(&self) -> Range<usize> {
        sections::windows(&self.0)
    }

    fn windows_len(&self) -> usize {
        self.windows_at().len()
    }

    fn windows_section(&self) -> &[u8] {
        self.0.get(self.windows_at()).unwrap_or_default()
    }

    pub(crate) fn links_section(&self) -> &[u8] {
        self.0.get(sections::links(&self.0)).unwrap_or_default()
    }

    pub(crate) fn links_section_mut(&mut self) -> &mut [u8] {
        let links = sections::links(&self.0);
        self.0.get_mut(links).unwrap_or_default()
    }

    /// Puts other links in the place of all that there are.
    pub(crate) fn replace_links(&mut self, section: &[u8]) {
        self.ensure_header();
        if !self.has_links() {
            self.splice(HEADER_BYTES, 0, &[0; LINKS_HEADER_BYTES]);
            self.0[0] = VERSION;
        }
        let links = sections::links(&self.0);
        self.splice(links.start, links.len(), section);
        let len = (section.len() as u32).to_le_bytes();
        self.0[HEADER_BYTES..HEADER_BYTES + LINKS_HEADER_BYTES].copy_from_slice(&len);
    }

    fn properties_section(&self) -> &[u8] {
        self.0.get(sections::links(&self.0).end..).unwrap_or_default()
    }

    /// Where the matcher's window begins, or would, and whether it is there.
    fn locate(&self, matcher: MatcherId) -> (usize, bool) {
        let Range { start: mut at, end } = self.windows_at();
        while at < end {
            let id = matcher_of(&self.0[at..]);
            if id >= matcher {
                return (at, id == matcher);
            }
            at += window_bytes(&self.0[at..]);
        }
        (at, false)
    }

    fn open_window(&mut self, at: usize, matcher: MatcherId, entry: Entry) {
        self.ensure_header();
        let mut window = [0; WINDOW_HEADER_BYTES + ENTRY_BYTES];
        window[..4].copy_from_slice(&matcher.0.to_le_bytes());
        window[4..6].copy_from_slice(&(ENTRY_BYTES as u16).to_le_bytes());
        window[6..].copy_from_slice(&entry.to_bytes());
        self.splice(at, 0, &window);
        self.set_windows_len(self.windows_len() + window.len());
    }

    fn set_stored_bytes(&mut self, at: usize, bytes: usize) {
        let windows_len = self.windows_len() + bytes - stored_bytes(&self.0[at..]);
        self.0[at + 4..at + 6].copy_from_slice(&(bytes as u16).to_le_bytes());
        self.set_windows_len(windows_len);
    }

    fn set_windows_len(&mut self, len: usize) {
        self.0[1..HEADER_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
    }

    /// Puts `entry` at `index`; the entry at `last` leaves.
    fn rotate_in(&mut self, entries_at: usize, index: usize, last: usize, entry: Entry) {
        let from = entries_at + index * ENTRY_BYTES;
        let to = entries_at + (last + 1) * ENTRY_BYTES;
        self.0[from..to].rotate_right(ENTRY_BYTES);
        self.0[from..from + ENTRY_BYTES].copy_from_slice(&entry.to_bytes());
    }

    fn ensure_header(&mut self) {
        if self.0.is_empty() {
            self.0.reserve_exact(HEADER_BYTES + WINDOW_HEADER_BYTES + GROWTH_BYTES);
            self.0.extend_from_slice(&[VERSION_UNLINKED, 0, 0, 0, 0]);
        }
    }

    /// Replaces `len` bytes at `at` by `bytes`.
    fn splice(&mut self, at: usize, len: usize, bytes: &[u8]) {
        let grown = self.0.len() + bytes.len() - len;
        if grown > self.0.capacity() {
            self.0.reserve_exact(grown + GROWTH_BYTES - self.0.len());
        }
        self.0.splice(at..at + len, bytes.iter().copied());
    }
}

#[cfg(test)]
mod tests;
