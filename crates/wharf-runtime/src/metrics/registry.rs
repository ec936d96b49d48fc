//! The metrics of a worker as a whole: which connectors and tasks are on it, and how their starts went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use wharf_api::plugin::MetricKind;

use super::Kind;
use super::catalogue::MetricId::{self, *};
use super::clock::MetricsClock;
use super::exposition::{Exposition, Labels, label_name};
use super::facts::ConnectorFacts;
use super::sampled::Sampling;
use super::stats::Outcomes;
use super::task::{TaskKind, TaskMetrics};
use crate::herder::{ConnectorState, TaskId};
use crate::sync::lock;
use crate::worker::Metric;

/// Things by their names, each until its [`Registration`] is dropped or another one takes its place.
#[derive(Debug)]
struct Present<K, V>(Mutex<BTreeMap<K, Arc<V>>>);

impl<K: Ord, V> Present<K, V> {
    fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Arc<V>>> {
        lock(&self.0)
    }
}

/// Holds something in the metrics of its worker; what it stands for is served until this is dropped.
#[derive(Debug)]
pub(crate) struct Registration<K: Ord, V> {
    present: Arc<Present<K, V>>,
    key: K,
    value: Arc<V>,
}

impl<K: Ord + Clone, V> Registration<K, V> {
    fn new(present: &Arc<Present<K, V>>, key: K, value: V) -> Self {
        let value = Arc::new(value);
        present.lock().insert(key.clone(), Arc::clone(&value));
        Self {
            present: Arc::clone(present),
            key,
            value,
        }
    }
}

impl<K: Ord, V> Registration<K, V> {
    /// What is held.
    pub(crate) fn value(&self) -> &Arc<V> {
        &self.value
    }
}

impl<K: Ord, V> Drop for Registration<K, V> {
    fn drop(&mut self) {
        let mut present = self.present.lock();
        // A successor under the same name stays.
        if present
            .get(&self.key)
            .is_some_and(|now| Arc::ptr_eq(now, &self.value))
        {
            present.remove(&self.key);
        }
    }
}

/// What a worker measures.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    clock: MetricsClock,
    sampling: Sampling,
    /// Labels of the worker itself beside its id and build.
    context: Vec<(String, String)>,
    connectors: Arc<Present<String, ConnectorFacts>>,
    tasks: Arc<Present<TaskId, TaskMetrics>>,
    connector_starts: Outcomes,
    task_starts: Outcomes,
}

impl WorkerMetrics {
    /// Of a worker without connectors. `context` are labels for the worker, by the names that users gave them.
    pub(crate) fn new(sampling: Sampling, context: Vec<(String, String)>) -> Arc<Self> {
        Arc::new(Self::with_clock(MetricsClock::system(), sampling, context))
    }

    fn with_clock(clock: MetricsClock, sampling: Sampling, context: Vec<(String, String)>) -> Self {
        Self {
            clock,
            sampling,
            context,
            connectors: Arc::new(Present::new()),
            tasks: Arc::new(Present::new()),
            connector_starts: Outcomes::new(sampling),
            task_starts: Outcomes::new(sampling),
        }
    }

    pub(crate) fn clock(&self) -> &MetricsClock {
        &self.clock
    }

    pub(crate) fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// A connector instance is on this worker.
    pub(crate) fn connector(
        &self,
        name: &str,
        facts: ConnectorFacts,
    ) -> Registration<String, ConnectorFacts> {
        Registration::new(&self.connectors, name.to_owned(), facts)
    }

    /// A task is on this worker.
    pub(crate) fn task(&self, id: &TaskId, kind: TaskKind) -> Registration<TaskId, TaskMetrics> {
        let metrics = TaskMetrics::new(self.clock.clone(), self.sampling, &id.connector, id.task, kind);
        Registration::new(&self.tasks, id.clone(), metrics)
    }

    /// A start of a connector has come to its end. Calls must not overlap.
    pub(crate) fn connector_start(&self, success: bool) {
        self.connector_starts.record(success, self.clock.now());
    }

    /// A start of a task has come to its end. Calls must not overlap.
    pub(crate) fn task_start(&self, success: bool) {
        self.task_starts.record(success, self.clock.now());
    }

    /// The worker itself.
    pub(crate) fn write_worker(
        &self,
        out: &mut Exposition,
        worker_id: &str,
        cluster_id: &str,
        group_id: Option<&str>,
    ) {
        let none = Labels::none();
        let commit = option_env!("WHARF_COMMIT").unwrap_or("unknown");
        let mut labels = none
            .with("worker_id", worker_id)
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("commit_id", commit)
            .with("connect_kafka_cluster_id", cluster_id);
        if let Some(group_id) = group_id {
            labels = labels.with("connect_group_id", group_id);
        }
        for (name, value) in &self.context {
            labels = labels.with(name, value);
        }
        out.count(AppInfo, &labels, 1);
        out.value(AppStartTime, &none, self.clock.began() as f64);
        out.count(ConnectorCount, &none, self.connectors.lock().len() as u64);
        out.count(TaskCount, &none, self.tasks.lock().len() as u64);
        let now = self.clock.now();
        for (starts, totals, shares) in [
            (
                &self.connector_starts,
                [
                    ConnectorStartupAttempts,
                    ConnectorStartupSuccess,
                    ConnectorStartupFailure,
                ],
                [
                    ConnectorStartupFailurePercentage,
                    ConnectorStartupSuccessPercentage,
                ],
            ),
            (
                &self.task_starts,
                [TaskStartupAttempts, TaskStartupSuccess, TaskStartupFailure],
                [TaskStartupFailurePercentage, TaskStartupSuccessPercentage],
            ),
        ] {
            starts.write_totals(out, &none, totals);
            starts.write_shares(out, &none, shares, now);
        }
    }

    /// Connector instances and tasks, with what their statuses say. Those that are not here count if they failed to come here.
    pub(crate) fn write_work(
        &self,
        out: &mut Exposition,
        connector_states: &[(String, ConnectorState)],
        task_states: &[(TaskId, ConnectorState)],
    ) {
        let connectors = self.connectors.lock().clone();
        for (name, facts) in &connectors {
            facts.write(out, name);
        }
        let is_here = |state: ConnectorState| state != ConnectorState::Unassigned;
        for (name, state) in connector_states {
            if is_here(*state) || connectors.contains_key(name) {
                let status = [("status", state.metric_name())];
                out.texts(ConnectorStatus, &Labels::connector(name), &status);
            }
        }
        let tasks = self.tasks.lock().clone();
        let mut counts: BTreeMap<&str, BTreeMap<MetricId, u64>> = BTreeMap::new();
        for (id, state) in task_states {
            if !is_here(*state) && !tasks.contains_key(id) {
                continue;
            }
            let labels = Labels::task(&id.connector, id.task);
            out.texts(TaskStatus, &labels, &[("status", state.metric_name())]);
            let of_connector = counts.entry(&id.connector).or_default();
            *of_connector.entry(ConnectorTotalTasks).or_default() += 1;
            *of_connector.entry(count_of(*state)).or_default() += 1;
        }
        for (connector, counts) in counts {
            let labels = Labels::connector(connector);
            for id in TASK_COUNTS {
                out.count(id, &labels, counts.get(&id).copied().unwrap_or_default());
            }
        }
        for task in tasks.values() {
            task.write(out);
        }
    }

    /// What plugins registered.
    pub(crate) fn write_plugins(out: &mut Exposition, metrics: &[Metric]) {
        let is_counter = |metric: &&Metric| metric.kind == MetricKind::Counter;
        let (counters, gauges): (Vec<_>, Vec<_>) = metrics.iter().partition(is_counter);
        for metric in counters.into_iter().chain(gauges) {
            let name = &metric.name;
            let mut labels = match name.task {
                Some(task) => Labels::task(&name.connector, task),
                None => Labels::connector(&name.connector),
            };
            let mut used: Vec<String> = Vec::new();
            for (tag, value) in &name.tags {
                let mut tag = label_name(tag);
                // Two tags may differ in what a label cannot have.
                while used.contains(&tag) {
                    tag.push('_');
                }
                labels = labels.with(&tag, value);
                used.push(tag);
            }
            let kind = match metric.kind {
                MetricKind::Counter => Kind::Counter,
                _ => Kind::Gauge,
            };
            out.plugin_value(kind, &name.name, &metric.description, &labels, metric.value);
        }
    }
}

const TASK_COUNTS: [MetricId; 7] = [
    ConnectorTotalTasks,
    ConnectorRunningTasks,
    ConnectorPausedTasks,
    ConnectorFailedTasks,
    ConnectorUnassignedTasks,
    ConnectorDestroyedTasks,
    ConnectorRestartingTasks,
];

fn count_of(state: ConnectorState) -> MetricId {
    match state {
        ConnectorState::Running => ConnectorRunningTasks,
        ConnectorState::Paused => ConnectorPausedTasks,
        ConnectorState::Failed => ConnectorFailedTasks,
        ConnectorState::Restarting => ConnectorRestartingTasks,
        _ => ConnectorUnassignedTasks,
    }
}

/// `metrics.context.` properties as labels.
pub(crate) fn context_labels<'p>(
    properties: impl IntoIterator<Item = (&'p String, &'p String)>,
) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for (key, value) in properties {
        let Some(name) = key.strip_prefix("metrics.context.") else {
            continue;
        };
        let name = label_name(name);
        let is_taken = name == "connect_kafka_cluster_id" || name == "connect_group_id";
        if !is_taken && labels.iter().all(|(other, _)| *other != name) {
            labels.push((name, value.clone()));
        }
    }
    labels
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
