//! Who a request comes from: basic credentials, a bearer token, and the headers that go with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use wharf_api::{ConnectError, Result};
use wharf_key_stores::jaas::{self, LoginModule};

use crate::config::{
    BASIC_AUTH_CREDENTIALS_SOURCE, BEARER_AUTH_CREDENTIALS_SOURCE, RegistryConfig, SCHEMA_REGISTRY_USER_INFO,
    USER_INFO,
};
use crate::error::RegistryError;
use crate::issuer::Issuer;

const BEARER_TOKEN: &str = "bearer.auth.token";
const JAAS: &str = "sasl.jaas.config";
const IDENTITY_POOL: &str = "bearer.auth.identity.pool.id";

/// The credentials of all requests but for those that an address itself holds.
pub(crate) enum Credentials {
    /// None, or those of the address.
    OfUrl,
    /// A fixed `Authorization`.
    Fixed(String),
    /// A token from an issuer.
    Issued(Box<Issuer>),
}

impl Credentials {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self> {
        let given = |key| config.original(key);
        match (
            given(BASIC_AUTH_CREDENTIALS_SOURCE),
            given(BEARER_AUTH_CREDENTIALS_SOURCE),
        ) {
            (Some(_), Some(_)) => Err(ConnectError::config(format!(
                "only one of {BASIC_AUTH_CREDENTIALS_SOURCE} and {BEARER_AUTH_CREDENTIALS_SOURCE} may be set"
            ))),
            (Some("USER_INFO"), None) => {
                let info = config
                    .secret(USER_INFO)
                    .or_else(|| config.secret(SCHEMA_REGISTRY_USER_INFO))
                    .ok_or_else(|| missing(USER_INFO, BASIC_AUTH_CREDENTIALS_SOURCE, "USER_INFO"))?;
                Ok(Self::Fixed(basic(info)))
            }
            (Some("SASL_INHERIT"), None) => {
                let module = login_module(config, BASIC_AUTH_CREDENTIALS_SOURCE, "SASL_INHERIT")?;
                let option = |name: &str| {
                    module.options.get(name).ok_or_else(|| {
                        let what = format!("{JAAS} with username and password");
                        missing(&what, BASIC_AUTH_CREDENTIALS_SOURCE, "SASL_INHERIT")
                    })
                };
                Ok(Self::Fixed(basic(&format!(
                    "{}:{}",
                    option("username")?,
                    option("password")?
                ))))
            }
            (None, Some("OAUTHBEARER")) => Ok(Self::Issued(Box::new(Issuer::of_client(config)?))),
            (None, Some("SASL_OAUTHBEARER_INHERIT")) => Ok(Self::Issued(Box::new(Issuer::of_login(config)?))),
            (None, Some("UAMI")) => Ok(Self::Issued(Box::new(Issuer::of_identity(config)?))),
            (None, Some(_)) => {
                let token = config
                    .secret(BEARER_TOKEN)
                    .ok_or_else(|| missing(BEARER_TOKEN, BEARER_AUTH_CREDENTIALS_SOURCE, "STATIC_TOKEN"))?;
                Ok(Self::Fixed(format!("Bearer {token}")))
            }
            _ => Ok(Self::OfUrl),
        }
    }

    /// The `Authorization` of a request to an address that holds these credentials.
    pub(crate) fn authorization(&mut self, of_url: Option<&str>) -> Result<Option<String>, RegistryError> {
        match self {
            Self::OfUrl => Ok(of_url.map(str::to_owned)),
            Self::Fixed(text) => Ok(Some(text.clone())),
            Self::Issued(issuer) => issuer.token().map(|token| Some(format!("Bearer {token}"))),
        }
    }
}

/// Headers that go with a bearer token.
///
/// # Errors
/// A config error when a login module is to be read and there is none.
pub(crate) fn bearer_headers(config: &RegistryConfig) -> Result<Vec<(String, String)>> {
    let Some(source) = config.original(BEARER_AUTH_CREDENTIALS_SOURCE) else {
        return Ok(Vec::new());
    };
    let mut pool = config.original(IDENTITY_POOL).map(str::to_owned);
    if pool.is_none() && source == "SASL_OAUTHBEARER_INHERIT" {
        let mut module = login_module(config, BEARER_AUTH_CREDENTIALS_SOURCE, source)?;
        pool = module.options.remove("extension_identityPoolId");
    }
    let cluster = config.original("bearer.auth.logical.cluster").map(str::to_owned);
    let headers = [
        ("target-sr-cluster", cluster),
        ("Confluent-Identity-Pool-Id", pool),
    ];
    Ok(headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

/// What is said of a key that a source needs.
pub(crate) fn missing(key: &str, source_key: &str, source: &str) -> ConnectError {
    ConnectError::config(format!("{source_key}={source} needs {key}"))
}

/// `Authorization` for `user:password`.
pub(crate) fn basic(user_info: &str) -> String {
    format!("Basic {}", STANDARD.encode(user_info))
}

/// The credentials in a URL, percent-decoded, as `Authorization`.
pub(crate) fn of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (info, _) = authority.rsplit_once('@')?;
    Some(basic(&percent_decode_str(info).decode_utf8_lossy()))
}

/// The login module of `sasl.jaas.config`, which somebody else's settings hold.
pub(crate) fn login_module(config: &RegistryConfig, source_key: &str, source: &str) -> Result<LoginModule> {
    let text = config
        .original(JAAS)
        .ok_or_else(|| missing(JAAS, source_key, source))?;
    jaas::parse(text).map_err(|reason| ConnectError::config(format!("{JAAS}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::ConfigMap;

    fn credentials(entries: &[(&str, &str)]) -> Result<Credentials> {
        let mut config: ConfigMap = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        config.insert("schema.registry.url".to_owned(), "http://localhost:1".to_owned());
        Credentials::new(&RegistryConfig::parse(&config)?)
    }

    #[test]
    fn credentials_come_from_where_the_configuration_says() {
        const SOURCE: &str = "basic.auth.credentials.source";
        const BEARER: &str = "bearer.auth.credentials.source";
        let jaas = r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b\"c";"#;
        for (entries, expected) in [
            (&[][..], None),
            (&[(USER_INFO, "u:p")], None),
            (&[(SOURCE, "USER_INFO"), (USER_INFO, "u:p")], Some("Basic dTpw")),
            (
                &[(SOURCE, "USER_INFO"), (SCHEMA_REGISTRY_USER_INFO, "u:p")],
                Some("Basic dTpw"),
            ),
            (
                &[(SOURCE, "SASL_INHERIT"), ("sasl.jaas.config", jaas)],
                Some("Basic YTpiImM="),
            ),
            (
                &[(BEARER, "STATIC_TOKEN"), ("bearer.auth.token", "t")],
                Some("Bearer t"),
            ),
        ] {
            let fixed = match credentials(entries).unwrap() {
                Credentials::Fixed(text) => Some(text),
                _ => None,
            };
            assert_eq!(fixed.as_deref(), expected);
        }
    }

    #[test]
    fn what_a_source_needs_is_named() {
        for (entries, expected) in [
            (
                &[("basic.auth.credentials.source", "USER_INFO")][..],
                "basic.auth.user.info",
            ),
            (
                &[("basic.auth.credentials.source", "SASL_INHERIT")],
                "sasl.jaas.config",
            ),
            (
                &[("bearer.auth.credentials.source", "STATIC_TOKEN")],
                "bearer.auth.token",
            ),
            (
                &[("bearer.auth.credentials.source", "OAUTHBEARER")],
                "bearer.auth.client.id",
            ),
            (
                &[("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT")],
                "sasl.jaas.config",
            ),
            (
                &[
                    ("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT"),
                    ("sasl.jaas.config", "Module required clientId=\"me\";"),
                ],
                "clientSecret",
            ),
            (
                &[
                    ("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT"),
                    (
                        "sasl.jaas.config",
                        "Module required clientId=\"me\" clientSecret=\"s\";",
                    ),
                ],
                "sasl.oauthbearer.token.endpoint.url",
            ),
            (
                &[
                    ("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT"),
                    (
                        "sasl.jaas.config",
                        "Module required clientId=\"me\" clientSecret=\"s\";",
                    ),
                    ("sasl.oauthbearer.token.endpoint.url", "file:///token"),
                ],
                "must begin with http",
            ),
            (
                &[("bearer.auth.credentials.source", "UAMI")],
                "bearer.auth.uami.endpoint.query",
            ),
            (
                &[
                    ("bearer.auth.credentials.source", "STATIC_TOKEN"),
                    ("basic.auth.credentials.source", "URL"),
                ],
                "only one of",
            ),
        ] {
            let Err(error) = credentials(entries) else {
                panic!("{expected} was not missed")
            };
            assert!(error.message().contains(expected), "{error}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_decoded() {
        assert_eq!(
            of_url("http://u:p%40q@host:1/x").as_deref(),
            Some("Basic dTpwQHE=")
        );
        assert_eq!(of_url("http://host:1/u:p@x"), None);
    }
}
