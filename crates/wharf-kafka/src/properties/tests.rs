//! What the translation promises, by table.

use std::collections::BTreeMap;

use super::catalogue::{Rule, entries};
use super::*;

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let base = [("bootstrap.servers", "localhost:9092"), ("group.id", "connect-x")];
    base.iter()
        .chain(pairs)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn translated(client: ClientKind, pairs: &[(&str, &str)]) -> Translated {
    translate(client, &properties(pairs)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(client: ClientKind, pairs: &[(&str, &str)]) -> Vec<String> {
    match translate(client, &properties(pairs)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
    }
}

const KINDS: [ClientKind; 3] = [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin];

#[test]
fn every_default_of_the_catalogue_is_a_valid_value_of_its_property() {
    for entry in entries() {
        if let Some(default) = entry.default {
            assert!(values::check(entry, default).is_ok(), "{} = {default}", entry.key);
        }
    }
}

#[test]
fn no_client_finds_a_property_twice_in_the_catalogue() {
    for kind in KINDS {
        let mut keys: Vec<_> = entries().filter(|e| e.applies_to(kind)).map(|e| e.key).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "{kind:?}");
    }
}

#[test]
fn an_untouched_producer_behaves_like_connects_java_producer() {
    let out = translated(ClientKind::Producer, &[]);
    for (key, expected) in [
        ("acks", "-1"),
        ("enable.idempotence", "true"),
        ("max.in.flight.requests.per.connection", "1"),
        ("message.timeout.ms", "2147483647"),
        ("linger.ms", "5"),
        ("batch.size", "16384"),
        ("queue.buffering.max.kbytes", "32768"),
        ("queue.buffering.max.messages", "0"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "none"),
        ("message.max.bytes", "1048576"),
        ("message.send.max.retries", "2147483647"),
        ("topic.metadata.propagation.max.ms", "2147000"),
        ("security.protocol", "plaintext"),
    ] {
        assert_eq!(
            out.librdkafka.get(key).map(String::as_str),
            Some(expected),
            "{key}"
        );
    }
    assert_eq!(out.runtime.max_block, None);
    assert_eq!(out.runtime.buffer_memory, 33_554_432);
    assert_eq!(out.unknown, ["group.id"]);
}

#[test]
fn an_untouched_consumer_behaves_like_connects_java_consumer() {
    let out = translated(ClientKind::Consumer, &[]);
    for (key, expected) in [
        ("isolation.level", "read_uncommitted"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("allow.auto.create.topics", "true"),
        ("partition.assignment.strategy", "range"),
        ("session.timeout.ms", "45000"),
        ("heartbeat.interval.ms", "3000"),
        ("max.poll.interval.ms", "300000"),
        ("fetch.max.bytes", "52428800"),
        ("fetch.wait.max.ms", "500"),
        ("check.crcs", "true"),
        ("group.id", "connect-x"),
    ] {
        assert_eq!(
            out.librdkafka.get(key).map(String::as_str),
            Some(expected),
            "{key}"
        );
    }
    assert_eq!(out.runtime.max_poll_records, 500);
    assert_eq!(out.runtime.auto_offset_reset, OffsetReset::Earliest);
}

#[test]
fn librdkafka_accepts_the_translation_of_every_client() {
    for kind in KINDS {
        for pairs in [
            &[][..],
            &[
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "PLAIN"),
                ("sasl.jaas.config", LOGIN),
            ][..],
        ] {
            let out = translated(kind, pairs);
            crate::native::client::Client::new(kind, &out.librdkafka)
                .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        }
    }
    let modern = translated(ClientKind::Consumer, &[("group.protocol", "consumer")]);
    assert!(crate::native::client::Client::new(ClientKind::Consumer, &modern.librdkafka).is_ok());
    let short = translated(ClientKind::Consumer, &[("max.poll.interval.ms", "6000")]);
    assert!(crate::native::client::Client::new(ClientKind::Consumer, &short.librdkafka).is_ok());
    let exact = translated(
        ClientKind::Producer,
        &[
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "5"),
            ("transactional.id", "t"),
        ],
    );
    assert!(crate::native::client::Client::new(ClientKind::Producer, &exact.librdkafka).is_ok());
}

const LOGIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                     username=\"alice\" password=\"s3cret\";";

#[test]
fn wrong_values_are_reported_all_at_once_in_kafkas_words() {
    let found = problems(
        ClientKind::Producer,
        &[
            ("batch.size", "abc"),
            ("acks", "5"),
            ("linger.ms", "-1"),
            ("enable.idempotence", "yes"),
        ],
    );
    assert_eq!(
        found,
        [
            "Invalid value 5 for configuration acks: String must be one of: all, -1, 0, 1",
            "Invalid value abc for configuration batch.size: Not a number of type INT",
            "Invalid value yes for configuration enable.idempotence: Expected value to be either true or false",
            "Invalid value -1 for configuration linger.ms: Value must be at least 0",
        ]
    );
}

#[test]
fn the_users_values_win_over_the_defaults() {
    let producer = translated(
        ClientKind::Producer,
        &[
            ("acks", "1"),
            ("linger.ms", "100"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "5"),
        ],
    );
    assert_eq!(producer.librdkafka["acks"], "1");
    assert_eq!(producer.librdkafka["linger.ms"], "100");
    assert_eq!(producer.librdkafka["compression.level"], "5");
    let consumer = translated(
        ClientKind::Consumer,
        &[
            ("isolation.level", "read_committed"),
            (
                "partition.assignment.strategy",
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            ),
            ("max.poll.records", "7"),
            ("group.instance.id", "static-1"),
        ],
    );
    assert_eq!(consumer.librdkafka["isolation.level"], "read_committed");
    assert_eq!(
        consumer.librdkafka["partition.assignment.strategy"],
        "cooperative-sticky"
    );
    assert_eq!(consumer.librdkafka["group.instance.id"], "static-1");
    assert_eq!(consumer.runtime.max_poll_records, 7);
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (client, key, value) in [
        (ClientKind::Producer, "interceptor.classes", "a.b.C"),
        (ClientKind::Producer, "metric.reporters", "a.b.C"),
        (ClientKind::Producer, "partitioner.class", "a.b.C"),
        (ClientKind::Consumer, "partition.assignment.strategy", "a.b.C"),
        (ClientKind::Consumer, "auto.offset.reset", "by_duration:PT1H"),
        (ClientKind::Admin, "ssl.engine.factory.class", "a.b.C"),
        (
            ClientKind::Admin,
            "sasl.login.callback.handler.class",
            "org.example.OAuthBearerLoginCallbackHandler",
        ),
        (
            ClientKind::Admin,
            "sasl.oauthbearer.jwt.retriever.class",
            "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever",
        ),
        (ClientKind::Consumer, "sasl.oauthbearer.assertion.file", "/x"),
    ] {
        let found = problems(client, &[(key, value)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(key), "{found:?}");
    }
    assert_eq!(
        problems(ClientKind::Producer, &[("interceptor.classes", "")]),
        [""; 0]
    );
}

#[test]
fn every_refusal_names_a_remedy() {
    for entry in entries() {
        match entry.rule {
            Rule::Refused { remedy, .. } => assert!(!remedy.is_empty(), "{}", entry.key),
            Rule::Harmless(reason) => assert!(!reason.is_empty(), "{}", entry.key),
            _ => {}
        }
    }
}

#[test]
fn rules_over_several_properties_hold_as_in_java() {
    for (client, pairs, start) in [
        (
            ClientKind::Producer,
            &[("enable.idempotence", "true"), ("acks", "1")][..],
            "Must set acks to all",
        ),
        (
            ClientKind::Producer,
            &[("transactional.id", "t")][..],
            "Cannot set a transactional.id",
        ),
        (
            ClientKind::Producer,
            &[("delivery.timeout.ms", "100")][..],
            "delivery.timeout.ms should be",
        ),
        (
            ClientKind::Consumer,
            &[("heartbeat.interval.ms", "50000")][..],
            "Heartbeat must be set lower",
        ),
        (
            ClientKind::Consumer,
            &[("group.protocol", "consumer"), ("session.timeout.ms", "9000")][..],
            "session.timeout.ms cannot be set",
        ),
        (
            ClientKind::Admin,
            &[("bootstrap.servers", "localhost")][..],
            "Invalid url in bootstrap.servers",
        ),
        (
            ClientKind::Admin,
            &[("bootstrap.servers", " ")][..],
            "Missing required configuration",
        ),
    ] {
        let found = problems(client, pairs);
        assert_eq!(found.len(), 1, "{pairs:?}: {found:?}");
        assert!(found[0].starts_with(start), "{found:?}");
    }
}

#[test]
fn keys_of_no_java_client_are_unknown_and_not_passed_on() {
    let out = translated(
        ClientKind::Producer,
        &[
            ("queue.buffering.max.ms", "1"),
            ("my.key", "x"),
            ("metrics.context.connect.kafka.cluster.id", "c"),
        ],
    );
    assert_eq!(out.unknown, ["group.id", "my.key", "queue.buffering.max.ms"]);
    assert!(!out.librdkafka.contains_key("my.key"));
}

#[test]
fn sasl_logins_are_translated() {
    for (mechanism, class) in [
        ("PLAIN", "org.apache.kafka.common.security.plain.PlainLoginModule"),
        (
            "SCRAM-SHA-512",
            "org.apache.kafka.common.security.scram.ScramLoginModule",
        ),
    ] {
        let login = format!("{class} required username=\"alice\" password=\"s3cret\";");
        let out = translated(
            ClientKind::Consumer,
            &[
                ("security.protocol", "sasl_plaintext"),
                ("sasl.mechanism", mechanism),
                ("sasl.jaas.config", &login),
            ],
        );
        assert_eq!(out.librdkafka["sasl.username"], "alice");
        assert_eq!(out.librdkafka["sasl.password"], "s3cret");
        assert_eq!(out.librdkafka["sasl.mechanism"], mechanism);
    }
    let token = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 unsecuredLoginStringClaim_sub=\"bob\";";
    let out = translated(
        ClientKind::Admin,
        &[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", token),
        ],
    );
    assert_eq!(out.librdkafka["sasl.oauthbearer.config"], "principal=bob");
}

#[test]
fn options_of_an_unsecured_token_are_translated_or_refused_by_name() {
    let token = |options: &str| {
        let class = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
        let config = format!("{class} required {options};");
        let pairs = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", config.as_str()),
        ];
        translate(ClientKind::Admin, &properties(&pairs))
            .map(|out| out.librdkafka["sasl.oauthbearer.config"].clone())
            .map_err(|problems| problems[0].message.clone())
    };
    for (options, expected) in [
        ("unsecuredLoginStringClaim_sub=\"bob\"", Ok("principal=bob")),
        (
            "unsecuredLoginStringClaim_azp=\"bob\" unsecuredLoginPrincipalClaimName=\"azp\" \
             unsecuredLoginLifetimeSeconds=\"60\" unsecuredLoginListClaim_scope=\"|a|b\" \
             unsecuredLoginExtension_tenant=\"t\"",
            Ok("extension_tenant=t lifeSeconds=60 scope=a,b principalClaimName=azp principal=bob"),
        ),
        ("debug=true", Err("debug")),
        (
            "unsecuredLoginLifetimeSeconds=\"60\"",
            Err("unsecuredLoginStringClaim_sub"),
        ),
        (
            "unsecuredLoginStringClaim_sub=\"bob\" unsecuredLoginNumberClaim_n=\"1\"",
            Err("unsecuredLoginNumberClaim_n"),
        ),
        (
            "unsecuredLoginStringClaim_sub=\"bob scope=x\"",
            Err("neither blanks"),
        ),
        ("clientId=\"a\" clientSecret=\"s3cret\"", Err("clientId")),
    ] {
        match (token(options), expected) {
            (Ok(config), Ok(expected)) => assert_eq!(config, expected),
            (Err(message), Err(words)) => {
                assert!(
                    message.contains(words) && !message.contains("s3cret"),
                    "{message}"
                );
            }
            (other, expected) => panic!("{options}: {other:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn kerberos_and_cloud_mechanisms_are_refused_by_name() {
    for mechanism in ["GSSAPI", "AWS_MSK_IAM"] {
        let found = problems(
            ClientKind::Producer,
            &[("security.protocol", "SASL_SSL"), ("sasl.mechanism", mechanism)],
        );
        assert!(found[0].contains(mechanism), "{found:?}");
    }
    let found = problems(ClientKind::Producer, &[("security.protocol", "SASL_SSL")]);
    assert!(found[0].contains("GSSAPI unless set"), "{found:?}");
}

#[test]
fn passwords_show_up_neither_in_debug_output_nor_in_problems() {
    let out = translated(
        ClientKind::Producer,
        &[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", LOGIN),
        ],
    );
    assert!(!format!("{out:?}").contains("s3cret"));
    let found = problems(
        ClientKind::Producer,
        &[
            ("security.protocol", "SSL"),
            ("ssl.truststore.certificates", "pem-s3cret"),
            ("ssl.keystore.key", "key-s3cret"),
        ],
    );
    assert!(
        found.len() == 2 && !format!("{found:?}").contains("s3cret"),
        "{found:?}"
    );
    let found = problems(
        ClientKind::Producer,
        &[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            (
                "sasl.jaas.config",
                "org.example.Module required password=\"s3cret\"",
            ),
        ],
    );
    assert!(
        !found.is_empty() && !format!("{found:?}").contains("s3cret"),
        "{found:?}"
    );
}

#[test]
fn a_jks_store_is_refused_with_the_command_that_converts_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.jks");
    std::fs::write(&path, [0xfe, 0xed, 0xfe, 0xed, 0, 0]).unwrap();
    let path = path.to_str().unwrap();
    let found = problems(
        ClientKind::Admin,
        &[("security.protocol", "SSL"), ("ssl.truststore.location", path)],
    );
    assert!(found[0].contains("keytool -importkeystore"), "{found:?}");
}

#[test]
fn a_pkcs12_trust_store_becomes_pem_whatever_type_is_declared() {
    use openssl::pkcs12::Pkcs12;
    use openssl::stack::Stack;
    use wharf_test_services::Identity;

    let certificate = Identity::authority("own").certificate;
    let mut authorities = Stack::new().unwrap();
    authorities.push(certificate.clone()).unwrap();
    let store = Pkcs12::builder()
        .ca(authorities)
        .build2("changeit")
        .unwrap()
        .to_der()
        .unwrap();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.p12");
    std::fs::write(&path, store).unwrap();
    let pairs = |password: &'static str| {
        [
            ("security.protocol", "SSL"),
            ("ssl.truststore.location", path.to_str().unwrap()),
            ("ssl.truststore.password", password),
            ("ssl.endpoint.identification.algorithm", ""),
        ]
    };
    let out = translated(ClientKind::Producer, &pairs("changeit"));
    assert_eq!(
        out.librdkafka["ssl.ca.pem"].as_bytes(),
        certificate.to_pem().unwrap()
    );
    assert_eq!(out.librdkafka["ssl.endpoint.identification.algorithm"], "none");
    assert!(crate::native::client::Client::new(ClientKind::Producer, &out.librdkafka).is_ok());
    let found = problems(ClientKind::Producer, &pairs("wrong"));
    assert!(found[0].contains("check ssl.truststore.password"), "{found:?}");
}

#[test]
fn a_byte_budget_bounds_what_a_consumer_fetches_ahead() {
    let mut out = translated(ClientKind::Consumer, &[("max.partition.fetch.bytes", "1000")]);
    out.bound_prefetch(4 << 20);
    assert_eq!(out.librdkafka["queued.max.messages.kbytes"], "4096");
    assert_eq!(out.librdkafka["fetch.max.bytes"], (4 << 20).to_string());
    assert_eq!(out.librdkafka["max.partition.fetch.bytes"], "1000");
    assert!(crate::native::client::Client::new(ClientKind::Consumer, &out.librdkafka).is_ok());
    out.bound_prefetch(1);
    assert!(crate::native::client::Client::new(ClientKind::Consumer, &out.librdkafka).is_ok());
}
