//! What was read of an offset topic: the latest offset of every source partition, by connector.
//!
//! What must stay true: a key is kept with its very bytes, because lookups compare bytes; an offset that was forgotten takes
//! no memory, but for its key where a store stands before another one; a record that is no offset changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::offset_json::OffsetJson;
use super::store::StoredEntry;

/// Why a record of an offset topic has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnreadableOffset {
    #[error("it has no key")]
    NoKey,
    #[error("its key is not a JSON array of a connector's name and a source partition")]
    Key,
}

/// A connector's offsets by key.
type Offsets = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Offsets by connector and key. An entry costs its key and value, twice 16 bytes for where they are, and about 60 for what
/// the allocator and the tree need: some 160 bytes for the position in a file of a usual name.
#[derive(Debug, Default)]
pub(crate) struct KnownOffsets {
    connectors: HashMap<Box<str>, Offsets>,
    /// Keys whose last record forgot them, where that matters.
    forgotten: Option<HashSet<Box<[u8]>>>,
    json: OffsetJson,
}

impl KnownOffsets {
    /// Knows also of what was forgotten, for a store that stands before another one.
    pub(super) fn remembering_forgotten() -> Self {
        Self {
            forgotten: Some(HashSet::new()),
            ..Self::default()
        }
    }

    /// Whether the last record of this key forgot it.
    pub(super) fn is_forgotten(&self, key: &[u8]) -> bool {
        self.forgotten.as_ref().is_some_and(|keys| keys.contains(key))
    }

    /// Applies a record. Empty values count as none, as for every JSON in the internal topics.
    pub(crate) fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), UnreadableOffset> {
        let key = key.ok_or(UnreadableOffset::NoKey)?;
        let connector = self.json.connector_of(key).ok_or(UnreadableOffset::Key)?;
        match value.filter(|value| !value.is_empty()) {
            Some(value) => {
                if let Some(forgotten) = &mut self.forgotten {
                    forgotten.remove(key);
                }
                let offsets = match self.connectors.get_mut(connector.as_str()) {
                    Some(offsets) => offsets,
                    None => self.connectors.entry(connector.into()).or_default(),
                };
                offsets.insert(key.into(), value.into());
            }
            None => {
                if let Some(forgotten) = &mut self.forgotten {
                    forgotten.insert(key.into());
                }
                if let Some(offsets) = self.connectors.get_mut(connector.as_str()) {
                    offsets.remove(key);
                    if offsets.is_empty() {
                        self.connectors.remove(connector.as_str());
                    }
                }
            }
        }
        Ok(())
    }

    /// The value of each key, in their order.
    pub(super) fn get(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let mut json = OffsetJson::new();
        keys.iter()
            .map(|key| {
                let connector = json.connector_of(key)?;
                let value = self.connectors.get(connector.as_str())?.get(key.as_slice())?;
                Some(value.to_vec())
            })
            .collect()
    }

    /// The entries of a connector that name a source partition, in the order of their keys.
    pub(crate) fn of_connector(&self, connector: &str) -> Vec<StoredEntry> {
        let mut json = OffsetJson::new();
        self.connectors
            .get(connector)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| {
                Some(StoredEntry {
                    partition: json.partition_of(connector, key)?,
                    key: key.to_vec(),
                    value: Some(value.to_vec()),
                })
            })
            .collect()
    }

    /// How many offsets of a connector there are.
    pub(super) fn count_of(&self, connector: &str) -> usize {
        self.connectors.get(connector).map_or(0, BTreeMap::len)
    }

    /// How many offsets there are.
    pub(super) fn len(&self) -> usize {
        self.connectors.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(records: &[(&str, Option<&str>)]) -> KnownOffsets {
        let mut known = KnownOffsets::default();
        for (key, value) in records {
            known
                .apply(Some(key.as_bytes()), value.map(str::as_bytes))
                .unwrap();
        }
        known
    }

    fn value(known: &KnownOffsets, key: &str) -> Option<String> {
        let found = known.get(&[key.into()]).remove(0);
        found.map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn the_last_record_of_a_key_counts() {
        let known = known(&[
            (r#"["a",{"f":"x"}]"#, Some(r#"{"p":1}"#)),
            (r#"["a",{"f":"x"}]"#, Some(r#"{"p":2}"#)),
            (r#"["a",{"f":"y"}]"#, Some(r#"{"p":3}"#)),
            (r#"["a",{"f":"y"}]"#, None),
            (r#"["b",{"f":"x"}]"#, Some(r#"{"p":4}"#)),
            (r#"["b",{"f":"x"}]"#, Some("")),
            (r#"["c",null]"#, Some(r#"{"p":5}"#)),
        ]);
        assert_eq!(value(&known, r#"["a",{"f":"x"}]"#).as_deref(), Some(r#"{"p":2}"#));
        assert_eq!(value(&known, r#"["a",{"f":"y"}]"#), None);
        assert_eq!(value(&known, r#"["b",{"f":"x"}]"#), None);
        assert_eq!(value(&known, r#"["c",null]"#).as_deref(), Some(r#"{"p":5}"#));
        assert_eq!(value(&known, r#"["d",null]"#), None);
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn keys_that_mean_the_same_in_other_bytes_are_others() {
        let known = known(&[
            (r#"["a",{"f":"x","g":1}]"#, Some(r#"{"p":1}"#)),
            (r#"["a",{"g":1,"f":"x"}]"#, Some(r#"{"p":2}"#)),
        ]);
        assert_eq!(
            value(&known, r#"["a",{"f":"x","g":1}]"#).as_deref(),
            Some(r#"{"p":1}"#)
        );
        assert_eq!(value(&known, r#"["a", {"f":"x","g":1}]"#), None);
        assert_eq!(known.of_connector("a").len(), 2);
    }

    #[test]
    fn a_connectors_entries_are_those_with_a_partition() {
        let known = known(&[
            (r#"["a\"b",{"f":"y"}]"#, Some(r#"{"p":2}"#)),
            (r#"["a\"b",{"f":"x"}]"#, Some(r#"{"p":1}"#)),
            (r#"["a\"b",null]"#, Some(r#"{"p":3}"#)),
            (r#"["other",{"f":"z"}]"#, Some(r#"{"p":4}"#)),
        ]);
        let keys: Vec<_> = known
            .of_connector("a\"b")
            .into_iter()
            .map(|entry| String::from_utf8(entry.key).unwrap())
            .collect();
        assert_eq!(keys, [r#"["a\"b",{"f":"x"}]"#, r#"["a\"b",{"f":"y"}]"#]);
        assert!(known.of_connector("nobody").is_empty());
    }

    #[test]
    fn records_of_others_are_refused_and_change_nothing() {
        let mut known = known(&[(r#"["a",{"f":"x"}]"#, Some(r#"{"p":1}"#))]);
        assert_eq!(known.apply(None, Some(b"{}")), Err(UnreadableOffset::NoKey));
        for key in [
            "",
            "status-connector-a",
            "{}",
            "[]",
            r#"["a"]"#,
            r#"["a",1]"#,
            r#"["a",{},1]"#,
            r#"[1,{}]"#,
        ] {
            let outcome = known.apply(Some(key.as_bytes()), Some(b"{}"));
            assert_eq!(outcome, Err(UnreadableOffset::Key), "{key}");
        }
        assert_eq!(known.len(), 1);
    }
}
