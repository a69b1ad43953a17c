//! A record read from stored bytes, whose layout is checked once.

use super::{Record, RecordError};
use crate::sections;

impl Record {
    /// Reads stored bytes, checking their layout once.
    ///
    /// # Errors
    /// Another version, or a torn layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        sections::check(bytes.to_vec()).map(Record)
    }

    /// Makes this the record of these stored bytes, in the same memory.
    ///
    /// # Errors
    /// Another version, or a torn layout; nothing is kept then.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.0.clear();
        self.0.extend_from_slice(bytes);
        self.0 = sections::check(std::mem::take(&mut self.0))?;
        Ok(())
    }

    /// Makes this the record whose [`Record::as_bytes`] these are, in the same memory; they aren't
    /// checked again.
    pub fn copy(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty() || sections::check(bytes.to_vec()).is_ok());
        self.0.clear();
        self.0.extend_from_slice(bytes);
    }
}
