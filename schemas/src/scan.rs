//! The seam towards everybody: a walk over the people of a project, in one order.

use std::ops::ControlFlow;

use crate::ids::{MatcherId, ProjectId};
use crate::lookup::{Facts, Position};
use crate::record::Record;
use crate::unknown::Unknown;
use crate::window::Kept;

/// A place in the order in which people are walked: by hash, then by project and id. It is the
/// same on every node and whatever partitions a person's events are in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Vec<u8>);

/// Bytes of the hash that a place begins with.
pub const HASH_BYTES: usize = 8;

impl Place {
    /// Where the `part`-th of so many parts begins, each with about as many people. Nobody
    /// stands there.
    pub fn part(part: u64, parts: u64) -> Place {
        debug_assert!(parts.is_power_of_two() && part < parts);
        let hash = u128::from(part) << (u64::BITS - parts.trailing_zeros());
        Place((hash as u64).to_be_bytes().to_vec())
    }

    /// The hash of whoever stands here.
    pub fn hash(&self) -> u64 {
        let hash = self.0.first_chunk::<HASH_BYTES>();
        hash.map_or(0, |hash| u64::from_be_bytes(*hash))
    }
}

/// Whom a walk is about, and how new what it tells has to be.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The project whose people they are.
    pub project: ProjectId,
    /// Those after this place; the default is before everybody.
    pub after: &'a Place,
    /// And before this one, if there is one.
    pub before: Option<&'a Place>,
    /// Nothing behavioural is known by state that hasn't reached this.
    pub at_least: &'a Position,
    /// The instant that people are asked about, in epoch milliseconds.
    pub now_ms: i64,
    /// The instant of the walk itself: later than `now_ms` for a list's second page.
    pub asked_ms: i64,
}

/// What a walk comes by.
#[derive(Clone, Copy, Debug)]
pub enum Met<'a> {
    /// A person, at the place of the first of their ids.
    Person {
        /// That id.
        distinct_id: &'a str,
        /// What is known of them.
        facts: &'a Facts,
    },
    /// Nobody of these: another project's, an id of somebody who has their place elsewhere, or
    /// of whom nothing is kept that a condition could see.
    Nobody,
}

/// Why a list can't be begun, or can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheld {
    /// It wasn't asked for in time: what it needs may be gone.
    Lapsed,
    /// Too many others are under way.
    TooMany,
}

/// Walks over everybody this node knows of. It reads disks and takes its time: never on a
/// thread that answers requests.
pub trait Scan: Send + Sync + 'static {
    /// How far state has read.
    fn position(&self) -> Position;

    /// Keeps what a condition can see at `now_ms` until a list of that instant has had time to
    /// go on. A list begins where `asked_ms` is the same.
    ///
    /// # Errors
    /// When it has waited too long, or there are too many.
    fn hold(&self, now_ms: i64, asked_ms: i64) -> Result<(), Unheld>;

    /// Lets everything else go first from now on: called on a thread that does nothing but walk.
    fn step_aside(&self) {}

    /// Calls `each` with everybody of the stretch, until it breaks. Returns the place where it
    /// did. Nobody is left out or comes twice who isn't linked with others meanwhile, whatever
    /// is folded; each person is as of a moment during the walk.
    ///
    /// # Errors
    /// When state can't be read.
    fn scan(
        &self,
        stretch: &Stretch<'_>,
        each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Place>, Unknown>;
}

impl Record {
    /// Whether anything is kept that some condition can see at `now_ms`, a property or a link
    /// among it: what isn't seen may be gone at any time, so nobody is known by it.
    pub fn is_known(&self, kept: impl Fn(MatcherId) -> Option<Kept>, now_ms: i64) -> bool {
        let visible = |(matcher, stored): (MatcherId, &[u8])| {
            kept(matcher).is_some_and(|kept| kept.is_visible(stored, now_ms))
        };
        self.has_links() || self.windows().any(visible) || self.registers().next().is_some()
    }
}
