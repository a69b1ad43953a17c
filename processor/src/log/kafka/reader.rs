//! Reads partitions of the topic, and finds out what is left where the log has lost something.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::Topic;
use super::batch::{Batches, Delivery};
use super::offsets::bounds;
use crate::log::{Arrival, Bounds, LogError, Reader};

/// Reads partitions of the topic.
pub struct KafkaReader {
    topic: Topic,
    purpose: String,
    batches: Batches,
    /// Partition to the offset after the last record handed over.
    next: BTreeMap<i32, i64>,
    /// Some partition's offset was refused, and reading hasn't been put right since.
    lost: bool,
}

impl KafkaReader {
    /// A reader with nothing assigned. `purpose` names it to the brokers.
    ///
    /// # Errors
    /// When a librdkafka property is wrong.
    pub(super) fn new(topic: Topic, purpose: &str) -> Result<Self, LogError> {
        let batches = Batches::new(topic.consumer(purpose)?)?;
        let purpose = purpose.to_owned();
        Ok(KafkaReader { topic, purpose, batches, next: BTreeMap::new(), lost: false })
    }

    /// Reads every partition anew, through another consumer, and those whose next offset is gone
    /// from where they begin now: librdkafka tells once that an offset was refused, and stops
    /// reading there.
    fn restart_truncated(&mut self, each: &mut dyn FnMut(Arrival<'_>)) -> Result<(), LogError> {
        let mut truncated = Vec::new();
        for (partition, next) in &self.next {
            let Bounds { first, end } =
                bounds(self.batches.consumer(), &self.topic.name, *partition)?;
            if *next < first || *next > end {
                truncated.push((*partition, first));
            }
        }
        let batches = Batches::new(self.topic.consumer(&self.purpose)?)?;
        let mut from = self.next.clone();
        from.extend(truncated.iter().copied());
        for (partition, offset) in &from {
            assign(&batches, &self.topic.name, *partition, *offset)?;
        }
        let closed = std::mem::replace(&mut self.batches, batches);
        // Closing waits for what librdkafka has under way, and reading shall not.
        thread::spawn(|| drop(closed));
        self.next = from;
        self.lost = false;
        for (partition, first) in truncated {
            each(Arrival::Truncated { partition, first });
        }
        Ok(())
    }
}

impl Reader for KafkaReader {
    fn assign(&mut self, partition: i32, offset: i64) -> Result<(), LogError> {
        assign(&self.batches, &self.topic.name, partition, offset)?;
        self.next.insert(partition, offset);
        Ok(())
    }

    fn read(
        &mut self,
        records_max: usize,
        wait: Duration,
        each: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<usize, LogError> {
        if self.lost {
            self.restart_truncated(each)?;
            // Waiting for records is for the next reading.
            return Ok(0);
        }
        let KafkaReader { batches, next, lost, .. } = self;
        let (mut read, mut failure) = (0, None);
        batches.take(records_max, wait, &mut |delivery| match delivery {
            Delivery::Record(record) => {
                next.insert(record.partition, record.offset + 1);
                each(Arrival::Record(record));
                read += 1;
            }
            Delivery::End(partition) => each(Arrival::End { partition }),
            Delivery::Failure(Code::AutoOffsetReset | Code::OffsetOutOfRange) => *lost = true,
            Delivery::Failure(code) => failure = Some(KafkaError::MessageConsumption(code)),
        });
        match batches.consumer().poll(Duration::ZERO) {
            None => {}
            Some(Err(error)) => failure = Some(error),
            // Partitions deliver to the batches: whatever comes this way, it isn't lost.
            Some(Ok(_)) => *lost = true,
        }
        // The brokers are asked what is left at the next reading, before anything is handed over.
        failure.map_or(Ok(read), |error| Err(error.into()))
    }
}

/// Begins to read a partition.
fn assign(batches: &Batches, topic: &str, partition: i32, offset: i64) -> Result<(), LogError> {
    batches.lead(topic, partition)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    Ok(batches.consumer().incremental_assign(&list)?)
}
