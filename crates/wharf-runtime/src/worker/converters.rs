//! The converters of one task, and the conversion of records between Connect data and bytes.
//!
//! Strings and byte arrays take a short way without a value tree or a copy. Converters of plugins get a whole batch per
//! crossing. A record that cannot be converted fails the task: errors are not tolerated by this build.

use std::borrow::Cow;

use wharf_abi::host::RemoteConverter;
use wharf_abi::message::BatchResult;
use wharf_api::batch::{Datum, NewOrigin, NewRecord};
use wharf_api::flat::SchemaCache;
use wharf_api::schema::{Schema, SchemaRef};
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Header, HeaderConverter, Headers,
    RecordBatch, RecordBatchRef, RecordRef, Result, SchemaAndValue, ValueRef,
};
use wharf_converters::FastPath;

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
    class: String,
    buffer: Vec<u8>,
}

/// The converters of a task.
pub(crate) struct TaskConverters {
    pub(crate) key: TaskConverter,
    pub(crate) value: TaskConverter,
    pub(crate) header: Box<dyn HeaderConverter>,
}

/// A failure in a converter becomes the task's failure, in upstream's words.
fn exceeded(part: &str, class: &str, error: ConnectError) -> ConnectError {
    ConnectError::connect("Tolerance exceeded in error handler")
        .caused_by(error.context(format!("the {part} converter {class} cannot convert a record")))
}

impl TaskConverter {
    /// Sets a converter up for one part of a task's records.
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
            class: class.to_owned(),
            buffer: Vec::new(),
        })
    }

    fn name(&self) -> &'static str {
        match self.part {
            Part::Key => "key",
            Part::Value => "value",
        }
    }

    fn datum<'r>(&self, record: &RecordRef<'r>) -> Datum<'r> {
        match self.part {
            Part::Key => Datum {
                schema: record.key_schema(),
                value: record.key(),
            },
            Part::Value => Datum {
                schema: record.value_schema(),
                value: record.value(),
            },
        }
    }

    /// Whether a batch must be converted as a whole, because the converter is a plugin's.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    /// The bytes of one record's part; `None` is Kafka's null. They lie in the record or in this converter.
    pub(crate) fn encode<'o>(
        &'o mut self,
        record: &RecordRef<'o>,
        headers: &mut Headers,
    ) -> Result<Option<&'o [u8]>> {
        let Datum { schema, value } = self.datum(record);
        let name = self.name();
        let Place::Builtin(converter, fast_path) = &mut self.place else {
            return Err(ConnectError::illegal_state(
                "a plugin's converter converts batches",
            ));
        };
        match (&*fast_path, value) {
            (_, ValueRef::Null) if schema.is_none() => return Ok(None),
            (FastPath::Utf8String, ValueRef::String(text)) => return Ok(Some(text.as_bytes())),
            (FastPath::RawBytes, ValueRef::Bytes(bytes)) if is_bytes(schema) => return Ok(Some(bytes)),
            _ => {}
        }
        self.buffer.clear();
        let encoded = converter
            .encode(record.topic(), headers, schema, value, &mut self.buffer)
            .map_err(|error| exceeded(name, &self.class, error))?;
        Ok(match encoded {
            Encoded::Null => None,
            Encoded::Bytes => Some(&self.buffer),
        })
    }

    /// Converts this part of every record of a batch in one crossing of the border.
    pub(crate) fn encode_batch(&mut self, batch: &RecordBatchRef<'_>) -> Result<RemoteBatch> {
        let mut input = RecordBatch::new();
        for record in batch.iter() {
            let record = record?;
            let headers = record.headers().to_headers()?;
            input.push(&single_value(
                record.topic(),
                self.datum(&record),
                headers.as_slice(),
            ))?;
        }
        let name = self.name();
        let Place::Remote(converter) = &mut self.place else {
            return Err(ConnectError::illegal_state(
                "a built-in converter converts record by record",
            ));
        };
        RemoteBatch::new(
            converter.encode_batch(input.finish()?)?,
            batch.len(),
            name,
            &self.class,
        )
    }

    /// Reads one part of a consumed record and hands it on.
    pub(crate) fn decode<T>(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: Option<&[u8]>,
        take: impl FnOnce(Datum<'_>) -> Result<T>,
    ) -> Result<T> {
        let name = self.name();
        let plain = match (&self.place, bytes) {
            (Place::Builtin(_, FastPath::Utf8String), None) => Some((optional_string(), ValueRef::Null)),
            // What is not UTF-8 is the converter's affair.
            (Place::Builtin(_, FastPath::Utf8String), Some(bytes)) => std::str::from_utf8(bytes)
                .ok()
                .map(|text| (optional_string(), ValueRef::String(text))),
            (Place::Builtin(_, FastPath::RawBytes), bytes) => {
                Some((optional_bytes(), bytes.map_or(ValueRef::Null, ValueRef::Bytes)))
            }
            _ => None,
        };
        if let Some((schema, value)) = plain {
            return take(Datum {
                schema: Some(schema),
                value,
            });
        }
        let converted = match (&mut self.place, bytes) {
            (Place::Builtin(converter, _), bytes) => converter
                .decode(topic, headers, bytes)
                .map_err(|error| exceeded(name, &self.class, error))?,
            (Place::Remote(converter), bytes) => converter
                .decode(topic, headers, bytes)
                .map_err(|error| exceeded(name, &self.class, error))?,
        };
        take(Datum::new(converted.schema.as_ref(), &converted.value))
    }

    /// The plugin's converter, when it is one.
    pub(crate) fn remote(&mut self) -> Option<&mut RemoteConverter> {
        match &mut self.place {
            Place::Remote(converter) => Some(converter),
            Place::Builtin(..) => None,
        }
    }

    /// Reads the answers of a batch decoded by [`remote`](Self::remote).
    pub(crate) fn decoded(&self, result: BatchResult, records: usize) -> Result<RemoteBatch> {
        RemoteBatch::new(result, records, self.name(), &self.class)
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

/// A batch that a plugin's converter made: every record of it was converted.
pub(crate) struct RemoteBatch {
    bytes: Vec<u8>,
    schemas: SchemaCache,
}

impl RemoteBatch {
    fn new(mut result: BatchResult, records: usize, part: &str, class: &str) -> Result<Self> {
        if !result.errors.is_empty() {
            return Err(exceeded(part, class, result.errors.swap_remove(0).1));
        }
        if result.positions.len() != records {
            return Err(ConnectError::connect(format!(
                "the {part} converter {class} gave {} values for {records} records",
                result.positions.len()
            )));
        }
        Ok(Self {
            bytes: result.batch,
            schemas: SchemaCache::default(),
        })
    }

    /// A batch of values that were converted otherwise.
    pub(crate) fn from_batch(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            schemas: SchemaCache::default(),
        }
    }

    /// The converted records, in order.
    pub(crate) fn records(&mut self) -> Result<RecordBatchRef<'_>> {
        RecordBatchRef::parse(&self.bytes, &mut self.schemas)
    }
}

impl TaskConverters {
    /// Reads the headers of a consumed record.
    pub(crate) fn decode_headers<'h>(
        &mut self,
        topic: &str,
        raw: impl Iterator<Item = (Cow<'h, str>, Option<&'h [u8]>)>,
    ) -> Result<Headers> {
        let mut headers = Headers::new();
        for (key, bytes) in raw {
            let SchemaAndValue { schema, value } = self
                .header
                .decode_header(topic, &key, bytes)
                .map_err(|error| exceeded("header", "of the task", error))?;
            headers.push(Header::new(key, schema, value));
        }
        Ok(headers)
    }
}
