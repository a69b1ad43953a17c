//! The durable tier: written only by whole checkpoints, each of them there or not at all.

use std::path::PathBuf;

use rocksdb::ErrorKind;
use schemas::record::{Record, RecordError};

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

/// Where the next record of a checkpoint goes: key and record as stored.
pub type Put<'p> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'p;

/// Durable records one after the other, in the order of their places.
pub trait Walk {
    /// The place of this record, and the record as stored; none at the end.
    fn here(&self) -> Option<(&[u8], &[u8])>;

    /// Goes on to the next.
    ///
    /// # Errors
    /// When it can't be read.
    fn step(&mut self) -> Result<(), StoreError>;
}

/// What is durable of people. RocksDB's, or one whose crashes a test decides.
pub trait Durable: Send + Sync {
    /// A person's durable record in a partition.
    ///
    /// # Errors
    /// When it can't be read.
    fn record(&self, partition: i32, hash: u64, key: &[u8]) -> Result<Option<Record>, StoreError>;

    /// The durable records of many, who come by hash and key in the order of both.
    ///
    /// # Errors
    /// When one can't be read.
    fn records(
        &self,
        partition: i32,
        people: &[(u64, &[u8])],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        people.iter().map(|(hash, key)| self.record(partition, *hash, key)).collect()
    }

    /// What the last checkpoint says of progress.
    ///
    /// # Errors
    /// When it can't be read.
    fn progress(&self) -> Result<Option<Vec<u8>>, StoreError>;

    /// A piece of metadata.
    ///
    /// # Errors
    /// When it can't be read.
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a piece of metadata; it is on disk when this returns.
    ///
    /// # Errors
    /// When it couldn't be written.
    fn write_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Calls `each` with everybody who is forgotten, by hash, and until when.
    ///
    /// # Errors
    /// When that can't be read.
    fn forgotten(&self, each: &mut dyn FnMut(u128, i64)) -> Result<(), StoreError>;

    /// Walks the durable records of a partition as they are now: those after one place, and
    /// before another if there is one.
    ///
    /// # Errors
    /// When the first can't be read.
    fn walk<'d>(
        &'d self,
        partition: i32,
        after: &[u8],
        before: Option<&[u8]>,
    ) -> Result<Box<dyn Walk + 'd>, StoreError>;

    /// Writes one checkpoint: `fill` puts its records in key order, behind `progress`; all of
    /// them are durable when this returns, or none. Returns how many bytes that took.
    ///
    /// # Errors
    /// When anything couldn't be written; nothing has changed then.
    fn checkpoint(
        &self,
        progress: &[u8],
        fill: &mut dyn FnMut(&mut Put<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError>;
}
