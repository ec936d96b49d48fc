//! Passing a request on to the worker that can answer it: the leader, or the owner of a connector or task.
//!
//! The herder says where ([`HerderError::Elsewhere`]); the request is sent there as it came, with `forward` in its query, and the
//! answer is handed back as it is, but for its `Location`, which leads to the host that the client knows. As upstream, a request
//! is passed on twice at most (to the leader, from there to the owner), and of its headers only `Authorization`.
//!
//! A leader that cannot be reached has been asked nothing: the request waits until the group has another one, within its
//! time. One that was asked and is lost may have carried it out or not, and the answer says so as soon as another one
//! leads.
//!
//! [`HerderError::Elsewhere`]: wharf_runtime::herder::HerderError::Elsewhere

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use wharf_runtime::herder::Herder;
use wharf_runtime::http_client::{self, AskError, WorkerAnswer, WorkerRequest};

use crate::api::Timeouts;
use crate::error::ApiError;

/// Put into an answer by which a handler says that another worker has to be asked.
#[derive(Debug, Clone)]
pub(crate) struct ForwardTo(pub(crate) String);

const FORWARD: &str = "forward";

/// Puts the forwarding around routes.
pub(crate) fn around(routes: Router, forwarding: Forwarding) -> Router {
    routes.layer(from_fn_with_state(forwarding, apply))
}

/// What forwarding needs to know.
#[derive(Clone)]
pub(crate) struct Forwarding {
    pub(crate) herder: Arc<dyn Herder>,
    pub(crate) timeouts: Timeouts,
}

/// Between two attempts to find a leader that can be reached.
const RETRY: Duration = Duration::from_millis(100);
/// What an answer may take that is on its way when its worker leads no longer.
const LAST_WORDS: Duration = Duration::from_secs(1);

async fn apply(State(forwarding): State<Forwarding>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let host = request.headers().get(header::HOST).cloned();
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    // What the handler reads of the body is kept: it has read all of it when it knows where the request belongs.
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let (head, body) = request.into_parts();
    let request = Request::from_parts(
        head.clone(),
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                keep.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(data);
            }
            frame
        })),
    );
    let response = next.clone().run(request).await;
    let Some(ForwardTo(worker)) = response.extensions().get::<ForwardTo>().cloned() else {
        return response;
    };
    let Some(hop) = next_hop(&uri) else {
        return ApiError::new(
            StatusCode::CONFLICT,
            "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
        )
        .into_response();
    };
    let body: Bytes = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner)).into();
    let give_up = Instant::now() + forwarding.timeouts.request;
    let mut worker = worker;
    let outcome = loop {
        let request = WorkerRequest {
            method: method.clone(),
            url: target(&worker, &uri, hop),
            headers: authorization
                .clone()
                .map(|value| (header::AUTHORIZATION, value))
                .into_iter()
                .collect(),
            body: body.clone(),
        };
        tracing::debug!("passing a request on to {}", request.url);
        let outcome = forwarding.ask(&worker, request, give_up).await;
        if !matches!(outcome, Err(AskError::Unreachable { .. })) || Instant::now() >= give_up {
            break outcome;
        }
        tokio::time::sleep(RETRY).await;
        // Somebody else may lead by now, this worker included.
        let again = Request::from_parts(head.clone(), Body::from(body.clone()));
        let response = next.clone().run(again).await;
        match response.extensions().get::<ForwardTo>() {
            Some(ForwardTo(other)) => worker.clone_from(other),
            None => return response,
        }
    };
    match outcome {
        Ok(answer) => {
            let mut response = Response::new(Body::from(answer.body));
            *response.status_mut() = answer.status;
            let headers = response.headers_mut();
            headers.extend(answer.content_type.map(|value| (header::CONTENT_TYPE, value)));
            let location = answer.location.map(|value| as_addressed(&value, host.as_ref()));
            headers.extend(location.map(|value| (header::LOCATION, value)));
            response
        }
        Err(reason) => ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("IO Error trying to forward REST request: {reason}"),
        )
        .into_response(),
    }
}

impl Forwarding {
    /// Asks another worker, no longer than it leads if it does.
    async fn ask(
        &self,
        worker: &str,
        request: WorkerRequest,
        give_up: Instant,
    ) -> Result<WorkerAnswer, AskError> {
        let url = request.url.clone();
        let left = give_up.saturating_duration_since(Instant::now());
        let answer = http_client::ask(request, left);
        let Some(lost) = self.herder.leader_lost(worker) else {
            return answer.await;
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            _ = lost => match tokio::time::timeout(LAST_WORDS, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(AskError::NoAnswer {
                    url,
                    reason: "it leads the group no longer".to_owned(),
                }),
            },
        }
    }
}

/// The other worker's `Location` with the host as the client addressed it.
fn as_addressed(location: &HeaderValue, host: Option<&HeaderValue>) -> HeaderValue {
    let rewritten = || {
        let uri: Uri = location.to_str().ok()?.parse().ok()?;
        let host = host?.to_str().ok()?;
        HeaderValue::try_from(format!("http://{host}{}", uri.path_and_query()?)).ok()
    };
    rewritten().unwrap_or_else(|| location.clone())
}

/// What `forward` says to the next worker; nothing when this one is the last that may be asked.
fn next_hop(uri: &Uri) -> Option<&'static str> {
    let said = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|part| part.strip_prefix(FORWARD)?.strip_prefix('='));
    match said {
        None => Some("true"),
        Some(text) if text.eq_ignore_ascii_case("true") => Some("false"),
        Some(_) => None,
    }
}

fn target(worker: &str, uri: &Uri, hop: &str) -> String {
    let mut url = format!("{}{}?", worker.trim_end_matches('/'), uri.path());
    for part in uri.query().unwrap_or_default().split('&') {
        if !part.is_empty() && part.split('=').next() != Some(FORWARD) {
            url.push_str(part);
            url.push('&');
        }
    }
    url.push_str(FORWARD);
    url.push('=');
    url.push_str(hop);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_to_the_host_that_the_client_asked() {
        let host = HeaderValue::from_static("proxy:80");
        for (location, host, expected) in [
            (
                "http://leader:8083/connectors/a%2Fb",
                Some(&host),
                "http://proxy:80/connectors/a%2Fb",
            ),
            ("/connectors/a", Some(&host), "http://proxy:80/connectors/a"),
            (
                "http://leader:8083/connectors/a",
                None,
                "http://leader:8083/connectors/a",
            ),
        ] {
            assert_eq!(
                as_addressed(&HeaderValue::from_static(location), host),
                expected,
                "{location}"
            );
        }
    }

    #[test]
    fn a_request_is_passed_on_twice_and_not_again() {
        for (uri, hop, url) in [
            ("/connectors", Some("true"), "http://w:1/connectors?forward=true"),
            (
                "/connectors/a%2Fb/restart?includeTasks=true&forward=true",
                Some("false"),
                "http://w:1/connectors/a%2Fb/restart?includeTasks=true&forward=false",
            ),
            ("/connectors?forward=false", None, ""),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(next_hop(&uri), hop, "{uri}");
            if let Some(hop) = hop {
                assert_eq!(target("http://w:1/", &uri, hop), url);
            }
        }
    }
}
