//! `InsertField`: adds fields that hold the record's topic, partition, offset or timestamp, or a fixed text.

use wharf_api::config::{ConfigDef, ConfigKey, ParsedConfig, Type};
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, Transformation,
    Value, logical,
};

use crate::options::{replace_null_with_default, replaces_null};
use crate::requirements::{map_put, require_map, require_sink_record, require_struct};
use crate::schema_cache::SchemaCache;
use crate::schema_util::{copy_null, copy_schema_basics};
use crate::side::Side;

const TOPIC: &str = "topic.field";
const PARTITION: &str = "partition.field";
const OFFSET: &str = "offset.field";
const TIMESTAMP: &str = "timestamp.field";
const STATIC: &str = "static.field";
const STATIC_VALUE: &str = "static.value";
const PURPOSE: &str = "field insertion";

/// What a field is to hold, in the order in which fields are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static,
}

/// A field to add.
#[derive(Debug)]
struct Insertion {
    name: String,
    content: Content,
    is_optional: bool,
}

impl Insertion {
    /// `name!` is required, `name?` and `name` are optional.
    fn new(spec: &str, content: Content) -> Self {
        let (name, is_optional) = match spec.strip_suffix('!') {
            Some(name) => (name, false),
            None => (spec.strip_suffix('?').unwrap_or(spec), true),
        };
        Self {
            name: name.to_owned(),
            content,
            is_optional,
        }
    }

    fn schema(&self) -> SchemaRef {
        match (self.content, self.is_optional) {
            (Content::Topic | Content::Static, true) => Schema::optional_string(),
            (Content::Topic | Content::Static, false) => Schema::string(),
            (Content::Partition, true) => Schema::optional_int32(),
            (Content::Partition, false) => Schema::int32(),
            (Content::Offset, true) => Schema::optional_int64(),
            (Content::Offset, false) => Schema::int64(),
            (Content::Timestamp, true) => logical::optional_timestamp(),
            (Content::Timestamp, false) => logical::timestamp(),
        }
    }
}

/// The transformation.
pub(crate) struct InsertField {
    side: Side,
    insertions: Vec<Insertion>,
    static_value: String,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl InsertField {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            insertions: Vec::new(),
            static_value: String::new(),
            replace_null: true,
            schemas: SchemaCache::default(),
        }
    }

    /// What a field is to hold for this record; null is not inserted. Only a timestamp depends on whether there is a
    /// schema.
    fn content(&self, content: Content, record: &Record, has_schema: bool) -> Result<Value> {
        Ok(match content {
            Content::Topic => Value::String(record.topic.clone()),
            Content::Partition => record.kafka_partition.into(),
            Content::Offset => require_sink_record(record, PURPOSE)?.into(),
            Content::Timestamp if has_schema => record.timestamp.map_or(Value::Null, Value::Date),
            Content::Timestamp => record.timestamp.into(),
            Content::Static => Value::String(self.static_value.clone()),
        })
    }

    fn apply_schemaless(&mut self, record: &mut Record, value: &mut Value) -> Result<()> {
        let entries = require_map(value, PURPOSE)?;
        entries.reserve_exact(self.insertions.len());
        for insertion in &self.insertions {
            let content = self.content(insertion.content, record, false)?;
            if !content.is_null() {
                map_put(entries, &insertion.name, content);
            }
        }
        Ok(())
    }

    fn apply_with_schema(&mut self, record: &mut Record, value: &mut Value) -> Result<()> {
        let inner = require_struct(value, PURPOSE)?;
        let insertions = &self.insertions;
        let updated = self.schemas.get(inner.schema(), |schema| {
            let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
            for field in schema.fields()? {
                builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
            }
            for insertion in insertions {
                builder = builder.field(&insertion.name, insertion.schema());
            }
            builder.build()
        })?;
        let updated = SchemaRef::clone(updated);
        inner.reshape(SchemaRef::clone(&updated), |values| {
            self.fill(values, updated.fields().unwrap_or_default(), record)
        })?;
        *self.side.of(record).0 = Some(updated);
        Ok(())
    }

    fn fill(&self, values: &mut Vec<Value>, fields: &[wharf_api::Field], record: &Record) -> Result<()> {
        for (value, field) in values.iter_mut().zip(fields) {
            copy_null(value, field, self.replace_null)?;
        }
        values.reserve_exact(self.insertions.len());
        for insertion in &self.insertions {
            values.push(self.content(insertion.content, record, true)?);
        }
        Ok(())
    }

    fn parse(&mut self, config: &ParsedConfig) -> Result<()> {
        self.insertions = [
            (TOPIC, Content::Topic),
            (PARTITION, Content::Partition),
            (OFFSET, Content::Offset),
            (TIMESTAMP, Content::Timestamp),
            (STATIC, Content::Static),
        ]
        .into_iter()
        .filter_map(|(key, content)| Some(Insertion::new(config.get_string(key)?, content)))
        .collect();
        let Some(last) = self.insertions.last() else {
            return Err(ConnectError::config("No field insertion configured"));
        };
        match config.get_string(STATIC_VALUE) {
            Some(text) => self.static_value = text.to_owned(),
            None if last.content == Content::Static => {
                let reason = format!("No value specified for static field: {}", last.name);
                return Err(ConnectError::invalid_config(STATIC_VALUE, "null", &reason));
            }
            None => {}
        }
        self.replace_null = replaces_null(config);
        self.schemas = SchemaCache::default();
        Ok(())
    }
}

impl Transformation for InsertField {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.parse(&config)
    }

    fn config(&self) -> ConfigDef {
        let suffixes = "A ! at the end makes the field required, a ? optional, which it is without either.";
        let field = |key: &str, what: &str| {
            ConfigKey::new(key, Type::String)
                .default_null()
                .doc(format!("Name of the field that gets {what}. {suffixes}"))
        };
        ConfigDef::new()
            .define(field(TOPIC, "the topic"))
            .define(field(PARTITION, "the Kafka partition"))
            .define(field(OFFSET, "the offset, which only records of a sink have"))
            .define(field(TIMESTAMP, "the record's timestamp"))
            .define(field(STATIC, "a fixed text"))
            .define(
                ConfigKey::new(STATIC_VALUE, Type::String)
                    .default_null()
                    .doc("The fixed text."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        if value.is_null() {
            return Ok(Applied::Kept);
        }
        let has_schema = schema.is_some();
        let mut value = std::mem::take(value);
        if has_schema {
            self.apply_with_schema(record, &mut value)?;
        } else {
            self.apply_schemaless(record, &mut value)?;
        }
        *self.side.of(record).1 = value;
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{ErrorKind, Struct};

    use super::*;
    use crate::options::config;

    fn all() -> InsertField {
        let mut insert = InsertField::new(Side::Value);
        insert
            .configure(&config([
                ("topic.field", "t!"),
                ("partition.field", "p"),
                ("timestamp.field", "ts?"),
                ("static.field", "sf"),
                ("static.value", "sv"),
            ]))
            .unwrap();
        insert
    }

    fn structure() -> Struct {
        let schema = SchemaBuilder::structure()
            .name("n")
            .optional()
            .field("magic", Schema::optional_int64())
            .build()
            .unwrap();
        Struct::new(schema).unwrap().with("magic", 42_i64).unwrap()
    }

    #[test]
    fn fields_follow_those_of_a_struct() {
        let value = structure();
        let record = Record::sink("topic", 0, 9)
            .with_value(Some(SchemaRef::clone(value.schema())), value)
            .with_timestamp(1_483_425_001_864);
        let changed = all().applied(record).unwrap().unwrap();
        let schema = changed.value_schema.unwrap();
        let fields: Vec<_> = schema
            .fields()
            .unwrap()
            .iter()
            .map(|field| (field.name(), SchemaRef::clone(field.schema())))
            .collect();
        assert_eq!(
            fields,
            [
                ("magic", Schema::optional_int64()),
                ("t", Schema::string()),
                ("p", Schema::optional_int32()),
                ("ts", logical::optional_timestamp()),
                ("sf", Schema::optional_string()),
            ]
        );
        assert_eq!((schema.name(), schema.is_optional()), (Some("n"), false));
        assert_eq!(
            changed.value.as_struct().unwrap().values(),
            [
                42_i64.into(),
                "topic".into(),
                0.into(),
                Value::Date(1_483_425_001_864),
                "sv".into()
            ]
        );
    }

    #[test]
    fn entries_of_a_map_are_added_or_replaced() {
        let map = Value::Map(vec![("t".into(), 1.into()), ("magic".into(), 42.into())]);
        let mut record = Record::source("topic", None, None).with_value(None, map);
        record.timestamp = Some(5);
        let changed = all().applied(record).unwrap().unwrap();
        assert_eq!(
            changed.value,
            Value::Map(vec![
                ("t".into(), "topic".into()),
                ("magic".into(), 42.into()),
                ("ts".into(), 5_i64.into()),
                ("sf".into(), "sv".into()),
            ])
        );
    }

    #[test]
    fn an_offset_needs_a_sink_and_a_name_must_be_free() {
        let mut insert = InsertField::new(Side::Value);
        insert.configure(&config([("offset.field", "magic")])).unwrap();
        let value = structure();
        let schema = Some(SchemaRef::clone(value.schema()));
        let error = insert
            .applied(Record::sink("t", 0, 0).with_value(schema, value))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaBuilder);
        let record = Record::source("t", None, None).with_value(None, Value::Map(vec![]));
        assert_eq!(
            insert.applied(record).unwrap_err().message(),
            "Only SinkRecord supported for [field insertion], found: \
             org.apache.kafka.connect.source.SourceRecord"
        );
    }

    #[test]
    fn null_values_pass_and_configurations_need_a_field() {
        let tombstone = Record::sink("t", 0, 0).with_value(Some(Schema::optional_int8()), Value::Null);
        assert_eq!(all().applied(tombstone.clone()).unwrap(), Some(tombstone));
        let mut insert = InsertField::new(Side::Value);
        for (given, message) in [
            (config([]), "No field insertion configured"),
            (
                config([("static.field", "f")]),
                "Invalid value null for configuration static.value: No value specified for static field: f",
            ),
        ] {
            assert_eq!(insert.configure(&given).unwrap_err().message(), message);
        }
    }
}
