//! Requests from worker to worker: one connection for each, plain HTTP/1.1.
//!
//! A worker speaks to the leader a few times a minute at most, so connections are not kept.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use tokio::net::TcpStream;

/// Upstream's workers call themselves so.
const AGENT: &str = "kafka-connect";
/// No answer of a worker is larger.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How many bytes a message shows of an answer that is none of a worker.
const SHOWN_ANSWER: usize = 120;
/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything but RFC 3986's unreserved characters: what is encoded in a segment of a path, such as a connector's name.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as one segment of a URL's path.
pub fn path_segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// What another worker is asked.
#[derive(Debug, Clone)]
pub struct WorkerRequest {
    /// `GET`, `PUT` and so on.
    pub method: Method,
    /// Where, with path and query.
    pub url: String,
    /// Beside those that every request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; none is an empty one.
    pub body: Bytes,
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerAnswer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// `Location`.
    pub location: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
}

/// Why another worker has not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It can never be asked by this worker, as things are set.
    #[error("the worker at {url} cannot be asked: {reason}")]
    Unusable {
        /// What was to be asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// It was not reached: nothing was asked of it.
    #[error("the worker at {url} cannot be asked: {reason}")]
    Unreachable {
        /// What was to be asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// It was asked, and whether it has done anything is not known.
    #[error(
        "the worker at {url} was asked, but {reason}; it is not known whether the request was carried out"
    )]
    NoAnswer {
        /// What was asked.
        url: String,
        /// What came instead.
        reason: String,
    },
    /// Something else answered at its address, and whether it or a worker behind it has done anything is not known.
    #[error(
        "what answers at {url} is no Connect worker, or stands before one: {answer}; check what listens there, and \
         rest.advertised.host.name, rest.advertised.port and rest.advertised.listener of the worker that it should be; it is not \
         known whether the request was carried out"
    )]
    NotAWorker {
        /// What was asked.
        url: String,
        /// What came.
        answer: String,
    },
}

/// Asks another worker.
///
/// # Errors
/// When there is no answer within `timeout`, or none that can be read.
pub async fn ask(request: WorkerRequest, timeout: Duration) -> Result<WorkerAnswer, AskError> {
    let url = request.url.clone();
    match tokio::time::timeout(timeout, exchange(request)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(AskError::NoAnswer {
            url,
            reason: format!("did not answer within {} s", timeout.as_secs()),
        }),
    }
}

async fn exchange(request: WorkerRequest) -> Result<WorkerAnswer, AskError> {
    let (url, uri) = (request.url.clone(), request.url.parse::<Uri>());
    let unreachable = |reason: String| AskError::Unreachable {
        url: url.clone(),
        reason,
    };
    let unusable = |reason: &str| AskError::Unusable {
        url: url.clone(),
        reason: reason.to_owned(),
    };
    let not_a_worker = |answer: String| AskError::NotAWorker {
        url: url.clone(),
        answer,
    };
    let lost = |error: hyper::Error| {
        if error.is_parse() {
            return not_a_worker(format!("it does not speak HTTP ({error})"));
        }
        AskError::NoAnswer {
            url: url.clone(),
            reason: format!("its connection was lost: {error}"),
        }
    };
    let uri = uri.map_err(|error| unusable(&error.to_string()))?;
    if uri.scheme_str() != Some("http") {
        return Err(unusable(
            "this build speaks http only; let the workers of the group listen on http, behind a proxy",
        ));
    }
    let host = uri.host().ok_or_else(|| unusable("the URL names no host"))?;
    let port = uri.port_u16().unwrap_or(80);
    let address = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((address, port)));
    let stream = match connected.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => {
            return Err(unreachable(format!(
                "no connection within {} s",
                CONNECT_TIMEOUT.as_secs()
            )));
        }
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    // It ends with the exchange; what goes wrong shows there.
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut message = Request::builder()
        .method(request.method)
        .uri(path)
        .header(HOST, format!("{host}:{port}"))
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "application/json");
    if !request.body.is_empty() {
        message = message.header(CONTENT_TYPE, "application/json");
    }
    for (name, value) in request.headers {
        message = message.header(name, value);
    }
    let message = message
        .body(Full::new(request.body))
        .map_err(|error| unusable(&error.to_string()))?;
    let answer = sender.send_request(message).await.map_err(lost)?;
    let header = |name| answer.headers().get(name).cloned();
    let (status, content_type, location) = (
        answer.status(),
        header(CONTENT_TYPE),
        header(hyper::header::LOCATION),
    );
    let body = Limited::new(answer.into_body(), LONGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| AskError::NoAnswer {
            url: url.clone(),
            reason: format!("its answer cannot be read: {error}"),
        })?
        .to_bytes();
    connection.abort();
    let answer = WorkerAnswer {
        status,
        content_type,
        location,
        body,
    };
    if answer.is_of_a_worker() {
        Ok(answer)
    } else {
        Err(not_a_worker(answer.summary()))
    }
}

impl WorkerAnswer {
    /// Whether a worker may have said this: JSON or nothing on success, and what went wrong in the form of Connect otherwise, unless who
    /// asks is not let in, which an extension says in its own words.
    fn is_of_a_worker(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Failure {
            #[serde(rename = "error_code")]
            _code: i64,
        }
        if self.status == StatusCode::UNAUTHORIZED {
            true
        } else if self.status.is_success() {
            self.body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok()
        } else {
            let is_failure = self.status.is_client_error() || self.status.is_server_error();
            is_failure && serde_json::from_slice::<Failure>(&self.body).is_ok()
        }
    }

    /// What to show of an answer that nobody expected.
    fn summary(&self) -> String {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut summary = format!("it said {}", self.status);
        if let Some(location) = &self.location {
            summary += &format!(", to {}", text(location));
        }
        if let Some(content_type) = &self.content_type {
            summary += &format!(", with {}", text(content_type));
        }
        let start = &self.body[..self.body.len().min(SHOWN_ANSWER)];
        let shown = String::from_utf8_lossy(start);
        let words: Vec<&str> = shown
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            summary
        } else {
            format!("{summary}: `{}`", words.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn request(url: String) -> WorkerRequest {
        WorkerRequest {
            method: Method::PUT,
            url,
            headers: vec![(HeaderName::from_static("x-a"), HeaderValue::from_static("b"))],
            body: Bytes::from_static(b"[]"),
        }
    }

    #[tokio::test]
    async fn what_is_asked_arrives_whole_and_the_answer_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"\r\n\r\n[]") {
                let mut part = [0; 1024];
                let read = stream.read(&mut part).await.unwrap();
                got.extend_from_slice(&part[..read]);
            }
            let answer = "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(got).unwrap()
        });
        let answer = ask(
            request(format!("http://{address}/connectors/a%2Fb?forward=true")),
            CONNECT_TIMEOUT,
        )
        .await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.body, "{}");
        assert_eq!(answer.location.unwrap(), "/x");
        let got = server.await.unwrap().to_ascii_lowercase();
        assert!(
            got.starts_with("put /connectors/a%2fb?forward=true http/1.1\r\n"),
            "{got}"
        );
        for line in [
            "x-a: b",
            "accept: application/json",
            "user-agent: kafka-connect",
            "content-length: 2",
        ] {
            assert!(got.contains(line), "{line} is not in {got}");
        }
    }

    #[tokio::test]
    async fn a_worker_that_cannot_be_asked_is_named_with_the_reason() {
        for (url, reason, passes) in [
            ("http://127.0.0.1:1/", "refused", true),
            ("https://127.0.0.1:1/", "http only", false),
            ("worker:8083/", "invalid format", false),
        ] {
            let error = ask(request(url.to_owned()), CONNECT_TIMEOUT).await.unwrap_err();
            assert_eq!(matches!(error, AskError::Unreachable { .. }), passes, "{error}");
            let error = error.to_string();
            assert!(error.contains(url) && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn answers_of_workers_are_told_from_those_of_others() {
        let html = "<html>\n<h1>Not\x07here</h1>\r\n";
        for (status, body, is_of_a_worker) in [
            (200, r#"{"name":"a"}"#, true),
            (204, "", true),
            (202, "", true),
            (
                404,
                r#"{"error_code":404,"message":"Connector a not found"}"#,
                true,
            ),
            (500, r#"{"error_code":500,"message":null}"#, true),
            (401, "User cannot access the resource.", true),
            (200, html, false),
            (404, html, false),
            (404, "", false),
            (404, r#"{"error":"no such page"}"#, false),
            (502, r#"["bad gateway"]"#, false),
            (302, "", false),
            (302, r#"{"error_code":302,"message":""}"#, false),
        ] {
            let answer = WorkerAnswer {
                status: StatusCode::from_u16(status).unwrap(),
                content_type: None,
                location: None,
                body: Bytes::from_static(body.as_bytes()),
            };
            assert_eq!(answer.is_of_a_worker(), is_of_a_worker, "{status} {body}");
        }
        let answer = WorkerAnswer {
            status: StatusCode::FOUND,
            content_type: Some(HeaderValue::from_static("text/html")),
            location: Some(HeaderValue::from_static("/login")),
            body: html.into(),
        };
        assert_eq!(
            answer.summary(),
            "it said 302 Found, to /login, with text/html: `<html> <h1>Not here</h1>`"
        );
    }

    #[tokio::test]
    async fn what_speaks_another_protocol_is_no_worker() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/connectors", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
        });
        let error = ask(request(url.clone()), CONNECT_TIMEOUT).await.unwrap_err();
        assert!(matches!(error, AskError::NotAWorker { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(&url) && error.contains("does not speak HTTP"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_worker_that_is_lost_after_it_was_asked_is_told_from_one_that_was_not_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/connectors", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut part = [0; 16];
            stream.read_exact(&mut part).await.unwrap();
        });
        let error = ask(request(url.clone()), CONNECT_TIMEOUT).await.unwrap_err();
        assert!(matches!(error, AskError::NoAnswer { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(&url) && error.contains("not known whether"),
            "{error}"
        );
    }
}
