//! Runs a sink connector with one task, as a worker does.

use std::sync::Arc;

use wharf_abi::host::{ConnectorHandle, SinkTaskHandle, SinkTaskServices};
use wharf_abi::module::{PluginModuleRef, Role};
use wharf_api::{
    ConfigMap, ConnectError, Offsets, Origin, PluginKind, Record, RecordBatch, Result, TopicPartition,
};

use crate::{FakeWorker, PluginUnderTest};

/// A sink connector with its first task.
#[derive(Debug)]
pub struct SinkHarness {
    plugin: PluginUnderTest,
    connector: Option<ConnectorHandle>,
    task: Option<SinkTaskHandle>,
    /// For each partition the offset after the last record that was put.
    offsets: Offsets,
}

impl SinkHarness {
    /// The connector of this class; nothing is started.
    ///
    /// # Panics
    /// When the module does not start or has no such class.
    #[must_use]
    pub fn new(functions: PluginModuleRef, class: &str) -> Self {
        Self {
            plugin: PluginUnderTest::new(functions, PluginKind::Sink, class),
            connector: None,
            task: None,
            offsets: Offsets::new(),
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
    pub fn new_task(&self) -> Result<SinkTaskHandle> {
        let services = SinkTaskServices(Arc::clone(self.plugin.worker()));
        Ok(SinkTaskHandle::new(
            self.plugin.create(Role::Task, Box::new(services))?,
        ))
    }

    /// Starts the connector, and a task with the first of its task configurations, which these partitions are assigned to.
    ///
    /// # Errors
    /// What connector or task fail with.
    pub fn start(&mut self, config: &ConfigMap, partitions: &[TopicPartition]) -> Result<()> {
        self.worker().set_stopping(false);
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
            return started;
        }
        self.task = Some(task);
        self.offsets.clear();
        self.open(partitions)
    }

    fn task(&mut self) -> Result<&mut SinkTaskHandle> {
        self.task
            .as_mut()
            .ok_or_else(|| ConnectError::illegal_state("the harness was not started"))
    }

    /// One `put`. Offsets count as put only when it succeeds.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn put(&mut self, records: &[Record]) -> Result<()> {
        let mut batch = RecordBatch::new();
        for record in records {
            batch.push_record(record)?;
        }
        self.task()?.put(batch.finish()?)?;
        for record in records {
            if let (Origin::Sink { offset, .. }, Some(partition)) = (&record.origin, record.kafka_partition) {
                self.offsets
                    .insert(TopicPartition::new(record.topic.as_str(), partition), offset + 1);
            }
        }
        Ok(())
    }

    /// For each partition the offset after the last record that was put.
    #[must_use]
    pub fn put_offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Gives the task more partitions.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn open(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            self.offsets.entry(partition.clone()).or_insert(0);
        }
        self.assign();
        self.task()?.open(partitions)
    }

    /// Takes partitions away. Ask [`pre_commit`](Self::pre_commit) first, as the worker does unless they were lost.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn close(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let closed = self.task()?.close(partitions);
        self.offsets
            .retain(|partition, _| !partitions.contains(partition));
        self.assign();
        closed
    }

    fn assign(&self) {
        let assigned: Vec<TopicPartition> = self.offsets.keys().cloned().collect();
        self.worker().assign(&assigned);
    }

    /// Asks which offsets may be committed.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn pre_commit(&mut self) -> Result<Offsets> {
        let offsets = self.offsets.clone();
        self.task()?.pre_commit(&offsets)
    }

    /// Takes all partitions away, after a last `pre_commit`, and stops task and connector.
    ///
    /// # Errors
    /// The first failure; all calls were made all the same.
    pub fn stop(&mut self) -> Result<()> {
        self.worker().set_stopping(true);
        let partitions: Vec<TopicPartition> = self.offsets.keys().cloned().collect();
        let committed = self.pre_commit().map(|_| ());
        let closed = self.task()?.close(&partitions);
        let task = self.task.take().map_or(Ok(()), |mut task| task.stop());
        let connector = self
            .connector
            .take()
            .map_or(Ok(()), |mut connector| connector.stop());
        committed.and(closed).and(task).and(connector)
    }
}
