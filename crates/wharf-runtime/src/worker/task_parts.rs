//! Puts together what the thread of a source or sink task needs: clients, converters, transforms, reporters, offsets.

use std::sync::Arc;

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_kafka::Consumer;

use super::offset_reads::OffsetReads;
use super::record_sender::kafka_error;
use super::task_context::{TaskConfig, TaskHost, TaskReporter, WorkerSinkHost, WorkerSourceHost};
use super::task_errors::rules;
use super::task_producer::{Keeping, TaskProducer};
use super::topic_creator::TopicCreator;
use super::transactions::{Boundary, ExactlyOnce, StartGate, TransactionRequests};
use super::transformation_chain::TransformationChain;
use super::transformations::chain_facts;
use super::worker_sink_task::WorkerSinkTask;
use super::worker_source_task::{Conversion, WorkerSourceTask};
use super::{BATCH_SIZE, RECORD_OVERHEAD, Worker, connector_client};
use crate::config::{
    ClientKind, ConnectorConfig, ConverterKind, SinkConnectorConfig, SourceConnectorConfig,
    TransactionBoundary, sink_consumer_config, source_producer_config, task_admin_config, transactional,
};
use crate::herder::TaskId;
use crate::metrics::{ClassFacts, ConnectorFacts, TaskFacts};
use crate::offsets::{OffsetStorage, OffsetStorageWriter};
use crate::plugins::ConnectorPlugin;

impl Worker {
    pub(super) fn task_host(&self, reporter: &TaskReporter, task_config: &Arc<TaskConfig>) -> TaskHost {
        TaskHost {
            task: reporter.task.clone(),
            config: Arc::clone(task_config),
            control: Arc::clone(&reporter.control),
            metrics: Arc::clone(&self.metrics),
        }
    }

    pub(super) fn source_task(
        &self,
        plugin: &ConnectorPlugin,
        connector_config: &ConfigMap,
        task_config: &Arc<TaskConfig>,
        reporter: &TaskReporter,
        gate: Option<Arc<dyn StartGate>>,
    ) -> Result<(WorkerSourceTask, Conversion)> {
        let TaskId { connector, task } = &reporter.task;
        let parsed = SourceConnectorConfig::parse(connector_config, self.config.topic_creation_enable)?;
        let offsets = self.source_offsets(connector, connector_config)?;
        let errors = self.source_reporter(&parsed, reporter, connector_config)?;
        let conversion = Conversion {
            chain: TransformationChain::of_connector(connector_config, &self.plugins)?,
            converters: self.converters(&parsed.common, reporter)?,
            rules: rules(&parsed.common, reporter, &errors.counters),
        };
        let mut settings = source_producer_config(&self.config, connector, *task, connector_config);
        let exactly_once = match (&offsets.topic, gate) {
            (Some(topic), Some(gate)) => Some(ExactlyOnce {
                gate,
                boundary: self.boundary(parsed.transaction_boundary),
                topic: Arc::clone(topic),
            }),
            (Some(_), None) => {
                return Err(ConnectError::illegal_state(
                    "an exactly-once task was started without fencing; this is a defect of wharf",
                ));
            }
            (None, _) => None,
        };
        if exactly_once.is_some()
            && let Some(id) = self.transactional_id(connector, *task)
        {
            settings = transactional(settings, &id, connector);
        }
        // The producer's buffer is the larger part of what a source task holds.
        let limit = self.memory.task_limit();
        let buffer = settings
            .get("buffer.memory")
            .and_then(|text| text.trim().parse::<u64>().ok());
        if buffer.is_none_or(|bytes| bytes > limit) {
            if let Some(bytes) = buffer {
                tracing::warn!(
                    "buffer.memory of {bytes} bytes is lowered to {limit}, the task's budget; raise \
                     wharf.task.memory.max.bytes to use more"
                );
            }
            settings.insert("buffer.memory".to_owned(), limit.to_string());
        }
        settings
            .entry("batch.size".to_owned())
            .or_insert_with(|| BATCH_SIZE.to_owned());
        let mut properties = connector_client(ClientKind::Producer, &settings, connector_config)?;
        properties.bound_queued_records(limit / RECORD_OVERHEAD);
        let keeping = if exactly_once.is_some() {
            Keeping::Open
        } else {
            Keeping::WhileUsed
        };
        let producer = TaskProducer::new(properties, keeping)?;
        let topic_creator = match parsed.topic_creation {
            Some(rules) => {
                let settings = task_admin_config(&self.config, connector, *task, connector_config);
                let admin = connector_client(ClientKind::Admin, &settings, connector_config)?;
                Some(TopicCreator::new(rules, admin))
            }
            None => None,
        };
        let reads = OffsetReads::new(Arc::clone(&offsets.store), Arc::clone(&reporter.control));
        let host = WorkerSourceHost {
            common: self.task_host(reporter, task_config),
            offsets: OffsetStorage::new(connector.as_str(), Arc::new(reads)),
            transactions: exactly_once.as_ref().and_then(|it| it.boundary.requests()),
        };
        let task = WorkerSourceTask {
            plugin: plugin.clone(),
            host: Arc::new(host),
            config: task_config.resolved.clone(),
            control: Arc::clone(&reporter.control),
            reporter: reporter.clone(),
            errors,
            producer,
            topic_creator,
            active_topics: self
                .config
                .topic_tracking_enable
                .then(|| Arc::clone(&self.active_topics)),
            offset_writer: OffsetStorageWriter::new(offsets.thread.clone()),
            _store: offsets,
            flush_interval: self.config.offset_flush_interval,
            flush_timeout: self.config.offset_flush_timeout,
            memory: self.memory.share(),
            exactly_once,
        };
        let facts = self.task_facts(plugin, connector_config, &parsed.common)?;
        reporter.metrics.made_of(&facts);
        Ok((task, conversion))
    }

    /// What a task is made of whose parts have been made.
    fn task_facts(
        &self,
        plugin: &ConnectorPlugin,
        connector_config: &ConfigMap,
        parsed: &ConnectorConfig,
    ) -> Result<TaskFacts> {
        let converter = |kind: ConverterKind| {
            let named = parsed.converter(kind, &self.config);
            let version = named.version.as_deref();
            ClassFacts::used(&self.plugins, kind.plugin_kind(), &named.class, version)
        };
        Ok(TaskFacts {
            connector: ConnectorFacts::of(plugin),
            task: ClassFacts {
                class: plugin.task_class.to_string(),
                version: plugin.stated_version(),
            },
            key_converter: converter(ConverterKind::Key),
            value_converter: converter(ConverterKind::Value),
            header_converter: converter(ConverterKind::Header),
            chain: chain_facts(connector_config, &self.plugins)?,
        })
    }

    fn boundary(&self, boundary: TransactionBoundary) -> Boundary {
        match boundary {
            TransactionBoundary::Poll => Boundary::Poll,
            TransactionBoundary::Interval(interval) => {
                Boundary::Interval(interval.unwrap_or(self.config.offset_flush_interval))
            }
            TransactionBoundary::Connector => Boundary::Connector(Arc::new(TransactionRequests::default())),
        }
    }

    pub(super) fn sink_task(
        &self,
        plugin: &ConnectorPlugin,
        connector_config: &ConfigMap,
        task_config: &Arc<TaskConfig>,
        reporter: &TaskReporter,
    ) -> Result<WorkerSinkTask> {
        let TaskId { connector, task } = &reporter.task;
        let parsed = SinkConnectorConfig::parse(connector_config)?;
        let settings = sink_consumer_config(&self.config, connector, *task, connector_config);
        let mut properties = connector_client(ClientKind::Consumer, &settings, connector_config)?;
        // Half of a sink task's budget is for records fetched ahead, half for the batch that is being put.
        let mut memory = self.memory.share();
        let prefetch = memory.reserve(self.memory.task_limit() / 2, 64 * 1024);
        properties.bound_prefetch(prefetch);
        let consumer = Consumer::new(&properties).map_err(|error| kafka_error(&error))?;
        let counters = Arc::clone(&reporter.metrics.errors);
        let errors = self.sink_reporter(&parsed, reporter, connector_config, &counters)?;
        let host = WorkerSinkHost::new(self.task_host(reporter, task_config), errors.clone());
        let task = WorkerSinkTask {
            plugin: plugin.clone(),
            host: Arc::new(host),
            config: task_config.resolved.clone(),
            control: Arc::clone(&reporter.control),
            reporter: reporter.clone(),
            converters: self.converters(&parsed.common, reporter)?,
            chain: TransformationChain::of_connector(connector_config, &self.plugins)?,
            rules: rules(&parsed.common, reporter, &counters),
            errors,
            consumer,
            topics: parsed.topics,
            active_topics: self
                .config
                .topic_tracking_enable
                .then(|| Arc::clone(&self.active_topics)),
            flush_interval: self.config.offset_flush_interval,
            flush_timeout: self.config.offset_flush_timeout,
            max_batch_bytes: usize::try_from(self.memory.task_limit() / 4).unwrap_or(usize::MAX),
            prefetch,
            memory,
        };
        let facts = self.task_facts(plugin, connector_config, &parsed.common)?;
        reporter.metrics.made_of(&facts);
        Ok(task)
    }
}
