//! The status topic: what connectors and tasks of all workers report, and which topics connectors use.
//!
//! Reads are answered from what was read back, so that every worker says the same, the one that wrote it included. Writes are
//! handed to a thread ([`status_writer`](super::status_writer)) and never waited for, but by [`StatusBackingStore::flush`].

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::status_state::{
    PendingWrite, PutMode, State, Status, StatusIgnored, StatusKey, StatusState, TopicStatus,
};
use wharf_kafka::{Admin, LogClients, LogError, LogTopic, MessageRef, ReadPositions, TopicLog};

use super::Census;
use super::status_writer::{Order, StatusWriter};
use crate::herder::{ConnectorState, InstanceState, TaskId, TaskStateInfo};
use crate::sync::lock;
use crate::worker::{StatusSink, TopicSink};

/// How much of a strange key a message shows.
const SHOWN_KEY: usize = 200;
/// After how long it is said again of a worker that it runs something.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Hears of a connector or task of which this worker spoke last, until now: another one has, or it was forgotten. It must not
/// wait.
pub type OverwrittenListener = Box<dyn Fn(StatusKey) + Send + Sync>;

/// Hears which other worker says that it runs something, by its id, and with which generation. It must not wait.
pub type RunningListener = Box<dyn Fn(&str, i32) + Send + Sync>;

/// The store behind `status.storage.topic`.
pub struct StatusBackingStore {
    log: Arc<TopicLog>,
    state: Arc<Mutex<StatusState>>,
    census: Arc<Census>,
    worker_id: Arc<str>,
    overwritten: Arc<OnceLock<OverwrittenListener>>,
    running: Arc<OnceLock<RunningListener>>,
    generation: AtomicI32,
    /// How often a topic's use was seen to be forgotten.
    topic_resets: Arc<AtomicU64>,
    orders: Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for StatusBackingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusBackingStore")
            .field("topic", &self.log.name())
            .finish_non_exhaustive()
    }
}

/// What was read of the topic, told apart from how it was read.
struct Follower {
    topic: String,
    state: Arc<Mutex<StatusState>>,
    topic_resets: Arc<AtomicU64>,
    worker_id: Arc<str>,
    overwritten: Arc<OnceLock<OverwrittenListener>>,
    running: Arc<OnceLock<RunningListener>>,
    /// What the listener was told last of each worker, and when.
    told: Mutex<HashMap<String, (i32, Instant)>>,
}

/// What a record has changed.
struct Applied {
    outcome: Result<(), StatusIgnored>,
    /// The key, when what this worker said last is replaced by what another one says.
    lost: Option<StatusKey>,
    /// Another worker that runs something, with its generation.
    running: Option<(String, i32)>,
}

impl Follower {
    fn apply(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Applied {
        let parsed = key.and_then(|key| StatusKey::parse(&String::from_utf8_lossy(key)).ok());
        let mut state = lock(&self.state);
        let is_own = |state: &StatusState, key: &StatusKey| {
            state
                .status(key)
                .is_some_and(|status| *status.worker_id == *self.worker_id)
        };
        let was_own = parsed.as_ref().is_some_and(|key| is_own(&state, key));
        let outcome = state.apply(key, value);
        let running = parsed
            .as_ref()
            .filter(|_| outcome.is_ok() && self.running.get().is_some())
            .and_then(|key| state.status(key))
            .filter(|status| status.state == State::Running && *status.worker_id != *self.worker_id)
            .map(|status| (status.worker_id.clone(), status.generation));
        Applied {
            lost: parsed.filter(|key| was_own && !is_own(&state, key)),
            running,
            outcome,
        }
    }

    /// Tells who listens, and not again and again where many things are started at once.
    fn tell_running(&self, worker_id: String, generation: i32) {
        let Some(listener) = self.running.get() else {
            return;
        };
        let now = Instant::now();
        let mut told = lock(&self.told);
        let is_known =
            |(last, at): &(i32, Instant)| *last == generation && now.duration_since(*at) < TELL_AGAIN;
        if told.get(&worker_id).is_some_and(is_known) {
            return;
        }
        listener(&worker_id, generation);
        told.retain(|_, (_, at)| now.duration_since(*at) < TELL_AGAIN);
        told.insert(worker_id, (generation, now));
    }

    fn take(&self, message: &MessageRef<'_>) {
        let (key, value) = (message.key(), message.value());
        // Outside of the lock: the log may be slow, and who listens may want to look.
        let Applied {
            outcome,
            lost,
            running,
        } = self.apply(key, value);
        if let (Some(key), Some(listener)) = (lost, self.overwritten.get()) {
            listener(key);
        }
        if let Some((worker_id, generation)) = running {
            self.tell_running(worker_id, generation);
        }
        match outcome {
            Ok(()) if value.is_none() => {
                let key = String::from_utf8_lossy(key.unwrap_or_default());
                if matches!(StatusKey::parse(&key), Ok(StatusKey::Topic { .. })) {
                    self.topic_resets.fetch_add(1, Ordering::Release);
                }
            }
            Ok(()) => {}
            Err(reason) => self.log_ignored(message, &reason),
        }
    }

    fn log_ignored(&self, message: &MessageRef<'_>, reason: &StatusIgnored) {
        let key = String::from_utf8_lossy(message.key().unwrap_or_default());
        let key: String = key.chars().take(SHOWN_KEY).collect();
        let text = format!(
            "record `{}` at offset {} of partition {} of status topic {} is ignored: {reason}",
            key.escape_debug(),
            message.offset(),
            message.partition(),
            self.topic
        );
        if reason.is_normal() {
            tracing::debug!("{text}");
        } else {
            tracing::error!("{text}");
        }
    }
}

impl StatusBackingStore {
    /// What the records of the topic are.
    #[must_use]
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// Creates the topic unless it is there, checks it, and reads it to its end. Blocks. `worker_id` is what this worker's
    /// statuses are signed with: host and port of its REST API.
    ///
    /// # Errors
    /// When the topic cannot be used, or not be read within `timeout`.
    pub fn start(
        admin: &Arc<Admin>,
        topic: &LogTopic,
        clients: &LogClients,
        worker_id: impl Into<String>,
        timeout: Duration,
    ) -> Result<Self, LogError> {
        let partitions = TopicLog::open(admin, topic, timeout)?;
        let state: Arc<Mutex<StatusState>> = Arc::default();
        let topic_resets: Arc<AtomicU64> = Arc::default();
        let census: Arc<Census> = Arc::default();
        let seen = Arc::clone(&census);
        let worker_id: Arc<str> = worker_id.into().into();
        let overwritten: Arc<OnceLock<OverwrittenListener>> = Arc::default();
        let running: Arc<OnceLock<RunningListener>> = Arc::default();
        let follower = Follower {
            topic: topic.topic.name.clone(),
            state: Arc::clone(&state),
            topic_resets: Arc::clone(&topic_resets),
            worker_id: Arc::clone(&worker_id),
            overwritten: Arc::clone(&overwritten),
            running: Arc::clone(&running),
            told: Mutex::default(),
        };
        let log = Arc::new(TopicLog::start(
            &topic.topic.name,
            partitions,
            clients,
            Arc::clone(admin),
            timeout,
            move |message| {
                seen.count(message.key());
                follower.take(&message);
            },
        )?);
        let (orders, inbox) = channel();
        let writer = StatusWriter::new(Arc::clone(&log), Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("status-store".to_owned())
            .spawn(move || writer.run(&inbox))
            .map_err(|error| LogError::TimedOut(format!("no thread to write statuses: {error}")))?;
        Ok(Self {
            log,
            state,
            census,
            worker_id,
            overwritten,
            running,
            // Before the first rebalance nothing runs and nothing is written.
            generation: AtomicI32::new(-1),
            topic_resets,
            orders,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.log.name()
    }

    /// How far the topic was read.
    #[must_use]
    pub fn positions(&self) -> ReadPositions {
        self.log.positions()
    }

    /// What this worker's statuses are signed with.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// Has this listener told of statuses of this worker that are replaced by another's. There can be one.
    pub fn on_overwritten(&self, listener: OverwrittenListener) {
        // A second one would be a defect of the caller; the first stays.
        let _ = self.overwritten.set(listener);
    }

    /// Has this listener told of other workers that say from now on that they run something. There can be one.
    pub fn on_running(&self, listener: RunningListener) {
        // A second one would be a defect of the caller; the first stays.
        let _ = self.running.set(listener);
    }

    /// The group's generation that statuses are written with from now on.
    pub fn set_generation(&self, generation: i32) {
        self.generation.store(generation, Ordering::Release);
    }

    /// Shows what was read back. The reader of the topic waits meanwhile.
    pub fn with_state<T>(&self, look: impl FnOnce(&StatusState) -> T) -> T {
        look(&lock(&self.state))
    }

    /// The state of a connector instance.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<InstanceState> {
        self.with_state(|state| state.connector(name).map(instance_state))
    }

    /// The states of a connector's tasks, by number.
    #[must_use]
    pub fn tasks(&self, name: &str) -> Vec<TaskStateInfo> {
        self.with_state(|state| {
            state
                .tasks(name)
                .filter_map(|(task, status)| task_state(task, status))
                .collect()
        })
    }

    /// The state of a task.
    #[must_use]
    pub fn task(&self, task: &TaskId) -> Option<TaskStateInfo> {
        let id = task_id(task)?;
        self.with_state(|state| task_state(id.task, state.task(&id)?))
    }

    /// The topics that a connector uses, by name.
    #[must_use]
    pub fn topics(&self, connector: &str) -> Vec<String> {
        self.with_state(|state| state.topics(connector).map(|used| used.topic.clone()).collect())
    }

    /// Removes the status of a connector that was deleted.
    pub fn delete_connector(&self, name: &str) {
        let status = self.status(State::Destroyed, None, None);
        let write = lock(&self.state).put_connector(name, status, PutMode::Put);
        self.write(write);
    }

    /// Removes the status of a task that is no longer configured.
    pub fn delete_task(&self, task: &TaskId) {
        let Some(id) = task_id(task) else { return };
        let status = self.status(State::Destroyed, None, None);
        let write = lock(&self.state).put_task(&id, status, PutMode::Put);
        self.write(write);
    }

    /// Takes note that a task of a connector uses a topic, unless that is known.
    pub fn record_topic(&self, connector: &str, task: u32, topic: &str) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let status = TopicStatus {
            topic: topic.to_owned(),
            connector: connector.to_owned(),
            task: i32::try_from(task).unwrap_or(i32::MAX),
            discover_timestamp_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        };
        let write = lock(&self.state).put_topic(&status);
        self.write(write);
    }

    /// Forgets the topics that a connector uses.
    pub fn reset_topics(&self, connector: &str) {
        let writes = lock(&self.state).reset_topics(connector);
        self.write(writes);
    }

    fn status(&self, state: State, trace: Option<String>, version: Option<String>) -> Status {
        Status {
            state,
            trace,
            worker_id: self.worker_id.to_string(),
            generation: self.generation.load(Ordering::Acquire),
            version,
        }
    }

    fn write(&self, writes: impl IntoIterator<Item = PendingWrite>) {
        for write in writes {
            // A store that was stopped writes no more.
            let _ = self.orders.send(Order::Write(write));
        }
    }

    /// Waits until everything that was put is in the topic, or was given up. Says whether that was in time. Blocks.
    pub fn flush(&self, timeout: Duration) -> bool {
        let (answer, done) = channel();
        self.orders.send(Order::Flush(answer)).is_ok() && done.recv_timeout(timeout).is_ok()
    }

    /// Has everything that was put sent now, without waiting for it. Only what failed before is not sent at once anyway.
    pub fn request_flush(&self) {
        // A store that was stopped writes no more.
        let _ = self.orders.send(Order::Hurry);
    }

    /// Waits until everything that is in the topic now was read. Blocks.
    ///
    /// # Errors
    /// When that takes longer than `timeout`.
    pub fn read_to_end(&self, timeout: Duration) -> Result<(), LogError> {
        self.log.read_to_end(timeout)
    }

    /// Ends writing and reading. What was not written yet is lost; see [`flush`](Self::flush).
    pub fn stop(&self) {
        // A thread that has ended already needs no order.
        let _ = self.orders.send(Order::Stop);
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        self.log.stop();
    }
}

impl Drop for StatusBackingStore {
    fn drop(&mut self) {
        // The thread holds the log.
        let _ = self.orders.send(Order::Stop);
    }
}

impl StatusSink for StatusBackingStore {
    fn connector(&self, name: &str, status: &InstanceState) {
        let mode = mode(status.state);
        let status = self.status(
            state_of(status.state),
            status.trace.clone(),
            status.version.clone(),
        );
        let write = lock(&self.state).put_connector(name, status, mode);
        self.write(write);
    }

    fn task(&self, task: &TaskId, status: &InstanceState) {
        let Some(id) = task_id(task) else { return };
        let mode = mode(status.state);
        let status = self.status(
            state_of(status.state),
            status.trace.clone(),
            status.version.clone(),
        );
        let write = lock(&self.state).put_task(&id, status, mode);
        self.write(write);
    }
}

impl TopicSink for StatusBackingStore {
    fn used(&self, connector: &str, task: u32, topic: &str) {
        self.record_topic(connector, task, topic);
    }

    fn resets(&self) -> u64 {
        self.topic_resets.load(Ordering::Acquire)
    }
}

/// Whoever says that something failed or ended may be late, and somebody else may run it by now.
fn mode(state: ConnectorState) -> PutMode {
    match state {
        ConnectorState::Failed | ConnectorState::Unassigned => PutMode::Safe,
        _ => PutMode::Put,
    }
}

fn state_of(state: ConnectorState) -> State {
    match state {
        ConnectorState::Unassigned => State::Unassigned,
        ConnectorState::Running => State::Running,
        ConnectorState::Paused => State::Paused,
        ConnectorState::Stopped => State::Stopped,
        ConnectorState::Failed => State::Failed,
        ConnectorState::Restarting => State::Restarting,
    }
}

/// A status of the topic as the REST API shows it.
#[must_use]
pub fn instance_state(status: &Status) -> InstanceState {
    let state = match status.state {
        State::Running => ConnectorState::Running,
        State::Paused => ConnectorState::Paused,
        State::Stopped => ConnectorState::Stopped,
        State::Failed => ConnectorState::Failed,
        State::Restarting => ConnectorState::Restarting,
        // No worker writes that something was destroyed; nobody runs it in any case.
        State::Unassigned | State::Destroyed => ConnectorState::Unassigned,
    };
    InstanceState {
        state,
        worker_id: status.worker_id.clone(),
        trace: status.trace.clone(),
        version: status.version.clone(),
    }
}

fn task_state(task: i32, status: &Status) -> Option<TaskStateInfo> {
    let InstanceState {
        state,
        worker_id,
        trace,
        version,
    } = instance_state(status);
    Some(TaskStateInfo {
        id: u32::try_from(task).ok()?,
        state,
        worker_id,
        trace,
        version,
    })
}

/// Nothing for numbers that no group can name.
fn task_id(task: &TaskId) -> Option<ConnectorTaskId> {
    let number = i32::try_from(task.task).ok()?;
    Some(ConnectorTaskId::new(task.connector.as_str(), number))
}
