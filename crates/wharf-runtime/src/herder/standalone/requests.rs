//! What users ask of connectors: create, change, delete, pause, resume, stop, restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_api::ConfigMap;

use super::Inner;
use super::lifecycle::CONNECTOR_STOP_TIMEOUT;
use super::slot::{ConnectorSlot, Entry, Operation, PluginWait};
use crate::herder::common::{PATCH_TRIES, not_found, patch_overtaken, patched, unknown};
use crate::herder::{
    ConnectorInfo, ConnectorState, ConnectorStateInfo, Created, HerderError, InitialState, InstanceState,
    RawConfig, RestartRequest, TaskId, TaskStateInfo, without_nulls,
};
use crate::plugins::Outreach;
use crate::worker::TargetState;

impl Inner {
    pub(super) fn info(&self, slot: &ConnectorSlot) -> Result<ConnectorInfo, HerderError> {
        slot.with(|entry| ConnectorInfo {
            name: slot.name.clone(),
            config: entry.config.clone(),
            tasks: (0_u32..)
                .zip(&entry.task_configs)
                .map(|(task, _)| TaskId::new(slot.name.as_str(), task))
                .collect(),
            connector_type: entry.connector_type,
        })
    }

    pub(super) async fn put_config(
        self: Arc<Self>,
        name: String,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
        outreach: Outreach,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        self.check_running()?;
        self.check_valid(config.clone(), outreach).await?;
        let config = without_nulls(&config);
        let already_exists = || HerderError::Conflict(format!("Connector {name} already exists"));
        if !allow_replace && self.existing(&name).is_some() {
            return Err(already_exists());
        }
        let slot = self.slot(&name);
        let mut operation = if allow_replace {
            slot.take_over().await
        } else {
            slot.begin().await
        };
        if !allow_replace && slot.entry().is_some() {
            return Err(already_exists());
        }
        self.take_config(&mut operation, config, initial_state).await
    }

    pub(super) async fn patch_config(
        self: Arc<Self>,
        name: String,
        patch: RawConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        for _ in 0..PATCH_TRIES {
            self.check_running()?;
            let slot = self.existing(&name).ok_or_else(|| not_found(&name))?;
            let before = slot.with(|entry| entry.config.clone())?;
            let given = before
                .iter()
                .map(|(key, value)| (key.clone(), Some(value.clone())));
            let config = patched(&name, given.collect(), patch.clone())?;
            self.check_valid(config.clone(), Outreach::Full).await?;
            // What came in between goes its way.
            if slot.with(|entry| entry.config != before)? {
                continue;
            }
            let mut operation = slot.take_over().await;
            if slot.with(|entry| entry.config == before)? {
                let taken = self.take_config(&mut operation, without_nulls(&config), None);
                return taken.await.map(Created::into_inner);
            }
            // It came at this very moment, and its start may have been ended half-way just now.
            self.stop_instance(&slot).await;
            self.start_connector(&mut operation).await?;
        }
        Err(patch_overtaken(&name))
    }

    /// Gives a connector, new or not, a configuration that was validated, and starts it.
    async fn take_config(
        self: &Arc<Self>,
        operation: &mut Operation<'_>,
        config: ConfigMap,
        initial_state: Option<InitialState>,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        self.check_running()?;
        let slot = operation.slot;
        let connector_type = self.plugin_of(&config)?.kind;
        let existed = slot.entry().is_some();
        if existed {
            self.stop_instance(slot).await;
        }
        {
            let mut entry = slot.entry();
            match entry.as_mut() {
                Some(entry) => {
                    entry.config = config;
                    entry.connector_type = connector_type;
                }
                None => {
                    let target = match initial_state {
                        Some(InitialState::Paused) => TargetState::Paused,
                        Some(InitialState::Stopped) => TargetState::Stopped,
                        _ => TargetState::Started,
                    };
                    *entry = Some(Entry {
                        config,
                        connector_type,
                        target,
                        task_configs: Vec::new(),
                        applied_config: None,
                        connector: None,
                        tasks: BTreeMap::new(),
                    });
                }
            }
        }
        tracing::info!(
            "{} connector {}",
            if existed { "updating" } else { "creating" },
            slot.name
        );
        self.start_connector(operation).await?;
        let info = self.info(slot)?;
        Ok(if existed {
            Created::Replaced(info)
        } else {
            Created::Created(info)
        })
    }

    pub(super) async fn delete(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self.existing(&name).ok_or_else(|| not_found(&name))?;
        let operation = slot.take_over().await;
        if slot.entry().is_none() {
            return Err(not_found(&name));
        }
        self.stop_instance(&slot).await;
        self.stop_tasks_of(&slot).await;
        *slot.entry() = None;
        self.worker.statuses.remove_connector(&name);
        self.worker.active_topics.reset(&name);
        drop(operation);
        tracing::info!("deleted connector {name}");
        Ok(())
    }

    /// Carries out a change of the target state that was recorded already.
    pub(super) async fn apply_target(self: Arc<Self>, slot: Arc<ConnectorSlot>) {
        let mut operation = slot.begin().await;
        let Ok((target, answer)) = slot.with(|entry| {
            let target = entry.target;
            for task in entry.tasks.values() {
                task.set_paused(target != TargetState::Started);
            }
            (
                target,
                entry
                    .connector
                    .as_ref()
                    .map(|connector| connector.transition(target)),
            )
        }) else {
            return;
        };
        let Some(answer) = answer else {
            // The instance was given up when it did not stop; a FAILED one waits for a restart.
            let status = self.worker.statuses.connector(&slot.name);
            if status.is_some_and(|status| status.state == ConnectorState::Stopped)
                && let Err(error) = self.start_connector(&mut operation).await
            {
                tracing::error!("connector {} cannot be resumed: {error}", slot.name);
            }
            return;
        };
        let outcome = operation.plugin(answer).await;
        if let Err(PluginWait::Failed(error)) = outcome {
            tracing::warn!("connector {}: {error:#}", slot.name);
        } else if target == TargetState::Started
            && let Err(error) = self.update_tasks(&mut operation).await
        {
            tracing::error!("the tasks of connector {} cannot be updated: {error}", slot.name);
        }
    }

    /// Records pause or resume; it is carried out after the answer.
    pub(super) fn set_target(self: &Arc<Self>, name: &str, target: TargetState) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self.existing(name).ok_or_else(|| unknown(name))?;
        slot.with(|entry| {
            entry.target = target;
            for task in entry.tasks.values() {
                task.set_paused(target != TargetState::Started);
            }
        })?;
        tokio::spawn(Arc::clone(self).apply_target(slot));
        Ok(())
    }

    pub(super) async fn stop_connector(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self.existing(&name).ok_or_else(|| unknown(&name))?;
        slot.with(|entry| entry.target = TargetState::Stopped)?;
        let mut operation = slot.take_over().await;
        // Another request may have come between.
        if slot.with(|entry| entry.target)? != TargetState::Stopped {
            return Ok(());
        }
        let _stage = self.stage(format!("stopping connector {name}"));
        let answer = slot.with(|entry| {
            entry
                .connector
                .as_ref()
                .map(|connector| connector.transition(TargetState::Stopped))
        })?;
        let stopped = match answer {
            Some(answer) => tokio::time::timeout(CONNECTOR_STOP_TIMEOUT, operation.plugin(answer)).await,
            None => Ok(Ok(())),
        };
        if !matches!(stopped, Ok(Ok(()))) {
            // The plugin hangs, or there is no instance that could say that it stopped.
            self.stop_instance(&slot).await;
        }
        self.stop_tasks_of(&slot).await;
        self.worker.statuses.remove_tasks(&name);
        slot.with(|entry| {
            entry.task_configs.clear();
            entry.applied_config = None;
        })?;
        if slot.with(|entry| entry.connector.is_none())? {
            let statuses = &self.worker.statuses;
            statuses.set_connector(&name, statuses.next_epoch(), ConnectorState::Stopped, None, None);
        }
        Ok(())
    }

    pub(super) async fn restart_instance(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self
            .existing(&name)
            .ok_or_else(|| HerderError::unknown_connector(&name))?;
        let mut operation = slot.take_over().await;
        self.stop_instance(&slot).await;
        self.start_connector(&mut operation).await
    }

    pub(super) async fn restart_all(
        self: Arc<Self>,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, HerderError> {
        self.check_running()?;
        let slot = self
            .existing(&name)
            .ok_or_else(|| HerderError::unknown_connector(&name))?;
        let connector_type = slot.with(|entry| entry.connector_type)?;
        let statuses = Arc::clone(&self.worker.statuses);
        let connector = statuses
            .connector(&name)
            .ok_or_else(|| HerderError::NotFound(format!("Status for connector {name} not found")))?;
        let affected = |state: ConnectorState| !request.only_failed || state == ConnectorState::Failed;
        let restart_connector = affected(connector.state);
        let tasks = statuses.tasks(&name);
        let restart_tasks: Vec<u32> = tasks
            .iter()
            .filter(|task| request.include_tasks && affected(task.state))
            .map(|task| task.id)
            .collect();
        let restarting = |state: ConnectorState, restarts: bool| {
            if restarts {
                ConnectorState::Restarting
            } else {
                state
            }
        };
        let plan = ConnectorStateInfo {
            name: name.clone(),
            connector: InstanceState {
                state: restarting(connector.state, restart_connector),
                ..connector
            },
            tasks: tasks
                .into_iter()
                .map(|task| {
                    let restarts = restart_tasks.contains(&task.id);
                    TaskStateInfo {
                        state: restarting(task.state, restarts),
                        ..task
                    }
                })
                .collect(),
            connector_type,
        };
        // Before the answer: whoever asks for the status next must see what is going on.
        if restart_connector {
            let epoch = statuses.next_epoch();
            statuses.set_connector(&name, epoch, ConnectorState::Restarting, None, None);
        }
        for number in &restart_tasks {
            let (id, epoch) = (TaskId::new(name.as_str(), *number), statuses.next_epoch());
            statuses.set_task(&id, epoch, ConnectorState::Restarting, None, None);
        }
        tokio::spawn(async move {
            let mut operation = if restart_connector {
                slot.take_over().await
            } else {
                slot.begin().await
            };
            if restart_connector {
                self.stop_instance(&slot).await;
            }
            self.stop_tasks_numbered(&slot, &restart_tasks).await;
            if restart_connector && let Err(error) = self.start_connector(&mut operation).await {
                tracing::error!("the restart of connector {name} failed: {error}");
            }
            if let Err(error) = self.start_tasks(&slot, Some(&restart_tasks)) {
                tracing::error!("the restart of tasks of connector {name} failed: {error}");
            }
        });
        Ok(plan)
    }

    /// Stops some tasks of a connector.
    async fn stop_tasks_numbered(&self, slot: &ConnectorSlot, numbers: &[u32]) {
        let mut stopping = Vec::new();
        if let Some(entry) = slot.entry().as_mut() {
            stopping.extend(numbers.iter().filter_map(|number| entry.tasks.remove(number)));
        }
        self.stop(stopping).await;
    }

    pub(super) async fn restart_one_task(self: Arc<Self>, task: TaskId) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self
            .existing(&task.connector)
            .ok_or_else(|| not_found(&task.connector))?;
        let missing = || HerderError::NotFound(format!("Task {task} not found"));
        let exists = |entry: &mut Entry| entry.task_configs.len() > task.task as usize;
        if !slot.with(exists)? {
            return Err(missing());
        }
        let _operation = slot.begin().await;
        if !slot.with(exists)? {
            return Err(missing());
        }
        let running = slot.with(|entry| entry.tasks.remove(&task.task))?;
        self.stop(running.into_iter().collect()).await;
        self.start_tasks(&slot, Some(&[task.task]))?;
        if slot.with(|entry| entry.tasks.contains_key(&task.task))? {
            Ok(())
        } else {
            Err(HerderError::Internal(format!("Failed to start task: {task}")))
        }
    }
}
