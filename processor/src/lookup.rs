//! Lookups answered here: this node follows every partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemas::group::Group;
use schemas::ids::ProjectId;
use schemas::lookup::{Calls, Facts, Lookup, Position, Sought, has_reached};
use schemas::person::{Bearer, Person};
use schemas::record::Record;
use schemas::unknown::Unknown;
use tokio::sync::Semaphore;

use crate::following::Following;
use crate::store::{Store, StoreError};

/// State that is so old is said to be stale, in milliseconds: a node that follows is
/// a fraction of this behind.
const STALE_AFTER_MS: i64 = 2_000;
/// How many checks wait for the log at most: each is woken by every batch that is folded.
const WAITING_MAX: usize = 1_024;

/// This node's own state.
pub struct Here {
    pub(crate) store: Arc<Store>,
    following: Arc<Following>,
    found: Arc<AtomicBool>,
    unknown_after_ms: Option<i64>,
    waiting: Semaphore,
}

impl Here {
    /// What `store` knows, as far as `following` tells. `found` is set once every partition has
    /// been found; conditions turn unknown when state is older than `unknown_after_ms`
    /// milliseconds, never if absent.
    pub fn new(
        store: Arc<Store>,
        following: Arc<Following>,
        found: Arc<AtomicBool>,
        unknown_after_ms: Option<i64>,
    ) -> Self {
        let waiting = Semaphore::new(WAITING_MAX);
        Here { store, following, found, unknown_after_ms, waiting }
    }

    fn caught_up(&self) -> bool {
        self.found.load(Ordering::Acquire)
            && self.store.partitions().iter().all(|partition| partition.caught_up())
    }

    /// What is known of everybody by state that is asked now, before anyone is read.
    pub(crate) fn known(&self, at_least: &Position, now_ms: i64) -> Facts {
        // Position before people: the answer has at least what it says.
        let position = self.store.position();
        let coverage = self.store.coverages();
        let stale_ms = self.following.stale_ms(&self.store.partitions(), now_ms);
        let unknown = if !self.caught_up() {
            Some(Unknown::CatchingUp)
        } else if self.unknown_after_ms.is_some_and(|bound_ms| stale_ms > bound_ms) {
            Some(Unknown::Stale)
        } else if !has_reached(&position, at_least) {
            Some(Unknown::Behind)
        } else {
            None
        };
        let stale_ms = if stale_ms > STALE_AFTER_MS { stale_ms } else { 0 };
        Facts { coverage, unknown, position, stale_ms, ..Facts::default() }
    }

    /// The person behind these ids: what is kept of them, and what Facts tell of ids.
    fn read(
        &self,
        project: ProjectId,
        distinct_ids: &[&str],
    ) -> Result<(Record, Vec<String>, bool), Unknown> {
        if let [id] = distinct_ids {
            let record = self.store.read(project, id).map_err(unreadable)?;
            if !record.has_links() {
                return Ok((record, Vec::new(), false));
            }
        }
        let read = |bearer: &Bearer| match bearer {
            Bearer::Id(id) => self.store.read(project, id),
            Bearer::Carried(person_id) => self.store.read_carried(project, person_id),
        };
        let person = Person::behind(distinct_ids, read).map_err(unreadable)?;
        let (names, is_cut) = (person.names(), person.is_cut);
        Ok((person.joined(self.store.kept()), names, is_cut))
    }

    /// What is kept of groups, by type.
    fn read_groups(
        &self,
        project: ProjectId,
        groups: &[Group<'_>],
    ) -> Result<BTreeMap<String, Record>, Unknown> {
        let read = |group: &Group<'_>| {
            let record = self.store.read_group(project, *group).map_err(unreadable)?;
            Ok((group.of.to_owned(), record))
        };
        groups.iter().map(read).collect()
    }
}

fn unreadable(error: StoreError) -> Unknown {
    tracing::error!(%error, "what is kept of somebody can't be read");
    Unknown::Store
}

impl Lookup for Here {
    async fn reach(&self, at_least: &Position, wait: Duration) {
        let reached = |position: &Position| has_reached(position, at_least);
        if at_least.is_empty() || wait.is_zero() || reached(&self.store.position()) {
            return;
        }
        // Where too many wait already, the answer is given at once: unknown.
        let Ok(_place) = self.waiting.try_acquire() else { return };
        // The channel looks before it waits, so nothing is missed; what it publishes is folded.
        // Whether the position was reached or time is over is for the lookup to see.
        let mut positions = self.following.position.subscribe();
        let _ = tokio::time::timeout(wait, positions.wait_for(reached)).await;
    }

    async fn lookup(&self, sought: Sought<'_>) -> Facts {
        let Sought { project, distinct_ids, groups, at_least, now_ms } = sought;
        // Asked before the person is read: what is folded meanwhile may be missing.
        let known = self.known(at_least, now_ms);
        let read = self.read(project, distinct_ids);
        let read = read.and_then(|person| Ok((person, self.read_groups(project, groups)?)));
        let (read, unknown) = match read {
            Ok(read) => (read, known.unknown),
            Err(unknown) => (Default::default(), Some(unknown)),
        };
        let ((record, distinct_ids, is_cut), groups) = read;
        let incomplete = is_cut.then_some(Unknown::TooManyIds);
        Facts { record, groups, distinct_ids, incomplete, unknown, ..known }
    }

    async fn calls(&self, project: ProjectId, flag_key: &str, now_ms: i64) -> Calls {
        let known = self.known(&Position::new(), now_ms);
        let since_ms = self.store.since_ms();
        let facts = match self.store.read_flag(project, flag_key).map_err(unreadable) {
            Ok(record) => Facts { record, ..known },
            Err(unknown) => Facts { unknown: Some(unknown), ..known },
        };
        Calls { facts, since_ms }
    }

    fn ready(&self, _: i64) -> Result<(), String> {
        if self.store.is_damaged() {
            return Err("the store is damaged; restart to rebuild it from the log".to_owned());
        }
        if !self.found.load(Ordering::Acquire) {
            return Err("the log has not answered yet".to_owned());
        }
        let partitions = self.store.partitions();
        let behind = partitions.iter().filter(|partition| !partition.caught_up()).count();
        match behind {
            0 => Ok(()),
            _ => Err(format!(
                "{behind} of {} partitions are catching up with the log",
                partitions.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use schemas::links::{Link, Role};
    use schemas::window::Entry;
    use tokio::sync::watch;

    use super::*;
    use crate::store::PersonKey;

    const WAIT: Duration = Duration::from_secs(3_600);

    /// A node that follows two partitions, and has read so much of each.
    fn here(folder: &std::path::Path, read: [i64; 2]) -> Here {
        let store = Arc::new(Store::open(folder, 1 << 20, "test").expect("a store"));
        for (id, next) in (0..).zip(read) {
            store.partition(id, next, i64::MIN).set_caught_up(true);
        }
        let (told, _) = watch::channel(store.position());
        let following = Arc::new(Following::new(told, 0));
        Here::new(store, following, Arc::new(AtomicBool::new(true)), None)
    }

    /// As the worker does it after a batch.
    fn fold(here: &Here, partition: usize, next: i64) {
        here.store.partitions()[partition].advance(next);
        here.following.position.send_replace(here.store.position());
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(future)
    }

    fn is_done(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        // A runtime would have one task poll so many only in several turns.
        let future = pin!(tokio::task::unconstrained(future));
        future.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    async fn unknown(here: &Here, at_least: &Position) -> Option<Unknown> {
        let (project, distinct_ids) = (ProjectId(1), &["ann"]);
        let sought = Sought { project, distinct_ids, groups: &[], at_least, now_ms: 0 };
        here.lookup(sought).await.unknown
    }

    #[test]
    fn what_a_visitor_did_is_known_of_whoever_they_became() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = here(folder.path(), [0, 0]);
        let stamp = Entry::new(1_790_000_000_000, 1);
        for (id, role, other) in [("ann", Role::Owns, "visitor"), ("visitor", Role::Belongs, "ann")]
        {
            let key = PersonKey::new(ProjectId(1), id);
            let link = Link { stamp, role, other: other.into() };
            let hot = &here.store.partitions()[0].hot;
            hot.update(&key, stamp.time_ms(), |record| record.link(&link));
        }
        let at_least = &Position::new();
        let known_of = |distinct_ids| {
            let project = ProjectId(1);
            let sought = Sought { project, distinct_ids, groups: &[], at_least, now_ms: 0 };
            block_on(here.lookup(sought)).distinct_ids
        };
        assert_eq!(known_of(&["visitor"]), ["ann", "visitor"]);
        assert!(known_of(&["somebody else"]).is_empty());
    }

    #[test]
    fn state_is_old_from_the_first_millisecond_after_the_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = Here { unknown_after_ms: Some(500), ..here(folder.path(), [0, 0]) };
        let known = |now_ms| {
            let facts = here.known(&Position::new(), now_ms);
            (facts.unknown, facts.stale_ms)
        };
        assert_eq!(known(500), (None, 0));
        assert_eq!(known(501), (Some(Unknown::Stale), 0));
        assert_eq!(known(2_000), (Some(Unknown::Stale), 0));
        assert_eq!(known(2_001), (Some(Unknown::Stale), 2_001));
    }

    #[test]
    fn every_partition_has_to_be_reached() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = here(folder.path(), [3, 0]);
        block_on(async {
            let at_least = Position::from([(0, 5), (1, 2)]);
            let mut waiting = pin!(here.reach(&at_least, WAIT));
            assert!(!is_done(waiting.as_mut()));
            fold(&here, 1, 2);
            assert!(!is_done(waiting.as_mut()), "the other is missing");
            fold(&here, 0, 4);
            assert!(!is_done(waiting.as_mut()), "one record is missing");
            assert_eq!(unknown(&here, &at_least).await, Some(Unknown::Behind));
            fold(&here, 0, 6);
            assert!(is_done(waiting.as_mut()));
            assert_eq!(unknown(&here, &at_least).await, None);
        });
    }

    #[test]
    fn what_is_reached_already_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = here(folder.path(), [3, 0]);
        block_on(async {
            for at_least in [Position::new(), Position::from([(0, 3)])] {
                assert!(is_done(pin!(here.reach(&at_least, WAIT))));
            }
            let ahead = Position::from([(0, 4)]);
            assert!(is_done(pin!(here.reach(&ahead, Duration::ZERO))), "nobody wants to wait");
        });
    }

    /// A log that begins anew takes state back: what was reached before isn't there any more.
    #[test]
    fn what_was_reached_may_be_lost_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = here(folder.path(), [3, 0]);
        block_on(async {
            let at_least = Position::from([(0, 3)]);
            here.reach(&at_least, WAIT).await;
            assert_eq!(unknown(&here, &at_least).await, None);
            fold(&here, 0, 1);
            assert_eq!(unknown(&here, &at_least).await, Some(Unknown::Behind));
        });
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = here(folder.path(), [0, 0]);
        block_on(async {
            let at_least = Position::from([(0, 1)]);
            let wait = || Box::pin(here.reach(&at_least, WAIT));
            let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| wait()).collect();
            assert!(waiting.iter_mut().all(|one| !is_done(one.as_mut())));
            assert!(is_done(wait().as_mut()), "one more is answered at once");
            // Whoever gives up makes room.
            waiting.pop();
            assert!(!is_done(wait().as_mut()));
            fold(&here, 0, 1);
            assert!(waiting.iter_mut().all(|one| is_done(one.as_mut())));
        });
    }
}
