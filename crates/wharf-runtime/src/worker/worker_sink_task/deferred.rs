//! Conversion and transforms of a whole batch, where a converter or transform is in a library: one crossing of the border each.
//!
//! First attempts are made for all records; then the records are looked at in their order, and what failed is tried again
//! alone, reported, and judged. What must stay true: a record counts as consumed when its fate is known, not before.

use wharf_api::batch::{Datum, NewOrigin, NewRecord, OriginRef};
use wharf_api::flat::SchemaCache;
use wharf_api::record::Origin;
use wharf_api::{
    ConnectError, Header, Headers, Record, RecordBatch, RecordBatchRef, RecordRef, Result, SchemaAndValue,
    Value, ValueRef,
};

use super::records::{Step, go, settle, state_of};
use super::{Halt, Loop, Worker};
use crate::metrics::RecordStage;
use crate::worker::converters::{Decoded, RemoteBatch, TaskConverter, TaskConverters, single_value};
use crate::worker::errors::{Attempt, ConsumedRecord, RetryWithTolerance, SharedSinkReporter};
use crate::worker::transformation_chain::Pending;

/// First attempts at the parts of a record; `None` where none was made.
#[derive(Default)]
struct First<'b> {
    key: Option<Result<Decoded<'b>>>,
    value: Option<Result<Decoded<'b>>>,
    headers: Option<Result<Headers>>,
}

/// A record before its fate is decided.
enum Ahead<'b> {
    Converted(Pending),
    Unconverted(First<'b>),
}

/// The converted parts of a record.
struct Parts<'b> {
    key: Decoded<'b>,
    value: Decoded<'b>,
    headers: Headers,
}

impl Loop {
    /// Makes the batch for `put` of the raw one. When a record fails the task, or the task is to stop meanwhile, the batch ends
    /// before it and `halt` says why.
    ///
    /// # Errors
    /// When a plugin fails as a whole, not at a record.
    pub(super) fn convert_deferred(&mut self) -> Result<RecordBatch> {
        let mut raw_batch = std::mem::take(&mut self.batch);
        let mut output = RecordBatch::new();
        if raw_batch.is_empty() {
            return Ok(output);
        }
        let raw_bytes = raw_batch.byte_len();
        let mut schemas = SchemaCache::default();
        let raw = RecordBatchRef::parse(raw_batch.finish()?, &mut schemas)?;
        let records: Vec<RecordRef<'_>> = raw.iter().collect::<Result<_>>()?;
        let Self {
            worker,
            partitions,
            last,
            ..
        } = self;
        let metrics = &worker.reporter.metrics;
        let began = metrics.now();
        let keys = decode_all(&mut worker.converters.key, &records, |record| record.key())?;
        let values = decode_all(&mut worker.converters.value, &records, |record| record.value())?;
        if worker.converters.are_remote() {
            metrics.stage_of_all(RecordStage::Convert, began, records.len());
        }
        let held = raw_bytes
            + [&keys, &values]
                .into_iter()
                .flatten()
                .map(RemoteBatch::byte_len)
                .sum::<usize>();
        worker.memory.hold(worker.prefetch + held as u64);
        let (mut keys, mut values) = (keys, values);
        let mut keys = keys.as_mut().map(RemoteBatch::parse).transpose()?;
        let mut values = values.as_mut().map(RemoteBatch::parse).transpose()?;
        let mut keys = keys
            .as_mut()
            .map(|keys| keys.in_order())
            .transpose()?
            .map(Vec::into_iter);
        let mut values = values
            .as_mut()
            .map(|values| values.in_order())
            .transpose()?
            .map(Vec::into_iter);
        let mut firsts = std::iter::from_fn(|| {
            Some(First {
                key: next_of(&mut keys),
                value: next_of(&mut values),
                headers: None,
            })
        });
        let mut ahead = if worker.chain.is_remote() {
            Some(look_ahead(worker, &records, &mut firsts)?.into_iter())
        } else {
            None
        };
        for record in &records {
            let next = match &mut ahead {
                Some(ahead) => ahead.next(),
                None => firsts.next().map(Ahead::Unconverted),
            };
            let step = finish(
                worker,
                record,
                next.unwrap_or(Ahead::Unconverted(First::default())),
                &mut output,
            );
            match step {
                Ok(Step::Go(()) | Step::Skip) => {
                    let partition = record.kafka_partition().unwrap_or(-1);
                    if let Some(state) = state_of(partitions, last, record.topic(), partition) {
                        state.consumed = Some(record.kafka_offset() + 1);
                    }
                }
                Ok(Step::Interrupted) => {
                    self.halt = Some(Halt::Cut);
                    break;
                }
                Err(error) => {
                    self.halt = Some(Halt::Failed(error));
                    break;
                }
            }
        }
        Ok(output)
    }
}

fn next_of<'b>(
    answers: &mut Option<std::vec::IntoIter<Result<RecordRef<'b>>>>,
) -> Option<Result<Decoded<'b>>> {
    let answer = answers.as_mut()?.next()?;
    Some(answer.map(|record| Decoded::Plain(record.value_schema(), record.value())))
}

/// All keys or values through a converter of a library; nothing when it is built in.
fn decode_all<'r>(
    converter: &mut TaskConverter,
    records: &[RecordRef<'r>],
    part: impl Fn(&RecordRef<'r>) -> ValueRef<'r>,
) -> Result<Option<RemoteBatch>> {
    if !converter.is_remote() {
        return Ok(None);
    }
    let mut batch = RecordBatch::new();
    for record in records {
        let headers = record.headers().to_headers()?;
        let datum = Datum {
            schema: None,
            value: part(record),
        };
        batch.push(&single_value(record.topic(), datum, headers.as_slice()))?;
    }
    converter.decode_batch(batch)
}

/// First attempts at everything, for all records.
fn look_ahead<'b>(
    worker: &mut Worker,
    records: &[RecordRef<'b>],
    firsts: &mut impl Iterator<Item = First<'b>>,
) -> Result<Vec<Ahead<'b>>> {
    let mut ahead = Vec::with_capacity(records.len());
    let mut chained = Vec::with_capacity(records.len());
    let TaskConverters { key, value, .. } = &mut worker.converters;
    let mut tried = Vec::with_capacity(records.len());
    for (record, first) in records.iter().zip(firsts) {
        let topic = record.topic();
        let raw = record.headers().to_headers()?;
        let decode = |converter: &mut TaskConverter, first: Option<Result<Decoded<'b>>>, bytes| {
            first.unwrap_or_else(|| converter.decode(topic, &raw, bytes))
        };
        let key = decode(key, first.key, record.key().as_bytes());
        let value = decode(value, first.value, record.value().as_bytes());
        tried.push((key, value, raw));
    }
    for (record, (key, value, raw)) in records.iter().zip(tried) {
        let headers = worker.converters.decode_headers(record.topic(), raw_pairs(&raw));
        match (key, value, headers) {
            (Ok(key), Ok(value), Ok(headers)) => {
                chained.push(Pending::new(owned(record, Parts { key, value, headers })));
                ahead.push(None);
            }
            (key, value, headers) => ahead.push(Some(Ahead::Unconverted(First {
                key: Some(key),
                value: Some(value),
                headers: Some(headers),
            }))),
        }
    }
    let metrics = &worker.reporter.metrics;
    let began = metrics.now();
    worker.chain.pass(&mut chained, worker.rules.may_retry())?;
    metrics.stage_of_all(RecordStage::Transform, began, chained.len());
    let mut chained = chained.into_iter();
    Ok(ahead
        .into_iter()
        .filter_map(|first| first.or_else(|| chained.next().map(Ahead::Converted)))
        .collect())
}

fn raw_pairs<'h>(raw: &'h Headers) -> impl Iterator<Item = (std::borrow::Cow<'h, str>, Option<&'h [u8]>)> {
    raw.iter().map(|header| {
        let bytes = match header.value() {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        };
        (header.key().into(), bytes)
    })
}

/// Decides what becomes of one record.
fn finish(
    worker: &mut Worker,
    record: &RecordRef<'_>,
    ahead: Ahead<'_>,
    output: &mut RecordBatch,
) -> Result<Step<()>> {
    let original = || ConsumedRecord::of_raw(record);
    let pending = match ahead {
        Ahead::Converted(pending) => pending,
        Ahead::Unconverted(first) => {
            let parts = go!(convert(
                &mut worker.converters,
                &worker.rules,
                &worker.errors,
                record,
                first
            ));
            if worker.chain.is_empty() {
                push(record, &parts, output)?;
                return Ok(Step::Go(()));
            }
            Pending::new(owned(record, parts))
        }
    };
    match go!(settle(
        &worker.errors,
        worker.chain.finish(pending, &worker.rules),
        original
    )) {
        Some(record) => output.push_record(&record)?,
        None => tracing::trace!("a transform left out the record at {}", original()?),
    }
    Ok(Step::Go(()))
}

fn convert<'b>(
    converters: &mut TaskConverters,
    rules: &RetryWithTolerance,
    errors: &SharedSinkReporter,
    record: &RecordRef<'b>,
    first: First<'b>,
) -> Result<Step<Parts<'b>>> {
    let topic = record.topic();
    let raw = record.headers().to_headers()?;
    let original = || ConsumedRecord::of_raw(record);
    let decode = |converter: &mut TaskConverter, first: Option<Result<Decoded<'b>>>, bytes| match first
        .unwrap_or_else(|| converter.decode(topic, &raw, bytes))
    {
        Ok(decoded) => Attempt::Done(decoded),
        Err(error) => converter.decode_again(rules, topic, &raw, bytes, error),
    };
    let key = decode(&mut converters.key, first.key, record.key().as_bytes());
    let key = go!(settle(errors, key, original));
    let value = decode(&mut converters.value, first.value, record.value().as_bytes());
    let value = go!(settle(errors, value, original));
    let headers = match first.headers {
        Some(Ok(headers)) => Attempt::Done(headers),
        Some(Err(error)) => converters.decode_headers_again(rules, topic, || raw_pairs(&raw), error),
        None => converters.try_decode_headers(rules, topic, || raw_pairs(&raw)),
    };
    let headers = go!(settle(errors, headers, original));
    Ok(Step::Go(Parts { key, value, headers }))
}

fn push(record: &RecordRef<'_>, parts: &Parts<'_>, output: &mut RecordBatch) -> Result<()> {
    let OriginRef::Sink(origin) = record.origin() else {
        return Err(ConnectError::illegal_state(
            "a consumed record without its offset",
        ));
    };
    let headers: &[Header] = parts.headers.as_slice();
    output.push(&NewRecord {
        topic: record.topic(),
        kafka_partition: record.kafka_partition(),
        timestamp: record.timestamp(),
        key: parts.key.datum(),
        value: parts.value.datum(),
        headers,
        origin: NewOrigin::Sink {
            offset: origin.offset,
            timestamp_type: origin.timestamp_type,
            original: None,
        },
    })
}

fn owned(record: &RecordRef<'_>, parts: Parts<'_>) -> Record {
    let SchemaAndValue {
        schema: key_schema,
        value: key,
    } = parts.key.into_owned();
    let SchemaAndValue {
        schema: value_schema,
        value,
    } = parts.value.into_owned();
    let mut owned = Record::sink(
        record.topic(),
        record.kafka_partition().unwrap_or(-1),
        record.kafka_offset(),
    );
    if let (Origin::Sink { timestamp_type, .. }, OriginRef::Sink(origin)) =
        (&mut owned.origin, record.origin())
    {
        *timestamp_type = origin.timestamp_type;
    }
    Record {
        key_schema,
        key,
        value_schema,
        value,
        timestamp: record.timestamp(),
        headers: parts.headers,
        ..owned
    }
}
