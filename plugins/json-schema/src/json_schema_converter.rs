//! The converter: which schema a record is written with, and which one a message was written with.
//!
//! Everything that does not depend on the record's values is prepared once for each schema and topic and kept; a record that has the
//! schema of the one before it asks neither a cache nor the registry.

use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::converter::ConverterContext;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, SchemaAndValue, SchemaRef,
    ValueRef,
};
use wharf_converters::cache::SchemaKey;
use wharf_converters::json::reader::Reader;
use wharf_schema_registry::wire::{self, SchemaId};
use wharf_schema_registry::{
    Direction, Format, LruCache, RegisteredSchema, RegistrySchema, SchemaRegistry, SchemaToWrite, ToWrite,
    TopicCache, reference_texts, serialization,
};

use crate::compatibility;
use crate::config::{self, JsonSchemaConverterConfig};
use crate::decode::Decoder;
use crate::documents::Documents;
use crate::encode::{Encoder, Written};
use crate::from_connect::json_schema_text;
use crate::json_tree::Json;
use crate::options::Options;
use crate::to_connect::connect_schema;
use crate::validation::Checker;

/// `io.confluent.connect.json.JsonSchemaConverter`.
#[derive(Default)]
pub struct JsonSchemaConverter {
    configured: Option<Configured>,
    context: Option<ConverterContext>,
}

struct Configured {
    registry: SchemaRegistry,
    options: Options,
    is_key: bool,
    validates: bool,
    indents: bool,
    /// The text of each Connect schema.
    texts: LruCache<SchemaKey, Arc<Translated>>,
    /// What a schema is written with, by topic.
    written: TopicCache<(Option<SchemaKey>, Option<Arc<RegistrySchema>>), WriteWith>,
    /// What messages of a topic with this id are.
    read: TopicCache<SchemaId, ReadWith>,
    /// Connect schemas of registered ones, by id and version.
    converted: LruCache<(i32, Option<i32>), Arc<ReadWith>>,
}

/// A Connect schema as the registry gets it.
struct Translated {
    schema: RegistrySchema,
    /// For subjects that are named after it.
    title: Option<String>,
}

impl Translated {
    fn new(schema: RegistrySchema) -> Result<Self> {
        let title = Json::parse(schema.text.as_bytes())?
            .get("title")
            .and_then(Json::as_str)
            .map(str::to_owned);
        Ok(Self { schema, title })
    }
}

fn title(registered: &RegisteredSchema) -> Option<String> {
    let json = Json::parse(registered.schema.text.as_bytes()).ok()?;
    json.get("title").and_then(Json::as_str).map(str::to_owned)
}

struct WriteWith {
    registered: Arc<RegisteredSchema>,
    checker: Option<Checker>,
}

struct ReadWith {
    schema: SchemaRef,
    checker: Option<Checker>,
}

impl Configured {
    fn new(config: JsonSchemaConverterConfig, is_key: bool) -> Result<Self> {
        let cache = config.registry.schemas_cache.max(1);
        Ok(Self {
            registry: SchemaRegistry::new(config.registry, Format::Json, is_key)?,
            options: config.options,
            is_key,
            validates: config.validates,
            indents: config.indents,
            texts: LruCache::new(cache),
            written: TopicCache::new(cache),
            read: TopicCache::new(cache),
            converted: LruCache::new(cache),
        })
    }

    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        match self.registry.unwrap_backup(topic, schema, value)? {
            None => self.encode_with(topic, headers, schema, value, None, out),
            Some(backed_up) => {
                let (schema, brought) = (Some(backed_up.schema), Some(&backed_up.written_with));
                self.encode_with(topic, headers, schema, backed_up.value, brought, out)
                    .map_err(|error| self.registry.restore_error(topic, error))
            }
        }
    }

    /// `brought` is the schema that a wrapper has with it.
    fn encode_with(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        brought: Option<&Arc<RegistrySchema>>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        let Some(schema) = schema else {
            if value.is_null() {
                return Ok(Encoded::Null);
            }
            return Err(self.unwritable(
                topic,
                ConnectError::data(
                    "the record has no schema, and a JSON Schema cannot be made without one; set schemas.enable=true at the \
                     converter that reads it, or use org.apache.kafka.connect.json.JsonConverter",
                ),
            ));
        };
        let start = out.len();
        let in_header = self.registry.id_in_header();
        if !in_header {
            // The id is filled in when it is known: a null needs none, and asks no registry.
            wire::write_id(0, out);
        }
        let payload = out.len();
        if Encoder::new(&self.options).value(schema, value, out)? == Written::Nothing {
            out.truncate(start);
            return Ok(Encoded::Null);
        }
        let with = self.write_with(topic, schema, brought)?;
        if let Some(checker) = &with.checker {
            checker
                .check(&out[payload..])
                .map_err(|cause| self.unwritable(topic, cause))?;
        }
        if self.indents {
            let text = Json::parse(&out[payload..])?.to_indented_text();
            out.truncate(payload);
            out.extend_from_slice(text.as_bytes());
        }
        if in_header {
            let guid = self.registry.guid(topic, &with.registered)?;
            wire::write_guid_header(headers, self.is_key, guid, &[]);
        } else {
            out[payload - 4..payload].copy_from_slice(&with.registered.id.to_be_bytes());
        }
        Ok(Encoded::Bytes)
    }

    fn write_with(
        &mut self,
        topic: &str,
        schema: &SchemaRef,
        brought: Option<&Arc<RegistrySchema>>,
    ) -> Result<Arc<WriteWith>> {
        let key = ToWrite {
            schema: Some(schema),
            brought,
        };
        if self.registry.is_fixed()
            && let Some(known) = self.written.get(topic, key)
        {
            return Ok(known);
        }
        let translated = match brought {
            None => self.translated(schema)?,
            Some(brought) => Arc::new(Translated::new(RegistrySchema::clone(brought))?),
        };
        let with = Arc::new(self.ask_what_to_write_with(topic, &translated)?);
        self.written.insert(topic, key, &with);
        Ok(with)
    }

    fn ask_what_to_write_with(&mut self, topic: &str, translated: &Translated) -> Result<WriteWith> {
        let to_write = SchemaToWrite {
            schema: &translated.schema,
            record_name: translated.title.as_deref(),
        };
        let found = self
            .registry
            .for_write(topic, to_write, &compatibility::can_read)?;
        let checker = match self.validates {
            true => Some(self.checker(Direction::Serialize, topic, &found.registered)?),
            false => None,
        };
        Ok(WriteWith {
            registered: found.registered,
            checker,
        })
    }

    fn translated(&mut self, schema: &SchemaRef) -> Result<Arc<Translated>> {
        let key = SchemaKey::new(schema);
        if let Some(translated) = self.texts.get(&key) {
            return Ok(Arc::clone(translated));
        }
        let text = json_schema_text(&self.options, schema)?;
        let translated = Arc::new(Translated::new(RegistrySchema::new(Format::Json, text))?);
        self.texts.insert(key, Arc::clone(&translated));
        Ok(translated)
    }

    fn decode(&mut self, topic: &str, headers: &Headers, bytes: &[u8]) -> Result<SchemaAndValue> {
        let ids = self.registry.id_source();
        let envelope = ids
            .read(headers, self.is_key, bytes)
            .map_err(|cause| self.unreadable(topic, cause))?;
        let with = self.read_with(topic, envelope.schema_id)?;
        let failed = |cause: ConnectError| {
            let message = format!("Error deserializing JSON message for id {}", envelope.schema_id);
            self.unreadable(topic, serialization(message).caused_by(cause))
        };
        if let Some(checker) = &with.checker {
            checker.check(envelope.rest).map_err(failed)?;
        }
        let mut reader = Reader::new(envelope.rest);
        let value = Decoder::new(&self.options, envelope.rest.len())
            .value(&with.schema, &mut reader)
            .map_err(|cause| {
                // Bytes that are not JSON are the serializer's business, values that do not suit are the converter's.
                let is_syntax = cause.message().ends_with("due to serialization error: ");
                match cause.cause() {
                    Some(reason) if is_syntax => failed(reason.clone()),
                    _ => cause,
                }
            })?;
        let read = SchemaAndValue {
            schema: Some(SchemaRef::clone(&with.schema)),
            value,
        };
        self.registry.wrap(topic, envelope.schema_id, read, &title)
    }

    fn read_with(&mut self, topic: &str, id: SchemaId) -> Result<Arc<ReadWith>> {
        if self.registry.is_read_fixed()
            && let Some(known) = self.read.get(topic, id)
        {
            return Ok(known);
        }
        let with = self.ask_what_to_read_with(topic, id)?;
        self.read.insert(topic, id, &with);
        Ok(with)
    }

    fn ask_what_to_read_with(&mut self, topic: &str, id: SchemaId) -> Result<Arc<ReadWith>> {
        let written = self.registry.for_read(topic, id, &title)?;
        let (registered, version) = match self.registry.reader_schema(topic, &written)? {
            Some(reader) => {
                let version = reader.version;
                (reader, version)
            }
            None => (written.registered, written.version),
        };
        let key = (registered.id, version);
        if let Some(with) = self.converted.get(&key) {
            return Ok(Arc::clone(with));
        }
        let references = self
            .registry
            .references(Direction::Deserialize, topic, &registered.schema)?;
        let documents = Documents::parse(
            &registered.schema.text,
            reference_texts(&references),
            self.options.ignore_modern_dialects,
        )?;
        let schema = connect_schema(&self.options, &documents, version)?;
        let checker = match self.validates {
            true => Some(self.checker(Direction::Deserialize, topic, &registered)?),
            false => None,
        };
        let with = Arc::new(ReadWith { schema, checker });
        self.converted.insert(key, Arc::clone(&with));
        Ok(with)
    }

    fn checker(
        &mut self,
        direction: Direction,
        topic: &str,
        registered: &RegisteredSchema,
    ) -> Result<Checker> {
        let references = self.registry.references(direction, topic, &registered.schema)?;
        Checker::new(
            &registered.schema.text,
            reference_texts(&references),
            self.options.ignore_modern_dialects,
        )
        .map_err(|cause| Format::Json.data_error(direction, topic, cause))
    }

    #[cold]
    fn unwritable(&self, topic: &str, cause: ConnectError) -> ConnectError {
        Format::Json.data_error(Direction::Serialize, topic, cause)
    }

    #[cold]
    fn unreadable(&self, topic: &str, cause: ConnectError) -> ConnectError {
        Format::Json.data_error(Direction::Deserialize, topic, cause)
    }
}

impl JsonSchemaConverter {
    fn configured(&mut self) -> Result<&mut Configured> {
        self.configured.as_mut().ok_or_else(|| {
            ConnectError::illegal_state("JsonSchemaConverter is used before it was configured")
        })
    }
}

impl Converter for JsonSchemaConverter {
    fn attach(&mut self, context: ConverterContext) {
        self.context = Some(context);
    }

    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = JsonSchemaConverterConfig::parse(config)?;
        let mut configured = Configured::new(config, converter_type == ConverterType::Key)?;
        if let Some(context) = &self.context {
            configured.registry.attach(context.clone());
        }
        self.configured = Some(configured);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        config::definition()
    }

    fn encode(
        &mut self,
        topic: &str,
        headers: &mut Headers,
        schema: Option<&SchemaRef>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Encoded> {
        self.configured()?.encode(topic, headers, schema, value, out)
    }

    fn decode(&mut self, topic: &str, headers: &Headers, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
        match bytes {
            Some(bytes) => self.configured()?.decode(topic, headers, bytes),
            None => Ok(SchemaAndValue::NULL),
        }
    }
}
