//! What the HTTP layer does by itself: media types, methods, unknown paths, odd paths and bodies.

use super::{Api, FakeHerder, error};
use crate::body::MAX_BODY_BYTES;

#[tokio::test]
async fn unknown_paths_and_wrong_methods_have_the_json_shape() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let (unknown, wrong) = (
        error(404, "HTTP 404 Not Found"),
        error(405, "HTTP 405 Method Not Allowed"),
    );
    api.check(&[
        ("GET", "/nope", "", 404, &unknown),
        ("POST", "/connectors/c/nope", "", 404, &unknown),
        ("GET", "/connectors//status", "", 404, &unknown),
        ("DELETE", "/connectors", "", 405, &wrong),
        ("GET", "/connectors/c/restart", "", 405, &wrong),
        ("POST", "/", "", 405, &wrong),
        ("PUT", "/health", "", 405, &wrong),
    ])
    .await;
    let answer = api
        .send_with("PUT", "/connectors", &[("content-type", "text/plain")], "x")
        .await;
    assert_eq!(
        answer.json(),
        (405, wrong.as_str()),
        "the method is looked at before the media type"
    );
    assert_eq!(answer.header("allow"), "GET,HEAD,POST,OPTIONS");
}

#[tokio::test]
async fn anything_but_json_is_415() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let refusal = error(415, "HTTP 415 Unsupported Media Type");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let length = ("content-length", "2");
    for (method, path, headers, body) in [
        ("POST", "/connectors", &[form][..], "{}"),
        ("PUT", "/connectors/c/pause", &[form], ""),
        ("GET", "/connectors", &[form], ""),
        ("PUT", "/admin/loggers/a", &[form], "{}"),
        ("PUT", "/connector-plugins/X/config/validate", &[form], "{}"),
        ("POST", "/connectors", &[length], "{}"),
        (
            "POST",
            "/connectors",
            &[("content-type", "application/jsonx")],
            "{}",
        ),
    ] {
        let answer = api.send_with(method, path, headers, body).await;
        assert_eq!(answer.json(), (415, refusal.as_str()), "{method} {path}");
    }
    let answer = api
        .send_with(
            "PUT",
            "/connectors/c/pause",
            &[("content-type", "Application/JSON")],
            "",
        )
        .await;
    assert_eq!(answer.status, 202);
    for path in ["/", "/health"] {
        assert_eq!(
            api.send_with("GET", path, &[form], "").await.status,
            200,
            "{path} takes anything"
        );
    }
}

#[tokio::test]
async fn a_client_that_does_not_want_json_gets_406() {
    let api = Api::new(FakeHerder::default());
    let refusal = error(406, "HTTP 406 Not Acceptable");
    for path in [
        "/",
        "/health",
        "/connectors",
        "/connector-plugins",
        "/admin/loggers",
    ] {
        let answer = api.send_with("GET", path, &[("accept", "text/html")], "").await;
        assert_eq!(answer.json(), (406, refusal.as_str()), "{path}");
        assert_eq!(
            api.send_with("GET", path, &[("accept", "text/html, */*;q=0.1")], "")
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn head_works_where_get_does() {
    let api = Api::new(FakeHerder::with(&["c"]));
    for (path, status) in [
        ("/connectors", 200),
        ("/connectors/c/status", 200),
        ("/connectors/x", 404),
        ("/nope", 404),
    ] {
        let answer = api.send("HEAD", path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{path}");
    }
    assert_eq!(api.send("HEAD", "/connectors/c/pause", "").await.status, 405);
}

#[tokio::test]
async fn options_lists_the_methods_as_text() {
    let api = Api::new(FakeHerder::default());
    for (path, methods) in [
        ("/connectors", "GET, HEAD, POST, OPTIONS"),
        ("/connectors/any/config", "GET, HEAD, PUT, PATCH, OPTIONS"),
        ("/connectors/any/tasks", "GET, HEAD, POST, OPTIONS"),
        ("/connectors/any/pause", "PUT, OPTIONS"),
    ] {
        let answer = api.send("OPTIONS", path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, methods), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain");
        assert_eq!(answer.header("allow"), methods.replace(", ", ","));
    }
    assert_eq!(api.send("OPTIONS", "/nope", "").await.status, 404);
}

#[tokio::test]
async fn a_trailing_slash_is_tolerated() {
    let api = Api::new(FakeHerder::with(&["c"]));
    for path in [
        "/connectors/",
        "/connectors/c/",
        "/connectors/c/status/",
        "/connectors/?expand=info",
        "/health/",
    ] {
        assert_eq!(api.send("GET", path, "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn names_are_percent_decoded() {
    let api = Api::new(FakeHerder::with(&["a b", "a/b", "ü", "a+b", "100%"]));
    for path in ["a%20b", "a%2Fb", "a%2fb", "%C3%BC", "a+b", "100%25"] {
        assert_eq!(
            api.send("GET", &format!("/connectors/{path}"), "").await.status,
            200,
            "{path}"
        );
    }
    let answer = api.send("GET", "/connectors/%FF", "").await;
    let message = "the path is not UTF-8 after percent-decoding: encode names as UTF-8";
    assert_eq!(answer.json(), (400, error(400, message).as_str()));
}

#[tokio::test]
async fn unreadable_bodies_are_400_and_large_ones_413() {
    let api = Api::new(FakeHerder::with(&["c"]));
    let json = [("content-type", "application/json")];
    for (method, path) in [
        ("POST", "/connectors"),
        ("PUT", "/connectors/c/config"),
        ("PATCH", "/connectors/c/config"),
        ("PATCH", "/connectors/c/offsets"),
        ("PUT", "/connector-plugins/X/config/validate"),
        ("POST", "/connector-plugins/X/preview"),
        ("PUT", "/admin/loggers/a"),
    ] {
        for body in ["", "{", "[]", "null", "1", "\"a\""] {
            let answer = api.send_with(method, path, &json, body).await;
            assert_eq!(answer.status, 400, "{method} {path} {body:?}: {answer:?}");
            assert!(
                answer
                    .json()
                    .1
                    .starts_with(r#"{"error_code":400,"message":"the request body is "#),
                "{answer:?}"
            );
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY_BYTES));
        let answer = api.send_with(method, path, &json, &large).await;
        let message = "the request body is larger than 8388608 bytes: send a smaller one";
        assert_eq!(
            answer.json(),
            (413, error(413, message).as_str()),
            "{method} {path}"
        );
    }
    assert_eq!(api.herder.calls(), [""; 0]);
}
