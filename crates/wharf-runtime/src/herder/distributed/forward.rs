//! Requests to other workers of the group.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use wharf_cluster::signature;

use super::Inner;
use crate::herder::HerderError;
use crate::http_client::{self, WorkerRequest, path_segment};

/// As the whole request of a user may take.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Whether a request is one between workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signing {
    /// It is signed with the group's session key, if there is one.
    Signed,
}

/// Joins a worker's URL, which ends with a slash, and the segments of a path.
pub(super) fn url_of(worker: &str, segments: &[&str]) -> String {
    let path: Vec<String> = segments
        .iter()
        .map(|segment| path_segment(segment).to_string())
        .collect();
    format!("{}/{}", worker.trim_end_matches('/'), path.join("/"))
}

impl Inner {
    /// Asks the worker at `url`; anything but success is its error.
    pub(super) async fn ask_worker(
        self: &Arc<Self>,
        method: Method,
        worker: &str,
        segments: &[&str],
        body: Vec<u8>,
        signing: Signing,
    ) -> Result<(), HerderError> {
        let mut headers = Vec::new();
        if signing == Signing::Signed
            && let Some(key) = self.configs.snapshot().session_key()
        {
            for (name, value) in
                signature::headers(key, &self.settings.inter_worker.signature_algorithm, &body)
            {
                let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                    return Err(HerderError::Internal(format!("the header {name} cannot be sent")));
                };
                headers.push((name, value));
            }
        }
        let url = url_of(worker, segments);
        let request = WorkerRequest {
            method,
            url: url.clone(),
            headers,
            body: body.into(),
        };
        let answer = http_client::ask(request, TIMEOUT)
            .await
            .map_err(|error| HerderError::Internal(error.to_string()))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let message = serde_json::from_slice::<serde_json::Value>(&answer.body)
            .ok()
            .and_then(|body| body.get("message")?.as_str().map(str::to_owned))
            .unwrap_or_default();
        Err(HerderError::Internal(format!(
            "the worker at {url} answered {}: {message}",
            answer.status
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_segments_whatever_is_in_them() {
        assert_eq!(
            url_of("http://w:8083/", &["connectors", "a b/c%", "tasks"]),
            "http://w:8083/connectors/a%20b%2Fc%25/tasks"
        );
    }
}
