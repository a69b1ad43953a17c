//! The seam towards the log: events that somebody sent, made durable before they are answered.

use std::future::Future;

use crate::lookup::Position;

/// A record on its way to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `<token>:<distinct_id>`, so that one person's events share a partition.
    pub key: String,
    /// The event as JSON, in the shape of `schemas/event.schema.json`.
    pub value: Vec<u8>,
    /// The partition it belongs into, whatever its key says; one of those that
    /// [`crate::lookup::Facts`] tell.
    pub partition: Option<i32>,
}

/// Why events couldn't be appended. None of them may be taken for stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log didn't confirm in time, or can't be reached.
    #[error("the log did not confirm the events: {0}; send them again")]
    Unavailable(String),
    /// The disk has no room.
    #[error("the disk is full; events are refused until there is room")]
    Full,
    /// The log is somebody else's to write.
    #[error("this node only reads its topic, {0}; send events to where its records come from")]
    ReadOnly(String),
    /// One record is larger than the log takes.
    #[error("an event of {bytes} bytes is larger than the log takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Takes events into the log.
pub trait Append: Send + Sync + 'static {
    /// Returns once every record is durable, with the position behind the last of them.
    ///
    /// # Errors
    /// See [`AppendError`]; the sender is told to try again, and duplicates are recognised.
    fn append(
        &self,
        records: Vec<Outgoing>,
    ) -> impl Future<Output = Result<Position, AppendError>> + Send;
}
