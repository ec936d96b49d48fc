//! `/connectors` and what is below it, except offsets and the endpoints between workers.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Map, Value, json as value};
use wharf_runtime::herder::{ConnectorInfo, Created, RawConfig, RestartRequest};
use wharf_runtime::http_client::path_segment;

use super::params::{Name, Query, Task};
use super::{json_resource, plugins};
use crate::api::{Api, json, ok};
use crate::body::JsonObject;
use crate::error::ApiError;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/connectors", json_resource(get(list).post(create)))
        .route("/connectors/{connector}", json_resource(get(info).delete(delete)))
        .route(
            "/connectors/{connector}/config",
            json_resource(get(config).put(put_config).patch(patch_config)),
        )
        .route("/connectors/{connector}/status", json_resource(get(status)))
        .route("/connectors/{connector}/restart", json_resource(post(restart)))
        .route("/connectors/{connector}/pause", json_resource(put(pause)))
        .route("/connectors/{connector}/resume", json_resource(put(resume)))
        .route("/connectors/{connector}/stop", json_resource(put(stop)))
        .route(
            "/connectors/{connector}/tasks/{task}/status",
            json_resource(get(task_status)),
        )
        .route(
            "/connectors/{connector}/tasks/{task}/restart",
            json_resource(post(restart_task)),
        )
        .route("/connectors/{connector}/topics", json_resource(get(topics)))
        .route(
            "/connectors/{connector}/topics/reset",
            json_resource(put(reset_topics)),
        )
}

async fn list(State(api): State<Api>, query: Query) -> Result<Response, ApiError> {
    let names = api.herder.connectors();
    if query.first("expand").is_none() {
        return Ok(ok(&names));
    }
    let mut all = Map::new();
    for name in names {
        let mut expanded = Map::new();
        let mut complete = true;
        for expansion in query.all("expand") {
            // a connector without status yet, or gone since it was listed, is left out, as upstream does
            let part = match expansion {
                "status" => api.herder.connector_status(&name).ok().map(to_value),
                "info" => Some(api.herder.connector_info(&name).map_or(Value::Null, to_value)),
                _ => continue,
            };
            match part {
                Some(part) => {
                    expanded.insert(expansion.to_owned(), part);
                }
                None => complete = false,
            }
        }
        if complete {
            all.insert(name, Value::Object(expanded));
        }
    }
    Ok(ok(&all))
}

fn to_value(part: impl serde::Serialize) -> Value {
    serde_json::to_value(part).unwrap_or(Value::Null)
}

async fn create(State(api): State<Api>, headers: HeaderMap, body: JsonObject) -> Result<Response, ApiError> {
    let request = body.into_create_request()?;
    let config = named(&request.name, request.config)?;
    plugins::check_has_class(&config)?;
    let reply = api
        .herder
        .put_connector_config(&request.name, config, request.initial_state, false);
    Ok(created(&headers, api.wait(reply).await?))
}

async fn put_config(
    State(api): State<Api>,
    Name(name): Name,
    headers: HeaderMap,
    body: JsonObject,
) -> Result<Response, ApiError> {
    let config = named(&name, body.into_config()?)?;
    plugins::check_has_class(&config)?;
    let reply = api.herder.put_connector_config(&name, config, None, true);
    Ok(created(&headers, api.wait(reply).await?))
}

async fn patch_config(
    State(api): State<Api>,
    Name(name): Name,
    body: JsonObject,
) -> Result<Response, ApiError> {
    let patch = body.into_config()?;
    match patch.get("name") {
        Some(Some(other)) if *other != name => return Err(wrong_name(other, &name)),
        Some(None) => {
            return Err(ApiError::bad_request(
                "`name` cannot be removed: leave it out of the patch",
            ));
        }
        _ => {}
    }
    Ok(ok(&api
        .wait(api.herder.patch_connector_config(&name, patch))
        .await?))
}

/// Puts the connector's name into its configuration; a different one there is refused.
fn named(name: &str, mut config: RawConfig) -> Result<RawConfig, ApiError> {
    match config.get("name") {
        Some(Some(other)) if other != name => Err(wrong_name(other, name)),
        _ => {
            config.insert("name".to_owned(), Some(name.to_owned()));
            Ok(config)
        }
    }
}

fn wrong_name(other: &str, name: &str) -> ApiError {
    ApiError::bad_request(format!(
        "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
    ))
}

fn created(headers: &HeaderMap, outcome: Created<ConnectorInfo>) -> Response {
    match outcome {
        Created::Replaced(info) => ok(&info),
        Created::Created(info) => {
            let path = format!("/connectors/{}", path_segment(&info.name));
            // the host as the client addressed it, so that the link works through proxies and port forwarding
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let location = host.map_or_else(|| path.clone(), |host| format!("http://{host}{path}"));
            ([(header::LOCATION, location)], json(StatusCode::CREATED, &info)).into_response()
        }
    }
}

async fn info(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    Ok(ok(&api.herder.connector_info(&name)?))
}

async fn config(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    Ok(ok(&api.herder.connector_info(&name)?.config))
}

async fn delete(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    api.wait(api.herder.delete_connector(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn status(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    Ok(ok(&api.herder.connector_status(&name)?))
}

async fn restart(State(api): State<Api>, Name(name): Name, query: Query) -> Result<Response, ApiError> {
    let request = RestartRequest {
        include_tasks: query.flag("includeTasks", false),
        only_failed: query.flag("onlyFailed", false),
    };
    if request == RestartRequest::default() {
        api.wait(api.herder.restart_connector(&name)).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let status = api
        .wait(api.herder.restart_connector_and_tasks(&name, request))
        .await?;
    Ok(json(StatusCode::ACCEPTED, &status))
}

async fn pause(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    api.wait(api.herder.pause_connector(&name)).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn resume(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    api.wait(api.herder.resume_connector(&name)).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn stop(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    api.wait(api.herder.stop_connector(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn task_status(State(api): State<Api>, Task(task): Task) -> Result<Response, ApiError> {
    Ok(ok(&api.herder.task_status(&task)?))
}

async fn restart_task(State(api): State<Api>, Task(task): Task) -> Result<StatusCode, ApiError> {
    api.wait(api.herder.restart_task(&task)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn topics(State(api): State<Api>, Name(name): Name) -> Result<Response, ApiError> {
    let active = api.herder.active_topics(&name)?;
    let mut all = Map::new();
    all.insert(active.connector, value!({ "topics": active.topics }));
    Ok(ok(&all))
}

async fn reset_topics(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    api.herder.reset_active_topics(&name)?;
    Ok(StatusCode::ACCEPTED)
}
