//! The secured listeners of a test broker, beside its plain one.
//!
//! What must stay true: broker and controller speak to each other in plain text, so that a mistake here shows itself in
//! the clients under test only; users and passwords are constants, so that a test can look for them in logs.

use std::path::Path;

use crate::ServiceError;
use crate::certificates::Certificates;

/// A listener for clients that must identify themselves, or hide what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecuredListener {
    /// TLS, then PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
    SaslSsl,
    /// TLS with a client's certificate.
    Ssl,
    /// No TLS; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
    SaslPlaintext,
    /// TLS without a client's certificate, by a broker whose own certificate is for another host.
    Elsewhere,
}

impl SecuredListener {
    const ALL: [Self; 4] = [Self::SaslSsl, Self::Ssl, Self::SaslPlaintext, Self::Elsewhere];

    /// Name of the listener and its security protocol.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SaslSsl => ("SASL_SSL", "SASL_SSL"),
            Self::Ssl => ("SSL", "SSL"),
            Self::SaslPlaintext => ("SASL_PLAINTEXT", "SASL_PLAINTEXT"),
            Self::Elsewhere => ("ELSEWHERE", "SSL"),
        }
    }
}

/// Certificates, users and ports of a secured broker.
#[derive(Debug, Clone)]
pub struct Security {
    certificates: Certificates,
    ports: [u16; 4],
}

impl Security {
    /// The user that may log in by PLAIN and SCRAM.
    pub const USER: &'static str = "alice";
    /// Her password.
    pub const PASSWORD: &'static str = "al1ce-s3cret";

    /// Makes the certificates, in `folder`.
    pub(crate) fn make(folder: &Path, ports: [u16; 4]) -> Result<Self, ServiceError> {
        Ok(Self {
            certificates: Certificates::make(&folder.join("certificates"))?,
            ports,
        })
    }

    /// Address of a listener for `bootstrap.servers`, by number.
    pub fn bootstrap(&self, listener: SecuredListener) -> String {
        format!("127.0.0.1:{}", self.port(listener))
    }

    /// Port of a listener.
    pub fn port(&self, listener: SecuredListener) -> u16 {
        self.ports[listener as usize]
    }

    /// Keys, certificates and stores for clients.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Server properties; to come after those that they replace.
    pub(crate) fn properties(&self, broker: u16, controller: u16) -> Vec<(String, String)> {
        let mut listeners = format!("PLAINTEXT://127.0.0.1:{broker}");
        let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        for listener in SecuredListener::ALL {
            let (name, protocol) = listener.names();
            listeners.push_str(&format!(",{name}://{}", self.bootstrap(listener)));
            protocols.push_str(&format!(",{name}:{protocol}"));
        }
        let store = self.certificates.broker_store();
        let store = store.to_string_lossy();
        let elsewhere = self.certificates.elsewhere_store();
        let elsewhere = elsewhere.to_string_lossy();
        let trust = self.certificates.path(crate::CertificateFile::TrustJks);
        let trust = trust.to_string_lossy();
        let all = format!("{listeners},CONTROLLER://127.0.0.1:{controller}");
        let mut properties: Vec<(String, String)> = [
            ("listeners", all.as_str()),
            ("advertised.listeners", &listeners),
            ("listener.security.protocol.map", &protocols),
            ("ssl.keystore.type", "JKS"),
            ("ssl.keystore.location", &store),
            ("ssl.keystore.password", Certificates::PASSWORD),
            ("ssl.key.password", Certificates::PASSWORD),
            ("ssl.truststore.type", "JKS"),
            ("ssl.truststore.location", &trust),
            ("ssl.truststore.password", Certificates::PASSWORD),
            ("listener.name.ssl.ssl.client.auth", "required"),
            ("listener.name.elsewhere.ssl.keystore.type", "PKCS12"),
            ("listener.name.elsewhere.ssl.keystore.location", &elsewhere),
            (
                "sasl.enabled.mechanisms",
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            ),
            // Six listeners with three threads each are too many for a test's machine.
            ("num.network.threads", "1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let modules = "org.apache.kafka.common.security";
        let login = format!(
            "{modules}.plain.PlainLoginModule required user_{}=\"{}\";",
            Self::USER,
            Self::PASSWORD
        );
        let scram = format!("{modules}.scram.ScramLoginModule required;");
        let token = format!(
            "{modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
        );
        for listener in ["sasl_ssl", "sasl_plaintext"] {
            for (mechanism, module) in [
                ("plain", &login),
                ("scram-sha-256", &scram),
                ("scram-sha-512", &scram),
                ("oauthbearer", &token),
            ] {
                let key = format!("listener.name.{listener}.{mechanism}.sasl.jaas.config");
                properties.push((key, module.clone()));
            }
        }
        properties
    }

    /// Arguments by which the storage is formatted with the users of SCRAM.
    pub(crate) fn format_arguments() -> Vec<String> {
        ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .iter()
            .flat_map(|mechanism| {
                let user = format!("{mechanism}=[name={},password={}]", Self::USER, Self::PASSWORD);
                ["--add-scram".to_owned(), user]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listener_has_its_own_port() {
        let listeners = SecuredListener::ALL.map(|listener| listener as usize);
        assert_eq!(listeners, [0, 1, 2, 3]);
    }
}
