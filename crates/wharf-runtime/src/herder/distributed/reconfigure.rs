//! Task configurations: asked of the connector that runs here, published through the leader.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::config_state::{
    ConfigSnapshot, Properties, publication_backoff_ms, restore_placeholders, task_configs_changed,
    with_framework_keys, write,
};
use wharf_cluster::signature::{Refusal, RequestSignature, Verifier};
use wharf_cluster::target_state::TargetState;

use super::Inner;
use super::forward::Signing;
use super::running::config_map;
use crate::config::ConnectorConfig;
use crate::herder::{HerderError, PeerRequest};
use crate::sync::lock;
use crate::worker::WorkerConnector;

/// Why task configurations were not published.
enum Failure {
    /// It is tried again.
    Later(String),
    /// The connector has failed by it.
    Connector(ConnectError),
}

impl Inner {
    /// Asks a connector for the configurations of its tasks and publishes them if they or the connector's own configuration
    /// changed. Tries again until it succeeds, or the connector is no longer the one that was started then.
    pub(super) async fn publish_task_configs(self: &Arc<Self>, name: &str, run: u64) {
        let mut failures = 0;
        loop {
            match self.try_publish(name, run).await {
                Ok(()) => return,
                Err(Failure::Connector(error)) => {
                    tracing::error!("connector {name} cannot make task configurations: {error:#}");
                    self.with_connector(name, run, |connector| connector.fail(&error));
                    return;
                }
                Err(Failure::Later(reason)) => {
                    let wait = publication_backoff_ms(failures);
                    failures = failures.saturating_add(1);
                    tracing::warn!(
                        "the task configurations of connector {name} are not published yet, trying again in {wait} ms: {reason}"
                    );
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    }

    /// Task configurations of a connector were committed. Those of an earlier run of it, which were on their way for long,
    /// may have come after those of its present one; then its present ones are published again.
    pub(super) fn check_task_configs(self: &Arc<Self>, name: &str, snapshot: &ConfigSnapshot) {
        let Some((run, proposed)) = self.proposed_by(name) else {
            return;
        };
        if !task_configs_changed(snapshot, name, &proposed, None, None) {
            return;
        }
        let (herder, name) = (Arc::clone(self), name.to_owned());
        self.runtime
            .spawn(async move { herder.publish_task_configs(&name, run).await });
    }

    async fn try_publish(self: &Arc<Self>, name: &str, run: u64) -> Result<(), Failure> {
        let snapshot = self.configs.snapshot();
        let Some(raw) = snapshot.config(name).cloned() else {
            return Ok(());
        };
        if snapshot
            .target_state(name)
            .is_some_and(|state| state != TargetState::Started)
        {
            return Ok(());
        }
        // What it was started with: a value that is another one by now counts with the next start.
        let resolved = self.with_connector(name, run, WorkerConnector::resolved_config);
        let Some(Some(config)) = resolved else {
            return Ok(());
        };
        let parsed = ConnectorConfig::parse(&config).map_err(Failure::Connector)?;
        let asked = self.with_connector(name, run, |connector| {
            (connector.is_started() && !connector.is_failed())
                .then(|| connector.task_configs(parsed.tasks_max as usize))
        });
        let Some(Some(answer)) = asked else { return Ok(()) };
        // The sender is gone when the connector was stopped meanwhile.
        let Ok(outcome) = answer.await else { return Ok(()) };
        let configs = outcome.map_err(|error| Failure::Later(format!("{error:#}")))?;
        self.check_task_count(&parsed, configs.len())
            .map_err(Failure::Connector)?;
        let plugin = self.plugin_of(&config).map_err(Failure::Connector)?;
        let configs = configs
            .into_iter()
            .map(|task| with_framework_keys(&raw, task.into_iter().collect(), &plugin.task_class))
            .collect();
        let configs: Vec<Properties> = restore_placeholders(&raw, configs);
        self.note_proposed(name, run, &configs);
        let state = snapshot.connector(name);
        let applied = state.and_then(|state| state.applied_config.as_deref());
        // The same references may stand for other values than before.
        let has_other_values = lock(&self.applied)
            .get(name)
            .is_some_and(|before| *before != config);
        if has_other_values || task_configs_changed(&snapshot, name, &configs, applied, Some(&raw)) {
            self.publish(name, configs)
                .await
                .map_err(|error| Failure::Later(error.to_string()))?;
        }
        let mut applied = lock(&self.applied);
        applied.retain(|name, _| snapshot.contains(name));
        applied.insert(name.to_owned(), config);
        Ok(())
    }

    fn check_task_count(&self, parsed: &ConnectorConfig, count: usize) -> Result<(), ConnectError> {
        if count <= parsed.tasks_max as usize {
            return Ok(());
        }
        let text = format!(
            "The connector {} has generated {count} tasks, which is greater than {}, the maximum number of tasks it is \
             configured to create.",
            parsed.name, parsed.tasks_max
        );
        if parsed.tasks_max_enforce {
            return Err(ConnectError::connect(format!(
                "{text} This behaviour should be considered a bug and is disallowed; it can be allowed by \
                 tasks.max.enforce=false, until that key is gone."
            ))
            .with_class("org.apache.kafka.connect.runtime.TooManyTasksException"));
        }
        tracing::warn!("{text} It is allowed by tasks.max.enforce=false");
        Ok(())
    }

    /// Writes them if this worker leads, else gives them to the leader.
    async fn publish(self: &Arc<Self>, name: &str, configs: Vec<Properties>) -> Result<(), HerderError> {
        match self.admit_leader().await {
            Ok(()) => self.write_task_configs(name, configs).await,
            Err(HerderError::Elsewhere(leader)) => {
                let configs: Vec<ConfigMap> = configs.iter().map(config_map).collect();
                let body = serde_json::to_vec(&configs).map_err(|error| {
                    HerderError::Internal(format!("task configurations cannot be written: {error}"))
                })?;
                self.ask_worker(
                    Method::POST,
                    &leader,
                    &["connectors", name, "tasks"],
                    body,
                    Signing::Signed,
                )
                .await
            }
            Err(error) => Err(error),
        }
    }

    /// On the leader: another worker has task configurations.
    pub(super) async fn take_task_configs(
        self: Arc<Self>,
        name: String,
        request: PeerRequest,
    ) -> Result<(), HerderError> {
        self.check_signature(&request)?;
        let configs: Vec<ConfigMap> = serde_json::from_slice(&request.body).map_err(|error| {
            HerderError::BadRequest(format!(
                "task configurations are an array of objects with texts as values: {error}"
            ))
        })?;
        self.admit_leader().await?;
        let configs = configs.into_iter().map(|config| config.into_iter().collect());
        self.write_task_configs(&name, configs.collect()).await
    }

    /// Requests between workers are signed with the group's key where the group has agreed on that.
    pub(super) fn check_signature(&self, request: &PeerRequest) -> Result<(), HerderError> {
        let refused = |refusal: Refusal| HerderError::Refused {
            status: refusal.status(),
            message: refusal.to_string(),
        };
        let signature =
            RequestSignature::from_headers(request.signature.as_deref(), request.algorithm.as_deref())
                .map_err(refused)?;
        let snapshot = self.configs.snapshot();
        let verifier = Verifier {
            is_sessioned: self
                .view
                .borrow()
                .protocol
                .is_none_or(|protocol| protocol.signs_requests()),
            algorithms: &self.settings.inter_worker.verification_algorithms,
            key: snapshot.session_key().map(|key| &**key),
        };
        verifier
            .verify(signature.as_ref(), &request.body)
            .map_err(refused)
    }

    /// On the leader: makes them the connector's task configurations.
    pub(super) async fn write_task_configs(
        self: &Arc<Self>,
        name: &str,
        configs: Vec<Properties>,
    ) -> Result<(), HerderError> {
        let _turn = self.connector_turns.turn(name).await;
        let _order = self.writes.lock().await;
        let snapshot = self.configs.snapshot();
        if !snapshot.contains(name) {
            return Err(HerderError::NotFound(format!("Connector {name} not found")));
        }
        if snapshot.target_state(name) == Some(TargetState::Stopped) && !configs.is_empty() {
            return Err(HerderError::BadRequest(
                "Cannot submit non-empty set of task configs for stopped connector".to_owned() + " " + name,
            ));
        }
        self.write(write::put_task_configs(name, configs)).await
    }
}
