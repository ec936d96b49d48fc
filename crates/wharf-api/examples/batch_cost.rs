//! What a record costs between `poll` and the worker: writing it into a batch, and walking it again.
//!
//! `cargo run --release -p wharf-api --example batch_cost` prints nanoseconds per record for batches of 1000 texts of
//! 100 bytes with one topic: as FileStreamSource makes them, with one source partition and an offset `{position: i64}`,
//! and as they are consumed, with partition, offset and timestamp, of which FileStreamSink wants the value.

#![allow(clippy::print_stdout, reason = "a program that prints its measurement")]

use std::hint::black_box;
use std::time::Instant;

use wharf_api::batch::{Datum, NewOrigin, OriginRef};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    NewRecord, OffsetMap, RecordBatch, RecordBatchRef, Result, Schema, SchemaRef, TimestampType, ValueRef,
};

const RECORDS: usize = 1000;
const ROUNDS: usize = 2000;

#[inline(never)]
fn fill(batch: &mut RecordBatch, partition: &OffsetMap, text: &str) -> Result<()> {
    let schema = Schema::string();
    batch.clear();
    for position in 0..RECORDS {
        let offset = [("position", ValueRef::Int64(i64::try_from(position).unwrap_or(0)))];
        batch.push(&NewRecord::source("lines", partition, &offset).value(Some(&schema), black_box(text)))?;
    }
    batch.finish()?;
    Ok(())
}

#[inline(never)]
fn walk(bytes: &[u8], cache: &mut SchemaCache) -> Result<usize> {
    let batch = RecordBatchRef::parse(bytes, cache)?;
    let mut seen = 0;
    for record in batch.iter() {
        let record = record?;
        if let OriginRef::Source(origin) = record.origin() {
            seen += origin.offset_bytes().map_or(0, <[u8]>::len);
        }
        seen += record.topic().len() + record.value().as_str().map_or(0, str::len);
    }
    Ok(seen)
}

#[inline(never)]
fn fill_consumed(batch: &mut RecordBatch, schema: &SchemaRef, text: &str) -> Result<()> {
    batch.clear();
    for offset in 0..RECORDS {
        batch.push(&NewRecord {
            topic: black_box("lines"),
            kafka_partition: Some(black_box(0)),
            timestamp: Some(black_box(1_700_000_000_000)),
            key: Datum::default(),
            value: Datum::new(Some(schema), black_box(text)),
            headers: &[],
            origin: NewOrigin::Sink {
                offset: i64::try_from(offset).unwrap_or(0),
                timestamp_type: TimestampType::CreateTime,
                original: None,
            },
        })?;
    }
    batch.finish()?;
    Ok(())
}

#[inline(never)]
fn gather(bytes: &[u8], cache: &mut SchemaCache, lines: &mut Vec<u8>) -> Result<usize> {
    lines.clear();
    let batch = RecordBatchRef::parse(bytes, cache)?;
    for record in batch.iter() {
        if let ValueRef::String(text) = record?.value() {
            lines.extend_from_slice(text.as_bytes());
        }
        lines.push(b'\n');
    }
    Ok(lines.len())
}

fn nanos_per_record(mut round: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best * 1e9 / RECORDS as f64)
}

fn main() -> Result<()> {
    let text = "x".repeat(100);
    let partition = OffsetMap::new().with("filename", "/var/log/some/application/output.log");
    let mut batch = RecordBatch::new();
    let write = nanos_per_record(|| fill(&mut batch, &partition, &text))?;
    let bytes = batch.finish()?;
    let mut cache = SchemaCache::default();
    let read = nanos_per_record(|| {
        black_box(walk(black_box(bytes), &mut cache)?);
        Ok(())
    })?;
    println!(
        "source: write {write:.1} ns/record, walk {read:.1} ns/record, {} bytes/record",
        bytes.len() / RECORDS
    );
    let schema = Schema::optional_string();
    let write = nanos_per_record(|| fill_consumed(&mut batch, &schema, &text))?;
    let bytes = batch.finish()?;
    let mut lines = Vec::new();
    let read = nanos_per_record(|| {
        black_box(gather(black_box(bytes), &mut cache, &mut lines)?);
        Ok(())
    })?;
    println!(
        "sink: write {write:.1} ns/record, gather lines {read:.1} ns/record, {} bytes/record",
        bytes.len() / RECORDS
    );
    Ok(())
}
