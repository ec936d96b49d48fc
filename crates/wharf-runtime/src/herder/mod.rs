//! What a herder can be asked: the contract between the REST API (and the command line) and the worker.
//!
//! Reads answer from a snapshot and never wait on plugin code. Changes return a future that completes when upstream's
//! contract says the answer is due; a caller may drop it at any time, the work goes on.

mod cluster_info;
mod common;
mod connector_offsets;
pub mod distributed;
pub(crate) mod plugin_calls;
mod reloads;
pub mod restart_policy;
pub mod standalone;
mod types;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use wharf_api::ConfigMap;
use wharf_api::config::ConfigKeyInfo;

pub use self::cluster_info::{ClusterInfo, TopicPositions};
pub use self::types::{
    ActiveTopics, ConnectorInfo, ConnectorOffset, ConnectorOffsets, ConnectorState, ConnectorStateInfo,
    ConnectorType, Created, HealthStatus, HerderError, InitialState, InstanceState, LoggerLevel,
    OffsetChange, PeerRequest, PluginInfo, RestartRequest, ServerInfo, Stage, TaskId, TaskInfo,
    TaskStateInfo,
};
use crate::config::ConfigInfos;
use crate::logging;
use crate::metrics::TextFormat;
use crate::worker::preview::{Preview, PreviewRequest};

/// The answer to a change, in time.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, HerderError>> + Send>>;

/// A configuration as it was sent: values may be null, which validation reports.
pub type RawConfig = BTreeMap<String, Option<String>>;

/// A worker's control side.
pub trait Herder: Send + Sync + 'static {
    /// Version, commit and Kafka cluster id.
    fn server_info(&self) -> ServerInfo;

    /// Whether other workers may have to be asked ([`HerderError::Elsewhere`]).
    fn has_peers(&self) -> bool {
        false
    }

    /// What the worker knows of its group; `None` where it is in none.
    fn cluster_info(&self) -> Option<ClusterInfo> {
        None
    }

    /// Whether start-up is complete and requests are being worked on. Within 10 seconds.
    fn health(&self) -> Reply<HealthStatus>;

    /// What the worker is doing, for the text of a time-out.
    fn stage(&self) -> Option<Stage>;

    /// Names of all connectors.
    fn connectors(&self) -> Vec<String>;

    /// Configuration and tasks of a connector.
    ///
    /// # Errors
    /// Not found.
    fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError>;

    /// State of a connector and its tasks.
    ///
    /// # Errors
    /// Not found: also for a connector without any status yet.
    fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError>;

    /// State of one task.
    ///
    /// # Errors
    /// Not found.
    fn task_status(&self, task: &TaskId) -> Result<TaskStateInfo, HerderError>;

    /// Configurations of a connector's tasks, references to config providers unresolved.
    ///
    /// # Errors
    /// Not found.
    fn task_infos(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError>;

    /// Topics that a connector's tasks used. An unknown connector has none.
    ///
    /// # Errors
    /// Forbidden when topic tracking is off.
    fn active_topics(&self, name: &str) -> Result<ActiveTopics, HerderError>;

    /// Forgets them.
    ///
    /// # Errors
    /// Forbidden when topic tracking or its reset is off.
    fn reset_active_topics(&self, name: &str) -> Result<(), HerderError>;

    /// Creates a connector, or replaces its configuration when `allow_replace` is set. The name is in the configuration.
    fn put_connector_config(
        &self,
        name: &str,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Reply<Created<ConnectorInfo>>;

    /// Changes some keys: a value sets, null removes.
    fn patch_connector_config(&self, name: &str, patch: RawConfig) -> Reply<ConnectorInfo>;

    /// Deletes a connector; its offsets stay.
    fn delete_connector(&self, name: &str) -> Reply<()>;

    /// Pauses. Complete when the target state is recorded.
    fn pause_connector(&self, name: &str) -> Reply<()>;

    /// Resumes.
    fn resume_connector(&self, name: &str) -> Reply<()>;

    /// Stops; the tasks go away.
    fn stop_connector(&self, name: &str) -> Reply<()>;

    /// Restarts the connector instance alone. Complete when it runs again.
    fn restart_connector(&self, name: &str) -> Reply<()>;

    /// Restarts the connector and/or tasks as the request says; answers at once with what will restart.
    fn restart_connector_and_tasks(&self, name: &str, request: RestartRequest) -> Reply<ConnectorStateInfo>;

    /// Restarts one task.
    fn restart_task(&self, task: &TaskId) -> Reply<()>;

    /// Ends when the worker at this URL, which leads the group, leads it no longer and another one does. `None` when it does
    /// not lead.
    fn leader_lost(&self, _url: &str) -> Option<Reply<()>> {
        None
    }

    /// Between workers: the complete configurations of a connector's tasks, from the worker that runs the connector. `None`
    /// where workers have no peers.
    fn put_task_configs(&self, _name: &str, _request: PeerRequest) -> Option<Reply<()>> {
        None
    }

    /// Between workers: fences the producers of earlier tasks of an exactly-once source connector, before new ones start.
    /// `None` where workers have no peers.
    fn fence_zombies(&self, _name: &str, _request: PeerRequest) -> Option<Reply<()>> {
        None
    }

    /// Stored offsets of a connector.
    fn connector_offsets(&self, name: &str) -> Reply<ConnectorOffsets>;

    /// Changes offsets of a stopped connector. The answer is the message for the user.
    fn alter_connector_offsets(&self, name: &str, offsets: Vec<OffsetChange>) -> Reply<String>;

    /// Forgets all offsets of a stopped connector. The answer is the message for the user.
    fn reset_connector_offsets(&self, name: &str) -> Reply<String>;

    /// Plugins of this worker, in the order of the REST API; only connectors when asked so.
    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo>;

    /// Configuration keys of a plugin, by class name or alias; `version` is a version range.
    fn plugin_config(&self, class: &str, version: Option<&str>) -> Reply<Vec<ConfigKeyInfo>>;

    /// Checks a connector configuration. The answer holds the errors found; an error is given only when the check cannot
    /// be made.
    fn validate_connector_config(&self, config: RawConfig) -> Reply<ConfigInfos>;

    /// All metrics of this worker, as text.
    fn metrics(&self, format: TextFormat) -> String;

    /// What a connector's converters and transformations would make of records, where previews are allowed. Nothing is
    /// started, stored or written for it.
    fn preview(&self, class: &str, request: PreviewRequest) -> Reply<Preview> {
        let _ = (class, request);
        Box::pin(std::future::ready(Err(HerderError::Forbidden(
            plugin_calls::NO_PREVIEW.to_owned(),
        ))))
    }

    /// Loggers that have a level of their own.
    fn logger_levels(&self) -> BTreeMap<String, LoggerLevel> {
        logging::levels().levels()
    }

    /// The level in force for a logger.
    fn logger_level(&self, logger: &str) -> Option<LoggerLevel> {
        logging::levels().level(logger)
    }

    /// Sets the level of a logger and all below it on this worker; the answer is their names.
    fn set_worker_logger_level(&self, logger: &str, level: &str) -> Vec<String> {
        match level.parse() {
            Ok(level) => logging::levels().set(logger, level),
            Err(_) => Vec::new(),
        }
    }

    /// Sets the level on every worker of the cluster.
    fn set_cluster_logger_level(&self, logger: &str, level: &str);
}

/// What `GET /` says of this build.
fn server_info(cluster_id: &str) -> ServerInfo {
    ServerInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("WHARF_COMMIT")
            .unwrap_or("unknown")
            .chars()
            .take(16)
            .collect(),
        kafka_cluster_id: cluster_id.to_owned(),
    }
}

/// Resolves a configuration without nulls; upstream's error for each null is made by validation.
#[must_use]
pub fn without_nulls(config: &RawConfig) -> ConfigMap {
    config
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect()
}
