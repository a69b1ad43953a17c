//! How the embedded log lays out its records: in batches, each under the offset of its last
//! record, so that the first key from an offset on is of the batch that holds it.

use schemas::append::Outgoing;

/// The version of this layout, as bytes under a key of its own.
pub const VERSION: &[u8] = b"3";
/// `time i64 | records u32`.
const HEADER_BYTES: usize = 12;
/// A batch that has grown so large takes no more records.
const BATCH_BYTES_MAX: usize = 64 << 10;

/// Offsets sort as keys; they are 8 bytes, no other key is.
pub fn key_of(offset: i64) -> [u8; 8] {
    offset.to_be_bytes()
}

/// The offset that a key stands for; nothing if it stands for none.
pub fn offset_of(key: &[u8]) -> Option<i64> {
    key.try_into().ok().map(i64::from_be_bytes)
}

/// A batch to be stored: `time i64 | records u32 | records`, and each record as
/// `key bytes u32 | value bytes u32 | key | value`, little-endian.
pub struct Batch {
    bytes: Vec<u8>,
    records: u32,
}

impl Batch {
    /// No records yet, all of this time.
    pub fn new(time_ms: i64) -> Self {
        let mut bytes = Vec::with_capacity(BATCH_BYTES_MAX);
        bytes.extend_from_slice(&time_ms.to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        Batch { bytes, records: 0 }
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Outgoing) {
        self.bytes.extend_from_slice(&(record.key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(record.value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record.key.as_bytes());
        self.bytes.extend_from_slice(&record.value);
        self.records += 1;
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES_MAX
    }

    /// Whether it has no records.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// What is stored.
    pub fn as_bytes(&mut self) -> &[u8] {
        self.bytes[8..HEADER_BYTES].copy_from_slice(&self.records.to_le_bytes());
        &self.bytes
    }

    /// Takes its records out; the next ones are of the same time.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.records = 0;
    }
}

/// A stored batch, and the values of its records in order.
pub struct Stored<'b> {
    /// The time of each record, in epoch milliseconds.
    pub time_ms: i64,
    /// How many records it has.
    pub records: u32,
    rest: &'b [u8],
}

impl<'b> Stored<'b> {
    /// Reads what was stored; nothing if it is torn.
    pub fn read(bytes: &'b [u8]) -> Option<Stored<'b>> {
        let (time_ms, rest) = bytes.split_first_chunk()?;
        let (records, rest) = rest.split_first_chunk()?;
        let (time_ms, records) = (i64::from_le_bytes(*time_ms), u32::from_le_bytes(*records));
        Some(Stored { time_ms, records, rest })
    }
}

impl<'b> Iterator for Stored<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let (key_bytes, rest) = self.rest.split_first_chunk()?;
        let (value_bytes, rest) = rest.split_first_chunk()?;
        let rest = rest.get(u32::from_le_bytes(*key_bytes) as usize..)?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_bytes) as usize)?;
        self.rest = rest;
        Some(value)
    }
}
