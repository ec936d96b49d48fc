//! The API over a herder in memory: every endpoint, its answers and its refusals.

mod cluster;
mod connectors;
mod fake_herder;
mod forwarding;
mod http;
mod loggers;
mod metrics;
mod openapi;
mod others;
mod response_headers;
mod sockets;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use tower::ServiceExt as _;

pub(crate) use self::fake_herder::FakeHerder;
use crate::{Timeouts, admin_router, main_router};

const SHORT: Timeouts = Timeouts {
    request: Duration::from_millis(20),
    health: Duration::from_millis(20),
    read: Duration::from_secs(30),
};

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and body; a body must be declared as JSON.
    fn json(&self) -> (u16, &str) {
        let content_type = self.header("content-type");
        assert_eq!(
            content_type,
            if self.body.is_empty() {
                ""
            } else {
                "application/json"
            },
            "{self:?}"
        );
        (self.status, &self.body)
    }
}

/// A worker's API, called without sockets.
struct Api {
    herder: Arc<FakeHerder>,
    routes: Router,
}

impl Api {
    fn new(herder: FakeHerder) -> Self {
        Self::patient(herder, SHORT)
    }

    fn patient(herder: FakeHerder, timeouts: Timeouts) -> Self {
        let herder = Arc::new(herder);
        let routes = main_router(herder.clone(), timeouts, true);
        Self { herder, routes }
    }

    fn admin(herder: FakeHerder) -> Self {
        let herder = Arc::new(herder);
        let routes = admin_router(herder.clone(), SHORT);
        Self { herder, routes }
    }

    /// Sends a request; a body goes as JSON.
    async fn send(&self, method: &str, uri: &str, body: &str) -> Answer {
        let headers: &[(&str, &str)] = if body.is_empty() {
            &[]
        } else {
            &[("content-type", "application/json")]
        };
        self.send_with(method, uri, headers, body).await
    }

    async fn send_with(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_empty() {
            Body::empty()
        } else {
            Body::from(body.to_owned())
        };
        let response = self
            .routes
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Sends requests one after another and compares status and body of each.
    async fn check(&self, rows: &[(&str, &str, &str, u16, &str)]) {
        for (method, uri, body, status, expected) in rows {
            let answer = self.send(method, uri, body).await;
            assert_eq!(answer.json(), (*status, *expected), "{method} {uri} {body}");
        }
    }
}

/// The JSON of an error.
fn error(status: u16, message: &str) -> String {
    serde_json::json!({ "error_code": status, "message": message }).to_string()
}
