//! Whether a value suits a schema: upstream's rules and wording.

use std::fmt;

use crate::error::{ConnectError, Result};
use crate::logical;
use crate::schema::{Schema, SchemaType};
use crate::value::Value;

/// Where in a record a value stands, as error messages say it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Location<'a> {
    Value,
    Field(&'a str),
    Element(&'a Location<'a>),
    MapKey(&'a Location<'a>),
    MapValue(&'a Location<'a>),
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Field(name) => write!(f, "field: \"{name}\""),
            Self::Element(outer) => write!(f, "element of array {outer}"),
            Self::MapKey(outer) => write!(f, "key of map {outer}"),
            Self::MapValue(outer) => write!(f, "value of map {outer}"),
        }
    }
}

/// Checks a top-level value.
pub(crate) fn validate_value(schema: &Schema, value: &Value) -> Result<()> {
    validate_at(schema, value, &Location::Value)
}

/// Checks a value at the given place.
pub(crate) fn validate_at(schema: &Schema, value: &Value, location: &Location<'_>) -> Result<()> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(ConnectError::data(format!(
            "Invalid value: null used for required {location}, schema type: {}",
            schema.schema_type()
        )));
    }
    if !class_suits(schema, value) {
        let name = schema
            .name()
            .map(|name| format!(" \"{name}\""))
            .unwrap_or_default();
        return Err(ConnectError::data(format!(
            "Invalid Java object for schema{name} with type {}: class {} for {location}",
            schema.schema_type(),
            value.java_class()
        )));
    }
    match value {
        Value::Struct(inner) if **inner.schema() != *schema => {
            Err(ConnectError::data("Struct schemas do not match."))
        }
        Value::Struct(inner) => inner.validate(),
        Value::Array(items) => {
            let element = schema
                .value_schema
                .as_ref()
                .ok_or_else(|| no_schema(&Location::Element(location)))?;
            items
                .iter()
                .try_for_each(|item| validate_at(element, item, &Location::Element(location)))
        }
        Value::Map(entries) => {
            let key = schema
                .key_schema
                .as_ref()
                .ok_or_else(|| no_schema(&Location::MapKey(location)))?;
            let item = schema
                .value_schema
                .as_ref()
                .ok_or_else(|| no_schema(&Location::MapValue(location)))?;
            entries.iter().try_for_each(|(k, v)| {
                validate_at(key, k, &Location::MapKey(location))?;
                validate_at(item, v, &Location::MapValue(location))
            })
        }
        _ => Ok(()),
    }
}

fn no_schema(location: &Location<'_>) -> ConnectError {
    ConnectError::data(format!("No schema defined for {location}"))
}

/// Whether the value's class is one that the schema takes, looking only at the outermost level. For the four logical
/// names the replacement is total, and whatever the type: a plain integer offered to a Date schema does not suit it, nor
/// does a text offered to a STRING schema of that name.
pub(crate) fn class_suits(schema: &Schema, value: &Value) -> bool {
    match schema.name() {
        Some(logical::DECIMAL) => matches!(value, Value::Decimal(_)),
        Some(logical::DATE | logical::TIME | logical::TIMESTAMP) => matches!(value, Value::Date(_)),
        _ => type_suits(schema.schema_type(), value),
    }
}

/// Whether the value's class is the plain one of the type.
pub(crate) fn type_suits(schema_type: SchemaType, value: &Value) -> bool {
    matches!(
        (schema_type, value),
        (SchemaType::Int8, Value::Int8(_))
            | (SchemaType::Int16, Value::Int16(_))
            | (SchemaType::Int32, Value::Int32(_))
            | (SchemaType::Int64, Value::Int64(_))
            | (SchemaType::Float32, Value::Float32(_))
            | (SchemaType::Float64, Value::Float64(_))
            | (SchemaType::Boolean, Value::Boolean(_))
            | (SchemaType::String, Value::String(_))
            | (SchemaType::Bytes, Value::Bytes(_))
            | (SchemaType::Array, Value::Array(_))
            | (SchemaType::Map, Value::Map(_))
            | (SchemaType::Struct, Value::Struct(_))
    )
}
