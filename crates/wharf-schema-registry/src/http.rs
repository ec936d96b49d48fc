//! One HTTP request to one address: what it took to answer, or why there was no answer.
//!
//! Connections are kept and used again. Redirects are followed; the environment's proxy variables are not, since Java's
//! client does not either. No message repeats credentials that an address holds.

use std::time::Duration;

use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, Proxy, ProxyProtocol};
use wharf_api::{ConnectError, Result};

use crate::config::RegistryConfig;
use crate::error::RegistryError;
use crate::tls::TlsConnector;

/// The registry's media type.
pub(crate) const REGISTRY_JSON: &str = "application/vnd.schemaregistry.v1+json";

/// The largest answer that is read. A schema of this size is no schema.
const MAX_ANSWER: u64 = 64 << 20;

const NO_CERTIFICATE: &str =
    "; if the server wants a certificate of its clients, set schema.registry.ssl.keystore.location";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A body with its media type.
pub(crate) type RequestBody<'a> = Option<(&'a str, Vec<u8>)>;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
}

impl Http {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self> {
        let limit = |time: Duration| (!time.is_zero()).then_some(time);
        let proxy = match &config.proxy {
            None => None,
            Some((host, port)) => Some(
                Proxy::builder(ProxyProtocol::Http)
                    .host(host)
                    .port(*port)
                    .build()
                    .map_err(|error| ConnectError::invalid_config("proxy.host", host, &error.to_string()))?,
            ),
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .timeout_connect(limit(config.connect_timeout))
            .timeout_recv_response(limit(config.read_timeout))
            .timeout_recv_body(limit(config.read_timeout))
            .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector::new(config)?);
        Ok(Self {
            agent: Agent::with_parts(agent, connector, DefaultResolver::default()),
        })
    }

    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: RequestBody<'_>,
    ) -> Result<Answer, RegistryError> {
        let failed = |error: ureq::Error| failure(url, error);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let mut response = match body {
            Some((media_type, body)) => {
                let request = request.header("content-type", media_type).body(body);
                self.agent.run(request.map_err(|error| failed(error.into()))?)
            }
            None => self
                .agent
                .run(request.body(()).map_err(|error| failed(error.into()))?),
        }
        .map_err(failed)?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .map_err(failed)?;
        Ok(Answer {
            status: response.status().as_u16(),
            body,
        })
    }
}

fn failure(url: &str, error: ureq::Error) -> RegistryError {
    let at = without_user_info(url);
    let at = at.split('?').next().unwrap_or_default();
    let message =
        |reason: &dyn std::fmt::Display| format!("cannot reach the schema registry at {at}: {reason}");
    match error {
        ureq::Error::Timeout(what) => RegistryError::Timeout(message(&format_args!("timed out: {what}"))),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            RegistryError::Timeout(message(&error))
        }
        ureq::Error::Http(error) => RegistryError::Config(message(&error)),
        ureq::Error::BadUri(reason) => RegistryError::Config(message(&reason)),
        other => {
            let mut text = message(&other);
            // What a server says that wants a certificate and got none, in TLS 1.3 and 1.2.
            if text.contains("alert certificate required") || text.contains("alert handshake failure") {
                text.push_str(NO_CERTIFICATE);
            }
            RegistryError::Network(text)
        }
    }
}

/// A URL without the credentials in it.
pub(crate) fn without_user_info(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_urls() {
        for (url, expected) in [
            ("http://u:p@host:1/a@b", "http://host:1/a@b"),
            ("https://u:p@q@host", "https://host"),
            ("http://host:1/", "http://host:1/"),
            ("ftp://u:p@host", "ftp://host"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_user_info(url), expected);
        }
    }
}
