//! `/connectors/{c}/offsets` (KIP-875).

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::json as value;

use super::json_resource;
use super::params::Name;
use crate::api::{Api, ok};
use crate::body::JsonObject;
use crate::error::ApiError;

pub(super) fn routes() -> Router<Api> {
    Router::new().route(
        "/connectors/{connector}/offsets",
        json_resource(get(read).patch(alter).delete(reset)),
    )
}

async fn read(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    Ok(ok(&api.wait(api.herder.connector_offsets(&name)).await?))
}

async fn alter(State(api): State<Api>, Name(name): Name, body: JsonObject) -> Result<Response, ApiError> {
    let changes = body.into_offset_changes()?;
    let message = api
        .wait(api.herder.alter_connector_offsets(&name, changes))
        .await?;
    Ok(ok(&value!({ "message": message })))
}

async fn reset(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    let message = api.wait(api.herder.reset_connector_offsets(&name)).await?;
    Ok(ok(&value!({ "message": message })))
}
