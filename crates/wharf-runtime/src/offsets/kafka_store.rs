//! Distributed mode's offset store: a compacted topic, all of it in memory.
//!
//! A lookup reads the topic to its present end first, so that a task finds what its predecessor on another worker has
//! stored. Writes are known here, as everywhere, once they were read back. Several workers write to the topic, each only the
//! offsets of its own tasks; the key's murmur2 hash chooses the partition, or two of them would hold one key.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use wharf_api::{ConnectError, Result};
use wharf_kafka::{Admin, LogClients, LogError, LogRecord, LogTopic, ReadPositions, TopicLog};

use super::known_offsets::KnownOffsets;
use super::offset_topic::OffsetTopic;
use super::store::{OffsetBackingStore, OffsetEntry, StoredEntry};
use crate::stores::Census;

/// How much of a strange key a message shows.
const SHOWN_KEY: usize = 200;

/// The store behind `offset.storage.topic`, or behind a connector's `offsets.storage.topic`.
pub struct KafkaOffsetBackingStore {
    log: TopicLog,
    known: Arc<RwLock<KnownOffsets>>,
    census: Arc<Census>,
    timeout: Duration,
}

impl fmt::Debug for KafkaOffsetBackingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOffsetBackingStore")
            .field("topic", &self.log.name())
            .finish_non_exhaustive()
    }
}

impl KafkaOffsetBackingStore {
    /// Creates the topic unless it is there, checks it, and reads it to its end. Blocks. `timeout` is for that, and later for
    /// each write, and each read to the end. With exactly-once enabled the consumer has to be `read_committed`.
    ///
    /// # Errors
    /// When the topic cannot be used, or not be read in time.
    pub fn start(
        admin: &Arc<Admin>,
        topic: &LogTopic,
        clients: &LogClients,
        timeout: Duration,
    ) -> Result<Self, LogError> {
        Self::start_with(KnownOffsets::default(), admin, topic, clients, timeout)
    }

    /// The same for a store that stands before another one ([`LayeredOffsetBackingStore`](super::LayeredOffsetBackingStore)).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_before_another(
        admin: &Arc<Admin>,
        topic: &LogTopic,
        clients: &LogClients,
        timeout: Duration,
    ) -> Result<Self, LogError> {
        Self::start_with(
            KnownOffsets::remembering_forgotten(),
            admin,
            topic,
            clients,
            timeout,
        )
    }

    fn start_with(
        known: KnownOffsets,
        admin: &Arc<Admin>,
        topic: &LogTopic,
        clients: &LogClients,
        timeout: Duration,
    ) -> Result<Self, LogError> {
        let partitions = TopicLog::open(admin, topic, timeout)?;
        let known = Arc::new(RwLock::new(known));
        let census: Arc<Census> = Arc::default();
        let (of_log, seen) = (Arc::clone(&known), Arc::clone(&census));
        let name = topic.topic.name.clone();
        let log = TopicLog::start(
            &topic.topic.name,
            partitions,
            clients,
            Arc::clone(admin),
            timeout,
            move |message| {
                seen.count(message.key());
                let mut known = of_log.write().unwrap_or_else(PoisonError::into_inner);
                if let Err(reason) = known.apply(message.key(), message.value()) {
                    let key = String::from_utf8_lossy(message.key().unwrap_or_default());
                    let key: String = key.chars().take(SHOWN_KEY).collect();
                    tracing::warn!(
                        "record `{}` at offset {} of partition {} of offset topic {name} is ignored: {reason}; check whether \
                         another application writes to this topic",
                        key.escape_debug(),
                        message.offset(),
                        message.partition()
                    );
                }
            },
        )?;
        Ok(Self {
            log,
            known,
            census,
            timeout,
        })
    }

    /// What the records of the topic are.
    #[must_use]
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// How many offsets are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many offsets of a connector are known, as far as the topic was read.
    #[must_use]
    pub fn count_of(&self, connector: &str) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.count_of(connector)
    }

    /// How far the topic was read.
    #[must_use]
    pub fn positions(&self) -> ReadPositions {
        self.log.positions()
    }

    /// Whether no offset is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the reading. Lookups and writes fail from now on.
    pub fn stop(&self) {
        self.log.stop();
    }

    fn read_to_end(&self) -> Result<()> {
        self.log.read_to_end(self.timeout).map_err(|error| failed(&error))
    }
}

fn failed(error: &LogError) -> ConnectError {
    let message = format!("the offset store failed: {error}");
    if error.is_retriable() {
        ConnectError::retriable(message)
    } else {
        ConnectError::connect(message)
    }
}

impl OffsetBackingStore for KafkaOffsetBackingStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.read_to_end()?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get(keys))
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        let records: Vec<LogRecord> = entries
            .into_iter()
            .map(|(key, value)| LogRecord { key, value })
            .collect();
        self.log
            .write(&records, self.timeout)
            .map_err(|error| failed(&error))
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        self.read_to_end()?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.of_connector(connector))
    }
}

impl OffsetTopic for KafkaOffsetBackingStore {
    fn topic(&self) -> &str {
        self.log.name()
    }

    fn is_forgotten(&self, key: &[u8]) -> bool {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_forgotten(key)
    }
}
