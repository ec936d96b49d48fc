//! Consumed records whose key or value converter is a plugin's: the whole batch crosses once per converter.

use wharf_api::batch::{Datum, NewOrigin, NewRecord, OriginRef};
use wharf_api::flat::SchemaCache;
use wharf_api::{ConnectError, Headers, RecordBatch, RecordBatchRef, RecordRef, Result};

use super::converters::{Part, RemoteBatch, TaskConverter, TaskConverters, single_value};

/// Converts a batch of raw records (keys, values and headers as bytes) to Connect data.
pub(crate) fn decode_remote(converters: &mut TaskConverters, raw: &[u8]) -> Result<RecordBatch> {
    let mut schemas = SchemaCache::default();
    let raw = RecordBatchRef::parse(raw, &mut schemas)?;
    let mut output = RecordBatch::new();
    if raw.is_empty() {
        return Ok(output);
    }
    let mut keys = convert(&mut converters.key, &raw, Part::Key)?;
    let mut values = convert(&mut converters.value, &raw, Part::Value)?;
    let keys = keys.records()?;
    let values = values.records()?;
    for ((record, key), value) in raw.iter().zip(keys.iter()).zip(values.iter()) {
        let (record, key, value) = (record?, key?, value?);
        let OriginRef::Sink(origin) = record.origin() else {
            return Err(ConnectError::illegal_state(
                "a consumed record without its offset",
            ));
        };
        let headers = if record.headers().is_empty() {
            Headers::new()
        } else {
            let raw_headers: Vec<_> = record.headers().iter().collect::<Result<_>>()?;
            let pairs = raw_headers
                .iter()
                .map(|header| (header.key.into(), header.value.as_bytes()));
            converters.decode_headers(record.topic(), pairs)?
        };
        output.push(&NewRecord {
            topic: record.topic(),
            kafka_partition: record.kafka_partition(),
            timestamp: record.timestamp(),
            key: converted(&key),
            value: converted(&value),
            headers: headers.as_slice(),
            origin: NewOrigin::Sink {
                offset: origin.offset,
                timestamp_type: origin.timestamp_type,
                original: None,
            },
        })?;
    }
    Ok(output)
}

fn converted<'r>(record: &RecordRef<'r>) -> Datum<'r> {
    Datum {
        schema: record.value_schema(),
        value: record.value(),
    }
}

fn part_bytes<'r>(record: &RecordRef<'r>, part: Part) -> Option<&'r [u8]> {
    match part {
        Part::Key => record.key().as_bytes(),
        Part::Value => record.value().as_bytes(),
    }
}

fn convert(converter: &mut TaskConverter, raw: &RecordBatchRef<'_>, part: Part) -> Result<RemoteBatch> {
    let mut batch = RecordBatch::new();
    if !converter.is_remote() {
        for record in raw.iter() {
            let record = record?;
            let headers = record.headers().to_headers()?;
            converter.decode(record.topic(), &headers, part_bytes(&record, part), |value| {
                batch.push(&single_value(record.topic(), value, &[]))
            })?;
        }
        return Ok(RemoteBatch::from_batch(batch.finish()?.to_vec()));
    }
    for record in raw.iter() {
        let record = record?;
        let headers = record.headers().to_headers()?;
        let value = part_bytes(&record, part);
        let datum = Datum {
            schema: None,
            value: value.map_or(wharf_api::ValueRef::Null, wharf_api::ValueRef::Bytes),
        };
        batch.push(&single_value(record.topic(), datum, headers.as_slice()))?;
    }
    let result = match converter.remote() {
        Some(remote) => remote.decode_batch(batch.finish()?)?,
        None => return Err(ConnectError::illegal_state("the converter is not a plugin's")),
    };
    converter.decoded(result, raw.len())
}
