//! How the embedded log lays out its keys and records.

use schemas::append::Outgoing;

/// Offsets sort as keys; they are 8 bytes, no other key is.
pub fn key_of(offset: i64) -> [u8; 8] {
    offset.to_be_bytes()
}

/// The offset that a key stands for; nothing if it stands for none.
pub fn offset_of(key: &[u8]) -> Option<i64> {
    key.try_into().ok().map(i64::from_be_bytes)
}

/// `time i64 | key bytes u32 | key | value`, little-endian.
pub fn encode(time_ms: i64, record: &Outgoing) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + record.key.len() + record.value.len());
    bytes.extend_from_slice(&time_ms.to_le_bytes());
    bytes.extend_from_slice(&(record.key.len() as u32).to_le_bytes());
    bytes.extend_from_slice(record.key.as_bytes());
    bytes.extend_from_slice(&record.value);
    bytes
}

/// Time and value of a stored record; nothing if it is torn.
pub fn decode(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let time_ms = i64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let key_bytes = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize;
    Some((time_ms, bytes.get(12 + key_bytes..)?))
}
