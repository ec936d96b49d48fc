//! The worker's configuration in distributed mode: the group, its three topics, and what workers ask of each other.
//!
//! What must stay true: a mistake that several keys make together is told beside those of single keys, and a setting of an
//! internal topic that cannot be honoured (its cleanup policy, the config topic's partitions) is warned about by name.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use wharf_api::config::{ParsedConfig, ParsedValue};
use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::member::MemberSettings;
use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::session_key::KeyGenerator;
use wharf_cluster::signature::MacAlgorithm;
use wharf_cluster::time::Millis;
use wharf_kafka::{LogTopic, NewTopic};

use super::converter_config::with_prefix;
use super::internal_clients::{InternalTopic, forced_settings};
use super::worker_config::WorkerConfig;
use super::worker_mode::WorkerMode;

/// `exactly.once.source.support` (KIP-618).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// Sources are at-least-once.
    Disabled,
    /// The leader writes by transactions already, source tasks do not yet.
    Preparing,
    /// Source tasks write records and offsets in transactions.
    Enabled,
}

impl ExactlyOnceSupport {
    /// Whether the leader claims the config topic by a transactional producer.
    #[must_use]
    pub fn leader_is_transactional(self) -> bool {
        self != Self::Disabled
    }

    /// Whether source tasks write in transactions.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self == Self::Enabled
    }
}

/// As its key spells it.
impl fmt::Display for ExactlyOnceSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "disabled",
            Self::Preparing => "preparing",
            Self::Enabled => "enabled",
        })
    }
}

/// How requests between workers are signed (KIP-507).
#[derive(Debug, Clone)]
pub struct InterWorkerConfig {
    /// What kind of key this worker makes when it leads.
    pub key_generator: KeyGenerator,
    /// How long a key is used; zero for no end.
    pub key_ttl: Duration,
    /// What own requests are signed by; one of `verification_algorithms`.
    pub signature_algorithm: MacAlgorithm,
    /// What others may sign theirs by, as written; at least one.
    pub verification_algorithms: Vec<String>,
}

/// The checked configuration of a distributed worker.
#[derive(Debug, Clone)]
pub struct DistributedConfig {
    /// What it shares with a standalone worker.
    pub worker: Arc<WorkerConfig>,
    /// Name of the group of workers.
    pub group_id: String,
    /// Part of the client ids of the worker's own clients; empty for none.
    pub client_id: String,
    /// The newest protocol to offer.
    pub protocol: ConnectProtocol,
    /// How long the group waits for a heartbeat.
    pub session_timeout: Duration,
    /// How long the group waits for members to join.
    pub rebalance_timeout: Duration,
    /// Time between heartbeats; less than the session timeout.
    pub heartbeat_interval: Duration,
    /// How long a leader keeps the work of a lost worker for it, in milliseconds; not negative.
    pub scheduled_rebalance_max_delay_ms: i32,
    /// For one attempt to catch up with the config topic.
    pub worker_sync_timeout: Duration,
    /// How long to stay away after that failed.
    pub worker_unsync_backoff: Duration,
    /// Whether and how transactions are used.
    pub exactly_once: ExactlyOnceSupport,
    /// The topic of configurations.
    pub config_topic: LogTopic,
    /// The topic of source offsets.
    pub offset_topic: LogTopic,
    /// The topic of states.
    pub status_topic: LogTopic,
    /// Signatures.
    pub inter_worker: InterWorkerConfig,
    /// For a broker's answer.
    pub request_timeout: Duration,
    /// For a connection to a broker, TLS and authentication included.
    pub connection_setup_timeout: Duration,
    /// First wait before something is tried again.
    pub retry_backoff: Duration,
    /// Longest wait before something is tried again.
    pub retry_backoff_max: Duration,
}

impl DistributedConfig {
    /// Checks the properties of a worker file.
    ///
    /// # Errors
    ///
    /// Every mistake: values that do not parse, are out of range or do not fit together, required keys that are missing,
    /// keys that ask for something this build does not do.
    pub fn parse(properties: &ConfigMap) -> Result<Self, Vec<ConnectError>> {
        let mode = WorkerMode::Distributed;
        let (worker, parsed) = WorkerConfig::parse(mode, properties, check_together(properties))?;
        Self::build(worker, &parsed).map_err(|error| vec![error])
    }

    fn build(mut worker: WorkerConfig, parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        // the validators refuse negative numbers
        let int = |key: &str| -> Result<Duration, ConnectError> {
            Ok(Duration::from_millis(u64::from(parsed.int(key)?.unsigned_abs())))
        };
        let long = |key: &str| -> Result<Duration, ConnectError> {
            Ok(Duration::from_millis(parsed.long(key)?.unsigned_abs()))
        };
        let invalid = |key: &str, error: &dyn fmt::Display| ConnectError::config(format!("{key}: {error}"));
        let protocol = parsed.string("connect.protocol")?;
        let signature = parsed.string("inter.worker.signature.algorithm")?;
        let topics = [
            InternalTopic::Config,
            InternalTopic::Offset,
            InternalTopic::Status,
        ]
        .map(|topic| log_topic(topic, parsed, &mut worker.warnings));
        let [config_topic, offset_topic, status_topic] = topics;
        let (config_topic, offset_topic, status_topic) = (config_topic?, offset_topic?, status_topic?);
        let exactly_once = exactly_once(parsed.string("exactly.once.source.support")?);
        warn_of_shared_topics(
            &[&config_topic, &offset_topic, &status_topic],
            &mut worker.warnings,
        );
        worker
            .warnings
            .extend(forced_settings(parsed.originals(), exactly_once));
        Ok(Self {
            group_id: parsed.string("group.id")?.to_owned(),
            client_id: parsed.string("client.id")?.to_owned(),
            protocol: protocol
                .parse()
                .map_err(|error| invalid("connect.protocol", &error))?,
            session_timeout: int("session.timeout.ms")?,
            rebalance_timeout: int("rebalance.timeout.ms")?,
            heartbeat_interval: int("heartbeat.interval.ms")?,
            scheduled_rebalance_max_delay_ms: parsed.int("scheduled.rebalance.max.delay.ms")?,
            worker_sync_timeout: int("worker.sync.timeout.ms")?,
            worker_unsync_backoff: int("worker.unsync.backoff.ms")?,
            exactly_once,
            config_topic,
            offset_topic,
            status_topic,
            inter_worker: InterWorkerConfig {
                key_generator: KeyGenerator::new(
                    parsed.string("inter.worker.key.generation.algorithm")?,
                    parsed.get_int("inter.worker.key.size").map(i32::unsigned_abs),
                )
                .map_err(|error| ConnectError::config(error.to_string()))?,
                key_ttl: int("inter.worker.key.ttl.ms")?,
                signature_algorithm: MacAlgorithm::new(signature)
                    .map_err(|error| invalid("inter.worker.signature.algorithm", &error))?,
                verification_algorithms: parsed.list("inter.worker.verification.algorithms")?.to_vec(),
            },
            request_timeout: int("request.timeout.ms")?,
            connection_setup_timeout: long("socket.connection.setup.timeout.max.ms")?,
            retry_backoff: long("retry.backoff.ms")?,
            retry_backoff_max: long("retry.backoff.max.ms")?,
            worker: Arc::new(worker),
        })
    }

    /// The log of this topic, and how it has to be.
    #[must_use]
    pub fn topic(&self, topic: InternalTopic) -> &LogTopic {
        match topic {
            InternalTopic::Config => &self.config_topic,
            InternalTopic::Offset => &self.offset_topic,
            InternalTopic::Status => &self.status_topic,
        }
    }

    /// What a group member has to know. `url` is what others reach this worker's REST API by, with a slash at its end;
    /// `jitter_seed` should differ between workers.
    #[must_use]
    pub fn member_settings(&self, url: impl Into<String>, jitter_seed: u64) -> MemberSettings {
        MemberSettings {
            mode: self.protocol,
            session_timeout: millis(self.session_timeout),
            rebalance_timeout: millis(self.rebalance_timeout),
            heartbeat_interval: millis(self.heartbeat_interval),
            retry_backoff: millis(self.retry_backoff),
            retry_backoff_max: millis(self.retry_backoff_max),
            request_timeout: millis(self.request_timeout),
            // upstream gives one attempt to find the coordinator as long as a heartbeat
            discovery_timeout: millis(self.heartbeat_interval),
            jitter_seed,
            ..MemberSettings::new(&self.group_id, url)
        }
    }

    /// A seed for the jitter of waits that no other worker has, so that workers do not all come back at once.
    #[must_use]
    pub fn jitter_seed(&self) -> u64 {
        // the standard library gives each process, and each of these, keys of its own
        RandomState::new().hash_one(&self.group_id)
    }

    /// Whether readers of this topic leave out what transactions have not committed. Statuses are never written in one.
    #[must_use]
    pub fn reads_committed_only(&self, topic: InternalTopic) -> bool {
        self.exactly_once.is_enabled() && topic != InternalTopic::Status
    }

    /// The transactional id by which a leader claims the config topic; the same on all workers of the group, and on JVM ones.
    #[must_use]
    pub fn leader_transactional_id(&self) -> String {
        format!("connect-cluster-{}", self.group_id)
    }

    /// The transactional id of a source task's producer when exactly-once is enabled.
    #[must_use]
    pub fn task_transactional_id(&self, connector: &str, task: u32) -> String {
        wharf_cluster::fencing::transactional_id(&self.group_id, connector, task)
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// The definition has checked it.
fn exactly_once(text: &str) -> ExactlyOnceSupport {
    match text.to_ascii_lowercase().as_str() {
        "enabled" => ExactlyOnceSupport::Enabled,
        "preparing" => ExactlyOnceSupport::Preparing,
        _ => ExactlyOnceSupport::Disabled,
    }
}

/// What is wrong between values that are right by themselves, in upstream's words where it has some.
fn check_together(properties: &ConfigMap) -> Vec<ConnectError> {
    let values = WorkerMode::Distributed.config_def().validate(properties);
    let value = |key: &str| -> Option<&ParsedValue> {
        let found = values.iter().find(|value| value.name == key)?;
        found.errors.is_empty().then_some(&found.value)
    };
    let mut errors = Vec::new();
    if let (Some(heartbeat), Some(session)) = (value("heartbeat.interval.ms"), value("session.timeout.ms"))
        && heartbeat.as_f64() >= session.as_f64()
    {
        errors.push(ConnectError::invalid_config(
            "heartbeat.interval.ms",
            heartbeat,
            &format!("Heartbeat must be set lower than the session timeout, which is {session}"),
        ));
    }
    if let (Some(algorithm), Some(bits)) = (
        value("inter.worker.key.generation.algorithm").and_then(ParsedValue::as_str),
        value("inter.worker.key.size").and_then(ParsedValue::as_f64),
    ) {
        // a negative size is too small as well
        if KeyGenerator::new(algorithm, Some(bits.max(0.0) as u32)).is_err() {
            errors.push(ConnectError::config(format!(
                "Unable to create key generator with algorithm {algorithm} and key size {bits}: \
                 Key length must be at least 40 bits"
            )));
        }
    }
    const VERIFICATION: &str = "inter.worker.verification.algorithms";
    if let (Some(signature), Some(allowed)) = (
        value("inter.worker.signature.algorithm").and_then(ParsedValue::as_str),
        value(VERIFICATION).and_then(ParsedValue::as_list),
    ) && !allowed.iter().any(|name| name == signature)
    {
        errors.push(ConnectError::invalid_config(
            "inter.worker.signature.algorithm",
            signature,
            &format!("Signature algorithm must be present in {VERIFICATION} list"),
        ));
    }
    errors
}

/// An internal topic, with the settings that a user gave for its creation.
fn log_topic(
    topic: InternalTopic,
    parsed: &ParsedConfig,
    warnings: &mut Vec<String>,
) -> Result<LogTopic, ConnectError> {
    let prefix = topic.prefix();
    let mut configs = with_prefix(parsed.originals(), prefix);
    // the last is the key of standalone mode, which has a warning of its own
    for own in ["topic", "replication.factor", "file.filename"] {
        configs.remove(own);
    }
    if let Some(policy) = configs.remove("cleanup.policy") {
        warnings.push(format!(
            "{prefix}cleanup.policy={policy} has no effect: internal topics are always compacted"
        ));
    }
    let partitions = configs.remove("partitions");
    let partitions = if topic == InternalTopic::Config {
        if let Some(partitions) = partitions {
            warnings.push(format!(
                "{prefix}partitions={partitions} has no effect: the config topic always has one partition"
            ));
        }
        Some(1)
    } else {
        Some(parsed.int(&format!("{prefix}partitions"))?).filter(|number| *number > 0)
    };
    let factor = parsed.short(&format!("{prefix}replication.factor"))?;
    Ok(LogTopic {
        topic: NewTopic {
            name: parsed.string(topic.key())?.to_owned(),
            partitions,
            replication_factor: Some(factor).filter(|number| *number > 0),
            configs,
        },
        key: topic.key(),
        what: topic.what(),
        single_partition: topic == InternalTopic::Config,
    })
}

/// It works, as each reader passes over the others' records, but what one topic needs may hurt another.
fn warn_of_shared_topics(topics: &[&LogTopic], warnings: &mut Vec<String>) {
    for (index, first) in topics.iter().enumerate() {
        for second in &topics[index + 1..] {
            if first.topic.name == second.topic.name {
                warnings.push(format!(
                    "{} and {} both name the topic {}; give each a topic of its own",
                    first.key, second.key, first.topic.name
                ));
            }
        }
    }
}

#[cfg(test)]
#[path = "distributed_config_tests.rs"]
mod tests;
