//! From consumed messages to the batch that `put` gets.

use std::borrow::Cow;

use wharf_api::batch::{Datum, NewOrigin, NewRecord};
use wharf_api::{Header, Headers, Result, TimestampType, Value, ValueRef};
use wharf_kafka::{MessageRef, Timestamp};

use super::{Loop, PartitionState};
use crate::worker::converters::TaskConverters;

impl Loop {
    pub(super) fn state(&mut self, message: &MessageRef<'_>) -> Option<&mut PartitionState> {
        let fits = |state: &PartitionState| {
            state.partition.partition == message.partition() && state.partition.topic == message.topic()
        };
        if !self.partitions.get(self.last).is_some_and(fits) {
            self.last = self.partitions.iter().position(fits)?;
        }
        self.partitions.get_mut(self.last)
    }

    pub(super) fn take(&mut self, message: &MessageRef<'_>) -> Result<()> {
        let (timestamp_type, timestamp) = match message.timestamp() {
            Timestamp::CreateTime(millis) => (TimestampType::CreateTime, Some(millis)),
            Timestamp::LogAppendTime(millis) => (TimestampType::LogAppendTime, Some(millis)),
            _ => (TimestampType::None, None),
        };
        let topic = message.topic();
        let converters = &mut self.worker.converters;
        let raw = raw_headers(message.headers());
        let batch = &mut self.batch;
        let mut push = |key: Datum<'_>, value: Datum<'_>, headers: &Headers| {
            batch.push(&NewRecord {
                topic,
                kafka_partition: Some(message.partition()),
                timestamp,
                key,
                value,
                headers: headers.as_slice(),
                origin: NewOrigin::Sink {
                    offset: message.offset(),
                    timestamp_type,
                    original: None,
                },
            })
        };
        if converters.key.is_remote() || converters.value.is_remote() {
            // Plugins' converters get the whole batch later; until then the record holds the raw bytes.
            return push(raw_datum(message.key()), raw_datum(message.value()), &raw);
        }
        let headers = if raw.is_empty() {
            Headers::new()
        } else {
            converters.decode_headers(topic, message.headers())?
        };
        let TaskConverters { key, value, .. } = converters;
        key.decode(topic, &raw, message.key(), |key| {
            value.decode(topic, &raw, message.value(), |value| push(key, value, &headers))
        })
    }
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
