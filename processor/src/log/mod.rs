//! The log: records that arrived, by partition and offset. Kafka's, or one of our own.

pub mod embedded;
pub mod kafka;
mod layout;

use std::time::Duration;

use schemas::lookup::Position;

/// One record of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The log's own time for it, in epoch milliseconds.
    pub timestamp_ms: i64,
    /// Nothing for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// What a reader meets.
#[derive(Clone, Copy, Debug)]
pub enum Arrival<'a> {
    /// A record.
    Record(LogRecord<'a>),
    /// Everything that the partition holds now has been read.
    End {
        /// Which one.
        partition: i32,
    },
    /// The log no longer has the offset that was asked for; reading goes on at `first`.
    Truncated {
        /// Which one.
        partition: i32,
        /// The first offset that is still there.
        first: i64,
    },
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that is still there.
    pub first: i64,
    /// The offset that the next record gets.
    pub end: i64,
}

/// Why the log didn't answer. The shell tries again; state goes on being served.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Kafka didn't do it.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The embedded log didn't do it.
    #[error("embedded log: {0}")]
    Embedded(#[from] rocksdb::Error),
    /// The file system didn't do it.
    #[error("embedded log: {0}")]
    Disk(#[from] std::io::Error),
    /// A record isn't as it was written.
    #[error("embedded log: the record at offset {0} is torn; RocksDB found its checksum right")]
    Torn(i64),
    /// Another version of Sluice wrote it.
    #[error(
        "the log in {folder} is of version {version}, and this Sluice reads version {}: go on \
         with the one that wrote it, or set SLUICE_DATA_DIR to an empty folder and send the \
         events again",
        String::from_utf8_lossy(layout::VERSION)
    )]
    Version {
        /// Where it is.
        folder: std::path::PathBuf,
        /// What it says.
        version: String,
    },
    /// A partition told neither a record nor its end in time.
    #[error("partition {0} did not answer in time")]
    NoAnswer(i32),
    /// The topic isn't there yet.
    #[error("kafka has no topic {0:?} yet")]
    NoTopic(String),
}

/// Where records are kept.
pub trait Log: Send + Sync + 'static {
    /// What reads it.
    type Reader: Reader;

    /// Makes what has to be there before it is used, such as a topic.
    ///
    /// # Errors
    /// When the log is out of reach, or refuses.
    fn prepare(&self) -> Result<(), LogError>;

    /// The partitions there are now.
    ///
    /// # Errors
    /// When the log is out of reach.
    fn partitions(&self) -> Result<Vec<i32>, LogError>;

    /// What a partition holds now.
    ///
    /// # Errors
    /// When the log is out of reach.
    fn bounds(&self, partition: i32) -> Result<Bounds, LogError>;

    /// The first offset whose record isn't older than `time_ms`; the end where there is none.
    ///
    /// # Errors
    /// When the log is out of reach.
    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, LogError>;

    /// A reader with nothing assigned. `purpose` names it in logs.
    ///
    /// # Errors
    /// When it can't be made from the settings.
    fn reader(&self, purpose: &str) -> Result<Self::Reader, LogError>;

    /// Learns that state has everything before `position` durably.
    fn settled(&self, position: &Position);

    /// What this log is, so that a store can tell whether it was made from it.
    fn lineage(&self) -> String;
}

/// Reads assigned partitions in order.
pub trait Reader: Send {
    /// Adds a partition, from `offset` on.
    ///
    /// # Errors
    /// When the log refuses.
    fn assign(&mut self, partition: i32, offset: i64) -> Result<(), LogError>;

    /// Hands over what has arrived, at most `records_max` records, waiting up to `wait` for
    /// the first, and for nothing once something was handed over. Returns how many records there
    /// were.
    ///
    /// # Errors
    /// When the log is out of reach; reading again goes on where it stopped.
    fn read(
        &mut self,
        records_max: usize,
        wait: Duration,
        each: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<usize, LogError>;
}

#[cfg(test)]
pub mod scripted;
