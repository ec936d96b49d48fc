//! Tests of the distributed worker's configuration: defaults, mistakes, topics, warnings.

use std::path::Path;

use super::*;
use crate::config::{AdminListeners, HEARTBEAT_INTERVAL_DEFAULT, REBALANCE_DELAY_DEFAULT};

fn map(entries: &[(&str, &str)]) -> ConfigMap {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn with(entries: &[(&str, &str)]) -> ConfigMap {
    let mut all = map(&[
        ("bootstrap.servers", "broker:9092"),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        ("group.id", "g"),
        ("config.storage.topic", "c"),
        ("offset.storage.topic", "o"),
        ("status.storage.topic", "s"),
    ]);
    all.extend(map(entries));
    all
}

fn parse(entries: &[(&str, &str)]) -> DistributedConfig {
    DistributedConfig::parse(&with(entries)).unwrap()
}

fn messages(errors: &[ConnectError]) -> Vec<String> {
    errors.iter().map(|error| error.message().to_owned()).collect()
}

fn mistakes(entries: &[(&str, &str)]) -> Vec<String> {
    messages(&DistributedConfig::parse(&with(entries)).unwrap_err())
}

#[test]
fn a_minimal_file_gets_upstreams_defaults_but_for_the_two_that_make_moves_faster() {
    let config = parse(&[]);
    let ms = Duration::from_millis;
    assert!(!config.worker.restart.on_failure);
    assert_eq!(config.session_timeout, ms(10_000));
    assert_eq!(config.rebalance_timeout, ms(60_000));
    assert_eq!(config.heartbeat_interval, ms(500));
    assert_eq!(config.scheduled_rebalance_max_delay_ms, 0);
    assert_eq!((HEARTBEAT_INTERVAL_DEFAULT, REBALANCE_DELAY_DEFAULT), (500, 0));
    assert_eq!(config.worker_sync_timeout, ms(3000));
    assert_eq!(config.worker_unsync_backoff, ms(300_000));
    assert_eq!(config.protocol, ConnectProtocol::Sessioned);
    assert_eq!(config.exactly_once, ExactlyOnceSupport::Disabled);
    assert_eq!(config.request_timeout, ms(40_000));
    assert_eq!(config.connection_setup_timeout, ms(30_000));
    assert_eq!(
        (config.retry_backoff, config.retry_backoff_max),
        (ms(100), ms(1000))
    );
    let signed = &config.inter_worker;
    assert_eq!(signed.key_ttl, Duration::from_secs(3600));
    assert_eq!(signed.signature_algorithm.name(), "HmacSHA256");
    assert_eq!(signed.verification_algorithms, ["HmacSHA256"]);
    assert_eq!(
        signed.key_generator,
        KeyGenerator::new("HmacSHA256", None).unwrap()
    );
    assert!(config.client_id.is_empty());
    assert_eq!(config.worker.bootstrap_servers, ["broker:9092"]);
    assert_eq!(
        config.worker.rest.admin_listeners,
        AdminListeners::OnMainListeners
    );
    assert_eq!(config.worker.warnings, Vec::<String>::new());
}

#[test]
fn what_a_user_sets_is_honoured() {
    let config = parse(&[
        ("heartbeat.interval.ms", "3000"),
        ("scheduled.rebalance.max.delay.ms", "300000"),
        ("connect.protocol", "Eager"),
        ("exactly.once.source.support", "PREPARING"),
        ("inter.worker.key.size", "512"),
        ("inter.worker.key.generation.algorithm", "HmacSHA512"),
        ("inter.worker.signature.algorithm", "HmacSHA1"),
        ("inter.worker.verification.algorithms", "HmacSHA256, HmacSHA1"),
        ("client.id", "blue"),
    ]);
    assert_eq!(config.heartbeat_interval, Duration::from_secs(3));
    assert_eq!(config.scheduled_rebalance_max_delay_ms, 300_000);
    assert_eq!(config.protocol, ConnectProtocol::Eager);
    assert_eq!(config.exactly_once, ExactlyOnceSupport::Preparing);
    assert_eq!(
        config.inter_worker.key_generator,
        KeyGenerator::new("HmacSHA512", Some(512)).unwrap()
    );
    assert_eq!(config.inter_worker.signature_algorithm.name(), "HmacSHA1");
    assert_eq!(
        config.inter_worker.verification_algorithms,
        ["HmacSHA256", "HmacSHA1"]
    );
    assert_eq!(config.client_id, "blue");
    assert_eq!(config.worker.warnings, Vec::<String>::new());
}

#[test]
fn only_preparing_and_enabled_make_the_leader_transactional() {
    let cases = [
        ("disabled", false, false),
        ("preparing", true, false),
        ("Enabled", true, true),
    ];
    for (text, leader, tasks) in cases {
        let support = parse(&[("exactly.once.source.support", text)]).exactly_once;
        assert_eq!(
            (support.leader_is_transactional(), support.is_enabled()),
            (leader, tasks)
        );
        assert_eq!(support.to_string(), text.to_lowercase());
    }
}

#[test]
fn internal_topics_are_made_as_configured() {
    let config = parse(&[
        ("config.storage.replication.factor", "-1"),
        ("config.storage.min.insync.replicas", "2"),
        ("offset.storage.partitions", "-1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.partitions", "7"),
        ("status.storage.segment.bytes", "1048576"),
    ]);
    let topic = |topic: InternalTopic| {
        let LogTopic {
            topic: made,
            key,
            single_partition,
            ..
        } = config.topic(topic).clone();
        assert_eq!(key, topic.key());
        assert_eq!(single_partition, topic == InternalTopic::Config);
        (made.name, made.partitions, made.replication_factor, made.configs)
    };
    assert_eq!(
        topic(InternalTopic::Config),
        (
            "c".to_owned(),
            Some(1),
            None,
            map(&[("min.insync.replicas", "2")])
        )
    );
    assert_eq!(
        topic(InternalTopic::Offset),
        ("o".to_owned(), None, Some(1), ConfigMap::new())
    );
    assert_eq!(
        topic(InternalTopic::Status),
        (
            "s".to_owned(),
            Some(7),
            Some(3),
            map(&[("segment.bytes", "1048576")])
        )
    );
    assert_eq!(config.worker.warnings, Vec::<String>::new());
}

#[test]
fn settings_of_internal_topics_that_cannot_count_are_warned_about() {
    let config = parse(&[
        ("config.storage.cleanup.policy", "delete"),
        ("config.storage.partitions", "3"),
        ("offset.storage.cleanup.policy", "compact"),
        ("status.storage.topic", "c"),
    ]);
    assert_eq!(
        config.worker.warnings,
        [
            "config.storage.cleanup.policy=delete has no effect: internal topics are always compacted",
            "config.storage.partitions=3 has no effect: the config topic always has one partition",
            "offset.storage.cleanup.policy=compact has no effect: internal topics are always compacted",
            "config.storage.topic and status.storage.topic both name the topic c; give each a topic of its own",
        ]
    );
    assert!(config.config_topic.topic.configs.is_empty());
    assert_eq!(config.config_topic.topic.partitions, Some(1));
}

#[test]
fn wrong_values_are_refused_in_upstreams_words() {
    let cases = [
        (
            "connect.protocol",
            "x",
            "Invalid value x for configuration connect.protocol: Invalid Connect protocol compatibility",
        ),
        (
            "config.storage.replication.factor",
            "0",
            "Invalid value 0 for configuration config.storage.replication.factor: Replication factor must be positive and not \
             larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
        ),
        (
            "offset.storage.partitions",
            "0",
            "Invalid value 0 for configuration offset.storage.partitions: Number of partitions must be positive, or -1 to use \
             the broker's default",
        ),
        (
            "exactly.once.source.support",
            "x",
            "Invalid value x for configuration exactly.once.source.support: String must be one of (case insensitive): \
             DISABLED, ENABLED, PREPARING",
        ),
        (
            "inter.worker.key.size",
            "8",
            "Unable to create key generator with algorithm HmacSHA256 and key size 8: Key length must be at least 40 bits",
        ),
        (
            "inter.worker.key.size",
            "-8",
            "Unable to create key generator with algorithm HmacSHA256 and key size -8: Key length must be at least 40 bits",
        ),
        (
            "inter.worker.signature.algorithm",
            "HmacSHA1",
            "Invalid value HmacSHA1 for configuration inter.worker.signature.algorithm: Signature algorithm must be present in \
             inter.worker.verification.algorithms list",
        ),
        (
            "inter.worker.verification.algorithms",
            "",
            "Invalid value [] for configuration inter.worker.verification.algorithms: At least one signature verification \
             algorithm must be provided",
        ),
        (
            "inter.worker.key.generation.algorithm",
            "AES",
            "Invalid value AES for configuration inter.worker.key.generation.algorithm: the algorithm is not supported by this \
             worker; the supported algorithms are HmacSHA1, HmacSHA224, HmacSHA256, HmacSHA384 and HmacSHA512",
        ),
        (
            "heartbeat.interval.ms",
            "10000",
            "Invalid value 10000 for configuration heartbeat.interval.ms: Heartbeat must be set lower than the session timeout, \
             which is 10000",
        ),
        (
            "scheduled.rebalance.max.delay.ms",
            "-1",
            "Invalid value -1 for configuration scheduled.rebalance.max.delay.ms: Value must be at least 0",
        ),
        (
            "send.buffer.bytes",
            "-2",
            "Invalid value -2 for configuration send.buffer.bytes: Value must be at least -1",
        ),
        (
            "group.id",
            "",
            "Invalid value  for configuration group.id: String must be non-empty",
        ),
    ];
    for (key, value, expected) in cases {
        assert_eq!(mistakes(&[(key, value)]), [expected], "{key}={value}");
    }
}

#[test]
fn all_mistakes_are_listed_at_once_those_between_keys_too() {
    let found = messages(
        &DistributedConfig::parse(&map(&[
            ("value.converter", "x"),
            ("offset.storage.topic", "o"),
            ("status.storage.topic", "s"),
            ("session.timeout.ms", "400"),
            ("worker.sync.timeout.ms", "soon"),
            ("inter.worker.signature.algorithm", "HmacSHA512"),
            ("sasl.login.class", "x.Y"),
            ("listeners", "8083"),
        ]))
        .unwrap_err(),
    );
    let text = found.join("\n");
    for part in [
        "Missing required configuration \"bootstrap.servers\"",
        "Missing required configuration \"key.converter\"",
        "Missing required configuration \"group.id\"",
        "Missing required configuration \"config.storage.topic\"",
        "Not a number of type INT",
        "Heartbeat must be set lower than the session timeout, which is 400",
        "Signature algorithm must be present",
        "for configuration sasl.login.class: it is a Java class",
        "Listener doesn't have the right format",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(found.len(), 9, "{text}");
}

#[test]
fn a_value_that_is_wrong_by_itself_is_told_once() {
    assert_eq!(mistakes(&[("heartbeat.interval.ms", "often")]).len(), 1);
    assert_eq!(mistakes(&[("inter.worker.signature.algorithm", "MD5")]).len(), 1);
    assert_eq!(
        mistakes(&[
            ("inter.worker.key.size", "8"),
            ("inter.worker.key.generation.algorithm", "AES")
        ])
        .len(),
        1
    );
}

#[test]
fn unknown_keys_and_those_of_the_other_mode_are_reported_once() {
    let config = parse(&[
        ("offset.storage.file.filename", "/tmp/connect.offsets"),
        ("sesion.timeout.ms", "1"),
        ("zzz", "2"),
        ("max.request.size", "reaches the producers"),
        ("fetch.max.bytes", "reaches the consumers"),
        ("default.api.timeout.ms", "reaches the admin client"),
        ("sasl.mechanism", "PLAIN"),
    ]);
    assert_eq!(
        config.worker.warnings,
        [
            "these properties are for standalone workers and have no effect on this distributed worker: \
             offset.storage.file.filename",
            "these worker properties are not known and have no effect, check their spelling: sesion.timeout.ms, zzz",
        ]
    );
    assert!(config.offset_topic.topic.configs.is_empty());
}

#[test]
fn settings_that_exactly_once_takes_over_are_warned_about() {
    let given = [
        ("enable.idempotence", "false"),
        ("transactional.id", "mine"),
        ("isolation.level", "read_uncommitted"),
    ];
    for (support, count) in [("disabled", 0), ("preparing", 2), ("enabled", 3)] {
        let mut entries = given.to_vec();
        entries.push(("exactly.once.source.support", support));
        let warnings = &parse(&entries).worker.warnings;
        assert_eq!(warnings.len(), count, "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains(support)));
    }
    let agreeing = [
        ("enable.idempotence", "TRUE"),
        ("isolation.level", "read_committed"),
        ("exactly.once.source.support", "enabled"),
    ];
    assert_eq!(parse(&agreeing).worker.warnings, Vec::<String>::new());
}

#[test]
fn a_member_is_told_what_the_file_says() {
    let config = parse(&[
        ("heartbeat.interval.ms", "700"),
        ("connect.protocol", "compatible"),
    ]);
    let expected = MemberSettings {
        mode: ConnectProtocol::Compatible,
        heartbeat_interval: 700,
        discovery_timeout: 700,
        jitter_seed: 9,
        ..MemberSettings::new("g", "http://h:8083/")
    };
    assert_eq!(config.member_settings("http://h:8083/", 9), expected);
}

#[test]
fn workers_of_one_file_have_different_jitter() {
    let config = parse(&[]);
    assert_ne!(config.jitter_seed(), config.jitter_seed());
}

#[test]
fn transactional_ids_are_those_of_jvm_workers() {
    let config = parse(&[]);
    assert_eq!(config.leader_transactional_id(), "connect-cluster-g");
    assert_eq!(config.task_transactional_id("orders", 3), "g-orders-3");
}

#[test]
fn secrets_do_not_reach_debug_output() {
    let config = parse(&[
        ("sasl.jaas.config", "s3cret"),
        ("ssl.keystore.password", "s3cret"),
        ("producer.sasl.jaas.config", "s3cret"),
    ]);
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn the_worker_file_that_is_shipped_is_accepted_without_warnings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/connect-distributed.properties");
    let config = DistributedConfig::parse(&crate::config::read_properties(&path).unwrap()).unwrap();
    assert_eq!(config.worker.warnings, Vec::<String>::new());
    assert_eq!(config.config_topic.topic.replication_factor, Some(1));
}
