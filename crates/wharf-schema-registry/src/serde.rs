//! What a converter asks of a registry: a schema to write a record with, and the schema a message was written with.

use std::collections::BTreeSet;
use std::sync::Arc;

use wharf_api::converter::ConverterContext;
use wharf_api::{ConnectError, Result};
use wharf_converters::cache::LruCache;

use crate::backup::Backup;
use crate::client::SchemaRegistryClient;
use crate::config::{RegistryConfig, WriteWith};
use crate::error::{Direction, Format, RegistryError, serialization};
use crate::model::{Guid, RegisteredSchema, RegistrySchema};
use crate::rules::{RuleMode, RulePhase, RuleSet};
use crate::subject::SubjectNameStrategy;
use crate::wire::{SchemaId, SchemaIdSource};

/// Whether data written with one schema can be read with another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compatible {
    /// They can.
    Yes,
    /// They cannot, for this reason.
    No(String),
}

/// The schemas that a schema uses, with the names that it calls them by.
pub type References = [(String, Arc<RegisteredSchema>)];

/// Their names and texts.
pub fn reference_texts(references: &References) -> impl Iterator<Item = (&str, &str)> {
    references
        .iter()
        .map(|(name, used)| (name.as_str(), used.schema.text.as_str()))
}

/// A format's rule of compatibility.
pub trait Compatibility {
    /// Whether `reader` can read what `writer` writes. The reader may use `references`; what a converter writes uses none.
    fn can_read(
        &self,
        reader: &RegisteredSchema,
        references: &References,
        writer: &RegistrySchema,
    ) -> Compatible;
}

impl<F: Fn(&RegisteredSchema, &References, &RegistrySchema) -> Compatible> Compatibility for F {
    fn can_read(
        &self,
        reader: &RegisteredSchema,
        references: &References,
        writer: &RegistrySchema,
    ) -> Compatible {
        self(reader, references, writer)
    }
}

/// A schema to be written, as the converter made it of a Connect schema.
#[derive(Debug, Clone, Copy)]
pub struct SchemaToWrite<'a> {
    /// The schema.
    pub schema: &'a RegistrySchema,
    /// The full name of its record type, for subjects named after it.
    pub record_name: Option<&'a str>,
}

/// What a message was or is to be written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenWith {
    /// The schema. It is another one than the record's own where the configuration says so.
    pub registered: Arc<RegisteredSchema>,
    /// The subject that was asked.
    pub subject: String,
    /// The version under that subject, where it is known.
    pub version: Option<i32>,
}

/// The registry as one converter sees it: its client, its configuration, and whether it serves keys or values.
#[derive(Debug)]
pub struct SchemaRegistry {
    pub(crate) client: SchemaRegistryClient,
    config: RegistryConfig,
    pub(crate) format: Format,
    is_key: bool,
    associated: LruCache<String, Option<String>>,
    versions: LruCache<(String, SchemaId), Option<i32>>,
    pub(crate) backup: Backup,
    /// Subjects and rules that were warned of.
    warned: BTreeSet<(String, String)>,
}

impl SchemaRegistry {
    /// The registry of this configuration.
    ///
    /// # Errors
    /// A config error when credentials or stores do not hold.
    pub fn new(config: RegistryConfig, format: Format, is_key: bool) -> Result<Self> {
        let client = SchemaRegistryClient::new(&config)?;
        Ok(Self::with_client(client, config, format, is_key))
    }

    /// As [`new`](Self::new) with a client that is there.
    #[must_use]
    pub fn with_client(
        client: SchemaRegistryClient,
        config: RegistryConfig,
        format: Format,
        is_key: bool,
    ) -> Self {
        let associated =
            LruCache::with_time_to_live(config.associations.cache, config.associations.time_to_live);
        let versions = LruCache::new(config.max_schemas.max(1));
        Self {
            backup: Backup::new(config.schemas_cache.max(1)),
            client,
            config,
            format,
            is_key,
            associated,
            versions,
            warned: BTreeSet::new(),
        }
    }

    /// Ends waits for the registry when the task of this context is to stop.
    pub fn attach(&mut self, context: ConverterContext) {
        self.client.wait_by(move |time| context.wait(time));
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// The client, for calls that only one format makes.
    pub fn client(&mut self) -> &mut SchemaRegistryClient {
        &mut self.client
    }

    /// Where a message says which schema it was written with.
    #[must_use]
    pub fn id_source(&self) -> SchemaIdSource {
        match self.is_key {
            true => self.config.key_id_source.clone(),
            false => self.config.value_id_source.clone(),
        }
    }

    /// Whether ids go into a header.
    #[must_use]
    pub fn id_in_header(&self) -> bool {
        if self.is_key {
            self.config.key_id_in_header
        } else {
            self.config.value_id_in_header
        }
    }

    /// The GUID to put into a header.
    ///
    /// # Errors
    /// A data error when the registry gave none.
    pub fn guid(&self, topic: &str, registered: &RegisteredSchema) -> Result<Guid> {
        registered.guid.ok_or_else(|| {
            let cause = serialization("Schema GUID is null").caused_by(ConnectError::data(
                "this schema registry gives schemas no GUIDs; write ids before the payload",
            ));
            self.format.data_error(Direction::Serialize, topic, cause)
        })
    }

    /// The subject of a schema.
    ///
    /// # Errors
    /// What [`Format::registry_error`] makes of a failure, and a data error where a record type is needed.
    pub fn subject(&mut self, direction: Direction, topic: &str, record: Option<&str>) -> Result<String> {
        let strategy = match self.strategy() {
            SubjectNameStrategy::Associated => {
                if let Some(subject) = self.associated_subject(direction, topic)? {
                    return Ok(subject);
                }
                self.config.associations.fallback.ok_or_else(|| {
                    let cause = serialization(format!("No associated subject found for topic {topic}"));
                    self.format.data_error(direction, topic, cause)
                })?
            }
            other => other,
        };
        strategy
            .subject(topic, self.is_key, record)
            .map_err(|cause| self.format.data_error(direction, topic, cause))
    }

    fn strategy(&self) -> SubjectNameStrategy {
        match self.is_key {
            true => self.config.key_subjects,
            false => self.config.value_subjects,
        }
    }

    fn associated_subject(&mut self, direction: Direction, topic: &str) -> Result<Option<String>> {
        if let Some(known) = self.associated.get(topic) {
            return Ok(known.clone());
        }
        let found = self
            .client
            .associated_subject(&self.config.associations.namespace, topic, self.is_key)
            .map_err(|error| {
                let action = format!("Error retrieving the subject associated with topic {topic}");
                self.format.registry_error(direction, topic, &action, &error)
            })?;
        self.associated.insert(topic.to_owned(), found.clone());
        Ok(found)
    }

    /// What to write a record of this schema with. The caller keeps the answer as long as it keeps the schema's translation;
    /// answers that may change are asked for again by [`is_fixed`](Self::is_fixed).
    ///
    /// # Errors
    /// What [`Format::registry_error`] makes of a failure.
    pub fn for_write(
        &mut self,
        topic: &str,
        written: SchemaToWrite<'_>,
        compatibility: &dyn Compatibility,
    ) -> Result<WrittenWith> {
        let subject = self.subject(Direction::Serialize, topic, written.record_name)?;
        let word = self.format.word();
        let action = match &self.config.write_with {
            WriteWith::Registered => format!("Error registering {word} schema"),
            WriteWith::Id(_) => "Error retrieving schema ID".to_owned(),
            WriteWith::Guid(_) => "Error retrieving schema GUID".to_owned(),
            WriteWith::LatestWithMetadata(_) => "Error retrieving latest with metadata".to_owned(),
            WriteWith::Latest => format!("Error retrieving latest version of {word} schema"),
            WriteWith::LookedUp | WriteWith::Previewed => format!("Error retrieving {word} schema"),
        };
        let chosen = self
            .choose(&subject, written.schema, compatibility)
            .map_err(|error| {
                let action = format!("{action}{}", written.schema.text);
                self.format
                    .registry_error(Direction::Serialize, topic, &action, &error)
            })?;
        if chosen.schema.format != self.format {
            let cause = serialization(format!(
                "the schema {} of subject {subject} is {}, not {}",
                chosen.id,
                chosen.schema.format.name(),
                self.format.name()
            ));
            return Err(self.format.data_error(Direction::Serialize, topic, cause));
        }
        let mode = RuleMode::Write;
        for phase in mode.phases() {
            let id = SchemaId::Id(chosen.id);
            self.check_rules(topic, &subject, &chosen.rules, (*phase, mode), id)?;
        }
        Ok(WrittenWith {
            version: chosen.version,
            registered: chosen,
            subject,
        })
    }

    fn choose(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        compatibility: &dyn Compatibility,
    ) -> Result<Arc<RegisteredSchema>, RegistryError> {
        let normalize = self.config.normalize;
        let client = &mut self.client;
        let (found, strict, key) = match &self.config.write_with {
            WriteWith::Registered if self.config.propagate_tags => {
                return client.register_with_tags(subject, schema, normalize);
            }
            WriteWith::Registered => return client.register(subject, schema, normalize),
            WriteWith::LookedUp => return client.lookup(subject, schema, normalize),
            WriteWith::Previewed => {
                return client
                    .lookup(subject, schema, normalize)
                    .map_err(|error| not_registered_yet(subject, error));
            }
            WriteWith::LatestWithMetadata(metadata) => return client.latest_with_metadata(subject, metadata),
            WriteWith::Id(id) => (
                client.schema_by_id(*id, Some(subject))?,
                self.config.id_compatibility_strict,
                "id.compatibility.strict",
            ),
            WriteWith::Guid(guid) => {
                let found = client.schema_by_guid(*guid)?;
                let id = client.lookup(subject, &found.schema, normalize)?.id;
                let found = Arc::new(RegisteredSchema {
                    id,
                    ..RegisteredSchema::clone(&found)
                });
                (
                    found,
                    self.config.id_compatibility_strict,
                    "id.compatibility.strict",
                )
            }
            WriteWith::Latest => (
                client.latest(subject)?,
                self.config.latest_compatibility_strict,
                "latest.compatibility.strict",
            ),
        };
        if strict {
            self.check_compatible(&found, schema, compatibility, key)?;
        }
        Ok(found)
    }

    /// Whether a schema of the registry can read what another one describes; `key` switches the check off.
    pub(crate) fn check_compatible(
        &mut self,
        found: &RegisteredSchema,
        schema: &RegistrySchema,
        compatibility: &dyn Compatibility,
        key: &str,
    ) -> Result<(), RegistryError> {
        if found.schema != *schema
            && let references = self.client.references(&found.schema)?
            && let Compatible::No(reason) = compatibility.can_read(found, &references, schema)
        {
            return Err(RegistryError::Incompatible(format!(
                "Incompatible schema of type '{}'. Set {key}=false to disable this check. {reason}",
                found.schema.format.name()
            )));
        }
        Ok(())
    }

    /// Whether what a record is written with stays the same for ever. What does not is kept by the client for
    /// `latest.cache.ttl.sec`, so the converter has to ask again for each batch or record.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.config.latest_time_to_live.is_none()
            || !matches!(
                self.config.write_with,
                WriteWith::Latest | WriteWith::LatestWithMetadata(_)
            )
    }

    /// Whether what a message of some schema is read with stays the same for ever, as [`is_fixed`](Self::is_fixed) says of
    /// writing.
    #[must_use]
    pub fn is_read_fixed(&self) -> bool {
        self.config.latest_time_to_live.is_none() || !self.reads_latest()
    }

    /// The schema that a message was written with, and its version under the message's subject.
    ///
    /// `record_name` finds the name of the record type in a schema, for subjects named after it.
    ///
    /// # Errors
    /// What [`Format::registry_error`] makes of a failure; a data error when the schema is of another format.
    pub fn for_read(
        &mut self,
        topic: &str,
        id: SchemaId,
        record_name: &dyn Fn(&RegisteredSchema) -> Option<String>,
    ) -> Result<WrittenWith> {
        let part = if self.is_key { "key" } else { "value" };
        let action = format!(
            "Error retrieving {} {part} schema for id {id}",
            self.format.word()
        );
        let uses_schema = match self.strategy() {
            SubjectNameStrategy::Associated => self.config.associations.fallback,
            other => Some(other),
        }
        .is_some_and(SubjectNameStrategy::uses_schema);
        let known_subject = match uses_schema {
            true => None,
            false => Some(self.subject(Direction::Deserialize, topic, None)?),
        };
        let registered = match id {
            SchemaId::Id(id) => self.client.schema_by_id(id, known_subject.as_deref()),
            SchemaId::Guid(guid) => self.client.schema_by_guid(guid),
        }
        .map_err(|error| {
            self.format
                .registry_error(Direction::Deserialize, topic, &action, &error)
        })?;
        if registered.schema.format != self.format {
            let cause = serialization(format!(
                "Error deserializing {} message for id {id}",
                self.format.word()
            ))
            .caused_by(ConnectError::data(format!(
                "the schema is {}, not {}; use its converter",
                registered.schema.format.name(),
                self.format.name()
            )));
            return Err(self.format.data_error(Direction::Deserialize, topic, cause));
        }
        let subject = match known_subject {
            Some(subject) => subject,
            None => {
                let record = record_name(&registered);
                self.subject(Direction::Deserialize, topic, record.as_deref())?
            }
        };
        // The bytes are those of the schema that wrote them; the data may become those of another one.
        let mode = RuleMode::Read;
        for phase in mode.phases() {
            if *phase == RulePhase::Encoding || !self.reads_latest() {
                self.check_rules(topic, &subject, &registered.rules, (*phase, mode), id)?;
            }
        }
        let version = self.version_of(topic, id, &subject, &registered)?;
        Ok(WrittenWith {
            registered,
            subject,
            version,
        })
    }

    /// The version of a schema under a subject. A schema that is not registered there has none; upstream refuses the message
    /// then, though it can be read.
    fn version_of(
        &mut self,
        topic: &str,
        id: SchemaId,
        subject: &str,
        registered: &RegisteredSchema,
    ) -> Result<Option<i32>> {
        let key = (subject.to_owned(), id);
        if let Some(known) = self.versions.get(&key) {
            return Ok(*known);
        }
        let version = match self.client.lookup(subject, &registered.schema, false) {
            Ok(found) => found.version,
            Err(error) if error.is_not_found() => {
                tracing::debug!(subject, %id, "the schema is not registered under the topic's subject, so it has no version");
                None
            }
            Err(error) => {
                let part = if self.is_key { "key" } else { "value" };
                let action = format!(
                    "Error retrieving {} {part} schema version for id {id}",
                    self.format.word()
                );
                return Err(self
                    .format
                    .registry_error(Direction::Deserialize, topic, &action, &error));
            }
        };
        self.versions.insert(key, version);
        Ok(version)
    }

    /// Whether messages are read with another schema than the one they were written with: what
    /// [`reader_schema`](Self::reader_schema) finds may then change.
    fn reads_latest(&self) -> bool {
        self.config.read_latest || self.config.read_latest_with_metadata.is_some()
    }

    /// The schema to read a message into, where the configuration names one by `use.latest.version` or
    /// `use.latest.with.metadata`.
    ///
    /// # Errors
    /// What [`Format::registry_error`] makes of a failure; a data error when a rule of a schema would have to be run.
    pub fn reader_schema(
        &mut self,
        topic: &str,
        written: &WrittenWith,
    ) -> Result<Option<Arc<RegisteredSchema>>> {
        let subject = &written.subject;
        let found = match (&self.config.read_latest_with_metadata, self.config.read_latest) {
            (Some(metadata), _) => self.client.latest_with_metadata(subject, metadata),
            (None, true) => self.client.latest(subject),
            (None, false) => return Ok(None),
        };
        let found = found.map_err(|error| self.no_latest(topic, &error))?;
        if let (Some(from), Some(to)) = (written.version, found.version) {
            self.check_migrations(topic, written, from, (to, &found.rules))?;
        }
        let id = SchemaId::Id(written.registered.id);
        let step = (RulePhase::Domain, RuleMode::Read);
        self.check_rules(topic, subject, &found.rules, step, id)?;
        Ok(Some(found))
    }

    fn no_latest(&self, topic: &str, error: &RegistryError) -> ConnectError {
        let action = format!("Error retrieving latest version of {} schema", self.format.word());
        self.format
            .registry_error(Direction::Deserialize, topic, &action, error)
    }

    /// Migrations from one version to another are rules, too: each version says how it is reached and left.
    fn check_migrations(
        &mut self,
        topic: &str,
        written: &WrittenWith,
        from: i32,
        (to, latest): (i32, &RuleSet),
    ) -> Result<()> {
        let subject = &written.subject;
        let mode = match from < to {
            true => RuleMode::Upgrade,
            false => RuleMode::Downgrade,
        };
        for version in from.min(to) + 1..=from.max(to) {
            let rules = match version {
                _ if version == to => latest.clone(),
                _ if version == from => written.registered.rules.clone(),
                _ => match self.client.version(subject, version) {
                    Ok(found) => found.rules.clone(),
                    // A version that was deleted for good has no rules left.
                    Err(error) if error.is_not_found() => continue,
                    Err(error) => return Err(self.no_latest(topic, &error)),
                },
            };
            let id = SchemaId::Id(written.registered.id);
            self.check_rules(topic, subject, &rules, (RulePhase::Migration, mode), id)?;
        }
        Ok(())
    }

    /// Fails where a rule would have to be run; warns once of each that may be passed over.
    fn check_rules(
        &mut self,
        topic: &str,
        subject: &str,
        rules: &RuleSet,
        (phase, mode): (RulePhase, RuleMode),
        id: SchemaId,
    ) -> Result<()> {
        let warned = &mut self.warned;
        let environment = self.config.execution_environment.as_deref();
        let warn = |rule: &str, kind: &str| {
            if warned.insert((subject.to_owned(), rule.to_owned())) {
                tracing::warn!(
                    subject,
                    rule,
                    kind,
                    "a rule of the schema is not run, and its onFailure=NONE lets records pass"
                );
            }
        };
        let result = rules.check(phase, mode, environment, &self.config.rule_overrides, warn);
        let word = self.format.word();
        result.map_err(|error| match (mode, phase, self.format) {
            (RuleMode::Write, ..) => {
                let cause = serialization(format!("Error serializing {word} message")).caused_by(error);
                self.format.data_error(Direction::Serialize, topic, cause)
            }
            // Upstream's reader of Avro meets these before it begins to read.
            (_, RulePhase::Encoding, Format::Avro) => {
                self.format.data_error(Direction::Deserialize, topic, error)
            }
            _ => {
                let cause =
                    serialization(format!("Error deserializing {word} message for id {id}")).caused_by(error);
                self.format.data_error(Direction::Deserialize, topic, cause)
            }
        })
    }

    /// The schemas that a schema uses, with those that these use, each before those that use it.
    ///
    /// # Errors
    /// What [`Format::registry_error`] makes of a failure.
    pub fn references(
        &mut self,
        direction: Direction,
        topic: &str,
        schema: &RegistrySchema,
    ) -> Result<Vec<(String, Arc<RegisteredSchema>)>> {
        self.client.references(schema).map_err(|error| {
            let action = format!("Error retrieving the references of {} schema", self.format.word());
            self.format.registry_error(direction, topic, &action, &error)
        })
    }
}

/// What a preview says of a schema that the registry does not have.
pub(crate) fn not_registered_yet(subject: &str, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Answer {
            status,
            code,
            message,
        } if status == 404 => RegistryError::Answer {
            status,
            code,
            message: format!(
                "subject {subject} does not have this schema yet: a task would register it, a preview registers nothing \
                 ({message})"
            ),
        },
        error => error,
    }
}
