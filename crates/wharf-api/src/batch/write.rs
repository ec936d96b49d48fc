//! The growing batch: what `poll` fills.

use std::collections::HashMap;

use super::consumed::Consumed;
use super::head::{RECORD_HEAD, SOURCE_HEAD, VALUE_SCHEMA, append, put_fixed};
use super::line::Line;
use super::{Datum, NewOrigin, NewRecord};
use super::{LAYOUT, ORIGIN_SINK, ORIGIN_SOURCE, TRAILER};
use crate::error::Result;
use crate::flat::{
    self, NONE, SchemaTable, length_u32, put_block, put_datum, put_len, put_sized, put_u32, put_value, short,
    tag,
};
use crate::headers::Header;
use crate::offset_map::OffsetMap;
use crate::record::{Origin, Record};
use crate::value_ref::ValueRef;

/// A growing batch.
#[derive(Debug, Default)]
pub struct RecordBatch {
    buffer: Vec<u8>,
    count: u32,
    schemas: SchemaTable,
    topics: NameTable,
    partitions: PartitionTable,
    finished: bool,
}

#[derive(Debug, Default)]
struct NameTable {
    names: Vec<String>,
    last: usize,
}

impl NameTable {
    #[inline]
    fn index(&mut self, name: &str) -> u32 {
        match self.names.get(self.last) {
            Some(known) if short::is_equal(known, name) => u32::try_from(self.last).unwrap_or(NONE),
            _ => self.find(name),
        }
    }

    #[inline(never)]
    fn find(&mut self, name: &str) -> u32 {
        let found = self.names.iter().position(|known| known == name);
        self.last = found.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u32::try_from(self.last).unwrap_or(NONE)
    }
}

#[derive(Debug, Default)]
struct PartitionTable {
    /// The last one looked up, so that runs of records from one partition do not hash. A task that keeps its map and
    /// passes it again is recognised by identity, which holding a copy here makes safe; an equal map is compared.
    last: Option<(OffsetMap, u32)>,
    encoded: Vec<Vec<u8>>,
    index: HashMap<Vec<u8>, u32>,
}

impl PartitionTable {
    #[inline]
    fn index(&mut self, partition: &OffsetMap) -> Result<u32> {
        match &self.last {
            Some((last, index)) if last.shares_entries(partition) => Ok(*index),
            _ => self.find(partition),
        }
    }

    #[inline(never)]
    fn find(&mut self, partition: &OffsetMap) -> Result<u32> {
        if let Some((last, index)) = &self.last
            && last == partition
        {
            return Ok(*index);
        }
        let mut bytes = Vec::new();
        put_value(
            &mut bytes,
            &partition.to_value().as_ref(),
            None,
            &mut SchemaTable::default(),
        )?;
        let next = length_u32(self.encoded.len())?;
        let index = *self.index.entry(bytes.clone()).or_insert(next);
        if index == next {
            self.encoded.push(bytes);
        }
        self.last = Some((partition.clone(), index));
        Ok(index)
    }
}

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            buffer: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes used so far.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets all records, keeping the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.count = 0;
        self.schemas.clear();
        self.topics = NameTable::default();
        self.partitions = PartitionTable::default();
        self.finished = false;
    }

    /// Gives back memory beyond `bytes` after an unusually large batch.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.buffer.capacity() > bytes {
            self.buffer.shrink_to(bytes);
        }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// A data error when a part is too large for the encoding; the batch is then as before.
    // Inlined, what the caller knows of a record need not be read back from it (measured: 1 ns).
    #[inline]
    pub fn push(&mut self, record: &NewRecord<'_>) -> Result<()> {
        if self.finished {
            self.reopen();
        }
        let start = self.buffer.len();
        let written = self.write(record);
        if written.is_err() {
            self.buffer.truncate(start);
        } else {
            self.count += 1;
        }
        written
    }

    /// Appends what a converter reads: a record of a topic and the value that `write` writes.
    ///
    /// # Errors
    /// What `write` fails with; the batch is then as before, also when it panics.
    pub fn push_value(
        &mut self,
        topic: &str,
        write: impl FnOnce(flat::DatumWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        struct Unfinished<'a> {
            buffer: &'a mut Vec<u8>,
            end: usize,
        }
        impl Drop for Unfinished<'_> {
            fn drop(&mut self) {
                self.buffer.truncate(self.end);
            }
        }
        if self.finished {
            self.reopen();
        }
        let start = self.buffer.len();
        let topic = self.topics.index(topic);
        let mut unfinished = Unfinished {
            buffer: &mut self.buffer,
            end: start,
        };
        let out = &mut *unfinished.buffer;
        let head: &mut [u8; RECORD_HEAD + 8] = append(out);
        put_fixed(head, None, None, [topic, NONE, NONE]);
        head[28] = ORIGIN_SOURCE;
        head[29..33].copy_from_slice(&NONE.to_le_bytes());
        put_datum(out, &ValueRef::Null, None, &mut self.schemas)?;
        let schema = flat::DatumWriter::run(out, &mut self.schemas, write)?;
        out[start + VALUE_SCHEMA..start + VALUE_SCHEMA + 4].copy_from_slice(&schema.to_le_bytes());
        // No headers.
        put_u32(out, 0);
        flat::set_length(out, start)?;
        unfinished.end = out.len();
        self.count += 1;
        Ok(())
    }

    /// Appends an owned record.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_record(&mut self, record: &Record) -> Result<()> {
        let offset_entries: Option<Vec<(&str, ValueRef<'_>)>> = match &record.origin {
            Origin::Source {
                offset: Some(offset), ..
            } => Some(offset.iter().map(|(key, value)| (key, value.as_ref())).collect()),
            _ => None,
        };
        let origin = match &record.origin {
            Origin::Source { partition, .. } => NewOrigin::Source {
                partition: partition.as_ref(),
                offset: offset_entries.as_deref(),
            },
            Origin::Sink {
                offset,
                timestamp_type,
                original_topic,
                original_partition,
                original_offset,
            } => {
                let is_moved = *original_offset != *offset
                    || Some(*original_partition) != record.kafka_partition
                    || *original_topic != record.topic;
                NewOrigin::Sink {
                    offset: *offset,
                    timestamp_type: *timestamp_type,
                    original: is_moved.then_some((original_topic, *original_partition, *original_offset)),
                }
            }
        };
        self.push(&NewRecord {
            topic: &record.topic,
            kafka_partition: record.kafka_partition,
            timestamp: record.timestamp,
            key: Datum::new(record.key_schema.as_ref(), &record.key),
            value: Datum::new(record.value_schema.as_ref(), &record.value),
            headers: record.headers.as_slice(),
            origin,
        })
    }

    #[inline(always)]
    fn write(&mut self, record: &NewRecord<'_>) -> Result<()> {
        let topic = self.topics.index(record.topic);
        let schemas = &mut self.schemas;
        let key_schema = record.key.schema.map_or(NONE, |schema| schemas.index(schema));
        let value_schema = record.value.schema.map_or(NONE, |schema| schemas.index(schema));
        let indexes = [topic, key_schema, value_schema];
        if let Some(line) = Line::of(record) {
            let partition = self.partitions.index(line.partition)?;
            line.put(&mut self.buffer, record, indexes, partition)
        } else if let Some(consumed) = Consumed::of(record) {
            consumed.put(&mut self.buffer, record, indexes)
        } else {
            self.write_general(record, indexes)
        }
    }

    /// Appends any record. `indexes` are those of the topic, the key and the value schema.
    #[inline(never)]
    fn write_general(&mut self, record: &NewRecord<'_>, indexes: [u32; 3]) -> Result<()> {
        let schemas = &mut self.schemas;
        let out = &mut self.buffer;
        let start = out.len();
        // What has a fixed place is written first and in place; lengths are set when they are known.
        let head: &mut [u8; RECORD_HEAD + SOURCE_HEAD] = append(out);
        put_fixed(head, record.kafka_partition, record.timestamp, indexes);
        match record.origin {
            NewOrigin::Source { partition, offset } => {
                let partitions = &mut self.partitions;
                let partition = partition.map_or(Ok(NONE), |partition| partitions.index(partition))?;
                head[28] = ORIGIN_SOURCE;
                head[29..33].copy_from_slice(&partition.to_le_bytes());
                match offset {
                    Some(entries) => {
                        head[37] = tag::MAP;
                        head[42..].copy_from_slice(&length_u32(entries.len())?.to_le_bytes());
                        put_offset_entries(out, entries)?;
                    }
                    // An offset of length 0 is a null.
                    None => out.truncate(start + RECORD_HEAD + 8),
                }
            }
            NewOrigin::Sink {
                offset,
                timestamp_type,
                original,
            } => {
                head[28] = ORIGIN_SINK;
                out.truncate(start + RECORD_HEAD);
                out.extend_from_slice(&offset.to_le_bytes());
                out.push(timestamp_type as u8);
                match original {
                    None => put_u32(out, NONE),
                    Some(original) => put_original(out, &mut self.topics, original),
                }
            }
        }
        put_datum(out, &record.key.value, record.key.schema, schemas)?;
        put_datum(out, &record.value.value, record.value.schema, schemas)?;
        if record.headers.is_empty() {
            put_u32(out, 0);
        } else {
            put_headers(out, record.headers, schemas)?;
        }
        flat::set_length(out, start)
    }

    /// Takes the definitions and trailer off again, so that records can be appended after [`finish`](Self::finish).
    #[inline(never)]
    fn reopen(&mut self) {
        self.finished = false;
        if let Some(at) = self.buffer.len().checked_sub(TRAILER) {
            let position = self.buffer[at..]
                .first_chunk::<8>()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            self.buffer.truncate(usize::try_from(position).unwrap_or(0));
        }
    }

    /// The bytes that the last [`finish`](Self::finish) gave; none when the batch was not finished or grew since.
    #[must_use]
    pub fn finished_bytes(&self) -> &[u8] {
        if self.finished { &self.buffer } else { &[] }
    }

    /// As [`finish`](Self::finish), for the last time.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn into_finished(mut self) -> Result<Vec<u8>> {
        self.finish()?;
        Ok(self.buffer)
    }

    /// The finished bytes, to be read by [`RecordBatchRef::parse`].
    ///
    /// # Errors
    /// A data error when a definition is too large for the encoding.
    pub fn finish(&mut self) -> Result<&[u8]> {
        if !self.finished {
            let position = self.buffer.len() as u64;
            let out = &mut self.buffer;
            put_len(out, self.schemas.schemas().len())?;
            for schema in self.schemas.schemas() {
                put_sized(out, |out| flat::put_schema(out, schema))?;
            }
            put_len(out, self.topics.names.len())?;
            for name in &self.topics.names {
                put_block(out, name.as_bytes())?;
            }
            put_len(out, self.partitions.encoded.len())?;
            for partition in &self.partitions.encoded {
                put_block(out, partition)?;
            }
            out.extend_from_slice(&position.to_le_bytes());
            put_u32(out, self.count);
            put_u32(out, LAYOUT);
            self.finished = true;
        }
        Ok(&self.buffer)
    }
}

/// Topic, partition and offset before any transform.
#[inline(never)]
fn put_original(out: &mut Vec<u8>, topics: &mut NameTable, (topic, partition, offset): (&str, i32, i64)) {
    put_u32(out, topics.index(topic));
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
}

#[inline(never)]
fn put_headers(out: &mut Vec<u8>, headers: &[Header], schemas: &mut SchemaTable) -> Result<()> {
    put_len(out, headers.len())?;
    for header in headers {
        put_block(out, header.key().as_bytes())?;
        put_u32(out, header.schema().map_or(NONE, |schema| schemas.index(schema)));
        put_datum(out, &header.value().as_ref(), header.schema(), schemas)?;
    }
    Ok(())
}

/// A source offset is encoded like a map value whose keys are texts. Its head was written just before; the two lengths
/// in it are set here.
#[inline]
fn put_offset_entries(out: &mut Vec<u8>, entries: &[(&str, ValueRef<'_>)]) -> Result<()> {
    const COUNT: usize = 4;
    let start = out.len();
    for (key, value) in entries {
        out.push(tag::STRING);
        put_block(out, key.as_bytes())?;
        put_value(out, value, None, &mut SchemaTable::default())?;
    }
    let body = out.len() - start + COUNT;
    out[start - 8..start - 4].copy_from_slice(&length_u32(body)?.to_le_bytes());
    out[start - 13..start - 9].copy_from_slice(&length_u32(body + 5)?.to_le_bytes());
    Ok(())
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
