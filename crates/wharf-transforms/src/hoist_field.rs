//! `HoistField`: wraps the whole key or value into a struct or map of one field.

use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, Record, Result, SchemaBuilder, SchemaRef, Struct, Transformation, Value,
};

use crate::options::text;
use crate::schema_cache::SchemaCache;
use crate::side::Side;

const FIELD: &str = "field";

/// Room for fields that the next transforms may insert.
const ROOM: usize = 4;

/// The transformation.
pub(crate) struct HoistField {
    side: Side,
    field: String,
    schemas: SchemaCache<SchemaRef>,
}

impl HoistField {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            field: String::new(),
            schemas: SchemaCache::default(),
        }
    }
}

impl Transformation for HoistField {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.field = text(&self.config().parse(config)?, FIELD)?;
        self.schemas = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::new(FIELD, Type::String).doc("Name of the one field that holds what was the whole."),
        )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        let whole = std::mem::take(value);
        if let Some(schema) = schema {
            let field = &self.field;
            let hoisted = self.schemas.get(schema, |schema| {
                SchemaBuilder::structure()
                    .field(field, SchemaRef::clone(schema))
                    .build()
            })?;
            let hoisted = SchemaRef::clone(hoisted);
            check_field(&hoisted.fields()?[0], &whole)?;
            let mut values = Vec::with_capacity(ROOM);
            values.push(whole);
            *schema = SchemaRef::clone(&hoisted);
            *value = Struct::from_values(hoisted, values).into();
        } else {
            *value = Value::Map(vec![(Value::from(self.field.as_str()), whole)]);
        }
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, logical};

    use super::*;
    use crate::options::config;

    fn hoist(record: Record) -> Result<Record> {
        let mut transformation = HoistField::new(Side::Value);
        transformation.configure(&config([("field", " magic ")]))?;
        Ok(transformation.applied(record)?.unwrap())
    }

    #[test]
    fn a_value_without_schema_becomes_a_map() {
        let hoisted = hoist(Record::sink("t", 0, 0).with_value(None, 42)).unwrap();
        assert_eq!(hoisted.value, Value::Map(vec![("magic".into(), 42.into())]));
        assert_eq!(hoisted.value_schema, None);
    }

    #[test]
    fn a_value_with_schema_becomes_a_struct() {
        let hoisted = hoist(Record::sink("t", 0, 0).with_value(Some(Schema::int32()), 42)).unwrap();
        let schema = hoisted.value_schema.unwrap();
        assert_eq!(schema.field("magic").unwrap().unwrap().schema(), &Schema::int32());
        assert_eq!(
            hoisted.value.as_struct().unwrap().get_int32("magic").unwrap(),
            Some(42)
        );
        assert_eq!(hoisted.value.as_struct().unwrap().schema(), &schema);
    }

    #[test]
    fn a_value_that_does_not_suit_its_schema_is_refused() {
        for (schema, value) in [
            (Schema::int32(), Value::Null),
            (Schema::int32(), Value::from("x")),
            (logical::date(), Value::from(1)),
        ] {
            let error = hoist(Record::sink("t", 0, 0).with_value(Some(schema), value)).unwrap_err();
            assert!(error.message().contains("field: \"magic\""), "{error}");
        }
        assert!(
            hoist(Record::sink("t", 0, 0).with_value(Some(Schema::optional_int32()), Value::Null)).is_ok()
        );
    }
}
