//! The shapes that requests and answers have, in upstream's field order.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use wharf_api::ConnectError;

/// A task of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TaskId {
    /// The connector's name.
    pub connector: String,
    /// The task's number, from 0.
    pub task: u32,
}

impl TaskId {
    /// A task of a connector.
    #[must_use]
    pub fn new(connector: impl Into<String>, task: u32) -> Self {
        Self {
            connector: connector.into(),
            task,
        }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// `GET /`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// Version of the worker.
    pub version: String,
    /// First 16 digits of the build's commit, or `unknown`.
    pub commit: String,
    /// Id of the Kafka cluster.
    pub kafka_cluster_id: String,
}

/// `GET /health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// Ready.
    Healthy,
    /// Still starting.
    Starting,
    /// Not answering.
    Unhealthy,
}

/// What the worker is doing or did last, for the text of a time-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Such as `stopping connector X`.
    pub description: String,
    /// Milliseconds since the epoch.
    pub started: i64,
    /// Milliseconds since the epoch; `None` while it goes on.
    pub completed: Option<i64>,
}

/// `source`, `sink` or `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorType {
    /// From a system to topics.
    Source,
    /// From topics to a system.
    Sink,
    /// The class is not known here.
    Unknown,
}

impl ConnectorType {
    /// Upstream's name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Unknown => "unknown",
        }
    }
}

/// Reported state of a connector or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnectorState {
    /// No worker runs it.
    Unassigned,
    /// It runs.
    Running,
    /// It is allocated but does nothing.
    Paused,
    /// It does nothing and has no tasks (connectors only).
    Stopped,
    /// It failed; see the trace.
    Failed,
    /// It is about to be restarted.
    Restarting,
}

impl ConnectorState {
    /// Upstream's name as its metrics have it, in lower case.
    #[must_use]
    pub fn metric_name(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Restarting => "restarting",
        }
    }
}

/// Configuration and tasks of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorInfo {
    /// The name.
    pub name: String,
    /// The configuration as stored.
    pub config: BTreeMap<String, String>,
    /// The tasks.
    pub tasks: Vec<TaskId>,
    /// Source or sink.
    #[serde(rename = "type")]
    pub connector_type: ConnectorType,
}

/// State of a connector and its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorStateInfo {
    /// The name.
    pub name: String,
    /// The connector instance.
    pub connector: InstanceState,
    /// The tasks by number.
    pub tasks: Vec<TaskStateInfo>,
    /// Source or sink.
    #[serde(rename = "type")]
    pub connector_type: ConnectorType,
}

/// State of a connector instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceState {
    /// The state.
    pub state: ConnectorState,
    /// The worker that reported it.
    pub worker_id: String,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Version of the connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// State of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskStateInfo {
    /// The task's number.
    pub id: u32,
    /// The state.
    pub state: ConnectorState,
    /// The worker that reported it.
    pub worker_id: String,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Version of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Configuration of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskInfo {
    /// The task.
    pub id: TaskId,
    /// Its configuration.
    pub config: BTreeMap<String, String>,
}

/// Topics that a connector used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveTopics {
    /// The connector.
    pub connector: String,
    /// Its topics.
    pub topics: Vec<String>,
}

/// Whether a connector was created or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It is new.
    Created(T),
    /// It existed.
    Replaced(T),
}

impl<T> Created<T> {
    /// What was created or replaced.
    pub fn into_inner(self) -> T {
        match self {
            Self::Created(inner) | Self::Replaced(inner) => inner,
        }
    }
}

/// The state a connector is created in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialState {
    /// Started at once.
    Running,
    /// Allocated, not started.
    Paused,
    /// Not started, without tasks.
    Stopped,
}

impl InitialState {
    /// The state of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Running),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }
}

/// What a flagged restart covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestartRequest {
    /// Tasks too.
    pub include_tasks: bool,
    /// Only what is FAILED.
    pub only_failed: bool,
}

/// One stored offset. For a sink, partition is `{kafka_topic, kafka_partition}` and offset `{kafka_offset}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectorOffset {
    /// The partition.
    pub partition: serde_json::Map<String, serde_json::Value>,
    /// The offset.
    pub offset: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Stored offsets of a connector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectorOffsets {
    /// In no fixed order.
    pub offsets: Vec<ConnectorOffset>,
}

/// An offset change as it was sent; either part may be null or missing, which the herder reports.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetChange {
    /// The partition.
    pub partition: Option<serde_json::Map<String, serde_json::Value>>,
    /// The new offset; `None` forgets it.
    pub offset: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A request of one worker to another, as it came: its signature covers exactly these bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerRequest {
    /// The body.
    pub body: Vec<u8>,
    /// `X-Connect-Authorization`.
    pub signature: Option<String>,
    /// `X-Connect-Request-Signature-Algorithm`.
    pub algorithm: Option<String>,
}

/// A plugin that this worker can load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// The class.
    pub class: String,
    /// The kind, as [`wharf_api::PluginKind::name`] says it.
    #[serde(rename = "type")]
    pub plugin_type: &'static str,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Level of a logger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggerLevel {
    /// Such as `INFO`.
    pub level: String,
    /// Milliseconds since the epoch, when it was changed through the API.
    pub last_modified: Option<i64>,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HerderError {
    /// 400: the request is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// 403: not allowed by the worker's configuration.
    #[error("{0}")]
    Forbidden(String),
    /// 404: it does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Another worker has to be asked, the one with this URL. The REST API does that; 409 where it may not.
    #[error("Cannot complete request because of a conflicting operation (e.g. worker rebalance)")]
    Elsewhere(String),
    /// 409: it exists already, or something else is going on.
    #[error("{0}")]
    Conflict(String),
    /// 500: it failed.
    #[error("{0}")]
    Internal(String),
    /// A request between workers is not signed as it has to be: 400, 403 or 503.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        message: String,
    },
    /// 503: the worker is going away.
    #[error("{0}")]
    ShuttingDown(String),
}

impl HerderError {
    /// There is no such connector.
    pub(super) fn unknown_connector(name: &str) -> Self {
        Self::NotFound(format!("Unknown connector: {name}"))
    }

    /// An operation ended because a later one did not wait for its plugin any longer.
    pub(super) fn taken_over(name: &str) -> Self {
        Self::Conflict(format!(
            "the operation on connector {name} was replaced by a later one while its plugin did not answer"
        ))
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Forbidden(_) => 403,
            Self::NotFound(_) => 404,
            Self::Conflict(_) | Self::Elsewhere(_) => 409,
            Self::Internal(_) => 500,
            Self::Refused { status, .. } => *status,
            Self::ShuttingDown(_) => 503,
        }
    }
}

impl From<ConnectError> for HerderError {
    fn from(error: ConnectError) -> Self {
        Self::Internal(format!("{error:#}"))
    }
}
