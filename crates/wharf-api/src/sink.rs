//! Sink connectors and their tasks: from topics to a system.
//!
//! **The promise.** The worker reads records and gives them to [`SinkTask::put`]. It commits the offsets of a consumer
//! group only after the task said, in [`SinkTask::pre_commit`], how far it is safe; by default that is everything that
//! was put, after [`SinkTask::flush`]. After a crash, records after the last committed offset are put again
//! (at-least-once).
//!
//! **Order of calls**, all on one thread that the worker owns: `start`, then for partitions that come and go `open` …
//! `put` … `pre_commit` … `close`, at last `stop`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ConfigMap;
use crate::batch::{RecordBatch, RecordBatchRef, RecordRef};
use crate::config::{ConfigDef, ConfigValue};
use crate::connector::ConnectorContext;
use crate::error::{ConnectError, Result};
use crate::plugin::{PluginHost, PluginMetrics};
use crate::record::{Origin, Record, TopicPartition};

/// For each partition the offset of the next record to be read.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// An offset change that a user asks for: a partition, and its new offset or `None` to forget it.
pub type SinkOffsetChange = (TopicPartition, Option<i64>);

/// Splits a job on a target system into tasks.
///
/// `Default` makes an instance; [`validate`](Self::validate), [`config`](Self::config) and
/// [`alter_offsets`](Self::alter_offsets) are also called on instances that were never started.
pub trait SinkConnector: Default + Send + 'static {
    /// Its task.
    type Task: SinkTask;

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

    /// Called when a user changes or resets the consumer group's offsets, before anything is written. `true`: the
    /// connector has checked the offsets and does not keep any elsewhere; `false`: it cannot say.
    ///
    /// # Errors
    /// Refuses the change; the message is the answer. Nothing is written.
    fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SinkOffsetChange]) -> Result<bool> {
        Ok(false)
    }
}

/// Writes to a target system.
pub trait SinkTask: Default + Send + 'static {
    /// Starts the task. A failure makes it FAILED.
    ///
    /// # Errors
    /// When the task cannot work with this configuration.
    fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<()>;

    /// Partitions that are newly assigned to this task.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    /// Takes records; called with none too, at each turn of the loop.
    ///
    /// # Errors
    /// A retriable error: nothing more is read and the same records are put again until it succeeds. Any other error fails
    /// the task; the records were not taken and their offsets do not move.
    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()>;

    /// Makes everything that was put durable, up to these offsets.
    ///
    /// # Errors
    /// As [`pre_commit`](Self::pre_commit).
    fn flush(&mut self, _offsets: &Offsets) -> Result<()> {
        Ok(())
    }

    /// Says which offsets may be committed. `offsets` holds, for each partition, the offset after the last record that was
    /// put. Partitions left out are not committed; offsets beyond those given are ignored.
    ///
    /// # Errors
    /// Nothing is committed, and the worker goes back to the last committed offsets: the records are put again.
    fn pre_commit(&mut self, offsets: &Offsets) -> Result<Offsets> {
        self.flush(offsets)?;
        Ok(offsets.clone())
    }

    /// Partitions that are no longer this task's, after the last `pre_commit` for them.
    ///
    /// # Errors
    /// Logged; fails the task unless it is stopping.
    fn close(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    /// Stops the task; the last call.
    ///
    /// # Errors
    /// Logged only.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What the worker does for a sink task; behind [`SinkTaskContext`].
pub trait SinkTaskHost: PluginHost {
    /// The task's present configuration, with variables resolved.
    fn configs(&self) -> ConfigMap;

    /// See [`SinkTaskContext::offset`].
    fn rewind(&self, offsets: &Offsets);

    /// See [`SinkTaskContext::timeout`].
    fn timeout(&self, time: Duration);

    /// The partitions assigned to this task.
    fn assignment(&self) -> Vec<TopicPartition>;

    /// See [`SinkTaskContext::pause`].
    ///
    /// # Errors
    /// When one of them is not assigned.
    fn pause(&self, partitions: &[TopicPartition]) -> Result<()>;

    /// See [`SinkTaskContext::resume`].
    ///
    /// # Errors
    /// When one of them is not assigned.
    fn resume(&self, partitions: &[TopicPartition]) -> Result<()>;

    /// See [`SinkTaskContext::request_commit`].
    fn request_commit(&self);

    /// Whether failed records can be reported.
    fn can_report_errors(&self) -> bool;

    /// Reports a record of the batch being put; the answer is a number to wait for.
    ///
    /// # Errors
    /// When the tolerance is exceeded: the task must give up.
    fn report_error(&self, record: &ReportedRecord, error: &ConnectError) -> Result<u64>;

    /// Waits until a report was written.
    ///
    /// # Errors
    /// When it could not be written.
    fn await_report(&self, report: u64) -> Result<()>;
}

/// Names a record that a sink task cannot write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedRecord {
    /// Topic, partition as they were consumed.
    pub partition: TopicPartition,
    /// Offset as it was consumed.
    pub offset: i64,
    /// The record itself, as a finished batch of one, when it is not of those being put; see
    /// [`ErrantRecordReporter::report_record`].
    pub batch: Option<Vec<u8>>,
}

/// The worker, as a sink task sees it. Cheap to clone.
#[derive(Clone)]
pub struct SinkTaskContext {
    host: Arc<dyn SinkTaskHost>,
    plugin_host: Arc<dyn PluginHost>,
}

impl SinkTaskContext {
    /// A context over this host.
    #[must_use]
    pub fn new<H: SinkTaskHost + 'static>(host: Arc<H>) -> Self {
        Self {
            plugin_host: Arc::clone(&host) as _,
            host,
        }
    }

    /// The task's present configuration.
    #[must_use]
    pub fn configs(&self) -> ConfigMap {
        self.host.configs()
    }

    /// Goes to this offset of a partition before the next records are read. It becomes the committed position too, for
    /// tasks that keep offsets in the target system.
    pub fn offset(&self, partition: TopicPartition, offset: i64) {
        self.host.rewind(&Offsets::from([(partition, offset)]));
    }

    /// As [`offset`](Self::offset), for several partitions.
    pub fn offsets(&self, offsets: &Offsets) {
        self.host.rewind(offsets);
    }

    /// Waits at most this long for records in the next turn; used with a retriable error to say when to try again.
    pub fn timeout(&self, time: Duration) {
        self.host.timeout(time);
    }

    /// The partitions assigned to this task.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.host.assignment()
    }

    /// Reads no more from these partitions until [`resume`](Self::resume).
    ///
    /// # Errors
    /// An illegal state error when one of them is not assigned.
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.host.pause(partitions)
    }

    /// Reads from these partitions again.
    ///
    /// # Errors
    /// An illegal state error when one of them is not assigned.
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<()> {
        self.host.resume(partitions)
    }

    /// Asks for a commit in the next turn instead of at the next interval.
    pub fn request_commit(&self) {
        self.host.request_commit();
    }

    /// Reports records that cannot be written; `None` unless a dead letter queue or error logging is configured.
    #[must_use]
    pub fn errant_record_reporter(&self) -> Option<ErrantRecordReporter> {
        self.host.can_report_errors().then(|| ErrantRecordReporter {
            host: Arc::clone(&self.host),
        })
    }

    /// Whether the task is to stop; a blocking `put` should return with a retriable error.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.host.is_stopping()
    }

    /// Waits at most this long, less when the task is to stop. Says whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        self.host.wait(time)
    }

    /// The task's own metrics.
    #[must_use]
    pub fn metrics(&self) -> PluginMetrics {
        PluginMetrics::new(Arc::clone(&self.plugin_host))
    }
}

/// Reports records that cannot be written to the target, instead of failing the task.
#[derive(Clone)]
pub struct ErrantRecordReporter {
    host: Arc<dyn SinkTaskHost>,
}

impl ErrantRecordReporter {
    /// Reports a record of the batch that is being put.
    ///
    /// # Errors
    /// When errors are not tolerated: return this error from `put`.
    pub fn report(&self, record: &RecordRef<'_>, error: &ConnectError) -> Result<Report> {
        let reported = match record.origin() {
            crate::batch::OriginRef::Sink(origin) => ReportedRecord {
                partition: TopicPartition::new(origin.original_topic, origin.original_partition),
                offset: origin.original_offset,
                batch: None,
            },
            crate::batch::OriginRef::Source(_) => return Err(not_consumed()),
        };
        self.send(&reported, error)
    }

    /// Reports a record that the task has kept since an earlier `put`, or made itself. The worker no longer has it as it was
    /// consumed: it is converted back by the connector's converters.
    ///
    /// # Errors
    /// As [`report`](Self::report), or when the record cannot be encoded.
    pub fn report_record(&self, record: &Record, error: &ConnectError) -> Result<Report> {
        let Origin::Sink {
            original_topic,
            original_partition,
            original_offset,
            ..
        } = &record.origin
        else {
            return Err(not_consumed());
        };
        let mut batch = RecordBatch::new();
        batch.push_record(record)?;
        let reported = ReportedRecord {
            partition: TopicPartition::new(original_topic, *original_partition),
            offset: *original_offset,
            batch: Some(batch.finish()?.to_vec()),
        };
        self.send(&reported, error)
    }

    fn send(&self, reported: &ReportedRecord, error: &ConnectError) -> Result<Report> {
        let number = self.host.report_error(reported, error)?;
        Ok(Report {
            host: Arc::clone(&self.host),
            number,
        })
    }
}

fn not_consumed() -> ConnectError {
    ConnectError::illegal_state("only a record that was consumed can be reported")
}

/// A report on its way. The worker waits for it by itself before it commits the record's partition.
pub struct Report {
    host: Arc<dyn SinkTaskHost>,
    number: u64,
}

impl Report {
    /// Waits until the report was written.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn wait(self) -> Result<()> {
        self.host.await_report(self.number)
    }
}
