//! The converter: finds or makes the plan for a schema or an id, and walks it.
//!
//! What is needed per record is kept for the last schema and the last id; behind that are caches of `schemas.cache.config`
//! entries. The network is asked only for what is in neither.

use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::converter::ConverterContext;
use wharf_api::flat::DatumWriter;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, SchemaAndValue, SchemaRef,
    ValueRef,
};
use wharf_converters::cache::SchemaKey;
use wharf_converters::value_budget::ValueBudget;
use wharf_schema_registry::wire::{self, SchemaId};
use wharf_schema_registry::{
    Compatible, Direction, Format, Guid, LruCache, References, RegisteredSchema, RegistrySchema,
    SchemaRegistry, SchemaToWrite, ToWrite, TopicCache, reference_texts, serialization,
};

use crate::codec::{Cursor, Decode, Encode, decoder, encoder};
use crate::config::{AvroConverterConfig, definition};
use crate::data::{ToConnect, from_connect, is_anything};
use crate::schema::{AvroSchema, Kind, can_read};

/// The Avro side of a Connect schema.
#[derive(Debug)]
struct Translated {
    avro: Arc<AvroSchema>,
    registry: RegistrySchema,
    record_name: Option<String>,
}

/// How records of one schema to one topic are written.
#[derive(Debug)]
struct Writer {
    id: i32,
    guid: Option<Guid>,
    /// Whether the message is the bytes alone.
    is_raw: bool,
    encode: Encode,
}

/// How messages of one id from one topic are read.
#[derive(Debug)]
struct Reader {
    /// The id of the subject's latest schema, where messages are read into that.
    into: Option<i32>,
    schema: Option<SchemaRef>,
    is_raw: bool,
    decode: Decode,
}

/// What a converter has once it is configured.
#[derive(Debug)]
struct Ready {
    registry: SchemaRegistry,
    config: AvroConverterConfig,
    is_key: bool,
    unions: usize,
    translated: LruCache<Option<SchemaKey>, Arc<Translated>>,
    writers: TopicCache<(Option<SchemaKey>, Option<Arc<RegistrySchema>>), Writer>,
    readers: TopicCache<SchemaId, Reader>,
    /// Avro schemas by id, shared by topics.
    parsed: LruCache<SchemaId, Arc<AvroSchema>>,
}

/// Reads and writes Avro with its schemas in a Schema Registry.
#[derive(Debug, Default)]
pub struct AvroConverter {
    ready: Option<Ready>,
    context: Option<ConverterContext>,
}

fn not_configured() -> ConnectError {
    ConnectError::illegal_state("the converter is not configured")
}

impl Converter for AvroConverter {
    fn attach(&mut self, context: ConverterContext) {
        self.context = Some(context);
    }

    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = AvroConverterConfig::parse(config, converter_type)?;
        let is_key = converter_type == ConverterType::Key;
        let size = config.registry.schemas_cache;
        let mut registry = SchemaRegistry::new(config.registry.clone(), Format::Avro, is_key)?;
        if let Some(context) = &self.context {
            registry.attach(context.clone());
        }
        self.ready = Some(Ready {
            registry,
            config,
            is_key,
            unions: 0,
            translated: LruCache::new(size),
            writers: TopicCache::new(size),
            readers: TopicCache::new(size),
            parsed: LruCache::new(size),
        });
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        let ready = self.ready.as_mut().ok_or_else(not_configured)?;
        match ready.registry.unwrap_backup(topic, schema, value)? {
            None => ready.encode(topic, headers, schema, value, None, out),
            Some(backed_up) => {
                let (schema, brought) = (Some(backed_up.schema), Some(&backed_up.written_with));
                ready
                    .encode(topic, headers, schema, backed_up.value, brought, out)
                    .map_err(|error| ready.registry.restore_error(topic, error))
            }
        }
    }

    fn decode(&mut self, topic: &str, headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        SchemaAndValue::read_from(|out| self.decode_into(topic, headers, bytes, out))
    }

    fn decode_into(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: Option<&[u8]>,
        out: DatumWriter<'_>,
    ) -> Result<()> {
        let ready = self.ready.as_mut().ok_or_else(not_configured)?;
        let Some(bytes) = bytes else {
            return Ok(());
        };
        if !ready.registry.config().backup {
            return ready.decode(topic, headers, bytes, out).map(drop);
        }
        let mut id = None;
        let read = SchemaAndValue::read_from(|out| {
            id = Some(ready.decode(topic, headers, bytes, out)?);
            Ok(())
        })?;
        let SchemaAndValue { schema, value } = match id {
            Some(id) => ready.registry.wrap(topic, id, read, &record_name)?,
            None => read,
        };
        out.write(schema.as_ref(), |out| out.value(value.as_ref(), schema.as_ref()))
    }
}

fn record_name(registered: &RegisteredSchema) -> Option<String> {
    AvroSchema::parse(&registered.schema.text, &[])
        .ok()
        .and_then(|schema| schema.record_name())
}

fn texts(references: &References) -> Vec<&str> {
    reference_texts(references).map(|(_, text)| text).collect()
}

impl Ready {
    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        brought: Option<&Arc<RegistrySchema>>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        if value.is_null() {
            return match schema {
                Some(schema) if !schema.is_optional() => {
                    Err(ConnectError::data("Found null value for non-optional schema"))
                }
                _ => Ok(Encoded::Null),
            };
        }
        let writer = self.writer(topic, schema, brought)?;
        match writer.guid {
            Some(guid) => wire::write_guid_header(headers, self.is_key, guid, &[]),
            None => wire::write_id(writer.id, out),
        }
        let written = match writer.is_raw {
            true => writer.encode.write_raw(value, out),
            false => writer.encode.write(value, out),
        };
        match written {
            Ok(()) => Ok(Encoded::Bytes),
            // What Avro's own writer refuses is wrapped; what the mapping refuses is not.
            Err(error) if error.explicit_class().is_some() => {
                let cause = serialization("Error serializing Avro message").caused_by(error);
                Err(Format::Avro.data_error(Direction::Serialize, topic, cause))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the id of the schema that the message names.
    fn decode(
        &mut self,
        topic: &str,
        headers: &Headers,
        bytes: &[u8],
        out: DatumWriter<'_>,
    ) -> Result<SchemaId> {
        let ids = self.registry.id_source();
        let envelope = ids
            .read(headers, self.is_key, bytes)
            .map_err(|error| Format::Avro.data_error(Direction::Deserialize, topic, error))?;
        let reader = self.reader(topic, envelope.schema_id)?;
        let fail_on_trailing_data = self.config.fail_on_trailing_data;
        let read = out.write(reader.schema.as_ref(), |out| {
            if reader.is_raw {
                return reader.decode.write_raw(envelope.rest, out);
            }
            let budget = ValueBudget::new(envelope.rest.len());
            let mut cursor = Cursor::new(envelope.rest, &budget);
            reader.decode.write(&mut cursor, out)?;
            if fail_on_trailing_data && cursor.len() > 0 {
                return Err(serialization(format!(
                    "Trailing data found after deserializing Avro  message for id {}",
                    envelope.schema_id
                )));
            }
            Ok(())
        });
        match read {
            Err(error) if error.explicit_class().is_some() => {
                let id = envelope.schema_id;
                let cause =
                    serialization(format!("Error deserializing Avro message for id {id}")).caused_by(error);
                Err(Format::Avro.data_error(Direction::Deserialize, topic, cause))
            }
            read => read.map(|()| envelope.schema_id),
        }
    }

    /// What a record is written with. `brought` is the schema that a wrapper has with it.
    fn writer(
        &mut self,
        topic: &str,
        schema: Option<&SchemaRef>,
        brought: Option<&Arc<RegistrySchema>>,
    ) -> Result<Arc<Writer>> {
        let key = ToWrite { schema, brought };
        let is_fixed = self.registry.is_fixed();
        if is_fixed && let Some(known) = self.writers.get(topic, key) {
            return Ok(known);
        }
        let translated = match brought {
            None => self.translate(schema)?,
            Some(brought) => {
                let avro = self.parse(Direction::Serialize, topic, brought)?;
                Arc::new(Translated {
                    registry: RegistrySchema::clone(brought),
                    record_name: avro.record_name(),
                    avro,
                })
            }
        };
        let written = SchemaToWrite {
            schema: &translated.registry,
            record_name: translated.record_name.as_deref(),
        };
        let compatible = |reader: &RegisteredSchema, references: &References, _: &RegistrySchema| {
            let result = AvroSchema::parse(&reader.schema.text, &texts(references))
                .and_then(|reader| can_read(&reader, &translated.avro));
            match result {
                Ok(()) => Compatible::Yes,
                Err(reason) => Compatible::No(reason),
            }
        };
        let chosen = self.registry.for_write(topic, written, &compatible)?;
        if let Some(known) = self.writers.get(topic, key)
            && known.id == chosen.registered.id
        {
            return Ok(known);
        }
        let other;
        let avro = if chosen.registered.schema == translated.registry {
            &*translated.avro
        } else {
            other = self.parse(Direction::Serialize, topic, &chosen.registered.schema)?;
            &*other
        };
        let guid = match self.registry.id_in_header() {
            true => Some(self.registry.guid(topic, &chosen.registered)?),
            false => None,
        };
        let encode =
            encoder(&self.config.data, avro, schema).map_err(|error| match error.explicit_class() {
                Some(_) => {
                    let cause = serialization("Error serializing Avro message").caused_by(error);
                    Format::Avro.data_error(Direction::Serialize, topic, cause)
                }
                None => error,
            })?;
        let writer = Arc::new(Writer {
            id: chosen.registered.id,
            guid,
            is_raw: matches!(avro.root().kind, Kind::Bytes),
            encode,
        });
        self.writers.insert(topic, key, &writer);
        Ok(writer)
    }

    fn translate(&mut self, schema: Option<&SchemaRef>) -> Result<Arc<Translated>> {
        let key = schema.map(SchemaKey::new);
        if let Some(known) = self.translated.get(&key) {
            return Ok(Arc::clone(known));
        }
        let avro = from_connect(&self.config.data, schema)?;
        let translated = Arc::new(Translated {
            registry: RegistrySchema::new(Format::Avro, avro.to_text()),
            record_name: avro.record_name(),
            avro: Arc::new(avro),
        });
        self.translated.insert(key, Arc::clone(&translated));
        Ok(translated)
    }

    /// The schema of a text, with the schemas it uses.
    fn parse(
        &mut self,
        direction: Direction,
        topic: &str,
        schema: &RegistrySchema,
    ) -> Result<Arc<AvroSchema>> {
        let references = self.registry.references(direction, topic, schema)?;
        AvroSchema::parse(&schema.text, &texts(&references))
            .map(Arc::new)
            .map_err(|reason| {
                let cause = serialization("Could not parse Avro schema")
                    .caused_by(ConnectError::data(reason).with_class("org.apache.avro.SchemaParseException"));
                Format::Avro.data_error(direction, topic, cause)
            })
    }

    fn reader(&mut self, topic: &str, id: SchemaId) -> Result<Arc<Reader>> {
        if self.registry.is_read_fixed()
            && let Some(known) = self.readers.get(topic, id)
        {
            return Ok(known);
        }
        let written = self.registry.for_read(topic, id, &record_name)?;
        let latest = self.registry.reader_schema(topic, &written)?;
        let into = latest.as_ref().map(|latest| latest.id);
        // As long as it is the same, so is the schema of what is read.
        if let Some(known) = self.readers.get(topic, id)
            && known.into == into
        {
            return Ok(known);
        }
        let writer = match self.parsed.get(&id) {
            Some(known) => Arc::clone(known),
            None => {
                let parsed = self.parse(Direction::Deserialize, topic, &written.registered.schema)?;
                self.parsed.insert(id, Arc::clone(&parsed));
                parsed
            }
        };
        let avro = match latest {
            Some(latest) if latest.schema != written.registered.schema => {
                self.parse(Direction::Deserialize, topic, &latest.schema)?
            }
            _ => Arc::clone(&writer),
        };
        let schema = match is_anything(&avro) {
            true => None,
            false => {
                let mut mapping = ToConnect {
                    config: &self.config.data,
                    unions: &mut self.unions,
                };
                Some(mapping.schema(&avro, written.version)?)
            }
        };
        let decode = decoder(&self.config.data, &writer, &avro, schema.as_ref()).map_err(|error| {
            let cause =
                serialization(format!("Error deserializing Avro message for id {id}")).caused_by(error);
            Format::Avro.data_error(Direction::Deserialize, topic, cause)
        })?;
        let reader = Arc::new(Reader {
            into,
            schema,
            is_raw: matches!(writer.root().kind, Kind::Bytes),
            decode,
        });
        self.readers.insert(topic, id, &reader);
        Ok(reader)
    }
}
