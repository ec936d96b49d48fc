//! The dead letters of a sink task: what was consumed, written to a topic of the user's by a producer of its own.
//!
//! What must stay true: a letter is outstanding from before it is given to the producer until Kafka has acknowledged it; one
//! that failed stays outstanding, so that the offset of its record is never committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::{ConnectError, Result, TopicPartition};
use wharf_kafka::{Delivery, SendError, TopicHandle};

use super::consumed_record::ConsumedRecord;
use super::context_headers::{ConsumedFrom, context_headers};
use super::counters::ErrorCounters;
use super::stage::RecordFailure;
use crate::config::DeadLetterConfig;
use crate::herder::TaskId;
use crate::worker::control::TaskControl;
use crate::worker::record_sender::{BACKPRESSURE_WAIT, kafka_error};
use crate::worker::task_producer::TaskProducer;

/// Letters on their way, and how their records are named in commits.
#[derive(Debug, Default)]
struct Outstanding {
    next: u64,
    letters: BTreeMap<u64, (TopicPartition, i64)>,
}

/// The dead letters of one task.
pub(crate) struct DeadLetterQueue {
    producer: TaskProducer,
    handle: Option<TopicHandle>,
    config: DeadLetterConfig,
    task: TaskId,
    control: Arc<TaskControl>,
    counters: Arc<ErrorCounters>,
    outstanding: Outstanding,
    failure: Option<ConnectError>,
}

impl Outstanding {
    fn enter(&mut self, partition: TopicPartition, offset: i64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.letters.insert(number, (partition, offset));
        number
    }

    /// The first offset of the partition that must not be passed.
    fn first(&self, partition: &TopicPartition) -> Option<i64> {
        self.letters
            .values()
            .filter(|(of, _)| of == partition)
            .map(|(_, offset)| *offset)
            .min()
    }
}

impl DeadLetterQueue {
    pub(crate) fn new(
        producer: TaskProducer,
        config: DeadLetterConfig,
        task: TaskId,
        control: Arc<TaskControl>,
        counters: Arc<ErrorCounters>,
    ) -> Self {
        Self {
            producer,
            handle: None,
            config,
            task,
            control,
            counters,
            outstanding: Outstanding::default(),
            failure: None,
        }
    }

    /// Sends a record; the number is to be waited for. `None` when the task is to stop before there was room for it.
    ///
    /// # Errors
    /// When it cannot be sent, now or later.
    pub(super) fn send(
        &mut self,
        record: &ConsumedRecord<'_>,
        failure: &RecordFailure,
    ) -> Result<Option<u64>> {
        self.counters.dead_letter();
        let context = if self.config.context_headers {
            let from = ConsumedFrom {
                topic: &record.topic,
                partition: record.partition,
                offset: record.offset,
            };
            context_headers(&self.task, from.topic, Some(&from), failure)
        } else {
            Vec::new()
        };
        let own = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_deref()));
        let added = context
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref().map(str::as_bytes)));
        let headers: Vec<_> = own.chain(added).collect();
        let number = self.outstanding.enter(record.topic_partition(), record.offset);
        loop {
            let handle = self.handle()?;
            let producer = self.producer.open()?;
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            match producer.send(&handle, None, record.timestamp, key, value, &headers, number) {
                Ok(()) => {
                    self.poll(Duration::ZERO);
                    return Ok(Some(number));
                }
                Err(SendError::QueueFull) => {
                    self.poll(BACKPRESSURE_WAIT);
                    if self.control.is_stopping() {
                        self.outstanding.letters.remove(&number);
                        return Ok(None);
                    }
                }
                Err(SendError::Failed(error)) => {
                    self.counters.dead_letter_failed();
                    return Err(unwritten(&self.config.topic, kafka_error(&error)));
                }
                Err(other) => {
                    return Err(unwritten(
                        &self.config.topic,
                        ConnectError::connect(other.to_string()),
                    ));
                }
            }
        }
    }

    fn handle(&mut self) -> Result<TopicHandle> {
        if let Some(handle) = &self.handle {
            return Ok(handle.clone());
        }
        let handle = self
            .producer
            .open()?
            .topic(&self.config.topic)
            .map_err(|error| kafka_error(&error))?;
        Ok(self.handle.insert(handle).clone())
    }

    /// Takes acknowledgements, waiting at most this long for the first.
    pub(super) fn poll(&mut self, wait: Duration) {
        if self.producer.client().is_none() {
            return;
        }
        let Self {
            producer,
            outstanding,
            failure,
            counters,
            config,
            ..
        } = self;
        producer.poll_acks(wait, |delivery| {
            take(delivery, outstanding, failure, counters, &config.topic);
        });
        if let Some(error) = self.producer.take_failure() {
            let topic = &self.config.topic;
            self.failure
                .get_or_insert_with(|| unwritten(topic, kafka_error(&error)));
        }
        if self.outstanding.letters.is_empty() && self.producer.is_idle() {
            self.handle = None;
            self.producer.close();
        }
    }

    /// Waits until none of these letters is outstanding, the time is over or one failed. Says whether none is.
    pub(super) fn wait(&mut self, time: Duration, is_awaited: impl Fn(u64, &TopicPartition) -> bool) -> bool {
        let deadline = Instant::now() + time;
        loop {
            self.poll(Duration::ZERO);
            let letters = &self.outstanding.letters;
            if !letters
                .iter()
                .any(|(number, (partition, _))| is_awaited(*number, partition))
            {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.failure.is_some() || self.control.is_cancelled() {
                return false;
            }
            self.poll(left.min(BACKPRESSURE_WAIT));
        }
    }

    /// Whether so much as one letter is outstanding.
    pub(super) fn is_outstanding(&self) -> bool {
        !self.outstanding.letters.is_empty()
    }

    /// The offset of the first record of a partition whose letter is not written; it must not be committed.
    pub(super) fn first_outstanding(&self, partition: &TopicPartition) -> Option<i64> {
        self.outstanding.first(partition)
    }

    /// Partitions that belong to others now: whoever reads them again reports again.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        self.outstanding
            .letters
            .retain(|_, (partition, _)| !partitions.contains(partition));
    }

    /// Whether nobody waits for this task any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.control.is_cancelled()
    }

    /// Why a letter could not be written. The task is to fail with it.
    pub(super) fn failure(&self) -> Option<&ConnectError> {
        self.failure.as_ref()
    }

    pub(super) fn queued_bytes(&self) -> u64 {
        self.producer.queued_bytes()
    }
}

fn take(
    delivery: Delivery,
    outstanding: &mut Outstanding,
    failure: &mut Option<ConnectError>,
    counters: &ErrorCounters,
    topic: &str,
) {
    match delivery.result {
        Ok(()) => drop(outstanding.letters.remove(&delivery.opaque)),
        Err(error) => {
            counters.dead_letter_failed();
            failure.get_or_insert_with(|| unwritten(topic, kafka_error(&error)));
        }
    }
}

/// A dead letter that cannot be written ends the task: nothing else would keep the record.
pub(crate) fn unwritten(topic: &str, cause: ConnectError) -> ConnectError {
    ConnectError::connect(format!(
        "a dead letter cannot be written to topic {topic}; its record's offset is not committed, so that it is read again when \
         the task is restarted"
    ))
    .caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(number: u64, result: std::result::Result<(), wharf_kafka::KafkaError>) -> Delivery {
        Delivery {
            opaque: number,
            result,
            partition: 0,
            offset: 1,
            timestamp: -1,
            undelivered: None,
        }
    }

    #[test]
    fn an_offset_is_held_back_by_each_letter_until_it_is_acknowledged() {
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let mut outstanding = Outstanding::default();
        let counters = ErrorCounters::default();
        let mut failure = None;
        let first = outstanding.enter(a.clone(), 5);
        let second = outstanding.enter(a.clone(), 9);
        let other = outstanding.enter(b.clone(), 2);
        assert_eq!((outstanding.first(&a), outstanding.first(&b)), (Some(5), Some(2)));
        let mut tell = |number, result, outstanding: &mut Outstanding| {
            take(
                delivery(number, result),
                outstanding,
                &mut failure,
                &counters,
                "dead",
            );
        };
        tell(first, Ok(()), &mut outstanding);
        assert_eq!(outstanding.first(&a), Some(9));
        tell(other, Ok(()), &mut outstanding);
        assert_eq!(outstanding.first(&b), None);
        let refused = wharf_kafka::KafkaError::Operation {
            operation: "sending".to_owned(),
            code: wharf_kafka::ErrorCode(29),
            detail: "not allowed".to_owned(),
        };
        tell(second, Err(refused), &mut outstanding);
        assert_eq!(
            outstanding.first(&a),
            Some(9),
            "what failed holds the offset back for ever"
        );
        let failure = failure.unwrap();
        assert!(failure.message().contains("topic dead"), "{failure}");
        assert_eq!(
            failure.cause().unwrap().class(),
            "org.apache.kafka.common.errors.TopicAuthorizationException"
        );
        assert_eq!(counters.counts().dead_letter_failures, 1);
    }
}
