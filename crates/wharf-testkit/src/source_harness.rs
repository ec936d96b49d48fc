//! Runs a source connector with one task, as a worker does.

use std::sync::Arc;

use wharf_abi::host::{ConnectorHandle, SourceTaskHandle, SourceTaskServices};
use wharf_abi::message::RecordAck;
use wharf_abi::module::{PluginModuleRef, Role};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    ConfigMap, ConnectError, Origin, PluginKind, Record, RecordBatchRef, RecordMetadata, Result,
};

use crate::{FakeWorker, PluginUnderTest};

/// A `poll` that gives nothing is repeated this often before [`SourceHarness::poll_for`] gives up.
const EMPTY_POLLS: usize = 100;

/// A source connector with its first task.
#[derive(Debug)]
pub struct SourceHarness {
    plugin: PluginUnderTest,
    connector: Option<ConnectorHandle>,
    task: Option<SourceTaskHandle>,
    schemas: SchemaCache,
    /// The last batch as it came, for `commit_record`.
    batch: Vec<u8>,
    kafka_offset: i64,
}

impl SourceHarness {
    /// The connector of this class; nothing is started.
    ///
    /// # Panics
    /// When the module does not start or has no such class.
    #[must_use]
    pub fn new(functions: PluginModuleRef, class: &str) -> Self {
        Self {
            plugin: PluginUnderTest::new(functions, PluginKind::Source, class),
            connector: None,
            task: None,
            schemas: SchemaCache::default(),
            batch: Vec::new(),
            kafka_offset: 0,
        }
    }

    /// The class, for calls to connectors that are not started.
    #[must_use]
    pub fn plugin(&self) -> &PluginUnderTest {
        &self.plugin
    }

    /// The worker that connector and task see.
    #[must_use]
    pub fn worker(&self) -> &FakeWorker {
        self.plugin.worker()
    }

    /// A task that is not started.
    ///
    /// # Errors
    /// When its constructor panics.
    pub fn new_task(&self) -> Result<SourceTaskHandle> {
        let services = SourceTaskServices(Arc::clone(self.plugin.worker()));
        SourceTaskHandle::new(self.plugin.create(Role::Task, Box::new(services))?)
    }

    /// Starts the connector, and a task with the first of its task configurations.
    ///
    /// # Errors
    /// What connector or task fail with. A task that failed to start was stopped, as the worker does.
    pub fn start(&mut self, config: &ConfigMap) -> Result<()> {
        self.worker().set_stopping(false);
        self.worker().set_config(config);
        let mut connector = self.plugin.connector()?;
        connector.start(config)?;
        let configs = connector.task_configs(1);
        self.connector = Some(connector);
        let first = configs?.into_iter().next();
        let config =
            first.ok_or_else(|| ConnectError::connect("the connector gave no task configuration"))?;
        self.worker().set_config(&config);
        let mut task = self.new_task()?;
        let started = task.start(&config);
        if started.is_err() {
            // The failure to start is what counts.
            let _ = task.stop();
        } else {
            self.task = Some(task);
        }
        started
    }

    fn task(&mut self) -> Result<&mut SourceTaskHandle> {
        self.task
            .as_mut()
            .ok_or_else(|| ConnectError::illegal_state("the harness was not started"))
    }

    /// One `poll`: its records, perhaps none.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn poll(&mut self) -> Result<Vec<Record>> {
        let task = self
            .task
            .as_mut()
            .ok_or_else(|| ConnectError::illegal_state("the harness was not started"))?;
        let answer = task.poll()?;
        self.batch.clear();
        self.batch.extend_from_slice(answer.bytes());
        if self.batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = RecordBatchRef::parse(&self.batch, &mut self.schemas)?;
        batch.iter().map(|record| record?.to_record(&batch)).collect()
    }

    /// Polls until there are this many records, or nothing comes any more; acknowledges none.
    ///
    /// # Errors
    /// What the task fails with, unless it is retriable.
    pub fn poll_for(&mut self, count: usize) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut empty = 0;
        while records.len() < count && empty < EMPTY_POLLS {
            match self.poll() {
                Ok(more) if more.is_empty() => empty += 1,
                Ok(more) => records.extend(more),
                Err(error) if error.is_retriable() => empty += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Stores the offsets of these records, as the worker does when Kafka has acknowledged them and all before them.
    pub fn acknowledge(&self, records: &[Record]) {
        for record in records {
            if let Origin::Source {
                partition: Some(partition),
                offset: Some(offset),
            } = &record.origin
            {
                self.worker().store_offset(partition, Some(offset));
            }
        }
    }

    /// Tells the task that all records of the last `poll` were acknowledged, if it wants to know, and of the commit.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn commit(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if self.task()?.commits_records() && !batch.is_empty() {
            let parsed = RecordBatchRef::parse(&batch, &mut self.schemas)?;
            let mut acks = Vec::new();
            for (record, read) in parsed.iter().enumerate() {
                let read = read?;
                let metadata = RecordMetadata {
                    topic: read.topic().to_owned(),
                    partition: read.kafka_partition().unwrap_or(0),
                    offset: self.kafka_offset,
                    timestamp: read.timestamp(),
                };
                self.kafka_offset += 1;
                acks.push(RecordAck {
                    record,
                    metadata: Some(metadata),
                });
            }
            self.task()?.commit_records(&batch, &acks)?;
        }
        self.task()?.commit()
    }

    /// Stops task and connector.
    ///
    /// # Errors
    /// The first failure; both were told to stop all the same.
    pub fn stop(&mut self) -> Result<()> {
        self.worker().set_stopping(true);
        let task = self.task.take().map_or(Ok(()), |mut task| task.stop());
        let connector = self
            .connector
            .take()
            .map_or(Ok(()), |mut connector| connector.stop());
        task.and(connector)
    }
}
