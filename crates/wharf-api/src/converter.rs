//! Converters: between Connect data and the bytes in a topic.

use crate::ConfigMap;
use crate::config::ConfigDef;
use crate::error::Result;
use crate::headers::Headers;
use crate::schema::SchemaRef;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// A value with its schema; no schema means schemaless.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SchemaAndValue {
    /// The schema.
    pub schema: Option<SchemaRef>,
    /// The value.
    pub value: Value,
}

impl SchemaAndValue {
    /// Null without schema.
    pub const NULL: Self = Self {
        schema: None,
        value: Value::Null,
    };

    /// A value with its schema.
    #[must_use]
    pub fn new(schema: Option<SchemaRef>, value: impl Into<Value>) -> Self {
        Self {
            schema,
            value: value.into(),
        }
    }
}

/// What a converter made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// Kafka's null: a tombstone.
    Null,
    /// The bytes that were appended to the output, perhaps none.
    Bytes,
}

/// What a converter is used for; `converter.type` in its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConverterType {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Header values.
    Header,
}

impl ConverterType {
    /// The text of `converter.type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Header => "header",
        }
    }
}

/// Converts keys or values. Each task has its own instances, so a converter may keep caches without locking.
pub trait Converter: Send {
    /// Sets it up. The configuration holds its keys without prefix, and `converter.type`.
    ///
    /// # Errors
    /// A config error fails the start of the task or worker.
    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()>;

    /// Its configuration keys.
    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    /// Appends the bytes of a value to `out`, which may hold other bytes already. Headers may be added to the record.
    ///
    /// # Errors
    /// A data error when the value cannot be encoded; what was appended is dropped.
    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded>;

    /// Reads a value from bytes; `None` is Kafka's null. Headers are the record's raw ones, as bytes.
    ///
    /// # Errors
    /// A data error when the bytes are not what this converter writes.
    fn decode(&mut self, topic: &str, headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue>;
}

/// Converts header values. Each task has its own instance.
pub trait HeaderConverter: Send {
    /// Sets it up. The configuration holds its keys without prefix, and `converter.type=header`.
    ///
    /// # Errors
    /// A config error fails the start of the task or worker.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// Its configuration keys.
    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    /// Appends the bytes of a header value to `out`.
    ///
    /// # Errors
    /// A data error when the value cannot be encoded.
    fn encode_header(
        &mut self,
        topic: &str,
        key: &str,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded>;

    /// Reads a header value.
    ///
    /// # Errors
    /// A data error when the bytes are not what this converter writes.
    fn decode_header(&mut self, topic: &str, key: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue>;
}
