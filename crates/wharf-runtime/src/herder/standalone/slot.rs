//! A connector's place in the herder, and the order of operations on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::config_state::publication_backoff_ms;

use crate::herder::common::not_found;
use crate::herder::{ConnectorType, HerderError};
use crate::worker::{RunningTask, TargetState, WorkerConnector};

/// How long a stop, delete or new configuration waits for the operation before it, before it takes the connector over.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(1);

/// A connector's place: it stays while operations of this name run.
pub(super) struct ConnectorSlot {
    pub(super) name: String,
    pub(super) operation: tokio::sync::Mutex<()>,
    /// Counts take-overs; operations end when it moves.
    pub(super) taken_over: watch::Sender<u64>,
    /// Task configurations that the plugin could not make yet.
    pub(super) postponed: Postponed,
    /// What reads see; none when the connector does not exist (yet, or any more).
    pub(super) entry: Mutex<Option<Entry>>,
}

/// A connector that is asked again for task configurations after a while.
#[derive(Default)]
pub(super) struct Postponed {
    failures: AtomicU32,
    is_waited_for: AtomicBool,
}

impl Postponed {
    /// One more failure. How long to wait; nothing while somebody waits already.
    pub(super) fn wait(&self) -> Option<Duration> {
        if self.is_waited_for.swap(true, Ordering::AcqRel) {
            return None;
        }
        let before = self.failures.fetch_add(1, Ordering::AcqRel);
        Some(Duration::from_millis(publication_backoff_ms(before)))
    }

    /// It was waited for.
    pub(super) fn waited(&self) {
        self.is_waited_for.store(false, Ordering::Release);
    }

    /// The plugin has made them.
    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Release);
    }
}

pub(super) struct Entry {
    pub(super) config: ConfigMap,
    pub(super) connector_type: ConnectorType,
    pub(super) target: TargetState,
    pub(super) task_configs: Vec<ConfigMap>,
    /// The configuration that the task configurations were made under, references resolved.
    pub(super) applied_config: Option<ConfigMap>,
    pub(super) connector: Option<WorkerConnector>,
    pub(super) tasks: BTreeMap<u32, RunningTask>,
}

/// An operation in progress: holds the name's lock, and knows when it is taken over.
pub(super) struct Operation<'s> {
    pub(super) slot: &'s ConnectorSlot,
    pub(super) taken_over: watch::Receiver<u64>,
    _lock: tokio::sync::MutexGuard<'s, ()>,
}

impl ConnectorSlot {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            operation: tokio::sync::Mutex::new(()),
            taken_over: watch::Sender::new(0),
            postponed: Postponed::default(),
            entry: Mutex::new(None),
        }
    }

    pub(super) fn entry(&self) -> MutexGuard<'_, Option<Entry>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the entry; not found when there is none.
    pub(super) fn with<T>(&self, read: impl FnOnce(&mut Entry) -> T) -> Result<T, HerderError> {
        self.entry()
            .as_mut()
            .map(read)
            .ok_or_else(|| not_found(&self.name))
    }

    /// Waits for its turn.
    pub(super) async fn begin(&self) -> Operation<'_> {
        let lock = self.operation.lock().await;
        Operation {
            slot: self,
            taken_over: self.taken_over.subscribe(),
            _lock: lock,
        }
    }

    /// Waits for its turn a little, then ends the operation before it, which waits for a plugin that hangs.
    pub(super) async fn take_over(&self) -> Operation<'_> {
        let mut lock = std::pin::pin!(self.operation.lock());
        loop {
            if let Ok(lock) = tokio::time::timeout(TAKE_OVER_AFTER, &mut lock).await {
                return Operation {
                    slot: self,
                    taken_over: self.taken_over.subscribe(),
                    _lock: lock,
                };
            }
            // Each operation that waited before this one may meet the same plugin.
            self.taken_over.send_modify(|count| *count += 1);
        }
    }
}

impl Operation<'_> {
    /// Waits for the plugin's answer, unless the operation is taken over.
    pub(super) async fn plugin<T>(
        &mut self,
        answer: oneshot::Receiver<wharf_api::Result<T>>,
    ) -> Result<T, PluginWait> {
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

pub(super) enum PluginWait {
    Failed(ConnectError),
    TakenOver,
}
