//! What is told when broker and worker do not trust each other: on which connection, why, and what helps, at the first try.

use wharf_e2e::security::{assert_no_secret, login, to, trust};
use wharf_test_services::{CertificateFile, SecuredListener, Security};

use super::*;

const WRONG: &str = "wr0ng-s3cret";

/// With these settings there is no way into the group, and the worker is told so in these words.
fn is_refused(what: &str, settings: &Settings, listener: &str, words: &[&str]) {
    let member = Member::start(
        &connection(settings).unwrap(),
        &fresh_group(what),
        "http://one:8083/",
        ConnectProtocol::Sessioned,
    );
    let error = member.is_refused();
    let text = error.to_string();
    assert!(!error.is_retriable(), "{what}: {text}");
    for word in words.iter().chain([&listener]) {
        assert!(text.contains(word), "{what}: {word} is not in {text}");
    }
    assert!(!text.contains(WRONG), "{what}: {text}");
    assert_no_secret(&text);
    assert!(!member.client.lease().hold().is_valid(), "{what}");
}

#[test]
fn a_wrong_password_is_named_with_its_mechanism_and_the_setting_that_holds_it() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let settings = [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            login(mechanism, WRONG),
        ]
        .concat();
        is_refused(
            mechanism,
            &settings,
            &security.bootstrap(SecuredListener::SaslSsl),
            &[
                &format!("refused the authentication by {mechanism}: Authentication failed"),
                "check user and password in sasl.jaas.config",
            ],
        );
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_with_the_setting_that_helps() {
    let Some((_, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let tls = |listener, protocol, authority| {
        [to(security, listener, protocol), trust(security, authority)].concat()
    };
    for (what, listener, settings, words) in [
        (
            "authority",
            SecuredListener::SaslSsl,
            [
                tls(SecuredListener::SaslSsl, "SASL_SSL", CertificateFile::Stranger),
                login("PLAIN", Security::PASSWORD),
            ]
            .concat(),
            [
                "the broker's certificate is refused: unable to get local issuer certificate",
                "ssl.truststore.location",
            ],
        ),
        (
            "no-authority",
            SecuredListener::SaslSsl,
            [
                to(security, SecuredListener::SaslSsl, "SASL_SSL"),
                login("PLAIN", Security::PASSWORD),
            ]
            .concat(),
            [
                "the broker's certificate is refused: unable to get local issuer certificate",
                "ssl.truststore.location",
            ],
        ),
        (
            "host",
            SecuredListener::Elsewhere,
            tls(SecuredListener::Elsewhere, "SSL", CertificateFile::Authority),
            [
                "the broker's certificate is refused: IP address mismatch",
                "ssl.endpoint.identification.algorithm",
            ],
        ),
        (
            "no-certificate",
            SecuredListener::Ssl,
            tls(SecuredListener::Ssl, "SSL", CertificateFile::Authority),
            [
                "alert bad certificate",
                "the broker wants a client's certificate that it trusts: set ssl.keystore.location",
            ],
        ),
    ] {
        is_refused(what, &settings, &security.bootstrap(listener), &words);
    }
}
