//! The herder of a standalone worker: connectors in memory, every request carried out here.
//!
//! Operations on one connector run one after the other (a lock per name); connectors do not wait for each other, and reads
//! wait for nobody. An operation waits for the plugin only in its own future: when the plugin hangs, a later stop, delete or
//! new configuration takes the connector over ([`ConnectorSlot::take_over`]) and the waiting one ends with an error.

mod lifecycle;
mod offsets;
mod requests;
mod slot;
mod validation;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wharf_api::config::ConfigKeyInfo;
use wharf_api::{ConfigMap, ConnectError};

use self::lifecycle::CONNECTOR_STOP_TIMEOUT;
use self::slot::{ConnectorSlot, Entry};
use super::common::{check_topic_reset, check_topic_tracking, named, not_found, reply};
use super::reloads::Reloads;
use super::{
    ActiveTopics, ConnectorInfo, ConnectorOffsets, ConnectorStateInfo, Created, HealthStatus, Herder,
    HerderError, InitialState, OffsetChange, PluginInfo, RawConfig, Reply, RestartRequest, ServerInfo, Stage,
    TaskId, TaskInfo, TaskStateInfo, plugin_calls,
};
use crate::config::{ConfigInfos, ConnectorConfig, WorkerConfig};
use crate::metrics::TextFormat;
use crate::offsets::OffsetBackingStore;
use crate::plugins::{ConnectorPlugin, Outreach, PluginRegistry};
use crate::worker::preview::{Preview, PreviewRequest};
use crate::worker::{RunningTask, TargetState, Worker};

/// A standalone herder. Cheap to clone.
#[derive(Clone)]
pub struct StandaloneHerder {
    inner: Arc<Inner>,
}

struct Inner {
    worker: Arc<Worker>,
    cluster_id: String,
    slots: Mutex<BTreeMap<String, Arc<ConnectorSlot>>>,
    ready: AtomicBool,
    shutting_down: AtomicBool,
    stages: Mutex<Vec<(u64, Stage)>>,
    last_stage: Mutex<Option<Stage>>,
    next_stage: AtomicU64,
    reloads: Reloads,
}

impl StandaloneHerder {
    /// A herder without connectors.
    ///
    /// # Errors
    /// When the system gives no thread for the offset store.
    pub fn new(
        config: Arc<WorkerConfig>,
        plugins: Arc<PluginRegistry>,
        offsets: Arc<dyn OffsetBackingStore>,
        worker_id: &str,
        cluster_id: impl Into<String>,
    ) -> wharf_api::Result<Self> {
        let worker = Arc::new(Worker::new(config, plugins, offsets, worker_id)?);
        Ok(Self {
            inner: Arc::new(Inner {
                worker,
                cluster_id: cluster_id.into(),
                slots: Mutex::default(),
                ready: AtomicBool::new(false),
                shutting_down: AtomicBool::new(false),
                stages: Mutex::default(),
                last_stage: Mutex::default(),
                next_stage: AtomicU64::new(0),
                reloads: Reloads::default(),
            }),
        })
    }

    /// The worker underneath.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        &self.inner.worker
    }

    /// Creates a connector of the command line, of a configuration that has its name. It is checked as far as that can be done
    /// without asking anybody: a system that is away does not keep the worker from starting, and the connector goes on as soon
    /// as it is back.
    pub fn create_at_start(
        &self,
        name: &str,
        config: ConfigMap,
        initial_state: Option<InitialState>,
    ) -> Reply<Created<ConnectorInfo>> {
        let config = config.into_iter().map(|(key, value)| (key, Some(value)));
        reply(Arc::clone(&self.inner).put_config(
            name.to_owned(),
            config.collect(),
            initial_state,
            false,
            Outreach::Offline,
        ))
    }

    /// Says that all connectors of the command line were created. Has to be called within a tokio runtime.
    pub fn set_ready(&self) {
        let weak = Arc::downgrade(&self.inner);
        super::restart_policy::watch(
            move || {
                weak.upgrade()
                    .map(|inner| Arc::new(Self { inner }) as Arc<dyn Herder>)
            },
            &self.inner.worker.statuses,
            self.inner.worker.config.restart,
        );
        self.inner.ready.store(true, Ordering::Release);
    }

    /// Stops all connectors, then all tasks within the graceful time-out. Offsets are stored. Nothing can be changed after.
    pub async fn shut_down(&self) {
        let inner = &self.inner;
        inner.shutting_down.store(true, Ordering::Release);
        let slots: Vec<Arc<ConnectorSlot>> = inner.slots().values().cloned().collect();
        let mut connectors = Vec::new();
        let mut tasks = Vec::new();
        for slot in &slots {
            slot.taken_over.send_modify(|count| *count += 1);
        }
        // What an operation is starting or stopping just now comes to rest first, or it would be missed below.
        let rest_until = tokio::time::Instant::now() + CONNECTOR_STOP_TIMEOUT;
        for slot in &slots {
            let _resting = tokio::time::timeout_at(rest_until, slot.operation.lock()).await;
            if let Some(entry) = slot.entry().as_mut() {
                connectors.extend(entry.connector.take());
                tasks.extend(std::mem::take(&mut entry.tasks).into_values());
            }
        }
        let deadline = Instant::now() + CONNECTOR_STOP_TIMEOUT;
        let stops: Vec<_> = connectors
            .into_iter()
            .map(|connector| tokio::spawn(connector.shut_down(deadline)))
            .collect();
        let worker = Arc::clone(&inner.worker);
        let stop_tasks = tokio::task::spawn_blocking(move || worker.stop_tasks(tasks));
        for stop in stops {
            // A panic in a stop must not keep the others from stopping.
            let _ = stop.await;
        }
        let _ = stop_tasks.await;
        tracing::info!("herder stopped");
    }
}

impl Inner {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ConnectorSlot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a connector that exists.
    fn existing(&self, name: &str) -> Option<Arc<ConnectorSlot>> {
        let slot = self.slots().get(name).cloned()?;
        let exists = slot.entry().is_some();
        exists.then_some(slot)
    }

    /// The place of a name, made when it is new.
    fn slot(&self, name: &str) -> Arc<ConnectorSlot> {
        let mut slots = self.slots();
        Arc::clone(
            slots
                .entry(name.to_owned())
                .or_insert_with(|| Arc::new(ConnectorSlot::new(name))),
        )
    }

    fn check_running(&self) -> Result<(), HerderError> {
        if self.shutting_down.load(Ordering::Acquire) {
            return Err(HerderError::ShuttingDown(
                "the worker is shutting down".to_owned(),
            ));
        }
        Ok(())
    }

    /// Notes what the worker is doing, for the text of a time-out.
    fn stage(self: &Arc<Self>, description: String) -> StageGuard {
        let number = self.next_stage.fetch_add(1, Ordering::Relaxed);
        let stage = Stage {
            description,
            started: now_millis(),
            completed: None,
        };
        self.stages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((number, stage));
        StageGuard {
            inner: Arc::clone(self),
            number,
        }
    }

    fn plugin_of(&self, config: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        self.worker.read_framework(config, |framework| {
            let parsed = ConnectorConfig::parse(framework)?;
            self.worker
                .plugins
                .connector(&parsed.class, parsed.version.as_deref())
        })
    }
}

/// A task whose plugin does not return is RUNNING, but its status says what it waits for.
fn with_hanging(mut tasks: Vec<TaskStateInfo>, entry: &Entry) -> Vec<TaskStateInfo> {
    for task in tasks.iter_mut().filter(|task| task.trace.is_none()) {
        task.trace = entry.tasks.get(&task.id).and_then(RunningTask::hanging);
    }
    tasks
}

pub(super) fn now_millis() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Ends a stage when dropped.
struct StageGuard {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for StageGuard {
    fn drop(&mut self) {
        let mut stages = self.inner.stages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = stages.iter().position(|(number, _)| *number == self.number) {
            let (_, mut stage) = stages.remove(at);
            stage.completed = Some(now_millis());
            *self
                .inner
                .last_stage
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(stage);
        }
    }
}

impl Herder for StandaloneHerder {
    fn server_info(&self) -> ServerInfo {
        super::server_info(&self.inner.cluster_id)
    }

    fn health(&self) -> Reply<HealthStatus> {
        let ready = self.inner.ready.load(Ordering::Acquire);
        Box::pin(async move {
            Ok(if ready {
                HealthStatus::Healthy
            } else {
                HealthStatus::Starting
            })
        })
    }

    fn stage(&self) -> Option<Stage> {
        let current = self
            .inner
            .stages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .cloned();
        match current {
            Some((_, stage)) => Some(stage),
            None => self
                .inner
                .last_stage
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    fn connectors(&self) -> Vec<String> {
        let slots: Vec<Arc<ConnectorSlot>> = self.inner.slots().values().cloned().collect();
        slots
            .iter()
            .filter(|slot| slot.entry().is_some())
            .map(|slot| slot.name.clone())
            .collect()
    }

    fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let slot = self.inner.existing(name).ok_or_else(|| not_found(name))?;
        self.inner.info(&slot)
    }

    fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let missing = || HerderError::NotFound(format!("No status found for connector {name}"));
        let slot = self.inner.existing(name).ok_or_else(missing)?;
        let connector_type = slot.with(|entry| entry.connector_type)?;
        let statuses = &self.inner.worker.statuses;
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            connector: statuses.connector(name).ok_or_else(missing)?,
            tasks: slot.with(|entry| with_hanging(statuses.tasks(name), entry))?,
            connector_type,
        })
    }

    fn task_status(&self, task: &TaskId) -> Result<TaskStateInfo, HerderError> {
        self.inner
            .worker
            .statuses
            .task(task)
            .ok_or_else(|| HerderError::NotFound(format!("No status found for task {task}")))
    }

    fn task_infos(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        let slot = self.inner.existing(name).ok_or_else(|| not_found(name))?;
        slot.with(|entry| {
            (0_u32..)
                .zip(&entry.task_configs)
                .map(|(task, config)| TaskInfo {
                    id: TaskId::new(name, task),
                    config: config.clone(),
                })
                .collect()
        })
    }

    fn active_topics(&self, name: &str) -> Result<ActiveTopics, HerderError> {
        check_topic_tracking(&self.inner.worker.config)?;
        Ok(ActiveTopics {
            connector: name.to_owned(),
            topics: self.inner.worker.active_topics.get(name),
        })
    }

    fn reset_active_topics(&self, name: &str) -> Result<(), HerderError> {
        check_topic_reset(&self.inner.worker.config)?;
        self.inner.worker.active_topics.reset(name);
        Ok(())
    }

    fn put_connector_config(
        &self,
        name: &str,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Reply<Created<ConnectorInfo>> {
        let config = named(name, config);
        reply(Arc::clone(&self.inner).put_config(
            name.to_owned(),
            config,
            initial_state,
            allow_replace,
            Outreach::Full,
        ))
    }

    fn patch_connector_config(&self, name: &str, patch: RawConfig) -> Reply<ConnectorInfo> {
        reply(Arc::clone(&self.inner).patch_config(name.to_owned(), patch))
    }

    fn delete_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).delete(name.to_owned()))
    }

    fn pause_connector(&self, name: &str) -> Reply<()> {
        let outcome = self.inner.set_target(name, TargetState::Paused);
        Box::pin(async move { outcome })
    }

    fn resume_connector(&self, name: &str) -> Reply<()> {
        let outcome = self.inner.set_target(name, TargetState::Started);
        Box::pin(async move { outcome })
    }

    fn stop_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).stop_connector(name.to_owned()))
    }

    fn restart_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).restart_instance(name.to_owned()))
    }

    fn restart_connector_and_tasks(&self, name: &str, request: RestartRequest) -> Reply<ConnectorStateInfo> {
        reply(Arc::clone(&self.inner).restart_all(name.to_owned(), request))
    }

    fn restart_task(&self, task: &TaskId) -> Reply<()> {
        reply(Arc::clone(&self.inner).restart_one_task(task.clone()))
    }

    fn connector_offsets(&self, name: &str) -> Reply<ConnectorOffsets> {
        reply(Arc::clone(&self.inner).offsets(name.to_owned()))
    }

    fn alter_connector_offsets(&self, name: &str, offsets: Vec<OffsetChange>) -> Reply<String> {
        reply(Arc::clone(&self.inner).alter_offsets(name.to_owned(), Some(offsets)))
    }

    fn reset_connector_offsets(&self, name: &str) -> Reply<String> {
        reply(Arc::clone(&self.inner).alter_offsets(name.to_owned(), None))
    }

    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        self.inner.worker.plugins.list(connectors_only)
    }

    fn plugin_config(&self, class: &str, version: Option<&str>) -> Reply<Vec<ConfigKeyInfo>> {
        reply(plugin_calls::plugin_config(
            Arc::clone(&self.inner.worker),
            class.to_owned(),
            version.map(str::to_owned),
        ))
    }

    fn preview(&self, class: &str, request: PreviewRequest) -> Reply<Preview> {
        reply(plugin_calls::preview(
            Arc::clone(&self.inner.worker),
            class.to_owned(),
            request,
        ))
    }

    fn validate_connector_config(&self, config: RawConfig) -> Reply<ConfigInfos> {
        reply(Arc::clone(&self.inner).validate(config, Outreach::Full))
    }

    fn metrics(&self, format: TextFormat) -> String {
        let inner = &self.inner;
        inner.worker.metrics_text(format, &inner.cluster_id, |_| {})
    }

    fn set_cluster_logger_level(&self, logger: &str, level: &str) {
        // A standalone worker is its whole cluster.
        let _ = self.set_worker_logger_level(logger, level);
    }
}
