//! A configuration as it stands in a record of the config topic.

use std::fmt;

use indexmap::IndexMap;

use crate::java_json::{Json, ObjectWriter};

/// Keys and values of a connector or task, unresolved: placeholders of config providers stand as they were written.
///
/// The order of insertion is kept, because it is the order in which records are written. Equality does not look at it,
/// as upstream's comparison of task configurations does not. Values may be secrets, so `Debug` shows the keys only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Properties(IndexMap<String, Option<String>>);

impl Properties {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key; `None` when the key is absent or its value is null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_deref()
    }

    /// Whether the key is there, be it with a null value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a key. One that was there keeps its place.
    pub fn insert(&mut self, key: impl Into<String>, value: Option<String>) {
        self.0.insert(key.into(), value);
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a record: `{"properties":{…}}`.
    pub(super) fn to_record_value(&self) -> Vec<u8> {
        let object = ObjectWriter::new().begin("properties");
        self.iter()
            .fold(object, |object, (key, value)| object.text(key, value))
            .finish()
    }

    /// What the `properties` of a record hold; on failure, the key whose value is no text, and what it is.
    pub(super) fn from_json(members: &IndexMap<String, Json>) -> Result<Self, (String, &'static str)> {
        members
            .iter()
            .map(|(key, value)| match value {
                Json::Text(text) => Ok((key.clone(), Some(text.clone()))),
                Json::Null => Ok((key.clone(), None)),
                other => Err((key.clone(), other.kind())),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Properties ")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), Some(value.into())))
                .collect(),
        )
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Properties {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_does_not_look_at_the_order() {
        let ab = Properties::from([("a", "1"), ("b", "2")]);
        assert_eq!(ab, Properties::from([("b", "2"), ("a", "1")]));
        assert_ne!(ab, Properties::from([("a", "1"), ("b", "3")]));
        assert_ne!(ab, Properties::from([("a", "1")]));
    }

    #[test]
    fn values_never_reach_a_log() {
        let properties = Properties::from([("password", "secret")]);
        assert_eq!(format!("{properties:?}"), r#"Properties {"password"}"#);
    }

    #[test]
    fn a_null_value_is_there_and_has_no_text() {
        let mut properties = Properties::from([("a", "1")]);
        properties.insert("n", None);
        assert!(properties.contains_key("n"));
        assert_eq!(properties.get("n"), None);
        assert_eq!(
            properties.to_record_value(),
            br#"{"properties":{"a":"1","n":null}}"#
        );
    }
}
