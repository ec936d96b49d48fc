//! Values that are not of the schema they come with, as a transform or a connector with a defect makes them.

use wharf_api::{ConnectError, Converter, ErrorKind, Headers, SchemaRef, Struct, Value};

use crate::converters::encode;

/// The most bytes that a value of a test may become. A length that was taken from a wrong place is far beyond.
const MOST_BYTES: usize = 16 << 20;

/// A value with one part of it replaced: the one at this place, counted from the outside in and round again.
#[must_use]
pub fn with_part_replaced(value: &Value, place: usize, by: &Value) -> Value {
    let mut left = place % count(value);
    replaced(value, &mut left, by)
}

fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Struct(inner) => inner.values().iter().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + parts(value).into_iter().map(count).sum::<usize>()
}

fn replaced(value: &Value, left: &mut usize, by: &Value) -> Value {
    let Some(next) = left.checked_sub(1) else {
        // Nothing more is counted down: what comes behind is never at place 0.
        *left = usize::MAX;
        return by.clone();
    };
    *left = next;
    match value {
        Value::Struct(inner) => {
            let values = inner.values().iter().map(|value| replaced(value, left, by));
            let values = values.collect();
            Value::from(Struct::from_values(SchemaRef::clone(inner.schema()), values))
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| replaced(item, left, by)).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (replaced(key, left, by), replaced(value, left, by)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Has a converter write a value that may not be of the schema: that is a data error, or it writes not much. Gives why what was
/// written cannot be read, if so.
///
/// # Panics
/// When it is anything else.
pub fn check_mismatched(
    converter: &mut dyn Converter,
    schema: Option<&SchemaRef>,
    value: &Value,
) -> Option<ConnectError> {
    let mut headers = Headers::new();
    match encode(converter, "t", &mut headers, schema, value.as_ref()) {
        Ok(Some(bytes)) => {
            assert!(bytes.len() < MOST_BYTES, "{} bytes", bytes.len());
            converter.decode("t", &headers, Some(&bytes)).err()
        }
        Ok(None) => None,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{}", error.trace());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_replaced_by_its_place() {
        let value = Value::Array(vec![
            Value::Int32(1),
            Value::Map(vec![(Value::Int32(2), Value::Int32(3))]),
            Value::Int32(4),
        ]);
        let by = Value::Null;
        let texts: Vec<String> = (0..6)
            .map(|place| format!("{:?}", with_part_replaced(&value, place, &by)))
            .collect();
        assert_eq!(texts[0], "Null");
        for (place, gone) in [(1, "Int32(1)"), (3, "Int32(2)"), (4, "Int32(3)"), (5, "Int32(4)")] {
            assert!(!texts[place].contains(gone), "{}", texts[place]);
            assert_eq!(texts[place].matches("Int32").count(), 3, "{}", texts[place]);
        }
        assert_eq!(texts[2].matches("Int32").count(), 2);
        assert_eq!(with_part_replaced(&value, 6, &by), Value::Null);
    }
}
