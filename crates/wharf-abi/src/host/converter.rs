//! Converters, config providers and override policies of a plugin, as the worker calls them.

use std::time::Duration;

use wharf_api::batch::{Datum, NewOrigin, NewRecord};
use wharf_api::config::{ConfigDef, ConfigKeyInfo, ConfigValue};
use wharf_api::flat::SchemaCache;
use wharf_api::policy::OverrideRequest;
use wharf_api::provider::ConfigData;
use wharf_api::schema::SchemaRef;
use wharf_api::{
    ClientConfigOverridePolicy, ConfigMap, ConfigProvider, ConnectError, Converter, ConverterType, Encoded,
    HeaderConverter, Headers, RecordBatch, RecordBatchRef, Result, SchemaAndValue, Value, ValueRef,
};

use super::{Handle, or_default};
use crate::message::{BatchResult, Message, map, part};
use crate::method::plugin as method;

fn definition(handle: &mut Handle) -> Result<ConfigDef> {
    let keys: Vec<ConfigKeyInfo> = or_default(handle.ask(method::CONFIG, &Value::Null), Vec::new)?;
    Ok(ConfigDef::from_infos(keys))
}

/// A key or value converter.
#[derive(Debug)]
pub struct RemoteConverter {
    handle: Handle,
    definition: ConfigDef,
    schemas: SchemaCache,
}

impl RemoteConverter {
    /// The converter behind this instance.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn new(mut handle: Handle) -> Result<Self> {
        Ok(Self {
            definition: definition(&mut handle)?,
            handle,
            schemas: SchemaCache::default(),
        })
    }

    /// Converts the value of each record of a finished batch to bytes, in one crossing.
    ///
    /// # Errors
    /// When the plugin fails as a whole; failures of single records are in the result.
    pub fn encode_batch(&mut self, batch: &[u8]) -> Result<BatchResult> {
        BatchResult::from_bytes(self.handle.call_raw(method::ENCODE, batch)?.bytes())
    }

    /// Converts the value of each record of a finished batch from bytes, in one crossing.
    ///
    /// # Errors
    /// When the plugin fails as a whole; failures of single records are in the result.
    pub fn decode_batch(&mut self, batch: &[u8]) -> Result<BatchResult> {
        BatchResult::from_bytes(self.handle.call_raw(method::DECODE, batch)?.bytes())
    }
}

/// A batch of one record.
fn single<'a>(topic: &'a str, key: Datum<'a>, value: Datum<'a>, headers: &'a Headers) -> Result<RecordBatch> {
    let mut batch = RecordBatch::new();
    batch.push(&NewRecord {
        topic,
        kafka_partition: None,
        timestamp: None,
        key,
        value,
        headers: headers.as_slice(),
        origin: NewOrigin::Source {
            partition: None,
            offset: None,
        },
    })?;
    Ok(batch)
}

/// The one record of a result, or its error.
fn only<T>(
    mut result: BatchResult,
    schemas: &mut SchemaCache,
    read: impl FnOnce(&wharf_api::RecordRef<'_>) -> Result<T>,
) -> Result<T> {
    if let Some((_, error)) = result.errors.pop() {
        return Err(error);
    }
    let batch = RecordBatchRef::parse(&result.batch, schemas)?;
    let record = batch
        .iter()
        .next()
        .ok_or_else(|| ConnectError::data("the plugin's converter gave no value"))?;
    read(&record?)
}

fn append(record: &wharf_api::RecordRef<'_>, out: &mut Vec<u8>) -> Encoded {
    match record.value().as_bytes() {
        Some(bytes) => {
            out.extend_from_slice(bytes);
            Encoded::Bytes
        }
        None => Encoded::Null,
    }
}

fn owned(record: &wharf_api::RecordRef<'_>) -> SchemaAndValue {
    SchemaAndValue {
        schema: record.value_schema().cloned(),
        value: record.value().to_value(),
    }
}

fn raw(bytes: Option<&[u8]>) -> Datum<'_> {
    Datum {
        schema: None,
        value: bytes.map_or(ValueRef::Null, ValueRef::Bytes),
    }
}

impl Converter for RemoteConverter {
    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        self.handle.tell(
            method::CONFIGURE,
            &(config.clone(), converter_type.name().to_owned()),
        )
    }

    fn config(&self) -> ConfigDef {
        self.definition.clone()
    }

    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        let mut batch = single(topic, Datum::default(), Datum { schema, value }, headers)?;
        let result = self.encode_batch(batch.finish()?)?;
        only(result, &mut self.schemas, |record| {
            *headers = record.headers().to_headers()?;
            Ok(append(record, out))
        })
    }

    fn decode(&mut self, topic: &str, headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let mut batch = single(topic, Datum::default(), raw(bytes), headers)?;
        let result = self.decode_batch(batch.finish()?)?;
        only(result, &mut self.schemas, |record| Ok(owned(record)))
    }
}

/// A header converter.
#[derive(Debug)]
pub struct RemoteHeaderConverter {
    handle: Handle,
    definition: ConfigDef,
    schemas: SchemaCache,
}

impl RemoteHeaderConverter {
    /// The converter behind this instance.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn new(mut handle: Handle) -> Result<Self> {
        Ok(Self {
            definition: definition(&mut handle)?,
            handle,
            schemas: SchemaCache::default(),
        })
    }

    fn convert(&mut self, method: u32, topic: &str, key: &str, value: Datum<'_>) -> Result<BatchResult> {
        let key = Datum {
            schema: None,
            value: ValueRef::String(key),
        };
        let mut batch = single(topic, key, value, &Headers::new())?;
        BatchResult::from_bytes(self.handle.call_raw(method, batch.finish()?)?.bytes())
    }
}

impl HeaderConverter for RemoteHeaderConverter {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.handle.tell(
            method::CONFIGURE,
            &(config.clone(), ConverterType::Header.name().to_owned()),
        )
    }

    fn config(&self) -> ConfigDef {
        self.definition.clone()
    }

    fn encode_header(
        &mut self,
        topic: &str,
        key: &str,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        let result = self.convert(method::ENCODE, topic, key, Datum { schema, value })?;
        only(result, &mut self.schemas, |record| Ok(append(record, out)))
    }

    fn decode_header(&mut self, topic: &str, key: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        let result = self.convert(method::DECODE, topic, key, raw(bytes))?;
        only(result, &mut self.schemas, |record| Ok(owned(record)))
    }
}

/// A config provider.
#[derive(Debug)]
pub struct RemoteProvider(Handle);

impl RemoteProvider {
    /// The provider behind this instance.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

impl ConfigProvider for RemoteProvider {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.0.tell(method::CONFIGURE, &(config.clone(), String::new()))
    }

    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let answer: Value = self.0.ask(method::GET, &(path.to_owned(), keys))?;
        let ttl: Option<i64> = Message::from_value(part(&answer, "ttl"))?;
        Ok(ConfigData {
            data: Message::from_value(part(&answer, "data"))?,
            ttl: ttl
                .and_then(|millis| u64::try_from(millis).ok())
                .map(Duration::from_millis),
        })
    }
}

/// A client config override policy.
#[derive(Debug)]
pub struct RemotePolicy(Handle);

impl RemotePolicy {
    /// The policy behind this instance.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

impl ClientConfigOverridePolicy for RemotePolicy {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.0.tell(method::CONFIGURE, &(config.clone(), String::new()))
    }

    fn validate(&mut self, request: &OverrideRequest<'_>) -> Result<Vec<ConfigValue>> {
        let message = map([
            ("properties", request.properties.to_value()),
            ("client", request.client.name().into()),
            ("connector_name", request.connector_name.into()),
            ("connector_type", request.connector_type.into()),
            ("connector_class", request.connector_class.into()),
        ]);
        self.0.ask(method::CHECK_OVERRIDES, &message)
    }
}
