//! Starting and stopping a connector's instance and tasks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use wharf_api::{ConfigMap, ConnectError};

use super::Inner;
use super::slot::{ConnectorSlot, Operation, PluginWait};
use crate::config::ConnectorConfig;
use crate::config_providers::restore_references;
use crate::herder::common::not_found;
use crate::herder::{ConnectorState, ConnectorType, HerderError, TaskId};
use crate::logging;
use crate::plugins::ConnectorPlugin;
use crate::worker::{ConnectorSetup, RunningTask, TASK_CLASS, TargetState, WorkerConnector};

/// How long a connector may take to stop, as upstream.
pub(super) const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// After this long a connector that has not started yet says so in its status.
const SLOW_START: Duration = Duration::from_secs(5);

impl Inner {
    /// Starts the instance of a connector as its target state says, and its tasks.
    pub(super) async fn start_connector(
        self: &Arc<Self>,
        operation: &mut Operation<'_>,
    ) -> Result<(), HerderError> {
        let slot = operation.slot;
        let name = &slot.name;
        let _stage = self.stage(format!("starting the connector {name}"));
        let (config, target) = slot.with(|entry| (entry.config.clone(), entry.target))?;
        let fail = |error: &ConnectError| {
            let statuses = &self.worker.statuses;
            statuses.set_connector(
                name,
                statuses.next_epoch(),
                ConnectorState::Failed,
                Some(error.trace()),
                None,
            );
        };
        let started = self
            .plugin_of(&config)
            .and_then(|plugin| self.spawn_connector(name, &plugin, &config));
        let connector = match started {
            Ok(connector) => connector,
            Err(error) => {
                fail(&error);
                return Err(transition_failed(name, target, &error));
            }
        };
        let answer = connector.transition(target);
        slot.with(|entry| entry.connector = Some(connector))?;
        let waited = async {
            let mut answer = std::pin::pin!(operation.plugin(answer));
            if let Ok(outcome) = tokio::time::timeout(SLOW_START, &mut answer).await {
                return outcome;
            }
            // The status says what is going on; it is replaced when the plugin answers after all.
            let _ = slot.with(|entry| {
                if let Some(connector) = &entry.connector {
                    connector.report_slow(SLOW_START);
                }
            });
            answer.await
        };
        match waited.await {
            Ok(()) => {}
            Err(PluginWait::Failed(error)) => return Err(transition_failed(name, target, &error)),
            Err(PluginWait::TakenOver) => return Err(HerderError::taken_over(name)),
        }
        if target == TargetState::Started {
            self.update_tasks(operation).await?;
        }
        Ok(())
    }

    pub(super) fn spawn_connector(
        self: &Arc<Self>,
        name: &str,
        plugin: &ConnectorPlugin,
        config: &ConfigMap,
    ) -> Result<WorkerConnector, ConnectError> {
        let herder = Arc::downgrade(self);
        let of_request = name.to_owned();
        let runtime = tokio::runtime::Handle::current();
        let is_source = plugin.kind == ConnectorType::Source;
        let (of_reload, reloads) = (name.to_owned(), self.reloads.clone());
        let (reload_herder, reload_runtime) = (Weak::clone(&herder), runtime.clone());
        // One request waits at the most: those that come meanwhile ask for the same.
        let waiting = Arc::new(AtomicBool::new(false));
        WorkerConnector::spawn(ConnectorSetup {
            name: name.to_owned(),
            plugin: plugin.clone(),
            config: config.clone(),
            providers: self.worker.config.config_providers.clone(),
            resolved: Arc::new(move |resolved| {
                let (herder, name) = (Weak::clone(&reload_herder), of_reload.clone());
                reloads.schedule(&reload_runtime, &of_reload, resolved, move || {
                    reload(Weak::clone(&herder), name.clone())
                });
            }),
            offsets: is_source.then(|| self.worker.connector_offsets(name, config)),
            statuses: Arc::clone(&self.worker.statuses),
            metrics: Arc::clone(&self.worker.metrics),
            measured: Arc::clone(&self.worker.measured),
            lease: None,
            request_reconfiguration: Arc::new(move || {
                if !waiting.swap(true, Ordering::AcqRel) {
                    runtime.spawn(reconfigure(
                        Weak::clone(&herder),
                        of_request.clone(),
                        Arc::clone(&waiting),
                    ));
                }
            }),
        })
    }

    /// Asks a running connector for task configurations and restarts its tasks when they or the connector's configuration
    /// changed.
    pub(super) async fn update_tasks(
        self: &Arc<Self>,
        operation: &mut Operation<'_>,
    ) -> Result<(), HerderError> {
        let slot = operation.slot;
        let name = &slot.name;
        let _stage = self.stage(format!("generating task configs for connector {name}"));
        let (config, resolved, answer) = {
            let entry = slot.entry();
            let entry = entry.as_ref().ok_or_else(|| not_found(name))?;
            let Some(connector) = &entry.connector else {
                return Ok(());
            };
            if entry.target != TargetState::Started || connector.is_failed() || !connector.is_started() {
                return Ok(());
            }
            // What it was started with: a value that is another one by now counts with the next start.
            let resolved = connector
                .resolved_config()
                .unwrap_or_else(|| entry.config.clone());
            let max = ConnectorConfig::parse(&resolved)
                .map_err(HerderError::from)?
                .tasks_max as usize;
            (entry.config.clone(), resolved, connector.task_configs(max))
        };
        let configs = match operation.plugin(answer).await {
            Ok(configs) => self.complete_task_configs(&config, &resolved, configs),
            Err(PluginWait::Failed(error)) => Err(error),
            Err(PluginWait::TakenOver) => return Err(HerderError::taken_over(name)),
        };
        let configs = match configs {
            Ok(configs) => {
                slot.postponed.succeeded();
                configs
            }
            // As in a group of workers, where any failure is tried again.
            Err(error) if error.is_retriable() => {
                self.update_tasks_later(slot, &error);
                return Ok(());
            }
            Err(error) => {
                tracing::error!("connector {name} cannot make task configurations: {error:#}");
                slot.with(|entry| {
                    if let Some(connector) = &entry.connector {
                        connector.fail(&error);
                    }
                })?;
                return Err(HerderError::Internal(format!(
                    "Failed to generate task configs for connector {name}: {error:#}"
                )));
            }
        };
        let unchanged = slot.with(|entry| {
            entry.task_configs == configs
                && entry.applied_config.as_ref() == Some(&resolved)
                && !configs.is_empty()
        })?;
        if unchanged {
            return Ok(());
        }
        self.stop_tasks_of(slot).await;
        self.worker.statuses.remove_tasks(name);
        slot.with(|entry| {
            entry.task_configs = configs;
            entry.applied_config = Some(resolved);
        })?;
        self.start_tasks(slot, None)
    }

    /// Asks the connector again after a while, unless somebody is going to.
    fn update_tasks_later(self: &Arc<Self>, slot: &ConnectorSlot, error: &ConnectError) {
        let Some(wait) = slot.postponed.wait() else { return };
        let (herder, name) = (Arc::downgrade(self), slot.name.clone());
        tracing::warn!(
            "connector {name} cannot make task configurations yet, trying again in {} ms: {error:#}",
            wait.as_millis()
        );
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let Some(herder) = herder.upgrade() else { return };
            let slot = herder.slots().get(&name).cloned();
            let Some(slot) = slot else { return };
            let mut operation = slot.begin().await;
            slot.postponed.waited();
            if slot.entry().is_none() {
                return;
            }
            if let Err(error) = herder.update_tasks(&mut operation).await {
                tracing::error!("the tasks of connector {name} cannot be made: {error}");
            }
        });
    }

    /// Adds what the framework puts into task configurations, puts references back where the connector's configuration has
    /// them, and holds the connector to its limit.
    pub(super) fn complete_task_configs(
        &self,
        config: &ConfigMap,
        resolved: &ConfigMap,
        configs: Vec<ConfigMap>,
    ) -> Result<Vec<ConfigMap>, ConnectError> {
        let parsed = ConnectorConfig::parse(resolved)?;
        let plugin = self
            .worker
            .plugins
            .connector(&parsed.class, parsed.version.as_deref())?;
        if configs.len() > parsed.tasks_max as usize {
            let text = format!(
                "The connector {} has generated {} tasks, which is greater than {}, the maximum number of tasks it is \
                 configured to create.",
                parsed.name,
                configs.len(),
                parsed.tasks_max
            );
            if parsed.tasks_max_enforce {
                return Err(ConnectError::connect(format!(
                    "{text} This behaviour should be considered a bug and is disallowed; it can be allowed by \
                     tasks.max.enforce=false, until that key is gone."
                ))
                .with_class("org.apache.kafka.connect.runtime.TooManyTasksException"));
            }
            tracing::warn!("{text} It is allowed by tasks.max.enforce=false");
        }
        Ok(configs
            .into_iter()
            .map(|mut task| {
                task.insert(TASK_CLASS.to_owned(), plugin.task_class.to_string());
                if plugin.kind == ConnectorType::Sink {
                    for key in [crate::config::TOPICS, crate::config::TOPICS_REGEX] {
                        if let Some(value) = config.get(key) {
                            task.insert(key.to_owned(), value.clone());
                        }
                    }
                }
                restore_references(config, &mut task);
                task
            })
            .collect())
    }

    /// Starts the tasks of a connector that do not run: all, or those named.
    pub(super) fn start_tasks(&self, slot: &ConnectorSlot, only: Option<&[u32]>) -> Result<(), HerderError> {
        let (config, task_configs, target) =
            slot.with(|entry| (entry.config.clone(), entry.task_configs.clone(), entry.target))?;
        if target == TargetState::Stopped {
            return Ok(());
        }
        self.check_running()?;
        let plugin = self.plugin_of(&config)?;
        for (number, task_config) in (0_u32..).zip(&task_configs) {
            // A task that runs keeps its handle: without it nobody could stop it.
            let runs = slot.with(|entry| entry.tasks.contains_key(&number))?;
            if runs || only.is_some_and(|only| !only.contains(&number)) {
                continue;
            }
            let id = TaskId::new(slot.name.as_str(), number);
            let _context = logging::with_context(format!("[{}|task-{number}] ", slot.name));
            let started = self.worker.start_task(
                &plugin,
                &config,
                &id,
                task_config,
                target == TargetState::Paused,
                None,
            );
            if let Some(task) = started {
                slot.with(|entry| entry.tasks.insert(number, task))?;
            }
        }
        Ok(())
    }

    /// Stops all tasks of a connector, or gives them up after the graceful time-out.
    pub(super) async fn stop_tasks_of(&self, slot: &ConnectorSlot) {
        let tasks = slot
            .entry()
            .as_mut()
            .map(|entry| std::mem::take(&mut entry.tasks))
            .unwrap_or_default();
        self.stop(tasks.into_values().collect()).await;
    }

    pub(super) async fn stop(&self, tasks: Vec<RunningTask>) {
        if tasks.is_empty() {
            return;
        }
        let worker = Arc::clone(&self.worker);
        // A panic there would be a defect; the tasks are gone from the herder either way.
        let _ = tokio::task::spawn_blocking(move || worker.stop_tasks(tasks)).await;
    }

    pub(super) async fn stop_instance(self: &Arc<Self>, slot: &ConnectorSlot) {
        let connector = slot.entry().as_mut().and_then(|entry| entry.connector.take());
        self.reloads.forget(&slot.name);
        if let Some(connector) = connector {
            let _stage = self.stage(format!("stopping connector {}", slot.name));
            connector.shut_down(Instant::now() + CONNECTOR_STOP_TIMEOUT).await;
        }
    }
}

/// Values of config providers that a connector runs with have expired.
async fn reload(herder: Weak<Inner>, name: String) {
    let Some(herder) = herder.upgrade() else { return };
    if let Err(error) = herder.restart_instance(name.clone()).await {
        tracing::error!("connector {name} cannot be restarted with new values of config providers: {error}");
    }
}

/// A connector asked for new task configurations.
async fn reconfigure(herder: Weak<Inner>, name: String, waiting: Arc<AtomicBool>) {
    let Some(herder) = herder.upgrade() else { return };
    let Some(slot) = herder.existing(&name) else {
        return;
    };
    let mut operation = slot.begin().await;
    waiting.store(false, Ordering::Release);
    if let Err(error) = herder.update_tasks(&mut operation).await {
        tracing::error!("the tasks of connector {name} cannot be reconfigured: {error}");
    }
}

fn transition_failed(name: &str, target: TargetState, error: &ConnectError) -> HerderError {
    HerderError::Internal(format!(
        "Failed to transition connector {name} to state {}: {error:#}",
        target.name()
    ))
}
