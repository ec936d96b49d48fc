//! What the workers of a group say of themselves over REST.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::herder::ClusterInfo;
use crate::http_client::{WorkerRequest, ask};

/// For one request to a worker.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What only a Wharf worker calls its API.
const TITLE: &str = "Wharf REST API";

/// Whose worker it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerKind {
    /// One of this project.
    Wharf,
    /// Kafka's own.
    Jvm,
}

/// What a worker says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Nothing when it did not say.
    pub(super) kind: Option<WorkerKind>,
    pub(super) version: Option<String>,
    /// What it knows of its group; only Wharf workers say, and only where their admin resources are served.
    pub(super) cluster: Option<ClusterInfo>,
    /// Why it cannot be asked at all.
    pub(super) silent: Option<String>,
}

/// Asks all workers at the same time. By URL.
pub(super) fn ask_all(urls: impl IntoIterator<Item = String>) -> BTreeMap<String, Said> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return BTreeMap::new();
    };
    runtime.block_on(async {
        let mut asked = JoinSet::new();
        for url in urls {
            asked.spawn(async move { (url.clone(), ask_one(&url).await) });
        }
        asked.join_all().await.into_iter().collect()
    })
}

async fn ask_one(url: &str) -> Said {
    let mut said = Said::default();
    if !url.starts_with("http://") {
        // This build does not speak it, which says nothing of the worker.
        return said;
    }
    match get(url, "").await {
        Ok((_, body)) => {
            said.version = body["version"].as_str().map(str::to_owned);
        }
        Err(reason) => {
            said.silent = Some(reason);
            return said;
        }
    }
    if let Ok((StatusCode::OK, body)) = get(url, "admin/cluster").await
        && let Ok(cluster) = serde_json::from_value(body)
    {
        said.kind = Some(WorkerKind::Wharf);
        said.cluster = Some(cluster);
        return said;
    }
    // A JVM worker, or one whose admin resources are elsewhere.
    said.kind = match get(url, "openapi.json").await {
        Ok((StatusCode::OK, body)) if body["info"]["title"] == TITLE => Some(WorkerKind::Wharf),
        Ok((StatusCode::NOT_FOUND, _)) => Some(WorkerKind::Jvm),
        _ => None,
    };
    said
}

async fn get(worker: &str, path: &str) -> Result<(StatusCode, Value), String> {
    let request = WorkerRequest {
        method: Method::GET,
        url: format!("{}/{path}", worker.trim_end_matches('/')),
        headers: Vec::new(),
        body: Default::default(),
    };
    let answer = ask(request, TIMEOUT).await.map_err(|error| error.to_string())?;
    Ok((
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A worker that answers these paths with these bodies and everything else with 404.
    fn worker(answers: &'static [(&'static str, &'static str)]) -> String {
        fn answer(mut stream: TcpStream, answers: &[(&str, &str)]) {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut part = [0; 512];
                match stream.read(&mut part) {
                    Ok(read) if read > 0 => asked.extend_from_slice(&part[..read]),
                    _ => return,
                }
            }
            let asked = String::from_utf8_lossy(&asked).into_owned();
            let found = answers
                .iter()
                .find(|(path, _)| asked.starts_with(&format!("GET {path} ")));
            let missing = r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#;
            let (status, body) = found.map_or(("404 Not Found", missing), |(_, body)| ("200 OK", *body));
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                answer(stream, answers);
            }
        });
        url
    }

    #[test]
    fn workers_are_told_apart_by_what_they_serve() {
        let wharf = worker(&[
            ("/", r#"{"version":"0.1.0"}"#),
            (
                "/admin/cluster",
                r#"{"group_id":"g","worker_id":"w:1","url":"http://w:1/","generation":3,"protocol":"sessioned",
                "leader_url":null,"is_leader":false,"is_rebalancing":false,"config_offset":5,"topics":[]}"#,
            ),
        ]);
        let hidden = worker(&[
            ("/", r#"{"version":"0.1.0"}"#),
            ("/openapi.json", r#"{"info":{"title":"Wharf REST API"}}"#),
        ]);
        let jvm = worker(&[("/", r#"{"version":"4.3.0"}"#)]);
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let gone = format!("http://{gone}/");
        let said = ask_all([&wharf, &hidden, &jvm, &gone].map(Clone::clone));
        assert_eq!(said[&wharf].cluster.as_ref().unwrap().generation, 3);
        let kinds = [&wharf, &hidden, &jvm, &gone].map(|url| said[url].kind);
        assert_eq!(
            kinds,
            [
                Some(WorkerKind::Wharf),
                Some(WorkerKind::Wharf),
                Some(WorkerKind::Jvm),
                None
            ]
        );
        assert_eq!(said[&jvm].version.as_deref(), Some("4.3.0"));
        assert!(said[&hidden].cluster.is_none() && said[&hidden].silent.is_none());
        assert!(
            said[&gone].silent.as_ref().unwrap().contains(&gone),
            "{:?}",
            said[&gone]
        );
    }
}
