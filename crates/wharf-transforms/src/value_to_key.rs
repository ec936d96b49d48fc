//! `ValueToKey`: makes a key of some fields of the value, which keeps them.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, SchemaBuilder, SchemaRef, Struct, Transformation, Value,
};

use crate::options::{list, replace_null_with_default, replaces_null};
use crate::requirements::{map_get, map_put, require_map_ref, require_struct_ref};
use crate::schema_cache::SchemaCache;
use crate::schema_util::field_value;

const FIELDS: &str = "fields";
const PURPOSE: &str = "copying fields from value to key";

/// The transformation.
#[derive(Default)]
pub(crate) struct ValueToKey {
    fields: Vec<String>,
    replace_null: bool,
    /// The key's schema, and where its fields are in the value.
    plans: SchemaCache<(SchemaRef, Vec<usize>)>,
}

impl Transformation for ValueToKey {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.fields = list(&config, FIELDS);
        self.replace_null = replaces_null(&config);
        self.plans = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(FIELDS, Type::List)
                    .validator(Validator::distinct_list(false, false))
                    .importance(Importance::High)
                    .doc("Names of the fields of the value that make up the key."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        if record.value_schema.is_none() {
            let entries = require_map_ref(&record.value, PURPOSE)?;
            let mut key = Vec::with_capacity(self.fields.len());
            for field in &self.fields {
                map_put(
                    &mut key,
                    field,
                    map_get(entries, field).cloned().unwrap_or_default(),
                );
            }
            record.key_schema = None;
            record.key = Value::Map(key);
            return Ok(Applied::Kept);
        }
        let value = require_struct_ref(&record.value, PURPOSE)?;
        let names = &self.fields;
        let (schema, sources) = self.plans.get(value.schema(), |schema| {
            let mut builder = SchemaBuilder::structure();
            let mut sources = Vec::with_capacity(names.len());
            for name in names {
                let field = schema
                    .field(name)?
                    .ok_or_else(|| ConnectError::data(format!("Field does not exist: {name}")))?;
                builder = builder.field(name, SchemaRef::clone(field.schema()));
                sources.push(field.index());
            }
            Ok((builder.build()?, sources))
        })?;
        let (from, to) = (value.schema().fields()?, schema.fields()?);
        let mut values = Vec::with_capacity(sources.len());
        for (source, field) in sources.iter().zip(to) {
            let part = field_value(value, &from[*source], self.replace_null);
            if part.is_null() {
                check_field(field, part)?;
            }
            values.push(part.clone());
        }
        record.key_schema = Some(SchemaRef::clone(schema));
        record.key = Struct::from_values(SchemaRef::clone(schema), values).into();
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::Schema;

    use super::*;
    use crate::options::config;

    fn value_to_key() -> ValueToKey {
        let mut transformation = ValueToKey::default();
        transformation.configure(&config([("fields", "a,b")])).unwrap();
        transformation
    }

    #[test]
    fn the_key_has_the_fields_and_the_value_keeps_them() {
        let map = Value::Map(vec![("a".into(), 1.into()), ("c".into(), 3.into())]);
        let changed = value_to_key()
            .applied(
                Record::sink("t", 0, 0)
                    .with_value(None, map.clone())
                    .with_key(Some(Schema::int8()), 1_i8),
            )
            .unwrap()
            .unwrap();
        assert_eq!(
            changed.key,
            Value::Map(vec![("a".into(), 1.into()), ("b".into(), Value::Null)])
        );
        assert_eq!((changed.key_schema, changed.value), (None, map));

        let schema = SchemaBuilder::structure()
            .field("c", Schema::int8())
            .field("b", Schema::optional_string())
            .field("a", SchemaBuilder::int32().default_value(7).build().unwrap())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("b", "x")
            .unwrap();
        let changed = value_to_key()
            .applied(Record::sink("t", 0, 0).with_value(Some(schema), value.clone()))
            .unwrap()
            .unwrap();
        let key = changed.key.as_struct().unwrap();
        assert_eq!(key.values(), [7.into(), "x".into()]);
        assert_eq!(Some(key.schema()), changed.key_schema.as_ref());
        assert_eq!(changed.value, Value::from(value));
    }

    #[test]
    fn a_field_that_is_not_there_is_refused() {
        let schema = SchemaBuilder::structure()
            .field("a", Schema::int32())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("a", 1)
            .unwrap();
        let record = Record::sink("t", 0, 0).with_value(Some(schema), value);
        assert_eq!(
            value_to_key().applied(record).unwrap_err().message(),
            "Field does not exist: b"
        );
        assert!(value_to_key().applied(Record::sink("t", 0, 0)).is_err());
    }
}
