//! `GET /connectors/{c}/tasks`, and the two endpoints that workers of a cluster use among themselves.
//!
//! A standalone worker has no peers: whoever asks is not one, and is refused with 403 (upstream: 500) and upstream's words.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post, put};
use wharf_runtime::herder::{PeerRequest, Reply};

use super::open_resource;
use super::params::Name;
use crate::api::{Api, ok};
use crate::error::ApiError;
use crate::media_type;

/// Signature of the body, base64.
const SIGNATURE: &str = "X-Connect-Authorization";
/// What it was made by.
const SIGNATURE_ALGORITHM: &str = "X-Connect-Request-Signature-Algorithm";

pub(super) fn routes() -> Router<Api> {
    // one path, two rules: reading tasks takes JSON only, the internal endpoint any content type
    let tasks = get(tasks)
        .route_layer(from_fn(media_type::json_only))
        .merge(open_resource(post(put_tasks)));
    Router::new()
        .route("/connectors/{connector}/tasks", tasks)
        .route("/connectors/{connector}/fence", open_resource(put(fence)))
}

async fn tasks(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    Ok(ok(&api.herder.task_infos(&name)?))
}

async fn put_tasks(
    State(api): State<Api>,
    Name(name): Name,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let reply = api.herder.put_task_configs(&name, of_peer(&headers, &body));
    done(&api, reply, "setting task configurations from outside").await
}

async fn fence(
    State(api): State<Api>,
    Name(name): Name,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let reply = api.herder.fence_zombies(&name, of_peer(&headers, &body));
    done(&api, reply, "fencing zombie source tasks").await
}

/// Waits for what a peer asked for; a worker without peers gives no reply to wait for.
async fn done(api: &Api, reply: Option<Reply<()>>, what: &str) -> Result<StatusCode, ApiError> {
    let reply = reply.ok_or_else(|| refused(what))?;
    api.wait(reply).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn of_peer(headers: &HeaderMap, body: &Bytes) -> PeerRequest {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    PeerRequest {
        body: body.to_vec(),
        signature: text(SIGNATURE),
        algorithm: text(SIGNATURE_ALGORITHM),
    }
}

fn refused(what: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        format!("Kafka Connect in standalone mode does not support {what}"),
    )
}
