//! Tests of the settings of the worker's own clients.

use super::*;

fn map(entries: &[(&str, &str)]) -> ConfigMap {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn config(entries: &[(&str, &str)]) -> DistributedConfig {
    let mut all = map(&[
        ("bootstrap.servers", "a:1, b:2"),
        ("key.converter", "K"),
        ("value.converter", "V"),
        ("group.id", "g"),
        ("config.storage.topic", "c"),
        ("offset.storage.topic", "o"),
        ("status.storage.topic", "s"),
    ]);
    all.extend(map(entries));
    DistributedConfig::parse(&all).unwrap()
}

#[test]
fn producers_have_one_request_in_flight_and_give_up_no_write_that_a_store_waits_for() {
    let worker = config(&[]);
    let expected = |id: &str, own: (&str, &str)| {
        map(&[
            ("acks", "all"),
            ("bootstrap.servers", "a:1,b:2"),
            ("client.id", id),
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "1"),
            own,
        ])
    };
    let for_ever = ("delivery.timeout.ms", "2147483647");
    let cases = [
        (InternalTopic::Config, expected("g-configs", for_ever)),
        (InternalTopic::Offset, expected("g-offsets", for_ever)),
        (InternalTopic::Status, expected("g-statuses", ("retries", "0"))),
    ];
    for (topic, expected) in cases {
        assert_eq!(internal_producer_config(&worker, topic), expected);
    }
}

#[test]
fn consumers_read_from_the_start_and_commit_nothing() {
    for (topic, id) in [
        (InternalTopic::Config, "g-blue-configs"),
        (InternalTopic::Offset, "g-blue-offsets"),
        (InternalTopic::Status, "g-blue-statuses"),
    ] {
        assert_eq!(
            internal_consumer_config(&config(&[("client.id", "blue")]), topic),
            map(&[
                ("auto.offset.reset", "earliest"),
                ("bootstrap.servers", "a:1,b:2"),
                ("client.id", id),
                ("enable.auto.commit", "false"),
                ("group.id", "g"),
            ])
        );
    }
}

#[test]
fn only_with_exactly_once_enabled_config_and_offset_topic_are_read_committed() {
    for (support, expected) in [
        ("disabled", [None, None, None]),
        ("preparing", [None, None, None]),
        ("enabled", [Some("read_committed"), Some("read_committed"), None]),
    ] {
        let worker = config(&[("exactly.once.source.support", support)]);
        let levels = InternalTopic::ALL.map(|topic| {
            internal_consumer_config(&worker, topic)
                .get("isolation.level")
                .cloned()
        });
        assert_eq!(
            levels,
            expected.map(|level| level.map(str::to_owned)),
            "{support}"
        );
    }
}

#[test]
fn each_client_inherits_the_top_level_properties_that_it_knows_but_no_prefixed_ones() {
    let worker = config(&[
        ("security.protocol", "SSL"),
        ("ssl.truststore.type", "PEM"),
        ("linger.ms", "5"),
        ("fetch.max.bytes", "1000"),
        ("producer.batch.size", "7"),
        ("acks", "1"),
        ("enable.auto.commit", "true"),
        ("session.timeout.ms", "2000"),
        ("heartbeat.interval.ms", "600"),
        ("listeners", "http://:1"),
    ]);
    let producer = internal_producer_config(&worker, InternalTopic::Config);
    let consumer = internal_consumer_config(&worker, InternalTopic::Config);
    let admin = shared_admin_config(&worker);
    for settings in [&producer, &consumer, &admin] {
        assert_eq!(settings["security.protocol"], "SSL");
        assert_eq!(settings["ssl.truststore.type"], "PEM");
        for foreign in [
            "listeners",
            "batch.size",
            "session.timeout.ms",
            "heartbeat.interval.ms",
        ] {
            assert!(!settings.contains_key(foreign), "{foreign}");
        }
    }
    assert_eq!(
        (producer["linger.ms"].as_str(), producer["acks"].as_str()),
        ("5", "all")
    );
    assert!(!producer.contains_key("fetch.max.bytes"));
    assert_eq!(consumer["fetch.max.bytes"], "1000");
    assert_eq!(consumer["enable.auto.commit"], "false");
    assert_eq!(admin["client.id"], "g-shared-admin");
    assert!(!admin.contains_key("linger.ms"));
}

#[test]
fn the_leaders_producer_is_there_only_where_it_fences_and_cannot_be_renamed() {
    assert_eq!(leader_producer_config(&config(&[])), None);
    for support in ["preparing", "enabled"] {
        let worker = config(&[
            ("exactly.once.source.support", support),
            ("transactional.id", "mine"),
            ("enable.idempotence", "false"),
        ]);
        assert_eq!(
            leader_producer_config(&worker).unwrap(),
            map(&[
                ("acks", "all"),
                ("bootstrap.servers", "a:1,b:2"),
                ("client.id", "g-configs-leader"),
                ("delivery.timeout.ms", "2147483647"),
                ("enable.idempotence", "true"),
                ("max.in.flight.requests.per.connection", "5"),
                ("transactional.id", "connect-cluster-g"),
            ])
        );
        let plain = internal_producer_config(&worker, InternalTopic::Config);
        assert!(!plain.contains_key("transactional.id"));
    }
}

#[test]
fn all_clients_can_be_made_of_their_settings() {
    let clients = InternalClients::translate(&config(&[
        ("exactly.once.source.support", "enabled"),
        ("client.id", "blue"),
    ]))
    .unwrap();
    for (topic, id) in [
        (InternalTopic::Config, "g-blue-configs"),
        (InternalTopic::Offset, "g-blue-offsets"),
        (InternalTopic::Status, "g-blue-statuses"),
    ] {
        let log = clients.log(topic);
        assert_eq!(log.producer.runtime.client_id, id);
        assert_eq!(log.consumer.runtime.client_id, id);
        assert_eq!(log.producer.librdkafka["acks"], "-1");
        // Java's hash, or a key would be in two partitions
        assert_eq!(log.producer.librdkafka["partitioner"], "murmur2_random");
        assert_eq!(log.producer.unknown, Vec::<String>::new());
    }
    assert_eq!(clients.shared_admin.runtime.client_id, "g-blue-shared-admin");
    assert_eq!(
        clients.leader_producer.unwrap().librdkafka["transactional.id"],
        "connect-cluster-g"
    );
    assert_eq!(
        clients.configs.consumer.librdkafka["isolation.level"],
        "read_committed"
    );
    assert_eq!(
        clients.statuses.consumer.librdkafka["isolation.level"],
        "read_uncommitted"
    );
}

#[test]
fn a_mistake_that_all_clients_share_is_told_once() {
    let worker = config(&[
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "GSSAPI"),
        ("interceptor.classes", "x.Y"),
    ]);
    let problems = InternalClients::translate(&worker).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with("sasl.mechanism: "))
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with("interceptor.classes: "))
    );
}

#[test]
fn in_a_file_with_other_mistakes_each_is_still_told_once() {
    let properties = map(&[
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "GSSAPI"),
        // told by the worker's own catalogue
        ("sasl.login.class", "x.Y"),
        ("metadata.max.age.ms", "-1"),
        // the worker's membership, not that of a consumer
        ("session.timeout.ms", "1"),
        ("compression.type", "tar"),
    ]);
    let keys = |mode| -> Vec<String> {
        let mistakes = top_level_mistakes(mode, &properties);
        let key = |mistake: &String| mistake.split(':').next().unwrap_or_default().to_owned();
        mistakes.iter().map(key).collect()
    };
    assert_eq!(
        keys(WorkerMode::Distributed),
        ["compression.type", "sasl.mechanism"]
    );
    // there the catalogue has none of these, and only admin clients are given them
    assert_eq!(
        keys(WorkerMode::Standalone),
        ["metadata.max.age.ms", "sasl.login.class", "sasl.mechanism"]
    );
}

#[test]
fn the_connection_to_the_group_is_secured_like_the_other_clients() {
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"s3cret\";";
    let worker = config(&[
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.jaas.config", login),
    ]);
    let settings = membership_connection(&worker, "h:8083").unwrap();
    assert_eq!(settings.client_id, "connect-h:8083");
    let brokers: Vec<String> = settings.bootstrap.iter().map(ToString::to_string).collect();
    assert_eq!(brokers, ["a:1", "b:2"]);
    assert!(settings.tls.is_none());
    assert_eq!(settings.sasl.as_ref().unwrap().mechanism(), "SCRAM-SHA-512");
    assert_eq!(settings.request_timeout, Duration::from_secs(40));
    assert_eq!(settings.setup_timeout, Duration::from_secs(30));
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn a_client_id_of_the_user_names_the_member() {
    let worker = config(&[
        ("client.id", "blue"),
        ("security.protocol", "SSL"),
        ("request.timeout.ms", "7000"),
        ("socket.connection.setup.timeout.max.ms", "9000"),
    ]);
    let settings = membership_connection(&worker, "h:8083").unwrap();
    assert_eq!(settings.client_id, "blue");
    assert!(settings.tls.unwrap().verify_host);
    assert_eq!(settings.request_timeout, Duration::from_secs(7));
    assert_eq!(settings.setup_timeout, Duration::from_secs(9));
}

#[test]
fn a_connection_to_the_group_that_cannot_be_made_says_why() {
    let worker = config(&[("security.protocol", "SASL_SSL"), ("sasl.mechanism", "GSSAPI")]);
    let error = membership_connection(&worker, "h:8083").unwrap_err();
    assert!(
        error
            .message()
            .starts_with("the connection to the group cannot be configured: "),
        "{error}"
    );
    assert!(error.message().contains("GSSAPI"), "{error}");
}
