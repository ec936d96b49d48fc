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
        Value::Array(items) => match common_type(items.iter())? {
            Some(element) => Some(Schema::inferred_array(Some(part_schema(element)?))),
            None => None,
        },
        Value::Map(entries) => {
            let keys = common_type(entries.iter().map(|(key, _)| key))?;
            let values = common_type(entries.iter().map(|(_, value)| value))?;
            match (keys, values) {
                (Some(keys), Some(values)) => Some(Schema::inferred_map(
                    Some(part_schema(keys)?),
                    Some(part_schema(values)?),
                )),
                _ => None,
            }
        }
    })
}

/// What the parts of a container have in common.
struct Common {
    /// `None` when all of them are null.
    schema_type: Option<SchemaType>,
    has_null: bool,
}

/// The type that all parts have; `None` when there are no parts, or parts of no known type or of several.
fn common_type<'v>(parts: impl Iterator<Item = &'v Value>) -> Result<Option<Common>> {
    let mut common = None;
    for part in parts {
        let common: &mut Common = common.get_or_insert(Common {
            schema_type: None,
            has_null: false,
        });
        if part.is_null() {
            common.has_null = true;
            continue;
        }
        let Some(schema) = infer_schema(part)? else {
            return Ok(None);
        };
        let schema_type = schema.schema_type();
        if *common.schema_type.get_or_insert(schema_type) != schema_type {
            return Ok(None);
        }
    }
    Ok(common)
}

/// The schema of parts of this type; nulls make it optional.
fn part_schema(common: Common) -> Result<SchemaRef> {
    match common.schema_type {
        Some(schema_type) => Ok(Arc::new(Schema::plain(schema_type, common.has_null))),
        None => Err(ConnectError::schema_builder("type cannot be null")),
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
            // Unknown values count before keys that are null.
            (Value::Map(vec![(Value::Null, list(vec![]))]), None),
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
