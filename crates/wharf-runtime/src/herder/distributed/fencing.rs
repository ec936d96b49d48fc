//! Zombie fencing: before an exactly-once task starts, the producers of earlier tasks of its connector lose their
//! transactional ids (KIP-618). The leader does it and writes down for how many tasks; others ask the leader.
//!
//! What must stay true: a task writes nothing before a fencing was recorded for the very task configurations that it was
//! started with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use hyper::Method;
use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::config_state::{ConfigSnapshot, write};
use wharf_cluster::fencing::{Fencing, transactional_id};
use wharf_cluster::herder::WorkId;
use wharf_cluster::ids::ConnectorTaskId;

use super::Inner;
use super::forward::Signing;
use super::running::config_map;
use crate::herder::common::not_found;
use crate::herder::plugin_calls::on_thread;
use crate::herder::{ConnectorType, HerderError, PeerRequest};
use crate::sync::lock;
use crate::worker::{StartGate, TaskControl, claim_transactional_id};

/// How long a task goes on asking before it fails; longer than one request may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// Transactional ids that are claimed at the same time: each takes a client of its own for about half a second.
const AT_ONCE: usize = 8;
/// Between two attempts.
const RETRY: Duration = Duration::from_millis(250);
/// How soon a task that waits notices that it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one read of the config topic may take before the task looks whether it is to stop.
const CONFIRM_STEP: Duration = Duration::from_secs(2);
/// For one transactional id.
const FENCE_TIMEOUT: Duration = Duration::from_secs(90);

/// Lets one at a time work on a connector, by name. What nobody works on is forgotten.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    pub(super) async fn turn(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let one = {
            let mut all = lock(&self.0);
            all.retain(|known, one| known == name || Arc::strong_count(one) > 1);
            Arc::clone(all.entry(name.to_owned()).or_default())
        };
        one.lock_owned().await
    }
}

impl Inner {
    /// A worker asks for a fencing through the REST API.
    pub(super) async fn fence_for_peer(
        self: Arc<Self>,
        name: String,
        request: PeerRequest,
    ) -> Result<(), HerderError> {
        self.check_signature(&request)?;
        self.admit_leader().await?;
        self.fence(&name).await
    }

    /// On the leader: fences what has to be fenced before tasks of this connector start. Requests for one connector wait for
    /// each other, and find nothing left to do.
    pub(super) async fn fence(self: &Arc<Self>, name: &str) -> Result<(), HerderError> {
        let _turn = self.fencing.turn(name).await;
        self.read_configs().await?;
        let snapshot = self.configs.snapshot();
        let config = self.source_config(&snapshot, name)?;
        let fencing = Fencing::decide(&snapshot, name);
        let tasks = match fencing {
            Fencing::NotNeeded => return Ok(()),
            Fencing::Record { tasks } => tasks,
            Fencing::Fence {
                earlier_tasks, tasks, ..
            } => {
                self.claim_all(name, config, earlier_tasks).await?;
                tasks
            }
        };
        let _order = self.writes.lock().await;
        self.read_configs().await?;
        let now = Fencing::decide(&self.configs.snapshot(), name);
        if now == Fencing::NotNeeded {
            return Ok(());
        }
        // A count that is written after newer task configurations would stand for those.
        if now != fencing {
            return Err(HerderError::Conflict(format!(
                "newer task configurations of connector {name} came while earlier tasks were being fenced; the request may \
                 be sent again"
            )));
        }
        self.write(write::put_task_count_record(name, tasks)).await
    }

    /// On the leader: fences every task that the connector may have had, whatever was fenced before, so that none of them
    /// stores an offset after this.
    pub(super) async fn fence_all(self: &Arc<Self>, name: &str) -> Result<(), HerderError> {
        let tasks =
            |snapshot: &ConfigSnapshot| snapshot.connector(name).and_then(|state| state.task_count_record);
        let earlier = tasks(&self.configs.snapshot());
        self.fence(name).await?;
        let _turn = self.fencing.turn(name).await;
        let snapshot = self.configs.snapshot();
        let config = self.source_config(&snapshot, name)?;
        self.claim_all(name, config, earlier.max(tasks(&snapshot)).unwrap_or(0))
            .await
    }

    fn source_config(&self, snapshot: &ConfigSnapshot, name: &str) -> Result<ConfigMap, HerderError> {
        let config = config_map(snapshot.config(name).ok_or_else(|| not_found(name))?);
        match self.plugin_of(&config) {
            Ok(plugin) if plugin.kind == ConnectorType::Sink => Err(HerderError::BadRequest(format!(
                "Connector {name} is not a source connector"
            ))),
            _ => Ok(config),
        }
    }

    /// Takes the transactional ids of tasks 0 up to `tasks`, exclusive, from whoever has them.
    async fn claim_all(
        self: &Arc<Self>,
        name: &str,
        config: ConfigMap,
        tasks: i32,
    ) -> Result<(), HerderError> {
        if tasks <= 0 {
            return Ok(());
        }
        tracing::info!("fencing the producers of {tasks} earlier tasks of connector {name}");
        let (herder, name) = (Arc::clone(self), name.to_owned());
        let lease = self.worker.held_lease();
        on_thread("fencing", move || {
            let resolved = herder.worker.resolve(&config)?;
            let config = &resolved.config;
            let next = AtomicI32::new(0);
            let claim_some = || -> Result<(), HerderError> {
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    if task >= tasks {
                        return Ok(());
                    }
                    // The tasks that a later leader has started must not be fenced by this one.
                    if !herder.view.borrow().is_leader
                        || lease.as_ref().is_some_and(|lease| !lease.is_valid())
                    {
                        return Err(HerderError::Conflict("this worker leads no longer".to_owned()));
                    }
                    let id = transactional_id(&herder.settings.group_id, &name, task);
                    drop(claim_transactional_id(
                        &herder.worker,
                        &name,
                        config,
                        &id,
                        FENCE_TIMEOUT,
                    )?);
                }
            };
            let helpers = usize::try_from(tasks).unwrap_or(1).min(AT_ONCE);
            std::thread::scope(|scope| {
                let running: Vec<_> = (0..helpers).map(|_| scope.spawn(claim_some)).collect();
                running.into_iter().try_for_each(|thread| {
                    let panicked = |_| HerderError::Internal("a thread that fences panicked".to_owned());
                    thread.join().map_err(panicked)?
                })
            })
        })
        .await
    }

    async fn read_configs(self: &Arc<Self>) -> Result<(), HerderError> {
        let herder = Arc::clone(self);
        let read = move || herder.configs.read_to_end(herder.settings.worker_sync_timeout);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(HerderError::Internal(format!(
                "the config topic cannot be read: {error}"
            ))),
            Err(error) => Err(HerderError::Internal(format!("the read failed: {error}"))),
        }
    }

    /// Fences here, or has the leader do it.
    async fn have_fenced(self: &Arc<Self>, name: &str) -> Result<(), HerderError> {
        match self.admit_leader().await {
            Ok(()) => self.fence(name).await,
            Err(HerderError::Elsewhere(leader)) => {
                let segments = ["connectors", name, "fence"];
                self.ask_worker(Method::PUT, &leader, &segments, Vec::new(), Signing::Signed)
                    .await
            }
            Err(error) => Err(error),
        }
    }

    /// The gate of a task that is about to start with the task configurations of this snapshot; `None` where tasks do not
    /// write in transactions.
    pub(super) fn gate(
        self: &Arc<Self>,
        task: &ConnectorTaskId,
        generation: Option<i32>,
    ) -> Option<Arc<dyn StartGate>> {
        self.settings.exactly_once.is_enabled().then(|| {
            Arc::new(Gate {
                herder: Arc::downgrade(self),
                task: task.clone(),
                generation,
            }) as _
        })
    }
}

struct Gate {
    herder: Weak<Inner>,
    task: ConnectorTaskId,
    /// Of the task configurations that the task starts with.
    generation: Option<i32>,
}

impl Gate {
    fn herder(&self) -> Result<Arc<Inner>, ConnectError> {
        self.herder
            .upgrade()
            .ok_or_else(|| ConnectError::illegal_state("the worker is shutting down"))
    }

    /// One attempt, on another thread, so that this one sees when the task is to stop: then `None`.
    fn attempt(&self, control: &TaskControl) -> Result<Option<Result<(), HerderError>>, ConnectError> {
        let herder = self.herder()?;
        let (answer, outcome) = channel();
        let (of_request, name) = (Arc::clone(&herder), self.task.connector.clone());
        herder.runtime.spawn(async move {
            // The task may be gone.
            let _ = answer.send(of_request.have_fenced(&name).await);
        });
        drop(herder);
        loop {
            match outcome.recv_timeout(LOOK_EVERY) {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ConnectError::illegal_state("the worker is shutting down"));
                }
                Err(RecvTimeoutError::Timeout) if control.is_stopping() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl StartGate for Gate {
    fn fence(&self, control: &TaskControl) -> Result<(), ConnectError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let error = match self.attempt(control)? {
                None | Some(Ok(())) => return Ok(()),
                Some(Err(error)) => error,
            };
            let passes = !matches!(error, HerderError::NotFound(_) | HerderError::BadRequest(_));
            if !passes || Instant::now() >= give_up {
                return Err(ConnectError::connect(format!(
                    "earlier tasks of connector {} are not fenced, so task {} must not start: {error}",
                    self.task.connector, self.task
                )));
            }
            tracing::warn!("earlier tasks are not fenced yet, which is tried again: {error}");
            if control.wait_stopping(RETRY) {
                return Ok(());
            }
        }
    }

    fn confirm(&self, control: &TaskControl) -> Result<(), ConnectError> {
        let herder = self.herder()?;
        loop {
            let error = match herder.configs.read_to_end(CONFIRM_STEP) {
                Ok(()) => break,
                Err(error) => error,
            };
            if control.is_stopping() {
                return Ok(());
            }
            if !error.is_retriable() {
                return Err(ConnectError::connect(format!(
                    "the config topic cannot be read: {error}"
                )));
            }
            tracing::warn!("the config topic cannot be read yet, which is tried again: {error}");
        }
        let snapshot = herder.configs.snapshot();
        let generation = snapshot
            .connector(&self.task.connector)
            .and_then(|state| state.task_config_generation);
        let is_owned = herder
            .view
            .borrow()
            .owned
            .contains(&WorkId::Task(self.task.clone()));
        if generation == self.generation && is_owned {
            return Ok(());
        }
        Err(ConnectError::connect(format!(
            "task {} was given newer task configurations, or to another worker, while it was starting; it is started again \
             where it belongs",
            self.task
        )))
    }
}
