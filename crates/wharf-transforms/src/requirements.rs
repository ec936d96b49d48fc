//! What several transformations demand of a record, in upstream's words. The purpose in the text tells them apart.

use wharf_api::{ConnectError, Origin, Record, Result, Struct, Value};

/// The entries of a map, as schemaless records have them.
pub(crate) type Entries = Vec<(Value, Value)>;

/// The entries of a value without schema.
pub(crate) fn require_map<'v>(value: &'v mut Value, purpose: &str) -> Result<&'v mut Entries> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(no_map(other, purpose)),
    }
}

/// As [`require_map`], without the right to change them.
pub(crate) fn require_map_ref<'v>(value: &'v Value, purpose: &str) -> Result<&'v Entries> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(no_map(other, purpose)),
    }
}

/// What upstream says of a value without schema that is no map.
#[cold]
pub fn no_map(value: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Map objects supported in absence of schema for [{purpose}], found: {}",
        value.java_class()
    ))
}

/// The struct of a value with schema.
pub(crate) fn require_struct<'v>(value: &'v mut Value, purpose: &str) -> Result<&'v mut Struct> {
    match value {
        Value::Struct(inner) => Ok(inner),
        other => Err(no_struct(other, purpose)),
    }
}

/// As [`require_struct`], without the right to change it.
pub(crate) fn require_struct_ref<'v>(value: &'v Value, purpose: &str) -> Result<&'v Struct> {
    match value {
        Value::Struct(inner) => Ok(inner),
        other => Err(no_struct(other, purpose)),
    }
}

/// What upstream says of a value with schema that is no struct.
#[cold]
pub fn no_struct(value: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Struct objects supported for [{purpose}], found: {}",
        value.java_class()
    ))
}

/// The offset of a consumed record.
pub(crate) fn require_sink_record(record: &Record, purpose: &str) -> Result<i64> {
    match &record.origin {
        Origin::Sink { offset, .. } => Ok(*offset),
        Origin::Source { .. } => Err(ConnectError::data(format!(
            "Only SinkRecord supported for [{purpose}], found: org.apache.kafka.connect.source.SourceRecord"
        ))),
    }
}

/// The failure of Java where it takes a key of a map for a text.
#[cold]
pub(crate) fn no_text(key: &Value) -> ConnectError {
    ConnectError::connect(format!(
        "class {} cannot be cast to class java.lang.String",
        key.java_class()
    ))
    .with_class("java.lang.ClassCastException")
}

/// The entry of a map with this name; of two equal ones the last, as everywhere.
pub(crate) fn map_get<'e>(entries: &'e Entries, name: &str) -> Option<&'e Value> {
    entries
        .iter()
        .rev()
        .find(|(key, _)| key.as_str() == Some(name))
        .map(|(_, value)| value)
}

/// Sets an entry of a map, in its place if it is there already.
pub(crate) fn map_put(entries: &mut Entries, name: &str, value: Value) {
    match entries
        .iter_mut()
        .rev()
        .find(|(key, _)| key.as_str() == Some(name))
    {
        Some(entry) => entry.1 = value,
        None => entries.push((Value::from(name), value)),
    }
}

/// Takes an entry out of a map; null when there is none.
pub(crate) fn map_remove(entries: &mut Entries, name: &str) -> Value {
    let mut removed = Value::Null;
    while let Some(at) = entries.iter().rposition(|(key, _)| key.as_str() == Some(name)) {
        let (_, value) = entries.remove(at);
        if removed.is_null() {
            removed = value;
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_purpose_and_class() {
        for (mut value, map, structure) in [
            (
                Value::Null,
                "Only Map objects supported in absence of schema for [p], found: null",
                "Only Struct objects supported for [p], found: null",
            ),
            (
                Value::Int32(1),
                "Only Map objects supported in absence of schema for [p], found: java.lang.Integer",
                "Only Struct objects supported for [p], found: java.lang.Integer",
            ),
        ] {
            assert_eq!(require_map(&mut value, "p").unwrap_err().message(), map);
            assert_eq!(require_struct(&mut value, "p").unwrap_err().message(), structure);
            assert_eq!(require_map_ref(&value, "p").unwrap_err().message(), map);
            assert_eq!(require_struct_ref(&value, "p").unwrap_err().message(), structure);
        }
    }

    #[test]
    fn of_two_equal_keys_the_last_counts() {
        let mut entries: Entries = vec![
            ("a".into(), 1.into()),
            (7.into(), 0.into()),
            ("a".into(), 2.into()),
        ];
        assert_eq!(map_get(&entries, "a"), Some(&Value::from(2)));
        map_put(&mut entries, "a", 3.into());
        map_put(&mut entries, "b", 4.into());
        assert_eq!(entries.len(), 4);
        assert_eq!(map_remove(&mut entries, "a"), Value::from(3));
        assert_eq!(map_remove(&mut entries, "a"), Value::Null);
        assert_eq!(entries, [(7.into(), 0.into()), ("b".into(), 4.into())]);
    }
}
