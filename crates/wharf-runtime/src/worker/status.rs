//! Statuses of the connectors and tasks that run on this worker.
//!
//! Every start of a connector or task gets an [`Epoch`]; only the newest one may report. So a thread that was given up can
//! never overwrite what is true now. In standalone mode these statuses are all there are; a distributed worker has them
//! published through a [`StatusSink`], and answers requests from the status topic.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::herder::{ConnectorState, InstanceState, TaskId, TaskStateInfo};
use crate::metrics::WorkerMetrics;

/// Which start of a connector or task a report belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// One status.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    epoch: Epoch,
    state: ConnectorState,
    trace: Option<String>,
    version: Option<String>,
    /// Whether this start has been running.
    has_run: bool,
}

/// Hears of every report that counts, one after another, those of one connector or task in their order. It must not wait,
/// and must not ask the [`StatusStore`] anything.
pub trait StatusSink: Send + Sync {
    /// A connector instance has this status now.
    fn connector(&self, name: &str, status: &InstanceState);

    /// A task has this status now.
    fn task(&self, task: &TaskId, status: &InstanceState);
}

/// A connector instance or a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FailedWork {
    /// The instance of this connector.
    Connector(String),
    /// This task.
    Task(TaskId),
}

impl FailedWork {
    /// The connector's name.
    #[must_use]
    pub fn connector(&self) -> &str {
        match self {
            Self::Connector(name) => name,
            Self::Task(task) => &task.connector,
        }
    }
}

/// A start of something that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What has failed.
    pub work: FailedWork,
    /// Another producer has taken its transactional id.
    pub was_fenced: bool,
    epoch: Epoch,
}

/// The class by which a trace tells that a producer was fenced.
const FENCED: &str = "org.apache.kafka.common.errors.ProducerFencedException";

/// All statuses of a worker.
pub struct StatusStore {
    worker_id: String,
    sink: Option<Arc<dyn StatusSink>>,
    next_epoch: AtomicU64,
    statuses: Mutex<Statuses>,
    /// Failures, for whoever acts on them; kept until somebody asks for them.
    failures: UnboundedSender<Failure>,
    unwatched: Mutex<Option<UnboundedReceiver<Failure>>>,
    /// Where starts are counted.
    metrics: OnceLock<Arc<WorkerMetrics>>,
}

#[derive(Debug, Default)]
struct Statuses {
    connectors: BTreeMap<String, Status>,
    tasks: BTreeMap<TaskId, Status>,
    /// Connectors that were removed, or whose tasks were: reports of starts before this one do not count.
    floors: BTreeMap<String, Epoch>,
}

impl Statuses {
    fn counts(&self, connector: &str, epoch: Epoch) -> bool {
        self.floors.get(connector).is_none_or(|floor| epoch > *floor)
    }
}

impl fmt::Debug for StatusStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusStore")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

impl StatusStore {
    /// No statuses yet, and nobody who hears of them.
    #[must_use]
    pub fn new(worker_id: impl Into<String>) -> Self {
        Self::make(worker_id.into(), None)
    }

    /// No statuses yet; what is reported goes to `sink`.
    #[must_use]
    pub fn with_sink(worker_id: impl Into<String>, sink: Arc<dyn StatusSink>) -> Self {
        Self::make(worker_id.into(), Some(sink))
    }

    fn make(worker_id: String, sink: Option<Arc<dyn StatusSink>>) -> Self {
        let (failures, unwatched) = unbounded_channel();
        Self {
            worker_id,
            sink,
            next_epoch: AtomicU64::new(1),
            statuses: Mutex::default(),
            failures,
            unwatched: Mutex::new(Some(unwatched)),
            metrics: OnceLock::new(),
        }
    }

    /// Counts how starts go from now on.
    pub(crate) fn count_starts(&self, metrics: Arc<WorkerMetrics>) {
        // There is one worker to a store.
        let _ = self.metrics.set(metrics);
    }

    /// Every failure from the beginning on; `None` when somebody watches already.
    #[must_use]
    pub fn watch_failures(&self) -> Option<UnboundedReceiver<Failure>> {
        self.unwatched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Whether this failure is still the last that was reported of it.
    #[must_use]
    pub fn is_current(&self, failure: &Failure) -> bool {
        let statuses = self.lock();
        let status = match &failure.work {
            FailedWork::Connector(name) => statuses.connectors.get(name),
            FailedWork::Task(task) => statuses.tasks.get(task),
        };
        status.is_some_and(|status| status.epoch == failure.epoch && status.state == ConnectorState::Failed)
    }

    fn tell_of_failure(&self, work: impl FnOnce() -> FailedWork, status: &Status) {
        if status.state == ConnectorState::Failed {
            let trace = status.trace.as_deref().unwrap_or_default();
            // The watcher ends with its herder.
            let _ = self.failures.send(Failure {
                work: work(),
                was_fenced: trace.contains(FENCED),
                epoch: status.epoch,
            });
        }
    }

    /// The id of this worker.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    fn lock(&self) -> MutexGuard<'_, Statuses> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new start: reports of earlier ones no longer count.
    pub fn next_epoch(&self) -> Epoch {
        Epoch(self.next_epoch.fetch_add(1, Ordering::Relaxed))
    }

    /// Reports the state of a connector instance.
    pub fn set_connector(
        &self,
        name: &str,
        epoch: Epoch,
        state: ConnectorState,
        trace: Option<String>,
        version: Option<String>,
    ) {
        let mut statuses = self.lock();
        if statuses
            .connectors
            .get(name)
            .is_none_or(|current| current.epoch <= epoch)
        {
            let (has_run, outcome) = start_outcome(statuses.connectors.get(name), epoch, state);
            if let (Some(success), Some(metrics)) = (outcome, self.metrics.get()) {
                metrics.connector_start(success);
            }
            let status = Status {
                epoch,
                state,
                trace,
                version,
                has_run,
            };
            if let Some(sink) = &self.sink {
                sink.connector(name, &self.instance(&status));
            }
            self.tell_of_failure(|| FailedWork::Connector(name.to_owned()), &status);
            statuses.connectors.insert(name.to_owned(), status);
        }
    }

    /// Reports the state of a task.
    pub fn set_task(
        &self,
        task: &TaskId,
        epoch: Epoch,
        state: ConnectorState,
        trace: Option<String>,
        version: Option<String>,
    ) {
        let mut statuses = self.lock();
        if statuses.counts(&task.connector, epoch)
            && statuses
                .tasks
                .get(task)
                .is_none_or(|current| current.epoch <= epoch)
        {
            let (has_run, outcome) = start_outcome(statuses.tasks.get(task), epoch, state);
            if let (Some(success), Some(metrics)) = (outcome, self.metrics.get()) {
                metrics.task_start(success);
            }
            let status = Status {
                epoch,
                state,
                trace,
                version,
                has_run,
            };
            if let Some(sink) = &self.sink {
                sink.task(task, &self.instance(&status));
            }
            self.tell_of_failure(|| FailedWork::Task(task.clone()), &status);
            statuses.tasks.insert(task.clone(), status);
        }
    }

    /// A start of a connector instance begins, which is UNASSIGNED until it says more. One that is being restarted goes on being
    /// RESTARTING, as upstream's does. Says which of the two it is.
    pub fn begin_connector(&self, name: &str, epoch: Epoch, version: Option<String>) -> ConnectorState {
        if take_over_restart(self.lock().connectors.get_mut(name), epoch) {
            return ConnectorState::Restarting;
        }
        self.set_connector(name, epoch, ConnectorState::Unassigned, None, version);
        ConnectorState::Unassigned
    }

    /// As [`begin_connector`](Self::begin_connector), of a task.
    pub fn begin_task(&self, task: &TaskId, epoch: Epoch, version: Option<String>) -> ConnectorState {
        if take_over_restart(self.lock().tasks.get_mut(task), epoch) {
            return ConnectorState::Restarting;
        }
        self.set_task(task, epoch, ConnectorState::Unassigned, None, version);
        ConnectorState::Unassigned
    }

    /// Says again what was said last of a connector instance, unless that it does not run: somebody else has said otherwise.
    pub fn repeat_connector(&self, name: &str) {
        let statuses = self.lock();
        if let Some(status) = statuses.connectors.get(name)
            && status.state != ConnectorState::Unassigned
            && let Some(sink) = &self.sink
        {
            sink.connector(name, &self.instance(status));
        }
    }

    /// As [`repeat_connector`](Self::repeat_connector), of a task.
    pub fn repeat_task(&self, task: &TaskId) {
        let statuses = self.lock();
        if let Some(status) = statuses.tasks.get(task)
            && status.state != ConnectorState::Unassigned
            && let Some(sink) = &self.sink
        {
            sink.task(task, &self.instance(status));
        }
    }

    /// Forgets a connector and its tasks.
    pub fn remove_connector(&self, name: &str) {
        self.lock().connectors.remove(name);
        self.remove_tasks(name);
    }

    /// Forgets a connector's tasks; what their threads still report does not count.
    pub fn remove_tasks(&self, name: &str) {
        let floor = self.next_epoch();
        let mut statuses = self.lock();
        statuses.tasks.retain(|task, _| task.connector != name);
        statuses.floors.insert(name.to_owned(), floor);
    }

    /// The state of a connector instance.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<InstanceState> {
        self.lock()
            .connectors
            .get(name)
            .map(|status| self.instance(status))
    }

    fn instance(&self, status: &Status) -> InstanceState {
        InstanceState {
            state: status.state,
            worker_id: self.worker_id.clone(),
            trace: status.trace.clone(),
            version: status.version.clone(),
        }
    }

    fn task_info(&self, task: &TaskId, status: &Status) -> TaskStateInfo {
        TaskStateInfo {
            id: task.task,
            state: status.state,
            worker_id: self.worker_id.clone(),
            trace: status.trace.clone(),
            version: status.version.clone(),
        }
    }

    /// The state of a task.
    #[must_use]
    pub fn task(&self, task: &TaskId) -> Option<TaskStateInfo> {
        self.lock()
            .tasks
            .get(task)
            .map(|status| self.task_info(task, status))
    }

    /// The states of a connector's tasks, by number.
    #[must_use]
    pub fn tasks(&self, name: &str) -> Vec<TaskStateInfo> {
        let statuses = self.lock();
        let of_connector = statuses.tasks.iter().filter(|(task, _)| task.connector == name);
        of_connector
            .map(|(task, status)| self.task_info(task, status))
            .collect()
    }
}

impl StatusStore {
    /// The states of all connector instances, by name.
    pub(crate) fn connector_states(&self) -> Vec<(String, ConnectorState)> {
        let statuses = self.lock();
        let states = statuses.connectors.iter();
        states
            .map(|(name, status)| (name.clone(), status.state))
            .collect()
    }

    /// The states of all tasks.
    pub(crate) fn task_states(&self) -> Vec<(TaskId, ConnectorState)> {
        let statuses = self.lock();
        let states = statuses.tasks.iter();
        states
            .map(|(task, status)| (task.clone(), status.state))
            .collect()
    }
}

/// Whether it is RESTARTING, which from now on belongs to this start.
fn take_over_restart(status: Option<&mut Status>, epoch: Epoch) -> bool {
    let restarting =
        status.filter(|status| status.state == ConnectorState::Restarting && status.epoch <= epoch);
    restarting.map(|status| status.epoch = epoch).is_some()
}

/// Whether a start has been running, after a report of it, and how it went, when the report decides that: it succeeds when it runs
/// for the first time, and fails when it fails before.
fn start_outcome(before: Option<&Status>, epoch: Epoch, state: ConnectorState) -> (bool, Option<bool>) {
    let had_run = before.is_some_and(|status| status.epoch == epoch && status.has_run);
    let had_failed =
        before.is_some_and(|status| status.epoch == epoch && status.state == ConnectorState::Failed);
    match state {
        ConnectorState::Running => (true, (!had_run).then_some(true)),
        ConnectorState::Failed => (had_run, (!had_run && !had_failed).then_some(false)),
        _ => (had_run, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Exposition, Sampling, TextFormat, WorkerMetrics};

    #[test]
    fn a_start_counts_once_as_a_success_or_a_failure() {
        use ConnectorState::{Failed, Paused, Restarting, Running, Unassigned};
        let cases: [(&[&[ConnectorState]], [u64; 3]); 6] = [
            (&[&[Unassigned, Running, Paused, Running, Failed]], [1, 1, 0]),
            (&[&[Paused, Running]], [1, 1, 0]),
            (&[&[Unassigned, Failed, Failed]], [1, 0, 1]),
            (&[&[Failed], &[Restarting], &[Running]], [2, 1, 1]),
            (&[&[Unassigned], &[Restarting], &[Unassigned]], [0, 0, 0]),
            (&[&[Running], &[Running], &[Failed]], [3, 2, 1]),
        ];
        for (starts, counts) in cases {
            let store = StatusStore::new("w:1");
            let metrics = WorkerMetrics::new(Sampling::default(), Vec::new());
            store.count_starts(Arc::clone(&metrics));
            for states in starts {
                let epoch = store.next_epoch();
                for state in *states {
                    store.set_task(&TaskId::new("c", 0), epoch, *state, None, None);
                    store.set_connector("c", epoch, *state, None, None);
                }
            }
            let mut out = Exposition::new(TextFormat::Prometheus);
            metrics.write_worker(&mut out, "w:1", "k", None);
            let text = out.finish();
            for what in ["task", "connector"] {
                for (part, count) in ["attempts", "success", "failure"].into_iter().zip(counts) {
                    let line = format!("kafka_connect_worker_{what}_startup_{part}_total {count}\n");
                    assert!(text.contains(&line), "{starts:?}: no {line} in {text}");
                }
            }
        }
    }

    #[test]
    fn a_report_of_an_earlier_start_does_not_count() {
        let store = StatusStore::new("w:1");
        let task = TaskId::new("c", 0);
        let (old, new) = (store.next_epoch(), store.next_epoch());
        store.set_task(&task, old, ConnectorState::Running, None, None);
        store.set_task(&task, new, ConnectorState::Running, None, None);
        store.set_task(&task, old, ConnectorState::Failed, Some("late".into()), None);
        assert_eq!(store.task(&task).unwrap().state, ConnectorState::Running);
        store.set_connector("c", new, ConnectorState::Paused, None, None);
        store.set_connector("c", old, ConnectorState::Running, None, None);
        assert_eq!(store.connector("c").unwrap().state, ConnectorState::Paused);
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl StatusSink for Heard {
        fn connector(&self, name: &str, status: &InstanceState) {
            let line = format!("{name} {:?} of {}", status.state, status.worker_id);
            self.0.lock().unwrap().push(line);
        }

        fn task(&self, task: &TaskId, status: &InstanceState) {
            let line = format!("{task} {:?} {:?}", status.state, status.trace);
            self.0.lock().unwrap().push(line);
        }
    }

    #[test]
    fn the_sink_hears_of_every_report_that_counts_and_of_no_other() {
        let heard = Arc::new(Heard::default());
        let store = StatusStore::with_sink("w:1", Arc::clone(&heard) as _);
        let task = TaskId::new("c", 0);
        let (old, new) = (store.next_epoch(), store.next_epoch());
        store.set_connector("c", new, ConnectorState::Running, None, None);
        store.set_connector("c", old, ConnectorState::Failed, None, None);
        store.set_task(&task, old, ConnectorState::Failed, Some("t".into()), None);
        store.remove_tasks("c");
        store.set_task(&task, new, ConnectorState::Unassigned, None, None);
        assert_eq!(
            *heard.0.lock().unwrap(),
            ["c Running of w:1", "c-0 Failed Some(\"t\")"]
        );
    }

    #[test]
    fn what_is_being_restarted_is_restarting_until_its_new_start_says_more() {
        let heard = Arc::new(Heard::default());
        let store = StatusStore::with_sink("w:1", Arc::clone(&heard) as _);
        let task = TaskId::new("c", 0);
        for restarts in [false, true] {
            let (restart, start) = (store.next_epoch(), store.next_epoch());
            let expected = if restarts {
                store.set_connector("c", restart, ConnectorState::Restarting, None, None);
                store.set_task(&task, restart, ConnectorState::Restarting, None, None);
                ConnectorState::Restarting
            } else {
                ConnectorState::Unassigned
            };
            assert_eq!(store.begin_connector("c", start, None), expected);
            assert_eq!(store.begin_task(&task, start, None), expected);
            // The start before this one is no longer heard, and this one is.
            store.set_task(&task, restart, ConnectorState::Unassigned, None, None);
            store.set_task(&task, start, ConnectorState::Running, None, None);
        }
        let ended = store.task(&task).map(|status| status.state);
        assert_eq!(ended, Some(ConnectorState::Running));
        assert_eq!(
            *heard.0.lock().unwrap(),
            [
                "c Unassigned of w:1",
                "c-0 Unassigned None",
                "c-0 Running None",
                "c Restarting of w:1",
                "c-0 Restarting None",
                "c-0 Running None"
            ]
        );
    }

    #[test]
    fn a_failure_is_told_and_is_current_until_the_next_report() {
        let store = StatusStore::new("w:1");
        let mut failures = store.watch_failures().unwrap();
        assert!(store.watch_failures().is_none());
        let task = TaskId::new("c", 0);
        let epoch = store.next_epoch();
        store.set_task(&task, epoch, ConnectorState::Running, None, None);
        store.set_task(&task, epoch, ConnectorState::Failed, None, None);
        store.set_connector("c", epoch, ConnectorState::Failed, None, None);
        let (of_task, of_connector) = (failures.try_recv().unwrap(), failures.try_recv().unwrap());
        assert!(failures.try_recv().is_err());
        assert_eq!(of_task.work, FailedWork::Task(task.clone()));
        assert!(store.is_current(&of_task) && store.is_current(&of_connector));
        let next = store.next_epoch();
        store.set_task(&task, next, ConnectorState::Failed, None, None);
        assert!(!store.is_current(&of_task), "another start has failed since");
        store.remove_connector("c");
        assert!(!store.is_current(&of_connector));
    }

    #[test]
    fn what_runs_is_said_again_and_what_does_not_is_not() {
        let heard = Arc::new(Heard::default());
        let store = StatusStore::with_sink("w:1", Arc::clone(&heard) as _);
        let (zero, one) = (TaskId::new("c", 0), TaskId::new("c", 1));
        let epoch = store.next_epoch();
        store.set_connector("c", epoch, ConnectorState::Paused, None, None);
        store.set_task(&zero, epoch, ConnectorState::Failed, Some("t".into()), None);
        store.set_task(&one, epoch, ConnectorState::Unassigned, None, None);
        heard.0.lock().unwrap().clear();
        store.repeat_connector("c");
        store.repeat_connector("d");
        store.repeat_task(&zero);
        store.repeat_task(&one);
        assert_eq!(
            *heard.0.lock().unwrap(),
            ["c Paused of w:1", "c-0 Failed Some(\"t\")"]
        );
    }

    #[test]
    fn removing_a_connector_takes_only_its_own_tasks() {
        let store = StatusStore::new("w:1");
        let epoch = store.next_epoch();
        for name in ["a", "b"] {
            store.set_connector(name, epoch, ConnectorState::Running, None, None);
            store.set_task(&TaskId::new(name, 0), epoch, ConnectorState::Running, None, None);
        }
        store.remove_connector("a");
        assert!(store.connector("a").is_none() && store.tasks("a").is_empty());
        assert_eq!(store.tasks("b").len(), 1);
    }
}
