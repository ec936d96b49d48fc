//! `MaskField`: replaces fields by the null-like value of their class, or by a given text or number.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::{
    Applied, ConfigMap, ConnectError, Decimal, Record, Result, SchemaRef, Transformation, Value, values,
};

use crate::options::{list, replace_null_with_default, replaces_null};
use crate::requirements::{map_get, map_put, require_map, require_struct};
use crate::schema_util::copy_null;
use crate::side::Side;

const FIELDS: &str = "fields";
const REPLACEMENT: &str = "replacement";
const PURPOSE: &str = "mask fields";

/// The transformation.
pub(crate) struct MaskField {
    side: Side,
    fields: Vec<String>,
    replacement: Option<String>,
    replace_null: bool,
}

impl MaskField {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            fields: Vec::new(),
            replacement: None,
            replace_null: true,
        }
    }

    fn masked(&self, value: &Value) -> Result<Value> {
        match &self.replacement {
            _ if value.is_null() => Ok(Value::Null),
            None => without_replacement(value),
            Some(replacement) => with_replacement(value, replacement),
        }
    }
}

fn without_replacement(value: &Value) -> Result<Value> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        // of scale 0 whatever the schema says, as upstream
        Value::Decimal(_) => Value::Decimal(Decimal::new(0, 0)),
        Value::Date(_) => Value::Date(0),
        Value::String(_) => Value::String(String::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Map(_) => Value::Map(Vec::new()),
        Value::Null | Value::Bytes(_) | Value::Struct(_) => {
            return Err(ConnectError::data(format!(
                "Cannot mask value of type: class {}",
                value.java_class()
            )));
        }
    })
}

fn with_replacement(value: &Value, replacement: &str) -> Result<Value> {
    let text = || Value::from(replacement);
    Ok(match value {
        Value::String(_) => text(),
        Value::Int8(_) => values::convert_to_byte(None, &text())?.into(),
        Value::Int16(_) => values::convert_to_short(None, &text())?.into(),
        Value::Int32(_) => values::convert_to_integer(None, &text())?.into(),
        Value::Int64(_) => values::convert_to_long(None, &text())?.into(),
        Value::Float32(_) => values::convert_to_float(None, &text())?.into(),
        Value::Float64(_) => values::convert_to_double(None, &text())?.into(),
        Value::Decimal(_) => replacement.parse::<Decimal>().map(Value::from).map_err(|_| {
            ConnectError::data(format!(
                "Unable to convert {replacement} (class java.lang.String) to number"
            ))
        })?,
        other => {
            return Err(ConnectError::data(format!(
                "Cannot mask value of type class {} with custom replacement.",
                other.java_class()
            )));
        }
    })
}

impl Transformation for MaskField {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.fields = list(&config, FIELDS);
        self.replacement = config.get_string(REPLACEMENT).map(str::to_owned);
        self.replace_null = replaces_null(&config);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(FIELDS, Type::List)
                    .validator(Validator::distinct_list(false, false))
                    .importance(Importance::High)
                    .doc("Names of the fields to mask."),
            )
            .define(
                ConfigKey::new(REPLACEMENT, Type::String)
                    .default_null()
                    .validator(Validator::NonEmptyString)
                    .importance(Importance::Low)
                    .doc("What stands in the masked fields instead; for texts and numbers only."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        if schema.is_none() {
            let entries = require_map(value, PURPOSE)?;
            for field in &self.fields {
                let masked = self.masked(map_get(entries, field).unwrap_or(&Value::Null))?;
                map_put(entries, field, masked);
            }
            return Ok(Applied::Kept);
        }
        let inner = require_struct(value, PURPOSE)?;
        let own = SchemaRef::clone(inner.schema());
        let fields = own.fields()?;
        inner.reshape(SchemaRef::clone(&own), |values| {
            values.iter_mut().zip(fields).try_for_each(|(value, field)| {
                copy_null(value, field, self.replace_null)?;
                if self.fields.iter().any(|name| name == field.name()) {
                    *value = self.masked(value)?;
                }
                Ok::<(), ConnectError>(())
            })
        })?;
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Schema, SchemaBuilder, Struct};

    use super::*;
    use crate::options::config;

    fn mask(replacement: Option<&str>) -> MaskField {
        let mut given = config([("fields", "a")]);
        if let Some(replacement) = replacement {
            given.insert("replacement".to_owned(), replacement.to_owned());
        }
        let mut transformation = MaskField::new(Side::Value);
        transformation.configure(&given).unwrap();
        transformation
    }

    fn masked(replacement: Option<&str>, value: Value) -> Result<Value, String> {
        let record = Record::sink("t", 0, 0).with_value(None, Value::Map(vec![("a".into(), value)]));
        match mask(replacement).applied(record) {
            Ok(record) => Ok(record.unwrap().value.get("a").unwrap().clone()),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    #[test]
    fn each_class_has_its_mask() {
        for (value, expected) in [
            (Value::Null, Value::Null),
            (true.into(), false.into()),
            (5_i8.into(), 0_i8.into()),
            (5_i64.into(), 0_i64.into()),
            (5.5.into(), 0.0.into()),
            (Decimal::new(156, 2).into(), Decimal::new(0, 0).into()),
            (Value::Date(9), Value::Date(0)),
            ("x".into(), "".into()),
            (Value::Array(vec![1.into()]), Value::Array(vec![])),
            (Value::Map(vec![(1.into(), 1.into())]), Value::Map(vec![])),
        ] {
            assert_eq!(masked(None, value), Ok(expected));
        }
        assert_eq!(
            masked(None, (&b"x"[..]).into()),
            Err("Cannot mask value of type: class [B".to_owned())
        );
    }

    #[test]
    fn a_replacement_becomes_the_class_of_what_it_replaces() {
        for (replacement, value, expected) in [
            ("123", Value::from(5), Ok(Value::from(123))),
            ("1.9", Value::from(5_i8), Ok(Value::from(1_i8))),
            ("1.9", Value::from(5.5), Ok(Value::from(1.9))),
            ("x", "y".into(), Ok("x".into())),
            ("x", Value::Null, Ok(Value::Null)),
            ("1.50", Decimal::new(1, 0).into(), Ok(Decimal::new(150, 2).into())),
            (
                "x",
                Decimal::new(1, 0).into(),
                Err("Unable to convert x (class java.lang.String) to number"),
            ),
            (
                "1",
                true.into(),
                Err("Cannot mask value of type class java.lang.Boolean with custom replacement."),
            ),
        ] {
            assert_eq!(masked(Some(replacement), value), expected.map_err(str::to_owned));
        }
        assert!(masked(Some("abc"), 5.into()).is_err());
    }

    #[test]
    fn a_struct_keeps_its_schema() {
        let schema = SchemaBuilder::structure()
            .field("a", SchemaBuilder::int32().default_value(7).build().unwrap())
            .field("b", Schema::optional_string())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("b", "x")
            .unwrap();
        let record = Record::sink("t", 0, 0).with_value(Some(schema), value);
        let changed = mask(None).applied(record.clone()).unwrap().unwrap();
        assert_eq!(
            changed.value.as_struct().unwrap().values(),
            [0.into(), "x".into()]
        );
        assert_eq!(changed.value_schema, record.value_schema);
    }
}
