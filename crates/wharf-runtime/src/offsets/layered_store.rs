//! The offsets of a connector with an offset topic of its own (`offsets.storage.topic`), over those of the worker.
//!
//! The connector's topic is what counts; the worker's follows, so that the connector finds its offsets again when it loses
//! its own topic, and has them when it first gets one. A key that the connector's topic lacks is looked up in the worker's,
//! which is what KIP-618 intends and JVM workers up to 4.3 miss: there the key counts as without an offset.
//!
//! What must stay true: an offset is forgotten in the worker's store before it is in the connector's. The other way round
//! a failure in between would let the older store's value come back.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use wharf_api::Result;

use super::offset_json::OffsetJson;
use super::offset_topic::OffsetTopic;
use super::offset_writer::OffsetStoreThread;
use super::store::{OffsetBackingStore, OffsetEntry, StoredEntry};

/// Two stores as one.
pub struct LayeredOffsetBackingStore {
    primary: Arc<dyn OffsetTopic>,
    secondary: Arc<dyn OffsetBackingStore>,
    /// Writes to the secondary store, in the order they were given; or an offset that is forgotten could be written again
    /// by what was still waiting.
    secondary_thread: OffsetStoreThread,
}

impl fmt::Debug for LayeredOffsetBackingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredOffsetBackingStore")
            .field("topic", &self.primary.topic())
            .finish_non_exhaustive()
    }
}

impl LayeredOffsetBackingStore {
    /// The connector's store over the worker's; `secondary_thread` is the thread that writes to the latter.
    #[must_use]
    pub fn new(
        primary: Arc<dyn OffsetTopic>,
        secondary: Arc<dyn OffsetBackingStore>,
        secondary_thread: OffsetStoreThread,
    ) -> Self {
        Self {
            primary,
            secondary,
            secondary_thread,
        }
    }

    fn forget_in_secondary(&self, entries: &[OffsetEntry]) -> Result<()> {
        let forgotten: Vec<OffsetEntry> = entries
            .iter()
            .filter(|(_, value)| value.is_none())
            .cloned()
            .collect();
        if forgotten.is_empty() {
            return Ok(());
        }
        self.secondary_thread
            .store(forgotten)
            .map_err(|error| error.context("offsets cannot be removed from the worker's offset topic"))
    }

    fn copy_to_secondary(&self, mut entries: Vec<OffsetEntry>) {
        entries.retain(|(_, value)| value.is_some());
        if !entries.is_empty() {
            self.secondary_thread.store_later(entries);
        }
    }
}

impl OffsetBackingStore for LayeredOffsetBackingStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = self.primary.get(keys)?;
        let missing: Vec<usize> = (0..keys.len())
            .filter(|at| values[*at].is_none() && !self.primary.is_forgotten(&keys[*at]))
            .collect();
        if !missing.is_empty() {
            let keys: Vec<Vec<u8>> = missing.iter().map(|at| keys[*at].clone()).collect();
            for (at, value) in missing.into_iter().zip(self.secondary.get(&keys)?) {
                values[at] = value;
            }
        }
        Ok(values)
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        self.forget_in_secondary(&entries)?;
        self.primary.set(entries.clone())?;
        self.copy_to_secondary(entries);
        Ok(())
    }

    /// A partition that both know, under whatever keys, is the primary store's.
    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        let mut entries = self.primary.connector_entries(connector)?;
        let mut json = OffsetJson::new();
        let known: HashSet<Vec<u8>> = entries
            .iter()
            .filter(|entry| entry.value.is_some())
            .filter_map(|entry| json.canonical(&entry.partition).ok())
            .collect();
        let others = self.secondary.connector_entries(connector)?;
        entries.retain(|entry| entry.value.is_some());
        entries.extend(others.into_iter().filter(|entry| {
            !self.primary.is_forgotten(&entry.key)
                && json
                    .canonical(&entry.partition)
                    .is_ok_and(|canonical| !known.contains(&canonical))
        }));
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }
}

impl OffsetTopic for LayeredOffsetBackingStore {
    fn topic(&self) -> &str {
        self.primary.topic()
    }

    fn before_transaction(&self, entries: &[OffsetEntry]) -> Result<()> {
        self.forget_in_secondary(entries)?;
        self.primary.before_transaction(entries)
    }

    fn after_transaction(&self, entries: Vec<OffsetEntry>) {
        self.primary.after_transaction(entries.clone());
        self.copy_to_secondary(entries);
    }
}

#[cfg(test)]
#[path = "layered_store_tests.rs"]
mod tests;
