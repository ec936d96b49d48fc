//! Who a request comes from: basic credentials, a bearer token, and the headers that go with it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use wharf_api::{ConnectError, Result};

use crate::config::{
    BASIC_AUTH_CREDENTIALS_SOURCE, BEARER_AUTH_CREDENTIALS_SOURCE, RegistryConfig, SCHEMA_REGISTRY_USER_INFO,
    USER_INFO,
};
use crate::error::RegistryError;
use crate::http::Http;

const BEARER_TOKEN: &str = "bearer.auth.token";
const ISSUER: &str = "bearer.auth.issuer.endpoint.url";

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
                let (user, password) = config
                    .original("sasl.jaas.config")
                    .and_then(jaas_login)
                    .ok_or_else(|| {
                        missing(
                            "sasl.jaas.config with username and password",
                            BASIC_AUTH_CREDENTIALS_SOURCE,
                            "SASL_INHERIT",
                        )
                    })?;
                Ok(Self::Fixed(basic(&format!("{user}:{password}"))))
            }
            (None, Some("OAUTHBEARER")) => Ok(Self::Issued(Box::new(Issuer::new(config)?))),
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
    pub(crate) fn authorization(
        &mut self,
        http: &Http,
        of_url: Option<&str>,
    ) -> Result<Option<String>, RegistryError> {
        match self {
            Self::OfUrl => Ok(of_url.map(str::to_owned)),
            Self::Fixed(text) => Ok(Some(text.clone())),
            Self::Issued(issuer) => issuer.token(http).map(|token| Some(format!("Bearer {token}"))),
        }
    }
}

/// Headers that go with a bearer token.
pub(crate) fn bearer_headers(config: &RegistryConfig) -> Vec<(String, String)> {
    if config.original(BEARER_AUTH_CREDENTIALS_SOURCE).is_none() {
        return Vec::new();
    }
    [
        ("target-sr-cluster", "bearer.auth.logical.cluster"),
        ("Confluent-Identity-Pool-Id", "bearer.auth.identity.pool.id"),
    ]
    .into_iter()
    .filter_map(|(header, key)| Some((header.to_owned(), config.original(key)?.to_owned())))
    .collect()
}

fn missing(key: &str, source_key: &str, source: &str) -> ConnectError {
    ConnectError::config(format!("{source_key}={source} needs {key}"))
}

/// `Authorization` for `user:password`.
fn basic(user_info: &str) -> String {
    format!("Basic {}", STANDARD.encode(user_info))
}

/// The credentials in a URL, percent-decoded, as `Authorization`.
pub(crate) fn of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (info, _) = authority.rsplit_once('@')?;
    Some(basic(&percent_decode_str(info).decode_utf8_lossy()))
}

/// User and password of a JAAS login line: `Module required username="u" password="p";`.
fn jaas_login(line: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(name) {
            let starts_word = before.chars().next_back().is_none_or(char::is_whitespace);
            if let (true, Some(text)) = (starts_word, after.trim_start().strip_prefix('=')) {
                return unquoted(text.trim_start());
            }
            rest = after;
        }
        None
    };
    Some((value("username")?, value("password")?))
}

fn unquoted(text: &str) -> Option<String> {
    let Some(body) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t', '\n'])?;
        return Some(text[..end].to_owned());
    };
    let mut out = String::new();
    let mut chars = body.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(chars.next()?),
            other => out.push(other),
        }
    }
}

/// Gets tokens by the OAuth grant for client credentials.
pub(crate) struct Issuer {
    url: String,
    client: String,
    form: String,
    buffer: Duration,
    token: Option<(String, Option<Instant>)>,
}

impl Issuer {
    fn new(config: &RegistryConfig) -> Result<Self> {
        let needed = |key: &str| {
            config
                .original(key)
                .ok_or_else(|| missing(key, BEARER_AUTH_CREDENTIALS_SOURCE, "OAUTHBEARER"))
        };
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = config.original("bearer.auth.scope") {
            form.push_str("&scope=");
            form.push_str(&encode(scope));
        }
        let buffer = config.parsed.short("bearer.auth.cache.expiry.buffer.seconds")?;
        Ok(Self {
            url: needed(ISSUER)?.to_owned(),
            client: basic(&format!(
                "{}:{}",
                needed("bearer.auth.client.id")?,
                needed("bearer.auth.client.secret")?
            )),
            form,
            buffer: Duration::from_secs(u64::try_from(buffer).unwrap_or(0)),
            token: None,
        })
    }

    /// The token: the last one until shortly before its end.
    fn token(&mut self, http: &Http) -> Result<String, RegistryError> {
        if let Some((token, until)) = &self.token
            && until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(token.clone());
        }
        let headers = [
            ("authorization".to_owned(), self.client.clone()),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        let body = self.form.clone().into_bytes();
        let answer = http.send(
            "POST",
            &self.url,
            &headers,
            Some(("application/x-www-form-urlencoded", body)),
        )?;
        if answer.status != 200 {
            return Err(RegistryError::Answer {
                status: answer.status,
                code: i64::from(answer.status),
                message: format!("the token issuer of {ISSUER} refused to give a token"),
            });
        }
        let unreadable =
            || RegistryError::Unreadable(format!("the token issuer of {ISSUER} gave no access_token"));
        let body: serde_json::Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let token = body["access_token"].as_str().ok_or_else(unreadable)?.to_owned();
        let until = body["expires_in"].as_u64().map(|seconds| {
            let life = Duration::from_secs(seconds);
            // A buffer longer than the token's life would ask for a new token each time.
            Instant::now() + life.checked_sub(self.buffer).unwrap_or(life)
        });
        self.token = Some((token.clone(), until));
        Ok(token)
    }
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
                "bearer.auth.issuer.endpoint.url",
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
