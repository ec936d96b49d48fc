//! The server on real sockets of this machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wharf_runtime::config::{AdminListeners, Listener, RestConfig};

use super::{FakeHerder, SHORT};
use crate::{BoundServer, RestError, Timeouts, local_host};

fn listeners(texts: &[&str]) -> Vec<Listener> {
    texts.iter().map(|text| Listener::parse(text).unwrap()).collect()
}

pub(crate) fn config(main: &[&str], admin_listeners: AdminListeners) -> RestConfig {
    RestConfig {
        listeners: listeners(main),
        admin_listeners,
        advertised_host: None,
        advertised_port: None,
        advertised_scheme: None,
        cross_origin: None,
        response_headers: Vec::new(),
    }
}

/// The status line of an answer.
async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn several_listeners_and_separate_admin_listeners_are_served() {
    let admin = AdminListeners::Separate(listeners(&["http://127.0.0.1:0"]));
    let bound = BoundServer::bind(config(&["http://127.0.0.1:0", "HTTP://localhost:0"], admin))
        .await
        .unwrap();
    let (main, admin) = (bound.addresses(), bound.admin_addresses());
    assert_eq!(bound.worker_id(), format!("127.0.0.1:{}", main[0].port()));
    assert_eq!(
        bound.advertised_url(),
        format!("http://127.0.0.1:{}/", main[0].port())
    );
    let running = bound.serve(Arc::new(FakeHerder::default()), SHORT);
    for address in &main {
        assert_eq!(get(*address, "/connectors").await, "HTTP/1.1 200 OK");
        assert_eq!(get(*address, "/admin/loggers").await, "HTTP/1.1 404 Not Found");
    }
    assert_eq!(get(admin[0], "/admin/loggers").await, "HTTP/1.1 200 OK");
    assert_eq!(get(admin[0], "/connectors").await, "HTTP/1.1 404 Not Found");
    assert!(running.stop(Duration::from_secs(10)).await);
    assert!(TcpStream::connect(main[0]).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn without_a_host_the_workers_id_names_an_address_of_this_machine() {
    let bound = BoundServer::bind(config(&["http://:0"], AdminListeners::Off))
        .await
        .unwrap();
    let port = bound.addresses()[0].port();
    assert_ne!(port, 0);
    assert_eq!(bound.worker_id(), format!("{}:{port}", local_host()));
    let running = bound.serve(Arc::new(FakeHerder::default()), SHORT);
    assert_eq!(get(([127, 0, 0, 1], port).into(), "/").await, "HTTP/1.1 200 OK");
    assert_eq!(
        get(([127, 0, 0, 1], port).into(), "/admin/loggers").await,
        "HTTP/1.1 404 Not Found"
    );
    assert!(running.stop(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn a_taken_port_and_https_are_named() {
    let first = BoundServer::bind(config(&["http://127.0.0.1:0"], AdminListeners::Off))
        .await
        .unwrap();
    let taken = format!("http://127.0.0.1:{}", first.addresses()[0].port());
    let error = BoundServer::bind(config(&[&taken], AdminListeners::Off))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RestError::Bind { .. }) && error.to_string().contains(&taken),
        "{error}"
    );
    let admin = AdminListeners::Separate(listeners(&["https://127.0.0.1:0"]));
    let error = BoundServer::bind(config(&["http://127.0.0.1:0"], admin))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`admin.listeners`"), "{error}");
}

#[tokio::test]
async fn what_to_do_about_an_address_depends_on_what_is_wrong_with_it() {
    // a label of a name has at most 63 characters, so nobody need be asked about this one
    let unknown = format!("http://{}:0", "x".repeat(70));
    for (listener, advice) in [
        (unknown.as_str(), "cannot be resolved"),
        ("http://192.0.2.1:0", "give an address of this machine"),
    ] {
        let error = BoundServer::bind(config(&[listener], AdminListeners::Off))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(advice) && error.contains("`listeners`") && !error.contains("free the port"),
            "{error}"
        );
    }
}

/// What comes back for these bytes, until the other side closes.
async fn exchange(request: &str, timeouts: Timeouts) -> String {
    let bound = BoundServer::bind(config(&["http://127.0.0.1:0"], AdminListeners::Off))
        .await
        .unwrap();
    let address = bound.addresses()[0];
    let running = bound.serve(Arc::new(FakeHerder::default()), timeouts);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(running.stop(Duration::from_secs(10)).await);
    answer
}

#[tokio::test]
async fn a_broken_body_is_told_from_a_large_one() {
    let head = "POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    let answer = exchange(&chunked, SHORT).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("well-formed chunks"), "{answer}");
    let large = format!("{head}Content-Length: 99999999\r\n\r\n{{");
    let answer = exchange(&large, SHORT).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_falls_silent_is_not_waited_for() {
    let timeouts = Timeouts {
        read: Duration::from_millis(20),
        ..SHORT
    };
    let body = "POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = exchange(body, timeouts).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("did not arrive within 20 ms"), "{answer}");
    for head in ["", "GET /connectors HTTP/1.1\r\nHos"] {
        let answer = exchange(head, timeouts).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{head}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_stop_waits_for_requests_under_way_but_not_for_ever() {
    let timeouts = Timeouts {
        request: Duration::from_secs(600),
        ..SHORT
    };
    let bound = BoundServer::bind(config(&["http://127.0.0.1:0"], AdminListeners::Off))
        .await
        .unwrap();
    let address = bound.addresses()[0];
    let herder = Arc::new(FakeHerder {
        hangs: true,
        ..FakeHerder::with(&["c"])
    });
    let running = bound.serve(herder.clone(), timeouts);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"PUT /connectors/c/stop HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    while herder.calls.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!running.stop(Duration::from_millis(20)).await);
}
