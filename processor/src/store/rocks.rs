//! RocksDB as the durable tier.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fail::fail_point;
use rocksdb::compaction_filter::Decision;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRawIterator, DEFAULT_COLUMN_FAMILY_NAME, IngestExternalFileOptions, IteratorMode, Options,
    ReadOptions, SstFileWriter, WriteOptions,
};
use schemas::record::Record;

use super::durable::{Durable, Put, StoreError, Walk};
use super::keeping::Keeping;
use super::keys;

/// What is written rarely and beside checkpoints: numbers of projects and matchers, lineage.
const META: &str = "meta";
const CHECKPOINTS: &str = "checkpoints";
/// What a walk reads at once: a part of one of its shards.
const READAHEAD_BYTES: usize = 128 << 10;

/// RocksDB, which takes checkpoints in as files.
pub struct Rocks {
    db: DB,
    folder: PathBuf,
    /// Of checkpoints' files.
    options: Options,
}

impl Rocks {
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
        let mut options = record_options(cache_bytes, keep);
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
        // A checkpoint's file is soon joined with others, and compressed then.
        options.set_compression_type(DBCompressionType::None);
        Ok(Rocks { db, folder: folder.to_owned(), options })
    }
}

impl Durable for Rocks {
    fn record(&self, partition: i32, hash: u64, key: &[u8]) -> Result<Option<Record>, StoreError> {
        match self.db.get_pinned(keys::record(partition, hash, key))? {
            Some(bytes) => Ok(Some(Record::from_bytes(&bytes)?)),
            None => Ok(None),
        }
    }

    fn records(
        &self,
        partition: i32,
        people: &[(u64, &[u8])],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let people = people.iter().map(|(hash, key)| keys::record(partition, *hash, key));
        let keys: Vec<_> = people.collect();
        let family = self.db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME).expect("always there");
        let found = self.db.batched_multi_get_cf(family, &keys, true);
        let read = found.into_iter().map(|found| match found? {
            Some(bytes) => Ok(Some(Record::from_bytes(&bytes)?)),
            None => Ok(None),
        });
        read.collect()
    }

    fn progress(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(keys::CHECKPOINT)?)
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.db.cf_handle(META).expect("opened with it");
        Ok(self.db.get_cf(family, name)?)
    }

    fn write_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let family = self.db.cf_handle(META).expect("opened with it");
        let mut durable = WriteOptions::default();
        durable.set_sync(true);
        Ok(self.db.put_cf_opt(family, name, value, &durable)?)
    }

    fn forgotten(&self, each: &mut dyn FnMut(u128, i64)) -> Result<(), StoreError> {
        let mut within = ReadOptions::default();
        within.fill_cache(false);
        within.set_iterate_lower_bound(keys::FORGOTTEN);
        within.set_iterate_upper_bound(keys::partition(0));
        for item in self.db.iterator_opt(IteratorMode::Start, within) {
            let (key, value) = item?;
            keys::read_forgotten(&key, &value).into_iter().for_each(|(hash, ms)| each(hash, ms));
        }
        Ok(())
    }

    fn walk<'d>(
        &'d self,
        partition: i32,
        after: &[u8],
        before: Option<&[u8]>,
    ) -> Result<Box<dyn Walk + 'd>, StoreError> {
        let from = keys::at(partition, after);
        let until = before.map_or(keys::partition(partition + 1), |p| keys::at(partition, p));
        let mut within = ReadOptions::default();
        within.fill_cache(false);
        within.set_readahead_size(READAHEAD_BYTES);
        within.set_iterate_lower_bound(from.as_slice());
        within.set_iterate_upper_bound(until);
        let mut walk = RocksWalk(self.db.raw_iterator_opt(within));
        walk.0.seek(&from);
        walk.0.status()?;
        if walk.0.key() == Some(&from) {
            walk.step()?;
        }
        Ok(Box::new(walk))
    }

    fn checkpoint(
        &self,
        progress: &[u8],
        fill: &mut dyn FnMut(&mut Put<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let path = self.folder.join(CHECKPOINTS).join("next.sst");
        let mut file = SstFileWriter::create(&self.options);
        let written = file.open(&path).map_err(StoreError::from).and_then(|()| {
            fail_point!("checkpoint.begun", |_| std::process::abort());
            file.put(keys::CHECKPOINT, progress)?;
            fill(&mut |key, record| Ok(file.put(key, record)?))?;
            fail_point!("checkpoint.filled", |_| std::process::abort());
            // Finishing syncs the file; taking it in logs that in a synced manifest.
            file.finish()?;
            let bytes = file.file_size();
            fail_point!("checkpoint.synced", |_| std::process::abort());
            let mut whole = IngestExternalFileOptions::default();
            whole.set_move_files(true);
            self.db.ingest_external_file_opts(&whole, vec![&path])?;
            fail_point!("checkpoint.taken_in", |_| std::process::abort());
            Ok(bytes)
        });
        if written.is_err() {
            // What is left of it is removed at the next start if it can't be now.
            let _ = std::fs::remove_file(&path);
        }
        written
    }
}

/// RocksDB's own walk.
struct RocksWalk<'d>(DBRawIterator<'d>);

impl Walk for RocksWalk<'_> {
    fn here(&self) -> Option<(&[u8], &[u8])> {
        let (key, record) = self.0.item()?;
        Some((keys::place(key), record))
    }

    fn step(&mut self) -> Result<(), StoreError> {
        self.0.next();
        Ok(self.0.status()?)
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
    // Twice as many checkpoints as usual are joined at a time: what they are joined with is
    // rewritten half as often.
    options.set_level_zero_file_num_compaction_trigger(8);
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
