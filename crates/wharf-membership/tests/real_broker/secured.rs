//! The ways to prove who this is, each with its own kind of store or login.

use wharf_e2e::security::{convert_as_told, file, login, one_line, to, token, trust, trust_store};
use wharf_test_services::{CertificateFile, Certificates, SecuredListener, Security};

use super::*;

/// Each of these settings is enough to join a group and to lead it.
fn join(ways: impl IntoIterator<Item = (&'static str, Settings)>) {
    for (what, settings) in ways {
        let connection = connection(&settings).unwrap_or_else(|why| panic!("{what}: {why:?}"));
        let member = Member::start(
            &connection,
            &fresh_group(what),
            "http://one:8083/",
            ConnectProtocol::Sessioned,
        );
        assert!(member.leads_alone().is_leader, "{what}");
        assert!(member.client.lease().hold().is_valid(), "{what}");
        member.client.close("test is over");
    }
}

fn key_store(kind: &str, path: String) -> Settings {
    vec![
        ("ssl.keystore.type", kind.to_owned()),
        ("ssl.keystore.location", path),
    ]
}

fn password() -> Settings {
    vec![("ssl.keystore.password", Certificates::PASSWORD.to_owned())]
}

#[test]
fn a_client_certificate_is_taken_from_pem_files_pem_text_and_pkcs12() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let path = |name| file(security, name);
    let with = |parts: [Settings; 3]| [to(security, SecuredListener::Ssl, "SSL"), parts.concat()].concat();
    let pem = || trust(security, CertificateFile::Authority);
    let key_password = || vec![("ssl.key.password", Certificates::KEY_PASSWORD.to_owned())];
    let text = vec![
        ("ssl.keystore.type", "PEM".to_owned()),
        (
            "ssl.keystore.key",
            one_line(security, CertificateFile::ClientKeyEncrypted),
        ),
        (
            "ssl.keystore.certificate.chain",
            one_line(security, CertificateFile::ClientChain),
        ),
    ];
    join([
        (
            "pem",
            with([
                pem(),
                key_store("PEM", path(CertificateFile::ClientPem)),
                Vec::new(),
            ]),
        ),
        (
            "encrypted-pem",
            with([
                pem(),
                key_store("PEM", path(CertificateFile::ClientPemEncrypted)),
                key_password(),
            ]),
        ),
        ("pem-text", with([pem(), text, key_password()])),
        (
            "pkcs12",
            with([
                trust_store(path(CertificateFile::TrustPkcs12)),
                key_store("PKCS12", path(CertificateFile::ClientPkcs12)),
                password(),
            ]),
        ),
        (
            "old-pkcs12",
            with([
                trust_store(path(CertificateFile::TrustPkcs12Legacy)),
                key_store("PKCS12", path(CertificateFile::ClientPkcs12)),
                password(),
            ]),
        ),
    ]);
}

#[test]
fn jks_stores_are_refused_with_commands_that_make_stores_that_work() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let copies = tempfile::tempdir().unwrap();
    let copy = |store: CertificateFile, name: &str| {
        let to = copies.path().join(name).to_str().unwrap().to_owned();
        std::fs::copy(file(security, store), &to).unwrap();
        to
    };
    let trusted = copy(CertificateFile::TrustJks, "trust.jks");
    let own = copy(CertificateFile::ClientJks, "client.jks");
    let settings = |trusted: &str, own: &str, kind: &str| {
        [
            to(security, SecuredListener::Ssl, "SSL"),
            trust_store(trusted.to_owned()),
            key_store(kind, own.to_owned()),
            password(),
        ]
        .concat()
    };
    let mut messages = connection(&settings(&trusted, &own, "JKS")).unwrap_err();
    messages.sort();
    assert_eq!(messages.len(), 2, "{messages:?}");
    for (message, key) in messages
        .iter()
        .zip(["ssl.keystore.location", "ssl.truststore.location"])
    {
        assert!(message.starts_with(key), "{message}");
        assert!(
            message.contains("is a JKS store") && !message.contains("s3cret"),
            "{message}"
        );
        convert_as_told(message);
    }
    let converted = |store: &str| format!("{store}.p12");
    join([(
        "converted",
        settings(&converted(&trusted), &converted(&own), "PKCS12"),
    )]);
}

#[test]
fn every_mechanism_logs_in_through_tls() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let through = |login: Settings| {
        [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            login,
        ]
        .concat()
    };
    let by_password = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        .map(|mechanism| (mechanism, through(login(mechanism, Security::PASSWORD))));
    join(by_password);
    join([("OAUTHBEARER", through(token()))]);
}

#[test]
fn what_java_accepts_of_a_brokers_certificate_is_accepted() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let by_password = || login("PLAIN", Security::PASSWORD);
    let host = format!("localhost:{}", security.port(SecuredListener::SaslSsl));
    join([
        (
            "no-root",
            [
                to(security, SecuredListener::SaslSsl, "SASL_SSL"),
                trust(security, CertificateFile::Intermediate),
                by_password(),
            ]
            .concat(),
        ),
        (
            "any-host",
            [
                to(security, SecuredListener::Elsewhere, "SSL"),
                trust(security, CertificateFile::Authority),
                vec![("ssl.endpoint.identification.algorithm", String::new())],
            ]
            .concat(),
        ),
        (
            "host-name",
            [
                vec![
                    ("bootstrap.servers", host),
                    ("security.protocol", "SASL_SSL".to_owned()),
                    ("ssl.endpoint.identification.algorithm", "https".to_owned()),
                ],
                trust(security, CertificateFile::Authority),
                by_password(),
            ]
            .concat(),
        ),
    ]);
}
