//! Whether one connector can run on native workers, and what would change for it.
//!
//! What validation says is not decided here: it is the same code by which a worker takes or refuses a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde::Serialize;
use wharf_api::{ConfigMap, PluginKind};
use wharf_cluster::config_state::{ConfigSnapshot, has_placeholder};
use wharf_cluster::status_state::StatusState;

use super::WorkerFile;
use super::migration::config_of;
use super::secrets::Secrets;
use crate::config::{
    CONNECTOR_CLASS, CONNECTOR_VERSION, ConfigInfos, ConverterKind, ExactlyOnceWorker, WorkerConfig,
    named_classes, sink_consumer_config, source_producer_config,
};
use crate::config_providers::ConfigProviders;
use crate::herder::{ConnectorType, HerderError, RawConfig, plugin_calls};
use crate::plugins::{ConnectorPlugin, Outreach, PluginRegistry};
use crate::worker::TASK_CLASS;

/// For a plugin to validate a configuration.
const VALIDATION: Duration = Duration::from_secs(30);

/// What is to be said of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorCheck {
    /// Its name.
    pub name: String,
    /// Whether it runs on a native worker as it is.
    pub can_move: bool,
    /// `connector.class`, as configured.
    pub class: Option<String>,
    /// The native plugin that stands for it; null when there is none.
    pub plugin: Option<PluginFound>,
    /// What it shall be: STARTED, PAUSED or STOPPED. It stays so.
    pub target_state: &'static str,
    /// How many tasks it has.
    pub tasks: usize,
    /// Its converters, by the key that names them.
    pub converters: BTreeMap<&'static str, ConverterFound>,
    /// The offsets from which it would go on.
    pub offsets: OffsetsFound,
    /// Why it cannot move.
    pub problems: Vec<Problem>,
    /// What would be different.
    pub changes: Vec<String>,
}

/// A native plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginFound {
    /// Its full class name; `connector.class` may be an alias of it.
    pub class: String,
    /// Its version, if it states one.
    pub version: Option<String>,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: ConnectorType,
    /// The class of its tasks.
    pub task_class: String,
    /// The library.
    #[serde(rename = "library")]
    pub path: String,
}

/// A converter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConverterFound {
    /// The class, as configured.
    pub class: String,
    /// Whether the connector names it; otherwise it is the worker's.
    pub is_own: bool,
    /// Whether there is a native one.
    pub is_available: bool,
}

/// Offsets of a connector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OffsetsFound {
    /// Where they are.
    pub place: String,
    /// How many there are: source partitions, or topic partitions of a sink. Null when they could not be counted.
    pub count: Option<usize>,
    /// Why they could not be counted.
    pub unknown_because: Option<String>,
}

impl OffsetsFound {
    pub(super) fn counted(place: String, count: usize) -> Self {
        Self {
            place,
            count: Some(count),
            unknown_because: None,
        }
    }

    pub(super) fn not_counted(place: String, why: &str) -> Self {
        Self {
            place,
            count: None,
            unknown_because: Some(why.to_owned()),
        }
    }
}

/// Something that keeps a connector from moving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key that is to blame; null when it is none alone.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// Source or sink, by the plugin, or else by what the configuration looks like.
pub(super) fn connector_type_of(plugin: Option<&PluginFound>, config: &ConfigMap) -> ConnectorType {
    match plugin {
        Some(plugin) => plugin.kind,
        None if ["topics", "topics.regex"]
            .iter()
            .any(|key| config.contains_key(*key)) =>
        {
            ConnectorType::Sink
        }
        None => ConnectorType::Source,
    }
}

/// What connectors are checked against.
pub(super) struct Migration {
    worker: Arc<WorkerConfig>,
    exactly_once: ExactlyOnceWorker,
    plugins: Arc<PluginRegistry>,
    /// Config providers that a worker would have.
    providers: BTreeSet<String>,
}

impl Migration {
    pub(super) fn new(file: &WorkerFile, plugins: PluginRegistry) -> Self {
        let worker = &file.config.worker;
        let providers = worker.config_providers.names().map(str::to_owned).collect();
        // Who checks may have neither the files nor the environment of the workers, so nothing is asked for values.
        let worker = WorkerConfig {
            config_providers: ConfigProviders::default(),
            ..WorkerConfig::clone(worker)
        };
        Self {
            worker: Arc::new(worker),
            exactly_once: ExactlyOnceWorker::Distributed {
                enabled: file.config.exactly_once.is_enabled(),
            },
            plugins: Arc::new(plugins),
            providers,
        }
    }

    /// Everything but the offsets.
    pub(super) fn check(
        &self,
        name: &str,
        configs: &ConfigSnapshot,
        statuses: &StatusState,
    ) -> ConnectorCheck {
        let config = config_of(configs, name);
        let plugin = self.plugin_of(&config);
        let kind = match &plugin {
            Ok(plugin) => plugin.kind,
            Err(_) => connector_type_of(None, &config),
        };
        let converters = self.converters(&config);
        let mut parts = Parts {
            secrets: Secrets::of_connector(&config, &[]),
            ..Parts::default()
        };
        let references = references(&config);
        self.check_references(&references, &mut parts);
        match &plugin {
            Ok(plugin) => {
                self.check_validation(configs, name, &config, &references, &mut parts);
                self.check_changes(name, plugin, configs, statuses, &mut parts);
            }
            Err(problem) => {
                parts.problems.push(problem.clone());
                self.check_transforms(&config, &mut parts);
            }
        }
        for (key, converter) in converters.iter().filter(|(_, converter)| !converter.is_available) {
            // Validation has told of those that the connector names.
            if !converter.is_own || plugin.is_err() {
                let of = if converter.is_own {
                    ""
                } else {
                    ", the worker's default,"
                };
                parts.problem(
                    Some(key),
                    &format!(
                        "converter class {}{of} is neither built in nor in plugin.path",
                        converter.class
                    ),
                );
            }
        }
        self.check_clients(name, kind, &config, &mut parts);
        if configs.inconsistent_connectors().any(|other| other == name) {
            parts.changes.push(
                "its task configurations are incomplete in the config topic; the worker that gets it publishes them again"
                    .to_owned(),
            );
        }
        let Parts {
            problems, changes, ..
        } = parts;
        ConnectorCheck {
            name: name.to_owned(),
            can_move: problems.is_empty(),
            class: config.get(CONNECTOR_CLASS).cloned(),
            plugin: plugin.ok().map(|plugin| PluginFound {
                class: plugin.class.to_string(),
                version: plugin.stated_version(),
                kind: plugin.kind,
                task_class: plugin.task_class.to_string(),
                path: plugin.path.display().to_string(),
            }),
            target_state: configs.target_state(name).unwrap_or_default().name(),
            tasks: configs.tasks(name).len(),
            converters,
            offsets: OffsetsFound::default(),
            problems,
            changes,
        }
    }

    fn plugin_of(&self, config: &ConfigMap) -> Result<ConnectorPlugin, Problem> {
        let class = config.get(CONNECTOR_CLASS).map(|class| class.trim());
        let Some(class) = class.filter(|class| !class.is_empty()) else {
            return Err(Problem {
                key: Some(CONNECTOR_CLASS.to_owned()),
                message: "its configuration names no connector class".to_owned(),
            });
        };
        let version = config.get(CONNECTOR_VERSION).map(String::as_str);
        let found = self.plugins.connector(class, version);
        found.map_err(|error| {
            let is_there = self.plugins.connector(class, None).is_ok();
            let folders: Vec<String> =
                self.worker.plugin_path.iter().map(|folder| folder.display().to_string()).collect();
            Problem {
                key: Some(if is_there { CONNECTOR_VERSION } else { CONNECTOR_CLASS }.to_owned()),
                message: if is_there {
                    format!("{error:#}")
                } else {
                    format!(
                        "there is no native plugin for connector class {class} in plugin.path={}; put its library there, or keep \
                         the connector on JVM workers in a group of their own",
                        folders.join(",")
                    )
                },
            }
        })
    }

    fn converters(&self, config: &ConfigMap) -> BTreeMap<&'static str, ConverterFound> {
        ConverterKind::ALL
            .into_iter()
            .map(|kind| {
                let own = config.get(kind.class_key()).map(|class| class.trim().to_owned());
                let of_worker = self.worker.converter(kind);
                let version = match &own {
                    Some(_) => config.get(kind.version_key()).map(String::as_str),
                    None => of_worker.version.as_deref(),
                };
                let is_own = own.is_some();
                let class = own.unwrap_or_else(|| of_worker.class.clone());
                let is_available = self
                    .plugins
                    .plugin_class(kind.plugin_kind(), &class, version)
                    .is_some();
                let found = ConverterFound {
                    class,
                    is_own,
                    is_available,
                };
                (kind.class_key(), found)
            })
            .collect()
    }

    /// Classes of transformations and predicates, where no validation tells of them.
    fn check_transforms(&self, config: &ConfigMap, parts: &mut Parts) {
        let named = named_classes(|key| config.get(key).map(String::as_str));
        for named in named.iter().filter(|named| {
            matches!(
                named.kinds,
                [PluginKind::Transformation] | [PluginKind::Predicate]
            )
        }) {
            let what = named.what();
            let text = match named.class {
                None => format!("its configuration names no {what} class"),
                Some(class) if named.is_told() && self.plugins.check_class(named).is_err() => {
                    format!("{what} class {class} is neither built in nor in plugin.path")
                }
                Some(_) => continue,
            };
            parts.problem(Some(&named.key), &text);
        }
    }

    /// References to config providers that nobody would resolve.
    fn check_references(&self, references: &BTreeMap<String, BTreeSet<String>>, parts: &mut Parts) {
        for (provider, keys) in references {
            let keys = keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            if !self.providers.contains(provider) {
                parts.problem(
                    None,
                    &format!(
                        "it refers to config provider `{provider}` (in {keys}), which config.providers of the worker file does \
                         not name: the text would be taken as it stands"
                    ),
                );
            }
        }
    }

    /// What the worker and the plugin say of the configuration, references unresolved. The plugin asks nobody: a check must
    /// not log in to somebody's database with the text of a reference.
    fn check_validation(
        &self,
        configs: &ConfigSnapshot,
        name: &str,
        config: &ConfigMap,
        references: &BTreeMap<String, BTreeSet<String>>,
        parts: &mut Parts,
    ) {
        let raw: RawConfig = configs
            .config(name)
            .into_iter()
            .flat_map(|config| config.iter())
            .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
            .collect();
        let infos = match self.validate(raw) {
            Ok(infos) => infos,
            Err(reason) => {
                return parts.problem(
                    None,
                    &format!("its plugin cannot validate the configuration: {reason}"),
                );
            }
        };
        parts.secrets = Secrets::of_connector(config, &secret_keys(&infos));
        for value in infos.configs.iter().filter_map(|info| info.value.as_ref()) {
            let is_reference = references.values().any(|keys| keys.contains(&value.name));
            for error in &value.errors {
                if is_reference {
                    let text = format!(
                        "{}: the check saw the reference, not the value it stands for, and says: {error}",
                        value.name
                    );
                    parts.change(&text);
                } else {
                    parts.problem(Some(&value.name), error);
                }
            }
        }
    }

    /// On a thread of its own, because plugin code may hang.
    fn validate(&self, config: RawConfig) -> Result<ConfigInfos, String> {
        let (answer, outcome) = channel();
        let (plugins, worker) = (Arc::clone(&self.plugins), Arc::clone(&self.worker));
        let exactly_once = self.exactly_once;
        std::thread::Builder::new()
            .name("connector-validation".to_owned())
            .spawn(move || {
                // Who asked may have given up.
                let _ = answer.send(plugin_calls::validate_now(
                    &plugins,
                    &worker,
                    exactly_once,
                    &config,
                    Outreach::Offline,
                ));
            })
            .map_err(|error| format!("no thread for it: {error}"))?;
        match outcome.recv_timeout(VALIDATION) {
            Ok(outcome) => outcome.map_err(|error: HerderError| error.to_string()),
            Err(_) => Err(format!("it gave no answer within {} s", VALIDATION.as_secs())),
        }
    }

    fn check_changes(
        &self,
        name: &str,
        plugin: &ConnectorPlugin,
        configs: &ConfigSnapshot,
        statuses: &StatusState,
        parts: &mut Parts,
    ) {
        let task_classes: BTreeSet<&str> = configs
            .tasks(name)
            .iter()
            .filter_map(|id| configs.task_config(id)?.get(TASK_CLASS))
            .filter(|class| *class != &*plugin.task_class)
            .collect();
        for class in task_classes {
            parts.changes.push(format!(
                "{TASK_CLASS} changes from {class} to {}: its task configurations are published again",
                plugin.task_class
            ));
        }
        let before = statuses.connector(name).and_then(|status| status.version.clone());
        if let (Some(before), Some(after)) = (before, plugin.stated_version())
            && before != after
        {
            parts
                .changes
                .push(format!("version in its status changes from {before} to {after}"));
        }
    }

    /// Settings of its clients that are honoured with a difference.
    fn check_clients(&self, name: &str, kind: ConnectorType, config: &ConfigMap, parts: &mut Parts) {
        use crate::config::ClientKind;
        let (client, of_kafka, settings) = if kind == ConnectorType::Sink {
            (
                ClientKind::Consumer,
                wharf_kafka::ClientKind::Consumer,
                sink_consumer_config(&self.worker, name, 0, config),
            )
        } else {
            (
                ClientKind::Producer,
                wharf_kafka::ClientKind::Producer,
                source_producer_config(&self.worker, name, 0, config),
            )
        };
        // What cannot be translated at all is a mistake, and told as one.
        let Ok(translated) = wharf_kafka::translate(of_kafka, &settings) else {
            return;
        };
        let overrides = client.overrides(config);
        for warning in translated.warnings {
            parts.change(&format!("its {client}: {warning}"));
        }
        for key in translated
            .unknown
            .iter()
            .filter(|key| overrides.contains_key(*key))
        {
            parts.change(&format!(
                "{}{key} is not a setting that Kafka's clients know; it has no effect",
                client.override_prefix()
            ));
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    secrets: Secrets,
    problems: Vec<Problem>,
    changes: Vec<String>,
}

impl Parts {
    fn problem(&mut self, key: Option<&str>, message: &str) {
        let problem = Problem {
            key: key.map(str::to_owned),
            message: self.secrets.hide(message),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn change(&mut self, message: &str) {
        let message = self.secrets.hide(message);
        if !self.changes.contains(&message) {
            self.changes.push(message);
        }
    }
}

/// Keys whose values must not be shown.
fn secret_keys(infos: &ConfigInfos) -> Vec<String> {
    infos
        .configs
        .iter()
        .filter_map(|info| info.definition.as_ref())
        .filter(|definition| definition.value_type == "PASSWORD")
        .map(|definition| definition.name.clone())
        .collect()
}

/// Names of config providers in a configuration, with the keys that refer to each.
fn references(config: &ConfigMap) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in config.iter().filter(|(_, value)| has_placeholder(value)) {
        for (at, opening) in value.match_indices("${") {
            let inside = value[at + opening.len()..]
                .split_once('}')
                .map(|(inside, _)| inside);
            if let Some((provider, _)) = inside.and_then(|inside| inside.split_once(':')) {
                found.entry(provider.to_owned()).or_default().insert(key.clone());
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "connector_check_tests.rs"]
mod tests;
