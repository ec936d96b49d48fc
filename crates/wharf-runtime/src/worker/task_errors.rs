//! Makes, for one task, its converters and what reports records that fail.

use std::borrow::Cow;
use std::sync::Arc;

use wharf_abi::host::{ConverterServices, HostServices, NoServices};
use wharf_api::{ConfigMap, PluginKind, Result};

use super::control::TaskControl;
use super::converters::{Part, TaskConverter, TaskConverters};
use super::errors::{
    DeadLetterQueue, ErrorCounters, LogReporter, RetryWithTolerance, SharedSinkReporter, SinkReporter,
    SourceDeadLetters, SourceReporter, TaskClock, ensure_dead_letter_topic,
};
use super::task_context::TaskReporter;
use super::task_producer::{Keeping, TaskProducer};
use super::{RECORD_OVERHEAD, Worker, connector_client};
use crate::config::{
    ClientKind, ConnectorConfig, ConverterKind, DeadLetterConfig, SinkConnectorConfig, SourceConnectorConfig,
    WorkerConfig, dlq_admin_config, dlq_producer_config,
};
use crate::herder::TaskId;
use crate::plugins::PluginRegistry;

/// The rules for failures of one task.
pub(super) fn rules(
    config: &ConnectorConfig,
    reporter: &TaskReporter,
    counters: &Arc<ErrorCounters>,
) -> RetryWithTolerance {
    let clock = Box::new(TaskClock(Arc::clone(&reporter.control)));
    RetryWithTolerance::new(&config.errors, clock, Arc::clone(counters)).hiding(reporter.secrets.clone())
}

/// What converters are made for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ConverterPurpose<'t> {
    /// They hear when it is to stop.
    Task(&'t Arc<TaskControl>),
    /// They are told so.
    Preview,
}

impl ConverterPurpose<'_> {
    fn services(self) -> Box<dyn HostServices> {
        match self {
            Self::Task(control) => {
                let control = Arc::clone(control);
                Box::new(ConverterServices(move || control.is_stopping()))
            }
            Self::Preview => Box::new(NoServices),
        }
    }
}

/// The converters of a connector, configured.
pub(super) fn task_converters(
    plugins: &PluginRegistry,
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
    purpose: ConverterPurpose<'_>,
) -> Result<TaskConverters> {
    let settings_of = |kind| {
        let mut settings = Cow::Borrowed(connector.converter(kind, worker));
        if matches!(purpose, ConverterPurpose::Preview) {
            let config = &mut settings.to_mut().config;
            config.insert(wharf_api::converter::PREVIEW.to_owned(), "true".to_owned());
        }
        settings
    };
    let full = |kind, class: &str, version: Option<&str>| {
        plugins
            .plugin_class(kind, class, version)
            .unwrap_or_else(|| class.to_owned())
    };
    let part = |kind, part| {
        let settings = settings_of(kind);
        let version = settings.version.as_deref();
        let plugin = plugins.converter_with(&settings.class, version, purpose.services())?;
        let class = full(PluginKind::Converter, &settings.class, version);
        TaskConverter::new(plugin, part, &class, &settings.config)
    };
    let header = settings_of(ConverterKind::Header);
    let version = header.version.as_deref();
    let mut header_converter = plugins.header_converter(&header.class, version)?;
    header_converter.configure(&header.config)?;
    Ok(TaskConverters {
        key: part(ConverterKind::Key, Part::Key)?,
        value: part(ConverterKind::Value, Part::Value)?,
        header: header_converter,
        header_class: full(PluginKind::HeaderConverter, &header.class, version).into(),
    })
}

impl Worker {
    /// The converters of a task.
    pub(super) fn converters(
        &self,
        connector: &ConnectorConfig,
        reporter: &TaskReporter,
    ) -> Result<TaskConverters> {
        let purpose = ConverterPurpose::Task(&reporter.control);
        task_converters(&self.plugins, &self.config, connector, purpose)
    }

    /// What reports records of a source task that fail. Its dead letter topic is there when this returns.
    pub(super) fn source_reporter(
        &self,
        parsed: &SourceConnectorConfig,
        reporter: &TaskReporter,
        config: &ConfigMap,
    ) -> Result<SourceReporter> {
        let counters = Arc::clone(&reporter.metrics.errors);
        let log = LogReporter::new(&parsed.common.errors, &reporter.task, &counters);
        let letters = match &parsed.dead_letters {
            Some(letters) => {
                self.ensure_dead_letter_topic(letters, &reporter.task, config)?;
                Some(SourceDeadLetters::new(letters.clone(), reporter.task.clone())?)
            }
            None => None,
        };
        let rules = rules(&parsed.common, reporter, &counters);
        Ok(SourceReporter::new(rules, counters, log, letters))
    }

    /// What reports records of a sink task that fail. Its dead letter topic is there when this returns.
    pub(super) fn sink_reporter(
        &self,
        parsed: &SinkConnectorConfig,
        reporter: &TaskReporter,
        config: &ConfigMap,
        counters: &Arc<ErrorCounters>,
    ) -> Result<SharedSinkReporter> {
        let log = LogReporter::new(&parsed.common.errors, &reporter.task, counters);
        let letters = match &parsed.dead_letters {
            Some(letters) => Some(self.dead_letter_queue(letters, reporter, config, counters)?),
            None => None,
        };
        let (plugins, worker) = (Arc::clone(&self.plugins), Arc::clone(&self.config));
        let (common, control) = (parsed.common.clone(), Arc::clone(&reporter.control));
        let convert_back =
            Box::new(move || task_converters(&plugins, &worker, &common, ConverterPurpose::Task(&control)));
        let rules = rules(&parsed.common, reporter, counters);
        Ok(SharedSinkReporter::new(SinkReporter::new(
            rules,
            log,
            letters,
            convert_back,
        )))
    }

    fn ensure_dead_letter_topic(
        &self,
        letters: &DeadLetterConfig,
        task: &TaskId,
        config: &ConfigMap,
    ) -> Result<()> {
        let settings = dlq_admin_config(&self.config, &task.connector, task.task, config);
        let admin = connector_client(ClientKind::Admin, &settings, config)?;
        ensure_dead_letter_topic(letters, &admin)
    }

    fn dead_letter_queue(
        &self,
        letters: &DeadLetterConfig,
        reporter: &TaskReporter,
        config: &ConfigMap,
        counters: &Arc<ErrorCounters>,
    ) -> Result<DeadLetterQueue> {
        let task = &reporter.task;
        self.ensure_dead_letter_topic(letters, task, config)?;
        let mut settings = dlq_producer_config(&self.config, &task.connector, task.task, config);
        // A quarter of a sink task's budget is for the batch that is being put; letters may hold as much.
        let limit = self.memory.task_limit() / 4;
        let buffer = settings
            .get("buffer.memory")
            .and_then(|text| text.trim().parse::<u64>().ok());
        if buffer.is_none_or(|bytes| bytes > limit) {
            settings.insert("buffer.memory".to_owned(), limit.to_string());
        }
        let mut properties = connector_client(ClientKind::Producer, &settings, config)?;
        properties.bound_queued_records(limit / RECORD_OVERHEAD);
        Ok(DeadLetterQueue::new(
            TaskProducer::new(properties, Keeping::WhileUsed)?,
            letters.clone(),
            task.clone(),
            Arc::clone(&reporter.control),
            Arc::clone(counters),
        ))
    }
}
