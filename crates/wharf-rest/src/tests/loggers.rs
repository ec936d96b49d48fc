//! `/admin/loggers`, on the main listeners and on its own.

use std::sync::Arc;

use super::{Api, FakeHerder, SHORT, error};

#[tokio::test]
async fn levels_are_read() {
    let rows: [(&str, &str, &str, u16, &str); 3] = [
        (
            "GET",
            "/admin/loggers",
            "",
            200,
            r#"{"root":{"level":"INFO","last_modified":null}}"#,
        ),
        (
            "GET",
            "/admin/loggers/a.b",
            "",
            200,
            r#"{"level":"DEBUG","last_modified":5}"#,
        ),
        (
            "GET",
            "/admin/loggers/x",
            "",
            404,
            &error(404, "Logger x not found."),
        ),
    ];
    Api::new(FakeHerder::default()).check(&rows).await;
    Api::admin(FakeHerder::default()).check(&rows).await;
}

#[tokio::test]
async fn levels_are_set_on_the_worker_or_the_cluster() {
    let api = Api::new(FakeHerder::default());
    api.check(&[
        (
            "PUT",
            "/admin/loggers/a.b",
            r#"{"level":"debug"}"#,
            200,
            r#"["a.b","a.b.c"]"#,
        ),
        (
            "PUT",
            "/admin/loggers/a?scope=worker",
            r#"{"level":"OFF"}"#,
            200,
            r#"["a","a.c"]"#,
        ),
        (
            "PUT",
            "/admin/loggers/a?scope=nonsense",
            r#"{"level":"ALL","x":1}"#,
            200,
            r#"["a","a.c"]"#,
        ),
        (
            "PUT",
            "/admin/loggers/a?scope=CLUSTER",
            r#"{"level":"Fatal"}"#,
            204,
            "",
        ),
    ])
    .await;
    assert_eq!(
        api.herder.calls(),
        [
            "worker level a.b DEBUG",
            "worker level a OFF",
            "worker level a ALL",
            "cluster level a FATAL"
        ]
    );
}

#[tokio::test]
async fn a_missing_level_is_400_and_a_wrong_one_404() {
    let missing = error(400, "Desired 'level' parameter was not specified in request.");
    let api = Api::new(FakeHerder::default());
    api.check(&[
        ("PUT", "/admin/loggers/a", "{}", 400, &missing),
        ("PUT", "/admin/loggers/a", r#"{"level":null}"#, 400, &missing),
        (
            "PUT",
            "/admin/loggers/a",
            r#"{"level":"loud"}"#,
            404,
            &error(404, "invalid log level 'loud'."),
        ),
    ])
    .await;
    assert_eq!(api.herder.calls(), [""; 0]);
}

#[tokio::test]
async fn with_separate_listeners_each_side_serves_its_own_only() {
    let not_found = error(404, "HTTP 404 Not Found");
    let herder = Arc::new(FakeHerder::default());
    let main = Api {
        routes: crate::main_router(herder.clone(), SHORT, false),
        herder,
    };
    main.check(&[
        ("GET", "/admin/loggers", "", 404, &not_found),
        ("PUT", "/admin/loggers/a", r#"{"level":"debug"}"#, 404, &not_found),
        ("GET", "/connectors", "", 200, "[]"),
    ])
    .await;
    let admin = Api::admin(FakeHerder::default());
    admin
        .check(&[
            ("GET", "/connectors", "", 404, &not_found),
            ("GET", "/", "", 404, &not_found),
        ])
        .await;
}
