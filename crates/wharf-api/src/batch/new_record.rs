//! Records to be written: all parts borrowed from whoever writes them.

use crate::headers::{Header, Headers};
use crate::offset_map::OffsetMap;
use crate::record::TimestampType;
use crate::schema::SchemaRef;
use crate::value_ref::ValueRef;

/// One part of a record to be written: its schema and its value.
#[derive(Debug, Clone, Copy)]
pub struct Datum<'a> {
    /// `None` is schemaless.
    pub schema: Option<&'a SchemaRef>,
    /// The value.
    pub value: ValueRef<'a>,
}

impl<'a> Datum<'a> {
    /// A value with its schema.
    #[must_use]
    #[inline]
    pub fn new(schema: Option<&'a SchemaRef>, value: impl Into<ValueRef<'a>>) -> Self {
        Self {
            schema,
            value: value.into(),
        }
    }
}

impl Default for Datum<'_> {
    /// Null without schema.
    fn default() -> Self {
        Self {
            schema: None,
            value: ValueRef::Null,
        }
    }
}

/// Where a record to be written comes from.
#[derive(Debug, Clone, Copy)]
pub enum NewOrigin<'a> {
    /// From a source task.
    Source {
        /// Which part of the source system; equal ones are stored once per batch.
        partition: Option<&'a OffsetMap>,
        /// How far that part was read with this record; `None` is a null offset.
        offset: Option<&'a [(&'a str, ValueRef<'a>)]>,
    },
    /// From a topic.
    Sink {
        /// Offset in the partition.
        offset: i64,
        /// What the timestamp means.
        timestamp_type: TimestampType,
        /// Topic, partition and offset before any transform; `None` when they are the record's own.
        original: Option<(&'a str, i32, i64)>,
    },
}

/// A record to be written: all parts borrowed.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The Kafka partition; `None` leaves it to the partitioner.
    pub kafka_partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Datum<'a>,
    /// The value.
    pub value: Datum<'a>,
    /// The headers.
    pub headers: &'a [Header],
    /// Where it comes from.
    pub origin: NewOrigin<'a>,
}

impl<'a> NewRecord<'a> {
    /// A source record for this topic, read at this position of this part of the source system.
    #[must_use]
    #[inline]
    pub fn source(topic: &'a str, partition: &'a OffsetMap, offset: &'a [(&'a str, ValueRef<'a>)]) -> Self {
        let origin = NewOrigin::Source {
            partition: Some(partition),
            offset: Some(offset),
        };
        Self {
            topic,
            kafka_partition: None,
            timestamp: None,
            key: Datum::default(),
            value: Datum::default(),
            headers: &[],
            origin,
        }
    }

    /// Sets the key.
    #[must_use]
    #[inline]
    pub fn key(mut self, schema: Option<&'a SchemaRef>, key: impl Into<ValueRef<'a>>) -> Self {
        self.key = Datum::new(schema, key);
        self
    }

    /// Sets the value.
    #[must_use]
    #[inline]
    pub fn value(mut self, schema: Option<&'a SchemaRef>, value: impl Into<ValueRef<'a>>) -> Self {
        self.value = Datum::new(schema, value);
        self
    }

    /// Sets the timestamp, in milliseconds since the epoch.
    #[must_use]
    #[inline]
    pub fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// Sets the Kafka partition.
    #[must_use]
    #[inline]
    pub fn kafka_partition(mut self, partition: i32) -> Self {
        self.kafka_partition = Some(partition);
        self
    }

    /// Sets the headers.
    #[must_use]
    #[inline]
    pub fn headers(mut self, headers: &'a Headers) -> Self {
        self.headers = headers.as_slice();
        self
    }
}
