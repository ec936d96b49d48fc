//! `HeaderFrom`: copies or moves fields of the key or value into headers.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Headers, Record, Result, Schema, SchemaBuilder, SchemaRef,
    Transformation, Value,
};

use crate::options::{list, replace_null_with_default, replaces_null};
use crate::requirements::{map_get, map_remove, require_map, require_struct};
use crate::schema_cache::SchemaCache;
use crate::schema_util::{copy_null, copy_schema_basics, field_value};
use crate::side::Side;

const FIELDS: &str = "fields";
const HEADERS: &str = "headers";
const OPERATION: &str = "operation";
const MOVE: &str = "move";
const COPY: &str = "copy";

/// The transformation.
pub(crate) struct HeaderFrom {
    side: Side,
    /// Field and header, in order.
    pairs: Vec<(String, String)>,
    moves: bool,
    purpose: &'static str,
    replace_null: bool,
    /// For moves: the schema without the fields, and the positions of those that stay.
    schemas: SchemaCache<(SchemaRef, Vec<usize>)>,
}

impl HeaderFrom {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            pairs: Vec::new(),
            moves: false,
            purpose: "",
            replace_null: true,
            schemas: SchemaCache::default(),
        }
    }

    fn apply_schemaless(&self, value: &mut Value, headers: &mut Headers) -> Result<()> {
        let entries = require_map(value, self.purpose)?;
        let values: Vec<Value> = self
            .pairs
            .iter()
            .map(|(field, _)| map_get(entries, field).cloned().unwrap_or_default())
            .collect();
        for ((field, header), value) in self.pairs.iter().zip(values) {
            if self.moves {
                map_remove(entries, field);
            }
            headers.add(header.as_str(), None, value)?;
        }
        Ok(())
    }

    fn apply_with_schema(
        &mut self,
        schema: &mut SchemaRef,
        value: &mut Value,
        headers: &mut Headers,
    ) -> Result<()> {
        let inner = require_struct(value, self.purpose)?;
        let pairs = &self.pairs;
        let plan = if self.moves {
            Some(self.schemas.get(schema, |schema| without(schema, pairs))?)
        } else {
            None
        };
        // what stays is looked at before what goes, as upstream
        if let Some((updated, kept)) = plan {
            for (field, from) in updated.fields()?.iter().zip(kept) {
                let has_default = self.replace_null && field.schema().default_value().is_some();
                if inner.values().get(*from).is_none_or(Value::is_null) && !has_default {
                    check_field(field, &Value::Null)?;
                }
            }
        }
        for (name, header) in pairs {
            let field = schema.field(name)?.ok_or_else(|| {
                ConnectError::connect(format!("there is no field \"{name}\" for the {}", self.purpose))
                    .with_class("java.lang.NullPointerException")
            })?;
            let value = field_value(inner, field, self.replace_null).clone();
            headers.add(header.as_str(), Some(SchemaRef::clone(field.schema())), value)?;
        }
        let Some((updated, kept)) = plan else {
            return Ok(());
        };
        inner.reshape(SchemaRef::clone(updated), |values| {
            // positions grow, so nothing that stays is overwritten
            for (to, from) in kept.iter().enumerate() {
                values.swap(to, *from);
            }
            values.truncate(kept.len());
            let fields = updated.fields().unwrap_or_default();
            values
                .iter_mut()
                .zip(fields)
                .try_for_each(|(value, field)| copy_null(value, field, self.replace_null))
        })?;
        *schema = SchemaRef::clone(updated);
        Ok(())
    }
}

/// A schema without the fields that move, and the positions of those that stay.
fn without(schema: &Schema, pairs: &[(String, String)]) -> Result<(SchemaRef, Vec<usize>)> {
    let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
    let mut kept = Vec::new();
    for field in schema.fields()? {
        if !pairs.iter().any(|(moved, _)| moved == field.name()) {
            builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
            kept.push(field.index());
        }
    }
    Ok((builder.build()?, kept))
}

impl Transformation for HeaderFrom {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        let (fields, headers) = (list(&config, FIELDS), list(&config, HEADERS));
        if fields.len() != headers.len() {
            return Err(ConnectError::config(format!(
                "'{FIELDS}' config must have the same number of elements as '{HEADERS}' config."
            )));
        }
        self.pairs = fields.into_iter().zip(headers).collect();
        self.moves = config.string(OPERATION)? == MOVE;
        self.purpose = if self.moves { "header move" } else { "header copy" };
        self.replace_null = replaces_null(&config);
        self.schemas = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(FIELDS, Type::List)
                    .validator(Validator::NonEmptyList)
                    .importance(Importance::High)
                    .doc("Names of the fields that become headers."),
            )
            .define(
                ConfigKey::new(HEADERS, Type::List)
                    .validator(Validator::NonEmptyList)
                    .importance(Importance::High)
                    .doc("Names of the headers, in the order of the fields."),
            )
            .define(
                ConfigKey::new(OPERATION, Type::String)
                    .validator(Validator::one_of([MOVE, COPY]))
                    .importance(Importance::High)
                    .doc("Whether fields are moved away or copied."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let mut headers = std::mem::take(&mut record.headers);
        let (schema, value) = self.side.of(record);
        match schema {
            Some(schema) => self.apply_with_schema(schema, value, &mut headers)?,
            None => self.apply_schemaless(value, &mut headers)?,
        }
        record.headers = headers;
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::Struct;

    use super::*;
    use crate::options::config;

    fn header_from(operation: &str) -> HeaderFrom {
        let mut transformation = HeaderFrom::new(Side::Value);
        transformation
            .configure(&config([
                ("fields", "a,c"),
                ("headers", "h1,h2"),
                ("operation", operation),
            ]))
            .unwrap();
        transformation
    }

    fn structure() -> Record {
        let schema = SchemaBuilder::structure()
            .name("n")
            .field("a", Schema::int32())
            .field("b", Schema::string())
            .field("c", Schema::optional_string())
            .field("d", Schema::int8())
            .build()
            .unwrap();
        let value = Struct::from_values(
            SchemaRef::clone(&schema),
            vec![1.into(), "b".into(), Value::Null, 4_i8.into()],
        );
        Record::sink("t", 0, 0).with_value(Some(schema), value)
    }

    #[test]
    fn copied_fields_stay_and_moved_ones_go() {
        let copied = header_from("copy").applied(structure()).unwrap().unwrap();
        assert_eq!(copied.value, structure().value);
        let moved = header_from("move").applied(structure()).unwrap().unwrap();
        for record in [&copied, &moved] {
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|header| (header.key(), header.value().clone(), header.schema().cloned()))
                .collect();
            assert_eq!(
                headers,
                [
                    ("h1", Value::from(1), Some(Schema::int32())),
                    ("h2", Value::Null, Some(Schema::optional_string())),
                ]
            );
        }
        let left = moved.value.as_struct().unwrap();
        assert_eq!(left.values(), ["b".into(), Value::Int8(4)]);
        assert_eq!(left.schema(), moved.value_schema.as_ref().unwrap());
        assert_eq!(left.schema().name(), Some("n"));
    }

    #[test]
    fn without_schema_a_missing_field_is_a_null_header() {
        let map = || Value::Map(vec![("a".into(), 1.into()), ("b".into(), 2.into())]);
        for (operation, left) in [("move", 1), ("copy", 2)] {
            let record = Record::sink("t", 0, 0).with_value(None, map());
            let changed = header_from(operation).applied(record).unwrap().unwrap();
            assert_eq!(changed.value.as_map().unwrap().len(), left);
            assert!(changed.headers.last_with_name("h2").unwrap().value().is_null());
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let tombstone = Record::sink("t", 0, 0);
        assert_eq!(
            header_from("move").applied(tombstone).unwrap_err().message(),
            "Only Map objects supported in absence of schema for [header move], found: null"
        );
        let mut missing = header_from("copy");
        missing.pairs[0].0 = "zz".to_owned();
        assert_eq!(
            missing.applied(structure()).unwrap_err().class(),
            "java.lang.NullPointerException"
        );
        let error = HeaderFrom::new(Side::Key)
            .configure(&config([
                ("fields", "a"),
                ("headers", "a,b"),
                ("operation", "move"),
            ]))
            .unwrap_err();
        assert_eq!(
            error.message(),
            "'fields' config must have the same number of elements as 'headers' config."
        );
    }
}
