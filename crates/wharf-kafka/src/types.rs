//! Small values that every client of this crate takes or gives.

use std::fmt;
use std::sync::Arc;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Name of the topic; shared, because the same few names occur in every offset map.
    pub topic: Arc<str>,
    /// Number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
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

/// A position in a partition: the offset of the **next** record to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionOffset {
    /// Where.
    pub partition: TopicPartition,
    /// Offset of the next record, from 0.
    pub offset: i64,
}

impl PartitionOffset {
    /// The position `offset` in `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32, offset: i64) -> Self {
        Self {
            partition: TopicPartition::new(topic, partition),
            offset,
        }
    }
}

/// When a record was made, and who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// The record carries none (very old message formats).
    NotAvailable,
    /// Set by the producer; milliseconds since 1970.
    CreateTime(i64),
    /// Set by the broker when it appended the record; milliseconds since 1970.
    LogAppendTime(i64),
}

impl Timestamp {
    /// Milliseconds since 1970, whoever set them.
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::NotAvailable => None,
            Self::CreateTime(at) | Self::LogAppendTime(at) => Some(at),
        }
    }
}

/// A topic as the cluster's metadata show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
}
