//! From a checked worker file to a standalone herder: loads plugins, opens the offset file, looks Kafka up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_abi::host::HostLog;
use wharf_api::{ConfigMap, ConnectError, ConverterType, Result};
use wharf_kafka::{Admin, ClientKind, translate};

use crate::config::{
    ClientOverridePolicy, ConverterKind, StandaloneConfig, WorkerConfig, WorkerMode, sink_consumer_config,
    source_producer_config, task_admin_config, top_level_mistakes, worker_admin_config,
};
use crate::config_providers::ConfigProviders;
use crate::herder::standalone::StandaloneHerder;
use crate::logging::{self, LogLevel};
use crate::offsets::{FileOffsetBackingStore, OffsetBackingStore};
use crate::plugins::PluginRegistry;

/// How long Kafka may take to answer at start.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(60);

/// A worker that is ready to be started, once its address is known.
pub struct PreparedWorker {
    config: Arc<WorkerConfig>,
    plugins: Arc<PluginRegistry>,
    offsets: Arc<dyn OffsetBackingStore>,
    cluster_id: String,
}

impl PreparedWorker {
    /// Loads plugins, checks the worker's converters, reads the offset file and asks Kafka for its cluster id. Blocks.
    ///
    /// # Errors
    /// What upstream does not start with: a converter that cannot be had, an unreadable offset file, Kafka out of reach.
    pub fn new(config: StandaloneConfig) -> Result<Self> {
        let StandaloneConfig {
            worker: config,
            offset_storage_file,
        } = config;
        let plugins = check_worker(&config)?;
        let offsets = FileOffsetBackingStore::open(&offset_storage_file)?;
        let cluster_id = cluster_id(&config)?;
        Ok(Self {
            config,
            plugins: Arc::new(plugins),
            offsets: Arc::new(offsets),
            cluster_id,
        })
    }

    /// What it was configured with.
    #[must_use]
    pub fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// The herder, under the id that the REST interface's address gives the worker.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(self, worker_id: &str) -> Result<StandaloneHerder> {
        StandaloneHerder::new(
            self.config,
            self.plugins,
            self.offsets,
            worker_id,
            self.cluster_id,
        )
    }
}

/// What both modes begin with: loads plugins, and checks that the worker's own converters, clients and policy can be had.
pub(crate) fn check_worker(config: &WorkerConfig) -> Result<PluginRegistry> {
    route_plugin_logs();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for name in config.config_providers.without_class() {
        tracing::warn!(
            "config.providers names {name}, but config.providers.{name}.class is missing: references to it stay as they are"
        );
    }
    let plugins = PluginRegistry::scan(&config.plugin_path);
    let mistakes = worker_mistakes(config, &plugins);
    if mistakes.is_empty() {
        Ok(plugins)
    } else {
        Err(ConnectError::config(mistakes.join("\n")))
    }
}

/// Why a worker with these settings and plugins does not start: clients, converters and a policy that cannot be had.
pub(crate) fn worker_mistakes(config: &WorkerConfig, plugins: &PluginRegistry) -> Vec<String> {
    let mut mistakes = check_clients(config);
    if let Err(errors) = config.config_providers.load(plugins) {
        mistakes.extend(errors.iter().map(|error| format!("{error:#}")));
    }
    mistakes.extend(check_converters(config, plugins));
    mistakes.extend(load_policy(config, plugins));
    mistakes
}

/// Plugins' log lines go to this process's log, under the context of the thread they come from.
pub fn route_plugin_logs() {
    struct ToLog;

    impl HostLog for ToLog {
        fn log(&self, level: u32, target: &str, message: &str) {
            logging::forward(of_number(level), target, message);
        }

        fn max_level(&self) -> u32 {
            let level = logging::max_level_cell().load(std::sync::atomic::Ordering::Relaxed);
            u32::try_from(level).unwrap_or(u32::MAX)
        }

        fn enabled(&self, level: u32, target: &str) -> bool {
            logging::enabled(of_number(level), target)
        }
    }

    fn of_number(level: u32) -> LogLevel {
        LogLevel::of_event(usize::try_from(level).unwrap_or(usize::MAX))
    }

    wharf_abi::host::set_log(Box::new(ToLog));
}

/// What the worker sets for the clients of all connectors must be usable, or every task would fail later.
fn check_clients(config: &WorkerConfig) -> Vec<String> {
    let nothing = ConfigMap::new();
    let clients = [
        (
            ("producer.", ClientKind::Producer),
            source_producer_config(config, "", 0, &nothing),
            &config.producer,
        ),
        (
            ("consumer.", ClientKind::Consumer),
            sink_consumer_config(config, "", 0, &nothing),
            &config.consumer,
        ),
        (
            ("admin.", ClientKind::Admin),
            task_admin_config(config, "", 0, &nothing),
            &config.admin,
        ),
    ];
    let mut found = Vec::new();
    for ((prefix, kind), settings, prefixed) in clients {
        match translate(kind, &settings) {
            Ok(translated) => {
                for key in translated
                    .unknown
                    .iter()
                    .filter(|key| prefixed.contains_key(*key))
                {
                    tracing::warn!(
                        "{prefix}{key} is not a setting that Kafka's clients know; it has no effect"
                    );
                }
            }
            Err(problems) => found.extend(problems.into_iter().map(|problem| {
                let prefix = if prefixed.contains_key(&problem.key) {
                    prefix
                } else {
                    ""
                };
                format!("{prefix}{}: {}", problem.key, problem.message)
            })),
        }
    }
    // A setting that all clients share has the same mistake in each.
    found.dedup();
    found
}

/// The worker's own converters must exist and take their settings, or every connector would fail later.
fn check_converters(config: &WorkerConfig, plugins: &PluginRegistry) -> Vec<String> {
    let part = |kind: ConverterKind, converter_type| {
        let settings = config.converter(kind);
        let mut converter = plugins.converter(&settings.class, settings.version.as_deref())?;
        converter
            .as_converter()
            .configure(&settings.config, converter_type)
    };
    let header = || {
        let settings = config.converter(ConverterKind::Header);
        plugins
            .header_converter(&settings.class, settings.version.as_deref())?
            .configure(&settings.config)
    };
    [
        (ConverterKind::Key, part(ConverterKind::Key, ConverterType::Key)),
        (
            ConverterKind::Value,
            part(ConverterKind::Value, ConverterType::Value),
        ),
        (ConverterKind::Header, header()),
    ]
    .into_iter()
    .filter_map(|(kind, outcome)| {
        let class = &config.converter(kind).class;
        let error = outcome.err()?;
        Some(format!(
            "Invalid value {class} for configuration {}: {error:#}",
            kind.class_key()
        ))
    })
    .collect()
}

/// What is wrong in a worker file beside its own keys: settings of clients and classes of converters. For files that have
/// mistakes of another kind, so that all are told at once; what a checked configuration shows is found at start.
#[must_use]
pub fn further_mistakes(mode: WorkerMode, properties: &ConfigMap) -> Vec<String> {
    let mut found = top_level_mistakes(mode, properties);
    for (prefix, kind) in [
        ("producer.", ClientKind::Producer),
        ("consumer.", ClientKind::Consumer),
        ("admin.", ClientKind::Admin),
    ] {
        let settings: ConfigMap = properties
            .iter()
            .filter(|(key, _)| !key.starts_with("admin.listeners"))
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect();
        let problems = translate(kind, &settings).err().unwrap_or_default();
        let given = problems
            .into_iter()
            .filter(|problem| settings.contains_key(&problem.key));
        found.extend(given.map(|problem| format!("{prefix}{}: {}", problem.key, problem.message)));
    }
    let path = properties
        .get("plugin.path")
        .map(String::as_str)
        .unwrap_or_default();
    let folders: Vec<PathBuf> = path
        .split(',')
        .map(str::trim)
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .collect();
    let plugins = PluginRegistry::scan(&folders);
    if let Err(errors) = ConfigProviders::named_in(properties).load(&plugins) {
        found.extend(errors.iter().map(|error| format!("{error:#}")));
    }
    for kind in [ConverterKind::Key, ConverterKind::Value, ConverterKind::Header] {
        let Some(class) = properties.get(kind.class_key()) else {
            continue;
        };
        let version = properties.get(kind.version_key()).map(String::as_str);
        let lookup = match kind {
            ConverterKind::Header => plugins.header_converter(class.trim(), version).map(|_| ()),
            _ => plugins.converter(class.trim(), version).map(|_| ()),
        };
        if let Err(error) = lookup {
            found.push(format!(
                "Invalid value {class} for configuration {}: {error:#}",
                kind.class_key()
            ));
        }
    }
    found
}

/// A policy that is not built in comes from a plugin.
fn load_policy(config: &WorkerConfig, plugins: &PluginRegistry) -> Option<String> {
    let ClientOverridePolicy::Plugin(wanted) = &config.override_policy else {
        return None;
    };
    let loaded = plugins
        .override_policy(wanted.class(), None)
        .and_then(|mut policy| {
            policy.configure(&config.originals)?;
            Ok(policy)
        });
    match loaded {
        Ok(policy) => {
            wanted.provide(policy);
            None
        }
        Err(error) => Some(format!(
            "Invalid value {} for configuration connector.client.config.override.policy: {error:#}; All, None, Principal and \
             Allowlist are built in",
            wanted.class()
        )),
    }
}

pub(crate) fn cluster_id(config: &WorkerConfig) -> Result<String> {
    let settings = worker_admin_config(config);
    let translated = translate(ClientKind::Admin, &settings).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        ConnectError::config(list.join("; "))
    })?;
    let servers = config.bootstrap_servers.join(",");
    let unreachable = |error: wharf_kafka::KafkaError| {
        ConnectError::connect(format!(
            "Failed to connect to and describe Kafka cluster at {servers}. Check worker's broker connection and security \
             properties. ({error})"
        ))
    };
    let admin = Admin::new(&translated).map_err(unreachable)?;
    admin.cluster_id(KAFKA_TIMEOUT).map_err(unreachable)
}
