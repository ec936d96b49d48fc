//! `ByLogicalTableRouter`: events of tables that are one table in truth, as shards are, go to one topic.
//!
//! The key gets a field that tells the tables apart, and key, row and envelope get schema names of the new topic.

use std::sync::Arc;

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, Type, Validator};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, Struct,
    Transformation, Value,
};
use wharf_transforms::JavaRegex;
use wharf_transforms::support::{Replacement, SchemaCache, copy_null, no_struct, valid_regex};

use crate::schema_name::SchemaNames;
use crate::{AFTER, BEFORE, ENVELOPE, is_envelope};

const TOPIC_REGEX: &str = "topic.regex";
const TOPIC_REPLACEMENT: &str = "topic.replacement";
const KEY_ENFORCE_UNIQUENESS: &str = "key.enforce.uniqueness";
const KEY_FIELD_NAME: &str = "key.field.name";
const KEY_FIELD_REGEX: &str = "key.field.regex";
const KEY_FIELD_REPLACEMENT: &str = "key.field.replacement";
const SCHEMA_NAMES: &str = "schema.name.adjustment.mode";
const CACHE_SIZE: &str = "logical.table.cache.size";

const PURPOSE: &str = "Updating schema";

/// The transformation.
#[derive(Default)]
pub struct ByLogicalTableRouter {
    router: Option<Router>,
}

struct Router {
    topic: Rule,
    key_field: Option<KeyField>,
    names: SchemaNames,
    /// Topics that were met, the most recently used first, and where each goes.
    topics: Vec<(String, Option<Route>)>,
    capacity: usize,
}

/// A regular expression that must match the whole name of a topic, and what becomes of it then.
struct Rule {
    regex: JavaRegex,
    replacement: Replacement,
}

impl Rule {
    fn new(regex: &str, replacement: &str) -> Result<Self> {
        let regex = JavaRegex::new(regex)?;
        Ok(Self {
            replacement: Replacement::new(replacement, &regex),
            regex,
        })
    }

    fn apply(&self, topic: &str) -> Result<Option<String>> {
        self.regex
            .matches(topic)
            .then(|| self.regex.replace_first(topic, &self.replacement))
            .transpose()
    }
}

/// The field that a key gets.
struct KeyField {
    name: String,
    /// What of the old topic is its value; all of it without.
    rule: Option<Rule>,
}

/// What becomes of the records of one topic.
struct Route {
    topic: String,
    /// The field that keys get, and its value.
    key_field: Option<(String, String)>,
    names: SchemaNames,
    keys: SchemaCache<SchemaRef>,
    envelopes: SchemaCache<Envelope>,
}

/// The schema of an envelope under its new name.
#[derive(Debug)]
struct Envelope {
    schema: SchemaRef,
    /// The schema of both rows.
    row: SchemaRef,
    /// Where the rows are, with the schema they had if it is that which is copied.
    rows: Vec<(usize, Option<SchemaRef>)>,
}

impl Transformation for ByLogicalTableRouter {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.router = Some(Router::new(&self.config().parse(config)?)?);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        if let Some(router) = &mut self.router
            && let Some(route) = router.route(&record.topic)?
        {
            route.apply(record)?;
        }
        Ok(Applied::Kept)
    }
}

impl Router {
    fn new(config: &ParsedConfig) -> Result<Self> {
        let text = |key: &str| config.get_string(key).filter(|text| !text.is_empty());
        let rule = match (text(KEY_FIELD_REGEX), text(KEY_FIELD_REPLACEMENT)) {
            (None, _) => None,
            (Some(regex), Some(replacement)) => Some(Rule::new(regex, replacement)?),
            (Some(_), None) => {
                let reason =
                    format!("{KEY_FIELD_REPLACEMENT} must be non-empty if {KEY_FIELD_REGEX} is set.");
                return Err(ConnectError::invalid_config(
                    KEY_FIELD_REPLACEMENT,
                    "null",
                    &reason,
                ));
            }
        };
        let key_field = KeyField {
            name: config.string(KEY_FIELD_NAME)?.to_owned(),
            rule,
        };
        let is_unique = config.get_boolean(KEY_ENFORCE_UNIQUENESS).unwrap_or(true);
        Ok(Self {
            topic: Rule::new(config.string(TOPIC_REGEX)?, config.string(TOPIC_REPLACEMENT)?)?,
            key_field: is_unique.then_some(key_field),
            names: SchemaNames::named(config.string(SCHEMA_NAMES)?),
            topics: Vec::new(),
            capacity: config
                .get_int(CACHE_SIZE)
                .and_then(|size| usize::try_from(size).ok())
                .map_or(1, |size| size.max(1)),
        })
    }

    /// Where records of this topic go, unless they stay.
    fn route(&mut self, topic: &str) -> Result<Option<&mut Route>> {
        match self.topics.iter().position(|(known, _)| known == topic) {
            Some(0) => {}
            Some(at) => self.topics[..=at].rotate_right(1),
            None => {
                let route = self.new_route(topic)?;
                self.topics.truncate(self.capacity - 1);
                self.topics.insert(0, (topic.to_owned(), route));
            }
        }
        Ok(self.topics[0].1.as_mut())
    }

    fn new_route(&self, topic: &str) -> Result<Option<Route>> {
        let Some(new_topic) = self.topic.apply(topic)? else {
            return Ok(None);
        };
        if new_topic.is_empty() {
            tracing::warn!(
                "{TOPIC_REPLACEMENT} makes nothing of topic {topic}; its records stay as they are"
            );
            return Ok(None);
        }
        let key_field = match &self.key_field {
            None => None,
            Some(field) => {
                let part = field.rule.as_ref().map_or(Ok(None), |rule| rule.apply(topic))?;
                Some((field.name.clone(), part.unwrap_or_else(|| topic.to_owned())))
            }
        };
        Ok(Some(Route {
            topic: new_topic,
            key_field,
            names: self.names,
            keys: SchemaCache::default(),
            envelopes: SchemaCache::default(),
        }))
    }
}

impl Route {
    fn apply(&mut self, record: &mut Record) -> Result<()> {
        record.key_schema = match &mut record.key {
            Value::Null => None,
            Value::Struct(key) => Some(self.key(key)?),
            other => return Err(no_struct(other, PURPOSE)),
        };
        if is_envelope(record.value_schema.as_ref()) && !record.value.is_null() {
            let Value::Struct(envelope) = &mut record.value else {
                return Err(no_struct(&record.value, PURPOSE));
            };
            record.value_schema = Some(self.envelope(envelope)?);
        }
        record.topic.clone_from(&self.topic);
        Ok(())
    }

    fn key(&mut self, key: &mut Struct) -> Result<SchemaRef> {
        let (topic, names, field) = (&self.topic, self.names, &self.key_field);
        let schema = self.keys.get(key.schema(), |old| {
            let mut builder = copy(old, names.adjust(format!("{topic}.Key")))?;
            if let Some((name, _)) = field {
                builder = builder.field(name, Schema::string());
            }
            builder.build()
        })?;
        key.reshape(SchemaRef::clone(schema), |values| {
            check_nulls(values, schema)?;
            values.extend(field.as_ref().map(|(_, value)| Value::from(value.as_str())));
            Ok::<_, ConnectError>(())
        })?;
        Ok(SchemaRef::clone(schema))
    }

    fn envelope(&mut self, envelope: &mut Struct) -> Result<SchemaRef> {
        let (topic, names) = (&self.topic, self.names);
        let renamed = self
            .envelopes
            .get(envelope.schema(), |old| Envelope::new(old, topic, names))?;
        envelope.reshape(SchemaRef::clone(&renamed.schema), |values| renamed.fill(values))?;
        Ok(SchemaRef::clone(&renamed.schema))
    }
}

impl Envelope {
    fn new(old: &Schema, topic: &str, names: SchemaNames) -> Result<Self> {
        let copied = match (old.field(BEFORE)?, old.field(AFTER)?) {
            (Some(field), _) | (None, Some(field)) => field.schema(),
            (None, None) => {
                let name = old.name().unwrap_or_default();
                return Err(
                    ConnectError::data(format!("{name} has neither a field {BEFORE} nor {AFTER}"))
                        .with_class("java.lang.NullPointerException"),
                );
            }
        };
        let row = copy(copied, names.adjust(format!("{topic}.Value")))?.build()?;
        let mut builder = start(old, names.adjust(format!("{topic}{ENVELOPE}")));
        let mut rows = Vec::new();
        for field in old.fields()? {
            let is_row = field.name() == BEFORE || field.name() == AFTER;
            if is_row {
                let same = (field.schema() == copied).then(|| SchemaRef::clone(field.schema()));
                rows.push((field.index(), same));
            }
            let schema = if is_row { &row } else { field.schema() };
            builder = builder.field(field.name(), SchemaRef::clone(schema));
        }
        Ok(Self {
            schema: builder.build()?,
            row,
            rows,
        })
    }

    fn fill(&self, values: &mut [Value]) -> Result<()> {
        for (index, same) in &self.rows {
            match &mut values[*index] {
                Value::Null => {}
                Value::Struct(row) if same.as_ref().is_some_and(|same| Arc::ptr_eq(same, row.schema())) => {
                    row.reshape(SchemaRef::clone(&self.row), |values| {
                        check_nulls(values, &self.row)
                    })?;
                }
                Value::Struct(row) => {
                    let mut renamed = Struct::new(SchemaRef::clone(&self.row))?;
                    for (field, value) in row.schema().fields()?.iter().zip(row.values()) {
                        renamed.put(field.name(), value.clone())?;
                    }
                    **row = renamed;
                }
                other => return Err(no_struct(other, PURPOSE)),
            }
        }
        values
            .iter_mut()
            .zip(self.schema.fields()?)
            .try_for_each(|(value, field)| copy_null(value, field, true))
    }
}

/// A null needs an optional field; a default does not excuse it.
fn check_nulls(values: &[Value], schema: &Schema) -> Result<()> {
    let nulls = values
        .iter()
        .zip(schema.fields()?)
        .filter(|(value, _)| value.is_null());
    for (value, field) in nulls {
        check_field(field, value)?;
    }
    Ok(())
}

/// Another struct of the same kind under a new name, without default and fields.
fn start(source: &Schema, name: String) -> SchemaBuilder {
    let mut builder = SchemaBuilder::structure().name(name);
    if let Some(version) = source.version() {
        builder = builder.version(version);
    }
    if let Some(doc) = source.doc() {
        builder = builder.doc(doc);
    }
    if source.is_optional() {
        builder = builder.optional();
    }
    builder.parameters(source.parameters().unwrap_or_default().iter().cloned())
}

/// The same with the fields.
fn copy(source: &Schema, name: String) -> Result<SchemaBuilder> {
    let fields = source.fields()?.iter();
    Ok(fields.fold(start(source, name), |builder, field| {
        builder.field(field.name(), SchemaRef::clone(field.schema()))
    }))
}

fn definition() -> ConfigDef {
    let key = |name: &str, value_type: Type| ConfigKey::new(name, value_type).importance(Importance::Low);
    let not_blank = || {
        Validator::custom("non-empty string", |name, value| match value.as_str() {
            Some("") => Err(ConnectError::invalid_config(name, value, "A value is required")),
            _ => Ok(()),
        })
    };
    ConfigDef::new()
        .define(
            key(TOPIC_REGEX, Type::String)
                .validator(Validator::All(vec![not_blank(), valid_regex()]))
                .doc("Java regular expression that the whole name of the topic must match."),
        )
        .define(
            key(TOPIC_REPLACEMENT, Type::String)
                .validator(not_blank())
                .doc("The new topic; $1 and ${name} stand for groups of topic.regex."),
        )
        .define(key(KEY_ENFORCE_UNIQUENESS, Type::Boolean).default(true).doc(
            "Whether keys get a field that tells the tables apart. Not needed where no key is in two of them.",
        ))
        .define(
            key(KEY_FIELD_REGEX, Type::String)
                .default_null()
                .validator(valid_regex())
                .doc("Java regular expression for the whole old topic, of which key.field.replacement makes the field's value."),
        )
        .define(
            key(KEY_FIELD_NAME, Type::String)
                .default("__dbz__physicalTableIdentifier")
                .doc("The name of that field."),
        )
        .define(key(KEY_FIELD_REPLACEMENT, Type::String).default_null().doc(
            "The field's value; $1 and ${name} stand for groups of key.field.regex. The old topic where that is not set or does \
             not match.",
        ))
        .define(
            key(SCHEMA_NAMES, Type::String)
                .default("none")
                .validator(Validator::one_of_ignore_case(["none", "avro", "avro_unicode"]))
                .doc(
                    "What becomes of characters in schema names that Avro does not take. none: they stay. avro: underscores. \
                     avro_unicode: _u and the number of the character, also for the underscore.",
                ),
        )
        .define(
            key(CACHE_SIZE, Type::Int)
                .default(16)
                .doc("Of how many topics it is remembered where they go, with the schemas of each."),
        )
}
