//! Conversion and transforms of a whole batch, where a converter or transform is in a library: one crossing of the border each.
//!
//! First attempts are made for all records; then the records are looked at in their order, and what failed is tried again
//! alone, reported, and judged. What must stay true: a record counts as consumed when its fate is known, not before.

use wharf_api::batch::{Datum, OriginRef};
use wharf_api::flat::SchemaCache;
use wharf_api::{ConnectError, Headers, Record, RecordBatch, RecordBatchRef, RecordRef, Result, Value};

use super::records::{Coordinates, Step, go, settle, state_of};
use super::{Halt, Loop, Worker};
use crate::metrics::RecordStage;
use crate::worker::converters::{
    Answers, Decoded, RemoteAnswers, RemoteBatch, TaskConverter, TaskConverters, single_value,
};
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
        let raw_bytes = raw_batch.byte_len();
        let mut output = RecordBatch::with_capacity(raw_bytes);
        if raw_batch.is_empty() {
            return Ok(output);
        }
        let mut schemas = SchemaCache::default();
        let raw = RecordBatchRef::parse(raw_batch.finish()?, &mut schemas)?;
        let Self {
            worker,
            partitions,
            last,
            ..
        } = self;
        let metrics = &worker.reporter.metrics;
        let began = metrics.now();
        let keys = decode_keys(&mut worker.converters.key, &raw)?;
        let values = worker.converters.value.decode_batch(raw.bytes(), raw.len())?;
        if worker.converters.are_remote() {
            metrics.stage_of_all(RecordStage::Convert, began, raw.len());
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
        let mut firsts = Firsts {
            keys: keys.as_mut().map(RemoteAnswers::iter),
            values: values.as_mut().map(RemoteAnswers::iter),
        };
        let mut ahead = if worker.chain.is_remote() {
            Some(look_ahead(worker, &raw, &mut firsts)?.into_iter())
        } else {
            None
        };
        for record in raw.iter() {
            let record = &record?;
            let next = match ahead.as_mut().and_then(Iterator::next) {
                Some(ahead) => ahead,
                None => Ahead::Unconverted(firsts.next()?),
            };
            let step = finish(worker, record, next, &mut output);
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

/// Answers of libraries, record by record.
struct Firsts<'b> {
    keys: Option<Answers<'b>>,
    values: Option<Answers<'b>>,
}

impl<'b> Firsts<'b> {
    fn next(&mut self) -> Result<First<'b>> {
        fn next_of<'b>(answers: &mut Option<Answers<'b>>) -> Result<Option<Result<Decoded<'b>>>> {
            let Some(answers) = answers else {
                return Ok(None);
            };
            let plain = |record: RecordRef<'b>| Decoded::Plain(record.value_schema(), record.value());
            Ok(Some(answers.next()?.map(plain)))
        }
        Ok(First {
            key: next_of(&mut self.keys)?,
            value: next_of(&mut self.values)?,
            headers: None,
        })
    }
}

/// All keys through a converter of a library, which looks at values; nothing when it is built in.
fn decode_keys(converter: &mut TaskConverter, raw: &RecordBatchRef<'_>) -> Result<Option<RemoteBatch>> {
    if !converter.is_remote() {
        return Ok(None);
    }
    let mut batch = RecordBatch::with_capacity(raw.bytes().len());
    for record in raw.iter() {
        let record = record?;
        let headers = record.headers().to_headers()?;
        let key = Datum {
            schema: None,
            value: record.key(),
        };
        batch.push(&single_value(record.topic(), key, headers.as_slice()))?;
    }
    converter.decode_batch(batch.finish()?, raw.len())
}

/// First attempts at everything, for all records.
fn look_ahead<'b>(
    worker: &mut Worker,
    raw_batch: &'b RecordBatchRef<'_>,
    firsts: &mut Firsts<'b>,
) -> Result<Vec<Ahead<'b>>> {
    let records: Vec<RecordRef<'b>> = raw_batch.iter().collect::<Result<_>>()?;
    let mut ahead = Vec::with_capacity(records.len());
    let mut chained = Vec::with_capacity(records.len());
    let TaskConverters { key, value, .. } = &mut worker.converters;
    let mut tried = Vec::with_capacity(records.len());
    for record in &records {
        let first = firsts.next()?;
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
                chained.push(Pending::new(owned(record, Parts { key, value, headers })?));
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
    let Worker {
        converters,
        chain,
        rules,
        errors,
        ..
    } = worker;
    let pending = match ahead {
        Ahead::Converted(pending) => pending,
        Ahead::Unconverted(first) => {
            let parts = go!(convert(converters, rules, errors, record, first));
            if let Some((key, value)) = chain.project(parts.key.datum(), parts.value.datum()) {
                output.push(&coordinates(record)?.new_record(key, value, &parts.headers))?;
                return Ok(Step::Go(()));
            }
            Pending::new(owned(record, parts)?)
        }
    };
    let attempt = chain.finish(pending, rules);
    match go!(settle(errors, attempt, original)) {
        Some(record) => output.push_record(record)?,
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

fn coordinates<'r>(record: &RecordRef<'r>) -> Result<Coordinates<'r>> {
    let OriginRef::Sink(origin) = record.origin() else {
        return Err(ConnectError::illegal_state(
            "a consumed record without its offset",
        ));
    };
    Ok(Coordinates {
        topic: record.topic(),
        partition: record.kafka_partition().unwrap_or(-1),
        offset: origin.offset,
        timestamp: record.timestamp(),
        timestamp_type: origin.timestamp_type,
    })
}

fn owned(record: &RecordRef<'_>, parts: Parts<'_>) -> Result<Record> {
    let Parts { key, value, headers } = parts;
    Ok(coordinates(record)?.record(key.into_owned(), value.into_owned(), headers))
}
