//! State: a hot tier a partition in front of one durable tier, and how far it has read.

mod checkpoint;
mod copies;
mod durable;
mod forgotten;
mod hot;
mod keeping;
pub mod keys;
mod partition;
mod person;
mod progress;
mod rocks;
mod shard;
#[cfg(test)]
mod tests;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use schemas::catalog::{Catalog, Registry};
use schemas::group::Group;
use schemas::ids::{MatcherId, ProjectId};
use schemas::lookup::{Coverage, Coverages, Position};
use schemas::record::Record;
use schemas::scan::Unheld;
use schemas::window::Kept;

pub use durable::{Durable, StoreError};
#[cfg(test)]
pub use durable::{Put, Walk};
use forgotten::Forgotten;
use hot::Peek;
#[cfg(test)]
pub use hot::SHARDS;
pub use hot::{Due, Hot, TOGETHER_MAX};
pub use keeping::Keeping;
pub use keys::PersonKey;
pub use partition::Partition;
pub use progress::{Fill, MatcherProgress, PartitionProgress, Progress};
use rocks::Rocks;
pub use walk::Between;

const REGISTRY: &str = "registry";
const LINEAGE: &str = "lineage";

/// Everything this node knows of people.
pub struct Store {
    durable: Box<dyn Durable>,
    keep: Arc<Keeping>,
    forgotten: Arc<Forgotten>,
    partitions: ArcSwap<Vec<Arc<Partition>>>,
    /// Coverage is the truth here; offsets are the partitions'.
    progress: Mutex<Progress>,
    coverages: ArcSwap<Coverages>,
    /// What the last checkpoint says of progress; held while one is written.
    last_checkpoint: Mutex<Vec<u8>>,
    damaged: AtomicBool,
}

impl Store {
    /// Opens the store in `folder`. One that is damaged is set aside, loudly, and made anew:
    /// the log has what it had. One that was made from another log is refused.
    ///
    /// # Errors
    /// When RocksDB can't open it for any other reason.
    pub fn open(folder: &Path, cache_bytes: usize, lineage: &str) -> Result<Self, StoreError> {
        match Store::open_as_it_is(folder, cache_bytes, lineage) {
            Err(error) if error.is_damage() => {
                let aside = (0..).map(|n| folder.with_extension(format!("damaged-{n}")));
                let aside = aside.into_iter().find(|path| !path.exists()).expect("some number");
                std::fs::rename(folder, &aside)?;
                tracing::error!(
                    %error, set_aside = %aside.display(),
                    "the store is damaged: it is set aside and rebuilt from the log; until that \
                     is done conditions are unknown"
                );
                Store::open_as_it_is(folder, cache_bytes, lineage)
            }
            other => other,
        }
    }

    fn open_as_it_is(folder: &Path, cache_bytes: usize, lineage: &str) -> Result<Self, StoreError> {
        let keep = Arc::new(Keeping::default());
        let durable = Box::new(Rocks::open(folder, cache_bytes, &keep)?);
        Store::on(durable, keep, folder, lineage)
    }

    /// A store on this durable tier, whose compaction knows `keep`.
    ///
    /// # Errors
    /// When it can't be read, or was made from another log.
    pub fn on(
        durable: Box<dyn Durable>,
        keep: Arc<Keeping>,
        folder: &Path,
        lineage: &str,
    ) -> Result<Self, StoreError> {
        match durable.meta(LINEAGE)? {
            None => durable.write_meta(LINEAGE, lineage.as_bytes())?,
            Some(found) if found == lineage.as_bytes() => {}
            Some(found) => {
                return Err(StoreError::Lineage {
                    folder: folder.to_owned(),
                    found: String::from_utf8_lossy(&found).into_owned(),
                    asked: lineage.to_owned(),
                });
            }
        }
        let progress: Progress = match durable.progress()? {
            Some(bytes) => serde_json::from_slice(&bytes)?,
            None => Progress::default(),
        };
        let forgotten = Arc::new(Forgotten::new(Arc::clone(&keep)));
        durable.forgotten(&mut |person, until_ms| forgotten.load(person, until_ms))?;
        let partitions = progress.partitions.iter();
        let partition =
            |(id, at): (&i32, &PartitionProgress)| Partition::new(*id, at.next_offset, &forgotten);
        let partitions = partitions.map(partition).collect();
        Ok(Store {
            durable,
            keep,
            forgotten,
            partitions: ArcSwap::from_pointee(partitions),
            progress: Mutex::new(progress),
            coverages: ArcSwap::default(),
            last_checkpoint: Mutex::default(),
            damaged: AtomicBool::new(false),
        })
    }

    /// The numbers of projects and matchers that records bear.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn registry(&self) -> Result<Registry, StoreError> {
        match self.durable.meta(REGISTRY)? {
            Some(bytes) => Ok(serde_json::from_slice(&bytes)?),
            None => Ok(Registry::default()),
        }
    }

    /// Keeps the numbers; they are durable when this returns, before any record bears them.
    ///
    /// # Errors
    /// When they couldn't be written.
    pub fn write_registry(&self, registry: &Registry) -> Result<(), StoreError> {
        self.durable.write_meta(REGISTRY, &serde_json::to_vec(registry)?)
    }

    /// Keeps windows for what the conditions of these catalogs need.
    pub fn keep_for(&self, catalogs: &[&Catalog]) {
        let projects = catalogs.iter().flat_map(|catalog| catalog.projects());
        let matchers = projects.flat_map(|project| &project.matchers);
        let kept = matchers.map(|matcher| (matcher.id, matcher.kept));
        self.keep.use_matchers(kept.collect());
    }

    /// Keeps what these matchers ask for.
    #[cfg(test)]
    pub fn keep_matchers(&self, matchers: rustc_hash::FxHashMap<MatcherId, Kept>) {
        self.keep.use_matchers(matchers);
    }

    /// Every partition that has been assigned.
    pub fn partitions(&self) -> Arc<Vec<Arc<Partition>>> {
        self.partitions.load_full()
    }

    /// The partition of this number, made where there is none.
    pub fn partition(&self, id: i32, next_offset: i64, since_ms: i64) -> Arc<Partition> {
        let mut progress = self.progress.lock();
        if let Some(found) = self.partitions.load().iter().find(|partition| partition.id == id) {
            return Arc::clone(found);
        }
        let began = PartitionProgress { next_offset, since_ms, ..PartitionProgress::default() };
        progress.partitions.insert(id, began);
        let partition = Partition::new(id, next_offset, &self.forgotten);
        let mut partitions = self.partitions.load().as_ref().clone();
        partitions.push(Arc::clone(&partition));
        partitions.sort_by_key(|partition| partition.id);
        self.partitions.store(Arc::new(partitions));
        partition
    }

    /// Reads or changes progress, and publishes the coverage that follows from it.
    pub fn with_progress<T>(
        &self,
        catalog: &Catalog,
        change: impl FnOnce(&mut Progress) -> T,
    ) -> T {
        let mut progress = self.progress.lock();
        let changed = change(&mut progress);
        let matchers = catalog.projects().iter().flat_map(|project| &project.matchers);
        let coverages = progress.coverages(matchers.map(|matcher| matcher.id));
        self.coverages.store(Arc::new(coverages));
        changed
    }

    /// Takes up the matchers of this catalog, which live folding has from `live` on: those that
    /// are new have to be filled up to there.
    pub fn take_up(&self, catalog: &Catalog, live: &Position) {
        let projects = catalog.projects().iter();
        let used = projects.flat_map(|project| &project.matchers).map(|matcher| matcher.id);
        let used = used.collect();
        self.with_progress(catalog, |progress| {
            progress.take_up(&used);
            progress.fold_live(live);
        });
    }

    /// Whether a matcher is folded, and filled everywhere.
    pub fn is_filled(&self, matcher: MatcherId) -> bool {
        matches!(self.progress.lock().coverage(matcher), Coverage::Since(_))
    }

    /// Since when matchers are complete.
    pub fn coverages(&self) -> Arc<Coverages> {
        self.coverages.load_full()
    }

    /// How far state has read.
    pub fn position(&self) -> Position {
        let partitions = self.partitions.load();
        partitions.iter().map(|partition| (partition.id, partition.next_offset())).collect()
    }

    /// What each matcher keeps; nothing for one that is out of use.
    pub fn kept(&self) -> impl Fn(MatcherId) -> Option<Kept> + use<> {
        self.keep.kept()
    }

    /// Everything known of a person, whichever partitions their events were in.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn read(&self, project: ProjectId, distinct_id: &str) -> Result<Record, StoreError> {
        self.read_key(&PersonKey::new(project, distinct_id))
    }

    /// The links of a person whom the pipeline has a name for.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn read_carried(&self, project: ProjectId, person_id: &str) -> Result<Record, StoreError> {
        let mut key = PersonKey::default();
        key.set_carried(project, person_id);
        self.read_key(&key)
    }

    /// The properties of a group.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn read_group(&self, project: ProjectId, group: Group<'_>) -> Result<Record, StoreError> {
        let mut key = PersonKey::default();
        key.set_group(project, group);
        self.read_key(&key)
    }

    /// What is kept of a flag's calls.
    ///
    /// # Errors
    /// When the durable tier can't be read.
    pub fn read_flag(&self, project: ProjectId, flag_key: &str) -> Result<Record, StoreError> {
        let mut key = PersonKey::default();
        key.set_flag(project, flag_key);
        self.read_key(&key)
    }

    /// Since when all that isn't a condition's is known, in epoch milliseconds: `i64::MIN` where
    /// the log has been read from its first record.
    pub fn since_ms(&self) -> i64 {
        let progress = self.progress.lock();
        let since = progress.partitions.values().map(|partition| partition.since_ms);
        since.max().unwrap_or(i64::MIN)
    }

    fn read_key(&self, key: &PersonKey) -> Result<Record, StoreError> {
        let kept = self.keep.kept();
        let mut joined: Option<Record> = None;
        for partition in self.partitions.load().iter() {
            let found = self.read_in(partition, key, &kept)?;
            joined = match (joined, found) {
                (None, found) => found,
                (joined, None) => joined,
                (Some(mut joined), Some(found)) => {
                    joined.merge(&found, &kept);
                    Some(joined)
                }
            };
        }
        Ok(joined.unwrap_or_default())
    }

    /// The hot tier is asked first: who leaves it meanwhile is durable by then.
    fn read_in(
        &self,
        partition: &Partition,
        key: &PersonKey,
        kept: &impl Fn(MatcherId) -> Option<Kept>,
    ) -> Result<Option<Record>, StoreError> {
        let forget = |record: &mut Record| self.forgotten.apply(key.bytes(), record);
        let (mut recent, ticket) = match partition.hot.peek(key) {
            Peek::Whole(mut record) => {
                forget(&mut record);
                return Ok(Some(record));
            }
            Peek::Partial(record, ticket) => (Some(record), ticket),
            Peek::Absent(ticket) => (None, ticket),
        };
        let durable = self.durable.record(partition.id, key.hash(), key.bytes());
        let mut durable = durable.inspect_err(|error| self.note_damage(error))?;
        recent.iter_mut().chain(&mut durable).for_each(forget);
        if recent.is_some() || durable.is_some() {
            partition.hot.complete(key, durable.as_ref(), ticket, kept);
        }
        Ok(match (recent, durable) {
            (Some(mut recent), Some(durable)) => {
                recent.merge(&durable, kept);
                Some(recent)
            }
            (recent, durable) => recent.or(durable),
        })
    }

    /// Keeps what a condition can see at `now_ms`: [`Keeping::hold`].
    ///
    /// # Errors
    /// When it has lapsed, or too many others are held.
    pub fn hold(&self, now_ms: i64, asked_ms: i64) -> Result<(), Unheld> {
        self.keep.hold(now_ms, asked_ms)
    }

    /// Whether something stored turned out to be damaged.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    fn note_damage(&self, error: &StoreError) {
        if error.is_damage() && !self.damaged.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the store is damaged; restart to rebuild it from the log");
        }
    }
}
