//! Links: with which other distinct ids an id was linked, as a set that merges in any order.
//!
//! Of what links one id the earliest decides ([`crate::person`]), so the earliest are kept. The
//! person whom the pipeline takes an id for comes first, and there the newest is kept.
//! Stored, earliest first: `stamp 12 | role u8 | id bytes u16 | id`.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use crate::ids::DISTINCT_ID_BYTES_MAX;
use crate::record::Record;
use crate::window::{ENTRY_BYTES, Entry};

/// The most links that are kept of one distinct id, the earliest ones. An id with so many may
/// have more, and what is known of its person is said to be incomplete.
pub const LINKS_MAX: usize = 1_000;

const HEADER_BYTES: usize = ENTRY_BYTES + 1 + 2;

/// The most bytes that the links of one distinct id take, with the person whom the pipeline takes
/// it for.
pub const LINKS_BYTES_MAX: usize = (LINKS_MAX + 1) * (HEADER_BYTES + DISTINCT_ID_BYTES_MAX);

/// What a link makes of the id that bears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Anonymous, and the other identified with it. Only the earliest is kept: no later one
    /// can take the id away.
    Belongs = 0,
    /// Identified, and the other was anonymous.
    Owns = 1,
    /// `$merge_dangerously` put it into the other.
    Absorbed = 2,
    /// `$merge_dangerously` put the other into it.
    Absorbs = 3,
    /// The pipeline takes it for the person of this id. Only the newest is kept.
    Carried = 4,
    /// It is such a person's, and the pipeline took the other for them at some time.
    Carries = 5,
}

impl Role {
    /// The role of the other id.
    pub fn reverse(self) -> Role {
        match self {
            Role::Belongs => Role::Owns,
            Role::Owns => Role::Belongs,
            Role::Absorbed => Role::Absorbs,
            Role::Absorbs => Role::Absorbed,
            Role::Carried => Role::Carries,
            Role::Carries => Role::Carried,
        }
    }
}

/// One dated link of a distinct id. The order is the one in which links count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link<'a> {
    /// When, and by which event.
    pub stamp: Entry,
    /// What it makes of the id that bears it.
    pub role: Role,
    /// The other id, cut as all are ([`crate::ids::cut_distinct_id`]).
    pub other: Cow<'a, str>,
}

impl Link<'_> {
    /// The link as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        debug_assert!(self.other.len() <= DISTINCT_ID_BYTES_MAX);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.other.len());
        bytes.extend_from_slice(&self.stamp.to_bytes());
        bytes.push(self.role as u8);
        bytes.extend_from_slice(&(self.other.len() as u16).to_le_bytes());
        bytes.extend_from_slice(self.other.as_bytes());
        bytes
    }

    /// Of links that are equal in this the earliest stays.
    fn repeats(&self) -> (Role, &str) {
        match self.role {
            Role::Belongs => (Role::Belongs, ""),
            role => (role, &self.other),
        }
    }
}

/// The link by which a person whom the pipeline has a name for is known to have this id. It has
/// no date: the id's own record tells whether it is so still.
pub fn carries(distinct_id: &str) -> Link<'_> {
    Link {
        stamp: Entry::from_bytes([0; ENTRY_BYTES]),
        role: Role::Carries,
        other: distinct_id.into(),
    }
}

/// What became of the person id that an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrying {
    /// A newer event has told already.
    Older,
    /// It is the same person still.
    Same,
    /// It is another person now.
    Other,
}

/// The links stored in `section`, earliest first, but for the person whom the pipeline takes the
/// id for, who comes before them.
pub fn links(section: &[u8]) -> impl Iterator<Item = Link<'_>> {
    let mut rest = section;
    std::iter::from_fn(move || {
        let (link, after) = read(rest)?;
        rest = after;
        Some(link)
    })
}

impl Record {
    /// The links, earliest first, but for [`Role::Carried`], which is before them.
    pub fn links(&self) -> impl Iterator<Item = Link<'_>> {
        links(self.links_section())
    }

    /// Keeps a link. Returns whether that changed anything: a repetition doesn't, and neither
    /// does one that is later than [`LINKS_MAX`] others.
    pub fn link(&mut self, link: &Link<'_>) -> bool {
        self.merge_links(&link.to_bytes())
    }

    /// Keeps whom the pipeline took the distinct id for, unless a newer event told already.
    pub fn carry(&mut self, stamp: Entry, person_id: &str) -> Carrying {
        let held = self.links().next().filter(|link| link.role == Role::Carried);
        match held {
            Some(held) if held.other == person_id && held.stamp >= stamp => Carrying::Older,
            Some(held) if held.other == person_id => {
                self.links_section_mut()[..ENTRY_BYTES].copy_from_slice(&stamp.to_bytes());
                Carrying::Same
            }
            _ => {
                let link = Link { stamp, role: Role::Carried, other: person_id.into() };
                if self.link(&link) { Carrying::Other } else { Carrying::Older }
            }
        }
    }

    pub(crate) fn merge_links(&mut self, other: &[u8]) -> bool {
        let Some(merged) = merge(self.links_section(), other) else {
            return false;
        };
        self.replace_links(&merged);
        true
    }
}

/// Whether `section` is laid out as links to its end.
pub(crate) fn check(section: &[u8]) -> Option<()> {
    let mut rest = section;
    while !rest.is_empty() {
        rest = read(rest)?.1;
    }
    Some(())
}

/// The section once everything of `other` is in it; none if that changes nothing.
pub(crate) fn merge(held: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let earliest = links(other).next()?;
    let mut all: Vec<Link<'_>> = links(held).collect();
    let kept = all.iter().filter(|link| link.role != Role::Carried).count();
    let is_later = earliest.role != Role::Carried && all.last() <= Some(&earliest);
    if kept >= LINKS_MAX && is_later {
        return None;
    }
    all.extend(links(other));
    let (carried, mut rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|link| link.role == Role::Carried);
    rest.sort();
    let mut seen = FxHashSet::default();
    let rest = rest.iter().filter(|link| seen.insert(link.repeats())).take(LINKS_MAX);
    let merged: Vec<u8> =
        carried.iter().max().into_iter().chain(rest).flat_map(Link::to_bytes).collect();
    (merged != held).then_some(merged)
}

fn read(bytes: &[u8]) -> Option<(Link<'_>, &[u8])> {
    let header = bytes.get(..HEADER_BYTES)?;
    let stamp = Entry::from_bytes(header[..ENTRY_BYTES].try_into().ok()?);
    let role = match header[ENTRY_BYTES] {
        0 => Role::Belongs,
        1 => Role::Owns,
        2 => Role::Absorbed,
        3 => Role::Absorbs,
        4 => Role::Carried,
        5 => Role::Carries,
        _ => return None,
    };
    let len = u16::from_le_bytes(header[ENTRY_BYTES + 1..].try_into().ok()?);
    let end = HEADER_BYTES + usize::from(len);
    let other = std::str::from_utf8(bytes.get(HEADER_BYTES..end)?).ok()?;
    Some((Link { stamp, role, other: other.into() }, &bytes[end..]))
}
