//! What is common to plugins of every kind: the kinds themselves, the host services that every plugin can use, and
//! plugin metrics (KIP-877).

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ConnectError, Result};

/// The kinds of plugins a worker can load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PluginKind {
    /// A sink connector with its task.
    Sink,
    /// A source connector with its task.
    Source,
    /// A transformation.
    Transformation,
    /// A predicate.
    Predicate,
    /// A key or value converter.
    Converter,
    /// A header converter.
    HeaderConverter,
    /// A config provider.
    ConfigProvider,
    /// A client config override policy.
    OverridePolicy,
}

impl PluginKind {
    /// All kinds, in the order in which the REST API lists them.
    pub const ALL: [Self; 8] = [
        Self::Sink,
        Self::Source,
        Self::Transformation,
        Self::Predicate,
        Self::Converter,
        Self::HeaderConverter,
        Self::ConfigProvider,
        Self::OverridePolicy,
    ];

    /// The name in REST answers and in plugin manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Source => "source",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
            Self::ConfigProvider => "configprovider",
            Self::OverridePolicy => "connectorclientconfigoverridepolicy",
        }
    }

    /// The kind with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The word that may be cut off the end of a simple class name (`Json` for `JsonConverter`).
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Sink | Self::Source => "Connector",
            Self::Transformation => "Transformation",
            Self::Predicate => "Predicate",
            Self::Converter => "Converter",
            Self::HeaderConverter => "HeaderConverter",
            Self::ConfigProvider => "ConfigProvider",
            Self::OverridePolicy => "ConnectorClientConfigOverridePolicy",
        }
    }
}

/// How a metric's value moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Services that the worker gives to every plugin instance. Plugin authors meet it through the contexts.
pub trait PluginHost: Send + Sync {
    /// Registers a metric, or finds the one registered before under the same name and tags. The answer is its number.
    ///
    /// # Errors
    /// When a metric of that name has another kind.
    fn register_metric(
        &self,
        kind: MetricKind,
        name: &str,
        description: &str,
        tags: &[(&str, &str)],
    ) -> Result<u64>;

    /// Adds to a counter or sets a gauge. A number that was never given out is ignored.
    fn record_metric(&self, metric: u64, value: f64);

    /// Waits at most this long; ends early when the worker wants the plugin to stop or pause. Says whether it does.
    fn wait(&self, time: Duration) -> bool;

    /// Whether the worker wants the plugin to stop or pause: a blocking call should return soon.
    fn is_stopping(&self) -> bool;
}

/// A plugin's own metrics. The worker adds connector and task as tags.
#[derive(Clone)]
pub struct PluginMetrics {
    host: Arc<dyn PluginHost>,
}

impl PluginMetrics {
    /// Metrics kept by this host.
    #[must_use]
    pub fn new(host: Arc<dyn PluginHost>) -> Self {
        Self { host }
    }

    /// A number that only grows.
    ///
    /// # Errors
    /// When a metric of that name and those tags is a gauge.
    pub fn counter(&self, name: &str, description: &str, tags: &[(&str, &str)]) -> Result<Counter> {
        let metric = self
            .host
            .register_metric(MetricKind::Counter, name, description, tags)?;
        Ok(Counter {
            host: Arc::clone(&self.host),
            metric,
        })
    }

    /// A number that goes up and down.
    ///
    /// # Errors
    /// When a metric of that name and those tags is a counter.
    pub fn gauge(&self, name: &str, description: &str, tags: &[(&str, &str)]) -> Result<Gauge> {
        let metric = self
            .host
            .register_metric(MetricKind::Gauge, name, description, tags)?;
        Ok(Gauge {
            host: Arc::clone(&self.host),
            metric,
        })
    }
}

impl std::fmt::Debug for PluginMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PluginMetrics")
    }
}

/// A metric that only grows.
#[derive(Clone)]
pub struct Counter {
    host: Arc<dyn PluginHost>,
    metric: u64,
}

impl Counter {
    /// Adds to it. Gather what a batch adds and call this once: it crosses the border.
    pub fn add(&self, amount: f64) {
        self.host.record_metric(self.metric, amount);
    }
}

/// A metric that goes up and down.
#[derive(Clone)]
pub struct Gauge {
    host: Arc<dyn PluginHost>,
    metric: u64,
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.host.record_metric(self.metric, value);
    }
}

/// The error that a call gives when the worker behind it is gone, or does not offer it.
#[must_use]
pub fn not_offered(what: &str) -> ConnectError {
    ConnectError::unsupported(format!("this worker does not offer {what} here"))
}
