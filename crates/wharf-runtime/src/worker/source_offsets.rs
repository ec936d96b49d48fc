//! Where a source connector's offsets are, and who writes them (KIP-618).
//!
//! Most connectors use the worker's store. One whose `offsets.storage.topic` names another topic, or whose producer writes to
//! another cluster with exactly-once on, has a store of its own over the worker's; it is shared by all that runs of the
//! connector on this worker and ends with the last of them. With exactly-once a task's transactions write the offsets, and
//! the store is only read.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_kafka::{Admin, LogClients, LogTopic, NewTopic};

use super::connector_client;
use crate::config::{
    ClientKind, DistributedConfig, OFFSETS_TOPIC, offsets_admin_config, offsets_consumer_config,
    offsets_producer_config, source_producer_config,
};
use crate::distributed::INTERNAL_TOPIC_TIMEOUT;
use crate::offsets::{
    KafkaOffsetBackingStore, LayeredOffsetBackingStore, OffsetBackingStore, OffsetEntry, OffsetStoreThread,
    OffsetStores, OffsetTopic, OffsetTopicPlace, StoredEntry,
};
use crate::sync::lock;

/// The stores of a worker in a group.
pub(crate) struct GroupOffsets {
    pub(crate) config: Arc<DistributedConfig>,
    worker: Arc<KafkaOffsetBackingStore>,
    thread: OffsetStoreThread,
    own: Mutex<HashMap<String, Arc<Mutex<OwnSlot>>>>,
}

/// What there is of a connector's own store, and what it was made with.
#[derive(Default)]
struct OwnSlot {
    made_with: Option<OwnSettings>,
    store: Weak<OwnStore>,
}

#[derive(Clone, PartialEq)]
struct OwnSettings {
    topic: String,
    admin: ConfigMap,
    producer: ConfigMap,
    consumer: ConfigMap,
}

struct OwnStore {
    layered: Arc<LayeredOffsetBackingStore>,
    thread: OffsetStoreThread,
}

/// The offsets of one connector.
#[derive(Clone)]
pub(crate) struct SourceOffsets {
    /// For reading, and for writing outside of transactions.
    pub(crate) store: Arc<dyn OffsetBackingStore>,
    /// The thread that writes to the store.
    pub(crate) thread: OffsetStoreThread,
    /// Where transactions write them; `None` unless exactly-once is on.
    pub(crate) topic: Option<Arc<dyn OffsetTopic>>,
    /// Keeps it open.
    _own: Option<Arc<OwnStore>>,
}

impl SourceOffsets {
    /// A store that all connectors share.
    pub(crate) fn shared(store: Arc<dyn OffsetBackingStore>, thread: OffsetStoreThread) -> Self {
        Self {
            store,
            thread,
            topic: None,
            _own: None,
        }
    }
}

impl GroupOffsets {
    pub(crate) fn new(
        config: Arc<DistributedConfig>,
        worker: Arc<KafkaOffsetBackingStore>,
        thread: OffsetStoreThread,
    ) -> Self {
        Self {
            config,
            worker,
            thread,
            own: Mutex::default(),
        }
    }

    fn decide(&self, connector: &str, config: &ConfigMap) -> OffsetStores {
        let producer = source_producer_config(&self.config.worker, connector, 0, config);
        let servers: Vec<String> = producer
            .get("bootstrap.servers")
            .map(|list| list.split(',').map(|server| server.trim().to_owned()).collect())
            .unwrap_or_default();
        OffsetStores::decide(
            self.config.exactly_once.is_enabled(),
            own_topic(config),
            &servers,
            OffsetTopicPlace {
                topic: &self.config.offset_topic.topic.name,
                servers: &self.config.worker.bootstrap_servers,
            },
        )
    }

    /// Whether the connector's offsets can be had without opening a topic.
    pub(crate) fn are_open(&self, connector: &str, config: &ConfigMap) -> bool {
        self.decide(connector, config) != OffsetStores::Layered
    }

    /// The offsets of a connector; makes and reads its own topic if it has one. Blocks then.
    ///
    /// # Errors
    /// When the topic cannot be used, or its clients cannot be made.
    pub(crate) fn of(&self, connector: &str, config: &ConfigMap) -> Result<SourceOffsets> {
        let in_transactions = self.config.exactly_once.is_enabled();
        match self.decide(connector, config) {
            // The worker's consumer reads only what is committed when that matters, so its store serves everybody.
            OffsetStores::Worker | OffsetStores::Connector => Ok(SourceOffsets {
                topic: in_transactions.then(|| Arc::clone(&self.worker) as _),
                ..SourceOffsets::shared(Arc::clone(&self.worker) as _, self.thread.clone())
            }),
            OffsetStores::Layered => {
                let own = self.own(connector, config)?;
                Ok(SourceOffsets {
                    store: Arc::clone(&own.layered) as _,
                    thread: own.thread.clone(),
                    topic: in_transactions.then(|| Arc::clone(&own.layered) as _),
                    _own: Some(own),
                })
            }
        }
    }

    fn own(&self, connector: &str, config: &ConfigMap) -> Result<Arc<OwnStore>> {
        let worker = &self.config.worker;
        let settings = OwnSettings {
            topic: own_topic(config)
                .unwrap_or(&self.config.offset_topic.topic.name)
                .to_owned(),
            admin: offsets_admin_config(worker, connector, config),
            producer: offsets_producer_config(worker, connector, config),
            consumer: offsets_consumer_config(
                worker,
                connector,
                config,
                self.config.exactly_once.is_enabled(),
            ),
        };
        let slot = {
            let mut own = lock(&self.own);
            // Connectors that are gone leave nothing behind.
            own.retain(|name, slot| {
                name == connector || Arc::strong_count(slot) > 1 || lock(slot).store.strong_count() > 0
            });
            Arc::clone(own.entry(connector.to_owned()).or_default())
        };
        let mut slot = lock(&slot);
        if slot.made_with.as_ref() == Some(&settings)
            && let Some(store) = slot.store.upgrade()
        {
            return Ok(store);
        }
        let store = Arc::new(self.open(connector, config, &settings)?);
        slot.store = Arc::downgrade(&store);
        slot.made_with = Some(settings);
        Ok(store)
    }

    fn open(&self, connector: &str, config: &ConfigMap, settings: &OwnSettings) -> Result<OwnStore> {
        let client = |kind, settings| connector_client(kind, settings, config);
        let admin = client(ClientKind::Admin, &settings.admin)?;
        let clients = LogClients {
            producer: client(ClientKind::Producer, &settings.producer)?,
            consumer: client(ClientKind::Consumer, &settings.consumer)?,
        };
        let unusable = |error: &dyn fmt::Display| {
            ConnectError::connect(format!(
                "the offset topic {} of connector {connector} cannot be used: {error}",
                settings.topic
            ))
        };
        let admin = Arc::new(Admin::new(&admin).map_err(|error| unusable(&error))?);
        let topic = LogTopic {
            topic: NewTopic {
                name: settings.topic.clone(),
                ..self.config.offset_topic.topic.clone()
            },
            key: OFFSETS_TOPIC,
            ..self.config.offset_topic.clone()
        };
        let primary =
            KafkaOffsetBackingStore::start_before_another(&admin, &topic, &clients, INTERNAL_TOPIC_TIMEOUT)
                .map_err(|error| unusable(&error))?;
        tracing::info!(
            "connector {connector} keeps its offsets in topic {}, over those in {}",
            settings.topic,
            self.worker.topic()
        );
        let layered = Arc::new(LayeredOffsetBackingStore::new(
            Arc::new(primary),
            Arc::clone(&self.worker) as _,
            self.thread.clone(),
        ));
        let thread = OffsetStoreThread::start(Arc::clone(&layered) as _)?;
        Ok(OwnStore { layered, thread })
    }
}

fn own_topic(config: &ConfigMap) -> Option<&str> {
    config
        .get(OFFSETS_TOPIC)
        .map(|topic| topic.trim())
        .filter(|topic| !topic.is_empty())
}

/// How a store is opened.
pub(super) type OpenStore = Box<dyn Fn() -> Result<SourceOffsets> + Send + Sync>;

/// A store that is opened when it is first needed: for connector instances, most of which never ask.
pub(super) struct LazyOffsetStore {
    open: OpenStore,
    opened: OnceLock<SourceOffsets>,
}

impl LazyOffsetStore {
    pub(super) fn new(open: OpenStore) -> Self {
        Self {
            open,
            opened: OnceLock::new(),
        }
    }

    fn store(&self) -> Result<&dyn OffsetBackingStore> {
        if let Some(offsets) = self.opened.get() {
            return Ok(&*offsets.store);
        }
        let opened = (self.open)()?;
        Ok(&*self.opened.get_or_init(|| opened).store)
    }
}

impl OffsetBackingStore for LazyOffsetStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.store()?.get(keys)
    }

    fn set(&self, entries: Vec<OffsetEntry>) -> Result<()> {
        self.store()?.set(entries)
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        self.store()?.connector_entries(connector)
    }
}
