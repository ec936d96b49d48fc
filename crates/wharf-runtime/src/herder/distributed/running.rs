//! What runs on this worker: connectors and tasks are started and stopped as the herder's thread commands.
//!
//! Nothing here decides; nothing here makes the herder's thread wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wharf_api::{ConfigMap, ConnectError, ErrorKind};
use wharf_cluster::config_state::{ConfigSnapshot, Properties};
use wharf_cluster::herder::{WorkId, WorkSet};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::target_state;

use super::Inner;
use super::driver::DriverEvent;
use crate::config::{CONNECTOR_CLASS, ConnectorConfig, NamedClass, named_classes, requires_exactly_once};
use crate::herder::{ConnectorState, ConnectorType, HerderError, TaskId};
use crate::logging;
use crate::plugins::ConnectorPlugin;
use crate::sync::lock;
use crate::worker::{ConnectorSetup, Epoch, RunningTask, TargetState, WorkerConnector};

/// How long a connector may take to stop, as upstream.
const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// After this long a connector that has not started yet says so in its status.
const SLOW_START: Duration = Duration::from_secs(5);

/// How long the status topic may take to be read after a lease is over.
const LAPSED_READ: Duration = Duration::from_secs(30);

/// What runs.
#[derive(Default)]
pub(super) struct Running {
    connectors: HashMap<String, RunningConnector>,
    tasks: BTreeMap<ConnectorTaskId, RunningTask>,
    /// What is being restarted: it goes from RESTARTING to RUNNING without being UNASSIGNED in between.
    restarting: BTreeSet<WorkId>,
    /// What is being stopped because the lease on it is over; what its status says is taken care of.
    lapsed: BTreeSet<WorkId>,
    /// Who waits until a start is complete.
    waiting: HashMap<WorkId, Vec<oneshot::Sender<Result<(), ConnectError>>>>,
    next_run: u64,
}

pub(super) struct RunningConnector {
    pub(super) connector: WorkerConnector,
    /// Tells one start of a connector from a later one.
    pub(super) run: u64,
    /// The task configurations that it wanted last.
    pub(super) proposed: Option<Arc<Vec<Properties>>>,
}

/// A configuration as connectors take it; a null value is as if the key were not there.
pub(super) fn config_map(properties: &Properties) -> ConfigMap {
    properties
        .iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect()
}

pub(super) fn target_of(snapshot: &ConfigSnapshot, connector: &str) -> TargetState {
    match snapshot.target_state(connector) {
        Some(target_state::TargetState::Paused) => TargetState::Paused,
        Some(target_state::TargetState::Stopped) => TargetState::Stopped,
        _ => TargetState::Started,
    }
}

pub(super) fn task_id(id: &ConnectorTaskId) -> TaskId {
    TaskId::new(id.connector.as_str(), u32::try_from(id.task).unwrap_or_default())
}

/// Why something that was assigned to this worker cannot run here.
fn missing_plugin(named: &NamedClass<'_>, plugin_path: &[PathBuf]) -> ConnectError {
    let folders: Vec<_> = plugin_path
        .iter()
        .map(|folder| folder.to_string_lossy())
        .collect();
    let (what, class) = (named.what(), named.class.unwrap_or_default());
    let place = match &*named.key {
        CONNECTOR_CLASS => ": none is".to_owned(),
        key => format!(" ({key}): none is built in or"),
    };
    ConnectError::connect(format!(
        "this worker has no native plugin for {what} class {class}{place} in plugin.path={}; put its library there and restart \
         the worker, or run the connector where only JVM workers are",
        folders.join(",")
    ))
}

/// Values of config providers that a connector runs with have expired. One that was given to another worker meanwhile has got
/// new ones there.
async fn reload(herder: Weak<Inner>, name: String) {
    let Some(herder) = herder.upgrade() else { return };
    match herder.restart_instance(name.clone()).await {
        Ok(()) | Err(HerderError::Elsewhere(_) | HerderError::NotFound(_)) => {}
        Err(error) => {
            tracing::error!(
                "connector {name} cannot be restarted with new values of config providers: {error}"
            );
        }
    }
}

impl Inner {
    pub(super) fn plugin_of(&self, config: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        self.worker
            .read_framework(config, |framework| self.plugin_in(framework))
    }

    fn plugin_in(&self, framework: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        let parsed = ConnectorConfig::parse(framework)?;
        self.worker
            .plugins
            .connector(&parsed.class, parsed.version.as_deref())
    }

    /// The plugin of what the leader wants to run here. The configuration may have been accepted by a JVM worker, which knows
    /// not what plugins are here: an everyday case, and the status says so.
    fn plugin_to_run(&self, config: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        self.worker
            .read_framework(config, |framework| self.plugin_to_run_by(framework))
    }

    fn plugin_to_run_by(&self, framework: &ConfigMap) -> Result<ConnectorPlugin, ConnectError> {
        let named = named_classes(|key| framework.get(key).map(String::as_str));
        for named in named.iter().filter(|named| named.is_told()) {
            self.worker.plugins.check_class(named).map_err(|error| {
                if error.kind() != ErrorKind::NotFound {
                    return error;
                }
                missing_plugin(named, &self.worker.config.plugin_path).caused_by(error)
            })?;
        }
        let plugin = self.plugin_in(framework)?;
        if plugin.kind == ConnectorType::Source
            && requires_exactly_once(framework)
            && !self.settings.exactly_once.is_enabled()
        {
            return Err(ConnectError::config(
                "exactly.once.support=required, but this worker has exactly.once.source.support=disabled or preparing; set it to \
                 enabled on all workers",
            ));
        }
        Ok(plugin)
    }

    /// Starts a connector instance or a task.
    pub(super) fn start(self: &Arc<Self>, id: &WorkId, snapshot: &ConfigSnapshot) {
        match id {
            WorkId::Connector(name) => self.start_connector(name, snapshot),
            WorkId::Task(task) => self.start_task(task, snapshot),
        }
    }

    fn start_connector(self: &Arc<Self>, name: &str, snapshot: &ConfigSnapshot) {
        let id = WorkId::Connector(name.to_owned());
        lock(&self.running).restarting.remove(&id);
        let Some(properties) = snapshot.config(name) else {
            return;
        };
        let config = config_map(properties);
        let target = target_of(snapshot, name);
        let started = self
            .plugin_to_run(&config)
            .and_then(|plugin| self.spawn_connector(name, &plugin, &config));
        let connector = match started {
            Ok(connector) => connector,
            Err(error) => {
                tracing::error!("failed to start connector {name}: {error:#}");
                let statuses = &self.worker.statuses;
                let epoch = statuses.next_epoch();
                statuses.set_connector(name, epoch, ConnectorState::Failed, Some(error.trace()), None);
                return self.started(&id, &Err(error));
            }
        };
        let answer = connector.transition(target);
        let run = {
            let mut running = lock(&self.running);
            running.next_run += 1;
            let run = running.next_run;
            running.connectors.insert(
                name.to_owned(),
                RunningConnector {
                    connector,
                    run,
                    proposed: None,
                },
            );
            run
        };
        let herder = Arc::clone(self);
        self.runtime.spawn(async move {
            let WorkId::Connector(name) = &id else { return };
            let outcome = herder.wait_for_start(name, run, answer).await;
            herder.started(&id, &outcome);
            if outcome.is_ok() && target == TargetState::Started {
                herder.publish_task_configs(name, run).await;
            }
        });
    }

    async fn wait_for_start(
        &self,
        name: &str,
        run: u64,
        mut answer: oneshot::Receiver<wharf_api::Result<()>>,
    ) -> Result<(), ConnectError> {
        let stopped = || ConnectError::illegal_state(format!("connector {name} was stopped meanwhile"));
        if let Ok(outcome) = tokio::time::timeout(SLOW_START, &mut answer).await {
            return outcome.unwrap_or_else(|_| Err(stopped()));
        }
        self.with_connector(name, run, |connector| connector.report_slow(SLOW_START));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Does something with a connector that runs, if it is still that start of it.
    pub(super) fn with_connector<T>(
        &self,
        name: &str,
        run: u64,
        act: impl FnOnce(&WorkerConnector) -> T,
    ) -> Option<T> {
        let running = lock(&self.running);
        running
            .connectors
            .get(name)
            .filter(|running| running.run == run)
            .map(|running| act(&running.connector))
    }

    /// Remembers what a connector wants its tasks to be.
    pub(super) fn note_proposed(&self, name: &str, run: u64, configs: &[Properties]) {
        if let Some(running) = lock(&self.running).connectors.get_mut(name)
            && running.run == run
        {
            running.proposed = Some(Arc::new(configs.to_vec()));
        }
    }

    /// What a connector that runs here wants its tasks to be, if it has said so.
    pub(super) fn proposed_by(&self, name: &str) -> Option<(u64, Arc<Vec<Properties>>)> {
        let running = lock(&self.running);
        let connector = running.connectors.get(name)?;
        Some((connector.run, Arc::clone(connector.proposed.as_ref()?)))
    }

    /// The start of a connector that runs now.
    pub(super) fn run_of(&self, name: &str) -> Option<u64> {
        lock(&self.running)
            .connectors
            .get(name)
            .map(|running| running.run)
    }

    fn spawn_connector(
        self: &Arc<Self>,
        name: &str,
        plugin: &ConnectorPlugin,
        config: &ConfigMap,
    ) -> Result<WorkerConnector, ConnectError> {
        let herder = Arc::downgrade(self);
        let of_request = name.to_owned();
        let runtime = self.runtime.clone();
        // One request waits at the most: those that come meanwhile ask for the same.
        let waiting = Arc::new(AtomicBool::new(false));
        let (of_reload, reloads) = (name.to_owned(), self.reloads.clone());
        let (reload_herder, reload_runtime) = (Weak::clone(&herder), runtime.clone());
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
            offsets: (plugin.kind == ConnectorType::Source)
                .then(|| self.worker.connector_offsets(name, config)),
            statuses: Arc::clone(&self.worker.statuses),
            metrics: Arc::clone(&self.worker.metrics),
            measured: Arc::clone(&self.worker.measured),
            lease: self.worker.held_lease(),
            request_reconfiguration: Arc::new(move || {
                if !waiting.swap(true, Ordering::AcqRel) {
                    let (herder, name, waiting) =
                        (Weak::clone(&herder), of_request.clone(), Arc::clone(&waiting));
                    runtime.spawn(async move {
                        waiting.store(false, Ordering::Release);
                        let Some(herder) = herder.upgrade() else { return };
                        if let Some(run) = herder.run_of(&name) {
                            herder.publish_task_configs(&name, run).await;
                        }
                    });
                }
            }),
        })
    }

    fn start_task(self: &Arc<Self>, id: &ConnectorTaskId, snapshot: &ConfigSnapshot) {
        let work = WorkId::Task(id.clone());
        lock(&self.running).restarting.remove(&work);
        let (Some(properties), Some(task_config)) =
            (snapshot.config(&id.connector), snapshot.task_config(id))
        else {
            return;
        };
        let config = config_map(properties);
        let task_config = config_map(task_config);
        let public = task_id(id);
        let _context = logging::with_context(format!("[{}|task-{}] ", id.connector, id.task));
        let allowed = self.plugin_to_run(&config).and_then(|plugin| {
            let parsed = self.worker.read_framework(&config, ConnectorConfig::parse)?;
            let count = snapshot.task_count(&id.connector);
            if parsed.tasks_max_enforce && i64::from(count) > i64::from(parsed.tasks_max) {
                return Err(ConnectError::connect(format!(
                    "The connector {} has generated {count} tasks, which is greater than {}, the maximum number of tasks it \
                     is configured to create.",
                    id.connector, parsed.tasks_max
                ))
                .with_class("org.apache.kafka.connect.runtime.TooManyTasksException"));
            }
            Ok(plugin)
        });
        let outcome = match allowed {
            Ok(plugin) => {
                let paused = target_of(snapshot, &id.connector) != TargetState::Started;
                let generation = snapshot
                    .connector(&id.connector)
                    .and_then(|state| state.task_config_generation);
                let gate = self.gate(id, generation);
                let started = self
                    .worker
                    .start_task(&plugin, &config, &public, &task_config, paused, gate);
                if let Some(task) = started {
                    lock(&self.running).tasks.insert(id.clone(), task);
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!("failed to start task {public}: {error:#}");
                let statuses = &self.worker.statuses;
                let epoch = statuses.next_epoch();
                statuses.set_task(&public, epoch, ConnectorState::Failed, Some(error.trace()), None);
                Err(error)
            }
        };
        self.started(&work, &outcome);
    }

    /// Tells those who wait for a start how it went.
    fn started(&self, id: &WorkId, outcome: &Result<(), ConnectError>) {
        let waiting = lock(&self.running).waiting.remove(id).unwrap_or_default();
        for answer in waiting {
            // The one who asked may have given up.
            let _ = answer.send(outcome.clone());
        }
    }

    /// Asks to be told when the next start of this is complete.
    pub(super) fn on_started(&self, id: &WorkId) -> oneshot::Receiver<Result<(), ConnectError>> {
        let (answer, receiver) = oneshot::channel();
        lock(&self.running)
            .waiting
            .entry(id.clone())
            .or_default()
            .push(answer);
        receiver
    }

    /// Stops connectors and tasks, all at once; each is reported to the herder's thread when it has ended or was given up.
    pub(super) fn stop(self: &Arc<Self>, ids: Vec<WorkId>) {
        let mut tasks = Vec::new();
        let mut ended = Vec::new();
        let mut connectors = Vec::new();
        {
            let mut running = lock(&self.running);
            for id in ids {
                match &id {
                    WorkId::Connector(name) => {
                        self.reloads.forget(name);
                        match running.connectors.remove(name) {
                            Some(connector) => connectors.push((id, connector.connector)),
                            None => ended.push(id),
                        }
                    }
                    WorkId::Task(task) => match running.tasks.remove(task) {
                        Some(task) => tasks.push(task),
                        None => ended.push(id),
                    },
                }
            }
        }
        for id in ended {
            self.stopped(id);
        }
        let deadline = Instant::now() + CONNECTOR_STOP_TIMEOUT;
        for (id, connector) in connectors {
            let herder = Arc::clone(self);
            self.runtime.spawn(async move {
                connector.shut_down(deadline).await;
                herder.stopped(id);
            });
        }
        if tasks.is_empty() {
            return;
        }
        let herder = Arc::clone(self);
        self.runtime.spawn_blocking(move || {
            herder.worker.stop_tasks_each(tasks, |task| {
                let number = i32::try_from(task.task).unwrap_or(i32::MAX);
                herder.stopped(WorkId::task(task.connector.as_str(), number));
            });
        });
    }

    fn stopped(&self, id: WorkId) {
        let is_said = {
            let mut running = lock(&self.running);
            running.restarting.contains(&id) | running.lapsed.remove(&id)
        };
        if !is_said {
            self.report(&id, ConnectorState::Unassigned);
        }
        self.tell(DriverEvent::Stopped(id));
    }

    /// Says of work on which the lease is over that it runs here no more, unless somebody else has spoken of it. While this worker
    /// stood still it has read nothing, so what others said is read first; if it cannot be, they are left the word.
    pub(super) fn report_lapsed(self: &Arc<Self>, ids: &[WorkId]) {
        lock(&self.running).lapsed.extend(ids.iter().cloned());
        // What starts here again after this has a later one, over which this is not heard.
        let epoch = self.worker.statuses.next_epoch();
        let (herder, ids) = (Arc::clone(self), ids.to_vec());
        self.runtime.spawn_blocking(move || {
            if let Err(error) = herder.statuses.read_to_end(LAPSED_READ) {
                tracing::warn!(
                    "what was lost with the lease keeps its status until another worker says more: {error}"
                );
                return;
            }
            for id in &ids {
                herder.report_at(id, epoch, ConnectorState::Unassigned);
            }
        });
    }

    /// Says again what runs here.
    pub(super) fn repeat_status(&self, id: &WorkId) {
        tracing::debug!("another worker spoke of {id}, which runs here; its status is said again");
        let statuses = &self.worker.statuses;
        match id {
            WorkId::Connector(name) => statuses.repeat_connector(name),
            WorkId::Task(task) => statuses.repeat_task(&task_id(task)),
        }
    }

    fn report(&self, id: &WorkId, state: ConnectorState) {
        self.report_at(id, self.worker.statuses.next_epoch(), state);
    }

    fn report_at(&self, id: &WorkId, epoch: Epoch, state: ConnectorState) {
        let statuses = &self.worker.statuses;
        match id {
            WorkId::Connector(name) => statuses.set_connector(name, epoch, state, None, None),
            WorkId::Task(task) => statuses.set_task(&task_id(task), epoch, state, None, None),
        }
    }

    /// Says that these are about to be started anew.
    pub(super) fn report_restarting(&self, ids: &WorkSet) {
        lock(&self.running).restarting.extend(ids.iter().cloned());
        for id in ids {
            self.report(id, ConnectorState::Restarting);
        }
    }

    /// Lets what runs here of a connector take over its target state.
    pub(super) fn apply_target(self: &Arc<Self>, name: &str, snapshot: &ConfigSnapshot) {
        let target = target_of(snapshot, name);
        let answer = {
            let running = lock(&self.running);
            for (id, task) in &running.tasks {
                if id.connector == name {
                    task.set_paused(target != TargetState::Started);
                }
            }
            running
                .connectors
                .get(name)
                .map(|running| (running.run, running.connector.transition(target)))
        };
        let Some((run, answer)) = answer else { return };
        let (herder, name) = (Arc::clone(self), name.to_owned());
        self.runtime.spawn(async move {
            match answer.await {
                Ok(Ok(())) if target == TargetState::Started => herder.publish_task_configs(&name, run).await,
                Ok(Err(error)) => tracing::warn!("connector {name}: {error:#}"),
                _ => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_plugin_is_named_with_the_folders_that_were_searched() {
        let cases: [(&[&str], &str); 3] = [
            (&["/a", "/b c"], "plugin.path=/a,/b c;"),
            (&["/a"], "plugin.path=/a;"),
            (&[], "plugin.path=;"),
        ];
        for (folders, said) in cases {
            let folders: Vec<_> = folders.iter().map(PathBuf::from).collect();
            for (key, shown) in [
                (
                    CONNECTOR_CLASS,
                    "connector class org.x.It: none is in plugin.path",
                ),
                (
                    "header.converter",
                    "header converter class org.x.It (header.converter): none is built in or in plugin.path",
                ),
                (
                    "transforms.t.type",
                    "transformation class org.x.It (transforms.t.type): none is built in or in plugin.path",
                ),
            ] {
                let config = [("transforms", "t"), (key, "org.x.It")];
                let named =
                    named_classes(|key| config.iter().find(|entry| entry.0 == key).map(|entry| entry.1));
                let named = named.iter().find(|named| named.key == key).unwrap();
                let error = missing_plugin(named, &folders);
                for part in [shown, said] {
                    assert!(error.message().contains(part), "{}", error.message());
                }
            }
        }
    }
}
