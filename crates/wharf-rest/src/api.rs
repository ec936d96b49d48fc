//! What all routes share: the herder, the time limits, and how an answer becomes JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wharf_runtime::herder::{Herder, Reply, Stage};
use wharf_runtime::logging::timestamp;

use crate::error::ApiError;

/// How long a client may wait, and be waited for. Upstream's constants; other values are for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For every request that waits for the herder.
    pub request: Duration,
    /// For `GET /health`.
    pub health: Duration,
    /// For a client to send the head of a request, and then its body. Between requests a connection may rest as long.
    pub read: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(90),
            health: Duration::from_secs(10),
            // what Jetty lets a connection be idle
            read: Duration::from_secs(30),
        }
    }
}

/// State of the routes.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) herder: Arc<dyn Herder>,
    pub(crate) timeouts: Timeouts,
}

impl Api {
    /// Waits for the herder. When that takes too long the work goes on, but the client is told so.
    pub(crate) async fn wait<T>(&self, reply: Reply<T>) -> Result<T, ApiError> {
        match tokio::time::timeout(self.timeouts.request, reply).await {
            Ok(result) => result.map_err(ApiError::from),
            Err(_) => Err(ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("Request timed out{}", self.stage_suffix()),
            )),
        }
    }

    /// What the worker is doing, to be put after a sentence without its full stop.
    pub(crate) fn stage_suffix(&self) -> String {
        self.herder
            .stage()
            .map_or_else(String::new, |stage| format!(". {}", stage_text(&stage)))
    }
}

fn stage_text(stage: &Stage) -> String {
    let Stage {
        description,
        started,
        completed,
    } = stage;
    let started = timestamp::iso_instant(*started);
    match completed {
        None => format!("The worker is currently {description}, which began at {started}."),
        Some(completed) => format!(
            "The last operation the worker completed was {description}, which began at {started} and completed at {}.",
            timestamp::iso_instant(*completed)
        ),
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// 200 with a JSON body.
pub(crate) fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_says_whether_it_goes_on() {
        let mut stage = Stage {
            description: "stopping connector X".into(),
            started: 0,
            completed: None,
        };
        assert_eq!(
            stage_text(&stage),
            "The worker is currently stopping connector X, which began at 1970-01-01T00:00:00Z."
        );
        stage.completed = Some(1_500);
        assert_eq!(
            stage_text(&stage),
            "The last operation the worker completed was stopping connector X, which began at 1970-01-01T00:00:00Z \
             and completed at 1970-01-01T00:00:01.500Z."
        );
    }
}
