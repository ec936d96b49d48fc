//! `/connector-plugins`.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post, put};
use wharf_runtime::config::ConfigDefinition;
use wharf_runtime::herder::RawConfig;

use super::json_resource;
use super::params::{Name, Query};
use crate::api::{Api, ok};
use crate::body::JsonObject;
use crate::error::ApiError;
use crate::secrets;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/connector-plugins", json_resource(get(list)))
        .route("/connector-plugins/{plugin}/config", json_resource(get(config)))
        .route(
            "/connector-plugins/{plugin}/config/validate",
            json_resource(put(validate)),
        )
        .route(
            "/connector-plugins/{plugin}/preview",
            json_resource(post(preview)),
        )
}

async fn list(State(api): State<Api>, query: Query) -> Response {
    ok(&api.herder.plugins(query.flag("connectorsOnly", true)))
}

async fn config(State(api): State<Api>, Name(plugin): Name, query: Query) -> Result<Response, ApiError> {
    let keys = api
        .wait(api.herder.plugin_config(&plugin, query.first("version")))
        .await?;
    Ok(ok(&keys.iter().map(ConfigDefinition::from).collect::<Vec<_>>()))
}

async fn validate(
    State(api): State<Api>,
    Name(plugin): Name,
    body: JsonObject,
) -> Result<Response, ApiError> {
    let config = body.into_config()?;
    if let Some(Some(class)) = config.get("connector.class")
        && !without_suffix(class).ends_with(without_suffix(&plugin))
    {
        return Err(ApiError::bad_request(format!(
            "Included connector type {class} does not match request type {plugin}"
        )));
    }
    check_has_class(&config)?;
    Ok(ok(&api
        .wait(api.herder.validate_connector_config(config))
        .await?))
}

async fn preview(State(api): State<Api>, Name(plugin): Name, body: JsonObject) -> Result<Response, ApiError> {
    let request = body.into_preview_request()?;
    Ok(ok(&api.wait(api.herder.preview(&plugin, request)).await?))
}

fn without_suffix(class: &str) -> &str {
    class.strip_suffix("Connector").unwrap_or(class)
}

/// A configuration must say what it configures. Upstream echoes it whole; here secrets are hidden.
pub(super) fn check_has_class(config: &RawConfig) -> Result<(), ApiError> {
    match config.get("connector.class") {
        Some(Some(_)) => Ok(()),
        _ => Err(ApiError::bad_request(format!(
            "Connector config {} contains no connector type",
            secrets::masked(config)
        ))),
    }
}
