//! A brief: what most events are told by, borrowed from a record in which it is plain.

use super::plain::Rest;
use super::{EventTime, Skip, id_hash, time_ms};
use crate::ids::cut_distinct_id;
use crate::time::parse_timestamp_ms;

/// Who did what, and when, without the properties. Fields are those of [`super::Event`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brief<'a> {
    /// The event id.
    pub uuid: Option<&'a str>,
    /// The project's token.
    pub token: Option<&'a str>,
    /// What happened.
    pub name: &'a str,
    /// Who did it, cut to 200 characters.
    pub distinct_id: &'a str,
    /// When, in epoch milliseconds, as the sender says.
    pub timestamp_ms: Option<i64>,
}

impl<'a> Brief<'a> {
    /// Reads the field of this name. Nothing where only reading the whole record can tell what it
    /// holds. Of a token or a name that comes twice the first counts.
    pub(super) fn read(&mut self, key: &[u8], rest: &mut Rest<'a>) -> Option<()> {
        match key {
            b"uuid" => self.uuid = Some(rest.text()?),
            b"token" if self.token.is_none() => self.token = Some(rest.text()?),
            b"event" if self.name.is_empty() => self.name = rest.text()?,
            b"distinct_id" => {
                self.distinct_id = cut_distinct_id(rest.text().or_else(|| rest.whole())?);
            }
            b"timestamp" => {
                self.timestamp_ms = Some(match rest.text() {
                    Some(text) => parse_timestamp_ms(text)?,
                    None => rest.whole()?.parse().ok()?,
                });
            }
            _ => rest.skip()?,
        }
        Some(())
    }

    /// As of an [`super::Event`].
    ///
    /// # Errors
    /// [`Skip::Late`] before the year 2000.
    pub fn time_ms(&self, record_ms: i64, skew_ms: i64) -> Result<EventTime, Skip> {
        time_ms(self.timestamp_ms, record_ms, skew_ms)
    }

    /// As of an [`super::Event`].
    pub fn id_hash(&self, partition: i32, offset: i64, record_ms: i64) -> u64 {
        id_hash(self.uuid, partition, offset, record_ms)
    }
}
