//! A worker in memory: what a plugin may ask of it is remembered, and a test decides what it answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_api::connector::ConnectorHost;
use wharf_api::plugin::{MetricKind, PluginHost};
use wharf_api::sink::{ReportedRecord, SinkTaskHost};
use wharf_api::source::{SourceTaskHost, TransactionEnd};
use wharf_api::{ConfigMap, ConnectError, OffsetMap, Offsets, Result, TopicPartition};

/// A plugin that waited this long in total is told to stop, so that a loop that waits for ever ends.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A metric that a plugin registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Counter or gauge.
    pub kind: MetricKind,
    /// The name.
    pub name: String,
    /// Tag names and values.
    pub tags: Vec<(String, String)>,
    /// The sum of a counter, the last value of a gauge.
    pub value: f64,
}

/// Serves connectors, source tasks and sink tasks.
#[derive(Debug, Default)]
pub struct FakeWorker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    waited: Duration,
    config: ConfigMap,
    source_offsets: Vec<(OffsetMap, OffsetMap)>,
    metrics: Vec<Metric>,
    reconfigurations: usize,
    raised: Vec<ConnectError>,
    transactions: bool,
    transaction_ends: Vec<TransactionEnd>,
    assignment: Vec<TopicPartition>,
    paused: Vec<TopicPartition>,
    rewinds: Offsets,
    timeout: Option<Duration>,
    commit_requested: bool,
    tolerates_errors: bool,
    reports: Vec<(ReportedRecord, ConnectError)>,
}

impl FakeWorker {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed elsewhere must not hide behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the plugin to stop, or no longer to.
    pub fn set_stopping(&self, stopping: bool) {
        self.state().stopping = stopping;
    }

    /// How long the plugin waited in total. No real time passed.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.state().waited
    }

    /// Sets the configuration that tasks can ask for.
    pub fn set_config(&self, config: &ConfigMap) {
        self.state().config = config.clone();
    }

    /// Stores a source offset, as the worker does for acknowledged records; `None` forgets it.
    pub fn store_offset(&self, partition: &OffsetMap, offset: Option<&OffsetMap>) {
        let mut state = self.state();
        state.source_offsets.retain(|(known, _)| known != partition);
        if let Some(offset) = offset {
            state.source_offsets.push((partition.clone(), offset.clone()));
        }
    }

    /// Forgets all source offsets.
    pub fn forget_offsets(&self) {
        self.state().source_offsets.clear();
    }

    /// All stored source offsets.
    #[must_use]
    pub fn stored_offsets(&self) -> Vec<(OffsetMap, OffsetMap)> {
        self.state().source_offsets.clone()
    }

    /// The metrics that were registered.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.state().metrics.clone()
    }

    /// How often the connector asked for new task configurations.
    #[must_use]
    pub fn reconfigurations(&self) -> usize {
        self.state().reconfigurations
    }

    /// The errors that the connector raised.
    #[must_use]
    pub fn raised_errors(&self) -> Vec<ConnectError> {
        self.state().raised.clone()
    }

    /// Lets tasks say where transactions end.
    pub fn set_transactions(&self, transactions: bool) {
        self.state().transactions = transactions;
    }

    /// The ends of transactions that the task asked for.
    #[must_use]
    pub fn transaction_ends(&self) -> Vec<TransactionEnd> {
        self.state().transaction_ends.clone()
    }

    /// Sets the partitions assigned to a sink task.
    pub fn assign(&self, partitions: &[TopicPartition]) {
        self.state().assignment = partitions.to_vec();
    }

    /// The partitions that a sink task paused.
    #[must_use]
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.state().paused.clone()
    }

    /// Where a sink task went back to.
    #[must_use]
    pub fn rewinds(&self) -> Offsets {
        self.state().rewinds.clone()
    }

    /// The last limit that a sink task set for the next wait.
    #[must_use]
    pub fn timeout_asked(&self) -> Option<Duration> {
        self.state().timeout
    }

    /// Whether a sink task asked for a commit.
    #[must_use]
    pub fn commit_requested(&self) -> bool {
        self.state().commit_requested
    }

    /// Lets sink tasks report failed records.
    pub fn set_tolerates_errors(&self, tolerates: bool) {
        self.state().tolerates_errors = tolerates;
    }

    /// The failed records that a sink task reported.
    #[must_use]
    pub fn reports(&self) -> Vec<(ReportedRecord, ConnectError)> {
        self.state().reports.clone()
    }

    fn find_offsets(&self, partitions: &[OffsetMap]) -> Vec<Option<OffsetMap>> {
        let state = self.state();
        let find = |wanted: &OffsetMap| {
            state
                .source_offsets
                .iter()
                .find(|(known, _)| known == wanted)
                .map(|(_, offset)| offset.clone())
        };
        partitions.iter().map(find).collect()
    }

    fn check_assigned(&self, partitions: &[TopicPartition]) -> Result<()> {
        let state = self.state();
        match partitions
            .iter()
            .find(|partition| !state.assignment.contains(partition))
        {
            None => Ok(()),
            Some(other) => Err(ConnectError::illegal_state(format!(
                "{other:?} is not assigned to this task"
            ))),
        }
    }
}

impl PluginHost for FakeWorker {
    fn register_metric(&self, kind: MetricKind, name: &str, _: &str, tags: &[(&str, &str)]) -> Result<u64> {
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let mut state = self.state();
        let known = state
            .metrics
            .iter()
            .position(|metric| metric.name == name && metric.tags == tags);
        let index = match known {
            Some(index) if state.metrics[index].kind == kind => index,
            Some(_) => {
                return Err(ConnectError::illegal_state(format!(
                    "metric {name} has another kind"
                )));
            }
            None => {
                state.metrics.push(Metric {
                    kind,
                    name: name.to_owned(),
                    tags,
                    value: 0.0,
                });
                state.metrics.len() - 1
            }
        };
        Ok(index as u64)
    }

    fn record_metric(&self, metric: u64, value: f64) {
        let mut state = self.state();
        if let Some(metric) = usize::try_from(metric)
            .ok()
            .and_then(|index| state.metrics.get_mut(index))
        {
            match metric.kind {
                MetricKind::Counter => metric.value += value,
                _ => metric.value = value,
            }
        }
    }

    fn wait(&self, time: Duration) -> bool {
        let mut state = self.state();
        state.waited += time;
        if state.waited > PATIENCE {
            state.stopping = true;
        }
        state.stopping
    }

    fn is_stopping(&self) -> bool {
        self.state().stopping
    }
}

impl ConnectorHost for FakeWorker {
    fn request_task_reconfiguration(&self) {
        self.state().reconfigurations += 1;
    }

    fn raise_error(&self, error: ConnectError) {
        self.state().raised.push(error);
    }

    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(self.find_offsets(partitions))
    }

    fn configs(&self) -> ConfigMap {
        self.state().config.clone()
    }
}

impl SourceTaskHost for FakeWorker {
    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(self.find_offsets(partitions))
    }

    fn configs(&self) -> ConfigMap {
        self.state().config.clone()
    }

    fn has_transaction_context(&self) -> bool {
        self.state().transactions
    }

    fn end_transaction(&self, end: TransactionEnd) -> Result<()> {
        let mut state = self.state();
        if !state.transactions {
            return Err(ConnectError::illegal_state(
                "the task does not say where transactions end",
            ));
        }
        state.transaction_ends.push(end);
        Ok(())
    }
}

impl SinkTaskHost for FakeWorker {
    fn configs(&self) -> ConfigMap {
        self.state().config.clone()
    }

    fn rewind(&self, offsets: &Offsets) {
        self.state().rewinds.extend(offsets.clone());
    }

    fn timeout(&self, time: Duration) {
        self.state().timeout = Some(time);
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.state().assignment.clone()
    }

    fn pause(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_assigned(partitions)?;
        self.state().paused.extend_from_slice(partitions);
        Ok(())
    }

    fn resume(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_assigned(partitions)?;
        self.state()
            .paused
            .retain(|partition| !partitions.contains(partition));
        Ok(())
    }

    fn request_commit(&self) {
        self.state().commit_requested = true;
    }

    fn can_report_errors(&self) -> bool {
        self.state().tolerates_errors
    }

    fn report_error(&self, record: &ReportedRecord, error: &ConnectError) -> Result<u64> {
        let mut state = self.state();
        state.reports.push((record.clone(), error.clone()));
        Ok(state.reports.len() as u64 - 1)
    }

    fn await_report(&self, report: u64) -> Result<()> {
        match report < self.state().reports.len() as u64 {
            true => Ok(()),
            false => Err(ConnectError::not_found(format!("there is no report {report}"))),
        }
    }
}
