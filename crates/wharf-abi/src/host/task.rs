//! Tasks of a plugin, as the worker calls them.

use wharf_api::{ConfigMap, Offsets, Result, TopicPartition, Value};

use super::{Answer, Handle, or_default};
use crate::message::{Message, RecordAck, map, part};
use crate::method::plugin as method;

/// A source task.
#[derive(Debug)]
pub struct SourceTaskHandle {
    handle: Handle,
    commits_records: bool,
}

impl SourceTaskHandle {
    /// The task behind this instance.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn new(mut handle: Handle) -> Result<Self> {
        let description: Value =
            or_default(handle.ask(method::SOURCE_DESCRIBE, &Value::Null), Value::default)?;
        let commits_records = part(&description, "commits_records").as_bool().unwrap_or(false);
        Ok(Self {
            handle,
            commits_records,
        })
    }

    /// Whether the task wants to know of each acknowledged record.
    #[must_use]
    pub fn commits_records(&self) -> bool {
        self.commits_records
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn start(&mut self, config: &ConfigMap) -> Result<()> {
        self.handle.tell(method::SOURCE_START, config)
    }

    /// The next batch, to be read by [`wharf_api::RecordBatchRef::parse`]; no bytes when there is nothing new. They lie in
    /// the plugin until its next call.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn poll(&mut self) -> Result<Answer<'_>> {
        self.handle.call_raw(method::SOURCE_POLL, &[])
    }

    /// Tells of a commit of offsets.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn commit(&mut self) -> Result<()> {
        or_default(self.handle.tell(method::SOURCE_COMMIT, &Value::Null), || ())
    }

    /// Tells of acknowledged or dropped records of a batch that [`poll`](Self::poll) gave; `acks` are in order of position.
    ///
    /// # Errors
    /// The first failure of the plugin; it was told of all records all the same.
    pub fn commit_records(&mut self, batch: &[u8], acks: &[RecordAck]) -> Result<()> {
        let message = map([("batch", batch.into()), ("acks", acks.to_vec().to_value())]);
        or_default(self.handle.tell(method::SOURCE_COMMIT_RECORDS, &message), || ())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<()> {
        self.handle.tell(method::SOURCE_STOP, &Value::Null)
    }
}

/// A sink task.
#[derive(Debug)]
pub struct SinkTaskHandle(Handle);

impl SinkTaskHandle {
    /// The task behind this instance.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn start(&mut self, config: &ConfigMap) -> Result<()> {
        self.0.tell(method::SINK_START, config)
    }

    /// Tells of new partitions.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn open(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        or_default(self.0.tell(method::SINK_OPEN, &partitions.to_vec()), || ())
    }

    /// Gives a finished batch.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn put(&mut self, batch: &[u8]) -> Result<()> {
        self.0.call_raw(method::SINK_PUT, batch).map(|_| ())
    }

    /// Which offsets may be committed.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn pre_commit(&mut self, offsets: &Offsets) -> Result<Offsets> {
        self.0.ask(method::SINK_PRE_COMMIT, offsets)
    }

    /// Tells of partitions that went.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn close(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        or_default(self.0.tell(method::SINK_CLOSE, &partitions.to_vec()), || ())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<()> {
        self.0.tell(method::SINK_STOP, &Value::Null)
    }
}
