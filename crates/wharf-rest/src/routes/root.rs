//! `GET /`, `GET /health` and `GET /openapi.json`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use wharf_runtime::herder::HealthStatus;

use super::{OPENAPI, open_resource};
use crate::api::{Api, json, ok};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/", open_resource(get(server_info)))
        .route("/health", open_resource(get(health)))
        .route("/openapi.json", open_resource(get(openapi)))
}

async fn server_info(State(api): State<Api>) -> Response {
    ok(&api.herder.server_info())
}

async fn openapi() -> Response {
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "application/json")],
        OPENAPI,
    )
        .into_response()
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    message: String,
}

async fn health(State(api): State<Api>) -> Response {
    let status = match tokio::time::timeout(api.timeouts.health, api.herder.health()).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => HealthStatus::Unhealthy,
    };
    let (code, status, message) = match status {
        HealthStatus::Healthy => (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.".to_owned(),
        ),
        HealthStatus::Starting => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            stopped(format!("Worker is still starting up{}", api.stage_suffix())),
        ),
        HealthStatus::Unhealthy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "unhealthy",
            stopped(format!(
                "Worker was unable to handle this request and may be unable to handle other requests{}",
                api.stage_suffix()
            )),
        ),
    };
    json(code, &Health { status, message })
}

/// With a full stop.
fn stopped(mut sentence: String) -> String {
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
