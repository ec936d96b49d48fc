//! What a connection needs to know, out of librdkafka's properties.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wharf_oauth::{Token, TokenError, TokenSettings, TokenSource};

use crate::ConnectionError;
use crate::connection::BrokerAddress;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);
const SETUP_TIMEOUT: Duration = Duration::from_secs(30);

/// All of it.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// Brokers to begin with, in their order.
    pub bootstrap: Vec<BrokerAddress>,
    /// What the broker calls this client in its logs and quotas.
    pub client_id: String,
    /// TLS, if the listeners speak it.
    pub tls: Option<TlsSettings>,
    /// Authentication, if the listeners ask for it.
    pub sasl: Option<SaslSettings>,
    /// For an answer, unless the request says otherwise.
    pub request_timeout: Duration,
    /// For a connection, TLS and authentication included.
    pub setup_timeout: Duration,
}

/// TLS: certificates as PEM texts.
#[derive(Clone, Default)]
pub struct TlsSettings {
    /// Authorities to trust; the system's when `None`.
    pub authorities: Option<String>,
    /// This client's certificate with those that lead to an authority.
    pub certificate: Option<String>,
    /// Its private key.
    pub key: Option<String>,
    /// Password of the key.
    pub key_password: Option<String>,
    /// Whether the certificate must name the host that was connected to.
    pub verify_host: bool,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("authorities", &self.authorities.is_some())
            .field("certificate", &self.certificate.is_some())
            .field("verify_host", &self.verify_host)
            .finish_non_exhaustive()
    }
}

/// Authentication.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslSettings {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    Password {
        /// Name of the mechanism.
        mechanism: String,
        /// User.
        username: String,
        /// Password.
        password: String,
    },
    /// `OAUTHBEARER` with tokens that nobody signed, which only test set-ups accept.
    UnsecuredToken {
        /// librdkafka's `sasl.oauthbearer.config`.
        config: String,
    },
    /// `OAUTHBEARER` with tokens of an endpoint or a file.
    Token(TokenLogin),
}

/// Tokens that this process fetches and shares; none is fetched before a connection is made.
#[derive(Debug, Clone)]
pub struct TokenLogin(Arc<(TokenSettings, OnceLock<TokenSource>)>);

impl PartialEq for TokenLogin {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl Eq for TokenLogin {}

impl TokenLogin {
    fn new(settings: TokenSettings) -> Self {
        Self(Arc::new((settings, OnceLock::new())))
    }

    /// Kept as long as these settings are.
    fn source(&self) -> &TokenSource {
        let (settings, source) = &*self.0;
        source.get_or_init(|| TokenSource::of(settings))
    }

    /// The token in force.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, TokenError> {
        self.source().token().await
    }

    /// Whether a broker that refuses a token may mean one that is being replaced.
    pub(crate) fn is_changing(&self) -> bool {
        self.source().is_changing()
    }
}

impl SaslSettings {
    /// Name of the mechanism.
    #[must_use]
    pub fn mechanism(&self) -> &str {
        match self {
            Self::Password { mechanism, .. } => mechanism,
            Self::UnsecuredToken { .. } | Self::Token(_) => "OAUTHBEARER",
        }
    }
}

impl fmt::Debug for SaslSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslSettings")
            .field("mechanism", &self.mechanism())
            .finish_non_exhaustive()
    }
}

fn wrong(key: &'static str, reason: impl Into<String>) -> ConnectionError {
    ConnectionError::Setting {
        key,
        reason: reason.into(),
    }
}

impl ConnectionSettings {
    /// Reads librdkafka's properties; keys that mean nothing for a single connection are left alone.
    ///
    /// # Errors
    /// When there is no broker, or a security setting asks for something else than this.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<Self, ConnectionError> {
        let get = |key: &str| properties.get(key).map(String::as_str);
        let millis = |key: &str, usual: Duration| {
            get(key)
                .and_then(|text| text.trim().parse().ok())
                .map_or(usual, Duration::from_millis)
        };
        let bootstrap = get("bootstrap.servers")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                BrokerAddress::parse(part).ok_or_else(|| {
                    wrong(
                        "bootstrap.servers",
                        format!("{part} is not of the form host:port"),
                    )
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if bootstrap.is_empty() {
            return Err(wrong("bootstrap.servers", "names no broker"));
        }
        let protocol = get("security.protocol")
            .unwrap_or("plaintext")
            .to_ascii_lowercase();
        let (tls, sasl) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            other => return Err(wrong("security.protocol", format!("{other} is not known"))),
        };
        let owned = |key: &str| get(key).map(str::to_owned);
        let tls = tls.then(|| TlsSettings {
            authorities: owned("ssl.ca.pem"),
            certificate: owned("ssl.certificate.pem"),
            key: owned("ssl.key.pem"),
            key_password: owned("ssl.key.password"),
            verify_host: get("ssl.endpoint.identification.algorithm") == Some("https"),
        });
        Ok(Self {
            bootstrap,
            client_id: owned("client.id").unwrap_or_default(),
            tls,
            sasl: if sasl { Some(sasl_settings(&get)?) } else { None },
            request_timeout: millis("request.timeout.ms", REQUEST_TIMEOUT),
            setup_timeout: millis("socket.connection.setup.timeout.ms", SETUP_TIMEOUT),
        })
    }
}

fn sasl_settings<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Result<SaslSettings, ConnectionError> {
    let mechanism = get("sasl.mechanism")
        .or_else(|| get("sasl.mechanisms"))
        .unwrap_or("GSSAPI");
    match mechanism {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => Ok(SaslSettings::Password {
            mechanism: mechanism.to_owned(),
            username: get("sasl.username").unwrap_or_default().to_owned(),
            password: get("sasl.password").unwrap_or_default().to_owned(),
        }),
        "OAUTHBEARER" => {
            let config = get("sasl.oauthbearer.config").unwrap_or_default();
            Ok(match TokenSettings::from_text(config) {
                Some(settings) => SaslSettings::Token(TokenLogin::new(settings)),
                None => SaslSettings::UnsecuredToken {
                    config: config.to_owned(),
                },
            })
        }
        other => Err(wrong("sasl.mechanism", format!("{other} is not built in"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)]) -> Result<ConnectionSettings, String> {
        let properties = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        ConnectionSettings::from_properties(&properties).map_err(|error| error.to_string())
    }

    #[test]
    fn every_security_protocol_asks_for_what_it_needs() {
        let base = ("bootstrap.servers", "a:1, b:2 ,[::1]:3");
        for (protocol, tls, sasl) in [
            ("PLAINTEXT", false, false),
            ("SSL", true, false),
            ("SASL_PLAINTEXT", false, true),
            ("sasl_ssl", true, true),
        ] {
            let settings =
                read(&[base, ("security.protocol", protocol), ("sasl.mechanism", "PLAIN")]).unwrap();
            assert_eq!(
                (settings.tls.is_some(), settings.sasl.is_some()),
                (tls, sasl),
                "{protocol}"
            );
            let brokers: Vec<_> = settings.bootstrap.iter().map(ToString::to_string).collect();
            assert_eq!(brokers, ["a:1", "b:2", "[::1]:3"]);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "bootstrap.servers: names no broker"),
            (
                &[("bootstrap.servers", "a")],
                "bootstrap.servers: a is not of the form host:port",
            ),
            (
                &[("bootstrap.servers", "a:1"), ("security.protocol", "x")],
                "security.protocol: x is not known",
            ),
            (
                &[("bootstrap.servers", "a:1"), ("security.protocol", "sasl_ssl")],
                "sasl.mechanism: GSSAPI is not built in",
            ),
        ];
        for (properties, expected) in cases {
            assert_eq!(read(properties).map(|_| ()).unwrap_err(), expected);
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let settings = read(&[
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "u"),
            ("sasl.password", "s3cret"),
            ("ssl.key.pem", "s3cret"),
            ("ssl.key.password", "s3cret"),
        ]);
        let shown = format!("{settings:?}");
        assert!(shown.contains("PLAIN") && !shown.contains("s3cret"), "{shown}");
    }
}
