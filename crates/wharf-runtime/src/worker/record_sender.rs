//! Gives single records to the producer of a source task.

use std::time::Duration;

use wharf_api::batch::HeadersRef;
use wharf_api::{ConnectError, Headers, Result};
use wharf_kafka::{KafkaError, Producer, SendError, TopicHandle};

use super::control::TaskControl;
use super::deliveries::Deliveries;
use super::submitted_records::Token;

/// How long a send waits for room before it looks at stop requests again.
pub(super) const BACKPRESSURE_WAIT: Duration = Duration::from_millis(100);

/// Why sending a batch ended.
pub(super) enum Sent {
    All,
    Interrupted,
}

/// Takes over the headers that a plugin's converter put behind the `known` ones of the record it was given.
pub(super) fn take_added_headers(
    converted: HeadersRef<'_>,
    known: usize,
    headers: &mut Headers,
) -> Result<()> {
    if converted.len() > known {
        for header in converted.to_headers()?.iter().skip(known) {
            headers.push(header.clone());
        }
    }
    Ok(())
}

/// −1 and none are "no timestamp"; other negative ones are refused, as upstream.
pub(super) fn valid_timestamp(timestamp: Option<i64>) -> Result<Option<i64>> {
    match timestamp {
        None | Some(-1) => Ok(None),
        Some(millis) if millis < 0 => Err(ConnectError::connect(format!(
            "Invalid record timestamp {millis}"
        ))
        .with_class("org.apache.kafka.common.InvalidRecordException")),
        some => Ok(some),
    }
}

pub(super) fn kafka_error(error: &KafkaError) -> ConnectError {
    let error_of = if error.is_retriable() {
        ConnectError::retriable
    } else {
        ConnectError::connect
    };
    error_of(error.to_string()).with_class(error.java_class())
}

/// One record as bytes, borrowed from the batch and from the converters.
pub(super) struct RecordParts<'r> {
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<&'r [u8]>,
    pub(super) value: Option<&'r [u8]>,
    pub(super) headers: &'r [(&'r str, Option<&'r [u8]>)],
}

/// What the producer says to a record.
pub(super) enum Offered {
    Taken,
    /// It never will take this one.
    Refused(KafkaError),
    /// The task is to stop before there was room.
    Interrupted,
}

/// Gives a record to the producer, waiting for room as long as it takes.
pub(super) fn send(
    producer: &Producer,
    control: &TaskControl,
    deliveries: &mut Deliveries,
    topic: &TopicHandle,
    parts: &RecordParts<'_>,
    token: Token,
) -> Result<Offered> {
    let RecordParts {
        partition,
        timestamp,
        key,
        value,
        headers,
    } = *parts;
    loop {
        match producer.send(topic, partition, timestamp, key, value, headers, token.number()) {
            Ok(()) => return Ok(Offered::Taken),
            Err(SendError::QueueFull) => {
                producer.poll_acks(BACKPRESSURE_WAIT, |delivery| deliveries.take(delivery));
                deliveries.measure();
                if let Some(error) = deliveries.failure.take() {
                    return Err(error);
                }
                if let Some(error) = producer.take_failure() {
                    return Err(kafka_error(&error));
                }
                if control.is_stopping() {
                    return Ok(Offered::Interrupted);
                }
            }
            Err(SendError::Failed(error)) => return Ok(Offered::Refused(error)),
            Err(other) => return Err(ConnectError::connect(other.to_string())),
        }
    }
}
