//! `/admin/loggers` (KIP-495, KIP-976).

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::json_resource;
use super::params::{Name, Query};
use crate::api::{Api, ok};
use crate::body::JsonObject;
use crate::error::ApiError;

/// Levels of log4j, which clients may name in any case.
const LEVELS: [&str; 8] = ["ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/admin/loggers", json_resource(get(list)))
        .route("/admin/loggers/{logger}", json_resource(get(level).put(set)))
}

async fn list(State(api): State<Api>) -> Response {
    ok(&api.herder.logger_levels())
}

async fn level(State(api): State<Api>, Name(logger): Name) -> Result<Response, ApiError> {
    match api.herder.logger_level(&logger) {
        Some(level) => Ok(ok(&level)),
        None => Err(ApiError::not_found(format!("Logger {logger} not found."))),
    }
}

async fn set(
    State(api): State<Api>,
    Name(logger): Name,
    query: Query,
    body: JsonObject,
) -> Result<Response, ApiError> {
    let wanted = body
        .text("level")?
        .ok_or_else(|| ApiError::bad_request("Desired 'level' parameter was not specified in request."))?;
    let level = wanted.trim().to_ascii_uppercase();
    if !LEVELS.contains(&level.as_str()) {
        return Err(ApiError::not_found(format!("invalid log level '{wanted}'.")));
    }
    match query.first("scope") {
        Some(scope) if scope.eq_ignore_ascii_case("cluster") => {
            api.herder.set_cluster_logger_level(&logger, &level);
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Some(scope) if !scope.eq_ignore_ascii_case("worker") => {
            tracing::warn!("unknown scope '{scope}' in a request for logger {logger}: taken as 'worker'");
        }
        _ => {}
    }
    Ok(ok(&api.herder.set_worker_logger_level(&logger, &level)))
}
