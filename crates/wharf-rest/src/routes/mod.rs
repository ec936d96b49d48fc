//! The routes, one file per resource of upstream.
//!
//! To add one: write the handler in the file of its resource, name it in that file's `routes`, describe it in
//! `openapi.json` (a test compares the two), and add its rows to the tests.

mod cluster;
mod connectors;
mod internal;
mod loggers;
mod metrics;
mod offsets;
mod params;
mod plugins;
mod root;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use wharf_runtime::herder::Herder;

use crate::api::{Api, Timeouts};
use crate::error::ApiError;
use crate::forwarding::{self, Forwarding};
use crate::{conventions, media_type};

/// The OpenAPI 3 description of the API, as `GET /openapi.json` serves it.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Everything, `/admin/*` only when asked for.
pub fn main_router(herder: Arc<dyn Herder>, timeouts: Timeouts, with_admin: bool) -> Router {
    let mut routes = Router::new()
        .merge(root::routes())
        .merge(connectors::routes())
        .merge(offsets::routes())
        .merge(plugins::routes())
        .merge(internal::routes())
        .merge(metrics::routes());
    if with_admin {
        routes = routes.merge(admin_routes());
    }
    finished(routes, Api { herder, timeouts })
}

/// `/admin/*` and the metrics, for separate admin listeners.
pub fn admin_router(herder: Arc<dyn Herder>, timeouts: Timeouts) -> Router {
    let routes = admin_routes().merge(metrics::routes());
    finished(routes, Api { herder, timeouts })
}

fn admin_routes() -> Router<Api> {
    loggers::routes().merge(cluster::routes())
}

fn finished(routes: Router<Api>, api: Api) -> Router {
    let unknown = || async { ApiError::of_status(StatusCode::NOT_FOUND) };
    let forwarding = api.herder.has_peers().then(|| Forwarding {
        herder: Arc::clone(&api.herder),
        timeouts: api.timeouts,
    });
    let mut routes = routes.fallback(unknown).with_state(api);
    if let Some(forwarding) = forwarding {
        routes = forwarding::around(routes, forwarding);
    }
    conventions::around(routes)
}

/// A resource that takes and gives JSON only. The checks come after the method's, as upstream: 404, 405, 415, 406.
fn json_resource(methods: MethodRouter<Api>) -> MethodRouter<Api> {
    methods.route_layer(from_fn(media_type::json_only))
}

/// A resource that takes anything and gives JSON.
fn open_resource(methods: MethodRouter<Api>) -> MethodRouter<Api> {
    methods.route_layer(from_fn(media_type::accepts_json))
}
