//! The catalogue of worker keys of distributed mode alone: the group, its three topics, requests between workers, and the
//! settings of the worker's own clients.
//!
//! Defaults are upstream's but for two: heartbeats come every 500 ms, because members learn of a rebalance with their next
//! heartbeat, and `scheduled.rebalance.max.delay.ms` is 0, so that the work of a dead worker starts elsewhere as soon as the
//! group knows. Values that a user sets are honoured as upstream does.

use wharf_api::ConnectError;
use wharf_api::config::{Importance, ParsedValue, Type, Validator};
use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::signature::MacAlgorithm;

use super::topic_creation::{partitions_validator, replication_factor_validator};
use super::worker_key::{PrefixRule, PrefixSupport, WorkerKey, honoured};

use Importance::{High, Low, Medium};

/// Default of `heartbeat.interval.ms`; upstream's is 3000.
pub const HEARTBEAT_INTERVAL_DEFAULT: i32 = 500;
/// Default of `scheduled.rebalance.max.delay.ms`; upstream's is 300000.
pub const REBALANCE_DELAY_DEFAULT: i32 = 0;

const HMAC: &str = "HmacSHA256";
const HMACS: &str = "HmacSHA1, HmacSHA224, HmacSHA256, HmacSHA384 and HmacSHA512";

/// Families of keys that only distributed mode knows.
pub(super) const DISTRIBUTED_PREFIX_RULES: &[PrefixRule] = &[
    topic_settings("config.storage."),
    topic_settings("offset.storage."),
    topic_settings("status.storage."),
];

/// Settings with which an internal topic is created.
const fn topic_settings(prefix: &'static str) -> PrefixRule {
    PrefixRule {
        prefix,
        support: PrefixSupport::Honoured,
    }
}

/// Membership, topics, exactly-once, requests between workers.
pub(super) fn group_keys() -> Vec<WorkerKey> {
    let mut keys = membership_keys();
    keys.extend(topic_keys());
    keys.extend(inter_worker_keys());
    keys
}

fn membership_keys() -> Vec<WorkerKey> {
    vec![
        honoured("group.id", Type::String, High, "Name of the group of workers; those with the same name share the work.")
            .valid(Validator::NonEmptyString),
        honoured(
            "session.timeout.ms",
            Type::Int,
            High,
            "How long a worker may be silent before its work is given to others, in milliseconds.",
        )
        .default(10_000)
        .valid(Validator::at_least(1)),
        honoured(
            "rebalance.timeout.ms",
            Type::Int,
            High,
            "Time to stop work and join again when a rebalance begins, in milliseconds.",
        )
        .default(60_000)
        .valid(Validator::at_least(1)),
        honoured(
            "heartbeat.interval.ms",
            Type::Int,
            High,
            "Time between heartbeats to the group, in milliseconds. Must be lower than `session.timeout.ms`. Kafka Connect's own \
             default is 3000; members learn of a rebalance with their next heartbeat, so the lower one makes every move of work faster.",
        )
        .default(HEARTBEAT_INTERVAL_DEFAULT)
        .valid(Validator::at_least(1)),
        honoured(
            "exactly.once.source.support",
            Type::String,
            High,
            "Whether source tasks write records and offsets in transactions: disabled, preparing (the leader claims the config topic \
             by a transactional producer) or enabled. A running group takes two rolling restarts, with preparing in between.",
        )
        .default("disabled")
        .valid(Validator::one_of_ignore_case(["disabled", "enabled", "preparing"])),
        honoured(
            "connect.protocol",
            Type::String,
            Low,
            "Newest protocol to offer the group: eager (everything stops with every rebalance), compatible (only what moves stops) \
             or sessioned (as compatible, and requests between workers are signed).",
        )
        .default(ConnectProtocol::Sessioned)
        .valid(protocol_validator()),
        honoured(
            "scheduled.rebalance.max.delay.ms",
            Type::Int,
            Low,
            "How long the work of a worker that left waits for it to come back, in milliseconds. Kafka Connect's own default is \
             300000; with 0 it starts elsewhere at once. Set it to the time that a restart takes when a rolling restart must not \
             move work. The leader's value counts.",
        )
        .default(REBALANCE_DELAY_DEFAULT)
        .valid(Validator::between(0, i32::MAX)),
        honoured(
            "worker.sync.timeout.ms",
            Type::Int,
            Medium,
            "Time to catch up with the config topic before the worker leaves the group, in milliseconds.",
        )
        .default(3000)
        .valid(Validator::at_least(0)),
        honoured(
            "worker.unsync.backoff.ms",
            Type::Int,
            Medium,
            "How long a worker stays away that could not catch up, in milliseconds.",
        )
        .default(300_000)
        .valid(Validator::at_least(0)),
    ]
}

fn topic_keys() -> Vec<WorkerKey> {
    let topic =
        |name: &str, doc: &str| honoured(name, Type::String, High, doc).valid(Validator::NonEmptyString);
    let factor = |name: &str| {
        honoured(
            name,
            Type::Short,
            Low,
            "Replication factor of that topic when the worker creates it; -1 for the broker's default.",
        )
        .default(3)
        .valid(replication_factor_validator())
    };
    let partitions = |name: &str, usual: i32| {
        honoured(
            name,
            Type::Int,
            Low,
            "Partitions of that topic when the worker creates it; -1 for the broker's default.",
        )
        .default(usual)
        .valid(partitions_validator())
    };
    vec![
        topic(
            "config.storage.topic",
            "Topic with the configurations of connectors and tasks; compacted, with one partition. Further settings for its \
             creation follow under `config.storage.`.",
        ),
        factor("config.storage.replication.factor"),
        topic(
            "offset.storage.topic",
            "Topic with the offsets of source connectors; compacted. Further settings for its creation follow under \
             `offset.storage.`.",
        ),
        partitions("offset.storage.partitions", 25),
        factor("offset.storage.replication.factor"),
        topic(
            "status.storage.topic",
            "Topic with the states of connectors and tasks; compacted. Further settings for its creation follow under \
             `status.storage.`.",
        ),
        partitions("status.storage.partitions", 5),
        factor("status.storage.replication.factor"),
    ]
}

fn inter_worker_keys() -> Vec<WorkerKey> {
    vec![
        honoured(
            "inter.worker.key.generation.algorithm",
            Type::String,
            Low,
            "Algorithm for which the leader makes the key that signs requests between workers.",
        )
        .default(HMAC)
        .valid(algorithm_validator()),
        honoured(
            "inter.worker.key.size",
            Type::Int,
            Low,
            "Bits of that key; without it the algorithm's usual number.",
        )
        .null(),
        honoured(
            "inter.worker.key.ttl.ms",
            Type::Int,
            Low,
            "How long that key is used, in milliseconds.",
        )
        .default(3_600_000)
        .valid(Validator::between(0, i32::MAX)),
        honoured(
            "inter.worker.signature.algorithm",
            Type::String,
            Low,
            "Algorithm that signs requests to other workers.",
        )
        .default(HMAC)
        .valid(algorithm_validator()),
        honoured(
            "inter.worker.verification.algorithms",
            Type::List,
            Low,
            "Algorithms that other workers may sign their requests by; the own one must be among them.",
        )
        .default(HMAC)
        .valid(algorithms_validator()),
    ]
}

/// Settings of the worker's own connections, which admin clients of connectors inherit.
pub(super) fn client_keys() -> Vec<WorkerKey> {
    let millis = |name: &str, usual: i64, doc: &str| {
        honoured(name, Type::Long, Low, doc)
            .default(usual)
            .valid(Validator::at_least(0))
    };
    let buffer = |name: &str, usual: i32, doc: &str| {
        honoured(name, Type::Int, Medium, doc)
            .default(usual)
            .valid(Validator::at_least(-1))
    };
    vec![
        honoured("client.id", Type::String, Low, "Part of the client ids of the worker's own clients.").default(""),
        honoured("security.protocol", Type::String, Medium, "How the worker's own clients talk to brokers.")
            .default("PLAINTEXT")
            .valid(Validator::one_of_ignore_case(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
        millis(
            "metadata.max.age.ms",
            300_000,
            "How old what is known of topics and brokers may become, in milliseconds.",
        ),
        honoured(
            "metadata.recovery.strategy",
            Type::String,
            Low,
            "What to do when no known broker can be reached: rebootstrap begins again with `bootstrap.servers`, none does not.",
        )
        .default("rebootstrap")
        .valid(Validator::one_of_ignore_case(["rebootstrap", "none"])),
        millis(
            "metadata.recovery.rebootstrap.trigger.ms",
            300_000,
            "How long no known broker may be reached before that, in milliseconds.",
        ),
        buffer("send.buffer.bytes", 131_072, "Send buffer of connections; -1 for the system's default."),
        buffer("receive.buffer.bytes", 32_768, "Receive buffer of connections; -1 for the system's default."),
        millis("reconnect.backoff.ms", 50, "First wait before a broker is connected to again, in milliseconds."),
        millis("reconnect.backoff.max.ms", 1000, "Longest wait before a broker is connected to again, in milliseconds."),
        millis("retry.backoff.ms", 100, "First wait before a failed request is sent again, in milliseconds."),
        millis("retry.backoff.max.ms", 1000, "Longest wait before a failed request is sent again, in milliseconds."),
        millis("socket.connection.setup.timeout.ms", 10_000, "Time to connect to a broker, in milliseconds."),
        millis(
            "socket.connection.setup.timeout.max.ms",
            30_000,
            "Longest time to connect to a broker after many failures, in milliseconds.",
        )
        .within_limits(
            "the time does not grow: clients use the shorter one, the connection to the group the longer one, for TLS and \
             authentication too",
        ),
        honoured("request.timeout.ms", Type::Int, Medium, "Time for a broker's answer, in milliseconds.")
            .default(40_000)
            .valid(Validator::at_least(0)),
        honoured("connections.max.idle.ms", Type::Long, Medium, "How long a connection may be idle, in milliseconds.")
            .default(540_000),
    ]
}

fn protocol_validator() -> Validator {
    Validator::custom("[eager, compatible, sessioned]", |name, value| {
        let known = value
            .as_str()
            .is_some_and(|text| text.parse::<ConnectProtocol>().is_ok());
        if known {
            Ok(())
        } else {
            Err(ConnectError::invalid_config(
                name,
                value,
                "Invalid Connect protocol compatibility",
            ))
        }
    })
}

fn known_algorithm(name: &str, algorithm: &str) -> wharf_api::Result<()> {
    MacAlgorithm::new(algorithm).map(drop).map_err(|_| {
        ConnectError::invalid_config(
            name,
            algorithm,
            &format!("the algorithm is not supported by this worker; the supported algorithms are {HMACS}"),
        )
    })
}

fn algorithm_validator() -> Validator {
    Validator::custom(format!("one of {HMACS}"), |name, value| {
        known_algorithm(name, value.as_str().unwrap_or_default())
    })
}

fn algorithms_validator() -> Validator {
    Validator::custom(format!("at least one of {HMACS}"), |name, value| {
        let items = value.as_list().unwrap_or_default();
        if items.is_empty() {
            return Err(ConnectError::invalid_config(
                name,
                ParsedValue::List(Vec::new()),
                "At least one signature verification algorithm must be provided",
            ));
        }
        items.iter().try_for_each(|item| known_algorithm(name, item))
    })
}
