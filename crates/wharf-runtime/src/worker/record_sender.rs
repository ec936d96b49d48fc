//! Gives single records to the producer of a source task.

use std::time::Duration;

use wharf_api::batch::RecordRef;
use wharf_api::{ConnectError, Header, Headers, Result};
use wharf_kafka::{Producer, SendError, TopicHandle};

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

pub(super) fn next_remote<'r>(
    records: &mut impl Iterator<Item = Result<RecordRef<'r>>>,
) -> Result<RecordRef<'r>> {
    records
        .next()
        .unwrap_or_else(|| Err(ConnectError::connect("a converter gave too few values")))
}

/// Takes over the headers that a plugin's converter put behind the `known` ones of the record it was given.
pub(super) fn take_added_headers(
    converted: &RecordRef<'_>,
    known: usize,
    headers: &mut Headers,
) -> Result<()> {
    if converted.headers().len() > known {
        for header in converted.headers().to_headers()?.iter().skip(known) {
            headers.push(header.clone());
        }
    }
    Ok(())
}

/// Headers that a converter added are bytes already.
pub(super) fn encode_headers(
    converter: &mut dyn wharf_api::HeaderConverter,
    topic: &str,
    headers: &Headers,
    connect_headers: usize,
    arena: &mut Vec<u8>,
    places: &mut Vec<Option<std::ops::Range<usize>>>,
) -> Result<()> {
    for (position, header) in headers.iter().enumerate() {
        let start = arena.len();
        if let (true, wharf_api::Value::Bytes(bytes)) = (position >= connect_headers, header.value()) {
            arena.extend_from_slice(bytes);
            places.push(Some(start..arena.len()));
            continue;
        }
        places.push(encode_header(converter, topic, header, arena)?.then_some(start..arena.len()));
    }
    Ok(())
}

fn encode_header(
    converter: &mut dyn wharf_api::HeaderConverter,
    topic: &str,
    header: &Header,
    arena: &mut Vec<u8>,
) -> Result<bool> {
    let encoded = converter
        .encode_header(
            topic,
            header.key(),
            header.schema(),
            header.value().as_ref(),
            arena,
        )
        .map_err(|error| ConnectError::connect("Tolerance exceeded in error handler").caused_by(error))?;
    Ok(encoded == wharf_api::Encoded::Bytes)
}

/// −1 and none are "no timestamp"; other negative ones are refused, as upstream.
pub(super) fn valid_timestamp(record: &RecordRef<'_>) -> Result<Option<i64>> {
    match record.timestamp() {
        None | Some(-1) => Ok(None),
        Some(millis) if millis < 0 => Err(ConnectError::connect(format!(
            "Invalid record timestamp {millis}"
        ))
        .with_class("org.apache.kafka.common.InvalidRecordException")),
        some => Ok(some),
    }
}

pub(super) fn kafka_error(error: &wharf_kafka::KafkaError) -> ConnectError {
    let error_of = if error.is_retriable() {
        ConnectError::retriable
    } else {
        ConnectError::connect
    };
    error_of(error.to_string()).with_class(error.java_class())
}

/// One record as bytes, borrowed from the batch and from the converters.
pub(super) struct RecordParts<'r> {
    pub(super) record: &'r RecordRef<'r>,
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<&'r [u8]>,
    pub(super) value: Option<&'r [u8]>,
    pub(super) headers: &'r [(&'r str, Option<&'r [u8]>)],
}

/// Gives a record to the producer, waiting for room as long as it takes.
pub(super) fn send(
    producer: &Producer,
    control: &TaskControl,
    deliveries: &mut Deliveries,
    topic: &TopicHandle,
    parts: &RecordParts<'_>,
    token: Token,
) -> Result<Sent> {
    let RecordParts {
        record,
        timestamp,
        key,
        value,
        headers,
    } = *parts;
    let partition = record.kafka_partition();
    loop {
        match producer.send(topic, partition, timestamp, key, value, headers, token.number()) {
            Ok(()) => return Ok(Sent::All),
            Err(SendError::QueueFull) => {
                producer.poll_acks(BACKPRESSURE_WAIT, |delivery| deliveries.take(delivery));
                if let Some(error) = deliveries.failure.take() {
                    return Err(error);
                }
                if let Some(error) = producer.take_failure() {
                    return Err(kafka_error(&error));
                }
                if control.is_stopping() {
                    return Ok(Sent::Interrupted);
                }
            }
            Err(SendError::Failed(error)) => return Err(kafka_error(&error)),
            Err(other) => return Err(ConnectError::connect(other.to_string())),
        }
    }
}
