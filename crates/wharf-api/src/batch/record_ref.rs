//! Records read where they lie in a batch.

use super::read::decode_offset;
use super::{MIN_HEADER, RecordBatchRef};
use crate::error::Result;
use crate::flat::{Cursor, NONE, malformed};
use crate::headers::{Header, Headers};
use crate::record::{Origin, Record, TimestampType};
use crate::schema::SchemaRef;
use crate::value_ref::ValueRef;

/// A record read where it lies.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    pub(super) topic: &'a str,
    pub(super) topic_index: u32,
    pub(super) kafka_partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) key_schema: Option<&'a SchemaRef>,
    pub(super) key: ValueRef<'a>,
    pub(super) value_schema: Option<&'a SchemaRef>,
    pub(super) value: ValueRef<'a>,
    pub(super) headers: HeadersRef<'a>,
    pub(super) origin: OriginRef<'a>,
}

/// Where a borrowed record comes from.
#[derive(Debug, Clone, Copy)]
pub enum OriginRef<'a> {
    /// Made by a source task.
    Source(SourceOrigin<'a>),
    /// Consumed from a topic.
    Sink(SinkOrigin<'a>),
}

/// The origin of a source record.
#[derive(Debug, Clone, Copy)]
pub struct SourceOrigin<'a> {
    pub(super) partition_index: Option<u32>,
    pub(super) offset: Option<&'a [u8]>,
}

impl<'a> SourceOrigin<'a> {
    /// The index of the source partition within its batch; `None` is a null partition.
    #[must_use]
    pub fn partition_index(&self) -> Option<u32> {
        self.partition_index
    }

    /// The encoded source offset, to be kept and read later by [`decode_offset`]; `None` is a null offset.
    #[must_use]
    pub fn offset_bytes(&self) -> Option<&'a [u8]> {
        self.offset
    }
}

/// The origin of a sink record.
#[derive(Debug, Clone, Copy)]
pub struct SinkOrigin<'a> {
    /// Offset in the partition.
    pub offset: i64,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// Topic before any transform.
    pub original_topic: &'a str,
    /// Partition before any transform.
    pub original_partition: i32,
    /// Offset before any transform.
    pub original_offset: i64,
}

impl<'a> RecordRef<'a> {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The index of the topic within its batch.
    #[must_use]
    pub fn topic_index(&self) -> u32 {
        self.topic_index
    }

    /// The Kafka partition.
    #[must_use]
    pub fn kafka_partition(&self) -> Option<i32> {
        self.kafka_partition
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// Schema of the key.
    #[must_use]
    pub fn key_schema(&self) -> Option<&'a SchemaRef> {
        self.key_schema
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> ValueRef<'a> {
        self.key
    }

    /// Schema of the value.
    #[must_use]
    pub fn value_schema(&self) -> Option<&'a SchemaRef> {
        self.value_schema
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> ValueRef<'a> {
        self.value
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> HeadersRef<'a> {
        self.headers
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> OriginRef<'a> {
        self.origin
    }

    /// The offset in the partition, for a record that was consumed; -1 for a source record.
    #[must_use]
    pub fn kafka_offset(&self) -> i64 {
        match self.origin {
            OriginRef::Sink(origin) => origin.offset,
            OriginRef::Source(_) => -1,
        }
    }

    /// The same record, owned. `batch` is the batch it was read from.
    ///
    /// # Errors
    /// A data error when its headers or source offset are malformed.
    pub fn to_record(&self, batch: &RecordBatchRef<'_>) -> Result<Record> {
        let mut record = Record::source(String::new(), None, None);
        self.write_into(&mut record)?;
        if let (OriginRef::Source(source), Origin::Source { partition, offset }) =
            (self.origin, &mut record.origin)
        {
            *partition = source
                .partition_index
                .map(|index| batch.partition(index))
                .transpose()?;
            *offset = source.offset.map(decode_offset).transpose()?;
        }
        Ok(record)
    }

    /// As [`to_record`](Self::to_record), in the place of a record whose memory is used again. Source partition and source offset
    /// are left out: they are null in it.
    ///
    /// # Errors
    /// A data error when its headers are malformed.
    // Always inlined: then a record of which nothing else is asked is never built.
    #[inline(always)]
    pub fn write_into(&self, record: &mut Record) -> Result<()> {
        self.topic.clone_into(&mut record.topic);
        record.kafka_partition = self.kafka_partition;
        record.key_schema = self.key_schema.cloned();
        record.key = self.key.to_value();
        record.value_schema = self.value_schema.cloned();
        record.value = self.value.to_value();
        record.timestamp = self.timestamp;
        record.headers = if self.headers.is_empty() {
            Headers::default()
        } else {
            self.headers.to_headers()?
        };
        match self.origin {
            OriginRef::Source(_) => {
                record.origin = Origin::Source {
                    partition: None,
                    offset: None,
                };
            }
            OriginRef::Sink(sink) => record.origin.set_sink(&sink),
        }
        Ok(())
    }
}

impl Origin {
    /// Becomes that of a consumed record; the memory of a topic that was there is used again.
    pub fn set_sink(&mut self, sink: &SinkOrigin<'_>) {
        let mut topic = match self {
            Self::Sink { original_topic, .. } => std::mem::take(original_topic),
            Self::Source { .. } => String::new(),
        };
        sink.original_topic.clone_into(&mut topic);
        *self = Self::Sink {
            offset: sink.offset,
            timestamp_type: sink.timestamp_type,
            original_topic: topic,
            original_partition: sink.original_partition,
            original_offset: sink.original_offset,
        };
    }
}

/// The headers of a borrowed record.
#[derive(Debug, Clone, Copy)]
pub struct HeadersRef<'a> {
    count: usize,
    bytes: &'a [u8],
    batch_schemas: &'a [SchemaRef],
}

/// One header of a borrowed record.
#[derive(Debug, Clone, Copy)]
pub struct HeaderRef<'a> {
    /// The key.
    pub key: &'a str,
    /// Schema of the value.
    pub schema: Option<&'a SchemaRef>,
    /// The value.
    pub value: ValueRef<'a>,
}

impl<'a> HeadersRef<'a> {
    #[inline]
    pub(super) fn new(count: usize, bytes: &'a [u8], batch_schemas: &'a [SchemaRef]) -> Result<Self> {
        if count > bytes.len() / MIN_HEADER {
            return Err(malformed("a record with fewer headers than it says"));
        }
        Ok(Self {
            count,
            bytes,
            batch_schemas,
        })
    }

    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no headers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order. A malformed one ends the walk with an error.
    pub fn iter(&self) -> impl Iterator<Item = Result<HeaderRef<'a>>> + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        let (schemas, mut left) = (self.batch_schemas, self.count);
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            left -= 1;
            let header = read_header(&mut cursor, schemas);
            if header.is_err() {
                left = 0;
            }
            Some(header)
        })
    }

    /// The same headers, owned.
    ///
    /// # Errors
    /// A data error when one is malformed.
    pub fn to_headers(&self) -> Result<Headers> {
        let mut headers = Headers::default();
        for header in self.iter() {
            let header = header?;
            headers.push(Header::new(
                header.key,
                header.schema.cloned(),
                header.value.to_value(),
            ));
        }
        Ok(headers)
    }
}

fn read_header<'a>(cursor: &mut Cursor<'a>, schemas: &'a [SchemaRef]) -> Result<HeaderRef<'a>> {
    let key = cursor.text()?;
    let schema = match cursor.u32()? {
        NONE => None,
        index => Some(
            schemas
                .get(index as usize)
                .ok_or_else(|| malformed("a schema that is not defined"))?,
        ),
    };
    Ok(HeaderRef {
        key,
        schema,
        value: ValueRef::decode(cursor.block()?, schema, schemas)?,
    })
}
