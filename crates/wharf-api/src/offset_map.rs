//! Source partitions and source offsets: small maps from text to primitive values, in insertion order.

use std::sync::Arc;

use crate::error::{ConnectError, Result};
use crate::value::Value;
use crate::value_ref::{MapRef, ValueRef};

/// A source partition (where records come from) or a source offset (how far it was read).
///
/// Keys are text; values are null or primitives. The order of insertion is kept, because the order of fields in the
/// stored JSON is derived from it.
///
/// Copies share their entries until one of them is changed.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap(Arc<Vec<(String, Value)>>);

impl OffsetMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an entry; one with the same key keeps its place.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        let entries = Arc::make_mut(&mut self.0);
        match entries.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }

    /// As [`insert`](Self::insert), for building a map in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The entries in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same entries in memory. As long as one of two such maps lives, no change can reach its
    /// entries through the other, so a map that is kept stands for what was read from it.
    #[inline]
    pub(crate) fn shares_entries(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Checks that every value is null or a primitive, as stored offsets need.
    ///
    /// # Errors
    /// A data error that names the key.
    pub fn check_primitive(&self) -> Result<()> {
        for (key, value) in self.iter() {
            if matches!(
                value,
                Value::Array(_) | Value::Map(_) | Value::Struct(_) | Value::Decimal(_) | Value::Date(_)
            ) {
                return Err(ConnectError::data(format!(
                    "Offsets may only contain primitive types as values, but field {key} contains a {}",
                    value.java_class()
                )));
            }
        }
        Ok(())
    }

    /// The map as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Map(
            self.0
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), value.clone()))
                .collect(),
        )
    }

    /// A map from a value with text keys.
    ///
    /// # Errors
    /// A data error when the value is not a map or a key is not text.
    pub fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::Map(entries) => Self::from_entries(MapRef::Owned(entries)),
            other => Err(ConnectError::data(format!(
                "expected a map, found a {}",
                other.java_class()
            ))),
        }
    }

    pub(crate) fn from_entries(entries: MapRef<'_>) -> Result<Self> {
        let mut map = Self::new();
        for (key, value) in entries.iter() {
            match key {
                ValueRef::String(key) => map.insert(key, value.to_value()),
                other => {
                    return Err(ConnectError::data(format!(
                        "Non-String keys are not allowed for offsets, found a {}",
                        other.java_class()
                    )));
                }
            }
        }
        Ok(map)
    }
}

/// Maps are equal when they have the same entries in any order.
impl PartialEq for OffsetMap {
    fn eq(&self, other: &Self) -> bool {
        // Most often the order is the same too, which is cheaper to see.
        self.0 == other.0
            || (self.len() == other.len() && self.0.iter().all(|(key, value)| other.get(key) == Some(value)))
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for OffsetMap {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for OffsetMap {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        entries
            .into_iter()
            .fold(Self::new(), |map, (key, value)| map.with(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_but_does_not_count() {
        let map = OffsetMap::new().with("b", 1).with("a", 2).with("b", 3);
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(map.get("b"), Some(&Value::Int32(3)));
        assert_eq!(map, OffsetMap::from([("a", 2), ("b", 3)]));
        assert_ne!(map, OffsetMap::from([("a", 2), ("b", 4)]));
        assert_ne!(map, OffsetMap::from([("a", 2)]));
        assert_eq!(OffsetMap::from_value(&map.to_value()).unwrap(), map);
    }

    /// Shared entries must not keep maps and batches on one thread.
    const _: fn() = || {
        fn is_shareable<T: Send + Sync>() {}
        is_shareable::<(OffsetMap, crate::RecordBatch)>();
    };

    #[test]
    fn a_change_does_not_reach_copies() {
        let kept = OffsetMap::new().with("a", 1);
        let mut changed = kept.clone();
        assert!(kept.shares_entries(&changed));
        changed.insert("a", 2);
        assert!(!kept.shares_entries(&changed));
        assert_eq!(
            (kept.get("a"), changed.get("a")),
            (Some(&Value::Int32(1)), Some(&Value::Int32(2)))
        );
    }

    #[test]
    fn only_primitive_values_with_text_keys_can_be_stored() {
        let nested = OffsetMap::new().with("a", 1).with("k", vec![Value::Null]);
        assert!(
            nested
                .check_primitive()
                .unwrap_err()
                .message()
                .contains("field k contains a java.util.ArrayList")
        );
        assert!(
            OffsetMap::new()
                .with("n", Value::Null)
                .with("t", "x")
                .check_primitive()
                .is_ok()
        );
        assert!(OffsetMap::from_value(&Value::Map(vec![(Value::from(1), Value::Null)])).is_err());
        assert!(OffsetMap::from_value(&Value::Null).is_err());
    }
}
