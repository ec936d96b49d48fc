//! `ExtractField`: the whole key or value becomes one of its fields.

use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::{Applied, ConfigMap, ConnectError, Record, Result, SchemaRef, Transformation, Value};

use crate::field_path::{FIELD_SYNTAX_VERSION, FieldPath, field_syntax_version};
use crate::options::{replace_null_with_default, replaces_null, text};
use crate::requirements::{no_map, no_struct};
use crate::side::Side;

const FIELD: &str = "field";
const PURPOSE: &str = "field extraction";

/// The transformation.
pub(crate) struct ExtractField {
    side: Side,
    original_path: String,
    path: FieldPath,
    replace_null: bool,
}

impl ExtractField {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            original_path: String::new(),
            path: FieldPath::default(),
            replace_null: true,
        }
    }
}

impl Transformation for ExtractField {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.original_path = text(&config, FIELD)?;
        self.path = FieldPath::new(&self.original_path, config.string(FIELD_SYNTAX_VERSION)?)?;
        self.replace_null = replaces_null(&config);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(FIELD, Type::String).doc("Name of the field, or path to it, that is kept."),
            )
            .define(replace_null_with_default())
            .define(field_syntax_version())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        let whole = std::mem::take(value);
        if let Some(known) = schema {
            if !matches!(whole, Value::Struct(_) | Value::Null) {
                return Err(no_struct(&whole, PURPOSE));
            }
            let field = self.path.field_from(known)?.ok_or_else(|| {
                ConnectError::connect(format!("Unknown field: {}", self.original_path))
                    .with_class("java.lang.IllegalArgumentException")
            })?;
            let extracted = SchemaRef::clone(field.schema());
            if let Value::Struct(inner) = whole {
                *value = self.path.take_from_struct(*inner, self.replace_null)?;
            }
            *schema = Some(extracted);
        } else {
            *value = match whole {
                Value::Null => Value::Null,
                Value::Map(entries) => self.path.take_from_map(entries)?,
                other => return Err(no_map(&other, PURPOSE)),
            };
        }
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, SchemaBuilder, Struct};

    use super::*;
    use crate::options::config;

    fn extract(record: Record, field: &str) -> Result<Record> {
        let mut transformation = ExtractField::new(Side::Key);
        transformation.configure(&config([("field", field)]))?;
        Ok(transformation.applied(record)?.unwrap())
    }

    #[test]
    fn the_field_replaces_the_whole() {
        let schema = SchemaBuilder::structure()
            .field("magic", Schema::int32())
            .field("other", Schema::optional_string())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("magic", 42)
            .unwrap();
        let record = Record::sink("t", 0, 0).with_key(Some(SchemaRef::clone(&schema)), value);
        let extracted = extract(record.clone(), "magic").unwrap();
        assert_eq!(extracted.key, Value::from(42));
        assert_eq!(extracted.key_schema, Some(Schema::int32()));
        let tombstone = Record::sink("t", 0, 0).with_key(Some(schema), Value::Null);
        let extracted = extract(tombstone, "other").unwrap();
        assert_eq!(
            (extracted.key, extracted.key_schema),
            (Value::Null, Some(Schema::optional_string()))
        );
        let error = extract(record, "nope").unwrap_err();
        assert_eq!(
            (error.message(), error.class()),
            ("Unknown field: nope", "java.lang.IllegalArgumentException")
        );
    }

    #[test]
    fn without_schema_a_missing_field_is_null() {
        let map = Value::Map(vec![("magic".into(), 42.into())]);
        let record = Record::sink("t", 0, 0).with_key(None, map);
        assert_eq!(extract(record.clone(), "magic").unwrap().key, Value::from(42));
        assert_eq!(extract(record, "nope").unwrap().key, Value::Null);
        assert_eq!(extract(Record::sink("t", 0, 0), "x").unwrap().key, Value::Null);
    }

    #[test]
    fn other_values_are_refused() {
        let record = Record::sink("t", 0, 0).with_key(None, 5);
        assert_eq!(
            extract(record, "x").unwrap_err().message(),
            "Only Map objects supported in absence of schema for [field extraction], found: java.lang.Integer"
        );
        let record = Record::sink("t", 0, 0).with_key(Some(Schema::int32()), 5);
        assert_eq!(
            extract(record, "x").unwrap_err().message(),
            "Only Struct objects supported for [field extraction], found: java.lang.Integer"
        );
    }
}
