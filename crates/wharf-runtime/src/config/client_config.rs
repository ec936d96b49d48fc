//! The settings of the Kafka clients that a worker makes for connectors, under Java's names.
//!
//! Layers, the later wins: what Connect itself sets, the brokers, the worker's prefixed keys, the connector's override
//! keys. Admin clients alone also inherit the worker's unprefixed client settings, security included.

use std::fmt;
use std::time::Duration;

use wharf_api::ConfigMap;

use super::WorkerConfig;
use super::converter_config::with_prefix;

/// A kind of Kafka client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Writes records.
    Producer,
    /// Reads records.
    Consumer,
    /// Manages topics and groups.
    Admin,
}

impl From<ClientKind> for wharf_kafka::ClientKind {
    fn from(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Producer => Self::Producer,
            ClientKind::Consumer => Self::Consumer,
            ClientKind::Admin => Self::Admin,
        }
    }
}

impl ClientKind {
    /// In the order in which validation lists their overrides.
    pub const ALL: [Self; 3] = [Self::Producer, Self::Consumer, Self::Admin];

    /// What the keys start with by which a connector overrides settings.
    #[must_use]
    pub fn override_prefix(self) -> &'static str {
        match self {
            Self::Producer => "producer.override.",
            Self::Consumer => "consumer.override.",
            Self::Admin => "admin.override.",
        }
    }

    /// The overrides that a connector configuration holds for this kind, without prefix.
    #[must_use]
    pub fn overrides(self, connector: &ConfigMap) -> ConfigMap {
        with_prefix(connector, self.override_prefix())
    }
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Admin => "admin",
        })
    }
}

/// Settings of the producer of a source task. Waiting without limit for acknowledgements is the way a source is slowed
/// down when Kafka is slow or away.
#[must_use]
pub fn source_producer_config(
    worker: &WorkerConfig,
    connector: &str,
    task: u32,
    config: &ConfigMap,
) -> ConfigMap {
    producer_config(worker, format!("connector-producer-{connector}-{task}"), config)
}

/// Settings of the producer of a sink task's dead letter queue.
#[must_use]
pub fn dlq_producer_config(
    worker: &WorkerConfig,
    connector: &str,
    task: u32,
    config: &ConfigMap,
) -> ConfigMap {
    producer_config(
        worker,
        format!("connector-dlq-producer-{connector}-{task}"),
        config,
    )
}

/// Settings of the consumer of a sink task.
#[must_use]
pub fn sink_consumer_config(
    worker: &WorkerConfig,
    connector: &str,
    task: u32,
    config: &ConfigMap,
) -> ConfigMap {
    let mut built_in =
        consumer_built_in(connector, format!("connector-consumer-{connector}-{task}")).to_vec();
    built_in.extend(worker.group_session.into_iter().flat_map(session_of));
    layers(worker, built_in, &worker.consumer, ClientKind::Consumer, config)
}

/// A task that moves with the work of a dead worker gets no record while the dead one's partitions are kept for it: they are
/// kept for as long as the work was. The consumer's own default would be 45 s.
fn session_of(worker: Duration) -> [(&'static str, String); 2] {
    const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(3);
    let heartbeat = (worker / 3).min(HEARTBEAT_DEFAULT);
    [
        ("session.timeout.ms", worker.as_millis().to_string()),
        ("heartbeat.interval.ms", heartbeat.as_millis().max(1).to_string()),
    ]
}

/// What Connect sets for every consumer of a connector.
fn consumer_built_in(connector: &str, client_id: String) -> [(&'static str, String); 4] {
    [
        ("client.id", client_id),
        ("group.id", default_consumer_group(connector)),
        ("auto.offset.reset", "earliest".to_owned()),
        ("enable.auto.commit", "false".to_owned()),
    ]
}

/// The group that a sink connector's tasks consume in.
#[must_use]
pub fn sink_consumer_group(worker: &WorkerConfig, connector: &str, config: &ConfigMap) -> String {
    let mut settings = sink_consumer_config(worker, connector, 0, config);
    settings
        .remove("group.id")
        .unwrap_or_else(|| default_consumer_group(connector))
}

/// The same where nothing else is said.
pub(super) fn default_consumer_group(connector: &str) -> String {
    format!("connect-{connector}")
}

/// Settings of the producer that writes a source's offsets to a topic of the connector's own, or changes them.
#[must_use]
pub fn offsets_producer_config(worker: &WorkerConfig, connector: &str, config: &ConfigMap) -> ConfigMap {
    producer_config(worker, format!("connector-offset-producer-{connector}"), config)
}

/// Settings of the consumer that reads a source's offsets from a topic of the connector's own. What transactions have not
/// committed is not read: always so with exactly-once, otherwise unless the user says so.
#[must_use]
pub fn offsets_consumer_config(
    worker: &WorkerConfig,
    connector: &str,
    config: &ConfigMap,
    exactly_once: bool,
) -> ConfigMap {
    const ISOLATION: &str = "isolation.level";
    const COMMITTED: &str = "read_committed";
    let built_in = consumer_built_in(connector, format!("connector-consumer-{connector}"))
        .into_iter()
        .chain([(ISOLATION, COMMITTED.to_owned())]);
    let mut settings = layers(worker, built_in, &worker.consumer, ClientKind::Consumer, config);
    if exactly_once {
        force(&mut settings, ISOLATION, COMMITTED, connector);
    }
    settings
}

/// Makes settings of a producer those of one that writes in transactions; what a user set otherwise is warned about.
#[must_use]
pub fn transactional(mut settings: ConfigMap, transactional_id: &str, connector: &str) -> ConfigMap {
    force(&mut settings, "enable.idempotence", "true", connector);
    force(&mut settings, "transactional.id", transactional_id, connector);
    settings
}

fn force(settings: &mut ConfigMap, key: &str, value: &str, connector: &str) {
    if let Some(given) = settings.insert(key.to_owned(), value.to_owned())
        && !given.trim().eq_ignore_ascii_case(value)
    {
        tracing::warn!(
            "connector {connector}: {key}={given} does not count with exactly-once, it is {value}"
        );
    }
}

/// Settings of the admin client by which a source task creates topics.
#[must_use]
pub fn task_admin_config(worker: &WorkerConfig, connector: &str, task: u32, config: &ConfigMap) -> ConfigMap {
    admin_config(
        worker,
        &format!("connector-adminclient-{connector}-{task}"),
        config,
    )
}

/// Settings of the admin client by which a sink task makes its dead letter topic.
#[must_use]
pub fn dlq_admin_config(worker: &WorkerConfig, connector: &str, task: u32, config: &ConfigMap) -> ConfigMap {
    admin_config(
        worker,
        &format!("connector-dlq-adminclient-{connector}-{task}"),
        config,
    )
}

/// Settings of the admin client by which a connector's offsets are read and changed.
#[must_use]
pub fn offsets_admin_config(worker: &WorkerConfig, connector: &str, config: &ConfigMap) -> ConfigMap {
    admin_config(
        worker,
        &format!("connector-worker-adminclient-{connector}"),
        config,
    )
}

/// Settings of the worker's own admin client, which looks up the cluster: unprefixed keys only.
#[must_use]
pub fn worker_admin_config(worker: &WorkerConfig) -> ConfigMap {
    let mut settings = worker.inherited_by_admin.clone();
    settings.insert("bootstrap.servers".to_owned(), worker.bootstrap_servers.join(","));
    settings
}

/// Settings of the client that reads dead letters, in no group. What a transaction has not committed is no letter.
#[must_use]
pub fn dead_letter_reader_config(worker: &WorkerConfig) -> ConfigMap {
    let mut settings = sink_consumer_config(worker, "wharf-dlq", 0, &ConfigMap::new());
    for of_members in ["group.instance.id", "group.protocol", "group.remote.assignor"] {
        settings.remove(of_members);
    }
    for (key, value) in [
        ("client.id", "wharf-dlq-consumer"),
        // The client library wants one; it is never joined.
        ("group.id", "wharf-dlq"),
        ("isolation.level", "read_committed"),
    ] {
        settings.insert(key.to_owned(), value.to_owned());
    }
    settings
}

/// Settings of the producer that sends dead letters again. Somebody waits for it, so it gives up some time; how large a
/// record may be is for the brokers to say, as it was written once.
#[must_use]
pub fn dead_letter_sender_config(worker: &WorkerConfig) -> ConfigMap {
    let built_in = [
        ("client.id", "wharf-dlq-producer".to_owned()),
        ("acks", "all".to_owned()),
        ("max.in.flight.requests.per.connection", "1".to_owned()),
        ("max.request.size", "100000000".to_owned()),
    ];
    let mut settings = layers(
        worker,
        built_in,
        &worker.producer,
        ClientKind::Producer,
        &ConfigMap::new(),
    );
    settings.remove("transactional.id");
    settings
}

/// Settings of the admin client beside them.
#[must_use]
pub fn dead_letter_admin_config(worker: &WorkerConfig) -> ConfigMap {
    admin_config(worker, "wharf-dlq-adminclient", &ConfigMap::new())
}

fn producer_config(worker: &WorkerConfig, client_id: String, config: &ConfigMap) -> ConfigMap {
    let built_in = [
        ("client.id", client_id),
        ("max.block.ms", i64::MAX.to_string()),
        ("acks", "all".to_owned()),
        ("max.in.flight.requests.per.connection", "1".to_owned()),
        ("delivery.timeout.ms", i32::MAX.to_string()),
    ];
    layers(worker, built_in, &worker.producer, ClientKind::Producer, config)
}

fn admin_config(worker: &WorkerConfig, client_id: &str, config: &ConfigMap) -> ConfigMap {
    let mut prefixed = worker.inherited_by_admin.clone();
    prefixed.extend(worker.admin.clone());
    layers(
        worker,
        [("client.id", client_id.to_owned())],
        &prefixed,
        ClientKind::Admin,
        config,
    )
}

fn layers(
    worker: &WorkerConfig,
    built_in: impl IntoIterator<Item = (&'static str, String)>,
    from_worker: &ConfigMap,
    kind: ClientKind,
    connector: &ConfigMap,
) -> ConfigMap {
    let mut settings: ConfigMap = built_in
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    settings.insert("bootstrap.servers".to_owned(), worker.bootstrap_servers.join(","));
    settings.extend(from_worker.clone());
    settings.extend(kind.overrides(connector));
    settings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{DistributedConfig, StandaloneConfig};

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn worker(entries: &[(&str, &str)]) -> Arc<WorkerConfig> {
        let mut all = map(&[
            ("bootstrap.servers", "a:1, b:2"),
            ("key.converter", "K"),
            ("value.converter", "V"),
            ("offset.storage.file.filename", "/tmp/offsets"),
        ]);
        all.extend(map(entries));
        StandaloneConfig::parse(&all).unwrap().worker
    }

    #[test]
    fn a_source_producer_starts_from_what_connect_sets() {
        assert_eq!(
            source_producer_config(
                &worker(&[("security.protocol", "SSL")]),
                "c",
                2,
                &ConfigMap::new()
            ),
            map(&[
                ("acks", "all"),
                ("bootstrap.servers", "a:1,b:2"),
                ("client.id", "connector-producer-c-2"),
                ("delivery.timeout.ms", "2147483647"),
                ("max.block.ms", "9223372036854775807"),
                ("max.in.flight.requests.per.connection", "1"),
            ])
        );
    }

    #[test]
    fn a_sink_consumer_reads_from_the_start_in_the_connectors_group() {
        assert_eq!(
            sink_consumer_config(&worker(&[]), "c", 0, &ConfigMap::new()),
            map(&[
                ("auto.offset.reset", "earliest"),
                ("bootstrap.servers", "a:1,b:2"),
                ("client.id", "connector-consumer-c-0"),
                ("enable.auto.commit", "false"),
                ("group.id", "connect-c"),
            ])
        );
    }

    #[test]
    fn a_sink_consumer_of_a_group_is_missed_as_soon_as_its_worker_unless_told_otherwise() {
        let worker = |more: &[(&str, &str)]| {
            let mut all = map(&[
                ("bootstrap.servers", "a:1"),
                ("key.converter", "K"),
                ("value.converter", "V"),
                ("group.id", "g"),
                ("config.storage.topic", "c"),
                ("offset.storage.topic", "o"),
                ("status.storage.topic", "s"),
            ]);
            all.extend(map(more));
            DistributedConfig::parse(&all).unwrap().worker
        };
        for (more, own, session, heartbeat) in [
            (&[][..], &[][..], "10000", "3000"),
            (&[("session.timeout.ms", "6000")], &[], "6000", "2000"),
            (&[("consumer.session.timeout.ms", "45000")], &[], "45000", "3000"),
            (
                &[],
                &[("consumer.override.session.timeout.ms", "20000")],
                "20000",
                "3000",
            ),
        ] {
            let settings = sink_consumer_config(&worker(more), "c", 0, &map(own));
            assert_eq!(settings["session.timeout.ms"], session, "{more:?} {own:?}");
            assert_eq!(settings["heartbeat.interval.ms"], heartbeat, "{more:?} {own:?}");
        }
    }

    #[test]
    fn offsets_of_an_exactly_once_source_are_read_committed_whatever_was_set() {
        let own = map(&[("consumer.override.isolation.level", "read_uncommitted")]);
        for (exactly_once, config, expected) in [
            (false, ConfigMap::new(), "read_committed"),
            (false, own.clone(), "read_uncommitted"),
            (true, own, "read_committed"),
        ] {
            let settings = offsets_consumer_config(&worker(&[]), "c", &config, exactly_once);
            assert_eq!(settings["isolation.level"], expected);
            assert_eq!(settings["client.id"], "connector-consumer-c");
        }
    }

    #[test]
    fn dead_letters_are_read_and_sent_with_what_a_worker_gives_its_connectors() {
        let worker = worker(&[
            ("consumer.group.id", "mine"),
            ("consumer.isolation.level", "read_uncommitted"),
            ("consumer.sasl.mechanism", "PLAIN"),
            ("producer.transactional.id", "mine"),
            ("producer.max.request.size", "5"),
            ("sasl.mechanism", "GSSAPI"),
        ]);
        let reader = dead_letter_reader_config(&worker);
        assert_eq!(reader["group.id"], "wharf-dlq");
        assert_eq!(reader["isolation.level"], "read_committed");
        assert_eq!(reader["sasl.mechanism"], "PLAIN");
        let sender = dead_letter_sender_config(&worker);
        assert_eq!(sender.get("transactional.id"), None);
        assert_eq!(sender["max.request.size"], "5");
        assert_eq!(sender["acks"], "all");
        assert_eq!(sender.get("sasl.mechanism"), None);
        assert_eq!(dead_letter_admin_config(&worker)["sasl.mechanism"], "GSSAPI");
    }

    #[test]
    fn a_transactional_producer_has_the_id_that_fencing_knows() {
        let config = map(&[("producer.override.transactional.id", "mine")]);
        let settings = source_producer_config(&worker(&[]), "c", 2, &config);
        let settings = transactional(settings, "g-c-2", "c");
        assert_eq!(settings["transactional.id"], "g-c-2");
        assert_eq!(settings["enable.idempotence"], "true");
        assert_eq!(settings["acks"], "all");
    }

    #[test]
    fn later_layers_win() {
        let worker = worker(&[
            ("producer.acks", "1"),
            ("producer.linger.ms", "5"),
            ("consumer.group.id", "g"),
        ]);
        let connector = map(&[
            ("producer.override.linger.ms", "9"),
            ("producer.override.bootstrap.servers", "z:9"),
        ]);
        let producer = source_producer_config(&worker, "c", 0, &connector);
        assert_eq!(producer["acks"], "1");
        assert_eq!(producer["linger.ms"], "9");
        assert_eq!(producer["bootstrap.servers"], "z:9");
        assert_eq!(sink_consumer_group(&worker, "c", &ConfigMap::new()), "g");
        assert_eq!(
            sink_consumer_group(&worker, "c", &map(&[("consumer.override.group.id", "h")])),
            "h"
        );
    }

    #[test]
    fn only_admin_clients_inherit_unprefixed_settings() {
        let worker = worker(&[
            ("security.protocol", "SSL"),
            ("ssl.truststore.location", "/t"),
            ("admin.retries", "3"),
        ]);
        let admin = offsets_admin_config(&worker, "c", &map(&[("admin.override.retries", "4")]));
        assert_eq!(
            admin,
            map(&[
                ("bootstrap.servers", "a:1,b:2"),
                ("client.id", "connector-worker-adminclient-c"),
                ("retries", "4"),
                ("security.protocol", "SSL"),
                ("ssl.truststore.location", "/t"),
            ])
        );
        assert_eq!(
            task_admin_config(&worker, "c", 1, &ConfigMap::new())["client.id"],
            "connector-adminclient-c-1"
        );
        let own = worker_admin_config(&worker);
        assert_eq!(own["security.protocol"], "SSL");
        assert!(!own.contains_key("retries"));
        assert!(!sink_consumer_config(&worker, "c", 0, &ConfigMap::new()).contains_key("security.protocol"));
    }
}
