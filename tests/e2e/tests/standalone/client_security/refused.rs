//! What a user reads when security is set up wrongly: the reason, the property that helps, and no secret.

use std::time::{Duration, Instant};

use wharf_e2e::security::convert_as_told;

use super::*;

/// What a refusal, a stop or a failed start may take, the client's own waits included.
const ANSWER: Duration = Duration::from_secs(20);

/// What is wrong, the settings, and what a user must read: the reason and the property that helps.
fn mistakes(security: &Security) -> Vec<(&'static str, Settings, [&'static str; 2])> {
    let tls = |listener, protocol, authority| {
        [to(security, listener, protocol), trust(security, authority)].concat()
    };
    vec![
        (
            "password",
            [
                tls(SecuredListener::SaslSsl, "SASL_SSL", CertificateFile::Authority),
                login("SCRAM-SHA-512", "wr0ng-s3cret"),
            ]
            .concat(),
            ["Authentication failed", "sasl.jaas.config"],
        ),
        (
            "authority",
            [
                tls(SecuredListener::SaslSsl, "SASL_SSL", CertificateFile::Stranger),
                login("PLAIN", Security::PASSWORD),
            ]
            .concat(),
            [
                "unable to get local issuer certificate",
                "ssl.truststore.location",
            ],
        ),
        (
            "host",
            tls(SecuredListener::Elsewhere, "SSL", CertificateFile::Authority),
            ["IP address mismatch", "ssl.endpoint.identification.algorithm"],
        ),
        (
            "no-certificate",
            tls(SecuredListener::Ssl, "SSL", CertificateFile::Authority),
            ["alert bad certificate", "ssl.keystore.location"],
        ),
    ]
}

#[test]
fn tasks_whose_clients_are_refused_fail_and_say_why_and_what_helps() {
    let Some((stage, security)) = secured("refused") else {
        return;
    };
    // A task that fails waits this long for records that nobody acknowledges.
    let worker = stage.start(&[("offset.flush.timeout.ms", "200")], &[]);
    for (what, settings, words) in mistakes(security) {
        let more = overrides(&settings);
        let topic = stage.named(what);
        stage.kafka().create_topic(&topic, 1, &[]);
        let begun = Instant::now();
        for config in [
            json!({
                "connector.class": "wharf.test.BlobSource", "topic": topic, "records": "10", "bytes": "10"
            }),
            json!({"connector.class": "FileStreamSink", "topics": topic, "file": stage.file(what)}),
        ] {
            let name = format!("{topic}-{}", config["connector.class"].as_str().unwrap());
            worker.create(&name, with(config, &more));
            let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
            let trace = status["tasks"][0]["trace"].as_str().unwrap();
            assert!(begun.elapsed() < ANSWER, "{what}: {:?}", begun.elapsed());
            for word in words {
                assert!(trace.contains(word), "{what}: {word} is not in {trace}");
            }
            assert!(!trace.contains("s3cret"), "{trace}");
            let begun = Instant::now();
            worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
            assert!(begun.elapsed() < ANSWER, "{what}: {:?}", begun.elapsed());
        }
        assert_eq!(stage.kafka().count(&topic), 0, "{what}");
    }
    assert!(!worker.log().contains("s3cret"));
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_worker_whose_client_is_refused_ends_and_says_why_and_what_helps() {
    let Some((stage, security)) = secured("start") else {
        return;
    };
    for (what, settings, words) in mistakes(security) {
        let mut worker = launch(&stage, &settings);
        assert_eq!(worker.end(ANSWER), Some(2), "{what}");
        let log = worker.log();
        for word in words {
            assert!(log.contains(word), "{what}: {word} is not in {log}");
        }
        assert!(!log.contains("s3cret"), "{what}: {log}");
    }
}

#[test]
fn a_jks_store_is_refused_with_a_command_that_makes_one_that_works() {
    let Some((stage, security)) = secured("jks") else {
        return;
    };
    let jks = stage.file("my trust.jks");
    std::fs::copy(file(security, CertificateFile::TrustJks), &jks).unwrap();
    let worker = stage.start(&[], &[]);
    let settings = |store: String| {
        overrides(
            &[
                to(security, SecuredListener::SaslSsl, "SASL_SSL"),
                trust_store(store),
                login("PLAIN", Security::PASSWORD),
            ]
            .concat(),
        )
    };
    let config = with(
        json!({"connector.class": "FileStreamSink", "topics": "t", "name": "jks", "file": stage.file("jks.out")}),
        &settings(jks.clone()),
    );
    let message = worker.refused("PUT", "/connectors/jks/config", Some(&config), 400);
    assert!(!message.contains("s3cret"), "{message}");
    convert_as_told(&message);
    moves(&stage, &worker, "converted", &settings(format!("{jks}.p12")));
    assert_no_secret(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn mistakes_in_stores_are_named_before_any_connection_is_tried() {
    let Some((stage, security)) = secured("stores") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let path = |name| file(security, name);
    for (settings, words) in [
        (
            vec![
                ("ssl.truststore.location", path(CertificateFile::TrustPkcs12)),
                ("ssl.truststore.password", "wr0ng-s3cret".to_owned()),
            ],
            "check ssl.truststore.password",
        ),
        (
            vec![("ssl.truststore.location", path(CertificateFile::Authority))],
            "set ssl.truststore.type=PEM",
        ),
        (
            vec![
                ("ssl.keystore.location", path(CertificateFile::ClientPkcs12)),
                ("ssl.keystore.password", "wr0ng-s3cret".to_owned()),
            ],
            "check ssl.keystore.password",
        ),
        (
            vec![
                ("ssl.keystore.type", "PEM".to_owned()),
                ("ssl.keystore.location", path(CertificateFile::ClientPemEncrypted)),
                ("ssl.key.password", "wr0ng-s3cret".to_owned()),
            ],
            "check ssl.key.password",
        ),
        (
            vec![
                ("ssl.keystore.type", "PEM".to_owned()),
                ("ssl.keystore.location", path(CertificateFile::ClientPemEncrypted)),
            ],
            "set ssl.key.password",
        ),
        (
            vec![
                ("ssl.keystore.key", one_line(security, CertificateFile::ClientKey)),
                (
                    "ssl.keystore.certificate.chain",
                    one_line(security, CertificateFile::Authority),
                ),
            ],
            "is not the first certificate's",
        ),
    ] {
        let all = [to(security, SecuredListener::Ssl, "SSL"), settings].concat();
        let config = with(
            json!({"connector.class": "FileStreamSink", "topics": "t", "name": "stores", "file": stage.file("o")}),
            &overrides(&all),
        );
        let message = worker.refused("PUT", "/connectors/stores/config", Some(&config), 400);
        assert!(message.contains(words), "{words}: {message}");
        assert!(
            !message.contains("s3cret") && !message.contains("PRIVATE KEY"),
            "{message}"
        );
    }
    assert!(!worker.log().contains("s3cret"));
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_source_that_cannot_log_in_fails_says_why_and_can_be_deleted() {
    let Some(stage) = Stage::set_up("sasl") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"s3cr3t\";";
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.BlobSource", "topic": topic, "records": "10",
            "producer.override.security.protocol": "SASL_PLAINTEXT", "producer.override.sasl.mechanism": "PLAIN",
            "producer.override.sasl.jaas.config": login
        }),
    );
    let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.to_lowercase().contains("authentication"), "{trace}");
    assert!(
        !trace.contains("s3cr3t") && !worker.log().contains("s3cr3t"),
        "{trace}"
    );
    assert_eq!(
        worker.get(&format!("/connectors/{name}/offsets"))["offsets"],
        json!([])
    );
    let begun = Instant::now();
    worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
    assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(worker.terminate(), Some(143));
    assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
    assert_eq!(stage.kafka().count(&topic), 0);
}
