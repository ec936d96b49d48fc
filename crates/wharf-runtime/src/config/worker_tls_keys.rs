//! The worker's TLS keys, which its admin clients are given.
//!
//! What a client refuses must not be called honoured here: a test holds this list against the clients' own catalogue.

use wharf_api::config::{Importance, Type};

use super::worker_key::{WorkerKey, honoured};
use super::worker_keys::is_blank;

use Importance::{High, Low, Medium};

const STORES: &str =
    "PEM files and PKCS12 stores are read; a JKS store is refused with the command that converts it";
const ALGORITHMS: &str =
    "PKIX and SunX509 are accepted and change nothing, other values are refused; leave it out";

/// TLS keys in the order of the reference pages.
pub(super) fn tls_keys() -> Vec<WorkerKey> {
    let key = |name, value_type, importance, doc| honoured(name, value_type, importance, doc).null();
    let text = |name, importance, doc| key(name, Type::String, importance, doc);
    let secret = |name, doc| key(name, Type::Password, High, doc);
    vec![
        text("ssl.protocol", Medium, "Version of TLS.").within_limits(
            "TLS, TLSv1.2 and TLSv1.3 are accepted, of which 1.2 and 1.3 are negotiated; other values are refused",
        ),
        text("ssl.provider", Medium, "Name of the security provider.")
            .refused(is_blank, "security providers are Java classes; leave it out"),
        text("ssl.keystore.type", Medium, "Format of the key store: PKCS12 or PEM.").within_limits(STORES),
        text(
            "ssl.keystore.location", High,
            "File with the client's key and certificate.",
        )
        .within_limits(STORES),
        text("ssl.truststore.type", Medium, "Format of the trust store: PKCS12 or PEM.").within_limits(STORES),
        text("ssl.truststore.location", High, "File with the certificates to trust.").within_limits(STORES),
        text("ssl.keymanager.algorithm", Low, "Algorithm of the key manager.").within_limits(ALGORITHMS),
        text("ssl.trustmanager.algorithm", Low, "Algorithm of the trust manager.").within_limits(ALGORITHMS),
        text(
            "ssl.endpoint.identification.algorithm", Low,
            "How the broker's host name is checked; empty for not at all.",
        )
        .within_limits("https or empty, other values are refused"),
        text("ssl.secure.random.implementation", Low, "Source of random numbers.")
            .refused(is_blank, "the system's generator is used; leave it out"),
        secret("ssl.keystore.password", "Password of the key store."),
        secret("ssl.key.password", "Password of the private key."),
        secret("ssl.keystore.key", "Private key as PEM text."),
        secret(
            "ssl.keystore.certificate.chain",
            "Certificates of the key as PEM text.",
        ),
        secret("ssl.truststore.password", "Password of the trust store."),
        secret(
            "ssl.truststore.certificates",
            "Certificates to trust as PEM text.",
        ),
        key(
            "ssl.enabled.protocols",
            Type::List,
            Medium,
            "Versions of TLS that may be used.",
        )
        .within_limits(
            "TLSv1.2 and TLSv1.3; older versions and TLSv1.3 alone are refused, and with TLSv1.2 alone 1.3 is still used",
        ),
        key(
            "ssl.cipher.suites",
            Type::List,
            Low,
            "Cipher suites that may be used.",
        )
        .refused(
            is_blank,
            "Java's names of cipher suites are not known here; leave it out",
        ),
        key(
            "ssl.engine.factory.class",
            Type::Class,
            Low,
            "Java class that makes TLS engines.",
        )
        .refused(is_blank, "engine factories are Java classes; leave it out"),
    ]
}

#[cfg(test)]
mod tests {
    use wharf_kafka::{ClientKind, translate};

    use crate::config::{Support, WorkerMode};

    /// Whether a client says of this key, by name, that it cannot do what a value asks for.
    fn is_refused_by_a_client(key: &str) -> bool {
        let properties = [
            ("bootstrap.servers", "localhost:9092"),
            ("group.id", "g"),
            ("security.protocol", "SSL"),
            (key, "something.of.Java"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin]
            .into_iter()
            .filter_map(|client| translate(client, &properties).err())
            .flatten()
            .any(|problem| problem.key == key && problem.message.contains("cannot be honoured"))
    }

    #[test]
    fn no_key_that_a_client_refuses_is_called_honoured() {
        let refused: Vec<_> = WorkerMode::ALL
            .into_iter()
            .flat_map(WorkerMode::keys)
            .filter(|entry| is_refused_by_a_client(entry.key.name()))
            // the worker resolves variables, so that no client has to
            .filter(|entry| entry.key.name() != "config.providers")
            .collect();
        for name in [
            "ssl.provider",
            "ssl.cipher.suites",
            "ssl.enabled.protocols",
            "metric.reporters",
        ] {
            assert!(refused.iter().any(|entry| entry.key.name() == name), "{name}");
        }
        for entry in refused {
            assert!(
                matches!(entry.support, Support::Refused { .. } | Support::WithinLimits(_)),
                "{} is {:?}",
                entry.key.name(),
                entry.support
            );
        }
    }

    #[test]
    fn what_the_worker_refuses_of_tls_a_client_refuses_too() {
        for entry in super::tls_keys() {
            if matches!(entry.support, Support::Refused { .. }) {
                assert!(is_refused_by_a_client(entry.key.name()), "{}", entry.key.name());
            }
        }
    }
}
