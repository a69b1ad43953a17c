//! Records taken from librdkafka many at a time: all the unsafe code that reading takes.
//!
//! The safe way hands over one event per record: a lock, two looks at the clock and an allocation
//! each. Here what partitions deliver is led into one queue, which is emptied at once.
//!
//! What makes it sound: the queue is given back before its consumer is, since [`Batches::drop`]
//! runs before its fields are dropped; a message is destroyed once, by [`Message::drop`]; what it
//! lends out doesn't outlive it.

use std::ffi::CString;
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as ffi;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::Reading;
use crate::log::LogRecord;

/// How many records are taken from librdkafka at once.
const TAKEN_MAX: usize = 1_000;

/// What a partition delivers.
pub enum Delivery<'m> {
    /// A record.
    Record(LogRecord<'m>),
    /// Everything that this partition holds now has been delivered.
    End(i32),
    /// No record.
    Failure(Code),
}

/// A consumer, and the queue that its partitions deliver to.
pub struct Batches {
    consumer: Reading,
    queue: NonNull<ffi::rd_kafka_queue_t>,
    taken: Vec<*mut ffi::rd_kafka_message_t>,
}

// SAFETY: librdkafka's handles may be used from any thread, and `taken` holds messages only
// while `take` runs.
unsafe impl Send for Batches {}

impl Batches {
    /// A queue that no partition delivers to yet.
    ///
    /// # Errors
    /// When librdkafka makes none.
    pub fn new(consumer: Reading) -> Result<Self, KafkaError> {
        // SAFETY: the consumer is alive.
        let queue = unsafe { ffi::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let none = || KafkaError::ClientCreation("librdkafka makes no queue".to_owned());
        let queue = NonNull::new(queue).ok_or_else(none)?;
        Ok(Batches { consumer, queue, taken: Vec::with_capacity(TAKEN_MAX) })
    }

    /// The consumer, to assign partitions and to be asked.
    pub fn consumer(&self) -> &Reading {
        &self.consumer
    }

    /// Leads what a partition delivers here. It has to be done before the partition is assigned,
    /// for the only time: once it is unassigned, librdkafka cuts the way whenever it gets to it.
    ///
    /// # Errors
    /// When librdkafka knows no such partition.
    pub fn lead(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let topic = CString::new(topic)?;
        let client = self.consumer.client().native_ptr();
        // SAFETY: the client is alive, and the name ends with its zero.
        let from = unsafe { ffi::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        if from.is_null() {
            return Err(KafkaError::Subscription(format!("no partition {partition}")));
        }
        // SAFETY: both queues are alive; the reference to the partition's is given back once.
        unsafe {
            ffi::rd_kafka_queue_forward(from, self.queue.as_ptr());
            ffi::rd_kafka_queue_destroy(from);
        }
        Ok(())
    }

    /// Hands over what has been delivered, at most so much, waiting up to `wait` for the first.
    /// Returns how much there was.
    pub fn take(
        &mut self,
        records_max: usize,
        wait: Duration,
        each: &mut dyn FnMut(Delivery<'_>),
    ) -> usize {
        // librdkafka waits until all have come: one is waited for, and the others are taken.
        let first = self.take_once(1, wait, each);
        if first == 0 || records_max <= 1 {
            return first;
        }
        first + self.take_once(records_max - 1, Duration::ZERO, each)
    }

    fn take_once(
        &mut self,
        records_max: usize,
        wait: Duration,
        each: &mut dyn FnMut(Delivery<'_>),
    ) -> usize {
        let room = records_max.min(TAKEN_MAX);
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let (queue, taken) = (self.queue.as_ptr(), self.taken.as_mut_ptr());
        debug_assert!(self.taken.is_empty() && self.taken.capacity() >= room);
        // SAFETY: the queue is alive, and there is room for so many.
        let taken = unsafe { ffi::rd_kafka_consume_batch_queue(queue, wait_ms, taken, room) };
        let taken = usize::try_from(taken).unwrap_or(0).min(room);
        // SAFETY: librdkafka has written so many.
        unsafe { self.taken.set_len(taken) };
        for message in self.taken.drain(..).filter_map(NonNull::new) {
            each(Message(message).delivery());
        }
        taken
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        unsafe { ffi::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// A message of librdkafka's that is ours.
struct Message(NonNull<ffi::rd_kafka_message_t>);

impl Message {
    fn delivery(&self) -> Delivery<'_> {
        // SAFETY: the message is alive as long as this is.
        let message = unsafe { self.0.as_ref() };
        match message.err {
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                return Delivery::End(message.partition);
            }
            error => return Delivery::Failure(error.into()),
        }
        let value = (!message.payload.is_null()).then(|| {
            // SAFETY: librdkafka says how long it is, and keeps it as long as the message.
            unsafe { slice::from_raw_parts(message.payload.cast::<u8>(), message.len) }
        });
        // SAFETY: as above; no kind of timestamp is asked for.
        let timestamp_ms =
            unsafe { ffi::rd_kafka_message_timestamp(self.0.as_ptr(), std::ptr::null_mut()) };
        Delivery::Record(LogRecord {
            partition: message.partition,
            offset: message.offset,
            timestamp_ms: timestamp_ms.max(0),
            value,
        })
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it came from librdkafka as ours, and nothing that it lent out is left.
        unsafe { ffi::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}
