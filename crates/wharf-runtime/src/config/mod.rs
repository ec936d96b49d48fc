//! Configuration of the worker and of connectors: from properties and JSON to checked structs and validation answers.
//!
//! Two steps everywhere: what was said is checked against a [`ConfigDef`](wharf_api::config::ConfigDef) with all
//! mistakes at once, then becomes a typed struct. What this build does not do is refused by name, never ignored.

mod client_config;
mod client_override_policy;
mod config_infos;
mod connector_config;
mod connector_file;
mod converter_config;
mod cors;
mod distributed_config;
mod distributed_keys;
mod enriched_config;
mod error_config;
mod exactly_once_checks;
mod internal_clients;
mod listener;
mod named_classes;
mod properties;
mod response_headers;
mod sink_connector_config;
mod source_connector_config;
mod standalone_config;
mod topic_creation;
mod validation;
mod worker_config;
mod worker_key;
mod worker_keys;
mod worker_mode;
mod worker_sasl_keys;
mod worker_tls_keys;

pub use client_config::{
    ClientKind, dead_letter_admin_config, dead_letter_reader_config, dead_letter_sender_config,
    dlq_admin_config, dlq_producer_config, offsets_admin_config, offsets_consumer_config,
    offsets_producer_config, sink_consumer_config, sink_consumer_group, source_producer_config,
    task_admin_config, transactional, worker_admin_config,
};
pub use client_override_policy::{ClientOverridePolicy, PluginPolicy};
pub use config_infos::{ConfigDefinition, ConfigInfo, ConfigInfos, ConfigValueInfo};
pub use connector_config::{
    CONNECTOR_CLASS, CONNECTOR_VERSION, ConnectorConfig, ConverterDefault, FrameworkDefaults, NAME,
    connector_config_def,
};
pub use connector_file::{ConnectorFile, parse_connector_file, read_connector_file};
pub(crate) use converter_config::with_prefix;
pub use converter_config::{ConverterConfig, ConverterKind};
pub use cors::CrossOrigin;
pub use distributed_config::{DistributedConfig, ExactlyOnceSupport, InterWorkerConfig};
pub use distributed_keys::{HEARTBEAT_INTERVAL_DEFAULT, REBALANCE_DELAY_DEFAULT};
pub(crate) use enriched_config::add_library_errors;
pub use error_config::{DeadLetterConfig, ErrorConfig, ToleranceType};
pub use exactly_once_checks::ExactlyOnceWorker;
pub(crate) use internal_clients::top_level_mistakes;
pub use internal_clients::{
    InternalClients, InternalTopic, internal_consumer_config, internal_producer_config,
    leader_producer_config, membership_connection, shared_admin_config,
};
pub use listener::{AdminListeners, Listener, RestConfig, Scheme};
pub(crate) use named_classes::{CONNECTORS, NamedClass, named_classes};
pub use properties::{parse_properties, parse_properties_text, read_properties};
pub use response_headers::{HeaderRule, HeaderRuleValue};
pub use sink_connector_config::{
    DLQ_TOPIC_NAME, SinkConnectorConfig, TOPICS, TOPICS_REGEX, TopicSelection, sink_connector_config_def,
};
pub use source_connector_config::{
    OFFSETS_TOPIC, SOURCE_DLQ_TOPIC_NAME, SourceConnectorConfig, TransactionBoundary, requires_exactly_once,
    source_connector_config_def,
};
pub use standalone_config::StandaloneConfig;
pub use topic_creation::{TOPIC_CREATION_PREFIX, TopicCreation, TopicCreationGroup};
pub use validation::{
    PluginValidation, PluginView, ValidationRequest, VersionProblem, connector_class, connector_definitions,
    framework_config_def, is_framework_key, validate_connector,
};
pub use wharf_transforms::JavaRegex;
pub use worker_config::{MemoryLimits, WorkerConfig};
pub use worker_key::{PrefixRule, PrefixSupport, Support, WorkerKey};
pub use worker_keys::{PREFIX_RULES, TASK_MEMORY_DEFAULT, WORKER_MEMORY_DEFAULT};
pub use worker_mode::WorkerMode;
