//! Converters, config providers and override policies behind the border.

use std::sync::Arc;

use wharf_api::batch::{Datum, NewOrigin, NewRecord, RecordBatchRef, RecordRef};
use wharf_api::converter::ConverterContext;
use wharf_api::flat::SchemaCache;
use wharf_api::policy::{ClientType, OverrideRequest};
use wharf_api::{
    ClientConfigOverridePolicy, ConfigMap, ConfigProvider, ConnectError, Converter, ConverterType, Encoded,
    ErrorKind, HeaderConverter, Headers, RecordBatch, Result, SchemaAndValue, ValueRef,
};

use super::host::HostObject;
use super::panics::contain;
use super::{Instance, Response};
use crate::message::{BatchResult, Message, map, part, postponed};
use crate::method::plugin as method;
use crate::module::Role;

/// Makes a converter.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn converter<C: Converter + Default + 'static>(_: Role, host: HostObject) -> Result<Box<dyn Instance>> {
    let mut converter = C::default();
    converter.attach(ConverterContext::new(Arc::new(host.clone())));
    Ok(Box::new(ConverterInstance {
        converter,
        host,
        schemas: SchemaCache::default(),
    }))
}

/// Makes a header converter.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn header_converter<C: HeaderConverter + Default + 'static>(
    _: Role,
    _: HostObject,
) -> Result<Box<dyn Instance>> {
    Ok(Box::new(HeaderConverterInstance {
        converter: C::default(),
        schemas: SchemaCache::default(),
    }))
}

/// Makes a config provider.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn config_provider<P: ConfigProvider + Default + 'static>(
    _: Role,
    _: HostObject,
) -> Result<Box<dyn Instance>> {
    Ok(Box::new(ProviderInstance(P::default())))
}

/// Makes an override policy.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn override_policy<P: ClientConfigOverridePolicy + Default + 'static>(
    _: Role,
    _: HostObject,
) -> Result<Box<dyn Instance>> {
    Ok(Box::new(PolicyInstance(P::default())))
}

/// Converts each record's value of a batch. What fails or panics is left out of the result and named in its errors.
///
/// Behind a record that another system's absence failed, each may take as long to fail. Where `host` takes postponed records,
/// they are left to it, so that a failure is known when it is there.
fn convert_batch(
    args: &[u8],
    schemas: &mut SchemaCache,
    host: Option<&HostObject>,
    mut convert: impl FnMut(&RecordRef<'_>, &mut RecordBatch) -> Result<()>,
) -> Result<Option<Response>> {
    let input = RecordBatchRef::parse(args, schemas)?;
    // What is decoded takes more room than its bytes; memory that is not written to costs nothing.
    let mut output = RecordBatch::with_capacity(args.len() * 2);
    let mut errors = Vec::new();
    for (position, record) in input.iter().enumerate() {
        let record = record?;
        if let Err(error) = contain(|| convert(&record, &mut output)) {
            let is_of_record = !matches!(error.kind(), ErrorKind::Retriable | ErrorKind::Connect);
            errors.push((position, error));
            if !is_of_record && host.is_some_and(HostObject::takes_postponed) {
                errors.extend((position + 1..input.len()).map(|position| (position, postponed())));
                break;
            }
        }
    }
    Response::result(BatchResult::for_all(input.len(), output.into_finished()?, errors))
}

fn converted<'a>(topic: &'a str, value: Datum<'a>, headers: &'a Headers) -> NewRecord<'a> {
    NewRecord {
        topic,
        kafka_partition: None,
        timestamp: None,
        key: Datum::default(),
        value,
        headers: headers.as_slice(),
        origin: NewOrigin::Source {
            partition: None,
            offset: None,
        },
    }
}

struct ConverterInstance<C> {
    converter: C,
    host: HostObject,
    schemas: SchemaCache,
}

impl<C: Converter> Instance for ConverterInstance<C> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        let converter = &mut self.converter;
        match method {
            method::CONFIG => Response::message(&super::connector::checked(converter.config())?),
            method::VALIDATE => {
                Response::message(&converter.config().validate(&ConfigMap::from_bytes(args)?))
            }
            method::CONFIGURE => {
                let (config, kind) = <(ConfigMap, String)>::from_bytes(args)?;
                let kind = [ConverterType::Key, ConverterType::Value, ConverterType::Header]
                    .into_iter()
                    .find(|known| known.name() == kind)
                    .ok_or_else(|| ConnectError::config(format!("unknown converter type {kind}")))?;
                converter.configure(&config, kind)?;
                Response::none()
            }
            method::ENCODE => {
                let mut bytes = Vec::new();
                convert_batch(args, &mut self.schemas, Some(&self.host), |record, output| {
                    bytes.clear();
                    let mut headers = record.headers().to_headers()?;
                    let encoded = converter.encode(
                        record.topic(),
                        &mut headers,
                        record.value_schema(),
                        record.value(),
                        &mut bytes,
                    )?;
                    output.push(&converted(
                        record.topic(),
                        encoded_datum(encoded, &bytes),
                        &headers,
                    ))
                })
            }
            method::DECODE => convert_batch(args, &mut self.schemas, Some(&self.host), |record, output| {
                let headers = record.headers().to_headers()?;
                output.push_value(record.topic(), |out| {
                    converter.decode_into(record.topic(), &headers, record.value().as_bytes(), out)
                })
            }),
            _ => Ok(None),
        }
    }
}

fn encoded_datum(encoded: Encoded, bytes: &[u8]) -> Datum<'_> {
    match encoded {
        Encoded::Null => Datum::default(),
        Encoded::Bytes => Datum {
            schema: None,
            value: ValueRef::Bytes(bytes),
        },
    }
}

/// A header's key travels as the record's key.
struct HeaderConverterInstance<C> {
    converter: C,
    schemas: SchemaCache,
}

impl<C: HeaderConverter> Instance for HeaderConverterInstance<C> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        let converter = &mut self.converter;
        let key = |record: &RecordRef<'_>| record.key().as_str().unwrap_or_default().to_owned();
        match method {
            method::CONFIG => Response::message(&super::connector::checked(converter.config())?),
            method::VALIDATE => {
                Response::message(&converter.config().validate(&ConfigMap::from_bytes(args)?))
            }
            method::CONFIGURE => {
                converter.configure(&<(ConfigMap, String)>::from_bytes(args)?.0)?;
                Response::none()
            }
            method::ENCODE => {
                let mut bytes = Vec::new();
                convert_batch(args, &mut self.schemas, None, |record, output| {
                    bytes.clear();
                    let encoded = converter.encode_header(
                        record.topic(),
                        &key(record),
                        record.value_schema(),
                        record.value(),
                        &mut bytes,
                    )?;
                    output.push(&converted(
                        record.topic(),
                        encoded_datum(encoded, &bytes),
                        &Headers::new(),
                    ))
                })
            }
            method::DECODE => convert_batch(args, &mut self.schemas, None, |record, output| {
                let SchemaAndValue { schema, value } =
                    converter.decode_header(record.topic(), &key(record), record.value().as_bytes())?;
                output.push(&converted(
                    record.topic(),
                    Datum::new(schema.as_ref(), &value),
                    &Headers::new(),
                ))
            }),
            _ => Ok(None),
        }
    }
}

struct ProviderInstance<P>(P);

impl<P: ConfigProvider> Instance for ProviderInstance<P> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::CONFIGURE => {
                self.0.configure(&<(ConfigMap, String)>::from_bytes(args)?.0)?;
                Response::none()
            }
            method::GET => {
                let (path, keys) = <(String, Vec<String>)>::from_bytes(args)?;
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let found = self.0.get(&path, &keys)?;
                let ttl = found
                    .ttl
                    .map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
                Response::message(&map([
                    ("data", Message::to_value(&found.data)),
                    ("ttl", ttl.to_value()),
                ]))
            }
            _ => Ok(None),
        }
    }
}

struct PolicyInstance<P>(P);

impl<P: ClientConfigOverridePolicy> Instance for PolicyInstance<P> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::CONFIGURE => {
                self.0.configure(&<(ConfigMap, String)>::from_bytes(args)?.0)?;
                Response::none()
            }
            method::CHECK_OVERRIDES => {
                let message = wharf_api::flat::decode_value(args)?;
                let properties = ConfigMap::from_value(part(&message, "properties"))?;
                let text = |key: &str| part(&message, key).as_str().unwrap_or_default();
                let client = ClientType::from_name(text("client")).ok_or_else(|| {
                    ConnectError::data("a message on the plugin border has no valid client")
                })?;
                let request = OverrideRequest {
                    properties: &properties,
                    client,
                    connector_name: text("connector_name"),
                    connector_type: text("connector_type"),
                    connector_class: text("connector_class"),
                };
                Response::message(&self.0.validate(&request)?)
            }
            _ => Ok(None),
        }
    }
}
