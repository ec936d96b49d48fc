//! `GET /metrics`, on the main listeners and on the admin ones.

use std::sync::Arc;

use super::{Api, FakeHerder, SHORT, error};

#[tokio::test]
async fn metrics_are_served_as_text_on_every_listener() {
    let herder = Arc::new(FakeHerder::default());
    let without_admin = Api {
        routes: crate::main_router(herder.clone(), SHORT, false),
        herder,
    };
    for api in [
        Api::new(FakeHerder::default()),
        Api::admin(FakeHerder::default()),
        without_admin,
    ] {
        for (accept, content_type, body) in [
            (
                "text/plain",
                "text/plain; version=0.0.4; charset=utf-8",
                "Prometheus\n",
            ),
            (
                "application/openmetrics-text;version=1.0.0",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                "OpenMetrics\n",
            ),
        ] {
            let answer = api.send_with("GET", "/metrics", &[("accept", accept)], "").await;
            assert_eq!((answer.status, answer.body.as_str()), (200, body));
            assert_eq!(answer.header("content-type"), content_type);
        }
    }
}

#[tokio::test]
async fn metrics_can_only_be_read() {
    let refused = error(405, "HTTP 405 Method Not Allowed");
    let api = Api::new(FakeHerder::default());
    api.check(&[
        ("POST", "/metrics", "", 405, &refused),
        ("DELETE", "/metrics", "", 405, &refused),
    ])
    .await;
}
