//! Bearer tokens that somebody issues: by OAuth's grant for client credentials, or to a managed identity of Azure.
//!
//! A token is kept until four fifths of its life are over, and no longer than `bearer.auth.cache.expiry.buffer.seconds` before its end, as
//! upstream. What must stay true: neither a secret nor a token is in a message.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_key_stores::jaas::LoginModule;

use crate::auth::{basic, login_module, missing};
use crate::config::{BEARER_AUTH_CREDENTIALS_SOURCE, RegistryConfig, SCHEMA_REGISTRY_URL, SSL_PREFIX};
use crate::error::RegistryError;
use crate::http::Http;

const ISSUER: &str = "bearer.auth.issuer.endpoint.url";
const TOKEN_ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const IDENTITY_ENDPOINT: &str = "bearer.auth.uami.endpoint.url";
const IDENTITY_QUERY: &str = "bearer.auth.uami.endpoint.query";
/// Where Azure's machines ask for tokens of their identities.
const AZURE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// How a token is asked for.
enum Question {
    /// By id and secret of a client, and a form.
    Client { authorization: String, form: String },
    /// By being the machine that asks.
    Identity,
}

/// Gets tokens and keeps the one in force.
pub(crate) struct Issuer {
    http: Http,
    /// The key that names the place, for messages.
    key: &'static str,
    url: String,
    question: Question,
    buffer: Duration,
    token: Option<(String, Option<Instant>)>,
}

impl Issuer {
    /// The source `OAUTHBEARER`.
    pub(crate) fn of_client(config: &RegistryConfig) -> Result<Self> {
        let needed = |key: &str| {
            config
                .original(key)
                .ok_or_else(|| missing(key, BEARER_AUTH_CREDENTIALS_SOURCE, "OAUTHBEARER"))
        };
        let question = client(
            needed("bearer.auth.client.id")?,
            needed("bearer.auth.client.secret")?,
            config.original("bearer.auth.scope"),
        );
        // Upstream takes these keys with the prefix of the client and without.
        let mut stores = ConfigMap::new();
        for (key, value) in config.parsed.originals() {
            match key.strip_prefix(SSL_PREFIX) {
                Some(own) if own.starts_with("ssl.") => drop(stores.insert(key.clone(), value.clone())),
                None if key.starts_with("ssl.") => {
                    stores
                        .entry(format!("{SSL_PREFIX}{key}"))
                        .or_insert_with(|| value.clone());
                }
                _ => {}
            }
        }
        Self::new(config, ISSUER, needed(ISSUER)?, question, stores)
    }

    /// The source `SASL_OAUTHBEARER_INHERIT`: what is not set for the registry is that of the Kafka client.
    pub(crate) fn of_login(config: &RegistryConfig) -> Result<Self> {
        const SOURCE: &str = "SASL_OAUTHBEARER_INHERIT";
        let LoginModule { options, .. } = login_module(config, BEARER_AUTH_CREDENTIALS_SOURCE, SOURCE)?;
        let either = |key: &str, option: &str| {
            let own = config.original(key);
            own.or_else(|| {
                options
                    .get(option)
                    .map(String::as_str)
                    .filter(|text| !text.is_empty())
            })
        };
        let needed = |key: &str, option: &str| {
            either(key, option).ok_or_else(|| {
                let what = format!("{key}, or sasl.jaas.config with {option}");
                missing(&what, BEARER_AUTH_CREDENTIALS_SOURCE, SOURCE)
            })
        };
        let question = client(
            needed("bearer.auth.client.id", "clientId")?,
            needed("bearer.auth.client.secret", "clientSecret")?,
            either("bearer.auth.scope", "scope"),
        );
        let (key, url) = [ISSUER, TOKEN_ENDPOINT]
            .into_iter()
            .find_map(|key| Some((key, config.original(key)?)))
            .ok_or_else(|| {
                let what = format!("{TOKEN_ENDPOINT}, or {ISSUER}");
                missing(&what, BEARER_AUTH_CREDENTIALS_SOURCE, SOURCE)
            })?;
        let stores = options
            .iter()
            .filter(|(option, _)| option.starts_with("ssl."))
            .map(|(option, value)| (format!("{SSL_PREFIX}{option}"), value.clone()))
            .collect();
        Self::new(config, key, url, question, stores)
            .map_err(|error| ConnectError::config(format!("{SOURCE}: {}", error.message())))
    }

    /// The source `UAMI`: a user-assigned managed identity of Azure.
    pub(crate) fn of_identity(config: &RegistryConfig) -> Result<Self> {
        let query = config
            .original(IDENTITY_QUERY)
            .ok_or_else(|| missing(IDENTITY_QUERY, BEARER_AUTH_CREDENTIALS_SOURCE, "UAMI"))?;
        let url = config.original(IDENTITY_ENDPOINT).unwrap_or(AZURE);
        let url = format!("{url}?{query}");
        Self::new(
            config,
            IDENTITY_ENDPOINT,
            &url,
            Question::Identity,
            ConfigMap::new(),
        )
    }

    /// Asks as the registry is asked, but through no proxy and with stores of its own.
    fn new(
        config: &RegistryConfig,
        key: &'static str,
        url: &str,
        question: Question,
        stores: ConfigMap,
    ) -> Result<Self> {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            let shown = crate::http::without_user_info(url);
            return Err(ConnectError::invalid_config(
                key,
                shown,
                "must begin with http:// or https://",
            ));
        }
        let buffer = config.parsed.short("bearer.auth.cache.expiry.buffer.seconds")?;
        let mut keys = stores;
        keys.insert(SCHEMA_REGISTRY_URL.to_owned(), "http://localhost".to_owned());
        let asked = RegistryConfig {
            urls: vec![url.to_owned()],
            proxy: None,
            parsed: RegistryConfig::parse(&keys)?.parsed,
            ..config.clone()
        };
        Ok(Self {
            http: Http::new(&asked)?,
            key,
            url: url.to_owned(),
            question,
            buffer: Duration::from_secs(u64::try_from(buffer).unwrap_or(0)),
            token: None,
        })
    }

    /// The token: the last one until shortly before its end.
    pub(crate) fn token(&mut self) -> Result<String, RegistryError> {
        if let Some((token, until)) = &self.token
            && until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(token.clone());
        }
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let accept = header("accept", "application/json");
        let answer = match &self.question {
            Question::Client { authorization, form } => self.http.send(
                "POST",
                &self.url,
                &[header("authorization", authorization), accept],
                Some(("application/x-www-form-urlencoded", form.clone().into_bytes())),
            ),
            Question::Identity => {
                self.http
                    .send("GET", &self.url, &[header("metadata", "true"), accept], None)
            }
        }?;
        let key = self.key;
        if !matches!(answer.status, 200 | 201) {
            return Err(RegistryError::Answer {
                status: answer.status,
                code: i64::from(answer.status),
                message: format!("the token issuer of {key} refused to give a token"),
            });
        }
        let unreadable =
            || RegistryError::Unreadable(format!("the token issuer of {key} gave no access_token"));
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let token = body["access_token"].as_str().ok_or_else(unreadable)?.to_owned();
        let until = life(&body, &token).map(|life| Instant::now() + kept(life, self.buffer));
        self.token = Some((token.clone(), until));
        Ok(token)
    }
}

fn client(id: &str, secret: &str, scope: Option<&str>) -> Question {
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = scope.map(str::trim).filter(|scope| !scope.is_empty()) {
        form.push_str("&scope=");
        form.push_str(&utf8_percent_encode(scope, NON_ALPHANUMERIC).to_string());
    }
    Question::Client {
        authorization: basic(&format!("{}:{}", id.trim(), secret.trim())),
        form,
    }
}

/// How long a token lives from now: as the answer says, a number or its text, else as the token itself says.
fn life(answer: &Value, token: &str) -> Option<Duration> {
    let stated = &answer["expires_in"];
    let seconds = stated.as_u64().or_else(|| stated.as_str()?.trim().parse().ok());
    if let Some(seconds) = seconds {
        return Some(Duration::from_secs(seconds));
    }
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let end = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(claims["exp"].as_f64()?).ok()?)?;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}

/// How much of its life a token is used.
fn kept(life: Duration, buffer: Duration) -> Duration {
    let most = life.mul_f64(0.8);
    match life.checked_sub(buffer) {
        Some(before_its_end) => most.min(before_its_end),
        None => most,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_lives_as_long_as_the_answer_or_it_itself_says() {
        let in_an_hour = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
        let payload = URL_SAFE_NO_PAD.encode(json!({ "exp": in_an_hour }).to_string());
        let jwt = format!("h.{payload}.s");
        let seconds = |answer: &Value, token: &str| life(answer, token).map(|life| life.as_secs());
        assert_eq!(seconds(&json!({"expires_in": 60}), &jwt), Some(60));
        assert_eq!(seconds(&json!({"expires_in": "3599"}), "opaque"), Some(3599));
        assert!((3590..=3600).contains(&seconds(&json!({}), &jwt).unwrap()));
        assert_eq!(
            seconds(
                &json!({}),
                &format!("h.{}.s", URL_SAFE_NO_PAD.encode(r#"{"exp":1}"#))
            ),
            Some(0)
        );
        for token in ["opaque", "h.%.s", "h.e30.s"] {
            assert_eq!(seconds(&json!({}), token), None, "{token}");
        }
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        for (life, buffer, expected) in [(1000, 300, 700), (1000, 100, 800), (100, 300, 80), (300, 300, 0)] {
            let kept = kept(Duration::from_secs(life), Duration::from_secs(buffer));
            assert_eq!(kept.as_secs(), expected, "{life} {buffer}");
        }
    }
}
