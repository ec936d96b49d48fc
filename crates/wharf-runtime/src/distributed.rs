//! From a checked worker file to a distributed herder: loads plugins, opens the internal topics, joins the group.

use std::sync::Arc;
use std::time::Duration;

use wharf_api::{ConnectError, Result};
use wharf_kafka::{Admin, LogError};

use crate::config::{DistributedConfig, InternalClients, InternalTopic, membership_connection};
use crate::herder::distributed::{DistributedHerder, DistributedParts};
use crate::offsets::KafkaOffsetBackingStore;
use crate::plugins::PluginRegistry;
use crate::standalone::{check_worker, cluster_id};
use crate::stores::{Census, ConfigBackingStore, StatusBackingStore};
use crate::worker::{ActiveTopicStore, StatusStore, Worker};

/// For each internal topic, and each offset topic of a connector's own, to be made and read to its end; a topic with a long
/// history takes its time.
pub(crate) const INTERNAL_TOPIC_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A worker that is ready to join, once its address is known.
pub struct PreparedDistributedWorker {
    config: Arc<DistributedConfig>,
    clients: InternalClients,
    plugins: Arc<PluginRegistry>,
    cluster_id: String,
}

impl PreparedDistributedWorker {
    /// Loads plugins, checks the worker's converters and clients, and asks Kafka for its cluster id. Blocks.
    ///
    /// # Errors
    /// What upstream does not start with: a converter that cannot be had, settings that no client takes, Kafka out of reach.
    pub fn new(config: DistributedConfig) -> Result<Self> {
        let clients = InternalClients::translate(&config)
            .map_err(|mistakes| ConnectError::config(mistakes.join("\n")))?;
        for warning in &clients.warnings {
            tracing::warn!("{warning}");
        }
        let plugins = check_worker(&config.worker)?;
        let cluster_id = cluster_id(&config.worker)?;
        Ok(Self {
            config: Arc::new(config),
            clients,
            plugins: Arc::new(plugins),
            cluster_id,
        })
    }

    /// Opens the internal topics, reads them to their ends, and joins the group. `worker_id` is host and port of the REST API
    /// as others reach it, `url` its URL with a slash at its end. Blocks; has to be called within a tokio runtime.
    ///
    /// # Errors
    /// When a topic cannot be used, or the settings of the membership contradict each other.
    pub fn start(self, worker_id: &str, url: String) -> Result<DistributedHerder> {
        let Self {
            config,
            clients,
            plugins,
            cluster_id,
        } = self;
        let connection = membership_connection(&config, worker_id)?;
        let unusable = |error: LogError| ConnectError::config(error.to_string());
        let admin = Arc::new(Admin::new(&clients.shared_admin).map_err(|error| unusable(error.into()))?);
        // All three at once: each waits for brokers most of the time.
        let (offsets, statuses, configs) = std::thread::scope(|scope| {
            let offsets = scope.spawn(|| {
                KafkaOffsetBackingStore::start(
                    &admin,
                    config.topic(InternalTopic::Offset),
                    clients.log(InternalTopic::Offset),
                    INTERNAL_TOPIC_TIMEOUT,
                )
            });
            let statuses = scope.spawn(|| {
                StatusBackingStore::start(
                    &admin,
                    config.topic(InternalTopic::Status),
                    clients.log(InternalTopic::Status),
                    worker_id,
                    INTERNAL_TOPIC_TIMEOUT,
                )
            });
            let configs = ConfigBackingStore::start(
                &admin,
                config.topic(InternalTopic::Config),
                clients.log(InternalTopic::Config),
                clients.leader_producer.clone(),
                INTERNAL_TOPIC_TIMEOUT,
            );
            let panicked =
                |_| LogError::TimedOut("a thread that reads an internal topic panicked".to_owned());
            (
                offsets.join().map_err(panicked).flatten(),
                statuses.join().map_err(panicked).flatten(),
                configs,
            )
        });
        let offsets = offsets.map_err(unusable)?;
        let statuses = Arc::new(statuses.map_err(unusable)?);
        let configs = configs.map_err(unusable)?;
        check_contents(
            &config,
            &[
                (InternalTopic::Config, configs.census()),
                (InternalTopic::Offset, offsets.census()),
                (InternalTopic::Status, statuses.census()),
            ],
        )?;
        let offsets = Arc::new(offsets);
        let worker = Worker::of_group(
            &config,
            plugins,
            Arc::clone(&offsets),
            Arc::new(StatusStore::with_sink(worker_id, Arc::clone(&statuses) as _)),
            Arc::new(ActiveTopicStore::with_sink(Arc::clone(&statuses) as _)),
        )?;
        DistributedHerder::start(DistributedParts {
            config,
            worker: Arc::new(worker),
            cluster_id,
            configs: Arc::new(configs),
            statuses,
            offsets,
            connection,
            url,
        })
    }
}

/// Refuses topics whose names were mixed up: what was configured would seem to be gone, and what is written would be lost to those
/// who look for it elsewhere. A topic that serves several purposes is another matter, and warned about by the configuration.
fn check_contents(config: &DistributedConfig, found: &[(InternalTopic, &Census)]) -> Result<()> {
    let name = |topic: InternalTopic| config.topic(topic).topic.name.as_str();
    let mistakes: Vec<_> = found
        .iter()
        .filter_map(|(topic, census)| Some((*topic, census.holds_instead_of(*topic)?)))
        .filter(|(topic, holds)| name(*topic) != name(*holds))
        .map(|(topic, holds)| {
            format!(
                "topic {}, named by {}, holds {} and no {}; it looks like a topic for {}: check whether the names are mixed up, \
                 or name a topic of this group",
                name(topic),
                topic.key(),
                config.topic(holds).what,
                config.topic(topic).what,
                holds.key()
            )
        })
        .collect();
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(ConnectError::config(mistakes.join("\n")))
    }
}
