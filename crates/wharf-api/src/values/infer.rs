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
            let mut element = Common::default();
            if items.is_empty() || !all(items, |item| element.takes(item))? {
                return Ok(None);
            }
            Some(Schema::inferred_array(Some(element.schema()?)))
        }
        Value::Map(entries) => {
            let (mut keys, mut values) = (Common::default(), Common::default());
            // Entry by entry: what is not told by its key is not looked at, nor is what comes after.
            let is_told = |(key, value): &(Value, Value)| Ok(keys.takes(key)? && values.takes(value)?);
            if entries.is_empty() || !all(entries, is_told)? {
                return Ok(None);
            }
            Some(Schema::inferred_map(Some(keys.schema()?), Some(values.schema()?)))
        }
    })
}

/// Whether this holds for all parts of a container, up to the first error.
fn all<T>(parts: &[T], mut holds: impl FnMut(&T) -> Result<bool>) -> Result<bool> {
    for part in parts {
        if !holds(part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the parts of a container have in common.
#[derive(Default)]
struct Common {
    /// `None` while all of them are null.
    schema_type: Option<SchemaType>,
    has_null: bool,
}

impl Common {
    /// Whether the part is null, or of a known type, which is that of the parts before.
    fn takes(&mut self, part: &Value) -> Result<bool> {
        if part.is_null() {
            self.has_null = true;
            return Ok(true);
        }
        let Some(schema) = infer_schema(part)? else {
            return Ok(false);
        };
        let schema_type = schema.schema_type();
        Ok(*self.schema_type.get_or_insert(schema_type) == schema_type)
    }

    /// The schema of parts of this type; nulls make it optional.
    fn schema(self) -> Result<SchemaRef> {
        match self.schema_type {
            Some(schema_type) => Ok(Arc::new(Schema::plain(schema_type, self.has_null))),
            None => Err(ConnectError::schema_builder("type cannot be null")),
        }
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
            // What a key leaves open, its value does not make an error.
            (Value::Map(vec![(Value::Date(0), list(vec![Value::Null]))]), None),
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
