//! What an offset store can do, and one in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wharf_api::{OffsetMap, Result};

use super::offset_json::OffsetJson;

/// Key bytes and value bytes; no value forgets the offset, but the key stays known.
pub type OffsetEntry = (Vec<u8>, Option<Vec<u8>>);

/// One stored entry of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// The source partition that the key names.
    pub partition: OffsetMap,
    /// The key's very bytes.
    pub key: Vec<u8>,
    /// The offset's bytes; `None` when it was forgotten.
    pub value: Option<Vec<u8>>,
}

/// Keeps offsets of all connectors as bytes.
pub trait OffsetBackingStore: Send + Sync {
    /// The values of these keys, in their order. It does not wait for a write that is going on here; a store in Kafka first
    /// reads what all workers have written.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>>;

    /// Adds entries or replaces those with the same key, later ones winning. When it returns they survive the end of the
    /// process; when it fails, each entry is stored or is as it was before.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()>;

    /// All entries whose key names this connector and a partition, in the order of their keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>>;
}

/// Entries by key, as stores hold them in memory.
pub(super) type Entries = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The entries of a connector among all.
pub(super) fn entries_of(entries: &Entries, connector: &str) -> Vec<StoredEntry> {
    let mut json = OffsetJson::new();
    entries
        .iter()
        .filter_map(|(key, value)| {
            let partition = json.partition_of(connector, key)?;
            Some(StoredEntry {
                partition,
                key: key.clone(),
                value: value.clone(),
            })
        })
        .collect()
}

/// A store that forgets everything with the process; for tests.
#[derive(Debug, Default)]
pub struct MemoryOffsetBackingStore(Mutex<Entries>);

impl OffsetBackingStore for MemoryOffsetBackingStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys
            .iter()
            .map(|key| entries.get(key).cloned().flatten())
            .collect())
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(entries);
        Ok(())
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        Ok(entries_of(
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
            connector,
        ))
    }
}
