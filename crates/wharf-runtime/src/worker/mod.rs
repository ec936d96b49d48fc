//! A worker's connectors and tasks: how they are made, run and stopped. Herders decide what runs; this does it.

mod active_topics;
mod control;
mod converters;
mod deliveries;
mod errors;
mod memory;
mod offset_reads;
mod plugin_metrics;
pub mod preview;
mod record_sender;
mod source_offsets;
mod status;
mod submitted_records;
mod subscription;
mod task_context;
mod task_errors;
mod task_parts;
mod task_producer;
mod topic_creator;
mod transactional_id;
mod transactions;
mod transformation_chain;
mod transformations;
mod worker_connector;
mod worker_sink_task;
mod worker_source_task;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_kafka::{Translated, translate};
use wharf_membership::{HeldLease, Lease};

pub use self::active_topics::{ActiveTopicStore, TopicSink};
pub use self::control::{TargetState, TaskControl};
pub use self::errors::{ErrorCounters, ErrorCounts};
pub use self::memory::WorkerMemory;
pub use self::plugin_metrics::{Metric, MetricName, PluginMetricRegistry};
pub(crate) use self::source_offsets::SourceOffsets;
use self::source_offsets::{GroupOffsets, LazyOffsetStore};
pub(crate) use self::status::Epoch;
pub use self::status::{FailedWork, Failure, StatusSink, StatusStore};
use self::task_context::{Secrets, TaskConfig, TaskReporter};
pub(crate) use self::transactional_id::{claim_transactional_id, write_offsets_in_transaction};
pub(crate) use self::transactions::StartGate;
pub(crate) use self::worker_connector::{ConnectorSetup, WorkerConnector};
use crate::config::{self, DistributedConfig, ExactlyOnceWorker, WorkerConfig};
use crate::config_providers::{Resolved, has_reference};
use crate::herder::{ConnectorState, ConnectorType, TaskId};
use crate::logging;
use crate::metrics::{
    Exposition, Labels, MetricId, Registration, TaskKind, TaskMetrics, TextFormat, WorkerMetrics,
    context_labels,
};
use crate::offsets::{KafkaOffsetBackingStore, OffsetBackingStore, OffsetStorage, OffsetStoreThread};
use crate::plugins::{ConnectorPlugin, PluginRegistry};

/// The key by which a task configuration names its class.
pub const TASK_CLASS: &str = "task.class";

/// `batch.size` of source producers unless the user sets one. Java's 16 KiB make a request of every 160 lines of a file:
/// 128 KiB took half the CPU time per record, and stay far below any topic's usual `max.message.bytes`.
pub const BATCH_SIZE: &str = "131072";

/// What a record in the producer's queue weighs beside its bytes; bounds the queue of small records.
pub const RECORD_OVERHEAD: u64 = 256;

/// A call into a plugin that lasts longer than this is told of in the status.
const HANGING: Duration = Duration::from_secs(10);

/// What all connectors and tasks of a worker share.
pub struct Worker {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) plugins: Arc<PluginRegistry>,
    offsets: Arc<dyn OffsetBackingStore>,
    offset_thread: OffsetStoreThread,
    /// What a worker of a group knows of offsets; `None` in standalone mode.
    group: Option<GroupOffsets>,
    pub(crate) statuses: Arc<StatusStore>,
    pub(crate) active_topics: Arc<ActiveTopicStore>,
    /// What plugins measure.
    pub(crate) metrics: Arc<PluginMetricRegistry>,
    /// What the worker measures.
    pub(crate) measured: Arc<WorkerMetrics>,
    pub(crate) memory: Arc<WorkerMemory>,
    /// What tasks run under in a group of workers.
    lease: OnceLock<Lease>,
}

/// The herder's hand on a running task.
pub(crate) struct RunningTask {
    id: TaskId,
    control: Arc<TaskControl>,
    reporter: TaskReporter,
    /// The task's metrics are served while it is with the herder.
    _measured: Registration<TaskId, TaskMetrics>,
}

impl RunningTask {
    pub(crate) fn set_paused(&self, paused: bool) {
        self.control.set_paused(paused);
    }

    /// What to say of a plugin that does not return; nothing when it does.
    pub(crate) fn hanging(&self) -> Option<String> {
        let (method, time) = self.control.hanging_call(HANGING)?;
        Some(task_context::hanging(method, time))
    }
}

/// The settings of a connector's own client, translated for librdkafka.
fn connector_client(
    kind: config::ClientKind,
    settings: &ConfigMap,
    connector_config: &ConfigMap,
) -> Result<Translated> {
    client_properties(kind.into(), settings, &kind.overrides(connector_config))
}

/// Java settings translated for librdkafka; all problems in one error.
///
/// Only the connector's own settings are warned about here: the worker's were, once, at its start.
fn client_properties(
    kind: wharf_kafka::ClientKind,
    settings: &ConfigMap,
    overrides: &ConfigMap,
) -> Result<Translated> {
    let translated = translate(kind, settings).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        ConnectError::config(format!(
            "the {} cannot be configured: {}",
            kind.name(),
            list.join("; ")
        ))
    })?;
    for warning in &translated.warnings {
        tracing::warn!("{warning}");
    }
    let unknown: Vec<&str> = translated
        .unknown
        .iter()
        .map(String::as_str)
        .filter(|key| overrides.contains_key(*key))
        .collect();
    if !unknown.is_empty() {
        tracing::warn!(
            "these settings of the {} are not known: {}",
            kind.name(),
            unknown.join(", ")
        );
    }
    Ok(translated)
}

impl Worker {
    /// A worker without connectors, on its own.
    ///
    /// # Errors
    /// When the system gives no thread for the offset store.
    pub fn new(
        config: Arc<WorkerConfig>,
        plugins: Arc<PluginRegistry>,
        offsets: Arc<dyn OffsetBackingStore>,
        worker_id: &str,
    ) -> Result<Self> {
        let statuses = Arc::new(StatusStore::new(worker_id));
        Self::with_stores(config, plugins, offsets, statuses, Arc::default())
    }

    /// A worker of a group, without connectors. Its statuses and topics others keep too.
    ///
    /// # Errors
    /// When the system gives no thread for the offset store.
    pub fn of_group(
        config: &Arc<DistributedConfig>,
        plugins: Arc<PluginRegistry>,
        offsets: Arc<KafkaOffsetBackingStore>,
        statuses: Arc<StatusStore>,
        active_topics: Arc<ActiveTopicStore>,
    ) -> Result<Self> {
        let worker_config = Arc::clone(&config.worker);
        let shared = Arc::clone(&offsets) as _;
        let mut worker = Self::with_stores(worker_config, plugins, shared, statuses, active_topics)?;
        let thread = worker.offset_thread.clone();
        worker.group = Some(GroupOffsets::new(Arc::clone(config), offsets, thread));
        Ok(worker)
    }

    fn with_stores(
        config: Arc<WorkerConfig>,
        plugins: Arc<PluginRegistry>,
        offsets: Arc<dyn OffsetBackingStore>,
        statuses: Arc<StatusStore>,
        active_topics: Arc<ActiveTopicStore>,
    ) -> Result<Self> {
        let offset_thread = OffsetStoreThread::start(Arc::clone(&offsets))?;
        let memory = WorkerMemory::new(config.memory);
        let measured = WorkerMetrics::new(config.sampling, context_labels(&config.originals));
        statuses.count_starts(Arc::clone(&measured));
        Ok(Self {
            config,
            plugins,
            offsets,
            offset_thread,
            group: None,
            statuses,
            active_topics,
            metrics: PluginMetricRegistry::new(),
            measured,
            memory,
            lease: OnceLock::new(),
        })
    }

    /// Lets tasks run only while this lease holds; to be said before the first one starts.
    pub fn hold_lease(&self, lease: Lease) {
        // Said once, by the herder of a group.
        let _ = self.lease.set(lease);
    }

    /// Whether what runs here is surely this worker's own; always so outside of a group.
    pub(crate) fn is_leased(&self) -> bool {
        self.lease.get().is_none_or(|lease| lease.hold().is_valid())
    }

    /// The lease for work that starts now; none outside of a group.
    pub(crate) fn held_lease(&self) -> Option<HeldLease> {
        self.lease.get().map(Lease::hold)
    }

    /// Metrics that plugins registered.
    #[must_use]
    pub fn plugin_metrics(&self) -> &PluginMetricRegistry {
        &self.metrics
    }

    /// All metrics of this worker as text; `more` adds those that are the herder's.
    pub(crate) fn metrics_text(
        &self,
        format: TextFormat,
        cluster_id: &str,
        more: impl FnOnce(&mut Exposition),
    ) -> String {
        let mut out = Exposition::new(format);
        let (measured, statuses) = (&self.measured, &self.statuses);
        let group_id = self.config.group_id.as_deref();
        measured.write_worker(&mut out, statuses.worker_id(), cluster_id, group_id);
        measured.write_work(&mut out, &statuses.connector_states(), &statuses.task_states());
        let none = Labels::none();
        let limits = self.config.memory;
        out.count(MetricId::WorkerMemoryHeld, &none, self.memory.held());
        out.count(MetricId::WorkerMemoryLimit, &none, limits.worker_max_bytes);
        out.count(MetricId::WorkerLease, &none, u64::from(self.is_leased()));
        more(&mut out);
        WorkerMetrics::write_plugins(&mut out, &self.metrics.snapshot());
        out.finish()
    }

    /// What this worker does of exactly-once delivery.
    pub(crate) fn exactly_once_worker(&self) -> ExactlyOnceWorker {
        match &self.group {
            None => ExactlyOnceWorker::Standalone,
            Some(group) => ExactlyOnceWorker::Distributed {
                enabled: group.config.exactly_once.is_enabled(),
            },
        }
    }

    /// Where the offsets of a source connector are. Blocks when they are in a topic of its own that is not open yet.
    ///
    /// # Errors
    /// When that topic cannot be used.
    pub(crate) fn source_offsets(&self, connector: &str, config: &ConfigMap) -> Result<SourceOffsets> {
        match &self.group {
            Some(group) => group.of(connector, config),
            None => Ok(SourceOffsets::shared(
                Arc::clone(&self.offsets),
                self.offset_thread.clone(),
            )),
        }
    }

    /// A configuration with the values that its references stand for. Calls plugin code, which may block.
    ///
    /// # Errors
    /// When a config provider fails.
    pub(crate) fn resolve(&self, config: &ConfigMap) -> Result<Resolved> {
        self.config.config_providers.resolve(config)
    }

    /// Reads the framework's keys of a configuration: references in other keys stay, and nobody is asked unless one of the
    /// framework's has one.
    ///
    /// # Errors
    /// When a config provider fails; those of `read`, with references in the place of values.
    pub(crate) fn read_framework<T>(
        &self,
        config: &ConfigMap,
        read: impl FnOnce(&ConfigMap) -> Result<T>,
    ) -> Result<T> {
        let providers = &self.config.config_providers;
        let resolved = providers.resolve_keys(config, config::is_framework_key)?;
        read(&resolved.config).map_err(|error| error.map_texts(&|text| resolved.hide(text)))
    }

    /// Source offsets for a connector instance; a topic of its own is opened when it first asks.
    pub(crate) fn connector_offsets(self: &Arc<Self>, connector: &str, config: &ConfigMap) -> OffsetStorage {
        // Where a reference leads is not asked here: that may block.
        let is_open = self.group.as_ref().is_none_or(|group| {
            !config.values().any(|value| has_reference(value)) && group.are_open(connector, config)
        });
        if is_open {
            return OffsetStorage::new(connector, Arc::clone(&self.offsets));
        }
        let (worker, config) = (Arc::clone(self), config.clone());
        let name = connector.to_owned();
        let open = move || worker.source_offsets(&name, &worker.resolve(&config)?.config);
        OffsetStorage::new(connector, Arc::new(LazyOffsetStore::new(Box::new(open))))
    }

    /// The transactional id of a task's producer; `None` unless exactly-once is on.
    pub(crate) fn transactional_id(&self, connector: &str, task: u32) -> Option<String> {
        let group = self.group.as_ref()?;
        group
            .config
            .exactly_once
            .is_enabled()
            .then(|| group.config.task_transactional_id(connector, task))
    }

    /// Starts a task on a thread of its own. A failure to make it is reported as the task's failure. With exactly-once a
    /// source task has to pass the gate first.
    pub(crate) fn start_task(
        self: &Arc<Self>,
        plugin: &ConnectorPlugin,
        connector_config: &ConfigMap,
        id: &TaskId,
        task_config: &ConfigMap,
        paused: bool,
        gate: Option<Arc<dyn StartGate>>,
    ) -> Option<RunningTask> {
        let control = Arc::new(TaskControl::new(paused));
        if let Some(lease) = self.held_lease() {
            control.run_under(lease);
        }
        let kind = match plugin.kind {
            ConnectorType::Source => TaskKind::Source,
            _ => TaskKind::Sink,
        };
        let measured = self.measured.task(id, kind);
        let reporter = TaskReporter {
            metrics: Arc::clone(measured.value()),
            task: id.clone(),
            epoch: self.statuses.next_epoch(),
            version: plugin.stated_version(),
            statuses: Arc::clone(&self.statuses),
            control: Arc::clone(&control),
            secrets: Secrets::default(),
        };
        reporter.begin(paused);
        // Clients, converters and the task itself are made on the task's own thread: plugin code may hang.
        let (worker, plugin) = (Arc::clone(self), plugin.clone());
        let (connector_config, task_config) = (connector_config.clone(), task_config.clone());
        let of_thread = reporter.clone();
        let spawned = spawn(&reporter, move || {
            let _context = logging::with_context(format!(
                "[{}|task-{}] ",
                of_thread.task.connector, of_thread.task.task
            ));
            let resolved = worker.resolve(&connector_config).and_then(|connector| {
                let task = TaskConfig::new(task_config, &worker.config, &of_thread.secrets)?;
                let config = connector.config.clone();
                of_thread.secrets.keep(connector);
                Ok((config, Arc::new(task)))
            });
            let run = resolved.and_then(|(connector_config, task_config)| match plugin.kind {
                ConnectorType::Source => worker
                    .source_task(&plugin, &connector_config, &task_config, &of_thread, gate)
                    .map(|(task, conversion)| Box::new(move || task.run(conversion)) as Box<dyn FnOnce()>),
                _ => worker
                    .sink_task(&plugin, &connector_config, &task_config, &of_thread)
                    .map(|task| Box::new(move || task.run()) as Box<dyn FnOnce()>),
            });
            match run {
                Ok(run) => run(),
                Err(error) => {
                    tracing::error!(
                        "{}",
                        of_thread.hide(&format!("failed to start task {}: {error:#}", of_thread.task))
                    );
                    of_thread.report(ConnectorState::Failed, Some(error.trace()));
                    of_thread.control.set_done();
                }
            }
            if !of_thread.control.is_cancelled() {
                worker
                    .metrics
                    .remove(&of_thread.task.connector, Some(of_thread.task.task));
            }
        });
        match spawned {
            Ok(()) => Some(RunningTask {
                id: id.clone(),
                control,
                reporter,
                _measured: measured,
            }),
            Err(error) => {
                tracing::error!("failed to start task {id}: {error:#}");
                reporter.report(ConnectorState::Failed, Some(error.trace()));
                None
            }
        }
    }

    /// Stops tasks, all together within the graceful time-out; those that do not stop are given up. Blocks.
    pub(crate) fn stop_tasks(&self, tasks: Vec<RunningTask>) {
        self.stop_tasks_each(tasks, |_| {});
    }

    /// Stops tasks, all together within the graceful time-out, and tells `stopped` of each as soon as it has ended or was
    /// given up. Blocks.
    pub(crate) fn stop_tasks_each(&self, tasks: Vec<RunningTask>, stopped: impl Fn(&TaskId)) {
        /// How soon an end is noticed.
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        for task in &tasks {
            task.control.stop();
        }
        let deadline = Instant::now() + self.config.task_shutdown_graceful_timeout;
        let mut running = tasks;
        while let Some(next) = running.first() {
            let look_again = (Instant::now() + LOOK_EVERY).min(deadline);
            let _ = next.control.wait_done(look_again);
            let is_late = Instant::now() >= deadline;
            running.retain(|task| {
                let is_done = task.control.wait_done(Instant::now());
                if !is_done && is_late {
                    self.give_up(task);
                }
                let has_ended = is_done || is_late;
                if has_ended {
                    stopped(&task.id);
                }
                !has_ended
            });
        }
    }

    fn give_up(&self, task: &RunningTask) {
        tracing::error!(
            "task {} did not stop within {} ms and is given up; its thread hangs in the plugin",
            task.id,
            self.config.task_shutdown_graceful_timeout.as_millis()
        );
        // Cancelled first, so that the thread's own reports no longer count.
        task.control.cancel();
        task.reporter.give_up();
    }
}

fn spawn(reporter: &TaskReporter, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let id = reporter.task.clone();
    let reporter = reporter.clone();
    std::thread::Builder::new()
        .name(format!("task-thread-{id}"))
        .spawn(move || {
            // A defect of the worker itself must not leave a task that only looks alive.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                let error = ConnectError::panic("the worker's own code panicked; this is a defect of wharf");
                reporter.report(ConnectorState::Failed, Some(error.trace()));
                reporter.control.set_done();
            }
        })
        .map(|_| ())
        .map_err(|error| ConnectError::connect(format!("no thread for task {id}: {error}")))
}
