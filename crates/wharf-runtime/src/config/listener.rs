//! Addresses of the REST interface: what to listen on, and what to tell others.

use std::fmt;

use wharf_api::{ConnectError, Result};

use super::cors::CrossOrigin;
use super::response_headers::HeaderRule;

/// An address to listen on, from `listeners` or `admin.listeners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Encrypted or not.
    pub scheme: Scheme,
    /// Host name or address without brackets; empty for all interfaces.
    pub host: String,
    /// Port; 0 for any free one.
    pub port: u16,
}

/// Protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl Listener {
    /// Reads `protocol://host:port`; the protocol in any case, the host possibly empty or in brackets.
    ///
    /// # Errors
    ///
    /// The text has another form, the protocol is neither http nor https, or the port is out of range.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong_form = || {
            ConnectError::config(format!(
                "Listener doesn't have the right format (protocol://hostname:port): {text}"
            ))
        };
        let (scheme, address) = text.trim().split_once("://").ok_or_else(wrong_form)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong_form)?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if !host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte))
        {
            return Err(wrong_form());
        }
        let port: i64 = port.parse().map_err(|_| wrong_form())?;
        let port = u16::try_from(port).map_err(|_| {
            ConnectError::config(format!(
                "port {port} of listener {text} is not between 0 and 65535"
            ))
        })?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => {
                return Err(ConnectError::config(format!(
                    "Listener protocol must be either \"http\" or \"https\": {text}"
                )));
            }
        };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, host_port(&self.host, self.port))
    }
}

/// Where `/admin/*` is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminListeners {
    /// With everything else (`admin.listeners` not set).
    OnMainListeners,
    /// Nowhere (`admin.listeners` set to nothing).
    Off,
    /// Only here, and nothing else here.
    Separate(Vec<Listener>),
}

/// Settings of the REST interface.
#[derive(Debug, Clone, PartialEq)]
pub struct RestConfig {
    /// The addresses to serve on; at least one.
    pub listeners: Vec<Listener>,
    /// Where `/admin/*` is served.
    pub admin_listeners: AdminListeners,
    /// `rest.advertised.host.name`
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`
    pub advertised_port: Option<u16>,
    /// `rest.advertised.listener`
    pub advertised_scheme: Option<Scheme>,
    /// Which pages of other origins may ask on `listeners`; without it none is told that it may.
    pub cross_origin: Option<CrossOrigin>,
    /// Headers of every answer on `listeners`.
    pub response_headers: Vec<HeaderRule>,
}

impl RestConfig {
    /// The URL other workers and tools are told, ending with a slash.
    ///
    /// `bound_ports` are the ports really bound, in the order of `listeners`; `local_host` is an address of this
    /// machine, used when neither a host is advertised nor the listener names one.
    #[must_use]
    pub fn advertised_url(&self, bound_ports: &[u16], local_host: &str) -> String {
        let (scheme, host, port) = self.advertised(bound_ports, local_host);
        format!("{scheme}://{}/", host_port(&host, port))
    }

    /// The worker's id: host and port of the advertised URL.
    #[must_use]
    pub fn worker_id(&self, bound_ports: &[u16], local_host: &str) -> String {
        let (_, host, port) = self.advertised(bound_ports, local_host);
        host_port(&host, port)
    }

    fn advertised(&self, bound_ports: &[u16], local_host: &str) -> (Scheme, String, u16) {
        let has = |scheme| self.listeners.iter().any(|listener| listener.scheme == scheme);
        let scheme = self
            .advertised_scheme
            .unwrap_or(if !has(Scheme::Http) && has(Scheme::Https) {
                Scheme::Https
            } else {
                Scheme::Http
            });
        let index = self
            .listeners
            .iter()
            .position(|listener| listener.scheme == scheme);
        let listener = index.map(|index| &self.listeners[index]);
        let host = self
            .advertised_host
            .clone()
            .filter(|host| !host.is_empty())
            .or_else(|| {
                listener
                    .map(|listener| listener.host.clone())
                    .filter(|host| !host.is_empty())
            })
            .unwrap_or_else(|| local_host.to_owned());
        let port = self
            .advertised_port
            .or_else(|| listener.map(|listener| listener.port).filter(|port| *port > 0))
            .or_else(|| bound_ports.get(index.unwrap_or(0)).copied())
            .unwrap_or(0);
        (scheme, host, port)
    }
}

fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(listeners: &[&str]) -> RestConfig {
        RestConfig {
            listeners: listeners
                .iter()
                .map(|text| Listener::parse(text).unwrap())
                .collect(),
            admin_listeners: AdminListeners::OnMainListeners,
            advertised_host: None,
            advertised_port: None,
            advertised_scheme: None,
            cross_origin: None,
            response_headers: Vec::new(),
        }
    }

    #[test]
    fn listeners_are_read_in_all_their_forms() {
        let cases = [
            ("http://:8083", Scheme::Http, "", 8083),
            ("HTTP://localhost:0", Scheme::Http, "localhost", 0),
            ("https://0.0.0.0:8443", Scheme::Https, "0.0.0.0", 8443),
            ("http://[::1]:80", Scheme::Http, "::1", 80),
        ];
        for (text, scheme, host, port) in cases {
            assert_eq!(
                Listener::parse(text),
                Ok(Listener {
                    scheme,
                    host: host.to_owned(),
                    port
                })
            );
        }
        assert_eq!(
            Listener::parse("http://[::1]:80").unwrap().to_string(),
            "http://[::1]:80"
        );
    }

    #[test]
    fn listeners_of_another_form_are_refused() {
        for text in [
            "localhost:8083",
            "http://localhost",
            "ftp://h:1",
            "http://h:x",
            "http://h:70000",
            "http://a b:1",
        ] {
            assert!(Listener::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_advertised_url_takes_the_first_thing_that_is_stated() {
        let plain = rest(&["http://:8083"]);
        assert_eq!(plain.advertised_url(&[8083], "10.0.0.5"), "http://10.0.0.5:8083/");
        assert_eq!(plain.worker_id(&[8083], "10.0.0.5"), "10.0.0.5:8083");
        assert_eq!(rest(&["http://[::1]:0"]).worker_id(&[4711], "x"), "[::1]:4711");
        assert_eq!(
            rest(&["https://a:1", "http://b:0"]).advertised_url(&[1, 2], "x"),
            "http://b:2/"
        );
        assert_eq!(rest(&["https://a:1"]).advertised_url(&[1], "x"), "https://a:1/");
        let stated = RestConfig {
            advertised_host: Some("public".into()),
            advertised_port: Some(99),
            advertised_scheme: Some(Scheme::Https),
            ..rest(&["http://a:1"])
        };
        assert_eq!(stated.advertised_url(&[1], "x"), "https://public:99/");
    }
}
