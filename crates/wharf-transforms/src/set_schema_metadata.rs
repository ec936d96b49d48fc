//! `SetSchemaMetadata`: gives the schema of the key or value another name, version, or both.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::{Applied, ConfigMap, ConnectError, Record, Result, SchemaRef, Transformation, Value};

use crate::options::{replace_null_with_default, replaces_null};
use crate::schema_cache::SchemaCache;
use crate::schema_util::copy_null;
use crate::side::Side;

const SCHEMA_NAME: &str = "schema.name";
const SCHEMA_VERSION: &str = "schema.version";
const PURPOSE: &str = "updating schema metadata";

/// The transformation.
pub(crate) struct SetSchemaMetadata {
    side: Side,
    name: Option<String>,
    version: Option<i32>,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl SetSchemaMetadata {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            name: None,
            version: None,
            replace_null: true,
            schemas: SchemaCache::default(),
        }
    }
}

impl Transformation for SetSchemaMetadata {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.name = config.get_string(SCHEMA_NAME).map(str::to_owned);
        self.version = config.get_int(SCHEMA_VERSION);
        self.replace_null = replaces_null(&config);
        self.schemas = SchemaCache::default();
        if self.name.is_none() && self.version.is_none() {
            return Err(ConnectError::config("Neither schema name nor version configured"));
        }
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(SCHEMA_NAME, Type::String)
                    .default_null()
                    .importance(Importance::High)
                    .doc("The schema's new name."),
            )
            .define(
                ConfigKey::new(SCHEMA_VERSION, Type::Int)
                    .default_null()
                    .importance(Importance::High)
                    .doc("The schema's new version."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        let Some(schema) = schema else {
            if value.is_null() {
                return Ok(Applied::Kept);
            }
            return Err(ConnectError::data(format!("Schema required for [{PURPOSE}]")));
        };
        let (name, version) = (self.name.as_deref(), self.version);
        let updated = self.schemas.get(schema, |schema| {
            // upstream asks every schema for its fields, which only structs have
            schema.fields()?;
            Ok(schema.with_name_and_version(name, version))
        })?;
        if let Value::Struct(inner) = value {
            inner.reshape(SchemaRef::clone(updated), |values| {
                let fields = updated.fields().unwrap_or_default();
                values
                    .iter_mut()
                    .zip(fields)
                    .try_for_each(|(value, field)| copy_null(value, field, self.replace_null))
            })?;
        }
        *schema = SchemaRef::clone(updated);
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, SchemaBuilder, Struct};

    use super::*;
    use crate::options::config;

    fn set<const N: usize>(pairs: [(&str, &str); N], record: Record) -> Result<Record> {
        let mut transformation = SetSchemaMetadata::new(Side::Value);
        transformation.configure(&config(pairs))?;
        Ok(transformation.applied(record)?.unwrap())
    }

    #[test]
    fn only_what_is_set_changes() {
        let schema = SchemaBuilder::structure()
            .name("old")
            .version(1)
            .doc("d")
            .optional()
            .field("f", Schema::int8())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("f", 5_i8)
            .unwrap();
        let record = Record::sink("t", 0, 0).with_value(Some(SchemaRef::clone(&schema)), value);
        for (key, text, name, version) in [
            ("schema.name", "new", "new", 1),
            ("schema.version", "7", "old", 7),
        ] {
            let changed = set([(key, text)], record.clone()).unwrap();
            let schema = changed.value_schema.unwrap();
            assert_eq!((schema.name(), schema.version()), (Some(name), Some(version)));
            assert_eq!((schema.doc(), schema.is_optional()), (Some("d"), true));
            assert_eq!(changed.value.as_struct().unwrap().schema(), &schema);
            assert_eq!(changed.value.as_struct().unwrap().values(), [5_i8.into()]);
        }
        let tombstone = Record::sink("t", 0, 0).with_value(Some(schema), Value::Null);
        let changed = set([("schema.name", "new")], tombstone).unwrap();
        assert_eq!(changed.value_schema.unwrap().name(), Some("new"));
        let empty = Record::sink("t", 0, 0);
        assert_eq!(set([("schema.name", "new")], empty.clone()).unwrap(), empty);
    }

    #[test]
    fn other_schemas_and_none_are_refused() {
        for (record, message) in [
            (
                Record::sink("t", 0, 0).with_value(None, 1),
                "Schema required for [updating schema metadata]",
            ),
            (
                Record::sink("t", 0, 0).with_value(Some(Schema::int32()), 1),
                "Cannot list fields on non-struct type",
            ),
        ] {
            assert_eq!(
                set([("schema.name", "n")], record).unwrap_err().message(),
                message
            );
        }
        assert_eq!(
            set([], Record::sink("t", 0, 0)).unwrap_err().message(),
            "Neither schema name nor version configured"
        );
    }
}
