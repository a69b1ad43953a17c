//! Questions about the offsets of a partition, as brokers answer them.

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{ASK_WAIT, Reading};
use crate::log::{Bounds, LogError};

/// What a partition holds now.
///
/// # Errors
/// When the brokers don't say.
pub fn bounds(consumer: &Reading, topic: &str, partition: i32) -> Result<Bounds, LogError> {
    let (first, end) = consumer.fetch_watermarks(topic, partition, ASK_WAIT)?;
    if first < end {
        return Ok(Bounds { first, end });
    }
    // librdkafka asks for both at once. It forgets that one was refused when the other is
    // answered in the same moment, and takes what it has for an empty partition.
    let alone = |asked| {
        let told = offset(consumer, topic, partition, asked)?;
        told.ok_or(LogError::NoAnswer(partition))
    };
    Ok(Bounds { first: alone(Offset::Beginning)?, end: alone(Offset::End)? })
}

/// The offset that is asked for: the beginning, the end, or that of the first record which isn't
/// older than an instant in epoch milliseconds. Nothing where there is no such record.
///
/// # Errors
/// When the brokers don't say.
pub fn offset(
    consumer: &Reading,
    topic: &str,
    partition: i32,
    asked: Offset,
) -> Result<Option<i64>, LogError> {
    let mut question = TopicPartitionList::new();
    question.add_partition_offset(topic, partition, asked)?;
    let answered = consumer.offsets_for_times(question, ASK_WAIT)?;
    match answered.elements().first().map(|element| (element.offset(), element.error())) {
        Some((Offset::Offset(offset), Ok(()))) => Ok(Some(offset)),
        Some((_, Err(error))) => Err(error.into()),
        _ => Ok(None),
    }
}
