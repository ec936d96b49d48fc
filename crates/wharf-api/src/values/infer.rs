//! The schema of a value that came without one.

use std::sync::Arc;

use crate::error::{ConnectError, Result};
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::value::Value;

/// The schema of a value: a required one, a struct's own, and for arrays and maps one whose parts are known by type
/// only. `None` when it cannot be told: dates and decimals, empty containers, and those with parts of several types.
///
/// # Errors
/// A schema builder error for a container that holds nothing but nulls, as upstream.
pub fn infer_schema(value: &Value) -> Result<Option<SchemaRef>> {
    Ok(match value {
        Value::Null | Value::Date(_) | Value::Decimal(_) => None,
        Value::Boolean(_) => Some(Schema::boolean()),
        Value::Int8(_) => Some(Schema::int8()),
        Value::Int16(_) => Some(Schema::int16()),
        Value::Int32(_) => Some(Schema::int32()),
        Value::Int64(_) => Some(Schema::int64()),
        Value::Float32(_) => Some(Schema::float32()),
        Value::Float64(_) => Some(Schema::float64()),
        Value::String(_) => Some(Schema::string()),
        Value::Bytes(_) => Some(Schema::bytes()),
        Value::Struct(value) => Some(Arc::clone(value.schema())),
        Value::Array(items) => {
            part_schema(items.iter())?.map(|element| Schema::inferred_array(Some(element)))
        }
        Value::Map(entries) => {
            let Some(key) = part_schema(entries.iter().map(|(key, _)| key))? else {
                return Ok(None);
            };
            let Some(value) = part_schema(entries.iter().map(|(_, value)| value))? else {
                return Ok(None);
            };
            Some(Schema::inferred_map(Some(key), Some(value)))
        }
    })
}

/// The type that all parts have; nulls make it optional.
fn part_schema<'v>(parts: impl Iterator<Item = &'v Value>) -> Result<Option<SchemaRef>> {
    let mut known: Option<SchemaType> = None;
    let (mut optional, mut is_empty) = (false, true);
    for part in parts {
        is_empty = false;
        if part.is_null() {
            optional = true;
            continue;
        }
        let Some(schema) = infer_schema(part)? else {
            return Ok(None);
        };
        if known.is_some_and(|known| known != schema.schema_type()) {
            return Ok(None);
        }
        known = Some(schema.schema_type());
    }
    match known {
        None if is_empty => Ok(None),
        None => Err(ConnectError::schema_builder("type cannot be null")),
        Some(schema_type) => Ok(Some(Arc::new(Schema::plain(schema_type, optional)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_those_of_the_classes() {
        let list = |items: Vec<Value>| Value::Array(items);
        for (value, schema) in [
            (Value::Null, None),
            (Value::from("x"), Some(Schema::string())),
            (Value::from(1_i16), Some(Schema::int16())),
            (Value::Date(0), None),
            (list(vec![]), None),
            (list(vec![Value::from(1), Value::from("x")]), None),
            (
                list(vec![Value::from(1)]),
                Some(Schema::inferred_array(Some(Schema::int32()))),
            ),
            (
                list(vec![Value::from(1), Value::Null]),
                Some(Schema::inferred_array(Some(Schema::optional_int32()))),
            ),
            (
                Value::Map(vec![(Value::from("k"), Value::from(true))]),
                Some(Schema::inferred_map(
                    Some(Schema::string()),
                    Some(Schema::boolean()),
                )),
            ),
        ] {
            assert_eq!(infer_schema(&value).unwrap(), schema, "{value:?}");
        }
        let error = infer_schema(&list(vec![Value::Null])).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::SchemaBuilder);
    }
}
