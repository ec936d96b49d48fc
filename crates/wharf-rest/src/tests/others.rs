//! Root, health and plugins.

use wharf_runtime::herder::{HealthStatus, HerderError, Stage};

use super::{Api, FakeHerder, error};

#[tokio::test]
async fn the_root_names_version_commit_and_cluster() {
    let api = Api::new(FakeHerder::default());
    let info = r#"{"version":"0.1.0","commit":"unknown","kafka_cluster_id":"abc"}"#;
    api.check(&[("GET", "/", "", 200, info)]).await;
}

#[tokio::test]
async fn health_has_its_own_shape_and_503_unless_ready() {
    let stage = Stage {
        description: "awaiting startup".into(),
        started: 0,
        completed: None,
    };
    let suffix = ". The worker is currently awaiting startup, which began at 1970-01-01T00:00:00Z.";
    let starting = format!(r#"{{"status":"starting","message":"Worker is still starting up{suffix}"}}"#);
    let unhealthy = format!(
        r#"{{"status":"unhealthy","message":"Worker was unable to handle this request and may be unable to handle other requests{suffix}"}}"#
    );
    let healthy =
        r#"{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}"#;
    let herder = |health| FakeHerder {
        health: Some(health),
        stage: Some(stage.clone()),
        ..FakeHerder::default()
    };
    let failing = HerderError::Internal("x".into());
    for (herder, status, body) in [
        (herder(HealthStatus::Healthy), 200, healthy),
        (herder(HealthStatus::Starting), 503, &starting),
        (herder(HealthStatus::Unhealthy), 503, &unhealthy),
        (
            FakeHerder {
                hangs: true,
                ..herder(HealthStatus::Healthy)
            },
            503,
            &unhealthy,
        ),
        (
            FakeHerder {
                fails: Some(failing),
                ..herder(HealthStatus::Healthy)
            },
            503,
            &unhealthy,
        ),
    ] {
        Api::new(herder)
            .check(&[("GET", "/health", "", status, body)])
            .await;
    }
    let api = Api::new(FakeHerder {
        health: Some(HealthStatus::Starting),
        ..FakeHerder::default()
    });
    let plain = r#"{"status":"starting","message":"Worker is still starting up."}"#;
    api.check(&[("GET", "/health", "", 503, plain)]).await;
}

#[tokio::test]
async fn plugins_are_listed_connectors_only_unless_asked() {
    let api = Api::new(FakeHerder::default());
    let connectors =
        r#"[{"class":"a.Sink","type":"sink","version":"1.0"},{"class":"a.Source","type":"source"}]"#;
    let all = connectors.replace(']', r#",{"class":"a.Json","type":"converter","version":"1.0"}]"#);
    api.check(&[
        ("GET", "/connector-plugins", "", 200, connectors),
        (
            "GET",
            "/connector-plugins?connectorsOnly=True",
            "",
            200,
            connectors,
        ),
        ("GET", "/connector-plugins?connectorsOnly=", "", 200, connectors),
        ("GET", "/connector-plugins?connectorsOnly=false", "", 200, &all),
    ])
    .await;
}

#[tokio::test]
async fn the_keys_of_a_plugin_are_listed_for_a_version() {
    let api = Api::new(FakeHerder::default());
    let keys = r#"[{"name":"file","type":"STRING","required":true,"default_value":null,"importance":"MEDIUM","documentation":"","group":null,"order_in_group":-1,"width":"NONE","display_name":"file","dependents":[]}]"#;
    api.check(&[
        ("GET", "/connector-plugins/FileStreamSource/config", "", 200, keys),
        (
            "GET",
            "/connector-plugins/FileStreamSource/config?version=1.0",
            "",
            200,
            keys,
        ),
        (
            "GET",
            "/connector-plugins/FileStreamSource/config?version=9",
            "",
            400,
            &error(400, "no version 9"),
        ),
        (
            "GET",
            "/connector-plugins/Nope/config",
            "",
            404,
            &error(404, "Unknown plugin Nope."),
        ),
        ("GET", "/connector-plugins/a%2Fb/config", "", 200, "[]"),
    ])
    .await;
}

#[tokio::test]
async fn validation_takes_short_and_long_names_of_the_class() {
    let api = Api::new(FakeHerder::default());
    let full = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    let valid = |class: &str| format!(r#"{{"name":"{class}","error_count":0,"groups":[],"configs":[]}}"#);
    for (path, class) in [
        ("FileStreamSource", full),
        ("FileStreamSourceConnector", full),
        (full, full),
        ("FileStreamSourceConnector", "FileStreamSource"),
    ] {
        let uri = format!("/connector-plugins/{path}/config/validate");
        let body = format!(r#"{{"connector.class":"{class}"}}"#);
        api.check(&[("PUT", &uri, &body, 200, &valid(class))]).await;
    }
    let mismatch = error(
        400,
        "Included connector type FileStreamSource does not match request type FileStreamSink",
    );
    let uri = "/connector-plugins/FileStreamSink/config/validate";
    api.check(&[(
        "PUT",
        uri,
        r#"{"connector.class":"FileStreamSource"}"#,
        400,
        &mismatch,
    )])
    .await;
}
