//! A record as it was consumed, before any conversion: what reports of sinks show and dead letters carry.

use std::borrow::Cow;
use std::fmt;

use wharf_api::batch::OriginRef;
use wharf_api::{RecordRef, Result, TimestampType, TopicPartition};
use wharf_kafka::{MessageRef, Timestamp};

/// A consumed record; made when something failed, so that it may cost a little.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConsumedRecord<'r> {
    pub(crate) topic: Cow<'r, str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) key: Option<Cow<'r, [u8]>>,
    pub(crate) value: Option<Cow<'r, [u8]>>,
    pub(crate) headers: Vec<(Cow<'r, str>, Option<Cow<'r, [u8]>>)>,
}

/// The timestamp of a message in Connect's words.
pub(crate) fn timestamp_of(message: &MessageRef<'_>) -> (TimestampType, Option<i64>) {
    match message.timestamp() {
        Timestamp::CreateTime(millis) => (TimestampType::CreateTime, Some(millis)),
        Timestamp::LogAppendTime(millis) => (TimestampType::LogAppendTime, Some(millis)),
        _ => (TimestampType::None, None),
    }
}

impl<'r> ConsumedRecord<'r> {
    pub(crate) fn of_message(message: &MessageRef<'r>) -> Self {
        let (timestamp_type, timestamp) = timestamp_of(message);
        Self {
            topic: message.topic().into(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            timestamp_type,
            key: message.key().map(Cow::Borrowed),
            value: message.value().map(Cow::Borrowed),
            headers: message
                .headers()
                .map(|(name, value)| (name, value.map(Cow::Borrowed)))
                .collect(),
        }
    }

    /// A record of a batch in which keys, values and headers are still bytes.
    pub(crate) fn of_raw(record: &RecordRef<'r>) -> Result<Self> {
        let mut consumed = Self {
            topic: record.topic().into(),
            partition: record.kafka_partition().unwrap_or(-1),
            offset: record.kafka_offset(),
            timestamp: record.timestamp(),
            timestamp_type: TimestampType::None,
            key: record.key().as_bytes().map(Cow::Borrowed),
            value: record.value().as_bytes().map(Cow::Borrowed),
            headers: Vec::new(),
        };
        if let OriginRef::Sink(origin) = record.origin() {
            consumed.timestamp_type = origin.timestamp_type;
        }
        for header in record.headers().iter() {
            let header = header?;
            consumed
                .headers
                .push((header.key.into(), header.value.as_bytes().map(Cow::Borrowed)));
        }
        Ok(consumed)
    }

    pub(crate) fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(&*self.topic, self.partition)
    }

    /// Upstream's words in a log line.
    pub(super) fn log_text(&self) -> String {
        let timestamp = match (self.timestamp_type, self.timestamp) {
            (TimestampType::None, _) | (_, None) => String::new(),
            (kind, Some(millis)) => format!(", timestamp={millis}, timestampType={}", kind.name()),
        };
        format!(
            ", where consumed record is {{topic='{}', partition={}, offset={}{timestamp}}}",
            self.topic, self.partition, self.offset
        )
    }
}

/// Where it lies, for sentences.
impl fmt::Display for ConsumedRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic {}, partition {}, offset {}",
            self.topic, self.partition, self.offset
        )
    }
}
