//! The thread of a connector instance.
//!
//! All calls to the plugin happen here, so a plugin that hangs blocks this thread and nothing else. The herder sends orders
//! and waits for answers as long as it wants to; when it gives the connector up, the thread may hang on, but its reports no
//! longer count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use wharf_abi::host::{ConnectorHandle, ConnectorServices};
use wharf_api::connector::ConnectorHost;
use wharf_api::plugin::{MetricKind, PluginHost};
use wharf_api::{ConfigMap, ConnectError, OffsetMap, Result};
use wharf_membership::HeldLease;

use super::control::{TargetState, TaskControl};
use super::plugin_metrics::{MetricName, PluginMetricRegistry};
use super::status::{Epoch, StatusStore};
use super::task_context::Secrets;
use crate::config_providers::{ConfigProviders, Resolved};
use crate::herder::ConnectorState;
use crate::logging;
use crate::metrics::{ConnectorFacts, Registration, WorkerMetrics};
use crate::offsets::OffsetStorage;
use crate::plugins::ConnectorPlugin;

/// What the herder hears from a connector by itself.
pub(crate) type ReconfigurationRequest = Arc<dyn Fn() + Send + Sync>;

/// What the herder hears when references of a connector were resolved: its leases among other things.
pub(crate) type ResolvedConfig = Arc<dyn Fn(&Resolved) + Send + Sync>;

/// What a connector instance needs.
pub(crate) struct ConnectorSetup {
    pub(crate) name: String,
    pub(crate) plugin: ConnectorPlugin,
    /// As it was given; references are resolved on the connector's thread before its first start.
    pub(crate) config: ConfigMap,
    pub(crate) providers: ConfigProviders,
    /// Told of the values that references stood for at a start.
    pub(crate) resolved: ResolvedConfig,
    pub(crate) offsets: Option<OffsetStorage>,
    pub(crate) statuses: Arc<StatusStore>,
    pub(crate) metrics: Arc<PluginMetricRegistry>,
    pub(crate) measured: Arc<WorkerMetrics>,
    pub(crate) request_reconfiguration: ReconfigurationRequest,
    /// In a group of workers: what it reports after its end does not count.
    pub(crate) lease: Option<HeldLease>,
}

enum Order {
    Transition(TargetState, oneshot::Sender<Result<()>>),
    TaskConfigs(usize, oneshot::Sender<Result<Vec<ConfigMap>>>),
}

/// The herder's hand on a connector instance. Dropping it lets the instance stop by itself.
pub(crate) struct WorkerConnector {
    orders: Sender<Order>,
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
    /// The connector's metrics are served while it is with the herder.
    measured: Registration<String, ConnectorFacts>,
}

/// What the thread and the plugin's callbacks have in common.
struct Shared {
    name: String,
    epoch: Epoch,
    version: Option<String>,
    statuses: Arc<StatusStore>,
    metrics: Arc<PluginMetricRegistry>,
    control: TaskControl,
    offsets: Option<OffsetStorage>,
    request_reconfiguration: ReconfigurationRequest,
    given: ConfigMap,
    providers: ConfigProviders,
    on_resolved: ResolvedConfig,
    /// What the plugin runs with, once it was asked to start.
    resolved: OnceLock<Resolved>,
    /// Values that references have come to stand for since.
    secrets: Secrets,
    failed: AtomicBool,
    started: AtomicBool,
    /// Whether the plugin has not answered the first order yet.
    unanswered: AtomicBool,
    abandoned: AtomicBool,
}

impl Shared {
    fn report(&self, state: ConnectorState, trace: Option<String>) {
        if state != ConnectorState::Unassigned {
            self.unanswered.store(false, Ordering::Release);
        }
        let trace = trace.map(|trace| self.hide(&trace));
        if !self.abandoned.load(Ordering::Acquire) && !self.control.is_cancelled() {
            self.statuses
                .set_connector(&self.name, self.epoch, state, trace, self.version.clone());
        }
    }

    /// A text without values of config providers.
    fn hide(&self, text: &str) -> String {
        let text = self.secrets.hide(text);
        match self.resolved.get() {
            Some(resolved) => resolved.hide(&text),
            None => text,
        }
    }

    /// The configuration that the plugin gets. Asks config providers the first time.
    fn resolved(&self) -> Result<&Resolved> {
        if let Some(resolved) = self.resolved.get() {
            return Ok(resolved);
        }
        let resolved = self.providers.resolve(&self.given)?;
        (self.on_resolved)(&resolved);
        Ok(self.resolved.get_or_init(|| resolved))
    }

    /// The configuration with the values of this moment; where a provider fails, with those of the start.
    fn at_present(&self) -> ConfigMap {
        match self.providers.resolve(&self.given) {
            Ok(resolved) => {
                self.secrets.keep(resolved.clone());
                resolved.config
            }
            Err(error) => {
                let _context = logging::with_context(format!("[{}|worker] ", self.name));
                let text = self.hide(&format!("{error:#}"));
                tracing::warn!("the connector goes on with the configuration of its start: {text}");
                self.resolved
                    .get()
                    .map_or_else(ConfigMap::new, |resolved| resolved.config.clone())
            }
        }
    }

    fn fail(&self, error: &ConnectError) {
        self.failed.store(true, Ordering::Release);
        self.report(ConnectorState::Failed, Some(error.trace()));
    }
}

/// The worker, as the plugin of a connector sees it.
struct WorkerConnectorHost(Arc<Shared>);

impl PluginHost for WorkerConnectorHost {
    fn register_metric(
        &self,
        kind: MetricKind,
        name: &str,
        description: &str,
        tags: &[(&str, &str)],
    ) -> Result<u64> {
        let name = MetricName {
            connector: self.0.name.clone(),
            task: None,
            name: name.to_owned(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.0.metrics.register(name, kind, description)
    }

    fn record_metric(&self, metric: u64, value: f64) {
        self.0.metrics.record(metric, value);
    }

    fn wait(&self, time: Duration) -> bool {
        self.0.control.wait_interrupted(time)
    }

    fn is_stopping(&self) -> bool {
        self.0.control.is_interrupted()
    }
}

impl ConnectorHost for WorkerConnectorHost {
    fn request_task_reconfiguration(&self) {
        if !self.0.abandoned.load(Ordering::Acquire) {
            (self.0.request_reconfiguration)();
        }
    }

    fn raise_error(&self, error: ConnectError) {
        let _context = logging::with_context(format!("[{}|worker] ", self.0.name));
        let text = self.0.hide(&format!("the connector raised an error: {error:#}"));
        tracing::error!("{text}");
        self.0.fail(&error);
    }

    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        match &self.0.offsets {
            Some(offsets) => offsets.read(partitions),
            None => Err(ConnectError::illegal_state(
                "sink connectors have no source offsets",
            )),
        }
    }

    fn configs(&self) -> ConfigMap {
        self.0.at_present()
    }
}

impl WorkerConnector {
    /// Starts the connector's thread. The plugin is asked to start with the first transition to STARTED.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(setup: ConnectorSetup) -> Result<Self> {
        let (orders, inbox) = channel();
        let (end, ended) = watch::channel(false);
        let ConnectorSetup {
            name,
            plugin,
            config,
            providers,
            resolved,
            offsets,
            statuses,
            metrics,
            measured,
            request_reconfiguration,
            lease,
        } = setup;
        let measured = measured.connector(&name, ConnectorFacts::of(&plugin));
        let control = TaskControl::new(false);
        if let Some(lease) = lease {
            control.run_under(lease);
        }
        let shared = Arc::new(Shared {
            epoch: statuses.next_epoch(),
            version: plugin.stated_version(),
            name,
            statuses,
            metrics,
            control,
            offsets,
            request_reconfiguration,
            given: config,
            providers,
            on_resolved: resolved,
            resolved: OnceLock::new(),
            secrets: Secrets::default(),
            failed: AtomicBool::new(false),
            started: AtomicBool::new(false),
            unanswered: AtomicBool::new(true),
            abandoned: AtomicBool::new(false),
        });
        shared
            .statuses
            .begin_connector(&shared.name, shared.epoch, shared.version.clone());
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(format!("connector-thread-{}", shared.name))
            .spawn(move || {
                let work = std::panic::AssertUnwindSafe(|| run(&of_thread, &plugin, &inbox));
                // A defect of the worker itself must not leave a connector that only looks alive.
                if std::panic::catch_unwind(work).is_err() {
                    of_thread.fail(&ConnectError::panic(
                        "the worker's own code panicked; this is a defect of wharf",
                    ));
                }
                // The metrics of one that was given up may be its successor's by now.
                if !of_thread.abandoned.load(Ordering::Acquire) {
                    of_thread.metrics.remove(&of_thread.name, None);
                }
                // Nobody may be waiting any more.
                let _ = end.send(true);
            })
            .map_err(|error| {
                ConnectError::connect(format!("no thread for connector {}: {error}", shared.name))
            })?;
        Ok(Self {
            orders,
            shared,
            ended,
            measured,
        })
    }

    /// Orders a transition; the answer comes when the plugin has done its part.
    pub(crate) fn transition(&self, target: TargetState) -> oneshot::Receiver<Result<()>> {
        let (answer, receiver) = oneshot::channel();
        // A thread that has ended drops the sender, which the receiver reports.
        let _ = self.orders.send(Order::Transition(target, answer));
        receiver
    }

    /// Asks for the configurations of at most this many tasks.
    pub(crate) fn task_configs(&self, max_tasks: usize) -> oneshot::Receiver<Result<Vec<ConfigMap>>> {
        let (answer, receiver) = oneshot::channel();
        let _ = self.orders.send(Order::TaskConfigs(max_tasks, answer));
        receiver
    }

    /// Moves the connector to FAILED from outside.
    pub(crate) fn fail(&self, error: &ConnectError) {
        self.shared.fail(error);
    }

    /// The configuration that the plugin was started with, references resolved; none before its first start.
    pub(crate) fn resolved_config(&self) -> Option<ConfigMap> {
        self.shared.resolved.get().map(|resolved| resolved.config.clone())
    }

    /// Whether the connector is FAILED.
    pub(crate) fn is_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Says in the status that the plugin takes its time, unless it has answered meanwhile.
    pub(crate) fn report_slow(&self, waited: Duration) {
        tracing::warn!(
            "the plugin of connector {} has not answered for {} s",
            self.shared.name,
            waited.as_secs()
        );
        if self.shared.unanswered.load(Ordering::Acquire) {
            let text = format!(
                "the plugin has been asked to start and has not answered for {} s; nothing else is affected, and the \
                 connector can be deleted, stopped or given another configuration",
                waited.as_secs()
            );
            self.shared.report(ConnectorState::Unassigned, Some(text));
        }
    }

    /// Whether the plugin's connector is started.
    pub(crate) fn is_started(&self) -> bool {
        self.shared.started.load(Ordering::Acquire)
    }

    /// Stops the instance and ends its thread, waiting at most until the deadline. Then it is given up.
    pub(crate) async fn shut_down(self, deadline: Instant) {
        let Self {
            orders,
            shared,
            mut ended,
            measured: _measured,
        } = self;
        shared.control.stop();
        drop(orders);
        let wait = ended.wait_for(|ended| *ended);
        if tokio::time::timeout_at(deadline.into(), wait).await.is_err() {
            tracing::warn!(
                "connector {} did not stop in time and is given up; its thread hangs in the plugin",
                shared.name
            );
        }
        shared.abandoned.store(true, Ordering::Release);
    }
}

/// The thread: carries out orders until there can be no more.
fn run(shared: &Arc<Shared>, plugin: &ConnectorPlugin, inbox: &Receiver<Order>) {
    let _context = logging::with_context(format!("[{}|worker] ", shared.name));
    let mut instance = Instance {
        shared,
        plugin,
        handle: None,
    };
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Transition(target, answer) => {
                let outcome = instance.transition(target);
                // The one who asked may have given up.
                let _ = answer.send(outcome);
            }
            Order::TaskConfigs(max_tasks, answer) => {
                let _ = answer.send(instance.task_configs(max_tasks));
            }
        }
    }
    if let Err(error) = instance.stop() {
        tracing::error!("the connector failed to stop cleanly: {error:#}");
    }
}

struct Instance<'c> {
    shared: &'c Arc<Shared>,
    plugin: &'c ConnectorPlugin,
    handle: Option<ConnectorHandle>,
}

impl Instance<'_> {
    fn transition(&mut self, target: TargetState) -> Result<()> {
        if self.shared.failed.load(Ordering::Acquire) && target != TargetState::Stopped {
            // The trace that says what failed stays.
            return Err(ConnectError::illegal_state(format!(
                "cannot transition connector {} to {} since it has failed; restart it, or change its configuration",
                self.shared.name,
                target.name()
            )));
        }
        match target {
            TargetState::Started => self.start(),
            TargetState::Paused => self
                .stop()
                .map(|()| self.shared.report(ConnectorState::Paused, None))
                .inspect_err(|error| {
                    tracing::error!("the connector failed to pause: {error:#}");
                    self.shared.fail(error);
                }),
            TargetState::Stopped => {
                // Stopping may fail; the connector counts as stopped all the same.
                if let Err(error) = self.stop() {
                    tracing::warn!("the connector failed to stop cleanly: {error:#}");
                }
                self.shared.failed.store(false, Ordering::Release);
                self.shared.report(ConnectorState::Stopped, None);
                Ok(())
            }
        }
    }

    fn handle(&mut self) -> Result<&mut ConnectorHandle> {
        match &mut self.handle {
            Some(handle) => Ok(handle),
            empty => {
                let services = ConnectorServices(Arc::new(WorkerConnectorHost(Arc::clone(self.shared))));
                Ok(empty.insert(self.plugin.new_connector(Box::new(services))?))
            }
        }
    }

    fn is_started(&self) -> bool {
        self.shared.started.load(Ordering::Acquire)
    }

    fn start(&mut self) -> Result<()> {
        if self.is_started() {
            return Ok(());
        }
        let shared = Arc::clone(self.shared);
        let started = shared
            .resolved()
            .and_then(|resolved| self.handle()?.start(&resolved.config));
        match started {
            Ok(()) => {
                self.shared.started.store(true, Ordering::Release);
                // The plugin may have raised an error meanwhile, which stands.
                if !self.shared.failed.load(Ordering::Acquire) {
                    self.shared.report(ConnectorState::Running, None);
                }
                tracing::info!("connector {} started", self.shared.name);
                Ok(())
            }
            Err(error) => {
                let text = format!("connector {} failed to start: {error:#}", self.shared.name);
                tracing::error!("{}", self.shared.hide(&text));
                self.shared.fail(&error);
                Err(error)
            }
        }
    }

    fn stop(&mut self) -> Result<()> {
        if !self.shared.started.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let outcome = self.handle()?.stop();
        tracing::info!("connector {} stopped", self.shared.name);
        outcome
    }

    fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        if !self.is_started() {
            return Err(ConnectError::illegal_state(format!(
                "connector {} is not running",
                self.shared.name
            )));
        }
        self.handle()?.task_configs(max_tasks)
    }
}
