//! Where tokens come from, and how they are looked after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All of it. Equal settings share one token.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenSettings {
    /// Where tokens come from.
    pub retriever: Retriever,
    /// `sasl.oauthbearer.scope.claim.name`.
    pub scope_claim: String,
    /// `sasl.oauthbearer.sub.claim.name`.
    pub subject_claim: String,
    /// SASL extensions that go to the broker beside the token.
    pub extensions: BTreeMap<String, String>,
    /// When a token is replaced.
    pub refresh: Refresh,
    /// `sasl.login.retry.backoff.ms`: the first wait after a failure.
    pub retry_backoff: Duration,
    /// `sasl.login.retry.backoff.max.ms`: the longest one.
    pub retry_backoff_max: Duration,
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Retriever {
    /// An endpoint, by client id and secret.
    Endpoint(Endpoint),
    /// A file that somebody else keeps fresh.
    File(String),
}

/// An endpoint and who asks it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// `sasl.oauthbearer.token.endpoint.url`; see [`crate::check_url`].
    pub url: String,
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// `sasl.oauthbearer.scope`.
    pub scope: Option<String>,
    /// `sasl.oauthbearer.header.urlencode`: whether id, secret and scope are encoded as in forms.
    pub urlencode: bool,
    /// `sasl.login.connect.timeout.ms`.
    pub connect_timeout: Duration,
    /// `sasl.login.read.timeout.ms`.
    pub read_timeout: Duration,
    /// Authorities to trust as PEM text; the system's when `None`.
    pub trusted: Option<String>,
    /// This client's key, and its certificate with those that lead to an authority, as PEM texts.
    pub identity: Option<(String, String)>,
}

impl Endpoint {
    /// What holds without `sasl.login.connect.timeout.ms`.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// What holds without `sasl.login.read.timeout.ms`.
    pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
}

/// `sasl.login.refresh.*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refresh {
    /// `window.factor` in millionths: the part of a token's life after which it is replaced.
    pub factor: u32,
    /// `window.jitter` in millionths: the random part of it that comes on top.
    pub jitter: u32,
    /// `min.period.seconds`: the shortest time between two tokens.
    pub min_period: Duration,
    /// `buffer.seconds`: how long before its end a token is replaced at the latest.
    pub buffer: Duration,
}

impl TokenSettings {
    /// The settings as one line of text, with secrets: librdkafka's `sasl.oauthbearer.config`.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Text, numbers and maps with text keys: nothing that JSON could not say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads [`TokenSettings::to_text`]; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Where tokens come from, for messages.
    pub(crate) fn place(&self) -> &str {
        match &self.retriever {
            Retriever::Endpoint(endpoint) => &endpoint.url,
            Retriever::File(path) => path,
        }
    }
}

impl fmt::Debug for TokenSettings {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSettings")
            .field("place", &self.place())
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of a test's client.
    pub(crate) fn settings(retriever: Retriever) -> TokenSettings {
        TokenSettings {
            retriever,
            scope_claim: "scope".to_owned(),
            subject_claim: "sub".to_owned(),
            extensions: BTreeMap::new(),
            refresh: Refresh {
                factor: 800_000,
                jitter: 50_000,
                min_period: Duration::from_secs(60),
                buffer: Duration::from_secs(300),
            },
            retry_backoff: Duration::from_millis(20),
            retry_backoff_max: Duration::from_millis(100),
        }
    }

    /// An endpoint of a test.
    pub(crate) fn endpoint(url: &str, secret: &str) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            client_id: "wharf".to_owned(),
            client_secret: secret.to_owned(),
            scope: None,
            urlencode: false,
            connect_timeout: Endpoint::CONNECT_TIMEOUT,
            read_timeout: Endpoint::READ_TIMEOUT,
            trusted: None,
            identity: None,
        }
    }

    #[test]
    fn settings_survive_as_text_and_print_no_secret() {
        let mut all = settings(Retriever::Endpoint(Endpoint {
            scope: Some("kafka".to_owned()),
            trusted: Some("pem\ntext".to_owned()),
            identity: Some(("k3y-s3cret".to_owned(), "chain".to_owned())),
            ..endpoint("https://idp.example/token", "cl1ent-s3cret \"\\")
        }));
        all.extensions.insert("tenant".to_owned(), "t".to_owned());
        let text = all.to_text();
        assert!(!text.contains('\n'), "{text}");
        assert!(TokenSettings::from_text(&text) == Some(all.clone()));
        assert!(TokenSettings::from_text("principal=bob").is_none());
        let shown = format!("{all:?}");
        assert!(
            shown.contains("https://idp.example/token") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
