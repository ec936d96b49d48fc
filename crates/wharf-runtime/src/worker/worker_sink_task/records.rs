//! From consumed messages to the batch that `put` gets, one by one: the way of all records whose converters and transforms are
//! built in. Where one of them is in a library, the batch first holds raw bytes; see [`super::deferred`].

use std::borrow::Cow;

use wharf_api::batch::{Datum, NewOrigin, NewRecord, SinkOrigin};
use wharf_api::record::TimestampType;
use wharf_api::{Header, Headers, Record, Result, SchemaAndValue, Value, ValueRef};
use wharf_kafka::MessageRef;

use super::{Loop, PartitionState};
use crate::metrics::RecordStage;
use crate::worker::errors::{
    Attempt, ConsumedRecord, RecordFailure, Reported, SharedSinkReporter, timestamp_of,
};

/// What became of a record at some step.
#[derive(Debug)]
pub(super) enum Step<T> {
    Go(T),
    /// It failed, and that is tolerated and reported.
    Skip,
    /// The task is to stop: the record counts as not read.
    Interrupted,
}

/// Takes what a step gave out of it, or ends the caller with what it says of the record.
macro_rules! go {
    ($step:expr) => {
        match $step? {
            Step::Go(value) => value,
            Step::Skip => return Ok(Step::Skip),
            Step::Interrupted => return Ok(Step::Interrupted),
        }
    };
}
pub(super) use go;

/// Reports what failed, and says how the record goes on.
#[inline]
pub(super) fn settle<'r, T>(
    reporter: &SharedSinkReporter,
    attempt: Attempt<T>,
    original: impl FnOnce() -> Result<ConsumedRecord<'r>>,
) -> Result<Step<T>> {
    match attempt {
        Attempt::Done(done) => Ok(Step::Go(done)),
        Attempt::Interrupted => Ok(Step::Interrupted),
        Attempt::Failed(failure) => {
            let is_interrupted = report(reporter, &failure, &original()?)?;
            Ok(if is_interrupted {
                Step::Interrupted
            } else {
                Step::Skip
            })
        }
    }
}

#[cold]
fn report(
    reporter: &SharedSinkReporter,
    failure: &RecordFailure,
    record: &ConsumedRecord<'_>,
) -> Result<bool> {
    let reported = reporter.lock().report(record, failure)?;
    if failure.is_tolerated {
        Ok(reported == Reported::Interrupted)
    } else {
        Err(failure.fatal(record))
    }
}

impl Loop {
    pub(super) fn state(&mut self, message: &MessageRef<'_>) -> Option<&mut PartitionState> {
        state_of(
            &mut self.partitions,
            &mut self.last,
            message.topic(),
            message.partition(),
        )
    }

    /// Takes a message into the batch.
    pub(super) fn take(&mut self, message: &MessageRef<'_>) -> Result<Step<()>> {
        let (timestamp_type, timestamp) = timestamp_of(message);
        self.timestamps.note(timestamp.unwrap_or(-1));
        let topic = message.topic();
        let raw = raw_headers(message.headers());
        let coordinates = Coordinates {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            timestamp_type,
        };
        if self.is_deferred {
            let (key, value) = (raw_datum(message.key()), raw_datum(message.value()));
            let record = coordinates.new_record(key, value, &raw);
            return self.batch.push(&record).map(Step::Go);
        }
        let super::Worker {
            converters,
            chain,
            rules,
            errors,
            reporter,
            ..
        } = &mut self.worker;
        let stages = &reporter.metrics.stages;
        self.timer.begin();
        let original = || Ok(ConsumedRecord::of_message(message));
        let (key, value) = (&mut converters.key, &mut converters.value);
        /// A key or a value as its converter reads it.
        macro_rules! decoded {
            ($converter:expr, $bytes:expr) => {
                match $converter.decode(topic, &raw, $bytes) {
                    Ok(decoded) => decoded,
                    Err(error) => {
                        let attempt = $converter.decode_again(rules, topic, &raw, $bytes, error);
                        go!(settle(errors, attempt, original))
                    }
                }
            };
        }
        let key = decoded!(key, message.key());
        let value = decoded!(value, message.value());
        let headers = if raw.is_empty() {
            Headers::new()
        } else {
            let attempt = converters.try_decode_headers(rules, topic, || message.headers());
            go!(settle(errors, attempt, original))
        };
        self.timer.lap(stages, RecordStage::Convert);
        if let Some((key, value)) = chain.project(key.datum(), value.datum()) {
            if !chain.is_empty() {
                self.timer.lap(stages, RecordStage::Transform);
            }
            let record = coordinates.new_record(key, value, &headers);
            return self.batch.push(&record).map(Step::Go);
        }
        let fill = |record: &mut Record| {
            coordinates.write_into(record, key.into_owned(), value.into_owned(), headers);
            Ok(())
        };
        let again = || {
            let key = converters.key.decode(topic, &raw, message.key())?;
            let value = converters.value.decode(topic, &raw, message.value())?;
            let headers = converters.decode_headers(topic, message.headers())?;
            Ok(coordinates.record(key.into_owned(), value.into_owned(), headers))
        };
        let attempt = chain.run(rules, fill, again)?;
        self.timer.lap(stages, RecordStage::Transform);
        match go!(settle(errors, attempt, original)) {
            Some(record) => self.batch.push_record(record).map(Step::Go),
            // A transform left it out: it counts as consumed.
            None => Ok(Step::Go(())),
        }
    }
}

/// Where a consumed record stands: all of it but key, value and headers.
#[derive(Clone, Copy)]
pub(super) struct Coordinates<'r> {
    pub(super) topic: &'r str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp: Option<i64>,
    pub(super) timestamp_type: TimestampType,
}

impl<'r> Coordinates<'r> {
    /// The record with these parts, to be put into a batch.
    #[inline]
    pub(super) fn new_record<'n>(
        &self,
        key: Datum<'n>,
        value: Datum<'n>,
        headers: &'n Headers,
    ) -> NewRecord<'n>
    where
        'r: 'n,
    {
        NewRecord {
            topic: self.topic,
            kafka_partition: Some(self.partition),
            timestamp: self.timestamp,
            key,
            value,
            headers: headers.as_slice(),
            origin: NewOrigin::Sink {
                offset: self.offset,
                timestamp_type: self.timestamp_type,
                original: None,
            },
        }
    }

    /// The record with these parts.
    pub(super) fn record(&self, key: SchemaAndValue, value: SchemaAndValue, headers: Headers) -> Record {
        let mut record = Record::sink(self.topic, self.partition, self.offset);
        self.write_into(&mut record, key, value, headers);
        record
    }

    /// Writes the record with these parts over another one, whose memory is used again.
    fn write_into(&self, record: &mut Record, key: SchemaAndValue, value: SchemaAndValue, headers: Headers) {
        self.topic.clone_into(&mut record.topic);
        record.kafka_partition = Some(self.partition);
        record.timestamp = self.timestamp;
        (record.key_schema, record.key) = (key.schema, key.value);
        (record.value_schema, record.value) = (value.schema, value.value);
        record.headers = headers;
        record.origin.set_sink(&SinkOrigin {
            offset: self.offset,
            timestamp_type: self.timestamp_type,
            original_topic: self.topic,
            original_partition: self.partition,
            original_offset: self.offset,
        });
    }
}

/// The state of a partition; `last` is where the one before was found.
pub(super) fn state_of<'p>(
    partitions: &'p mut [PartitionState],
    last: &mut usize,
    topic: &str,
    partition: i32,
) -> Option<&'p mut PartitionState> {
    let fits =
        |state: &PartitionState| state.partition.partition == partition && state.partition.topic == topic;
    if !partitions.get(*last).is_some_and(fits) {
        *last = partitions.iter().position(fits)?;
    }
    partitions.get_mut(*last)
}

fn raw_datum(bytes: Option<&[u8]>) -> Datum<'_> {
    Datum {
        schema: None,
        value: bytes.map_or(ValueRef::Null, ValueRef::Bytes),
    }
}

/// The headers as they were consumed, for converters that look at them.
fn raw_headers<'h>(headers: impl Iterator<Item = (Cow<'h, str>, Option<&'h [u8]>)>) -> Headers {
    let mut raw = Headers::new();
    for (key, bytes) in headers {
        raw.push(Header::new(key, None, Value::from(bytes)));
    }
    raw
}
