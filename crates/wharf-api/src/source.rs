//! Source connectors and their tasks: from a system to topics.
//!
//! **The promise.** A task hands over records with [`SourceTask::poll`]; each says from which *source partition* it comes
//! and, as its *source offset*, where to go on after it. The worker stores the offset of a record only after that record,
//! and all records before it of the same source partition, were acknowledged by Kafka. A task that starts asks the
//! [offset reader](SourceTaskContext::offset_reader) where to go on. So nothing is lost; after a crash some records may
//! be sent again (at-least-once).
//!
//! **Threads.** All methods of a task are called on one thread that the worker owns, never two at a time. `poll` may block,
//! but must return soon once [`SourceTaskContext::is_stopping`] is true; [`SourceTaskContext::wait`] is the way to wait.

use std::sync::Arc;
use std::time::Duration;

use crate::ConfigMap;
use crate::batch::{RecordBatch, RecordRef};
use crate::config::{ConfigDef, ConfigValue};
use crate::connector::{ConnectorContext, OffsetReader};
use crate::error::{ConnectError, Result};
use crate::offset_map::OffsetMap;
use crate::plugin::{PluginHost, PluginMetrics};

/// Whether a connector can do exactly-once with a given configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// It can.
    Supported,
    /// It cannot.
    Unsupported,
}

/// Whether a connector can say where transactions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorTransactionBoundaries {
    /// It can.
    Supported,
    /// It cannot.
    Unsupported,
}

/// An offset change that a user asks for: a source partition, and its new offset or `None` to forget it.
pub type SourceOffsetChange = (OffsetMap, Option<OffsetMap>);

/// Splits a job on a source system into tasks.
///
/// `Default` makes an instance, as upstream's public constructor does; [`validate`](Self::validate),
/// [`config`](Self::config) and [`alter_offsets`](Self::alter_offsets) are also called on instances that were never
/// started.
pub trait SourceConnector: Default + Send + 'static {
    /// Its task.
    type Task: SourceTask;

    /// The configuration keys.
    fn config(&self) -> ConfigDef;

    /// Starts the connector. A failure makes it FAILED.
    ///
    /// # Errors
    /// When the connector cannot work with this configuration.
    fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<()>;

    /// The configurations of at most `max_tasks` tasks.
    ///
    /// # Errors
    /// When the work cannot be split now.
    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>>;

    /// Stops the connector; called once for each successful start, also on pause.
    ///
    /// # Errors
    /// A failure is logged; the connector counts as stopped.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }

    /// Checks a configuration; each key's value with its errors. The default is what [`ConfigDef::validate`] finds. May ask
    /// the system that it names, unless [`VALIDATE_OFFLINE`](crate::connector::VALIDATE_OFFLINE) is set.
    ///
    /// # Errors
    /// When the check itself cannot be made.
    fn validate(&self, config: &ConfigMap) -> Result<Vec<ConfigValue>> {
        Ok(self.config().validate(config))
    }

    /// Whether exactly-once works with this configuration; `None` means that the connector does not say.
    ///
    /// # Errors
    /// Shown to the user as a validation error.
    fn exactly_once_support(&self, _config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
        Ok(None)
    }

    /// Whether tasks can say where transactions end (`transaction.boundary=connector`).
    ///
    /// # Errors
    /// Shown to the user as a validation error.
    fn can_define_transaction_boundaries(
        &self,
        _config: &ConfigMap,
    ) -> Result<ConnectorTransactionBoundaries> {
        Ok(ConnectorTransactionBoundaries::Unsupported)
    }

    /// Called when a user changes or resets offsets, before anything is written. Numbers arrive as 64-bit integers or
    /// doubles. `true`: the connector has checked the offsets and does not keep any elsewhere; `false`: it cannot say.
    ///
    /// # Errors
    /// Refuses the change; the message is the answer. Nothing is written.
    fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SourceOffsetChange]) -> Result<bool> {
        Ok(false)
    }
}

/// What Kafka says of a record that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; -1 when unknown (`acks=0`).
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
}

/// Reads from a source system.
pub trait SourceTask: Default + Send + 'static {
    /// Whether [`commit_record`](Self::commit_record) does something. When it does not, the worker saves itself the work
    /// of keeping records until they are acknowledged.
    const COMMITS_RECORDS: bool = false;

    /// Starts the task. A failure makes it FAILED.
    ///
    /// # Errors
    /// When the task cannot work with this configuration.
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<()>;

    /// Appends the next records to `batch`; none when there is nothing new. The batch is empty when this is called.
    ///
    /// Return after about a second even when there is nothing: acknowledgements, [`commit`](Self::commit) and
    /// [`commit_record`](Self::commit_record) have their turn between two polls.
    ///
    /// # Errors
    /// A retriable error: records appended in this call are dropped and `poll` is called again. Any other error fails the
    /// task. In both cases no offset moves.
    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()>;

    /// Called after each commit of offsets, also when there was nothing to commit.
    ///
    /// # Errors
    /// Logged only.
    fn commit(&mut self) -> Result<()> {
        Ok(())
    }

    /// Called once for each record, when it was acknowledged, or with `None` when it was dropped on purpose. Set
    /// [`COMMITS_RECORDS`](Self::COMMITS_RECORDS) to get these calls.
    ///
    /// # Errors
    /// Logged only.
    fn commit_record(&mut self, _record: &RecordRef<'_>, _metadata: Option<&RecordMetadata>) -> Result<()> {
        Ok(())
    }

    /// Stops the task; called once after the last `poll`, also when `start` failed.
    ///
    /// # Errors
    /// Logged only.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What the worker does for a source task; behind [`SourceTaskContext`].
pub trait SourceTaskHost: PluginHost {
    /// Stored offsets of the given source partitions, in their order.
    ///
    /// # Errors
    /// When the offset store cannot be read.
    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>>;

    /// The task's present configuration, with variables resolved.
    fn configs(&self) -> ConfigMap;

    /// Whether the task says where transactions end.
    fn has_transaction_context(&self) -> bool;

    /// Asks for the end of a transaction.
    ///
    /// # Errors
    /// When there is no transaction context.
    fn end_transaction(&self, end: TransactionEnd) -> Result<()>;
}

/// How and where a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionEnd {
    /// Commit after the batch that the next `poll` gives.
    CommitBatch,
    /// Commit after the record with this position in the batch that `poll` is filling.
    CommitRecord(usize),
    /// Abort after the batch that the next `poll` gives.
    AbortBatch,
    /// Abort after the record with this position in the batch that `poll` is filling.
    AbortRecord(usize),
}

/// The worker, as a source task sees it. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct SourceTaskContext {
    host: Arc<dyn SourceTaskHost>,
    plugin_host: Arc<dyn PluginHost>,
}

impl SourceTaskContext {
    /// A context over this host.
    #[must_use]
    pub fn new<H: SourceTaskHost + 'static>(host: Arc<H>) -> Self {
        Self {
            plugin_host: Arc::clone(&host) as _,
            host,
        }
    }

    /// Stored source offsets: where to go on.
    #[must_use]
    pub fn offset_reader(&self) -> OffsetReader {
        let host = Arc::clone(&self.host);
        OffsetReader::new(move |partitions| host.offsets(partitions))
    }

    /// The task's present configuration.
    #[must_use]
    pub fn configs(&self) -> ConfigMap {
        self.host.configs()
    }

    /// Where transactions end; `None` unless exactly-once is on and `transaction.boundary=connector`.
    #[must_use]
    pub fn transaction_context(&self) -> Option<TransactionContext> {
        self.host.has_transaction_context().then(|| TransactionContext {
            host: Arc::clone(&self.host),
        })
    }

    /// Whether the task is to stop or pause; a blocking `poll` should return.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.host.is_stopping()
    }

    /// Waits at most this long, less when the task is to stop or pause. Says whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        self.host.wait(time)
    }

    /// The task's own metrics.
    #[must_use]
    pub fn metrics(&self) -> PluginMetrics {
        PluginMetrics::new(Arc::clone(&self.plugin_host))
    }
}

/// Lets a task say where transactions end.
#[derive(Clone)]
pub struct TransactionContext {
    host: Arc<dyn SourceTaskHost>,
}

impl TransactionContext {
    /// Asks for a commit or an abort. Asking for both at one place fails the task.
    ///
    /// # Errors
    /// When transactions are not in use.
    pub fn end(&self, end: TransactionEnd) -> Result<()> {
        self.host.end_transaction(end)
    }
}

/// The error of a poll on a task that was not started.
#[must_use]
pub fn not_started() -> ConnectError {
    ConnectError::illegal_state("the task was not started")
}
