//! The part of a worker's configuration that both modes share: properties in, every mistake at once or a checked struct out.
//!
//! The modes parse through here ([`StandaloneConfig`](super::StandaloneConfig), [`DistributedConfig`](super::DistributedConfig)), so that
//! a file is read once, by one definition, and mistakes of shared and own keys are told together.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use wharf_api::config::{ParsedConfig, ParsedValue};
use wharf_api::{ConfigMap, ConnectError};

use super::client_override_policy::{ClientOverridePolicy, OVERRIDE_ALLOWLIST_KEY, OVERRIDE_POLICY_KEY};
use super::converter_config::{ConverterConfig, ConverterKind, with_prefix};
use super::cors::CrossOrigin;
use super::internal_clients::is_internal_client_key;
use super::listener::{AdminListeners, Listener, RestConfig, Scheme};
use super::response_headers::{HeaderRule, RESPONSE_HEADERS};
use super::worker_key::{PrefixRule, PrefixSupport, Support};
use super::worker_keys::{
    ADMIN_CLIENT_KEYS, ADMIN_CLIENT_PREFIXES, PREVIEW_ENABLE, RESTART_BACKOFF, RESTART_BACKOFF_MAX,
};
use super::worker_mode::WorkerMode;
use crate::config_providers::ConfigProviders;
use crate::herder::restart_policy::{ON_FAILURE, RESTART_POLICY, RestartPolicy};
use crate::metrics::Sampling;

/// How many bytes of records may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// By one task.
    pub task_max_bytes: u64,
    /// By all tasks together; not below the limit of one task.
    pub worker_max_bytes: u64,
}

/// The checked configuration of a worker, without what only one mode has.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Kafka brokers to start from.
    pub bootstrap_servers: Vec<String>,
    /// Default converter of keys.
    pub key_converter: ConverterConfig,
    /// Default converter of values.
    pub value_converter: ConverterConfig,
    /// Default converter of headers.
    pub header_converter: ConverterConfig,
    /// Time for all tasks together to stop.
    pub task_shutdown_graceful_timeout: Duration,
    /// How often offsets are committed.
    pub offset_flush_interval: Duration,
    /// Time for one attempt to commit offsets.
    pub offset_flush_timeout: Duration,
    /// The group of which the worker is a member; none alone.
    pub group_id: Option<String>,
    /// After how long a silence that group takes a worker for dead; none alone.
    pub group_session: Option<Duration>,
    /// Folders with plugins.
    pub plugin_path: Vec<PathBuf>,
    /// Which client settings connectors may override.
    pub override_policy: ClientOverridePolicy,
    /// Whether source connectors may create topics by rules.
    pub topic_creation_enable: bool,
    /// Whether used topics are recorded.
    pub topic_tracking_enable: bool,
    /// Whether the record of used topics may be reset.
    pub topic_tracking_allow_reset: bool,
    /// Whether previews are allowed.
    pub preview_enable: bool,
    /// The REST interface.
    pub rest: RestConfig,
    /// Byte budgets.
    pub memory: MemoryLimits,
    /// What is done about connectors and tasks that fail.
    pub restart: RestartPolicy,
    /// How rates, averages and extremes are sampled.
    pub sampling: Sampling,
    /// Settings for producers of connectors (`producer.`, prefix removed).
    pub producer: ConfigMap,
    /// Settings for consumers of connectors (`consumer.`, prefix removed).
    pub consumer: ConfigMap,
    /// Settings for admin clients (`admin.`, prefix removed).
    pub admin: ConfigMap,
    /// Unprefixed client settings, which admin clients alone inherit.
    pub inherited_by_admin: ConfigMap,
    /// Things worth one warning each at start: keys without effect, unknown keys.
    pub warnings: Vec<String>,
    /// What references in configurations of connectors are resolved with.
    pub config_providers: ConfigProviders,
    /// The properties, references of the file resolved.
    pub originals: ConfigMap,
}

impl WorkerConfig {
    /// Checks the properties of a worker file. `found` are mistakes that the mode found beyond what its definition says of
    /// single keys; they are told after those.
    ///
    /// # Errors
    ///
    /// Every mistake: values that do not parse or are out of range, required keys that are missing, keys that ask for
    /// something this build does not do.
    pub(super) fn parse(
        mode: WorkerMode,
        properties: &ConfigMap,
        found: Vec<ConnectError>,
    ) -> Result<(Self, ParsedConfig), Vec<ConnectError>> {
        let mut errors = Vec::new();
        refuse_unsupported(mode, properties, &mut errors);
        let parsed = match mode.config_def().parse_all(properties) {
            Ok(parsed) => Some(parsed),
            Err(mistakes) => {
                errors.extend(mistakes);
                None
            }
        };
        let rest = or_push(rest_config(properties), &mut errors);
        errors.extend(found);
        let policy = override_policy(properties);
        match (parsed, rest) {
            (Some(parsed), Some(rest)) if errors.is_empty() => {
                let worker = Self::build(mode, &parsed, rest, policy).map_err(|error| vec![error])?;
                Ok((worker, parsed))
            }
            _ => Err(errors),
        }
    }

    fn build(
        mode: WorkerMode,
        parsed: &ParsedConfig,
        rest: RestConfig,
        override_policy: ClientOverridePolicy,
    ) -> Result<Self, ConnectError> {
        let originals = parsed.originals();
        let millis = |key: &str| -> Result<Duration, ConnectError> {
            // the validators refuse negative numbers
            Ok(Duration::from_millis(parsed.long(key)?.unsigned_abs()))
        };
        let converter = |kind: ConverterKind| -> Result<ConverterConfig, ConnectError> {
            Ok(ConverterConfig::new(
                kind,
                parsed.class(kind.class_key())?,
                originals,
            ))
        };
        let memory = MemoryLimits {
            task_max_bytes: parsed.long("wharf.task.memory.max.bytes")?.unsigned_abs(),
            worker_max_bytes: parsed.long("wharf.worker.memory.max.bytes")?.unsigned_abs(),
        };
        if memory.worker_max_bytes < memory.task_max_bytes {
            return Err(ConnectError::invalid_config(
                "wharf.worker.memory.max.bytes",
                memory.worker_max_bytes,
                &format!(
                    "it must not be below wharf.task.memory.max.bytes, which is {}",
                    memory.task_max_bytes
                ),
            ));
        }
        let restart = RestartPolicy {
            on_failure: parsed
                .string(RESTART_POLICY)?
                .trim()
                .eq_ignore_ascii_case(ON_FAILURE),
            backoff: millis(RESTART_BACKOFF)?,
            backoff_max: millis(RESTART_BACKOFF_MAX)?,
        };
        if restart.backoff_max < restart.backoff {
            return Err(ConnectError::invalid_config(
                RESTART_BACKOFF_MAX,
                restart.backoff_max.as_millis(),
                &format!(
                    "it must not be below {RESTART_BACKOFF}, which is {}",
                    restart.backoff.as_millis()
                ),
            ));
        }
        let mut admin = with_prefix(originals, "admin.");
        admin.remove("listeners");
        Ok(Self {
            bootstrap_servers: parsed.list("bootstrap.servers")?.to_vec(),
            key_converter: converter(ConverterKind::Key)?,
            value_converter: converter(ConverterKind::Value)?,
            header_converter: converter(ConverterKind::Header)?,
            task_shutdown_graceful_timeout: millis("task.shutdown.graceful.timeout.ms")?,
            offset_flush_interval: millis("offset.flush.interval.ms")?,
            offset_flush_timeout: millis("offset.flush.timeout.ms")?,
            group_id: match mode {
                WorkerMode::Standalone => None,
                WorkerMode::Distributed => Some(parsed.string("group.id")?.to_owned()),
            },
            group_session: match mode {
                WorkerMode::Standalone => None,
                WorkerMode::Distributed => Some(Duration::from_millis(
                    u64::try_from(parsed.int("session.timeout.ms")?).unwrap_or(0),
                )),
            },
            plugin_path: folders(parsed.get_list("plugin.path").unwrap_or_default()),
            override_policy,
            topic_creation_enable: parsed.boolean("topic.creation.enable")?,
            topic_tracking_enable: parsed.boolean("topic.tracking.enable")?,
            topic_tracking_allow_reset: parsed.boolean("topic.tracking.allow.reset")?,
            preview_enable: parsed.boolean(PREVIEW_ENABLE)?,
            rest,
            memory,
            restart,
            sampling: Sampling {
                samples: usize::try_from(parsed.int("metrics.num.samples")?).unwrap_or(1),
                window_ms: parsed.long("metrics.sample.window.ms")?.unsigned_abs(),
            },
            producer: with_prefix(originals, "producer."),
            consumer: with_prefix(originals, "consumer."),
            admin,
            inherited_by_admin: originals
                .iter()
                .filter(|(key, _)| is_admin_client_key(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            warnings: warnings(mode, parsed),
            config_providers: ConfigProviders::named_in(originals),
            originals: originals.clone(),
        })
    }

    /// The worker's default converter of this kind.
    #[must_use]
    pub fn converter(&self, kind: ConverterKind) -> &ConverterConfig {
        match kind {
            ConverterKind::Key => &self.key_converter,
            ConverterKind::Value => &self.value_converter,
            ConverterKind::Header => &self.header_converter,
        }
    }
}

impl fmt::Debug for WorkerConfig {
    /// Leaves out client settings and originals, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("key_converter", &self.key_converter)
            .field("value_converter", &self.value_converter)
            .field("header_converter", &self.header_converter)
            .field("plugin_path", &self.plugin_path)
            .field("override_policy", &self.override_policy)
            .field("rest", &self.rest)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

fn or_push<T>(result: Result<T, Vec<ConnectError>>, errors: &mut Vec<ConnectError>) -> Option<T> {
    result.map_err(|mistakes| errors.extend(mistakes)).ok()
}

fn folders(items: &[String]) -> Vec<PathBuf> {
    items
        .iter()
        .filter(|item| !item.is_empty())
        .map(PathBuf::from)
        .collect()
}

fn is_admin_client_key(key: &str) -> bool {
    key == "client.dns.lookup"
        || key != "ssl.client.auth"
            && (ADMIN_CLIENT_KEYS.contains(&key)
                || ADMIN_CLIENT_PREFIXES.iter().any(|prefix| key.starts_with(prefix)))
}

/// Names every key that asks for something this build does not do.
fn refuse_unsupported(mode: WorkerMode, properties: &ConfigMap, errors: &mut Vec<ConnectError>) {
    for entry in mode.keys() {
        let Support::Refused { accepts, instead } = entry.support else {
            continue;
        };
        let name = entry.key.name();
        let Some(text) = properties.get(name) else {
            continue;
        };
        // a text that does not parse is reported by the definition itself
        let parsed = wharf_api::config::parse_type(name, text, entry.key.info().value_type);
        if parsed.is_ok_and(|value| !accepts(&value)) {
            errors.push(ConnectError::invalid_config(name, text, instead));
        }
    }
    for key in properties.keys() {
        if let Some(PrefixRule {
            support: PrefixSupport::Refused(instead),
            ..
        }) = mode.prefix_rule(key)
        {
            errors.push(ConnectError::config(format!(
                "configuration {key} cannot be used: {instead}"
            )));
        }
    }
}

fn override_policy(properties: &ConfigMap) -> ClientOverridePolicy {
    let name = properties
        .get(OVERRIDE_POLICY_KEY)
        .map_or("All", |name| name.trim());
    ClientOverridePolicy::from_name(
        name,
        &list(properties, OVERRIDE_ALLOWLIST_KEY).unwrap_or_default(),
    )
}

fn list(properties: &ConfigMap, key: &str) -> Option<Vec<String>> {
    let text = properties.get(key)?;
    match wharf_api::config::parse_type(key, text, wharf_api::config::Type::List) {
        Ok(ParsedValue::List(items)) => Some(items),
        _ => None,
    }
}

/// Mistakes of single values that the definition reports are passed over here.
fn rest_config(properties: &ConfigMap) -> Result<RestConfig, Vec<ConnectError>> {
    let mut errors = Vec::new();
    let mut parse = |key: &str, items: &[String]| -> Vec<Listener> {
        items
            .iter()
            .filter_map(|item| {
                let parsed = if item.is_empty() {
                    Err(ConnectError::config(
                        "Empty URL found when parsing listeners list.",
                    ))
                } else {
                    Listener::parse(item)
                };
                parsed
                    .map_err(|error| errors.push(ConnectError::config(format!("{key}: {}", error.message()))))
                    .ok()
            })
            .collect()
    };
    let main = list(properties, "listeners").unwrap_or_else(|| vec!["http://:8083".to_owned()]);
    let listeners = parse("listeners", &main);
    let admin_listeners = match list(properties, "admin.listeners") {
        None => AdminListeners::OnMainListeners,
        Some(items) if items.is_empty() => AdminListeners::Off,
        Some(items) => AdminListeners::Separate(parse("admin.listeners", &items)),
    };
    if main.is_empty() {
        errors.push(ConnectError::config(
            "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443.",
        ));
    }
    let text = |key: &str| properties.get(key).map(|text| text.trim().to_owned());
    let advertised_scheme = match text("rest.advertised.listener").map(|text| text.to_ascii_lowercase()) {
        None => None,
        Some(scheme) if scheme.is_empty() => None,
        Some(scheme) if scheme == "http" => Some(Scheme::Http),
        Some(scheme) if scheme == "https" => Some(Scheme::Https),
        Some(other) => {
            errors.push(ConnectError::invalid_config(
                "rest.advertised.listener",
                other,
                "it must be http or https",
            ));
            None
        }
    };
    let cross_origin = CrossOrigin::read(properties).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(RestConfig {
        listeners,
        admin_listeners,
        advertised_host: text("rest.advertised.host.name").filter(|host| !host.is_empty()),
        advertised_port: text("rest.advertised.port").and_then(|port| port.parse().ok()),
        advertised_scheme,
        cross_origin,
        response_headers: properties
            .get(RESPONSE_HEADERS)
            .and_then(|rules| HeaderRule::read_all(rules).ok())
            .unwrap_or_default(),
    })
}

fn warnings(mode: WorkerMode, parsed: &ParsedConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    let (mut unknown, mut misplaced) = (Vec::new(), Vec::new());
    let of_other_mode = mode.other().config_def();
    for key in parsed.unknown_keys() {
        let reaches_a_client =
            is_admin_client_key(key) || mode == WorkerMode::Distributed && is_internal_client_key(key);
        match mode.prefix_rule(key) {
            Some(PrefixRule {
                support: PrefixSupport::Warned(why),
                ..
            }) => warnings.push(format!("{key}: {why}")),
            // also where a prefix of this mode covers it: offset.storage.file.filename is no setting of a topic
            _ if of_other_mode.key(key).is_some() && !reaches_a_client => misplaced.push(key),
            None if mode.other().prefix_rule(key).is_some() => misplaced.push(key),
            None if !reaches_a_client => unknown.push(key),
            _ => {}
        }
    }
    if !misplaced.is_empty() {
        warnings.push(format!(
            "these properties are for {} workers and have no effect on this {mode} worker: {}",
            mode.other(),
            misplaced.join(", ")
        ));
    }
    if !unknown.is_empty() {
        warnings.push(format!(
            "these worker properties are not known and have no effect, check their spelling: {}",
            unknown.join(", ")
        ));
    }
    warnings
}

#[cfg(test)]
#[path = "worker_config_tests.rs"]
mod tests;
