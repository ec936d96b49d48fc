//! What users ask of connectors. Whatever changes the config topic is done by the leader; others say where the leader is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{MutexGuard, watch};
use wharf_cluster::config_state::write::{self, WriteStep};
use wharf_cluster::config_state::{ConfigSnapshot, Properties};
use wharf_cluster::herder::{Admission, WorkId};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::restart::{self, RestartPlan};
use wharf_cluster::target_state::TargetState;
use wharf_membership::HeldLease;

use super::Inner;
use super::running::config_map;
use super::view::ClusterView;
use crate::config::{CONNECTOR_CLASS, CONNECTOR_VERSION};
use crate::herder::common::{PATCH_TRIES, not_found, patch_overtaken, patched, unknown};
use crate::herder::{
    ConnectorInfo, ConnectorStateInfo, ConnectorType, Created, HerderError, InitialState, InstanceState,
    RawConfig, RestartRequest, TaskId, TaskInfo, TaskStateInfo, plugin_calls, without_nulls,
};
use crate::offsets::OffsetTopic as _;
use crate::plugins::Outreach;
use crate::stores::ConfigStoreError;

/// How long it is waited until it is known where something runs. Less than the time that a request has in all, so that the answer
/// still reaches the worker that passed it on.
const OWNER_PATIENCE: Duration = Duration::from_secs(80);

/// Waits until it is known where something runs: here, or on a worker that is known or known to the leader. `exists` says why
/// it is not to be waited for any more.
async fn owner(
    mut view: watch::Receiver<Arc<ClusterView>>,
    id: &WorkId,
    exists: impl Fn() -> Result<(), HerderError>,
    patience: Duration,
) -> Result<(), HerderError> {
    let ending = || HerderError::ShuttingDown("the worker is shutting down".to_owned());
    let found = async {
        loop {
            exists()?;
            {
                let view = view.borrow_and_update();
                if view.owned.contains(id) {
                    return Ok(());
                }
                match &view.leader {
                    // One that nobody runs was created a moment ago, or its worker has left: the next rebalance places it.
                    Admission::Here if view.is_stable => {
                        if let Some(url) = view.owners.url(id) {
                            return Err(HerderError::Elsewhere(url.to_owned()));
                        }
                    }
                    Admission::Forward(url) => return Err(HerderError::Elsewhere(url.clone())),
                    Admission::Refuse => return Err(ending()),
                    Admission::Here | Admission::Wait => {}
                }
            }
            if view.changed().await.is_err() {
                return Err(ending());
            }
        }
    };
    tokio::time::timeout(patience, found).await.unwrap_or_else(|_| {
        Err(HerderError::Conflict(format!(
            "{id} was on no worker for {} s, and nothing was done; the request may be sent again when it is assigned",
            patience.as_secs()
        )))
    })
}

fn properties(config: &RawConfig) -> Properties {
    without_nulls(config).into_iter().collect()
}

fn raw(properties: &Properties) -> RawConfig {
    properties
        .iter()
        .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
        .collect()
}

impl Inner {
    /// Waits until this worker may carry out what only a leader may, or it is known who may.
    ///
    /// # Errors
    /// [`HerderError::Elsewhere`] with the leader's URL; refused when the worker is ending.
    pub(super) async fn admit_leader(&self) -> Result<(), HerderError> {
        self.admitted(|view| view.leader.clone()).await
    }

    /// Waits until this worker is a member that may carry out what any member may.
    pub(super) async fn admit_member(&self) -> Result<(), HerderError> {
        self.admitted(|view| view.member.clone()).await
    }

    async fn admitted(&self, part: impl Fn(&ClusterView) -> Admission) -> Result<(), HerderError> {
        let mut view = self.view.subscribe();
        loop {
            let admission = part(&view.borrow_and_update());
            match admission {
                Admission::Here => return Ok(()),
                Admission::Forward(url) => return Err(HerderError::Elsewhere(url)),
                Admission::Refuse => {
                    return Err(HerderError::ShuttingDown(
                        "the worker is shutting down".to_owned(),
                    ));
                }
                Admission::Wait => {}
            }
            if view.changed().await.is_err() {
                return Err(HerderError::ShuttingDown(
                    "the worker is shutting down".to_owned(),
                ));
            }
        }
    }

    /// Carries out an operation on the config topic. What only a leader may write is tried once more with a new claim, when
    /// this worker still leads: it may have begun to lead a moment ago, or have been taken for dead by one that has left. One
    /// that has lost its lease claims nothing: another worker may lead already.
    pub(super) async fn write(self: &Arc<Self>, steps: Vec<WriteStep>) -> Result<(), HerderError> {
        let lease = self.worker.held_lease();
        let needs_claim = steps.iter().any(|step| matches!(step, WriteStep::Privileged(_)));
        let herder = Arc::clone(self);
        let outcome = tokio::task::spawn_blocking(move || {
            // One that woke up may have been replaced long ago, and does not know it yet.
            if needs_claim && lease.as_ref().is_some_and(|lease| !lease.is_valid()) {
                return Err(ConfigStoreError::Fenced(
                    "the group has not confirmed its membership for a session time-out".to_owned(),
                ));
            }
            let leads = || {
                needs_claim
                    && herder.view.borrow().is_leader
                    && lease.as_ref().is_none_or(HeldLease::is_valid)
            };
            let configs = &herder.configs;
            if configs.needs_claim() && leads() {
                configs.claim()?;
            }
            match configs.carry_out(steps.clone()) {
                Err(ConfigStoreError::Fenced(reason)) if leads() => {
                    tracing::warn!("claiming the config topic again: {reason}");
                    configs.claim()?;
                    if leads() {
                        configs.carry_out(steps)
                    } else {
                        Err(ConfigStoreError::Fenced(reason))
                    }
                }
                outcome => outcome,
            }
        })
        .await;
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                if matches!(error, ConfigStoreError::Fenced(_)) {
                    self.claim_again();
                }
                Err(HerderError::Internal(format!(
                    "Failed to write to the config topic, the request may be sent again: {error}"
                )))
            }
            Err(error) => Err(HerderError::Internal(format!("the write failed: {error}"))),
        }
    }

    fn type_of(&self, config: &Properties) -> ConnectorType {
        let version = config.get(CONNECTOR_VERSION).map(str::trim);
        config
            .get(CONNECTOR_CLASS)
            .and_then(|class| self.worker.plugins.connector(class.trim(), version).ok())
            .map_or(ConnectorType::Unknown, |plugin| plugin.kind)
    }

    /// A connector as the config topic has it.
    pub(super) fn info(&self, snapshot: &ConfigSnapshot, name: &str) -> Result<ConnectorInfo, HerderError> {
        let config = snapshot.config(name).ok_or_else(|| not_found(name))?;
        Ok(ConnectorInfo {
            name: name.to_owned(),
            config: config_map(config),
            tasks: snapshot.tasks(name).iter().map(super::running::task_id).collect(),
            connector_type: self.type_of(config),
        })
    }

    pub(super) fn task_infos_of(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        let snapshot = self.configs.snapshot();
        if !snapshot.contains(name) {
            return Err(not_found(name));
        }
        let tasks = snapshot.tasks(name);
        Ok(tasks
            .iter()
            .filter_map(|id| {
                Some(TaskInfo {
                    id: super::running::task_id(id),
                    config: config_map(snapshot.task_config(id)?),
                })
            })
            .collect())
    }

    pub(super) fn status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let missing = || HerderError::NotFound(format!("No status found for connector {name}"));
        let snapshot = self.configs.snapshot();
        // The statuses of one that was deleted stay for a moment.
        let config = snapshot.config(name).ok_or_else(missing)?;
        let connector = self.statuses.connector(name).ok_or_else(missing)?;
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            connector,
            tasks: self.statuses.tasks(name),
            connector_type: self.type_of(config),
        })
    }

    pub(super) async fn put_config(
        self: Arc<Self>,
        name: String,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        self.check_valid_here(config.clone()).await?;
        let order = self.writes.lock().await;
        if !allow_replace && self.configs.snapshot().contains(&name) {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        self.store_config(&order, name, &config, initial_state).await
    }

    /// Lets the leader validate a configuration, and nobody else: plugins may ask other systems for it, which takes time, and a
    /// request that is passed on, perhaps again and again because the leader is away, must not ask them each time.
    async fn check_valid_here(&self, config: RawConfig) -> Result<(), HerderError> {
        self.admit_leader().await?;
        let infos = plugin_calls::validate(Arc::clone(&self.worker), config, Outreach::Full).await?;
        plugin_calls::check_valid(&infos)?;
        // Another one may lead by now.
        self.admit_leader().await
    }

    /// Writes a configuration that was validated.
    async fn store_config(
        self: &Arc<Self>,
        _order: &MutexGuard<'_, ()>,
        name: String,
        config: &RawConfig,
        initial_state: Option<InitialState>,
    ) -> Result<Created<ConnectorInfo>, HerderError> {
        let existed = self.configs.snapshot().contains(&name);
        let target = initial_state.map(|state| match state {
            InitialState::Running => TargetState::Started,
            InitialState::Paused => TargetState::Paused,
            InitialState::Stopped => TargetState::Stopped,
        });
        tracing::info!(
            "{} connector {name}",
            if existed { "updating" } else { "creating" }
        );
        self.write(write::put_connector_config(&name, properties(config), target))
            .await?;
        let info = self.info(&self.configs.snapshot(), &name)?;
        if existed {
            return Ok(Created::Replaced(info));
        }
        self.tell_of_found_offsets(&name);
        Ok(Created::Created(info))
    }

    /// A connector of this name had offsets before it was created. Whose they were stands nowhere; that it does not begin at the
    /// beginning should not be a surprise.
    fn tell_of_found_offsets(&self, name: &str) {
        let count = self.offsets.count_of(name);
        if count > 0 {
            tracing::info!(
                "connector {name} is new and offset topic {} holds {count} source offsets of a connector of this name, from which it \
                 goes on; if another group stores them, give each group its own offset.storage.topic; if it has to begin anew, stop \
                 it and delete them by DELETE /connectors/{name}/offsets",
                self.offsets.topic()
            );
        }
    }

    pub(super) async fn patch_config(
        self: Arc<Self>,
        name: String,
        patch: RawConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        for _ in 0..PATCH_TRIES {
            self.admit_leader().await?;
            let snapshot = self.configs.snapshot();
            let before = snapshot.config(&name).ok_or_else(|| not_found(&name))?;
            let config = patched(&name, raw(before), patch.clone())?;
            self.check_valid_here(config.clone()).await?;
            let order = self.writes.lock().await;
            if self.configs.snapshot().config(&name) == Some(before) {
                let stored = self.store_config(&order, name, &config, None);
                return stored.await.map(Created::into_inner);
            }
        }
        Err(patch_overtaken(&name))
    }

    pub(super) async fn delete(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(not_found(&name));
        }
        tracing::info!("deleting connector {name}");
        self.write(write::remove_connector_config(&name)).await
    }

    /// Pause and resume: any member may write these.
    pub(super) async fn set_target(
        self: Arc<Self>,
        name: String,
        state: TargetState,
    ) -> Result<(), HerderError> {
        self.admit_member().await?;
        if !self.configs.snapshot().contains(&name) {
            return Err(unknown(&name));
        }
        self.write(write::put_target_state(&name, state)).await
    }

    pub(super) async fn stop_connector(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(unknown(&name));
        }
        self.write(write::stop_connector(&name)).await
    }

    /// Restarts what runs here, and waits until it has started again.
    async fn restart_here(self: &Arc<Self>, id: WorkId) -> Result<(), HerderError> {
        let started = self.on_started(&id);
        let ids = std::iter::once(id.clone()).collect();
        self.report_restarting(&ids);
        self.tell(super::driver::DriverEvent::Restart(ids));
        match started.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(HerderError::Internal(format!("Failed to start {id}: {error:#}"))),
            Err(_) => Err(HerderError::Internal(format!(
                "{id} was taken away from this worker meanwhile"
            ))),
        }
    }

    pub(super) async fn restart_instance(self: Arc<Self>, name: String) -> Result<(), HerderError> {
        let exists = || {
            let is_there = self.configs.snapshot().contains(&name);
            is_there
                .then_some(())
                .ok_or_else(|| HerderError::unknown_connector(&name))
        };
        let id = WorkId::Connector(name.clone());
        owner(self.view.subscribe(), &id, exists, OWNER_PATIENCE).await?;
        self.restart_here(id).await
    }

    pub(super) async fn restart_one_task(self: Arc<Self>, task: TaskId) -> Result<(), HerderError> {
        let number = i32::try_from(task.task).unwrap_or(i32::MAX);
        let id = ConnectorTaskId::new(task.connector.as_str(), number);
        let exists = || {
            let snapshot = self.configs.snapshot();
            if !snapshot.contains(&task.connector) {
                return Err(HerderError::unknown_connector(&task.connector));
            }
            if snapshot.task_config(&id).is_none() || number >= snapshot.task_count(&task.connector) {
                return Err(HerderError::NotFound(format!("Unknown task: {task}")));
            }
            Ok(())
        };
        let work = WorkId::Task(id.clone());
        owner(self.view.subscribe(), &work, exists, OWNER_PATIENCE).await?;
        self.restart_here(work).await
    }

    pub(super) async fn restart_all(
        self: Arc<Self>,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, HerderError> {
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        if !self.configs.snapshot().contains(&name) {
            return Err(HerderError::unknown_connector(&name));
        }
        let request = restart::RestartRequest {
            connector: name.clone(),
            only_failed: request.only_failed,
            include_tasks: request.include_tasks,
        };
        let plan = self
            .statuses
            .with_state(|state| RestartPlan::build(request.clone(), state))
            .ok_or_else(|| HerderError::NotFound(format!("Status for connector {name} not found")))?;
        self.write(write::put_restart_request(request)).await?;
        let connector_type = self
            .status(&name)
            .map_or(ConnectorType::Unknown, |status| status.connector_type);
        Ok(ConnectorStateInfo {
            name,
            connector: crate::stores::instance_state(&plan.connector),
            tasks: plan
                .tasks
                .iter()
                .map(|(task, status)| {
                    let InstanceState {
                        state,
                        worker_id,
                        trace,
                        version,
                    } = crate::stores::instance_state(status);
                    TaskStateInfo {
                        id: u32::try_from(*task).unwrap_or_default(),
                        state,
                        worker_id,
                        trace,
                        version,
                    }
                })
                .collect(),
            connector_type,
        })
    }

    /// What of a restart that was asked for concerns this worker.
    pub(super) fn restart_part(
        &self,
        request: restart::RestartRequest,
        runs_connector: bool,
        runs_task: impl Fn(&ConnectorTaskId) -> bool,
    ) -> Option<restart::RestartPart> {
        let plan = self
            .statuses
            .with_state(|state| RestartPlan::build(request, state))?;
        Some(plan.part_of(runs_connector, runs_task))
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::Owners;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn task() -> WorkId {
        WorkId::Task(ConnectorTaskId::new("c", 0))
    }

    /// Of a leader while nothing changes.
    fn leading() -> ClusterView {
        ClusterView {
            leader: Admission::Here,
            member: Admission::Here,
            is_stable: true,
            is_leader: true,
            ..ClusterView::default()
        }
    }

    /// What a request is told that comes while the first view holds, and sees the others after it has looked.
    async fn told(
        views: impl IntoIterator<Item = ClusterView>,
        exists: impl Fn() -> Result<(), HerderError> + Send + Sync + 'static,
        patience: Duration,
    ) -> Result<(), HerderError> {
        let mut views = views.into_iter();
        let view = watch::Sender::new(Arc::new(views.next().unwrap()));
        let (looked, mut looks) = tokio::sync::mpsc::unbounded_channel();
        let receiver = view.subscribe();
        let asked = tokio::spawn(async move {
            let exists = || {
                let _ = looked.send(());
                exists()
            };
            owner(receiver, &task(), exists, patience).await
        });
        for next in views {
            looks.recv().await.expect("it still waits");
            view.send_replace(Arc::new(next));
        }
        asked.await.unwrap()
    }

    #[tokio::test]
    async fn a_request_waits_for_work_that_no_worker_has_until_one_has_it() {
        let here = ClusterView {
            owned: [task()].into(),
            ..leading()
        };
        let other = ClusterView {
            owners: Owners::one(&task(), "http://other/"),
            ..leading()
        };
        let rebalancing = ClusterView::default();
        let follows = ClusterView {
            leader: Admission::Forward("http://leader/".to_owned()),
            is_stable: true,
            ..ClusterView::default()
        };
        let ending = ClusterView {
            leader: Admission::Refuse,
            ..ClusterView::default()
        };
        let elsewhere = |url: &str| Err(HerderError::Elsewhere(url.to_owned()));
        for (last, expected) in [
            (here, Ok(())),
            (other, elsewhere("http://other/")),
            (follows, elsewhere("http://leader/")),
            (
                ending,
                Err(HerderError::ShuttingDown(
                    "the worker is shutting down".to_owned(),
                )),
            ),
        ] {
            let views = [leading(), rebalancing.clone(), leading(), last];
            assert_eq!(told(views, || Ok(()), PATIENCE).await, expected);
        }
    }

    #[tokio::test]
    async fn what_is_deleted_meanwhile_is_waited_for_no_longer() {
        let looks = std::sync::atomic::AtomicU32::new(0);
        let exists = move || match looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(HerderError::unknown_connector("c")),
        };
        let outcome = told([leading(), leading()], exists, PATIENCE).await;
        assert_eq!(outcome, Err(HerderError::unknown_connector("c")));
    }

    #[tokio::test]
    async fn a_request_for_work_that_no_worker_gets_is_told_so_when_the_time_is_over() {
        let view = watch::Sender::new(Arc::new(leading()));
        let outcome = owner(view.subscribe(), &task(), || Ok(()), Duration::from_millis(10)).await;
        let Err(HerderError::Conflict(message)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(message.contains("c-0 was on no worker"), "{message}");
        assert!(message.contains("may be sent again"), "{message}");
    }
}
