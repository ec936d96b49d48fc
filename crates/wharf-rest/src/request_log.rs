//! One line per request in NCSA extended form with the latency in milliseconds, as Jetty writes it for Connect, under
//! the logger name that operators of Connect filter on.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::Response;
use wharf_runtime::logging::timestamp;

/// The logger of request lines.
const TARGET: &str = "org.apache.kafka.connect.runtime.rest.RestServer";

/// What is known of a request before it is answered; nothing is kept while the logger is off.
pub(crate) struct Entry(Option<Known>);

struct Known {
    /// Up to the request line.
    head: String,
    /// Referer and user agent.
    tail: String,
}

impl Entry {
    pub(crate) fn of(request: &Request, peer: Option<SocketAddr>) -> Self {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return Self(None);
        }
        let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.ip().to_canonical().to_string());
        let at = timestamp::ncsa(SystemTime::now());
        Self(Some(Known {
            head: format!(
                "{peer} - - [{at}] \"{} {} {:?}\"",
                request.method(),
                request.uri(),
                request.version()
            ),
            tail: format!(
                "\"{}\" \"{}\"",
                quoted(request.headers(), &header::REFERER),
                quoted(request.headers(), &header::USER_AGENT),
            ),
        }))
    }

    pub(crate) fn write(self, response: &Response, latency: Duration) {
        let Some(Known { head, tail }) = self.0 else {
            return;
        };
        let size = response.body().size_hint().exact().unwrap_or(0);
        let (status, latency) = (response.status().as_u16(), latency.as_millis());
        tracing::info!(target: TARGET, "{head} {status} {size} {tail} {latency}");
    }
}

/// A header for use between quotes: only printable characters, quotes escaped, so that a client cannot forge lines.
fn quoted(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map_or_else(
            || "-".to_owned(),
            |value| value.replace('\\', "\\\\").replace('"', "\\\""),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_cannot_leave_their_quotes() {
        let mut headers = HeaderMap::new();
        assert_eq!(quoted(&headers, &header::USER_AGENT), "-");
        headers.insert(header::USER_AGENT, "a\" 200 \\".parse().unwrap());
        assert_eq!(quoted(&headers, &header::USER_AGENT), "a\\\" 200 \\\\");
    }
}
