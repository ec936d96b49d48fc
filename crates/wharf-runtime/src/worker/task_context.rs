//! What every task of a worker shares, and the worker as tasks' plugins see it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use wharf_api::plugin::{MetricKind, PluginHost};
use wharf_api::sink::{Offsets, ReportedRecord, SinkTaskHost};
use wharf_api::source::{SourceTaskHost, TransactionEnd};
use wharf_api::{ConfigMap, ConnectError, OffsetMap, Result, TopicPartition};

use super::control::{TaskControl, Waker};
use super::errors::SharedSinkReporter;
use super::plugin_metrics::{MetricName, PluginMetricRegistry};
use super::status::{Epoch, StatusStore};
use super::transactions::TransactionRequests;
use crate::config::WorkerConfig;
use crate::config_providers::Resolved;
use crate::herder::{ConnectorState, TaskId};
use crate::metrics::TaskMetrics;
use crate::offsets::OffsetStorage;

/// Reports a task's state, as long as it was not given up.
#[derive(Clone)]
pub(crate) struct TaskReporter {
    pub(crate) task: TaskId,
    pub(crate) epoch: Epoch,
    pub(crate) version: Option<String>,
    pub(crate) statuses: Arc<StatusStore>,
    pub(crate) control: Arc<TaskControl>,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) secrets: Secrets,
}

/// Values of config providers, which must not show in what a task reports: its status, its log, its dead letters.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<RwLock<Vec<Resolved>>>);

impl Secrets {
    /// Takes note of values. Those that were there before stay: what is reported later may quote them, too.
    pub(crate) fn keep(&self, resolved: Resolved) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&resolved) {
            all.push(resolved);
        }
    }

    /// A text without the values.
    pub(crate) fn hide(&self, text: &str) -> String {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .fold(text.to_owned(), |text, resolved| resolved.hide(&text))
    }
}

/// The configuration of a task.
pub(crate) struct TaskConfig {
    /// With references to config providers.
    written: ConfigMap,
    /// With the values that they stood for when the task was made.
    pub(crate) resolved: ConfigMap,
    worker: Arc<WorkerConfig>,
    secrets: Secrets,
}

impl TaskConfig {
    /// Puts values in the place of references, and takes note of them.
    ///
    /// # Errors
    /// When a config provider fails.
    pub(crate) fn new(written: ConfigMap, worker: &Arc<WorkerConfig>, secrets: &Secrets) -> Result<Self> {
        let resolved = worker.config_providers.resolve(&written)?;
        secrets.keep(resolved.clone());
        Ok(Self {
            written,
            resolved: resolved.config,
            worker: Arc::clone(worker),
            secrets: secrets.clone(),
        })
    }

    /// With the values of this moment, as upstream's contexts give them: a password may have been changed since. Where a provider
    /// fails, those of the start.
    fn at_present(&self) -> ConfigMap {
        match self.worker.config_providers.resolve(&self.written) {
            Ok(resolved) => {
                self.secrets.keep(resolved.clone());
                resolved.config
            }
            Err(error) => {
                let text = self.secrets.hide(&format!("{error:#}"));
                tracing::warn!("the task goes on with the configuration of its start: {text}");
                self.resolved.clone()
            }
        }
    }
}

impl TaskReporter {
    /// A text without values of config providers.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// Reports that the task is about to start.
    pub(crate) fn begin(&self, paused: bool) {
        if paused {
            return self.report(ConnectorState::Paused, None);
        }
        let state = self
            .statuses
            .begin_task(&self.task, self.epoch, self.version.clone());
        self.metrics.state(state);
    }

    /// Waits while the task is paused from the beginning. Says whether it is to run at all.
    pub(crate) fn wait_to_start(&self) -> bool {
        if self.control.is_paused() {
            self.report(ConnectorState::Paused, None);
            while !self.control.wait_resumed(Duration::from_secs(3600)) {}
        }
        !self.control.is_stopping()
    }

    /// Reports how the task's thread ended.
    pub(crate) fn conclude(&self, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.report(ConnectorState::Unassigned, None),
            Err(error) => {
                let text = format!(
                    "task {} threw an uncaught error and will not recover until it is restarted: {error:#}",
                    self.task
                );
                tracing::error!("{}", self.hide(&text));
                self.report(ConnectorState::Failed, Some(error.trace()));
            }
        }
        self.control.set_done();
    }

    /// Reports a task that was given up, under a start of its own: whatever its thread still says does not count.
    pub(crate) fn give_up(&self) {
        let epoch = self.statuses.next_epoch();
        let trace = self.control.hanging_call(Duration::ZERO).map(|(method, time)| {
            hanging(method, time) + "; the task was given up and its thread is left behind"
        });
        self.statuses.set_task(
            &self.task,
            epoch,
            ConnectorState::Unassigned,
            trace,
            self.version.clone(),
        );
    }

    pub(crate) fn report(&self, state: ConnectorState, trace: Option<String>) {
        self.metrics.state(state);
        let trace = trace.map(|trace| self.hide(&trace));
        if !self.control.is_cancelled() {
            self.statuses
                .set_task(&self.task, self.epoch, state, trace, self.version.clone());
        }
    }
}

/// What a status says of a call into the plugin that does not return.
pub(crate) fn hanging(method: &str, time: Duration) -> String {
    format!("the plugin's {method} has not returned for {} s", time.as_secs())
}

/// Services that source and sink tasks have in common.
pub(crate) struct TaskHost {
    pub(crate) task: TaskId,
    pub(crate) config: Arc<TaskConfig>,
    pub(crate) control: Arc<TaskControl>,
    pub(crate) metrics: Arc<PluginMetricRegistry>,
}

impl TaskHost {
    fn register_metric(
        &self,
        kind: MetricKind,
        name: &str,
        description: &str,
        tags: &[(&str, &str)],
    ) -> Result<u64> {
        let name = MetricName {
            connector: self.task.connector.clone(),
            task: Some(self.task.task),
            name: name.to_owned(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.metrics.register(name, kind, description)
    }

    fn record_metric(&self, metric: u64, value: f64) {
        self.metrics.record(metric, value);
    }
}

/// The worker, as the plugin of a source task sees it.
pub(crate) struct WorkerSourceHost {
    pub(crate) common: TaskHost,
    pub(crate) offsets: OffsetStorage,
    /// Where the task says where transactions end, if that is its to say.
    pub(crate) transactions: Option<Arc<TransactionRequests>>,
}

/// The worker, as the plugin of a sink task sees it.
pub(crate) struct WorkerSinkHost {
    pub(crate) common: TaskHost,
    errors: SharedSinkReporter,
    requests: Mutex<SinkRequests>,
    /// Ends the wait of the task's thread for records.
    pub(crate) waker: Waker,
}

/// What a sink task's plugin asked for since the task's thread last looked.
#[derive(Debug, Default)]
pub(crate) struct SinkRequests {
    pub(crate) assignment: BTreeSet<TopicPartition>,
    /// Partitions that the plugin wants paused.
    pub(crate) paused: BTreeSet<TopicPartition>,
    /// Partitions to be paused or resumed at the consumer.
    pub(crate) to_pause: BTreeSet<TopicPartition>,
    pub(crate) to_resume: BTreeSet<TopicPartition>,
    pub(crate) rewinds: Offsets,
    pub(crate) timeout: Option<Duration>,
    pub(crate) commit: bool,
}

impl WorkerSinkHost {
    pub(crate) fn new(common: TaskHost, errors: SharedSinkReporter) -> Self {
        Self {
            common,
            errors,
            requests: Mutex::default(),
            waker: Waker::default(),
        }
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, SinkRequests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_assigned(requests: &SinkRequests, partitions: &[TopicPartition], what: &str) -> Result<()> {
        match partitions
            .iter()
            .find(|partition| !requests.assignment.contains(*partition))
        {
            None => Ok(()),
            Some(partition) => Err(ConnectError::illegal_state(format!(
                "SinkTasks may not {what} partitions that are not currently assigned to them: {partition}"
            ))),
        }
    }
}

macro_rules! delegate_metrics {
    () => {
        fn register_metric(
            &self,
            kind: MetricKind,
            name: &str,
            description: &str,
            tags: &[(&str, &str)],
        ) -> Result<u64> {
            self.common.register_metric(kind, name, description, tags)
        }

        fn record_metric(&self, metric: u64, value: f64) {
            self.common.record_metric(metric, value);
        }
    };
}

impl PluginHost for WorkerSourceHost {
    delegate_metrics!();

    fn wait(&self, time: Duration) -> bool {
        self.common.control.wait_interrupted(time)
    }

    fn is_stopping(&self) -> bool {
        self.common.control.is_interrupted()
    }
}

/// A sink task that is paused goes on with the batch it has: only a stop interrupts it.
impl PluginHost for WorkerSinkHost {
    delegate_metrics!();

    fn wait(&self, time: Duration) -> bool {
        self.common.control.wait_stopping(time)
    }

    fn is_stopping(&self) -> bool {
        self.common.control.is_stopping()
    }
}

impl SourceTaskHost for WorkerSourceHost {
    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        self.offsets.read(partitions)
    }

    fn configs(&self) -> ConfigMap {
        self.common.config.at_present()
    }

    fn has_transaction_context(&self) -> bool {
        self.transactions.is_some()
    }

    fn end_transaction(&self, end: TransactionEnd) -> Result<()> {
        match &self.transactions {
            Some(requests) => requests.ask(end),
            None => Err(ConnectError::illegal_state(
                "the task does not say where transactions end: that takes transaction.boundary=connector, and distributed \
                 workers with exactly.once.source.support=enabled",
            )),
        }
    }
}

impl SinkTaskHost for WorkerSinkHost {
    fn configs(&self) -> ConfigMap {
        self.common.config.at_present()
    }

    fn rewind(&self, offsets: &Offsets) {
        self.requests().rewinds.extend(
            offsets
                .iter()
                .map(|(partition, offset)| (partition.clone(), *offset)),
        );
        self.waker.wake();
    }

    fn timeout(&self, time: Duration) {
        self.requests().timeout = Some(time);
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.requests().assignment.iter().cloned().collect()
    }

    fn pause(&self, partitions: &[TopicPartition]) -> Result<()> {
        let mut requests = self.requests();
        Self::check_assigned(&requests, partitions, "pause")?;
        for partition in partitions {
            requests.to_resume.remove(partition);
            requests.to_pause.insert(partition.clone());
            requests.paused.insert(partition.clone());
        }
        Ok(())
    }

    fn resume(&self, partitions: &[TopicPartition]) -> Result<()> {
        let mut requests = self.requests();
        Self::check_assigned(&requests, partitions, "resume")?;
        for partition in partitions {
            requests.to_pause.remove(partition);
            requests.to_resume.insert(partition.clone());
            requests.paused.remove(partition);
        }
        drop(requests);
        self.waker.wake();
        Ok(())
    }

    fn request_commit(&self) {
        self.requests().commit = true;
        self.waker.wake();
    }

    fn can_report_errors(&self) -> bool {
        self.errors.lock().is_active()
    }

    fn report_error(&self, record: &ReportedRecord, error: &ConnectError) -> Result<u64> {
        let mut errors = self.errors.lock();
        if !errors.is_active() {
            return Err(ConnectError::illegal_state(
                "no error reporting is configured for this connector, so errant records cannot be reported",
            ));
        }
        errors.report_errant(record, error)
    }

    fn await_report(&self, report: u64) -> Result<()> {
        self.errors.await_report(report)
    }
}
