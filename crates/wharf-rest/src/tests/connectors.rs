//! `/connectors` and below.

use wharf_runtime::herder::{HerderError, Stage};

use super::{Api, FakeHerder, error};

const STATUS: &str = r#"{"name":"c","connector":{"state":"RUNNING","worker_id":"10.0.0.5:8083","version":"1.0"},"tasks":[{"id":0,"state":"FAILED","worker_id":"10.0.0.5:8083","trace":"boom"}],"type":"source"}"#;
const INFO: &str = r#"{"name":"c","config":{"connector.class":"FileStreamSource","name":"c"},"tasks":[{"connector":"c","task":0}],"type":"source"}"#;

#[tokio::test]
async fn reads_answer_in_upstreams_shapes() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let tasks = r#"[{"id":{"connector":"c","task":0},"config":{"task.class":"T"}}]"#;
    let task = r#"{"id":0,"state":"FAILED","worker_id":"10.0.0.5:8083","trace":"boom"}"#;
    let offsets = r#"{"offsets":[{"partition":{"filename":"a"},"offset":{"position":30}}]}"#;
    api.check(&[
        ("GET", "/connectors", "", 200, r#"["c"]"#),
        ("GET", "/connectors/c", "", 200, INFO),
        (
            "GET",
            "/connectors/c/config",
            "",
            200,
            r#"{"connector.class":"FileStreamSource","name":"c"}"#,
        ),
        ("GET", "/connectors/c/status", "", 200, STATUS),
        ("GET", "/connectors/c/tasks", "", 200, tasks),
        ("GET", "/connectors/c/tasks/0/status", "", 200, task),
        (
            "GET",
            "/connectors/c/topics",
            "",
            200,
            r#"{"c":{"topics":["t"]}}"#,
        ),
        (
            "GET",
            "/connectors/other/topics",
            "",
            200,
            r#"{"other":{"topics":[]}}"#,
        ),
        ("GET", "/connectors/c/offsets", "", 200, offsets),
    ])
    .await;
}

#[tokio::test]
async fn unknown_connectors_are_404_with_the_herders_message() {
    let api = Api::new(FakeHerder::with(&["c"]));
    for (method, path, message) in [
        ("GET", "/connectors/x", "Connector x not found"),
        ("GET", "/connectors/x/config", "Connector x not found"),
        ("GET", "/connectors/x/status", "No status found for connector x"),
        ("GET", "/connectors/x/tasks", "Connector x not found"),
        (
            "GET",
            "/connectors/x/tasks/0/status",
            "No status found for task x-0",
        ),
        (
            "GET",
            "/connectors/c/tasks/7/status",
            "No status found for task c-7",
        ),
        ("GET", "/connectors/c/tasks/one/status", "HTTP 404 Not Found"),
        ("GET", "/connectors/c/tasks/-1/status", "HTTP 404 Not Found"),
        ("GET", "/connectors/c/tasks-config", "HTTP 404 Not Found"),
        ("GET", "/connectors/x/offsets", "Connector x not found"),
        ("DELETE", "/connectors/x", "Connector x not found"),
        ("PUT", "/connectors/x/pause", "Unknown connector x"),
        ("PUT", "/connectors/x/resume", "Unknown connector x"),
        ("PUT", "/connectors/x/stop", "Unknown connector x"),
        ("POST", "/connectors/x/restart", "Unknown connector x"),
        (
            "POST",
            "/connectors/x/restart?includeTasks=true",
            "Unknown connector: x",
        ),
        ("POST", "/connectors/x/tasks/0/restart", "Unknown connector x"),
    ] {
        let answer = api.send(method, path, "").await;
        assert_eq!(
            answer.json(),
            (404, error(404, message).as_str()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn expand_adds_status_and_info_by_name() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let both = format!(r#"{{"c":{{"status":{STATUS},"info":{INFO}}}}}"#);
    api.check(&[
        ("GET", "/connectors?expand=status&expand=info", "", 200, &both),
        (
            "GET",
            "/connectors?expand=info",
            "",
            200,
            &format!(r#"{{"c":{{"info":{INFO}}}}}"#),
        ),
        ("GET", "/connectors?expand=foo", "", 200, r#"{"c":{}}"#),
        ("GET", "/connectors?expand=status,info", "", 200, r#"{"c":{}}"#),
    ])
    .await;
}

#[tokio::test]
async fn a_connector_without_status_is_left_out_of_the_expanded_list() {
    let api = Api::new(FakeHerder {
        without_status: true,
        ..FakeHerder::with(&["c"])
    });
    api.check(&[
        ("GET", "/connectors?expand=status&expand=info", "", 200, "{}"),
        (
            "GET",
            "/connectors?expand=info",
            "",
            200,
            &format!(r#"{{"c":{{"info":{INFO}}}}}"#),
        ),
    ])
    .await;
}

#[tokio::test]
async fn create_answers_201_with_the_location_as_the_client_addressed_it() {
    let api = Api::new(FakeHerder::default());
    let body = r#"{"name":" a/b ","config":{"connector.class":"X","tasks.max":1},"initial_state":"paused"}"#;
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("host", "example.org:8083"),
    ];
    let answer = api.send_with("POST", "/connectors", &headers, body).await;
    let expected = r#"{"name":"a/b","config":{"connector.class":"X","name":"a/b","tasks.max":"1"},"tasks":[],"type":"source"}"#;
    assert_eq!(answer.json(), (201, expected));
    assert_eq!(
        answer.header("location"),
        "http://example.org:8083/connectors/a%2Fb"
    );
    assert_eq!(api.herder.calls(), ["put a/b Some(Paused) replace=false"]);
    let again = api.send("POST", "/connectors", body).await;
    assert_eq!(
        again.json(),
        (409, error(409, "Connector a/b already exists").as_str())
    );
    let found = api.send("GET", "/connectors/a%2Fb/config", "").await;
    assert_eq!(found.status, 200, "{found:?}");
}

#[tokio::test]
async fn put_config_creates_with_201_and_replaces_with_200() {
    let api = Api::new(FakeHerder::default());
    let created = api
        .send("PUT", "/connectors/c/config", r#"{"connector.class":"X"}"#)
        .await;
    let expected = r#"{"name":"c","config":{"connector.class":"X","name":"c"},"tasks":[],"type":"source"}"#;
    assert_eq!(created.json(), (201, expected));
    assert_eq!(created.header("location"), "/connectors/c", "no host was given");
    let replaced = api
        .send(
            "PUT",
            "/connectors/c/config",
            r#"{"connector.class":"X","name":"c"}"#,
        )
        .await;
    assert_eq!(replaced.json(), (200, expected));
    assert_eq!(replaced.header("location"), "");
    assert_eq!(
        api.herder.calls(),
        ["put c None replace=true", "put c None replace=true"]
    );
}

#[tokio::test]
async fn the_name_in_a_configuration_must_fit_the_path() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let mismatch = error(
        400,
        "Connector name configuration (x) doesn't match connector name in the URL (c)",
    );
    let removal = error(400, "`name` cannot be removed: leave it out of the patch");
    api.check(&[
        (
            "POST",
            "/connectors",
            r#"{"name":"c","config":{"name":"x"}}"#,
            400,
            &mismatch,
        ),
        ("PUT", "/connectors/c/config", r#"{"name":"x"}"#, 400, &mismatch),
        ("PATCH", "/connectors/c/config", r#"{"name":"x"}"#, 400, &mismatch),
        ("PATCH", "/connectors/c/config", r#"{"name":null}"#, 400, &removal),
    ])
    .await;
    assert_eq!(api.herder.calls(), [""; 0]);
}

#[tokio::test]
async fn a_configuration_without_class_is_refused_and_its_secrets_stay_hidden() {
    let api = Api::new(FakeHerder::default());
    let message = error(
        400,
        "Connector config {db.password=[hidden], file=a.txt, name=c} contains no connector type",
    );
    let validated = error(
        400,
        "Connector config {db.password=[hidden], file=a.txt} contains no connector type",
    );
    let config = r#"{"file":"a.txt","db.password":"hunter2"}"#;
    api.check(&[
        (
            "POST",
            "/connectors",
            &format!(r#"{{"name":"c","config":{config}}}"#),
            400,
            &message,
        ),
        ("PUT", "/connectors/c/config", config, 400, &message),
        (
            "PUT",
            "/connector-plugins/X/config/validate",
            config,
            400,
            &validated,
        ),
    ])
    .await;
}

#[tokio::test]
async fn patch_passes_values_and_removals_on() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let answer = api
        .send("PATCH", "/connectors/c/config", r#"{"a":1,"b":null,"name":"c"}"#)
        .await;
    assert_eq!(answer.json(), (200, INFO));
    assert_eq!(
        api.herder.calls(),
        [r#"patch c {"a": Some("1"), "b": None, "name": Some("c")}"#]
    );
    let answer = api.send("PATCH", "/connectors/x/config", "{}").await;
    assert_eq!(answer.json(), (404, error(404, "Connector x not found").as_str()));
}

#[tokio::test]
async fn life_cycle_requests_answer_with_their_own_statuses_and_no_body() {
    let api = Api::new(FakeHerder::with(&["c"]));
    api.check(&[
        ("PUT", "/connectors/c/pause", "", 202, ""),
        ("PUT", "/connectors/c/resume", "", 202, ""),
        ("PUT", "/connectors/c/stop", "", 204, ""),
        ("POST", "/connectors/c/restart", "", 204, ""),
        (
            "POST",
            "/connectors/c/restart?includeTasks=yes&onlyFailed=1",
            "",
            204,
            "",
        ),
        ("POST", "/connectors/c/tasks/0/restart", "", 204, ""),
        ("PUT", "/connectors/c/topics/reset", "", 202, ""),
        ("DELETE", "/connectors/c", "", 204, ""),
    ])
    .await;
    assert_eq!(
        api.herder.calls(),
        [
            "pause c",
            "resume c",
            "stop c",
            "restart c",
            "restart c",
            "restart task c",
            "reset topics c",
            "delete c"
        ]
    );
}

#[tokio::test]
async fn a_flagged_restart_answers_202_with_the_status() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let status = STATUS.replace("RUNNING", "RESTARTING");
    api.check(&[
        (
            "POST",
            "/connectors/c/restart?includeTasks=TRUE",
            "",
            202,
            &status,
        ),
        (
            "POST",
            "/connectors/c/restart?onlyFailed=true&forward=false",
            "",
            202,
            &status,
        ),
        (
            "POST",
            "/connectors/c/restart?includeTasks=true&onlyFailed=true",
            "",
            202,
            &status,
        ),
    ])
    .await;
    assert_eq!(
        api.herder.calls(),
        [
            "restart c tasks=true failed=false",
            "restart c tasks=false failed=true",
            "restart c tasks=true failed=true"
        ]
    );
}

#[tokio::test]
async fn offsets_are_altered_and_reset() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let change = r#"{"offsets":[{"partition":{"filename":"a"},"offset":{"position":1}},{"partition":{},"offset":null}]}"#;
    let missing = error(
        400,
        "Partitions / offsets need to be provided for an alter offsets request",
    );
    api.check(&[
        (
            "PATCH",
            "/connectors/c/offsets",
            change,
            200,
            r#"{"message":"altered"}"#,
        ),
        (
            "DELETE",
            "/connectors/c/offsets",
            "",
            200,
            r#"{"message":"reset"}"#,
        ),
        ("PATCH", "/connectors/c/offsets", "{}", 400, &missing),
    ])
    .await;
    assert_eq!(api.herder.calls(), ["alter c 2", "reset c"]);
}

#[tokio::test]
async fn topics_are_403_when_tracking_is_off() {
    let api = Api::new(FakeHerder {
        without_topics: true,
        ..FakeHerder::with(&["c"])
    });
    let off = error(403, "Topic tracking is disabled.");
    api.check(&[
        ("GET", "/connectors/c/topics", "", 403, &off),
        ("PUT", "/connectors/c/topics/reset", "", 403, &off),
    ])
    .await;
}

/// Every request that waits for the herder.
const CHANGES: [(&str, &str, &str); 15] = [
    (
        "POST",
        "/connectors",
        r#"{"name":"n","config":{"connector.class":"X"}}"#,
    ),
    ("PUT", "/connectors/c/config", r#"{"connector.class":"X"}"#),
    ("PATCH", "/connectors/c/config", "{}"),
    ("DELETE", "/connectors/c", ""),
    ("PUT", "/connectors/c/pause", ""),
    ("PUT", "/connectors/c/resume", ""),
    ("PUT", "/connectors/c/stop", ""),
    ("POST", "/connectors/c/restart", ""),
    ("POST", "/connectors/c/restart?includeTasks=true", ""),
    ("POST", "/connectors/c/tasks/0/restart", ""),
    ("GET", "/connectors/c/offsets", ""),
    ("PATCH", "/connectors/c/offsets", r#"{"offsets":[{}]}"#),
    ("DELETE", "/connectors/c/offsets", ""),
    ("GET", "/connector-plugins/FileStreamSource/config", ""),
    (
        "PUT",
        "/connector-plugins/X/config/validate",
        r#"{"connector.class":"X"}"#,
    ),
];

#[tokio::test]
async fn the_kind_of_a_failure_decides_the_status() {
    for (failure, status) in [
        (HerderError::BadRequest("m".into()), 400),
        (HerderError::Forbidden("m".into()), 403),
        (HerderError::NotFound("m".into()), 404),
        (HerderError::Conflict("m".into()), 409),
        (HerderError::Internal("m".into()), 500),
        (HerderError::ShuttingDown("m".into()), 503),
    ] {
        let api = Api::new(FakeHerder {
            fails: Some(failure),
            ..FakeHerder::with(&["c"])
        });
        for (method, path, body) in CHANGES {
            let answer = api.send(method, path, body).await;
            assert_eq!(
                answer.json(),
                (status, error(status, "m").as_str()),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_change_that_takes_too_long_is_500_with_what_the_worker_is_doing() {
    let stage = Stage {
        description: "stopping connector X".into(),
        started: 0,
        completed: None,
    };
    let api = Api::new(FakeHerder {
        hangs: true,
        stage: Some(stage),
        ..FakeHerder::with(&["c"])
    });
    let expected = error(
        500,
        "Request timed out. The worker is currently stopping connector X, which began at 1970-01-01T00:00:00Z.",
    );
    for (method, path, body) in CHANGES {
        assert_eq!(
            api.send(method, path, body).await.json(),
            (500, expected.as_str()),
            "{method} {path}"
        );
    }
    let silent = Api::new(FakeHerder {
        hangs: true,
        ..FakeHerder::with(&["c"])
    });
    let answer = silent.send("PUT", "/connectors/c/stop", "").await;
    assert_eq!(answer.json(), (500, error(500, "Request timed out").as_str()));
}

#[tokio::test]
async fn reads_do_not_wait_for_changes() {
    let api = Api::new(FakeHerder {
        hangs: true,
        ..FakeHerder::with(&["c"])
    });
    let stuck = api.send("PUT", "/connectors/c/stop", "");
    tokio::pin!(stuck);
    // started, and left waiting
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(stuck.as_mut().poll(cx).is_pending())).await);
    for path in [
        "/",
        "/connectors",
        "/connectors?expand=status&expand=info",
        "/connectors/c",
        "/connectors/c/config",
        "/connectors/c/status",
        "/connectors/c/tasks",
        "/connectors/c/tasks/0/status",
        "/connectors/c/topics",
        "/connector-plugins",
        "/admin/loggers",
    ] {
        // ready when first asked: nothing was waited for
        let read = api.send("GET", path, "");
        tokio::pin!(read);
        match std::future::poll_fn(|cx| std::task::Poll::Ready(read.as_mut().poll(cx))).await {
            std::task::Poll::Ready(answer) => assert_eq!(answer.status, 200, "{path}"),
            std::task::Poll::Pending => panic!("{path} waited"),
        }
    }
    assert_eq!(stuck.await.status, 500);
}

#[tokio::test]
async fn endpoints_between_workers_are_refused() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let refusal =
        "Kafka Connect in standalone mode does not support setting task configurations from outside";
    let answer = api
        .send_with(
            "POST",
            "/connectors/c/tasks",
            &[("content-type", "text/plain")],
            "[]",
        )
        .await;
    assert_eq!(answer.json(), (403, error(403, refusal).as_str()));
    let refusal = "Kafka Connect in standalone mode does not support fencing zombie source tasks";
    assert_eq!(
        api.send("PUT", "/connectors/c/fence", "").await.json(),
        (403, error(403, refusal).as_str())
    );
}
