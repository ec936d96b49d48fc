//! Clients that must prove who they are: brokers behind TLS and SASL, and what a user reads when that fails.
//!
//! All tests share one broker with secured listeners. Records always go from a file through a topic into a file, so that
//! producer, consumer and admin client have all logged in.

mod refused;

use serde_json::{Value, json};
use wharf_e2e::security::{
    Settings, assert_no_secret, file, login, one_line, to, token, trust, trust_store, worker_settings,
};
use wharf_e2e::{Launch, PATIENCE, Stage, Worker};
use wharf_test_services::process::wait_until;
use wharf_test_services::{CertificateFile, Certificates, KafkaBroker, SecuredListener, Security};

const LINES: &str = "one\ntwo\nthree\n";

fn secured(name: &str) -> Option<(Stage, &'static Security)> {
    let (broker, security) = KafkaBroker::shared_secured()?;
    Some((Stage::on(name, &broker.bootstrap())?, security))
}

/// The settings with a prefix, for each of the clients that Connect makes.
fn overrides(settings: &Settings) -> Value {
    let all = ["producer", "consumer", "admin"].iter().flat_map(|client| {
        settings
            .iter()
            .map(move |(key, value)| (format!("{client}.override.{key}"), json!(value)))
    });
    Value::Object(all.collect())
}

fn with(mut config: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    config
}

/// A file through a new topic into a file, with connectors that override these settings.
fn moves(stage: &Stage, worker: &Worker, what: &str, more: &Value) {
    let topic = stage.named(what);
    stage.write(&format!("{what}.in"), LINES);
    let source = json!({
        "connector.class": "FileStreamSource", "topic": topic, "file": stage.file(&format!("{what}.in")),
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"
    });
    worker.create(&format!("{topic}-source"), with(source, more));
    // A consumer that comes before the topic would look again only after a while.
    worker.until(
        &format!("/connectors/{topic}-source/topics"),
        "a record was sent",
        |answer| {
            !answer[format!("{topic}-source")]["topics"]
                .as_array()
                .unwrap()
                .is_empty()
        },
    );
    let sink = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": stage.file(&format!("{what}.out"))
    });
    worker.create(&format!("{topic}-sink"), with(sink, more));
    let done = wait_until(PATIENCE, || {
        stage.read(&format!("{what}.out")) == LINES.as_bytes()
    });
    let status = |kind: &str| worker.get(&format!("/connectors/{topic}-{kind}/status"));
    assert!(done, "{what}: {} {}", status("source"), status("sink"));
}

fn launch(stage: &Stage, settings: &Settings) -> Worker {
    let all = worker_settings(settings);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    stage.launch(&pairs, &[], Launch::default())
}

/// A worker all of whose clients have these settings moves records.
fn a_worker_moves(name: &str, settings: impl FnOnce(&Security) -> Vec<Settings>) {
    let Some((stage, security)) = secured(name) else {
        return;
    };
    let worker = launch(&stage, &settings(security).concat());
    worker.wait_ready();
    moves(&stage, &worker, "lines", &json!({}));
    let shown = worker.get("/connectors?expand=info&expand=status").to_string();
    assert_no_secret(&shown);
    assert_no_secret(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn records_move_through_tls_and_scram_512_with_a_pkcs12_trust_store() {
    a_worker_moves("scram512", |security| {
        vec![
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            login("SCRAM-SHA-512", Security::PASSWORD),
            trust_store(file(security, CertificateFile::TrustPkcs12)),
            vec![("ssl.truststore.type", "PKCS12".to_owned())],
        ]
    });
}

#[test]
fn records_move_through_tls_and_plain_with_certificates_in_the_properties() {
    a_worker_moves("plain", |security| {
        let certificate = one_line(security, CertificateFile::Authority);
        vec![
            vec![(
                "bootstrap.servers",
                format!("localhost:{}", security.port(SecuredListener::SaslSsl)),
            )],
            vec![("security.protocol", "SASL_SSL".to_owned())],
            login("PLAIN", Security::PASSWORD),
            vec![
                ("ssl.truststore.type", "PEM".to_owned()),
                ("ssl.truststore.certificates", certificate),
                ("ssl.endpoint.identification.algorithm", "https".to_owned()),
            ],
        ]
    });
}

#[test]
fn records_move_with_a_client_certificate_of_a_pkcs12_store() {
    a_worker_moves("pkcs12", |security| {
        vec![
            to(security, SecuredListener::Ssl, "SSL"),
            trust(security, CertificateFile::Authority),
            vec![
                ("ssl.keystore.type", "PKCS12".to_owned()),
                (
                    "ssl.keystore.location",
                    file(security, CertificateFile::ClientPkcs12),
                ),
                ("ssl.keystore.password", Certificates::PASSWORD.to_owned()),
            ],
        ]
    });
}

#[test]
fn records_move_with_an_encrypted_key_of_a_pem_file() {
    a_worker_moves("pem", |security| {
        vec![
            to(security, SecuredListener::Ssl, "SSL"),
            trust(security, CertificateFile::Authority),
            vec![
                ("ssl.keystore.type", "PEM".to_owned()),
                (
                    "ssl.keystore.location",
                    file(security, CertificateFile::ClientPemEncrypted),
                ),
                ("ssl.key.password", Certificates::KEY_PASSWORD.to_owned()),
            ],
        ]
    });
}

#[test]
fn records_move_through_scram_256_without_tls() {
    a_worker_moves("scram256", |security| {
        vec![
            to(security, SecuredListener::SaslPlaintext, "SASL_PLAINTEXT"),
            login("SCRAM-SHA-256", Security::PASSWORD),
        ]
    });
}

#[test]
fn connectors_override_the_security_of_their_clients() {
    let Some((stage, security)) = secured("overrides") else {
        return;
    };
    // The worker itself speaks plain text.
    let worker = stage.start(&[("connector.client.config.override.policy", "All")], &[]);
    let client_key = |key: CertificateFile, password: Option<&str>| {
        let mut settings = vec![
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.key", one_line(security, key)),
            (
                "ssl.keystore.certificate.chain",
                one_line(security, CertificateFile::ClientChain),
            ),
        ];
        settings.extend(password.map(|password| ("ssl.key.password", password.to_owned())));
        settings
    };
    let ways = [
        (
            "plain-key",
            [
                to(security, SecuredListener::Ssl, "SSL"),
                trust(security, CertificateFile::Authority),
                client_key(CertificateFile::ClientKey, None),
            ],
        ),
        (
            "encrypted-key",
            [
                to(security, SecuredListener::Ssl, "SSL"),
                trust(security, CertificateFile::Authority),
                client_key(
                    CertificateFile::ClientKeyEncrypted,
                    Some(Certificates::KEY_PASSWORD),
                ),
            ],
        ),
        (
            "old-store",
            [
                to(security, SecuredListener::SaslSsl, "SASL_SSL"),
                trust_store(file(security, CertificateFile::TrustPkcs12Legacy)),
                login("SCRAM-SHA-256", Security::PASSWORD),
            ],
        ),
        (
            "no-root",
            [
                to(security, SecuredListener::SaslSsl, "SASL_SSL"),
                trust(security, CertificateFile::Intermediate),
                login("SCRAM-SHA-512", Security::PASSWORD),
            ],
        ),
        (
            "any-host",
            [
                to(security, SecuredListener::Elsewhere, "SSL"),
                trust(security, CertificateFile::Authority),
                vec![("ssl.endpoint.identification.algorithm", String::new())],
            ],
        ),
        (
            "token",
            [
                to(security, SecuredListener::SaslPlaintext, "SASL_PLAINTEXT"),
                token(),
                Vec::new(),
            ],
        ),
    ];
    std::thread::scope(|scope| {
        for (what, parts) in &ways {
            let (stage, worker) = (&stage, &worker);
            scope.spawn(move || moves(stage, worker, what, &overrides(&parts.concat())));
        }
    });
    assert_no_secret(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}
