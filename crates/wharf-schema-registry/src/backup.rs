//! `schema.backup.enabled`: records together with their schemas.
//!
//! What a converter reads is wrapped into a struct [`WRAPPER`], which has the data, the id and the text of the schema that the message was
//! written with, and the texts of those that it refers to. A connector that keeps all of it keeps what is needed to bring the messages back
//! to a registry that knows none of the schemas: such a struct is written as its data, with the schema that it brings along. That is
//! registered as any other; the schemas it refers to are registered before it, whatever the configuration says of registering, and keep
//! their subjects while their versions may become others.
//!
//! Both are as upstream's `io.confluent.connect.schema.backup`, texts of errors included. What must stay true: a null stays a null, a record
//! without schema is not wrapped, and a struct is written with no other schema than its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use wharf_api::{ConnectError, Result, SchemaAndValue, SchemaBuilder, SchemaRef, Struct, Value, ValueRef};
use wharf_converters::cache::{LruCache, SchemaKey};

use crate::client::{Attempted, SchemaRegistryClient};
use crate::config::WriteWith;
use crate::error::{Direction, Format, RegistryError};
use crate::model::{RegisteredSchema, RegistrySchema, SchemaReference};
use crate::serde::{SchemaRegistry, not_registered_yet};
use crate::wire::SchemaId;

/// The name of the struct.
pub const WRAPPER: &str = "io.confluent.connect.backup.Wrapper";

const DATA: &str = "data";
const SCHEMA_ID: &str = "schemaId";
const SCHEMA_VERSION: &str = "schemaVersion";
const SCHEMA_GUID: &str = "schemaGuid";
const SCHEMA_TYPE: &str = "schemaType";
const SCHEMA_SUBJECT: &str = "schemaSubject";
const RAW_SCHEMA: &str = "rawSchema";
const REFERENCE_TREE: &str = "referenceTree";
const DIRECT_REFS: &str = "directRefs";

/// As deep may schemas refer to each other.
const MAX_DEPTH: usize = 50;

/// What there is to say of a schema, whatever the record.
#[derive(Debug)]
struct Described {
    registered: Arc<RegisteredSchema>,
    tree: Option<String>,
    direct: Option<String>,
    /// Its versions by subject.
    versions: BTreeMap<String, i32>,
}

/// The text of a schema in a wrapper, those it refers to, and by which names it does.
type Texts = (String, Option<String>, Option<String>);

/// What was seen before.
#[derive(Debug)]
pub(crate) struct Backup {
    described: LruCache<SchemaId, Arc<Described>>,
    wrappers: LruCache<SchemaKey, SchemaRef>,
    restored: LruCache<Texts, Arc<RegistrySchema>>,
    /// Which version a reference's version became.
    registered: LruCache<(String, i32), i32>,
}

impl Backup {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            described: LruCache::new(capacity),
            wrappers: LruCache::new(capacity),
            restored: LruCache::new(capacity),
            registered: LruCache::new(capacity),
        }
    }

    fn describe(&mut self, client: &mut SchemaRegistryClient, id: SchemaId) -> Attempted<Arc<Described>> {
        if let Some(known) = self.described.get(&id) {
            return Ok(Arc::clone(known));
        }
        let (registered, versions) = match id {
            SchemaId::Id(id) => (client.schema_by_id(id, None)?, client.versions_of_id(id)?),
            SchemaId::Guid(guid) => (client.schema_by_guid(guid)?, Vec::new()),
        };
        let references = &registered.schema.references;
        let mut entries = Vec::new();
        describe_references(client, references, &mut entries, 0)?;
        let described = Arc::new(Described {
            tree: (!entries.is_empty()).then(|| {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(name, entry)| format!("{}:{entry}", quoted(name)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }),
            direct: (!references.is_empty()).then(|| references_text(references)),
            versions: versions.into_iter().collect(),
            registered,
        });
        self.described.insert(id, Arc::clone(&described));
        Ok(described)
    }

    fn wrapper(&mut self, data: &SchemaRef) -> Result<SchemaRef> {
        let key = SchemaKey::new(data);
        if let Some(known) = self.wrappers.get(&key) {
            return Ok(SchemaRef::clone(known));
        }
        let number = || SchemaBuilder::int32().optional().build();
        let text = || SchemaBuilder::string().build();
        let optional_text = || SchemaBuilder::string().optional().build();
        let schema = SchemaBuilder::structure()
            .name(WRAPPER)
            .field(DATA, SchemaRef::clone(data))
            .field(SCHEMA_ID, number()?)
            .field(SCHEMA_VERSION, number()?)
            .field(SCHEMA_GUID, optional_text()?)
            .field(SCHEMA_TYPE, text()?)
            .field(SCHEMA_SUBJECT, text()?)
            .field(RAW_SCHEMA, optional_text()?)
            .field(REFERENCE_TREE, optional_text()?)
            .field(DIRECT_REFS, optional_text()?)
            .build()?;
        self.wrappers.insert(key, SchemaRef::clone(&schema));
        Ok(schema)
    }
}

/// The data of a wrapper, and the schema that it brings along.
#[derive(Debug)]
pub struct BackedUp<'a> {
    /// The data's Connect schema.
    pub schema: &'a SchemaRef,
    /// The data.
    pub value: ValueRef<'a>,
    /// What to write it with.
    pub written_with: Arc<RegistrySchema>,
}

impl SchemaRegistry {
    /// What was read of a message of this id, wrapped where the configuration says so.
    ///
    /// `record_name` finds the name of the record type in a schema, for subjects named after it.
    ///
    /// # Errors
    /// A retriable or a data error when the registry does not say what belongs to the schema.
    pub fn wrap(
        &mut self,
        topic: &str,
        id: SchemaId,
        read: SchemaAndValue,
        record_name: &dyn Fn(&RegisteredSchema) -> Option<String>,
    ) -> Result<SchemaAndValue> {
        let Some(schema) = read.schema.as_ref().filter(|_| self.config().backup) else {
            return Ok(read);
        };
        let format = self.format;
        let action = format!("wrap {} backup for topic {topic}", word(format));
        let described = self
            .backup
            .describe(&mut self.client, id)
            .map_err(|error| failed(&action, &error))?;
        let record = record_name(&described.registered);
        let subject = self
            .subject(Direction::Serialize, topic, record.as_deref())
            .map_err(|error| renamed(format, Direction::Serialize, topic, &action, error))?;
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        let (number, guid) = match id {
            SchemaId::Id(id) => (Value::Int32(id), Value::Null),
            SchemaId::Guid(guid) => (Value::Null, Value::String(guid.to_string())),
        };
        let version = described.versions.get(&subject).copied();
        let values = vec![
            read.value,
            number,
            version.map_or(Value::Null, Value::Int32),
            guid,
            Value::String(type_name(format).to_owned()),
            Value::String(subject),
            Value::String(described.registered.schema.text.clone()),
            text(&described.tree),
            text(&described.direct),
        ];
        let schema = self.backup.wrapper(schema)?;
        let value = Struct::from_values(SchemaRef::clone(&schema), values);
        Ok(SchemaAndValue::new(Some(schema), value))
    }

    /// The data and the schema of a wrapper that is to be written; `None` for other values, and where the configuration says nothing of
    /// wrappers. What it refers to is registered.
    ///
    /// # Errors
    /// A data error when the wrapper is not whole; as [`wrap`](Self::wrap) when its references cannot be registered.
    pub fn unwrap_backup<'a>(
        &mut self,
        topic: &str,
        schema: Option<&'a SchemaRef>,
        value: ValueRef<'a>,
    ) -> Result<Option<BackedUp<'a>>> {
        let (Some(schema), ValueRef::Struct(wrapper)) = (schema, value) else {
            return Ok(None);
        };
        if !self.config().backup || schema.name() != Some(WRAPPER) {
            return Ok(None);
        }
        for field in [DATA, SCHEMA_TYPE, RAW_SCHEMA] {
            if schema.field(field)?.is_none() {
                return Err(malformed(&format!("missing '{field}' field")));
            }
        }
        let text = |name: &str| wrapper.get(name).and_then(|value| value.as_str());
        let own = type_name(self.format);
        let other = text(SCHEMA_TYPE);
        if other != Some(own) {
            return Err(ConnectError::data(format!(
                "{} received wrapper with schemaType='{}', expected '{own}'",
                converter(self.format),
                other.unwrap_or("null")
            )));
        }
        let raw = text(RAW_SCHEMA).ok_or_else(|| {
            malformed(&format!(
                "missing '{RAW_SCHEMA}' for topic {topic}. Cannot guarantee pristine restore."
            ))
        })?;
        let owned = |name: &str| text(name).map(str::to_owned);
        let texts = (raw.to_owned(), owned(REFERENCE_TREE), owned(DIRECT_REFS));
        let written_with = match self.backup.restored.get(&texts) {
            Some(known) => Arc::clone(known),
            None => {
                let restored = Arc::new(RegistrySchema {
                    format: self.format,
                    text: texts.0.clone(),
                    references: self.restore_references(texts.1.as_deref(), texts.2.as_deref())?,
                });
                self.backup.restored.insert(texts, Arc::clone(&restored));
                restored
            }
        };
        let Some(data) = schema.field(DATA)? else {
            return Ok(None);
        };
        Ok(Some(BackedUp {
            schema: data.schema(),
            value: wrapper.get(DATA).unwrap_or(ValueRef::Null),
            written_with,
        }))
    }

    fn restore_references(
        &mut self,
        tree: Option<&str>,
        direct: Option<&str>,
    ) -> Result<Vec<SchemaReference>> {
        let corrupt = |what: &str| {
            ConnectError::data(format!(
                "Cannot parse {what} JSON for restore. Backup metadata may be corrupt."
            ))
        };
        let parsed = |text: Option<&str>| match text {
            None | Some("") => Ok(None),
            Some(text) => serde_json::from_str::<Json>(text).map(Some),
        };
        let tree = match parsed(tree) {
            Ok(None) => Some(BTreeMap::new()),
            Ok(Some(Json::Object(entries))) => entries
                .iter()
                .map(|(name, entry)| Some((name.clone(), Entry::from_json(entry)?)))
                .collect(),
            _ => None,
        }
        .ok_or_else(|| corrupt("reference tree"))?;
        let direct = match parsed(direct) {
            Ok(None) => Some(Vec::new()),
            Ok(Some(Json::Array(items))) => items.iter().map(reference).collect(),
            _ => None,
        }
        .ok_or_else(|| corrupt("direct references"))?;
        if tree.is_empty() != direct.is_empty() {
            return Err(ConnectError::data(format!(
                "Corrupt backup wrapper: partial reference metadata (treeEmpty={}, directRefsEmpty={})",
                tree.is_empty(),
                direct.is_empty()
            )));
        }
        self.register_references(&direct, &tree, 0)
    }

    fn register_references(
        &mut self,
        references: &[SchemaReference],
        tree: &BTreeMap<String, Entry>,
        depth: usize,
    ) -> Result<Vec<SchemaReference>> {
        if depth >= MAX_DEPTH {
            return Err(too_deep("registration"));
        }
        let mut registered = Vec::with_capacity(references.len());
        for SchemaReference {
            name,
            subject,
            version,
        } in references
        {
            let key = (subject.clone(), *version);
            let version = match self.backup.registered.get(&key) {
                Some(known) => *known,
                None => {
                    let entry = tree.get(name).ok_or_else(|| {
                        ConnectError::data(format!(
                            "Cannot guarantee pristine restore: reference '{name}' (subject={subject}) not found in reference tree. \
                             Backup may be incomplete."
                        ))
                    })?;
                    let schema = RegistrySchema {
                        format: self.format,
                        text: entry.schema.clone(),
                        references: match entry.references.is_empty() {
                            true => Vec::new(),
                            false => self.register_references(&entry.references, tree, depth + 1)?,
                        },
                    };
                    let version = self
                        .register_reference(subject, &schema)
                        .map_err(|error| failed(&format!("register reference {subject}"), &error))?;
                    self.backup.registered.insert(key, version);
                    version
                }
            };
            registered.push(SchemaReference {
                name: name.clone(),
                subject: subject.clone(),
                version,
            });
        }
        Ok(registered)
    }

    fn register_reference(&mut self, subject: &str, schema: &RegistrySchema) -> Attempted<i32> {
        let is_preview = self.config().write_with == WriteWith::Previewed;
        let client = self.client();
        let found = match is_preview {
            true => client
                .lookup(subject, schema, false)
                .map_err(|error| not_registered_yet(subject, error))?,
            false => client.register(subject, schema, false)?,
        };
        let version = match found.version {
            Some(version) => Some(version),
            None => client.lookup(subject, schema, false)?.version,
        };
        version.ok_or_else(|| RegistryError::Unreadable("the answer has no version".to_owned()))
    }

    /// The error of a wrapper's data that could not be written, in the words of restoring.
    #[must_use]
    #[cold]
    pub fn restore_error(&self, topic: &str, error: ConnectError) -> ConnectError {
        let action = format!("restore {} backup for topic {topic}", word(self.format));
        renamed(self.format, Direction::Serialize, topic, &action, error)
    }
}

/// A schema that others refer to, as it stands in a wrapper.
#[derive(Debug)]
struct Entry {
    schema: String,
    references: Vec<SchemaReference>,
}

impl Entry {
    fn from_json(entry: &Json) -> Option<Self> {
        let references = entry.get("references").and_then(Json::as_array);
        Some(Self {
            schema: entry.get("schema")?.as_str()?.to_owned(),
            references: references
                .into_iter()
                .flatten()
                .map(reference)
                .collect::<Option<_>>()?,
        })
    }
}

fn reference(item: &Json) -> Option<SchemaReference> {
    Some(SchemaReference {
        name: item.get("name")?.as_str()?.to_owned(),
        subject: item.get("subject")?.as_str()?.to_owned(),
        version: i32::try_from(item.get("version")?.as_i64()?).ok()?,
    })
}

/// Names and texts of what these references lead to, each after what it refers to itself.
fn describe_references(
    client: &mut SchemaRegistryClient,
    references: &[SchemaReference],
    entries: &mut Vec<(String, String)>,
    depth: usize,
) -> Attempted<()> {
    if !references.is_empty() && depth >= MAX_DEPTH {
        return Err(RegistryError::Incompatible(too_deep("tree").message().to_owned()));
    }
    for SchemaReference {
        name,
        subject,
        version,
    } in references
    {
        if entries.iter().any(|(known, _)| known == name) {
            continue;
        }
        let used = client.version(subject, *version)?;
        describe_references(client, &used.schema.references, entries, depth + 1)?;
        let entry = format!(
            r#"{{"subject":{},"version":{version},"schema":{},"references":{},"globalId":{},"schemaType":{}}}"#,
            quoted(subject),
            quoted(&used.schema.text),
            references_text(&used.schema.references),
            used.id,
            quoted(used.schema.format.name())
        );
        entries.push((name.clone(), entry));
    }
    Ok(())
}

fn references_text(references: &[SchemaReference]) -> String {
    let items: Vec<_> = references
        .iter()
        .map(
            |SchemaReference {
                 name,
                 subject,
                 version,
             }| {
                format!(
                    r#"{{"name":{},"subject":{},"version":{version}}}"#,
                    quoted(name),
                    quoted(subject)
                )
            },
        )
        .collect();
    format!("[{}]", items.join(","))
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// The format in a wrapper.
fn type_name(format: Format) -> &'static str {
    match format {
        Format::Json => "JSON_SCHEMA",
        other => other.name(),
    }
}

/// The format in sentences about wrappers.
fn word(format: Format) -> &'static str {
    match format {
        Format::Json => "JSON Schema",
        other => other.word(),
    }
}

fn converter(format: Format) -> &'static str {
    match format {
        Format::Avro => "AvroConverter",
        Format::Json => "JsonSchemaConverter",
        Format::Protobuf => "ProtobufConverter",
    }
}

#[cold]
fn malformed(what: &str) -> ConnectError {
    ConnectError::data(format!("Malformed backup wrapper: {what}"))
}

#[cold]
fn too_deep(what: &str) -> ConnectError {
    ConnectError::data(format!(
        "Reference {what} depth limit ({MAX_DEPTH}) exceeded. Possible circular reference chain."
    ))
}

/// What a failed call becomes where no serializer of upstream's is between.
#[cold]
fn failed(action: &str, error: &RegistryError) -> ConnectError {
    let message = format!("Failed to {action}");
    let reason = ConnectError::connect(error.to_string()).with_class(error.class());
    match error {
        RegistryError::Interrupted(text) => ConnectError::interrupted(text.clone()),
        RegistryError::Config(text) => ConnectError::config(format!("{message}: {text}")),
        RegistryError::Answer {
            status: status @ (401 | 403),
            ..
        } => ConnectError::config(format!("{message}: SR status {status}")),
        error if error.is_retriable() => ConnectError::retriable(message).caused_by(reason),
        _ => ConnectError::data(message).caused_by(reason),
    }
}

/// An error of the usual way in the words of this one; what the usual way lets pass, this one does.
#[cold]
fn renamed(
    format: Format,
    direction: Direction,
    topic: &str,
    action: &str,
    error: ConnectError,
) -> ConnectError {
    let message = format!("Failed to {action}");
    let is_of =
        |name: &str| error.explicit_class() == Some(&format!("org.apache.kafka.common.errors.{name}"));
    if is_of("ThrottlingQuotaExceededException") || is_of("DisconnectException") {
        return ConnectError::retriable(message).caused_by(error);
    }
    let Some(cause) = error.cause().filter(|_| !error.is_interrupted()) else {
        return error;
    };
    if is_of("NetworkException")
        && let Some((_, reason)) = error.message().split_once(": ")
    {
        return ConnectError::connect(format!("Network connection error during {action}: {reason}"))
            .with_class(error.class())
            .caused_by(cause.clone());
    }
    let is_outer = [true, false]
        .into_iter()
        .any(|retriable| error.message() == format.outer(direction, topic, retriable));
    match (is_outer, error.is_retriable()) {
        (true, true) => ConnectError::retriable(message).caused_by(cause.clone()),
        (true, false) => ConnectError::data(message).caused_by(cause.clone()),
        (false, _) => error,
    }
}
