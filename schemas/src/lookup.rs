//! The seam towards state: what is known of a person, never a yes or no.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::group::Group;
use crate::ids::{MatcherId, ProjectId};
use crate::record::Record;
use crate::scan::Scan;
use crate::unknown::Unknown;

/// Since when a matcher's windows are known complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every event after this instant is in; `i64::MIN` where the log has its first record.
    Since(i64),
    /// The log is being read for it; so much is done.
    Filling {
        /// Whole percents, 0 to 99.
        percent: u8,
    },
}

/// Coverage by matcher: the least over the partitions that were asked.
pub type Coverages = FxHashMap<MatcherId, Coverage>;

/// Partition to next offset: how far the state that answered had read.
pub type Position = BTreeMap<i32, i64>;

/// Whether state at `position` has everything before `at_least`.
pub fn has_reached(position: &Position, at_least: &Position) -> bool {
    let mut parts = at_least.iter();
    parts.all(|(partition, next)| position.get(partition).is_some_and(|read| read >= next))
}

/// Whom a lookup is about, and how new the answer has to be.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// The project whose person it is.
    pub project: ProjectId,
    /// The ids that the person is known by.
    pub distinct_ids: &'a [&'a str],
    /// The person's groups of which something is asked, at most one of a type.
    pub groups: &'a [Group<'a>],
    /// Nothing behavioural is known by state that hasn't reached this.
    pub at_least: &'a Position,
    /// The instant of the question, in epoch milliseconds.
    pub now_ms: i64,
}

/// What is known of one person at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Everything kept of the person's distinct ids, joined.
    pub record: Record,
    /// What is kept of the person's groups that were asked for, by type.
    pub groups: BTreeMap<String, Record>,
    /// Those ids, the identified one first; none where only the id that was asked for is.
    pub distinct_ids: Vec<String>,
    /// Set when the person may have more ids than these: what more events could change isn't
    /// known then.
    pub incomplete: Option<Unknown>,
    /// Since when each matcher is complete; a matcher that isn't here is being filled.
    pub coverage: Arc<Coverages>,
    /// Set when nothing behavioural can be known at all.
    pub unknown: Option<Unknown>,
    /// How far the state had read.
    pub position: Position,
    /// How long ago state was last known to have everything of the log, in milliseconds;
    /// 0 while it follows.
    pub stale_ms: i64,
}

/// What is known of the calls of a flag.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// The flag's record in place of a person's, and how far state had read.
    pub facts: Facts,
    /// Every call after this instant is in, in epoch milliseconds; `i64::MIN` where the log has
    /// been read from its first record.
    pub since_ms: i64,
}

/// Answers what is known of people: here, at a partition's owner, or at a standby.
pub trait Lookup: Scan + Send + Sync + 'static {
    /// Returns once state has reached `at_least`, or `wait` is over: what is looked up next
    /// tells which. It comes first because `now` has to be read after it.
    fn reach(&self, at_least: &Position, wait: Duration) -> impl Future<Output = ()> + Send;

    /// What is known of the person.
    fn lookup(&self, sought: Sought<'_>) -> impl Future<Output = Facts> + Send;

    /// What is known of the calls of a flag.
    fn calls(
        &self,
        project: ProjectId,
        flag_key: &str,
        now_ms: i64,
    ) -> impl Future<Output = Calls> + Send;

    /// Whether this node may take traffic, or the sentence that says why not.
    fn ready(&self, now_ms: i64) -> Result<(), String>;
}
