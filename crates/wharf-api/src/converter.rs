//! Converters: between Connect data and the bytes in a topic.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ConfigMap;
use crate::config::ConfigDef;
use crate::error::Result;
use crate::flat::DatumWriter;
use crate::headers::Headers;
use crate::plugin::PluginHost;
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

/// `true` under this key of its configuration tells a converter that it is made for a preview: it may ask other systems, and
/// must not change anything there.
pub const PREVIEW: &str = "wharf.preview";

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

/// What the worker tells a converter of the task that it works for.
#[derive(Clone)]
pub struct ConverterContext(Arc<dyn PluginHost>);

impl fmt::Debug for ConverterContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConverterContext").finish_non_exhaustive()
    }
}

impl ConverterContext {
    /// A context that speaks to this worker.
    #[must_use]
    pub fn new(host: Arc<dyn PluginHost>) -> Self {
        Self(host)
    }

    /// Whether the task is to stop. A converter that waits for another system then gives up with
    /// [`ConnectError::interrupted`](crate::ConnectError::interrupted): the record counts as one that was not begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }

    /// Waits so long, less when the task is to stop. Says whether it is.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        /// How soon a stop is noticed. Workers that do not serve waits of converters are asked this often, too.
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let begun = Instant::now();
        loop {
            if self.is_stopping() {
                return true;
            }
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// Converts keys or values. Each task has its own instances, so a converter may keep caches without locking.
pub trait Converter: Send {
    /// Gives it its context, once and before anything else. Converters that never wait have no use for it.
    fn attach(&mut self, context: ConverterContext) {
        let _ = context;
    }

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

    /// The same, written to where it crosses the plugin border. A converter that writes part by part what it reads saves
    /// building a tree, and gives [`decode`](Self::decode) by [`SchemaAndValue::read_from`].
    ///
    /// # Errors
    /// As [`decode`](Self::decode); what was written is dropped.
    fn decode_into(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: Option<&[u8]>,
        out: DatumWriter<'_>,
    ) -> Result<()> {
        let SchemaAndValue { schema, value } = self.decode(topic, headers, bytes)?;
        out.write(schema.as_ref(), |out| out.value(value.as_ref(), schema.as_ref()))
    }
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
