//! The converter: which schema a record is written with, and which message type a message is of.
//!
//! Everything that does not depend on the record's values is compiled once for each schema and topic and kept; a record that has the
//! schema of the one before it asks neither a cache nor the registry.

use std::borrow::Cow;
use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::converter::ConverterContext;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, SchemaAndValue, SchemaRef,
    ValueRef,
};
use wharf_converters::cache::SchemaKey;
use wharf_schema_registry::wire::{self, SchemaId, SchemaIdSource};
use wharf_schema_registry::{
    Direction, Format, ImportedSchema, LruCache, RegisteredSchema, RegistrySchema, SchemaRegistry,
    SchemaToWrite, ToWrite, TopicCache, reference_texts, serialization,
};

use crate::compatibility;
use crate::config::{self, KnownTypes, ProtobufConverterConfig};
use crate::decode::decode;
use crate::descriptor::Pool;
use crate::encode::Encoder;
use crate::from_connect::{WriteRoot, write_root};
use crate::link::{Form, link, parse_file};
use crate::message_index;
use crate::options::Options;
use crate::to_connect::{ReadMessage, read_message};
use crate::{serialized, well_known};

/// `io.confluent.connect.protobuf.ProtobufConverter`.
#[derive(Default)]
pub struct ProtobufConverter {
    configured: Option<Configured>,
    context: Option<ConverterContext>,
}

struct Configured {
    registry: SchemaRegistry,
    options: Options,
    known_types: KnownTypes,
    /// Whether schemas are registered as serialized descriptors.
    serializes: bool,
    is_key: bool,
    /// Where messages say their schema and message index.
    ids: SchemaIdSource,
    /// The message type of each Connect schema.
    roots: LruCache<SchemaKey, Arc<Translated>>,
    /// What a schema is written with, by topic.
    written: TopicCache<(Option<SchemaKey>, Option<Arc<RegistrySchema>>), WriteWith>,
    /// What messages of a topic with this id and message index are.
    read: TopicCache<(SchemaId, Vec<u8>), ReadWith>,
}

/// A Connect schema as the registry gets it, and how its values are written.
struct Translated {
    schema: RegistrySchema,
    /// The text to register where another one is wanted than to look up.
    serialized: Option<String>,
    /// The files that are registered beside it.
    imports: Vec<ImportedSchema>,
    root: WriteRoot,
}

struct ReadWith {
    message: ReadMessage,
    /// The id of the subject's latest schema, where messages are read into that.
    into: Option<i32>,
}

struct WriteWith {
    registered: Arc<RegisteredSchema>,
    translated: Arc<Translated>,
    /// The message index, as it is written.
    index: Vec<u8>,
}

impl Configured {
    fn new(config: ProtobufConverterConfig, is_key: bool) -> Result<Self> {
        let cache = config.registry.schemas_cache.max(1);
        // A schema is looked up by its text in any case.
        let registers = matches!(
            config.registry.write_with,
            config::WriteWith::Registered | config::WriteWith::Previewed
        );
        let registry = SchemaRegistry::new(config.registry, Format::Protobuf, is_key)?;
        let mut index = Vec::new();
        message_index::write(&config.message_index, &mut index);
        Ok(Self {
            ids: registry.id_source().with_rest(&index),
            registry,
            options: config.options,
            known_types: config.known_types,
            serializes: config.serializes && registers,
            is_key,
            roots: LruCache::new(cache),
            written: TopicCache::new(cache),
            read: TopicCache::new(cache),
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
            None if value.is_null() => Ok(Encoded::Null),
            None => self.encode_with(topic, headers, schema, value, None, out),
            Some(backed_up) if backed_up.value.is_null() => {
                Err(ConnectError::data("Unsupported type during restore: null"))
            }
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
        let schema = schema.ok_or_else(|| {
            ConnectError::data(
                "the record has no schema, and a Protobuf message cannot be made without one; set schemas.enable=true at the \
                 converter that reads it, or use org.apache.kafka.connect.json.JsonConverter",
            )
        })?;
        let with = self.write_with(topic, schema, brought)?;
        let in_header = self.registry.id_in_header();
        if !in_header {
            wire::write_id(with.registered.id, out);
            out.extend_from_slice(&with.index);
        }
        let encoder = Encoder {
            ignore_default_for_nullables: self.options.ignore_default_for_nullables,
        };
        encoder.root(&with.translated.root.value, schema, value, out)?;
        if in_header {
            let guid = self.registry.guid(topic, &with.registered)?;
            wire::write_guid_header(headers, self.is_key, guid, &with.index);
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
        let with = Arc::new(match brought {
            None => self.ask_what_to_write_with(topic, schema)?,
            Some(brought) => self.ask_what_to_restore_with(topic, schema, brought)?,
        });
        self.written.insert(topic, key, &with);
        Ok(with)
    }

    fn ask_what_to_restore_with(
        &mut self,
        topic: &str,
        schema: &SchemaRef,
        brought: &RegistrySchema,
    ) -> Result<WriteWith> {
        let translated = self.translated(schema)?;
        let name = message_name(&brought.text, &[0]);
        let to_write = SchemaToWrite {
            schema: brought,
            record_name: name.as_deref(),
        };
        let registered = self
            .registry
            .for_write(topic, to_write, &compatibility::can_read)?
            .registered;
        let pool = self.pool(Direction::Serialize, topic, &registered)?;
        let full_name = &translated.root.full_name;
        let path = pool
            .path_of_parts(full_name)
            .ok_or_else(|| no_message(&registered, full_name, topic))?;
        let mut index = Vec::new();
        message_index::write(&path, &mut index);
        Ok(WriteWith {
            registered,
            translated,
            index,
        })
    }

    fn ask_what_to_write_with(&mut self, topic: &str, schema: &SchemaRef) -> Result<WriteWith> {
        let translated = self.translated(schema)?;
        let mut referring = Cow::Borrowed(&translated.schema);
        if let KnownTypes::Registered { find, .. } = self.known_types
            && !translated.imports.is_empty()
        {
            referring.to_mut().references = self.registry.references_to_imports(
                topic,
                &translated.imports,
                find,
                &compatibility::can_read,
            )?;
        }
        if let Some(text) = &translated.serialized {
            referring.to_mut().text.clone_from(text);
        }
        let to_write = SchemaToWrite {
            schema: &referring,
            record_name: Some(&translated.root.full_name),
        };
        let registered = self
            .registry
            .for_write(topic, to_write, &compatibility::can_read)?
            .registered;
        let mut index = Vec::new();
        if registered.schema.text == referring.text {
            message_index::write(&translated.root.path, &mut index);
        } else {
            let pool = self.pool(Direction::Serialize, topic, &registered)?;
            let full_name = &translated.root.full_name;
            let path = pool
                .path_of(full_name)
                .ok_or_else(|| no_message(&registered, full_name, topic))?;
            message_index::write(&path, &mut index);
        }
        Ok(WriteWith {
            registered,
            translated,
            index,
        })
    }

    fn translated(&mut self, schema: &SchemaRef) -> Result<Arc<Translated>> {
        let key = SchemaKey::new(schema);
        if let Some(translated) = self.roots.get(&key) {
            return Ok(Arc::clone(translated));
        }
        let mut root = write_root(&self.options, schema)?;
        let definitions = root.definitions.take();
        let imports = match (self.known_types, &definitions) {
            (KnownTypes::Registered { subject, .. }, Some(made)) => {
                well_known::imports(&made.imports, subject)?
            }
            _ => Vec::new(),
        };
        let serialized = self.serializes.then(|| serialized::text(definitions.as_ref()));
        let schema = RegistrySchema::new(Format::Protobuf, root.text.clone());
        let translated = Arc::new(Translated {
            schema,
            serialized,
            imports,
            root,
        });
        self.roots.insert(key, Arc::clone(&translated));
        Ok(translated)
    }

    fn pool(&mut self, direction: Direction, topic: &str, registered: &RegisteredSchema) -> Result<Pool> {
        let references = self.registry.references(direction, topic, &registered.schema)?;
        link(&registered.schema.text, reference_texts(&references))
            .map_err(|cause| Format::Protobuf.data_error(direction, topic, cause))
    }

    fn decode(&mut self, topic: &str, headers: &Headers, bytes: &[u8]) -> Result<SchemaAndValue> {
        let unreadable = |cause| Format::Protobuf.data_error(Direction::Deserialize, topic, cause);
        let ids = self.ids.clone();
        let envelope = ids.read(headers, self.is_key, bytes).map_err(unreadable)?;
        let failed = |cause: ConnectError| {
            let message = format!(
                "Error deserializing Protobuf message for id {}",
                envelope.schema_id
            );
            unreadable(serialization(message).caused_by(cause))
        };
        let (index, payload) = match envelope.header_rest {
            Some(rest) => (message_index::split(rest).map_err(failed)?.0, envelope.rest),
            None => message_index::split(envelope.rest).map_err(failed)?,
        };
        let with = self.read_with(topic, envelope.schema_id, index)?;
        let value = decode(&with.message, payload).map_err(failed)?;
        let read = SchemaAndValue {
            schema: Some(SchemaRef::clone(&with.message.schema)),
            value,
        };
        let name = |registered: &RegisteredSchema| message_name(&registered.schema.text, &[0]);
        self.registry.wrap(topic, envelope.schema_id, read, &name)
    }

    fn read_with(&mut self, topic: &str, id: SchemaId, index: &[u8]) -> Result<Arc<ReadWith>> {
        if self.registry.is_read_fixed()
            && let Some(known) = self.read.get(topic, (id, index))
        {
            return Ok(known);
        }
        let with = self.ask_what_to_read_with(topic, id, index)?;
        self.read.insert(topic, (id, index), &with);
        Ok(with)
    }

    fn ask_what_to_read_with(&mut self, topic: &str, id: SchemaId, index: &[u8]) -> Result<Arc<ReadWith>> {
        let failed = |cause: ConnectError| {
            let message = format!("Error deserializing Protobuf message for id {id}");
            Format::Protobuf.data_error(
                Direction::Deserialize,
                topic,
                serialization(message).caused_by(cause),
            )
        };
        let path = message_index::parse(index).map_err(failed)?;
        let name = |registered: &RegisteredSchema| message_name(&registered.schema.text, &path);
        let written = self.registry.for_read(topic, id, &name)?;
        let reader = self.registry.reader_schema(topic, &written)?;
        let into = reader.as_ref().map(|reader| reader.id);
        if let Some(known) = self.read.get(topic, (id, index))
            && known.into == into
        {
            return Ok(known);
        }
        let no_message = || {
            failed(ConnectError::data(format!(
                "the schema has no message with the index {path:?}"
            )))
        };
        let pool = self.pool(Direction::Deserialize, topic, &written.registered)?;
        let message = pool.at(&path).ok_or_else(no_message)?;
        let message = match reader {
            Some(reader) => {
                let full_name = &pool.message(message).full_name;
                let pool = self.pool(Direction::Deserialize, topic, &reader)?;
                let message = pool
                    .path_of(full_name)
                    .and_then(|path| pool.at(&path))
                    .ok_or_else(no_message)?;
                read_message(&self.options, &pool, message, reader.version)
            }
            None => read_message(&self.options, &pool, message, written.version),
        }?;
        Ok(Arc::new(ReadWith { message, into }))
    }
}

#[cold]
fn no_message(registered: &RegisteredSchema, full_name: &str, topic: &str) -> ConnectError {
    let reason = ConnectError::data(format!(
        "the schema {} in the registry has no message {full_name}; name the Connect schema as the message",
        registered.id
    ));
    let cause = serialization("Error serializing Protobuf message").caused_by(reason);
    Format::Protobuf.data_error(Direction::Serialize, topic, cause)
}

/// The full name of the message at a path, without resolving any types.
fn message_name(text: &str, path: &[usize]) -> Option<String> {
    let (file, form) = parse_file("schema", text).ok()?;
    let mut name = file.package().to_owned();
    let mut level = &file.message_type;
    for index in path {
        let counted = |message: &&prost_types::DescriptorProto| {
            form == Form::Binary
                || !message
                    .options
                    .as_ref()
                    .is_some_and(|options| options.map_entry())
        };
        let message = level.iter().filter(counted).nth(*index)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(message.name());
        level = &message.nested_type;
    }
    Some(name)
}

impl ProtobufConverter {
    fn configured(&mut self) -> Result<&mut Configured> {
        self.configured
            .as_mut()
            .ok_or_else(|| ConnectError::illegal_state("ProtobufConverter is used before it was configured"))
    }
}

impl Converter for ProtobufConverter {
    fn attach(&mut self, context: ConverterContext) {
        self.context = Some(context);
    }

    fn configure(&mut self, config: &ConfigMap, converter_type: ConverterType) -> Result<()> {
        let config = ProtobufConverterConfig::parse(config)?;
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
