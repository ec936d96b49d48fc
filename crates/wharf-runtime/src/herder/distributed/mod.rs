//! The herder of a distributed worker.
//!
//! Decisions are made by [`wharf_cluster::herder`]'s machine on a thread of its own ([`driver`]); requests look at what it
//! publishes ([`view`]), write to the config topic when this worker leads ([`requests`]), and otherwise say who does
//! ([`HerderError::Elsewhere`]), so that the REST API can pass the request on. What the config topic says then reaches every
//! worker, this one included, and only that changes what runs ([`running`]).

mod driver;
mod fencing;
mod forward;
mod leader;
mod offsets;
mod placement;
mod reconfigure;
mod requests;
mod running;
mod view;

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wharf_api::config::ConfigKeyInfo;
use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::config_state::write;
use wharf_cluster::herder::{Admission, HerderSettings, WorkId};
use wharf_cluster::session_key::SessionKey;
use wharf_cluster::status_state::StatusKey;
use wharf_cluster::target_state;
use wharf_membership::{Clock, ConnectionSettings, GroupClient, GroupEvent};

use self::driver::{Driver, DriverEvent, Ended};
use self::fencing::Turns;
use self::running::Running;
use self::view::ClusterView;
use super::common::{check_topic_reset, check_topic_tracking, named, reply};
use super::reloads::Reloads;
use super::{
    ActiveTopics, ClusterInfo, ConnectorInfo, ConnectorOffsets, ConnectorStateInfo, Created, HealthStatus,
    Herder, HerderError, InitialState, OffsetChange, PeerRequest, PluginInfo, RawConfig, Reply,
    RestartRequest, ServerInfo, Stage, TaskId, TaskInfo, TaskStateInfo, TopicPositions, plugin_calls,
};
use crate::config::{ConfigInfos, DistributedConfig, InternalTopic};
use crate::metrics::{CoordinatorMetrics, GroupFacts, RebalanceMetrics, TextFormat};
use crate::offsets::KafkaOffsetBackingStore;
use crate::plugins::Outreach;
use crate::stores::{ConfigBackingStore, StatusBackingStore};
use crate::sync::lock;
use crate::worker::Worker;
use crate::worker::preview::{Preview, PreviewRequest};

/// A thread of the herder that does not answer for this long is not healthy.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// Between what workers reported and the status topic, when work moves.
const STATUS_FLUSH: Duration = Duration::from_secs(5);

/// A distributed herder. Cheap to clone.
#[derive(Clone)]
pub struct DistributedHerder {
    inner: Arc<Inner>,
}

/// What a herder is made of.
pub struct DistributedParts {
    /// The configuration.
    pub config: Arc<DistributedConfig>,
    /// What runs connectors and tasks.
    pub worker: Arc<Worker>,
    /// Id of the Kafka cluster.
    pub cluster_id: String,
    /// The config topic, read to its end.
    pub configs: Arc<ConfigBackingStore>,
    /// The status topic, read to its end.
    pub statuses: Arc<StatusBackingStore>,
    /// The offset topic, read to its end.
    pub offsets: Arc<KafkaOffsetBackingStore>,
    /// How to reach the group.
    pub connection: ConnectionSettings,
    /// URL of this worker's REST API for others, with a slash at its end.
    pub url: String,
}

struct Inner {
    worker: Arc<Worker>,
    settings: Arc<DistributedConfig>,
    cluster_id: String,
    configs: Arc<ConfigBackingStore>,
    statuses: Arc<StatusBackingStore>,
    offsets: Arc<KafkaOffsetBackingStore>,
    url: String,
    /// The session key that was in the topic when this worker started.
    found_key: Option<Arc<SessionKey>>,
    /// The session key that this worker wrote last.
    written_key: Mutex<Option<SessionKey>>,
    /// When this worker began to lead, or the group last met with it as leader.
    leads_since: Mutex<Option<Instant>>,
    runtime: tokio::runtime::Handle,
    events: Mutex<Sender<DriverEvent>>,
    view: watch::Sender<Arc<ClusterView>>,
    rebalances: RebalanceMetrics,
    coordinator: Arc<CoordinatorMetrics>,
    /// Of the connection to the group.
    client_id: String,
    running: Mutex<Running>,
    /// One request writes to the config topic at a time.
    writes: tokio::sync::Mutex<()>,
    /// One fencing of a connector at a time.
    fencing: Turns,
    /// What belongs to one connector and must not change while its offsets are changed.
    connector_turns: Turns,
    reloads: Reloads,
    /// What connectors were started with when their task configurations were last published or found to be as they were,
    /// references resolved.
    applied: Mutex<HashMap<String, ConfigMap>>,
    has_told_of_stranger: AtomicBool,
    ended: watch::Sender<Option<Ended>>,
}

impl DistributedHerder {
    /// Joins the group and begins to work. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// When the settings of the membership contradict each other, or the system gives no thread.
    pub fn start(parts: DistributedParts) -> wharf_api::Result<Self> {
        let DistributedParts {
            config,
            worker,
            cluster_id,
            configs,
            statuses,
            offsets,
            connection,
            url,
        } = parts;
        let (events, inbox) = channel();
        let of_listener = events.clone();
        let snapshot = configs.listen(Box::new(move |events, snapshot| {
            // A thread that has ended needs to know nothing.
            let _ = of_listener.send(DriverEvent::Config(events, snapshot));
        }));
        let clock = Clock::start();
        let of_member = events.clone();
        // Workers of a group differ in their URLs.
        let mut hasher = std::hash::DefaultHasher::new();
        url.hash(&mut hasher);
        let mut member = config.member_settings(url.as_str(), hasher.finish());
        member.plugins = Some(worker.plugins.announcement());
        let client_id = connection.client_id.clone();
        let (time, sampling) = (worker.measured.clock().clone(), worker.measured.sampling());
        let rebalances = RebalanceMetrics::new(time.clone(), sampling);
        let coordinator = Arc::new(CoordinatorMetrics::new(time, sampling));
        let of_requests = Arc::clone(&coordinator);
        let client = GroupClient::start(member, connection, clock, move |event| match event {
            GroupEvent::Exchange(exchange) => of_requests.exchange(exchange),
            event => {
                let _ = of_member.send(DriverEvent::Group(event));
            }
        })
        .map_err(|error| ConnectError::config(error.to_string()))?;
        worker.hold_lease(client.lease().clone());
        let inner = Arc::new(Inner {
            worker,
            cluster_id,
            found_key: snapshot.session_key().cloned(),
            written_key: Mutex::default(),
            leads_since: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
            events: Mutex::new(events),
            view: watch::Sender::new(Arc::default()),
            rebalances,
            coordinator,
            client_id,
            running: Mutex::default(),
            writes: tokio::sync::Mutex::new(()),
            fencing: Turns::default(),
            connector_turns: Turns::default(),
            reloads: Reloads::default(),
            applied: Mutex::default(),
            has_told_of_stranger: AtomicBool::new(false),
            ended: watch::Sender::new(None),
            configs,
            statuses,
            offsets,
            url,
            settings: config,
        });
        let settings = HerderSettings {
            sync_timeout: millis(inner.settings.worker_sync_timeout),
            unsync_backoff: millis(inner.settings.worker_unsync_backoff),
        };
        let mut driver = Driver::new(
            Arc::downgrade(&inner),
            settings,
            inner.settings.scheduled_rebalance_max_delay_ms,
            millis(inner.settings.session_timeout),
            clock,
            inbox,
        );
        driver.client = Some(client);
        let ended = inner.ended.clone();
        std::thread::Builder::new()
            .name("herder".to_owned())
            .spawn(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.run(snapshot)));
                let outcome = outcome.unwrap_or_else(|_| {
                    Ended::Fatal("the herder's own code panicked; this is a defect of wharf".to_owned())
                });
                ended.send_replace(Some(outcome));
            })
            .map_err(|error| ConnectError::connect(format!("no thread for the herder: {error}")))?;
        inner.watch_session_key();
        let weak = Arc::downgrade(&inner);
        super::restart_policy::watch(
            move || {
                weak.upgrade()
                    .map(|inner| Arc::new(Self { inner }) as Arc<dyn Herder>)
            },
            &inner.worker.statuses,
            inner.worker.config.restart,
        );
        let of_statuses = Arc::downgrade(&inner);
        inner.statuses.on_overwritten(Box::new(move |key| {
            let id = match key {
                StatusKey::Connector(name) => WorkId::Connector(name),
                StatusKey::Task(id) => WorkId::Task(id),
                _ => return,
            };
            if let Some(herder) = of_statuses.upgrade() {
                herder.tell(DriverEvent::Overwritten(id));
            }
        }));
        let of_others = Arc::downgrade(&inner);
        inner.statuses.on_running(Box::new(move |worker_id, generation| {
            if let Some(herder) = of_others.upgrade() {
                herder.tell(DriverEvent::Running(worker_id.to_owned(), generation));
            }
        }));
        Ok(Self { inner })
    }

    /// Waits until the herder has ended: with the reason when it was not told to.
    pub async fn ended(&self) -> Option<String> {
        let mut ended = self.inner.ended.subscribe();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ended::Fatal(reason))) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Stops all work, says goodbye to the group and ends.
    pub async fn shut_down(&self) {
        self.inner.tell(DriverEvent::ShutDown);
        let config = &self.inner.settings;
        // As upstream: what does not end by then is left behind.
        let limit = config.worker_sync_timeout
            + config.worker.task_shutdown_graceful_timeout
            + Duration::from_secs(15);
        if tokio::time::timeout(limit, self.ended()).await.is_err() {
            tracing::error!(
                "the herder did not end within {} s and is left behind",
                limit.as_secs()
            );
        }
        let inner = Arc::clone(&self.inner);
        let closed = tokio::task::spawn_blocking(move || {
            inner.statuses.flush(STATUS_FLUSH);
            inner.statuses.stop();
            inner.configs.stop();
        });
        // A panic there would be a defect, and the process ends either way.
        let _ = closed.await;
        tracing::info!("herder stopped");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Inner {
    fn tell(&self, event: DriverEvent) {
        // A thread that has ended needs to know nothing.
        let _ = lock(&self.events).send(event);
    }

    fn set_generation(&self, generation: i32) {
        self.statuses.set_generation(generation);
    }

    fn read_to_end(self: &Arc<Self>) {
        let herder = Arc::clone(self);
        self.runtime.spawn_blocking(move || {
            let outcome = herder.configs.read_to_end(herder.settings.worker_sync_timeout);
            herder.tell(DriverEvent::Read(outcome.map_err(|error| error.to_string())));
        });
    }

    fn cluster_info(&self) -> ClusterInfo {
        let view = self.view.borrow().clone();
        let topics = InternalTopic::ALL.map(|topic| {
            let positions = match topic {
                InternalTopic::Config => self.configs.positions(),
                InternalTopic::Offset => self.offsets.positions(),
                InternalTopic::Status => self.statuses.positions(),
            };
            TopicPositions {
                role: topic.role().to_owned(),
                topic: self.settings.topic(topic).topic.name.clone(),
                positions: positions.all(),
            }
        });
        ClusterInfo {
            group_id: self.settings.group_id.clone(),
            worker_id: self.statuses.worker_id().to_owned(),
            url: self.url.clone(),
            generation: view.generation,
            protocol: view.protocol.map(|protocol| protocol.name().to_owned()),
            leader_url: view.leader_url.clone(),
            is_leader: view.is_leader,
            is_rebalancing: !view.is_stable,
            config_offset: self.configs.snapshot().offset(),
            topics: topics.into(),
        }
    }

    /// What was revoked has ended: others must see so before they start it.
    fn revocation_done(&self) {
        self.statuses.request_flush();
    }
}

impl Herder for DistributedHerder {
    fn has_peers(&self) -> bool {
        true
    }

    fn server_info(&self) -> ServerInfo {
        super::server_info(&self.inner.cluster_id)
    }

    fn cluster_info(&self) -> Option<ClusterInfo> {
        Some(self.inner.cluster_info())
    }

    fn health(&self) -> Reply<HealthStatus> {
        let (answer, alive) = tokio::sync::oneshot::channel();
        self.inner.tell(DriverEvent::Ping(answer));
        let is_ready = self.inner.view.borrow().generation >= 0;
        Box::pin(async move {
            let alive = tokio::time::timeout(HEALTH_TIMEOUT, alive).await;
            Ok(match alive {
                Ok(Ok(())) if is_ready => HealthStatus::Healthy,
                Ok(Ok(())) => HealthStatus::Starting,
                _ => HealthStatus::Unhealthy,
            })
        })
    }

    fn stage(&self) -> Option<Stage> {
        let view = self.inner.view.borrow();
        (!view.is_stable).then(|| Stage {
            description: "waiting for the group to agree who runs what".to_owned(),
            started: super::standalone::now_millis(),
            completed: None,
        })
    }

    fn connectors(&self) -> Vec<String> {
        self.inner
            .configs
            .snapshot()
            .connectors()
            .map(str::to_owned)
            .collect()
    }

    fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        self.inner.info(&self.inner.configs.snapshot(), name)
    }

    fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        self.inner.status(name)
    }

    fn task_status(&self, task: &TaskId) -> Result<TaskStateInfo, HerderError> {
        self.inner
            .statuses
            .task(task)
            .ok_or_else(|| HerderError::NotFound(format!("No status found for task {task}")))
    }

    fn task_infos(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.inner.task_infos_of(name)
    }

    fn active_topics(&self, name: &str) -> Result<ActiveTopics, HerderError> {
        check_topic_tracking(&self.inner.worker.config)?;
        Ok(ActiveTopics {
            connector: name.to_owned(),
            topics: self.inner.statuses.topics(name),
        })
    }

    fn reset_active_topics(&self, name: &str) -> Result<(), HerderError> {
        check_topic_reset(&self.inner.worker.config)?;
        self.inner.statuses.reset_topics(name);
        Ok(())
    }

    fn put_connector_config(
        &self,
        name: &str,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Reply<Created<ConnectorInfo>> {
        let config = named(name, config);
        reply(Arc::clone(&self.inner).put_config(name.to_owned(), config, initial_state, allow_replace))
    }

    fn patch_connector_config(&self, name: &str, patch: RawConfig) -> Reply<ConnectorInfo> {
        reply(Arc::clone(&self.inner).patch_config(name.to_owned(), patch))
    }

    fn delete_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).delete(name.to_owned()))
    }

    fn pause_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).set_target(name.to_owned(), target_state::TargetState::Paused))
    }

    fn resume_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).set_target(name.to_owned(), target_state::TargetState::Started))
    }

    fn stop_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).stop_connector(name.to_owned()))
    }

    fn restart_connector(&self, name: &str) -> Reply<()> {
        reply(Arc::clone(&self.inner).restart_instance(name.to_owned()))
    }

    fn restart_connector_and_tasks(&self, name: &str, request: RestartRequest) -> Reply<ConnectorStateInfo> {
        reply(Arc::clone(&self.inner).restart_all(name.to_owned(), request))
    }

    fn restart_task(&self, task: &TaskId) -> Reply<()> {
        reply(Arc::clone(&self.inner).restart_one_task(task.clone()))
    }

    fn leader_lost(&self, url: &str) -> Option<Reply<()>> {
        let leads = Admission::Forward(url.to_owned());
        let mut view = self.inner.view.subscribe();
        if view.borrow_and_update().leader != leads {
            return None;
        }
        Some(Box::pin(async move {
            // While the group agrees who leads, the old leader may still be the new one.
            let lost = |view: &Arc<ClusterView>| view.leader != leads && view.leader != Admission::Wait;
            let is_known = view.wait_for(lost).await.is_ok();
            if !is_known {
                // The worker ends, and the request with it.
                std::future::pending::<()>().await;
            }
            Ok(())
        }))
    }

    fn put_task_configs(&self, name: &str, request: PeerRequest) -> Option<Reply<()>> {
        Some(reply(
            Arc::clone(&self.inner).take_task_configs(name.to_owned(), request),
        ))
    }

    fn fence_zombies(&self, name: &str, request: PeerRequest) -> Option<Reply<()>> {
        Some(reply(
            Arc::clone(&self.inner).fence_for_peer(name.to_owned(), request),
        ))
    }

    fn connector_offsets(&self, name: &str) -> Reply<ConnectorOffsets> {
        reply(Arc::clone(&self.inner).offsets(name.to_owned()))
    }

    fn alter_connector_offsets(&self, name: &str, offsets: Vec<OffsetChange>) -> Reply<String> {
        reply(Arc::clone(&self.inner).alter_offsets(name.to_owned(), Some(offsets)))
    }

    fn reset_connector_offsets(&self, name: &str) -> Reply<String> {
        reply(Arc::clone(&self.inner).alter_offsets(name.to_owned(), None))
    }

    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        self.inner.worker.plugins.list(connectors_only)
    }

    fn plugin_config(&self, class: &str, version: Option<&str>) -> Reply<Vec<ConfigKeyInfo>> {
        reply(plugin_calls::plugin_config(
            Arc::clone(&self.inner.worker),
            class.to_owned(),
            version.map(str::to_owned),
        ))
    }

    fn preview(&self, class: &str, request: PreviewRequest) -> Reply<Preview> {
        reply(plugin_calls::preview(
            Arc::clone(&self.inner.worker),
            class.to_owned(),
            request,
        ))
    }

    fn validate_connector_config(&self, config: RawConfig) -> Reply<ConfigInfos> {
        reply(plugin_calls::validate(
            Arc::clone(&self.inner.worker),
            config,
            Outreach::Full,
        ))
    }

    fn metrics(&self, format: TextFormat) -> String {
        let inner = &self.inner;
        let view = inner.view.borrow().clone();
        inner.worker.metrics_text(format, &inner.cluster_id, |out| {
            let protocol = view.protocol.map(|protocol| protocol.to_string().to_uppercase());
            let facts = GroupFacts {
                protocol: protocol.as_deref(),
                leader_url: view.leader_url.as_deref(),
                generation: view.generation,
            };
            inner.rebalances.write(out, facts);
            let connectors = view
                .owned
                .iter()
                .filter(|id| matches!(id, WorkId::Connector(_)))
                .count();
            let tasks = view.owned.len() - connectors;
            inner.coordinator.write(out, &inner.client_id, connectors, tasks);
        })
    }

    fn set_cluster_logger_level(&self, logger: &str, level: &str) {
        let herder = Arc::clone(&self.inner);
        let steps = write::put_logger_level(logger, level);
        tokio::spawn(async move {
            if let Err(error) = herder.write(steps).await {
                tracing::error!("the level of a logger cannot be told to the group: {error}");
            }
        });
    }
}
