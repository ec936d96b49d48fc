//! A connector's view of an offset store.
//!
//! Stores and Java workers look partitions up by the bytes of their keys. The same partition may have been written in
//! another form (fields in another order, by another tool), so a partition is looked up by what it means here, and
//! what is known keeps its bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_api::{OffsetMap, Result};

use super::offset_json::OffsetJson;
use super::store::{OffsetBackingStore, OffsetEntry};

/// Reads a connector's offsets, and makes the bytes by which they are written.
pub struct OffsetStorage {
    connector: String,
    store: Arc<dyn OffsetBackingStore>,
    state: Mutex<State>,
}

struct State {
    json: OffsetJson,
    /// Canonical form of a partition to the key it is stored under. Filled from the store when first needed.
    keys: Option<HashMap<Vec<u8>, Vec<u8>>>,
}

impl fmt::Debug for OffsetStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffsetStorage")
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}

impl OffsetStorage {
    /// The view of this connector.
    #[must_use]
    pub fn new(connector: impl Into<String>, store: Arc<dyn OffsetBackingStore>) -> Self {
        let state = Mutex::new(State {
            json: OffsetJson::new(),
            keys: None,
        });
        Self {
            connector: connector.into(),
            store,
            state,
        }
    }

    /// The connector's name.
    #[must_use]
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn OffsetBackingStore> {
        &self.store
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored offsets of these partitions, in their order.
    ///
    /// # Errors
    /// When the store cannot be read, a partition holds other things than primitives, or a stored offset is no offset.
    pub fn read(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        let keys = partitions
            .iter()
            .map(|partition| self.key_bytes(partition))
            .collect::<Result<Vec<_>>>()?;
        let values = self.store.get(&keys)?;
        let json = &mut self.state().json;
        values
            .into_iter()
            .map(|value| value.map_or(Ok(None), |value| json.offset_of(&value)))
            .collect()
    }

    /// The key of a partition: the one it is stored under, else the one that a Java worker would write.
    ///
    /// # Errors
    /// When the partition holds other things than primitives or the store cannot be read.
    pub fn key_bytes(&self, partition: &OffsetMap) -> Result<Vec<u8>> {
        let mut state = self.state();
        let State { json, keys } = &mut *state;
        let keys = match keys {
            Some(keys) => keys,
            None => keys.insert(self.known_keys(json)?),
        };
        let canonical = json.canonical(partition)?;
        if let Some(key) = keys.get(&canonical) {
            return Ok(key.clone());
        }
        let key = json.key(&self.connector, Some(partition))?;
        keys.insert(canonical, key.clone());
        Ok(key)
    }

    fn known_keys(&self, json: &mut OffsetJson) -> Result<HashMap<Vec<u8>, Vec<u8>>> {
        let mut keys = HashMap::new();
        for entry in self.store.connector_entries(&self.connector)? {
            let Ok(canonical) = json.canonical(&entry.partition) else {
                continue;
            };
            // Of several keys for one partition, the one that Java workers find counts.
            let is_javas = json.key(&self.connector, Some(&entry.partition))? == entry.key;
            if is_javas || !keys.contains_key(&canonical) {
                keys.insert(canonical, entry.key);
            }
        }
        Ok(keys)
    }

    /// The key of records without a source partition.
    ///
    /// # Errors
    /// Never for any name that a connector can have.
    pub fn null_partition_key(&self) -> Result<Vec<u8>> {
        self.state().json.key(&self.connector, None)
    }

    /// The bytes of an offset; `None` forgets the offset.
    ///
    /// # Errors
    /// When the offset holds other things than primitives.
    pub fn value_bytes(&self, offset: Option<&OffsetMap>) -> Result<Option<Vec<u8>>> {
        offset.map(|offset| self.state().json.value(offset)).transpose()
    }

    /// All partitions that have an offset, with it. Unreadable entries are left out and logged.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        let entries = self.store.connector_entries(&self.connector)?;
        let json = &mut self.state().json;
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut list: Vec<(OffsetMap, OffsetMap)> = Vec::new();
        for entry in entries {
            let Some(value) = entry.value else { continue };
            let (offset, canonical) = match (json.offset_of(&value), json.canonical(&entry.partition)) {
                (Ok(Some(offset)), Ok(canonical)) => (offset, canonical),
                (Ok(None), Ok(_)) => continue,
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(connector = %self.connector, "unreadable offset ignored: {error:#}");
                    continue;
                }
            };
            // A partition stored under several keys shows the offset that `read` gives.
            match seen.get(&canonical) {
                Some(at) => {
                    if json.key(&self.connector, Some(&entry.partition))? == entry.key {
                        list[*at] = (entry.partition, offset);
                    }
                }
                None => {
                    seen.insert(canonical, list.len());
                    list.push((entry.partition, offset));
                }
            }
        }
        Ok(list)
    }

    /// What a partition or offset becomes when it is stored and read again, as connectors are shown it before a change.
    ///
    /// # Errors
    /// When it holds other things than primitives.
    pub fn normalize(&self, map: &OffsetMap) -> Result<OffsetMap> {
        self.state().json.normalize(map)
    }

    /// Stores offsets now; `None` forgets one. For changes through the REST API.
    ///
    /// # Errors
    /// When a map holds other things than primitives or the store cannot be written.
    pub fn write(&self, changes: &[(OffsetMap, Option<OffsetMap>)]) -> Result<()> {
        self.store.set(self.entries(changes)?)
    }

    /// The entries by which [`write`](Self::write) would store these offsets.
    ///
    /// # Errors
    /// When a map holds other things than primitives.
    pub fn entries(&self, changes: &[(OffsetMap, Option<OffsetMap>)]) -> Result<Vec<OffsetEntry>> {
        changes
            .iter()
            .map(|(partition, offset)| Ok((self.key_bytes(partition)?, self.value_bytes(offset.as_ref())?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::MemoryOffsetBackingStore;

    fn storage(entries: &[(&str, Option<&str>)]) -> OffsetStorage {
        let store = MemoryOffsetBackingStore::default();
        store
            .set(
                entries
                    .iter()
                    .map(|(key, value)| ((*key).into(), value.map(Into::into)))
                    .collect(),
            )
            .unwrap();
        OffsetStorage::new("c", Arc::new(store))
    }

    fn partition() -> OffsetMap {
        [("cluster", "k"), ("topic", "t"), ("partition", "0")].into()
    }

    const JAVAS: &str = r#"["c",{"cluster":"k","partition":"0","topic":"t"}]"#;
    const OTHER: &str = r#"["c",{"topic":"t", "cluster":"k","partition":"0"}]"#;

    #[test]
    fn a_new_partition_gets_the_key_that_java_would_write() {
        assert_eq!(storage(&[]).key_bytes(&partition()), Ok(JAVAS.into()));
        assert_eq!(storage(&[]).null_partition_key(), Ok(br#"["c",null]"#.to_vec()));
    }

    #[test]
    fn a_partition_is_found_in_any_form_and_keeps_its_key() {
        let storage = storage(&[(OTHER, Some(r#"{"p":1}"#))]);
        assert_eq!(storage.key_bytes(&partition()), Ok(OTHER.into()));
        let unknown: OffsetMap = [("cluster", "other")].into();
        assert_eq!(
            storage.read(&[unknown, partition()]),
            Ok(vec![None, Some([("p", 1_i64)].into())])
        );
        storage
            .write(&[(partition(), Some([("p", 2_i64)].into()))])
            .unwrap();
        assert_eq!(storage.list(), Ok(vec![(partition(), [("p", 2_i64)].into())]));
    }

    #[test]
    fn of_two_keys_for_a_partition_the_one_java_finds_counts() {
        let storage = storage(&[(OTHER, Some(r#"{"p":1}"#)), (JAVAS, Some(r#"{"p":2}"#))]);
        assert_eq!(
            storage.read(&[partition()]),
            Ok(vec![Some([("p", 2_i64)].into())])
        );
        assert_eq!(storage.list(), Ok(vec![(partition(), [("p", 2_i64)].into())]));
    }

    #[test]
    fn narrow_numbers_find_what_was_stored_as_wide_ones() {
        let storage = storage(&[(r#"["c",{"shard":7}]"#, Some(r#"{"p":1}"#))]);
        assert_eq!(
            storage.read(&[[("shard", 7_i32)].into()]),
            Ok(vec![Some([("p", 1_i64)].into())])
        );
        assert_eq!(storage.read(&[[("shard", "7")].into()]), Ok(vec![None]));
    }

    #[test]
    fn a_forgotten_offset_is_neither_read_nor_listed_but_its_key_stays() {
        let storage = storage(&[(OTHER, Some(r#"{"p":1}"#))]);
        storage.write(&[(partition(), None)]).unwrap();
        assert_eq!(storage.read(&[partition()]), Ok(vec![None]));
        assert_eq!(storage.list(), Ok(vec![]));
        assert_eq!(storage.key_bytes(&partition()), Ok(OTHER.into()));
        assert_eq!(storage.value_bytes(None), Ok(None));
    }

    #[test]
    fn another_connectors_offsets_are_not_seen() {
        let storage = storage(&[(r#"["d",{"f":"x"}]"#, Some(r#"{"p":1}"#))]);
        assert_eq!(storage.read(&[[("f", "x")].into()]), Ok(vec![None]));
        assert_eq!(storage.list(), Ok(vec![]));
    }
}
