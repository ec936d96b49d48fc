//! What users ask of connectors. Whatever changes the config topic is done by the leader; others say where the leader is.

use std::sync::Arc;

use wharf_cluster::config_state::write::{self, WriteStep};
use wharf_cluster::config_state::{ConfigSnapshot, Properties};
use wharf_cluster::herder::{Admission, WorkId};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::restart::{self, RestartPlan};
use wharf_cluster::target_state::TargetState;
use wharf_membership::HeldLease;

use super::Inner;
use super::running::config_map;
use crate::config::{CONNECTOR_CLASS, CONNECTOR_VERSION};
use crate::herder::common::{not_found, patched, unknown};
use crate::herder::{
    ConnectorInfo, ConnectorStateInfo, ConnectorType, Created, HerderError, InitialState, InstanceState,
    RawConfig, RestartRequest, TaskId, TaskInfo, TaskStateInfo, plugin_calls, without_nulls,
};
use crate::stores::ConfigStoreError;

fn properties(config: &RawConfig) -> Properties {
    without_nulls(config).into_iter().collect()
}

fn raw(properties: &Properties) -> RawConfig {
    properties
        .iter()
        .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
        .collect()
}

impl Inner {
    /// Waits until this worker may carry out what only a leader may, or it is known who may.
    ///
    /// # Errors
    /// [`HerderError::Elsewhere`] with the leader's URL; refused when the worker is ending.
    pub(super) async fn admit_leader(&self) -> Result<(), HerderError> {
        self.admitted(|view| view.leader.clone()).await
    }

    /// Waits until this worker is a member that may carry out what any member may.
    pub(super) async fn admit_member(&self) -> Result<(), HerderError> {
        self.admitted(|view| view.member.clone()).await
    }

    async fn admitted(
        &self,
        part: impl Fn(&super::view::ClusterView) -> Admission,
    ) -> Result<(), HerderError> {
        let mut view = self.view.subscribe();
        loop {
            let admission = part(&view.borrow_and_update());
            match admission {
                Admission::Here => return Ok(()),
                Admission::Forward(url) => return Err(HerderError::Elsewhere(url)),
                Admission::Refuse => {
                    return Err(HerderError::ShuttingDown(
                        "the worker is shutting down".to_owned(),
                    ));
                }
                Admission::Wait => {}
            }
            if view.changed().await.is_err() {
                return Err(HerderError::ShuttingDown(
                    "the worker is shutting down".to_owned(),
                ));
            }
        }
    }

    /// Carries out an operation on the config topic. What only a leader may write is tried once more with a new claim, when
    /// this worker still leads: it may have begun to lead a moment ago, or have been taken for dead by one that has left. One
    /// that has lost its lease claims nothing: another worker may lead already.
    pub(super) async fn write(self: &Arc<Self>, steps: Vec<WriteStep>) -> Result<(), HerderError> {
        let lease = self.worker.held_lease();
        let needs_claim = steps.iter().any(|step| matches!(step, WriteStep::Privileged(_)));
        let herder = Arc::clone(self);
        let outcome = tokio::task::spawn_blocking(move || {
            // One that woke up may have been replaced long ago, and does not know it yet.
            if needs_claim && lease.as_ref().is_some_and(|lease| !lease.is_valid()) {
                return Err(ConfigStoreError::Fenced(
                    "the group has not confirmed its membership for a session time-out".to_owned(),
                ));
            }
            let leads = || {
                needs_claim
                    && herder.view.borrow().is_leader
                    && lease.as_ref().is_none_or(HeldLease::is_valid)
            };
            let configs = &herder.configs;
            if configs.needs_claim() && leads() {
                configs.claim()?;
            }
            match configs.carry_out(steps.clone()) {
                Err(ConfigStoreError::Fenced(reason)) if leads() => {
                    tracing::warn!("claiming the config topic again: {reason}");
                    configs.claim()?;
                    if leads() {
                        configs.carry_out(steps)
                    } else {
                        Err(ConfigStoreError::Fenced(reason))
                    }
                }
                outcome => outcome,
            }
        })
        .await;
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                if matches!(error, ConfigStoreError::Fenced(_)) {
                    self.claim_again();
                }
                Err(HerderError::Internal(format!(
                    "Failed to write to the config topic, the request may be sent again: {error}"
                )))
            }
            Err(error) => Err(HerderError::Internal(format!("the write failed: {error}"))),
        }
    }

    fn type_of(&self, config: &Properties) -> ConnectorType {
        let version = config.get(CONNECTOR_VERSION).map(str::trim);
        config
            .get(CONNECTOR_CLASS)
            .and_then(|class| self.worker.plugins.connector(class.trim(), version).ok())
            .map_or(ConnectorType::Unknown, |plugin| plugin.kind)
    }

    /// A connector as the config topic has it.
    pub(super) fn info(&self, snapshot: &ConfigSnapshot, name: &str) -> Result<ConnectorInfo, HerderError> {
        let config = snapshot.config(name).ok_or_else(|| not_found(name))?;
        Ok(ConnectorInfo {
            name: name.to_owned(),
            config: config_map(config),
            tasks: snapshot.tasks(name).iter().map(super::running::task_id).collect(),
            connector_type: self.type_of(config),
        })
    }

    pub(super) fn task_infos_of(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        let snapshot = self.configs.snapshot();
        if !snapshot.contains(name) {
            return Err(not_found(name));
        }
        let tasks = snapshot.tasks(name);
        Ok(tasks
            .iter()
            .filter_map(|id| {
                Some(TaskInfo {
                    id: super::running::task_id(id),
                    config: config_map(snapshot.task_config(id)?),
                })
            })
            .collect())
    }

    pub(super) fn status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let missing = || HerderError::NotFound(format!("No status found for connector {name}"));
        let snapshot = self.configs.snapshot();
        // The statuses of one that was deleted stay for a moment.
        let config = snapshot.config(name).ok_or_else(missing)?;
        let connector = self.statuses.connector(name).ok_or_else(missing)?;
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            connector,
            tasks: self.statuses.tasks(name),
            connector_type: self.type_of(config),
        })
    }

    pub(super) async fn put_config(
        self: Arc<Self>,
        name: String,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        let infos = plugin_calls::validate(Arc::clone(&self.worker), config.clone()).await?;
        plugin_calls::check_valid(&infos)?;
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        let existed = self.configs.snapshot().contains(&name);
        if existed && !allow_replace {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        let target = initial_state.map(|state| match state {
            InitialState::Running => TargetState::Started,
            InitialState::Paused => TargetState::Paused,
            InitialState::Stopped => TargetState::Stopped,
        });
        tracing::info!(
            "{} connector {name}",
            if existed { "updating" } else { "creating" }
        );
        self.write(write::put_connector_config(&name, properties(&config), target))
            .await?;
        let info = self.info(&self.configs.snapshot(), &name)?;
        Ok(if existed {
            Created::Replaced(info)
        } else {
            Created::Created(info)
        })
    }

    pub(super) async fn patch_config(
        self: Arc<Self>,
        name: String,
        patch: RawConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        self.admit_leader().await?;
        let snapshot = self.configs.snapshot();
        let config = raw(snapshot.config(&name).ok_or_else(|| not_found(&name))?);
        let config = patched(&name, config, patch)?;
        self.put_config(name, config, None, true)
            .await
            .map(Created::into_inner)
    }

    pub(super) async fn delete(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(not_found(&name));
        }
        tracing::info!("deleting connector {name}");
        self.write(write::remove_connector_config(&name)).await
    }

    /// Pause and resume: any member may write these.
    pub(super) async fn set_target(
        self: Arc<Self>,
        name: String,
        state: TargetState,
    ) -> Result<(), HerderError> {
        self.admit_member().await?;
        if !self.configs.snapshot().contains(&name) {
            return Err(unknown(&name));
        }
        self.write(write::put_target_state(&name, state)).await
    }

    pub(super) async fn stop_connector(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(unknown(&name));
        }
        self.write(write::stop_connector(&name)).await
    }

    /// Where something runs: here, or on a worker that is known or known to the leader.
    async fn owner(&self, id: &WorkId) -> Result<(), HerderError> {
        let mut view = self.view.subscribe();
        loop {
            {
                let view = view.borrow_and_update();
                if view.owned.contains(id) {
                    return Ok(());
                }
                if view.is_leader && view.is_stable {
                    return Err(match view.owners.url(id) {
                        Some(url) => HerderError::Elsewhere(url.to_owned()),
                        None => HerderError::Conflict(format!(
                            "{id} runs on no worker now; the request may be sent again when it is assigned"
                        )),
                    });
                }
                match &view.leader {
                    Admission::Forward(url) => return Err(HerderError::Elsewhere(url.clone())),
                    Admission::Refuse => {
                        return Err(HerderError::ShuttingDown(
                            "the worker is shutting down".to_owned(),
                        ));
                    }
                    _ => {}
                }
            }
            if view.changed().await.is_err() {
                return Err(HerderError::ShuttingDown(
                    "the worker is shutting down".to_owned(),
                ));
            }
        }
    }

    /// Restarts what runs here, and waits until it has started again.
    async fn restart_here(self: &Arc<Self>, id: WorkId) -> Result<(), HerderError> {
        let started = self.on_started(&id);
        let ids = std::iter::once(id.clone()).collect();
        self.report_restarting(&ids);
        self.tell(super::driver::DriverEvent::Restart(ids));
        match started.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(HerderError::Internal(format!("Failed to start {id}: {error:#}"))),
            Err(_) => Err(HerderError::Internal(format!(
                "{id} was taken away from this worker meanwhile"
            ))),
        }
    }

    pub(super) async fn restart_instance(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        if !self.configs.snapshot().contains(&name) {
            return Err(HerderError::unknown_connector(&name));
        }
        let id = WorkId::Connector(name);
        self.owner(&id).await?;
        self.restart_here(id).await
    }

    pub(super) async fn restart_one_task(self: Arc<Self>, task: TaskId) -> Result<(), HerderError> {
        let snapshot = self.configs.snapshot();
        if !snapshot.contains(&task.connector) {
            return Err(HerderError::unknown_connector(&task.connector));
        }
        let number = i32::try_from(task.task).unwrap_or(i32::MAX);
        let id = ConnectorTaskId::new(task.connector.as_str(), number);
        if snapshot.task_config(&id).is_none() || number >= snapshot.task_count(&task.connector) {
            return Err(HerderError::NotFound(format!("Unknown task: {task}")));
        }
        let id = WorkId::Task(id);
        self.owner(&id).await?;
        self.restart_here(id).await
    }

    pub(super) async fn restart_all(
        self: Arc<Self>,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(HerderError::unknown_connector(&name));
        }
        let request = restart::RestartRequest {
            connector: name.clone(),
            only_failed: request.only_failed,
            include_tasks: request.include_tasks,
        };
        let plan = self
            .statuses
            .with_state(|state| RestartPlan::build(request.clone(), state))
            .ok_or_else(|| HerderError::NotFound(format!("Status for connector {name} not found")))?;
        self.write(write::put_restart_request(request)).await?;
        let connector_type = self
            .status(&name)
            .map_or(ConnectorType::Unknown, |status| status.connector_type);
        Ok(ConnectorStateInfo {
            name,
            connector: crate::stores::instance_state(&plan.connector),
            tasks: plan
                .tasks
                .iter()
                .map(|(task, status)| {
                    let InstanceState {
                        state,
                        worker_id,
                        trace,
                        version,
                    } = crate::stores::instance_state(status);
                    TaskStateInfo {
                        id: u32::try_from(*task).unwrap_or_default(),
                        state,
                        worker_id,
                        trace,
                        version,
                    }
                })
                .collect(),
            connector_type,
        })
    }

    /// What of a restart that was asked for concerns this worker.
    pub(super) fn restart_part(
        &self,
        request: restart::RestartRequest,
        runs_connector: bool,
        runs_task: impl Fn(&ConnectorTaskId) -> bool,
    ) -> Option<restart::RestartPart> {
        let plan = self
            .statuses
            .with_state(|state| RestartPlan::build(request, state))?;
        Some(plan.part_of(runs_connector, runs_task))
    }
}
