//! `ExtractField`: the whole key or value becomes one of its fields.

use wharf_api::batch::Datum;
use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, SchemaRef, Transformation, Value, ValueRef,
};

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

    /// The field of a struct, when it is there and not null.
    fn part_of<'v>(&self, whole: Datum<'v>) -> Option<Datum<'v>> {
        let steps = self.path.steps();
        if steps.is_empty() {
            return None;
        }
        let mut part = whole;
        for step in steps {
            let ValueRef::Struct(inner) = part.value else {
                return None;
            };
            part = Datum {
                schema: Some(part.schema?.field(step).ok()??.schema()),
                value: inner.get_without_default(step)?,
            };
        }
        (!part.value.is_null()).then_some(part)
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

    fn project<'v>(&self, key: Datum<'v>, value: Datum<'v>) -> Option<(Datum<'v>, Datum<'v>)> {
        match self.side {
            Side::Key => Some((self.part_of(key)?, value)),
            Side::Value => Some((key, self.part_of(value)?)),
        }
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
    fn a_projection_is_what_the_transform_makes_and_leaves_to_it_what_is_not_plain() {
        let inner = SchemaBuilder::structure()
            .field("x", Schema::optional_string())
            .optional()
            .build()
            .unwrap();
        let schema = SchemaBuilder::structure()
            .field("a", Schema::int32())
            .field("b", SchemaRef::clone(&inner))
            .build()
            .unwrap();
        let nested = |text: Option<&str>| {
            let x = Struct::new(SchemaRef::clone(&inner))
                .unwrap()
                .with("x", text)
                .unwrap();
            let value = Struct::new(SchemaRef::clone(&schema))
                .unwrap()
                .with("a", 1)
                .unwrap();
            value.with("b", x).unwrap()
        };
        for (path, text, is_projected) in [
            ("a", Some("t"), true),
            ("b", Some("t"), true),
            ("b.x", Some("t"), true),
            ("b.x", None, false),
            ("b.y", Some("t"), false),
            ("c", Some("t"), false),
            ("", Some("t"), false),
        ] {
            let mut transformation = ExtractField::new(Side::Key);
            transformation
                .configure(&config([("field", path), ("field.syntax.version", "V2")]))
                .unwrap();
            let record = Record::sink("t", 0, 0).with_key(Some(SchemaRef::clone(&schema)), nested(text));
            let other = Datum::new(None, ValueRef::Int8(1));
            let key = Datum::new(record.key_schema.as_ref(), &record.key);
            let projected = transformation.project(key, other);
            assert_eq!(projected.is_some(), is_projected, "{path} {text:?}");
            if let Some((part, same)) = projected {
                let applied = transformation.applied(record.clone()).unwrap().unwrap();
                assert_eq!(
                    (part.schema, part.value.to_value()),
                    (applied.key_schema.as_ref(), applied.key)
                );
                assert_eq!(same.value.to_value(), Value::Int8(1));
            }
        }
        let mut schemaless = ExtractField::new(Side::Value);
        schemaless.configure(&config([("field", "a")])).unwrap();
        let map = Value::Map(vec![("a".into(), 1.into())]);
        let value = Datum::new(None, &map);
        assert!(schemaless.project(Datum::default(), value).is_none());
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
