//! Owned records, as transforms and tests handle them. On the hot path records stay flat: see [`crate::batch`].

use std::fmt;

use crate::headers::Headers;
use crate::offset_map::OffsetMap;
use crate::schema::SchemaRef;
use crate::value::Value;

/// What a timestamp of a consumed record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum TimestampType {
    /// The record has no timestamp.
    #[default]
    None = 0,
    /// The producer set it.
    CreateTime = 1,
    /// The broker set it when it appended the record.
    LogAppendTime = 2,
}

impl TimestampType {
    /// The type with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::CreateTime,
            2 => Self::LogAppendTime,
            _ => Self::None,
        }
    }

    /// The Java constant's text form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NoTimestampType",
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    #[must_use]
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Made by a source task.
    Source {
        /// Which part of the source system.
        partition: Option<OffsetMap>,
        /// How far that part was read with this record.
        offset: Option<OffsetMap>,
    },
    /// Consumed from a topic, for a sink task.
    Sink {
        /// Offset of the record in its partition.
        offset: i64,
        /// What the record's timestamp means.
        timestamp_type: TimestampType,
        /// Topic before any transform.
        original_topic: String,
        /// Partition before any transform.
        original_partition: i32,
        /// Offset before any transform.
        original_offset: i64,
    },
}

/// A record with all its parts. Upstream's `SourceRecord` and `SinkRecord` differ only in their [`Origin`].
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The topic it goes to or comes from.
    pub topic: String,
    /// The Kafka partition; `None` on a source record leaves the choice to the partitioner.
    pub kafka_partition: Option<i32>,
    /// Schema of the key; `None` is schemaless.
    pub key_schema: Option<SchemaRef>,
    /// The key.
    pub key: Value,
    /// Schema of the value; `None` is schemaless.
    pub value_schema: Option<SchemaRef>,
    /// The value.
    pub value: Value,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The headers.
    pub headers: Headers,
    /// Where it comes from.
    pub origin: Origin,
}

impl Record {
    /// A record of a source task, with everything but topic and origin still empty.
    #[must_use]
    pub fn source(topic: impl Into<String>, partition: Option<OffsetMap>, offset: Option<OffsetMap>) -> Self {
        Self::empty(topic.into(), Origin::Source { partition, offset })
    }

    /// A record consumed from a topic, with everything but its coordinates still empty.
    #[must_use]
    pub fn sink(topic: impl Into<String>, partition: i32, offset: i64) -> Self {
        let topic = topic.into();
        let origin = Origin::Sink {
            offset,
            timestamp_type: TimestampType::None,
            original_topic: topic.clone(),
            original_partition: partition,
            original_offset: offset,
        };
        Self {
            kafka_partition: Some(partition),
            ..Self::empty(topic, origin)
        }
    }

    fn empty(topic: String, origin: Origin) -> Self {
        Self {
            topic,
            kafka_partition: None,
            key_schema: None,
            key: Value::Null,
            value_schema: None,
            value: Value::Null,
            timestamp: None,
            headers: Headers::default(),
            origin,
        }
    }

    /// The same record with this key.
    #[must_use]
    pub fn with_key(mut self, schema: Option<SchemaRef>, key: impl Into<Value>) -> Self {
        self.key_schema = schema;
        self.key = key.into();
        self
    }

    /// The same record with this value.
    #[must_use]
    pub fn with_value(mut self, schema: Option<SchemaRef>, value: impl Into<Value>) -> Self {
        self.value_schema = schema;
        self.value = value.into();
        self
    }

    /// The same record with this timestamp, in milliseconds since the epoch.
    #[must_use]
    pub fn with_timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// The same record with these headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}

/// `SourceRecord{…} ConnectRecord{…}` or `SinkRecord{…} ConnectRecord{…}`, as upstream's `toString`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Source { partition, offset } => {
                let text =
                    |map: &Option<OffsetMap>| or_null(map.as_ref().map(|map| text_of(&map.to_value())));
                let (partition, offset) = (text(partition), text(offset));
                write!(
                    f,
                    "SourceRecord{{sourcePartition={partition}, sourceOffset={offset}}} "
                )?;
            }
            Origin::Sink {
                offset,
                timestamp_type,
                original_topic,
                original_partition,
                original_offset,
            } => {
                write!(
                    f,
                    "SinkRecord{{kafkaOffset={offset}, timestampType={}, originalTopic={original_topic}, \
                     originalKafkaPartition={original_partition}, originalKafkaOffset={original_offset}}} ",
                    timestamp_type.name()
                )?;
            }
        }
        write!(
            f,
            "ConnectRecord{{topic='{}', kafkaPartition={}, key={}, keySchema={}, value={}, valueSchema={}, \
             timestamp={}, headers={}}}",
            self.topic,
            or_null(self.kafka_partition),
            text_of(&self.key),
            or_null(self.key_schema.as_ref()),
            text_of(&self.value),
            or_null(self.value_schema.as_ref()),
            or_null(self.timestamp),
            self.headers
        )
    }
}

fn text_of(value: &Value) -> String {
    crate::java_text::to_java_string(&value.as_ref())
}

fn or_null(part: Option<impl fmt::Display>) -> String {
    part.map_or_else(|| "null".to_owned(), |part| part.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn text_forms_are_upstream_s() {
        let source = Record::source("t", Some(OffsetMap::new().with("file", "a")), None)
            .with_value(Some(Schema::string()), "x")
            .with_timestamp(5);
        assert_eq!(
            source.to_string(),
            "SourceRecord{sourcePartition={file=a}, sourceOffset=null} ConnectRecord{topic='t', \
             kafkaPartition=null, key=null, keySchema=null, value=x, valueSchema=Schema{STRING}, timestamp=5, \
             headers=ConnectHeaders(headers=)}"
        );
        assert_eq!(
            Record::sink("t", 1, 7).to_string(),
            "SinkRecord{kafkaOffset=7, timestampType=NoTimestampType, originalTopic=t, originalKafkaPartition=1, \
             originalKafkaOffset=7} ConnectRecord{topic='t', kafkaPartition=1, key=null, keySchema=null, \
             value=null, valueSchema=null, timestamp=null, headers=ConnectHeaders(headers=)}"
        );
    }
}
