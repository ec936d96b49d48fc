//! The converters of one task, and the conversion of records between Connect data and bytes.
//!
//! Strings and byte arrays take a short way without a value tree or a copy. Converters of plugins get a whole batch per
//! crossing. Errors are handed on as the converters said them: what follows from them is [`super::errors`]' affair.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use wharf_abi::host::RemoteConverter;
use wharf_abi::message::{BatchResult, is_postponed};
use wharf_api::batch::{Datum, NewOrigin, NewRecord, Records};
use wharf_api::flat::SchemaCache;
use wharf_api::schema::{Schema, SchemaRef};
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Header, HeaderConverter, Headers,
    RecordBatchRef, RecordRef, Result, SchemaAndValue, ValueRef,
};
use wharf_converters::FastPath;

use super::errors::{Attempt, RetryWithTolerance, Stage};
use crate::plugins::ConverterPlugin;

/// Which part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// Where a converter's work is done.
enum Place {
    Builtin(Box<dyn Converter>, FastPath),
    Remote(Box<RemoteConverter>),
}

/// A key or value converter of a task.
pub(crate) struct TaskConverter {
    place: Place,
    part: Part,
    class: Arc<str>,
    buffer: Vec<u8>,
}

/// Where the bytes of a value are.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    /// It is Kafka's null.
    Null,
    /// The value is its own bytes.
    AsItIs,
    /// In the converter's buffer.
    Buffer,
}

/// The converters of a task.
pub(crate) struct TaskConverters {
    pub(crate) key: TaskConverter,
    pub(crate) value: TaskConverter,
    pub(crate) header: Box<dyn HeaderConverter>,
    /// Its class as reports name it.
    pub(crate) header_class: Arc<str>,
}

/// What was read from one part of a consumed record.
#[derive(Debug)]
pub(crate) enum Decoded<'m> {
    /// It lies in the message, or in what a library answered.
    Plain(Option<&'m SchemaRef>, ValueRef<'m>),
    Owned(SchemaAndValue),
}

impl Decoded<'_> {
    #[inline]
    pub(crate) fn datum(&self) -> Datum<'_> {
        match self {
            Self::Plain(schema, value) => Datum {
                schema: *schema,
                value: *value,
            },
            Self::Owned(converted) => Datum::new(converted.schema.as_ref(), &converted.value),
        }
    }

    pub(crate) fn into_owned(self) -> SchemaAndValue {
        match self {
            Self::Plain(schema, value) => SchemaAndValue {
                schema: schema.cloned(),
                value: value.to_value(),
            },
            Self::Owned(converted) => converted,
        }
    }
}

impl TaskConverter {
    /// Sets a converter up for one part of a task's records. `class` is its full name.
    pub(crate) fn new(
        mut plugin: ConverterPlugin,
        part: Part,
        class: &str,
        config: &ConfigMap,
    ) -> Result<Self> {
        let converter_type = match part {
            Part::Key => ConverterType::Key,
            Part::Value => ConverterType::Value,
        };
        plugin.as_converter().configure(config, converter_type)?;
        let fast_path = plugin.fast_path(config);
        let place = match plugin {
            ConverterPlugin::Builtin { converter, .. } => Place::Builtin(converter, fast_path),
            ConverterPlugin::Remote(converter) => Place::Remote(converter),
        };
        Ok(Self {
            place,
            part,
            class: class.into(),
            buffer: Vec::new(),
        })
    }

    #[inline]
    fn stage(&self) -> Stage {
        match self.part {
            Part::Key => Stage::KeyConverter,
            Part::Value => Stage::ValueConverter,
        }
    }

    /// Whether a batch must be converted as a whole, because the converter is a plugin's.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    /// The bytes of one value; `None` is Kafka's null. They lie in the value or in this converter.
    #[inline]
    pub(crate) fn encode<'o>(
        &'o mut self,
        topic: &str,
        datum: Datum<'o>,
        headers: &mut Headers,
    ) -> Result<Option<&'o [u8]>> {
        let place = self.encode_place(topic, datum, headers)?;
        Ok(self.at(place, datum))
    }

    #[inline]
    fn encode_place(&mut self, topic: &str, datum: Datum<'_>, headers: &mut Headers) -> Result<Encoding> {
        let Datum { schema, value } = datum;
        match (&self.place, value) {
            (Place::Builtin(..), ValueRef::Null) if schema.is_none() => Ok(Encoding::Null),
            (Place::Builtin(_, FastPath::Utf8String), ValueRef::String(_)) => Ok(Encoding::AsItIs),
            (Place::Builtin(_, FastPath::RawBytes), ValueRef::Bytes(_)) if is_bytes(schema) => {
                Ok(Encoding::AsItIs)
            }
            _ => self.encode_by_converter(topic, schema, value, headers),
        }
    }

    #[inline]
    fn at<'o>(&'o self, place: Encoding, datum: Datum<'o>) -> Option<&'o [u8]> {
        match (place, datum.value) {
            (Encoding::AsItIs, ValueRef::String(text)) => Some(text.as_bytes()),
            (Encoding::AsItIs, ValueRef::Bytes(bytes)) => Some(bytes),
            (Encoding::Buffer, _) => Some(&self.buffer),
            _ => None,
        }
    }

    /// Goes on, by the task's rules, after an attempt that failed. Of the headers, the first `known` were there before it.
    #[cold]
    pub(crate) fn encode_again<'o>(
        &'o mut self,
        rules: &RetryWithTolerance,
        topic: &str,
        datum: Datum<'o>,
        (headers, known): (&mut Headers, usize),
        error: ConnectError,
    ) -> Attempt<Option<&'o [u8]>> {
        let (stage, class) = (self.stage(), Arc::clone(&self.class));
        let attempt = go_on(rules, stage, &class, error, || {
            // What an attempt that failed has added is not to be there twice.
            keep_first(headers, known);
            self.encode_place(topic, datum, headers)
        });
        attempt.map(|place| self.at(place, datum))
    }

    fn encode_by_converter(
        &mut self,
        topic: &str,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        headers: &mut Headers,
    ) -> Result<Encoding> {
        self.buffer.clear();
        let encoded = match &mut self.place {
            Place::Builtin(converter, _) => converter.encode(topic, headers, schema, value, &mut self.buffer),
            Place::Remote(converter) => converter.encode(topic, headers, schema, value, &mut self.buffer),
        };
        Ok(match encoded? {
            Encoded::Null => Encoding::Null,
            Encoded::Bytes => Encoding::Buffer,
        })
    }

    /// Reads one part of a consumed record.
    #[inline]
    pub(crate) fn decode<'m>(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: Option<&'m [u8]>,
    ) -> Result<Decoded<'m>> {
        match (&mut self.place, bytes) {
            (Place::Builtin(_, FastPath::Utf8String), None) => {
                return Ok(Decoded::Plain(Some(optional_string()), ValueRef::Null));
            }
            // What is not UTF-8 is the converter's affair.
            (Place::Builtin(_, FastPath::Utf8String), Some(bytes)) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    return Ok(Decoded::Plain(Some(optional_string()), ValueRef::String(text)));
                }
            }
            (Place::Builtin(_, FastPath::RawBytes), bytes) => {
                let value = bytes.map_or(ValueRef::Null, ValueRef::Bytes);
                return Ok(Decoded::Plain(Some(optional_bytes()), value));
            }
            _ => {}
        }
        self.decode_by_converter(topic, headers, bytes)
    }

    fn decode_by_converter<'m>(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: Option<&'m [u8]>,
    ) -> Result<Decoded<'m>> {
        match &mut self.place {
            Place::Builtin(converter, _) => converter.decode(topic, headers, bytes),
            Place::Remote(converter) => converter.decode(topic, headers, bytes),
        }
        .map(Decoded::Owned)
    }

    /// Goes on, by the task's rules, after an attempt that failed.
    #[cold]
    pub(crate) fn decode_again<'m>(
        &mut self,
        rules: &RetryWithTolerance,
        topic: &str,
        headers: &Headers,
        bytes: Option<&'m [u8]>,
        error: ConnectError,
    ) -> Attempt<Decoded<'m>> {
        let (stage, class) = (self.stage(), Arc::clone(&self.class));
        go_on(rules, stage, &class, error, || self.decode(topic, headers, bytes))
    }

    /// Converts the values of a finished batch to bytes in one crossing of the border. Nothing unless the converter is a plugin's.
    ///
    /// # Errors
    /// When the plugin fails as a whole; failures of single records are in the result.
    pub(crate) fn encode_batch(&mut self, values: &[u8], records: usize) -> Result<Option<RemoteBatch>> {
        let Place::Remote(converter) = &mut self.place else {
            return Ok(None);
        };
        let result = converter.encode_batch(values)?;
        RemoteBatch::new(result, records, &self.class).map(Some)
    }

    /// Reads the values of a finished batch from bytes in one crossing of the border. Nothing unless the converter is a plugin's.
    ///
    /// # Errors
    /// As [`encode_batch`](Self::encode_batch).
    pub(crate) fn decode_batch(&mut self, bytes: &[u8], records: usize) -> Result<Option<RemoteBatch>> {
        let Place::Remote(converter) = &mut self.place else {
            return Ok(None);
        };
        let result = converter.decode_batch(bytes)?;
        RemoteBatch::new(result, records, &self.class).map(Some)
    }
}

/// Goes on after the answer for a record of a batch was an error. One that was postponed has not been attempted yet.
fn go_on<T>(
    rules: &RetryWithTolerance,
    stage: Stage,
    class: &str,
    error: ConnectError,
    operation: impl FnMut() -> Result<T>,
) -> Attempt<T> {
    match is_postponed(&error) {
        true => rules.execute(stage, class, operation),
        false => rules.resume(stage, class, error, operation),
    }
}

fn optional_string() -> &'static SchemaRef {
    static SCHEMA: std::sync::LazyLock<SchemaRef> = std::sync::LazyLock::new(Schema::optional_string);
    &SCHEMA
}

fn optional_bytes() -> &'static SchemaRef {
    static SCHEMA: std::sync::LazyLock<SchemaRef> = std::sync::LazyLock::new(Schema::optional_bytes);
    &SCHEMA
}

fn is_bytes(schema: Option<&SchemaRef>) -> bool {
    schema.is_none_or(|schema| schema.schema_type() == wharf_api::SchemaType::Bytes)
}

fn keep_first(headers: &mut Headers, count: usize) {
    let mut kept = Headers::new();
    for header in headers.iter().take(count) {
        kept.push(header.clone());
    }
    *headers = kept;
}

/// A batch of which only one value per record matters: what converters of plugins are given.
pub(crate) fn single_value<'a>(topic: &'a str, value: Datum<'a>, headers: &'a [Header]) -> NewRecord<'a> {
    NewRecord {
        topic,
        kafka_partition: None,
        timestamp: None,
        key: Datum::default(),
        value,
        headers,
        origin: NewOrigin::Source {
            partition: None,
            offset: None,
        },
    }
}

/// What a plugin's converter made of a batch.
pub(crate) struct RemoteBatch {
    bytes: Vec<u8>,
    schemas: SchemaCache,
    /// What it failed at, by position among the records that were given.
    errors: Vec<(usize, ConnectError)>,
}

impl RemoteBatch {
    fn new(result: BatchResult, records: usize, class: &str) -> Result<Self> {
        let BatchResult {
            batch,
            positions,
            mut errors,
        } = result;
        errors.sort_by_key(|(position, _)| *position);
        // None at all says that they correspond one to one.
        if !positions.is_empty() || !errors.is_empty() {
            let mut answered = positions.iter().copied().peekable();
            let mut failed = errors.iter().map(|(position, _)| *position).peekable();
            let is_told =
                |position| answered.next_if_eq(&position).is_some() || failed.next_if_eq(&position).is_some();
            if !(0..records).all(is_told) || positions.len() + errors.len() != records {
                return Err(ConnectError::connect(format!(
                    "the converter {class} gave {} values and {} errors for {records} records, or not in their order",
                    positions.len(),
                    errors.len()
                )));
            }
        }
        Ok(Self {
            bytes: batch,
            schemas: SchemaCache::default(),
            errors,
        })
    }

    /// The bytes it takes.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The answers, to be read by [`RemoteAnswers::iter`].
    pub(crate) fn parse(&mut self) -> Result<RemoteAnswers<'_>> {
        Ok(RemoteAnswers {
            batch: RecordBatchRef::parse(&self.bytes, &mut self.schemas)?,
            errors: std::mem::take(&mut self.errors),
        })
    }
}

/// The answers for a batch.
pub(crate) struct RemoteAnswers<'b> {
    batch: RecordBatchRef<'b>,
    errors: Vec<(usize, ConnectError)>,
}

impl RemoteAnswers<'_> {
    /// All answers in the order of the records that were given.
    pub(crate) fn iter(&mut self) -> Answers<'_> {
        Answers {
            records: self.batch.iter(),
            errors: std::mem::take(&mut self.errors).into_iter().peekable(),
            position: 0,
        }
    }
}

/// Answers, read where they lie.
pub(crate) struct Answers<'b> {
    records: Records<'b>,
    errors: std::iter::Peekable<std::vec::IntoIter<(usize, ConnectError)>>,
    position: usize,
}

impl<'b> Answers<'b> {
    /// The answer for the next record: what it became, or why the converter failed at it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn next(&mut self) -> Result<Result<RecordRef<'b>>> {
        let position = self.position;
        self.position += 1;
        if let Some((_, error)) = self.errors.next_if(|(failed, _)| *failed == position) {
            return Ok(Err(error));
        }
        match self.records.next() {
            Some(record) => Ok(Ok(record?)),
            None => Err(ConnectError::connect("a converter gave too few values")),
        }
    }
}

impl TaskConverters {
    /// Whether a key or value converter is a plugin's.
    pub(crate) fn are_remote(&self) -> bool {
        self.key.is_remote() || self.value.is_remote()
    }

    /// Reads the headers of a consumed record.
    pub(crate) fn decode_headers<'h>(
        &mut self,
        topic: &str,
        raw: impl Iterator<Item = (Cow<'h, str>, Option<&'h [u8]>)>,
    ) -> Result<Headers> {
        let mut headers = Headers::new();
        for (key, bytes) in raw {
            let SchemaAndValue { schema, value } = self.header.decode_header(topic, &key, bytes)?;
            headers.push(Header::new(key, schema, value));
        }
        Ok(headers)
    }

    /// As [`decode_headers`](Self::decode_headers), by the task's rules.
    pub(crate) fn try_decode_headers<'h, I: Iterator<Item = (Cow<'h, str>, Option<&'h [u8]>)>>(
        &mut self,
        rules: &RetryWithTolerance,
        topic: &str,
        raw: impl Fn() -> I,
    ) -> Attempt<Headers> {
        let class = Arc::clone(&self.header_class);
        rules.execute(Stage::HeaderConverter, &class, || {
            self.decode_headers(topic, raw())
        })
    }

    /// Goes on after an attempt that failed.
    pub(crate) fn decode_headers_again<'h, I: Iterator<Item = (Cow<'h, str>, Option<&'h [u8]>)>>(
        &mut self,
        rules: &RetryWithTolerance,
        topic: &str,
        raw: impl Fn() -> I,
        error: ConnectError,
    ) -> Attempt<Headers> {
        let class = Arc::clone(&self.header_class);
        rules.resume(Stage::HeaderConverter, &class, error, || {
            self.decode_headers(topic, raw())
        })
    }

    /// Puts the bytes of headers into `arena`, by the task's rules; see [`encode_headers`](Self::encode_headers).
    pub(crate) fn try_encode_headers(
        &mut self,
        rules: &RetryWithTolerance,
        topic: &str,
        headers: &Headers,
        arena: &mut Vec<u8>,
        places: &mut Vec<Option<Range<usize>>>,
    ) -> Attempt<()> {
        if headers.is_empty() {
            arena.clear();
            places.clear();
            return Attempt::Done(());
        }
        let class = Arc::clone(&self.header_class);
        rules.execute(Stage::HeaderConverter, &class, || {
            self.encode_headers(topic, headers, arena, places)
        })
    }

    /// Puts the bytes of headers into `arena`, and where each lies there to `places`; none is a null.
    pub(crate) fn encode_headers(
        &mut self,
        topic: &str,
        headers: &Headers,
        arena: &mut Vec<u8>,
        places: &mut Vec<Option<Range<usize>>>,
    ) -> Result<()> {
        arena.clear();
        places.clear();
        for header in headers.iter() {
            let start = arena.len();
            let value = header.value().as_ref();
            let encoded = self
                .header
                .encode_header(topic, header.key(), header.schema(), value, arena)?;
            places.push((encoded == Encoded::Bytes).then_some(start..arena.len()));
        }
        Ok(())
    }
}
