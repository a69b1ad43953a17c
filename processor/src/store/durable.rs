//! The durable tier: RocksDB, written only by whole checkpoints that it takes in as files.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use rocksdb::compaction_filter::Decision;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType,
    ErrorKind, IngestExternalFileOptions, IteratorMode, Options, ReadOptions, SstFileWriter,
    WriteOptions,
};
use rustc_hash::FxHashMap;
use schemas::ids::MatcherId;
use schemas::record::{Record, RecordError};
use schemas::window::Kept;

use super::keys;

/// What is written rarely and beside checkpoints: numbers of projects and matchers, lineage.
const META: &str = "meta";
const CHECKPOINTS: &str = "checkpoints";

/// Why the durable tier didn't do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB's own words.
    #[error("store: {0}")]
    Rocks(#[from] rocksdb::Error),
    /// The file system's.
    #[error("store: {0}")]
    Disk(#[from] std::io::Error),
    /// A record that can't be read.
    #[error("store: {0}")]
    Record(#[from] RecordError),
    /// Metadata that can't be read.
    #[error("store: its metadata can't be read: {0}")]
    Meta(#[from] serde_json::Error),
    /// Made from another log.
    #[error(
        "the store in {folder} was made from the log {found:?}, this node reads {asked:?}: \
         give it another data directory"
    )]
    Lineage {
        /// Where it is.
        folder: PathBuf,
        /// What it was made from.
        found: String,
        /// What the settings say.
        asked: String,
    },
}

impl StoreError {
    /// Whether what is stored is damaged, rather than out of reach for now.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Rocks(error) => {
                error.kind() == ErrorKind::Corruption
                    || error.to_string().contains("No such file or directory")
            }
            StoreError::Record(_) | StoreError::Meta(_) => true,
            StoreError::Disk(_) | StoreError::Lineage { .. } => false,
        }
    }
}

/// What records are kept for: the matchers in use, and the log's time.
#[derive(Default)]
pub struct Keeping {
    /// Nothing until definitions are read: nothing expires before.
    matchers: ArcSwapOption<FxHashMap<MatcherId, Kept>>,
    log_time_ms: AtomicI64,
}

impl Keeping {
    /// Replaces the matchers in use.
    pub fn use_matchers(&self, matchers: FxHashMap<MatcherId, Kept>) {
        self.matchers.store(Some(Arc::new(matchers)));
    }

    /// Moves the log's time on; it never runs backwards.
    pub fn advance(&self, log_time_ms: i64) {
        self.log_time_ms.fetch_max(log_time_ms, Ordering::Relaxed);
    }

    /// What a matcher keeps; nothing once it is out of use.
    pub fn kept(&self) -> impl Fn(MatcherId) -> Option<Kept> + use<> {
        let matchers = self.matchers.load_full();
        move |matcher| matchers.as_ref()?.get(&matcher).copied()
    }

    /// Drops from a record what no condition can see any more. Returns whether it holds
    /// anything then.
    pub fn expire(&self, record: &mut Record) -> bool {
        let matchers = self.matchers.load();
        let Some(matchers) = matchers.as_ref() else {
            return true;
        };
        let kept = |matcher| matchers.get(&matcher).copied();
        record.expire(kept, self.log_time_ms.load(Ordering::Relaxed))
    }
}

/// RocksDB.
pub struct Durable {
    db: DB,
    folder: PathBuf,
    options: Options,
}

impl Durable {
    /// Opens or makes the store in `folder`, with a cache of so many bytes.
    ///
    /// # Errors
    /// When RocksDB can't, which [`StoreError::is_damage`] tells from a passing fault.
    pub fn open(
        folder: &Path,
        cache_bytes: usize,
        keep: &Arc<Keeping>,
    ) -> Result<Self, StoreError> {
        let checkpoints = folder.join(CHECKPOINTS);
        std::fs::create_dir_all(&checkpoints)?;
        // Files of a checkpoint that didn't get as far as being taken in.
        for left in std::fs::read_dir(&checkpoints)? {
            std::fs::remove_file(left?.path())?;
        }
        let options = record_options(cache_bytes, keep);
        let mut general = Options::default();
        general.create_if_missing(true);
        general.create_missing_column_families(true);
        general.set_max_background_jobs(2);
        general.set_keep_log_file_num(2);
        general.set_max_total_wal_size(4 << 20);
        let families = [
            ColumnFamilyDescriptor::new("default", options.clone()),
            ColumnFamilyDescriptor::new(META, Options::default()),
        ];
        let db = DB::open_cf_descriptors(&general, folder.join("records"), families)?;
        Ok(Durable { db, folder: folder.to_owned(), options })
    }

    /// A person's durable record in a partition.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn record(
        &self,
        partition: i32,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<Record>, StoreError> {
        match self.db.get_pinned(keys::record(partition, hash, key))? {
            Some(bytes) => Ok(Some(Record::from_bytes(&bytes)?)),
            None => Ok(None),
        }
    }

    /// What the last checkpoint says of progress.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn progress(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(keys::CHECKPOINT)?)
    }

    /// A piece of metadata.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.db.cf_handle(META).expect("opened with it");
        Ok(self.db.get_cf(family, name)?)
    }

    /// Writes a piece of metadata; it is on disk when this returns.
    ///
    /// # Errors
    /// When it couldn't be written.
    pub fn write_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let family = self.db.cf_handle(META).expect("opened with it");
        let mut durable = WriteOptions::default();
        durable.set_sync(true);
        Ok(self.db.put_cf_opt(family, name, value, &durable)?)
    }

    /// Calls `each` with every durable record of a partition: project and id, and record.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn each(
        &self,
        partition: i32,
        mut each: impl FnMut(&[u8], Record),
    ) -> Result<(), StoreError> {
        let mut within = ReadOptions::default();
        within.fill_cache(false);
        within.set_iterate_lower_bound(keys::partition(partition));
        within.set_iterate_upper_bound(keys::partition(partition + 1));
        for item in self.db.iterator_opt(IteratorMode::Start, within) {
            let (key, bytes) = item?;
            if let Some(person) = keys::person(&key) {
                each(person, Record::from_bytes(&bytes)?);
            }
        }
        Ok(())
    }

    /// Writes one checkpoint: `fill` puts its records in key order, behind `progress`; all of
    /// them are durable when this returns, or none.
    ///
    /// # Errors
    /// When anything couldn't be written; nothing has changed then.
    pub fn checkpoint(
        &self,
        progress: &[u8],
        fill: impl FnOnce(&mut SstFileWriter<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let path = self.folder.join(CHECKPOINTS).join("next.sst");
        let mut file = SstFileWriter::create(&self.options);
        let written = file.open(&path).map_err(StoreError::from).and_then(|()| {
            file.put(keys::CHECKPOINT, progress)?;
            fill(&mut file)?;
            // Finishing syncs the file; taking it in logs that in a synced manifest.
            file.finish()?;
            let bytes = file.file_size();
            let mut whole = IngestExternalFileOptions::default();
            whole.set_move_files(true);
            self.db.ingest_external_file_opts(&whole, vec![&path])?;
            Ok(bytes)
        });
        if written.is_err() {
            // What is left of it is removed at the next start if it can't be now.
            let _ = std::fs::remove_file(&path);
        }
        written
    }
}

fn record_options(cache_bytes: usize, keep: &Arc<Keeping>) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_bloom_filter(10.0, false);
    // In pieces: a whole filter is larger than a shard of the cache, and would be read from
    // disk for every look-up.
    table.set_partition_filters(true);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_pin_top_level_index_and_filter(true);
    table.set_format_version(6);
    table.set_block_cache(&Cache::new_lru_cache(cache_bytes));
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_periodic_compaction_seconds(24 * 60 * 60);
    let keep = Arc::clone(keep);
    let name = CString::from(c"sluice.expiry");
    options.set_compaction_filter(name, move |_, key, value| {
        if keys::person(key).is_none() {
            return Decision::Keep;
        }
        let Ok(mut record) = Record::from_bytes(value) else {
            return Decision::Keep;
        };
        if keep.expire(&mut record) { Decision::Keep } else { Decision::Remove }
    });
    options
}
