//! The log's database: records in the order of their offsets, and apart from them what is noted.
//!
//! Each record is written once and moves down as it is. A key that lay after all records in the
//! same family, or a range of them that was deleted, would have a file overlap every other, and
//! they would be written anew with it.

use std::ffi::CString;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rocksdb::compaction_filter::Decision;
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DEFAULT_COLUMN_FAMILY_NAME,
    IteratorMode, Options, WriteBatch, WriteOptions,
};

use super::super::LogError;
use super::super::layout::{VERSION, key_of, offset_of};

/// The family of what is noted.
pub(super) const META: &str = "meta";
pub(super) const FIRST_KEY: &[u8] = b"first";
pub(super) const VERSION_KEY: &[u8] = b"version";
/// The version that had these keys among the records.
const VERSION_AMONG: &[u8] = b"2";
/// So much is written before it becomes a file.
const WRITE_BUFFER_BYTES: usize = 8 << 20;
const META_BUFFER_BYTES: usize = 1 << 20;
/// Meta is written rarely: it becomes a file once it alone holds on to more than this.
const WRITTEN_BYTES_MAX: u64 = 64 << 20;
/// A file whose oldest records have gone is written without them after so long; one whose records
/// all have goes at once.
const REWRITTEN_SECONDS: u64 = 24 * 60 * 60;
/// RocksDB keeps so many files open; many systems give a process 1,024.
const OPEN_FILES_MAX: i32 = 512;

/// The database.
pub(super) struct Database {
    db: DB,
    /// The first offset, for compaction, which leaves out what is before it.
    kept_from: Arc<AtomicI64>,
}

/// What RocksDB does with the records.
impl Deref for Database {
    type Target = DB;

    fn deref(&self) -> &DB {
        &self.db
    }
}

impl Database {
    /// Opens or makes the database in `folder`.
    ///
    /// # Errors
    /// When RocksDB can't open it, or it is of another version.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        std::fs::create_dir_all(folder)?;
        let kept_from = Arc::new(AtomicI64::new(i64::MIN));
        let families = [
            ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, record_options(&kept_from)),
            ColumnFamilyDescriptor::new(META, meta_options()),
        ];
        let db = DB::open_cf_descriptors(&general_options(), folder, families)?;
        check_version(&db, folder)?;
        let database = Database { db, kept_from };
        database.kept_from.store(database.first()?, Ordering::Relaxed);
        Ok(database)
    }

    /// The first offset that is still there.
    pub fn first(&self) -> Result<i64, LogError> {
        let first = self.db.get_cf(meta(&self.db), FIRST_KEY)?;
        let first = first.and_then(|bytes| bytes.try_into().ok());
        Ok(first.map_or(0, i64::from_be_bytes))
    }

    /// The offset after the last record; nothing where there is no record.
    pub fn end(&self) -> Result<Option<i64>, LogError> {
        for item in self.db.iterator(IteratorMode::End) {
            if let Some(offset) = offset_of(&item?.0) {
                return Ok(Some(offset + 1));
            }
        }
        Ok(None)
    }

    /// Notes that this is the first offset from now on; it is on disk when this returns.
    pub fn note_first(&self, first: i64) -> Result<(), LogError> {
        self.db.put_cf_opt(meta(&self.db), FIRST_KEY, first.to_be_bytes(), &durable())?;
        self.kept_from.store(first, Ordering::Relaxed);
        Ok(())
    }

    /// Drops the files that hold nothing else than these offsets.
    pub fn drop_files(&self, from: i64, before: i64) -> Result<(), LogError> {
        Ok(self.db.delete_file_in_range(key_of(from), key_of(before - 1))?)
    }
}

pub(super) fn general_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_keep_log_file_num(2);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_total_wal_size(WRITTEN_BYTES_MAX);
    options
}

fn record_options(kept_from: &Arc<AtomicI64>) -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(2);
    options.set_periodic_compaction_seconds(REWRITTEN_SECONDS);
    let kept_from = Arc::clone(kept_from);
    let name = CString::from(c"sluice.retention");
    options.set_compaction_filter(name, move |_, key, _| match offset_of(key) {
        Some(last) if last < kept_from.load(Ordering::Relaxed) => Decision::Remove,
        _ => Decision::Keep,
    });
    options
}

fn meta_options() -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(META_BUFFER_BYTES);
    options
}

pub(super) fn meta(db: &DB) -> &ColumnFamily {
    db.cf_handle(META).expect("opened with it")
}

/// On disk before it is told.
pub(super) fn durable() -> WriteOptions {
    let mut durable = WriteOptions::default();
    durable.set_sync(true);
    durable
}

/// Notes in a new log which version of the layout it has, and asks it of an old one. One that is
/// the same but for where that is noted is brought up to it.
fn check_version(db: &DB, folder: &Path) -> Result<(), LogError> {
    let among = db.get(VERSION_KEY)?;
    let version = match db.get_cf(meta(db), VERSION_KEY)?.or(among) {
        Some(version) => String::from_utf8_lossy(&version).into_owned(),
        None if db.iterator(IteratorMode::Start).next().is_none() => {
            return Ok(db.put_cf_opt(meta(db), VERSION_KEY, VERSION, &durable())?);
        }
        None => "1".to_owned(),
    };
    match version.as_bytes() {
        VERSION => Ok(()),
        VERSION_AMONG => move_apart(db),
        _ => Err(LogError::Version { folder: folder.to_owned(), version }),
    }
}

/// Moves what isn't records out from among them.
fn move_apart(db: &DB) -> Result<(), LogError> {
    let mut moves = WriteBatch::default();
    moves.put_cf(meta(db), VERSION_KEY, VERSION);
    moves.delete(VERSION_KEY);
    if let Some(first) = db.get(FIRST_KEY)? {
        moves.put_cf(meta(db), FIRST_KEY, first);
        moves.delete(FIRST_KEY);
    }
    Ok(db.write_opt(moves, &durable())?)
}
