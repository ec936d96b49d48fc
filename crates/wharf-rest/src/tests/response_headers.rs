//! Headers that answers get beside their own: for other origins, and by the operator's rules.

use std::sync::Arc;

use wharf_runtime::config::StandaloneConfig;

use super::{Answer, Api, FakeHerder, SHORT};
use crate::{main_router, response_headers};

/// The API with these worker keys.
fn api(keys: &[(&str, &str)]) -> Api {
    let minimal = [
        ("bootstrap.servers", "h:1"),
        ("key.converter", "c"),
        ("value.converter", "c"),
        ("offset.storage.file.filename", "o"),
    ];
    let properties = minimal.iter().chain(keys);
    let properties = properties
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let config = StandaloneConfig::parse(&properties).unwrap();
    let herder = Arc::new(FakeHerder::default());
    let routes = main_router(herder.clone(), SHORT, true);
    Api {
        routes: response_headers::around(routes, &config.worker.rest),
        herder,
    }
}

/// All values by one name.
fn all(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter();
    values
        .map(|value| value.as_bytes().iter().map(|&byte| char::from(byte)).collect())
        .collect()
}

const ORIGIN: &str = "access.control.allow.origin";
const METHODS: &str = "access.control.allow.methods";
const RULES: &str = "response.http.headers.config";
const PREFLIGHT: (&str, &str) = ("access-control-request-method", "PUT");

#[tokio::test]
async fn an_allowed_origin_is_told_so_and_every_answer_varies() {
    let api = api(&[(ORIGIN, "http://a"), (METHODS, "GET,PUT")]);
    for (method, path, headers, allowed, methods) in [
        ("GET", "/connectors", &[][..], "", ""),
        ("GET", "/connectors", &[("origin", "http://a")], "http://a", ""),
        ("GET", "/connectors", &[("origin", "http://b")], "", ""),
        (
            "GET",
            "/connectors",
            &[("origin", "http://a"), PREFLIGHT],
            "http://a",
            "",
        ),
        ("GET", "/nothing", &[("origin", "http://a")], "http://a", ""),
        (
            "OPTIONS",
            "/connectors",
            &[("origin", "http://a")],
            "http://a",
            "",
        ),
        (
            "OPTIONS",
            "/connectors",
            &[("origin", "http://a"), PREFLIGHT],
            "http://a",
            "GET,PUT",
        ),
        (
            "OPTIONS",
            "/connectors",
            &[("origin", "http://b"), PREFLIGHT],
            "",
            "",
        ),
        ("OPTIONS", "/connectors", &[PREFLIGHT], "", ""),
    ] {
        let answer = api.send_with(method, path, headers, "").await;
        let of_preflight = if methods.is_empty() {
            ["", ""]
        } else {
            ["Content-Type", "60"]
        };
        assert_eq!(
            [
                answer.header("vary"),
                answer.header("access-control-allow-origin"),
                answer.header("access-control-allow-methods"),
                answer.header("access-control-allow-headers"),
                answer.header("access-control-max-age"),
                answer.header("access-control-allow-credentials"),
            ],
            ["Origin", allowed, methods, of_preflight[0], of_preflight[1], ""],
            "{method} {path} {headers:?}"
        );
        assert_eq!(answer.status, if path == "/nothing" { 404 } else { 200 });
    }
}

#[tokio::test]
async fn rules_come_one_after_another_and_before_the_answers_own_headers() {
    let api = api(&[
        (ORIGIN, "*"),
        (
            RULES,
            "add X-A: one, add X-A: two, set X-B: one, set X-B: \u{e9}\u{4e2d}\u{1}., add Vary: Accept, add Allow: FOO, \
             set Content-Type: text/odd, set Content-Length: 5, set Transfer-Encoding: chunked",
        ),
    ]);
    let answer = api.send("GET", "/connectors", "").await;
    for (name, values) in [
        ("x-a", &["one", "two"][..]),
        ("x-b", &["\u{e9}  ."]),
        ("vary", &["Origin", "Accept"]),
        ("allow", &["FOO"]),
        ("content-type", &["application/json"]),
        ("transfer-encoding", &[]),
    ] {
        assert_eq!(all(&answer, name), values, "{name}");
    }
    assert_ne!(answer.header("content-length"), "5");
    let answer = api.send("OPTIONS", "/connectors", "").await;
    assert_eq!(all(&answer, "allow").len(), 1);
    assert!(answer.header("allow").contains("POST"), "{answer:?}");
}

#[tokio::test]
async fn dates_are_counted_from_the_answer() {
    let api = api(&[(
        RULES,
        "setDate X-Now: 0, setDate X-Past: -9223372036854775808, addDate X-Now: 86400000",
    )]);
    let answer = api.send("GET", "/nothing", "").await;
    let [now, tomorrow] = &all(&answer, "x-now")[..] else {
        panic!("{answer:?}");
    };
    assert_ne!(now, tomorrow);
    for date in [now, tomorrow] {
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    }
    assert!(answer.header("x-past").ends_with(" GMT"), "{answer:?}");
    assert_eq!(answer.header("vary"), "", "no origin is configured");
}
