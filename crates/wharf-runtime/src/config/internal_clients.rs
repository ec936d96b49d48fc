//! The settings of a distributed worker's own Kafka clients, under Java's names, and translated.
//!
//! Every top-level property of the worker file that a client knows reaches it, security included; what Connect itself must
//! have comes on top and cannot be set otherwise. Properties with `producer.`, `consumer.` and `admin.` are for connectors'
//! clients and do not come here.
//!
//! What must stay true: one record of a key never overtakes another (one request in flight without idempotence), no write is
//! given up that a store waits for, and with exactly-once enabled nobody reads what a fenced worker wrote.

use std::time::Duration;

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_kafka::{ClientKind, LogClients, Translated, definition, translate};
use wharf_membership::ConnectionSettings;

use super::distributed_config::{DistributedConfig, ExactlyOnceSupport};
use super::worker_key::Support;
use super::worker_mode::WorkerMode;

/// Settings of a consumer as a group member. The logs' consumers read by themselves, so the worker's own membership, which
/// has keys of the same names, must not reach them: its heartbeat may not fit a consumer's session.
const OF_MEMBERS: &[&str] = &[
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
];

/// A topic that all workers of a group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InternalTopic {
    /// Configurations.
    Config,
    /// Source offsets.
    Offset,
    /// States.
    Status,
}

impl InternalTopic {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Config, Self::Offset, Self::Status];

    /// The worker key that names it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Config => "config.storage.topic",
            Self::Offset => "offset.storage.topic",
            Self::Status => "status.storage.topic",
        }
    }

    /// What tells it from the others, in a word.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Offset => "offset",
            Self::Status => "status",
        }
    }

    /// What its further keys start with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Config => "config.storage.",
            Self::Offset => "offset.storage.",
            Self::Status => "status.storage.",
        }
    }

    /// What it holds, for messages.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Config => "configurations of connectors",
            Self::Offset => "source offsets",
            Self::Status => "states of connectors and tasks",
        }
    }

    /// The end of its clients' ids.
    fn client_id(self) -> &'static str {
        match self {
            Self::Config => "configs",
            Self::Offset => "offsets",
            Self::Status => "statuses",
        }
    }
}

/// Whether a top-level property of a distributed worker reaches a client of its own.
pub(super) fn is_internal_client_key(key: &str) -> bool {
    [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin]
        .into_iter()
        .any(|kind| definition(kind, key).is_some())
}

/// Settings of the producer that writes to this topic.
#[must_use]
pub fn internal_producer_config(config: &DistributedConfig, topic: InternalTopic) -> ConfigMap {
    let mut settings = inherited(config, ClientKind::Producer);
    force(
        &mut settings,
        [
            ("client.id", client_id(config, topic.client_id())),
            ("acks", "all".to_owned()),
            ("max.in.flight.requests.per.connection", "1".to_owned()),
            ("enable.idempotence", "false".to_owned()),
        ],
    );
    settings.remove("transactional.id");
    if topic == InternalTopic::Status {
        // the store tries again by itself, and only while the state it writes is the newest
        force(&mut settings, [("retries", "0".to_owned())]);
    } else {
        force(&mut settings, [("delivery.timeout.ms", i32::MAX.to_string())]);
    }
    settings
}

/// Settings of the consumer that reads this topic.
#[must_use]
pub fn internal_consumer_config(config: &DistributedConfig, topic: InternalTopic) -> ConfigMap {
    let mut settings = inherited(config, ClientKind::Consumer);
    settings.retain(|key, _| !OF_MEMBERS.contains(&key.as_str()));
    force(
        &mut settings,
        [
            ("client.id", client_id(config, topic.client_id())),
            ("group.id", config.group_id.clone()),
            ("auto.offset.reset", "earliest".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
        ],
    );
    if config.reads_committed_only(topic) {
        force(&mut settings, [("isolation.level", "read_committed".to_owned())]);
    }
    settings
}

/// Settings of the admin client that makes and looks at the internal topics.
#[must_use]
pub fn shared_admin_config(config: &DistributedConfig) -> ConfigMap {
    let mut settings = inherited(config, ClientKind::Admin);
    force(&mut settings, [("client.id", client_id(config, "shared-admin"))]);
    settings
}

/// Settings of the producer by which a leader writes to the config topic and fences the leader before it; nothing while
/// `exactly.once.source.support` is `disabled`.
#[must_use]
pub fn leader_producer_config(config: &DistributedConfig) -> Option<ConfigMap> {
    if !config.exactly_once.leader_is_transactional() {
        return None;
    }
    let mut settings = inherited(config, ClientKind::Producer);
    force(
        &mut settings,
        [
            ("client.id", client_id(config, "configs-leader")),
            ("acks", "all".to_owned()),
            // idempotence keeps their order
            ("max.in.flight.requests.per.connection", "5".to_owned()),
            ("delivery.timeout.ms", i32::MAX.to_string()),
            ("enable.idempotence", "true".to_owned()),
            ("transactional.id", config.leader_transactional_id()),
        ],
    );
    Some(settings)
}

/// Warnings about settings that are the worker's to choose when exactly-once is prepared or enabled.
pub(super) fn forced_settings(originals: &ConfigMap, exactly_once: ExactlyOnceSupport) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut forced = |key: &str, value: &str, why: &str| {
        if let Some(given) = originals.get(key)
            && !given.trim().eq_ignore_ascii_case(value)
        {
            warnings.push(format!(
                "{key}={given} does not count for {why}: with exactly.once.source.support={exactly_once} it is {value}"
            ));
        }
    };
    if exactly_once.leader_is_transactional() {
        const LEADER: &str = "the leader's producer";
        forced("enable.idempotence", "true", LEADER);
        forced("transactional.id", "made of group.id", LEADER);
    }
    if exactly_once.is_enabled() {
        forced(
            "isolation.level",
            "read_committed",
            "the consumers of config and offset topic",
        );
    }
    warnings
}

/// All clients of the worker's own but the membership, ready to be made.
#[derive(Debug, Clone)]
pub struct InternalClients {
    /// Of the config topic.
    pub configs: LogClients,
    /// Of the offset topic.
    pub offsets: LogClients,
    /// Of the status topic.
    pub statuses: LogClients,
    /// For all three.
    pub shared_admin: Translated,
    /// The leader's transactional producer, where one is used.
    pub leader_producer: Option<Translated>,
    /// Settings that are honoured with a difference, each once.
    pub warnings: Vec<String>,
}

impl InternalClients {
    /// Translates the settings of all clients.
    ///
    /// # Errors
    /// Every setting that a client cannot be made with, once, however many clients share it.
    pub fn translate(config: &DistributedConfig) -> Result<Self, Vec<String>> {
        let mut problems: Vec<String> = Vec::new();
        let mut warnings: Vec<String> = Vec::new();
        let mut client = |kind, settings: &ConfigMap| match translate(kind, settings) {
            Ok(translated) => {
                add_new(&mut warnings, translated.warnings.iter().cloned());
                translated
            }
            Err(found) => {
                let found = found
                    .into_iter()
                    .map(|problem| format!("{}: {}", problem.key, problem.message));
                add_new(&mut problems, found);
                Translated::default()
            }
        };
        let mut log = |topic| LogClients {
            producer: client(ClientKind::Producer, &internal_producer_config(config, topic)),
            consumer: client(ClientKind::Consumer, &internal_consumer_config(config, topic)),
        };
        let (configs, offsets, statuses) = (
            log(InternalTopic::Config),
            log(InternalTopic::Offset),
            log(InternalTopic::Status),
        );
        let shared_admin = client(ClientKind::Admin, &shared_admin_config(config));
        let leader_producer =
            leader_producer_config(config).map(|settings| client(ClientKind::Producer, &settings));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            configs,
            offsets,
            statuses,
            shared_admin,
            leader_producer,
            warnings,
        })
    }

    /// The clients of this topic.
    #[must_use]
    pub fn log(&self, topic: InternalTopic) -> &LogClients {
        match topic {
            InternalTopic::Config => &self.configs,
            InternalTopic::Offset => &self.offsets,
            InternalTopic::Status => &self.statuses,
        }
    }
}

/// What clients will refuse of the top-level properties of a worker file that has other mistakes too, so that all are told
/// at once. What the worker's own catalogue says of a key is not said again.
pub(crate) fn top_level_mistakes(mode: WorkerMode, properties: &ConfigMap) -> Vec<String> {
    let kinds: &[ClientKind] = match mode {
        WorkerMode::Standalone => &[ClientKind::Admin],
        WorkerMode::Distributed => &[ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin],
    };
    // variables have been replaced before a client is made
    let mut told = vec!["config.providers".to_owned()];
    for entry in mode.keys() {
        if matches!(entry.support, Support::Refused { .. }) {
            told.push(entry.key.name().to_owned());
        }
    }
    for value in mode.config_def().validate(properties) {
        if !value.errors.is_empty() {
            told.push(value.name);
        }
    }
    let mut mistakes = Vec::new();
    for kind in kinds {
        let settings: ConfigMap = properties
            .iter()
            .filter(|(key, _)| definition(*kind, key).is_some() && !OF_MEMBERS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let problems = translate(*kind, &settings).err().unwrap_or_default();
        let found = problems
            .into_iter()
            .filter(|problem| settings.contains_key(&problem.key) && !told.contains(&problem.key))
            .map(|problem| format!("{}: {}", problem.key, problem.message));
        add_new(&mut mistakes, found);
    }
    mistakes
}

/// What the connection to the group needs to know. The worker's id is the host and port that others reach it by.
///
/// # Errors
/// When a setting cannot be used; all such in one message.
pub fn membership_connection(config: &DistributedConfig, worker_id: &str) -> Result<ConnectionSettings> {
    let mut settings = inherited(config, ClientKind::Admin);
    let id = if config.client_id.is_empty() {
        format!("connect-{worker_id}")
    } else {
        config.client_id.clone()
    };
    force(&mut settings, [("client.id", id)]);
    let mut translated = translate(ClientKind::Admin, &settings).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        ConnectError::config(format!(
            "the connection to the group cannot be configured: {}",
            list.join("; ")
        ))
    })?;
    // librdkafka's admin client has no such keys, or other ranges; an unlimited wait would hide a broker that is gone
    let mut millis = |key: &str, time: Duration| {
        let time = time.max(Duration::from_millis(1)).as_millis();
        translated.librdkafka.insert(key.to_owned(), time.to_string());
    };
    millis("request.timeout.ms", config.request_timeout);
    millis(
        "socket.connection.setup.timeout.ms",
        config.connection_setup_timeout,
    );
    ConnectionSettings::from_properties(&translated.librdkafka).map_err(|error| {
        ConnectError::config(format!(
            "the connection to the group cannot be configured: {error}"
        ))
    })
}

/// What the worker file says at its top level that this kind of client knows.
fn inherited(config: &DistributedConfig, kind: ClientKind) -> ConfigMap {
    let mut settings: ConfigMap = config
        .worker
        .originals
        .iter()
        // variables have been replaced before a client is made
        .filter(|(key, _)| key.as_str() != "config.providers" && definition(kind, key).is_some())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let servers = config.worker.bootstrap_servers.join(",");
    force(&mut settings, [("bootstrap.servers", servers)]);
    settings
}

fn force(settings: &mut ConfigMap, entries: impl IntoIterator<Item = (&'static str, String)>) {
    settings.extend(entries.into_iter().map(|(key, value)| (key.to_owned(), value)));
}

/// `<group.id>[-<client.id>]-<suffix>`, as JVM workers call theirs.
fn client_id(config: &DistributedConfig, suffix: &str) -> String {
    if config.client_id.is_empty() {
        format!("{}-{suffix}", config.group_id)
    } else {
        format!("{}-{}-{suffix}", config.group_id, config.client_id)
    }
}

fn add_new(list: &mut Vec<String>, items: impl Iterator<Item = String>) {
    for item in items {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

#[cfg(test)]
#[path = "internal_clients_tests.rs"]
mod tests;
