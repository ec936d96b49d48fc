//! The herder of a standalone worker: connectors in memory, every request carried out here.
//!
//! Operations on one connector run one after the other (a lock per name); connectors do not wait for each other, and reads
//! wait for nobody. An operation waits for the plugin only in its own future: when the plugin hangs, a later stop, delete or
//! new configuration takes the connector over ([`ConnectorSlot::take_over`]) and the waiting one ends with an error.

mod offsets;
mod validation;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use wharf_api::config::ConfigKeyInfo;
use wharf_api::{ConfigMap, ConnectError};

use super::{
    ActiveTopics, ConnectorInfo, ConnectorOffsets, ConnectorState, ConnectorStateInfo, ConnectorType, Created, HealthStatus,
    Herder, HerderError, InitialState, InstanceState, LoggerLevel, OffsetChange, PluginInfo, RawConfig, Reply, RestartRequest,
    ServerInfo, Stage, TaskId, TaskInfo, TaskStateInfo, without_nulls,
};
use crate::config::{ConfigInfos, ConnectorConfig, NAME, StandaloneConfig};
use crate::logging;
use crate::offsets::OffsetBackingStore;
use crate::plugins::{ConnectorPlugin, PluginRegistry};
use crate::worker::{ConnectorSetup, RunningTask, TASK_CLASS, TargetState, Worker, WorkerConnector};

/// How long a connector may take to stop, as upstream.
const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stop, delete or new configuration waits for the operation before it, before it takes the connector over.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(1);

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
}

/// A connector's place: it stays while operations of this name run.
struct ConnectorSlot {
    name: String,
    operation: tokio::sync::Mutex<()>,
    /// Counts take-overs; operations end when it moves.
    taken_over: watch::Sender<u64>,
    /// What reads see; none when the connector does not exist (yet, or any more).
    entry: Mutex<Option<Entry>>,
}

struct Entry {
    config: ConfigMap,
    connector_type: ConnectorType,
    target: TargetState,
    task_configs: Vec<ConfigMap>,
    /// The configuration that the task configurations were made under.
    applied_config: Option<ConfigMap>,
    connector: Option<WorkerConnector>,
    tasks: BTreeMap<u32, RunningTask>,
}

/// An operation in progress: holds the name's lock, and knows when it is taken over.
struct Operation<'s> {
    slot: &'s ConnectorSlot,
    taken_over: watch::Receiver<u64>,
    _lock: tokio::sync::MutexGuard<'s, ()>,
}

impl ConnectorSlot {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            operation: tokio::sync::Mutex::new(()),
            taken_over: watch::Sender::new(0),
            entry: Mutex::new(None),
        }
    }

    fn entry(&self) -> MutexGuard<'_, Option<Entry>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the entry; not found when there is none.
    fn with<T>(&self, read: impl FnOnce(&mut Entry) -> T) -> Result<T, HerderError> {
        self.entry().as_mut().map(read).ok_or_else(|| not_found(&self.name))
    }

    /// Waits for its turn.
    async fn begin(&self) -> Operation<'_> {
        let lock = self.operation.lock().await;
        Operation { slot: self, taken_over: self.taken_over.subscribe(), _lock: lock }
    }

    /// Waits for its turn a little, then ends the operation before it, which waits for a plugin that hangs.
    async fn take_over(&self) -> Operation<'_> {
        if let Ok(lock) = tokio::time::timeout(TAKE_OVER_AFTER, self.operation.lock()).await {
            return Operation { slot: self, taken_over: self.taken_over.subscribe(), _lock: lock };
        }
        self.taken_over.send_modify(|count| *count += 1);
        self.begin().await
    }
}

impl Operation<'_> {
    /// Waits for the plugin's answer, unless the operation is taken over.
    async fn plugin<T>(&mut self, answer: oneshot::Receiver<wharf_api::Result<T>>) -> Result<T, PluginWait> {
        tokio::select! {
            answer = answer => match answer {
                Ok(outcome) => outcome.map_err(PluginWait::Failed),
                Err(_) => Err(PluginWait::Failed(ConnectError::illegal_state(format!(
                    "connector {} was stopped meanwhile",
                    self.slot.name
                )))),
            },
            _ = self.taken_over.changed() => Err(PluginWait::TakenOver),
        }
    }
}

enum PluginWait {
    Failed(ConnectError),
    TakenOver,
}

fn not_found(name: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {name} not found"))
}

fn unknown(name: &str) -> HerderError {
    HerderError::NotFound(format!("Unknown connector {name}"))
}

/// The name within a configuration is the connector's.
fn check_name(name: &str, config: &RawConfig) -> Result<(), HerderError> {
    match config.get(NAME).and_then(Option::as_deref) {
        Some(inner) if inner == name => Ok(()),
        inner => Err(HerderError::BadRequest(format!(
            "Connector name configuration ({}) doesn't match connector name in the URL ({name})",
            inner.unwrap_or("null")
        ))),
    }
}

fn taken_over(name: &str) -> HerderError {
    HerderError::Conflict(format!(
        "the operation on connector {name} was replaced by a later one while its plugin did not answer"
    ))
}

/// Runs an operation to its end, whether or not somebody waits for the answer.
fn reply<T: Send + 'static>(work: impl Future<Output = Result<T, HerderError>> + Send + 'static) -> Reply<T> {
    let task = tokio::spawn(work);
    Box::pin(async move {
        task.await.unwrap_or_else(|error| Err(HerderError::Internal(format!("the operation failed: {error}"))))
    })
}

impl StandaloneHerder {
    /// A herder without connectors.
    ///
    /// # Errors
    /// When the system gives no thread for the offset store.
    pub fn new(
        config: Arc<StandaloneConfig>,
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
            }),
        })
    }

    /// The worker underneath.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        &self.inner.worker
    }

    /// Says that all connectors of the command line were created.
    pub fn set_ready(&self) {
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
            if let Some(entry) = slot.entry().as_mut() {
                connectors.extend(entry.connector.take());
                tasks.extend(std::mem::take(&mut entry.tasks).into_values());
            }
        }
        let deadline = Instant::now() + CONNECTOR_STOP_TIMEOUT;
        let stops: Vec<_> =
            connectors.into_iter().map(|connector| tokio::spawn(connector.shut_down(deadline))).collect();
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
        Arc::clone(slots.entry(name.to_owned()).or_insert_with(|| Arc::new(ConnectorSlot::new(name))))
    }

    fn check_running(&self) -> Result<(), HerderError> {
        if self.shutting_down.load(Ordering::Acquire) {
            return Err(HerderError::ShuttingDown("the worker is shutting down".to_owned()));
        }
        Ok(())
    }

    /// Notes what the worker is doing, for the text of a time-out.
    fn stage(self: &Arc<Self>, description: String) -> StageGuard {
        let number = self.next_stage.fetch_add(1, Ordering::Relaxed);
        let stage = Stage { description, started: now_millis(), completed: None };
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push((number, stage));
        StageGuard { inner: Arc::clone(self), number }
    }

    fn plugin_of(&self, config: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        let parsed = ConnectorConfig::parse(config)?;
        self.worker.plugins.connector(&parsed.class, parsed.version.as_deref())
    }

    /// Starts the instance of a connector as its target state says, and its tasks.
    async fn start_connector(
        self: &Arc<Self>,
        operation: &mut Operation<'_>,
    ) -> Result<(), HerderError> {
        let slot = operation.slot;
        let name = &slot.name;
        let _stage = self.stage(format!("starting the connector {name}"));
        let (config, target) = slot.with(|entry| (entry.config.clone(), entry.target))?;
        let fail = |error: &ConnectError| {
            let statuses = &self.worker.statuses;
            statuses.set_connector(name, statuses.next_epoch(), ConnectorState::Failed, Some(error.trace()), None);
        };
        let started = self.plugin_of(&config).and_then(|plugin| self.spawn_connector(name, &plugin, &config));
        let connector = match started {
            Ok(connector) => connector,
            Err(error) => {
                fail(&error);
                return Err(transition_failed(name, target, &error));
            }
        };
        let answer = connector.transition(target);
        slot.with(|entry| entry.connector = Some(connector))?;
        match operation.plugin(answer).await {
            Ok(()) => {}
            Err(PluginWait::Failed(error)) => return Err(transition_failed(name, target, &error)),
            Err(PluginWait::TakenOver) => return Err(taken_over(name)),
        }
        if target == TargetState::Started {
            self.update_tasks(operation).await?;
        }
        Ok(())
    }

    fn spawn_connector(
        self: &Arc<Self>,
        name: &str,
        plugin: &ConnectorPlugin,
        config: &ConfigMap,
    ) -> Result<WorkerConnector, ConnectError> {
        let herder = Arc::downgrade(self);
        let of_request = name.to_owned();
        let runtime = tokio::runtime::Handle::current();
        let is_source = plugin.kind == ConnectorType::Source;
        WorkerConnector::spawn(ConnectorSetup {
            name: name.to_owned(),
            plugin: plugin.clone(),
            config: config.clone(),
            offsets: is_source.then(|| self.worker.offset_storage(name)),
            statuses: Arc::clone(&self.worker.statuses),
            metrics: Arc::clone(&self.worker.metrics),
            request_reconfiguration: Arc::new(move || {
                runtime.spawn(reconfigure(Weak::clone(&herder), of_request.clone()));
            }),
        })
    }

    /// Asks a running connector for task configurations and restarts its tasks when they or the connector's configuration
    /// changed.
    async fn update_tasks(self: &Arc<Self>, operation: &mut Operation<'_>) -> Result<(), HerderError> {
        let slot = operation.slot;
        let name = &slot.name;
        let _stage = self.stage(format!("generating task configs for connector {name}"));
        let (config, answer) = {
            let entry = slot.entry();
            let entry = entry.as_ref().ok_or_else(|| not_found(name))?;
            let Some(connector) = &entry.connector else { return Ok(()) };
            if entry.target != TargetState::Started || connector.is_failed() {
                return Ok(());
            }
            let max = ConnectorConfig::parse(&entry.config).map_err(HerderError::from)?.tasks_max as usize;
            (entry.config.clone(), connector.task_configs(max))
        };
        let configs = match operation.plugin(answer).await {
            Ok(configs) => self.complete_task_configs(&config, configs),
            Err(PluginWait::Failed(error)) => Err(error),
            Err(PluginWait::TakenOver) => return Err(taken_over(name)),
        };
        let configs = match configs {
            Ok(configs) => configs,
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
            entry.task_configs == configs && entry.applied_config.as_ref() == Some(&config) && !configs.is_empty()
        })?;
        if unchanged {
            return Ok(());
        }
        self.stop_tasks_of(slot).await;
        self.worker.statuses.remove_tasks(name);
        slot.with(|entry| {
            entry.task_configs = configs;
            entry.applied_config = Some(config);
        })?;
        self.start_tasks(slot, None)
    }

    /// Adds what the framework puts into task configurations, and holds the connector to its limit.
    fn complete_task_configs(
        &self,
        config: &ConfigMap,
        configs: Vec<ConfigMap>,
    ) -> Result<Vec<ConfigMap>, ConnectError> {
        let parsed = ConnectorConfig::parse(config)?;
        let plugin = self.worker.plugins.connector(&parsed.class, parsed.version.as_deref())?;
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
                task
            })
            .collect())
    }

    /// Starts the tasks of a connector that do not run: all, or those named.
    fn start_tasks(&self, slot: &ConnectorSlot, only: Option<&[u32]>) -> Result<(), HerderError> {
        let (config, task_configs, target) =
            slot.with(|entry| (entry.config.clone(), entry.task_configs.clone(), entry.target))?;
        if target == TargetState::Stopped {
            return Ok(());
        }
        let plugin = self.plugin_of(&config)?;
        for (number, task_config) in (0_u32..).zip(&task_configs) {
            if only.is_some_and(|only| !only.contains(&number)) {
                continue;
            }
            let id = TaskId::new(slot.name.as_str(), number);
            let _context = logging::with_context(format!("[{}|task-{number}] ", slot.name));
            let started = self.worker.start_task(&plugin, &config, &id, task_config, target == TargetState::Paused);
            if let Some(task) = started {
                slot.with(|entry| entry.tasks.insert(number, task))?;
            }
        }
        Ok(())
    }

    /// Stops all tasks of a connector, or gives them up after the graceful time-out.
    async fn stop_tasks_of(&self, slot: &ConnectorSlot) {
        let tasks = slot.entry().as_mut().map(|entry| std::mem::take(&mut entry.tasks)).unwrap_or_default();
        self.stop(tasks.into_values().collect()).await;
    }

    async fn stop(&self, tasks: Vec<RunningTask>) {
        if tasks.is_empty() {
            return;
        }
        let worker = Arc::clone(&self.worker);
        // A panic there would be a defect; the tasks are gone from the herder either way.
        let _ = tokio::task::spawn_blocking(move || worker.stop_tasks(tasks)).await;
    }

    async fn stop_instance(self: &Arc<Self>, slot: &ConnectorSlot) {
        let connector = slot.entry().as_mut().and_then(|entry| entry.connector.take());
        if let Some(connector) = connector {
            let _stage = self.stage(format!("stopping connector {}", slot.name));
            connector.shut_down(Instant::now() + CONNECTOR_STOP_TIMEOUT).await;
        }
    }

    fn info(&self, slot: &ConnectorSlot) -> Result<ConnectorInfo, HerderError> {
        slot.with(|entry| ConnectorInfo {
            name: slot.name.clone(),
            config: entry.config.clone(),
            tasks: (0_u32..).zip(&entry.task_configs).map(|(task, _)| TaskId::new(slot.name.as_str(), task)).collect(),
            connector_type: entry.connector_type,
        })
    }

    async fn put_config(
        self: Arc<Self>,
        name: String,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        self.check_running()?;
        self.check_valid(config.clone()).await?;
        let config = without_nulls(&config);
        if !allow_replace && self.existing(&name).is_some() {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        let slot = self.slot(&name);
        let mut operation = slot.take_over().await;
        self.check_running()?;
        let connector_type = self.plugin_of(&config)?.kind;
        let existed = slot.entry().is_some();
        if existed && !allow_replace {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        if existed {
            self.stop_instance(&slot).await;
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
        tracing::info!("{} connector {name}", if existed { "updating" } else { "creating" });
        self.start_connector(&mut operation).await?;
        let info = self.info(&slot)?;
        Ok(if existed { Created::Replaced(info) } else { Created::Created(info) })
    }

    async fn delete(self: Arc<Self>, name: String) -> Result<(), HerderError> {
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
    async fn apply_target(self: Arc<Self>, slot: Arc<ConnectorSlot>) {
        let mut operation = slot.begin().await;
        let Ok((target, answer)) = slot.with(|entry| {
            let target = entry.target;
            for task in entry.tasks.values() {
                task.set_paused(target != TargetState::Started);
            }
            (target, entry.connector.as_ref().map(|connector| connector.transition(target)))
        }) else {
            return;
        };
        let outcome = match answer {
            Some(answer) => operation.plugin(answer).await,
            None => Ok(()),
        };
        if let Err(PluginWait::Failed(error)) = outcome {
            tracing::warn!("connector {}: {error:#}", slot.name);
        } else if target == TargetState::Started
            && let Err(error) = self.update_tasks(&mut operation).await
        {
            tracing::error!("the tasks of connector {} cannot be updated: {error}", slot.name);
        }
    }

    /// Records pause or resume; it is carried out after the answer.
    fn set_target(self: &Arc<Self>, name: &str, target: TargetState) -> Result<(), HerderError> {
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

    async fn stop_connector(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self.existing(&name).ok_or_else(|| unknown(&name))?;
        slot.with(|entry| entry.target = TargetState::Stopped)?;
        let mut operation = slot.take_over().await;
        // Another request may have come between.
        if slot.with(|entry| entry.target)? != TargetState::Stopped {
            return Ok(());
        }
        let _stage = self.stage(format!("stopping connector {name}"));
        let answer =
            slot.with(|entry| entry.connector.as_ref().map(|connector| connector.transition(TargetState::Stopped)))?;
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

    async fn restart_instance(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.check_running()?;
        let slot =
            self.existing(&name).ok_or_else(|| HerderError::NotFound(format!("Unknown connector: {name}")))?;
        let mut operation = slot.take_over().await;
        self.stop_instance(&slot).await;
        self.start_connector(&mut operation).await
    }

    async fn restart_all(
        self: Arc<Self>,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, HerderError> {
        self.check_running()?;
        let slot =
            self.existing(&name).ok_or_else(|| HerderError::NotFound(format!("Unknown connector: {name}")))?;
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
        let restarting = |state: ConnectorState, restarts: bool| if restarts { ConnectorState::Restarting } else { state };
        let plan = ConnectorStateInfo {
            name: name.clone(),
            connector: InstanceState {
                state: restarting(connector.state, restart_connector),
                trace: connector.trace.filter(|_| !restart_connector),
                ..connector
            },
            tasks: tasks
                .into_iter()
                .map(|task| {
                    let restarts = restart_tasks.contains(&task.id);
                    TaskStateInfo {
                        state: restarting(task.state, restarts),
                        trace: task.trace.filter(|_| !restarts),
                        ..task
                    }
                })
                .collect(),
            connector_type,
        };
        tokio::spawn(async move {
            let mut operation = slot.take_over().await;
            if restart_connector {
                statuses.set_connector(&name, statuses.next_epoch(), ConnectorState::Restarting, None, None);
                self.stop_instance(&slot).await;
            }
            self.restart_tasks_of(&slot, &restart_tasks).await;
            if restart_connector && let Err(error) = self.start_connector(&mut operation).await {
                tracing::error!("the restart of connector {name} failed: {error}");
            }
            if let Err(error) = self.start_tasks(&slot, Some(&restart_tasks)) {
                tracing::error!("the restart of tasks of connector {name} failed: {error}");
            }
        });
        Ok(plan)
    }

    /// Stops tasks that are about to be started again.
    async fn restart_tasks_of(&self, slot: &ConnectorSlot, numbers: &[u32]) {
        let mut stopping = Vec::new();
        if let Some(entry) = slot.entry().as_mut() {
            stopping.extend(numbers.iter().filter_map(|number| entry.tasks.remove(number)));
        }
        self.stop(stopping).await;
        let statuses = &self.worker.statuses;
        for number in numbers {
            let id = TaskId::new(slot.name.as_str(), *number);
            statuses.set_task(&id, statuses.next_epoch(), ConnectorState::Restarting, None, None);
        }
    }

    async fn restart_one_task(self: Arc<Self>, task: TaskId) -> Result<(), HerderError> {
        self.check_running()?;
        let slot = self.existing(&task.connector).ok_or_else(|| not_found(&task.connector))?;
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

/// A connector asked for new task configurations.
async fn reconfigure(herder: Weak<Inner>, name: String) {
    let Some(herder) = herder.upgrade() else { return };
    let Some(slot) = herder.existing(&name) else { return };
    let mut operation = slot.begin().await;
    if let Err(error) = herder.update_tasks(&mut operation).await {
        tracing::error!("the tasks of connector {name} cannot be reconfigured: {error}");
    }
}

fn transition_failed(name: &str, target: TargetState, error: &ConnectError) -> HerderError {
    HerderError::Internal(format!("Failed to transition connector {name} to state {}: {error:#}", target.name()))
}

fn now_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
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
            *self.inner.last_stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        }
    }
}

impl Herder for StandaloneHerder {
    fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("WHARF_COMMIT").unwrap_or("unknown").chars().take(16).collect(),
            kafka_cluster_id: self.inner.cluster_id.clone(),
        }
    }

    fn health(&self) -> Reply<HealthStatus> {
        let ready = self.inner.ready.load(Ordering::Acquire);
        Box::pin(async move { Ok(if ready { HealthStatus::Healthy } else { HealthStatus::Starting }) })
    }

    fn stage(&self) -> Option<Stage> {
        let current = self.inner.stages.lock().unwrap_or_else(PoisonError::into_inner).last().cloned();
        match current {
            Some((_, stage)) => Some(stage),
            None => self.inner.last_stage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn connectors(&self) -> Vec<String> {
        let slots: Vec<Arc<ConnectorSlot>> = self.inner.slots().values().cloned().collect();
        slots.iter().filter(|slot| slot.entry().is_some()).map(|slot| slot.name.clone()).collect()
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
            tasks: statuses.tasks(name),
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
                .map(|(task, config)| TaskInfo { id: TaskId::new(name, task), config: config.clone() })
                .collect()
        })
    }

    fn active_topics(&self, name: &str) -> Result<ActiveTopics, HerderError> {
        if !self.inner.worker.config.topic_tracking_enable {
            return Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()));
        }
        Ok(ActiveTopics { connector: name.to_owned(), topics: self.inner.worker.active_topics.get(name) })
    }

    fn reset_active_topics(&self, name: &str) -> Result<(), HerderError> {
        let config = &self.inner.worker.config;
        if !config.topic_tracking_enable {
            return Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()));
        }
        if !config.topic_tracking_allow_reset {
            return Err(HerderError::Forbidden("Topic tracking reset is disabled.".to_owned()));
        }
        self.inner.worker.active_topics.reset(name);
        Ok(())
    }

    fn put_connector_config(
        &self,
        name: &str,
        mut config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Reply<Created<ConnectorInfo>> {
        config.entry(NAME.to_owned()).or_insert_with(|| Some(name.to_owned()));
        reply(Arc::clone(&self.inner).put_config(name.to_owned(), config, initial_state, allow_replace))
    }

    fn patch_connector_config(&self, name: &str, patch: RawConfig) -> Reply<ConnectorInfo> {
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        reply(async move {
            let slot = inner.existing(&name).ok_or_else(|| not_found(&name))?;
            let mut config: RawConfig =
                slot.with(|entry| entry.config.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect())?;
            for (key, value) in patch {
                match value {
                    Some(value) => {
                        config.insert(key, Some(value));
                    }
                    None => {
                        config.remove(&key);
                    }
                }
            }
            check_name(&name, &config)?;
            inner.put_config(name, config, None, true).await.map(Created::into_inner)
        })
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
        let (inner, class, version) = (Arc::clone(&self.inner), class.to_owned(), version.map(str::to_owned));
        reply(validation::on_thread("plugin-config", move || {
            inner.worker.plugins.plugin_config(&class, version.as_deref())
        }))
    }

    fn validate_connector_config(&self, config: RawConfig) -> Reply<ConfigInfos> {
        reply(Arc::clone(&self.inner).validate(config))
    }

    fn logger_levels(&self) -> BTreeMap<String, LoggerLevel> {
        logging::levels().levels()
    }

    fn logger_level(&self, logger: &str) -> Option<LoggerLevel> {
        logging::levels().level(logger)
    }

    fn set_worker_logger_level(&self, logger: &str, level: &str) -> Vec<String> {
        match level.parse() {
            Ok(level) => logging::levels().set(logger, level),
            Err(_) => Vec::new(),
        }
    }

    fn set_cluster_logger_level(&self, logger: &str, level: &str) {
        // A standalone worker is its whole cluster.
        let _ = self.set_worker_logger_level(logger, level);
    }
}
