//! `/admin/cluster`: what this worker knows of its group. Upstream has no such resource.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::open_resource;
use crate::api::{Api, ok};
use crate::error::ApiError;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/admin/cluster", open_resource(get(cluster)))
}

async fn cluster(State(api): State<Api>) -> Result<Response, ApiError> {
    match api.herder.cluster_info() {
        Some(info) => Ok(ok(&info)),
        None => Err(ApiError::not_found(
            "This worker is standalone: it is in no group.",
        )),
    }
}
