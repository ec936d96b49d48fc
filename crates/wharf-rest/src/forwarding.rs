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
//! A worker that answers 409 because the group is changing has done nothing: it is asked again, or whoever is the right one
//! by then, within the request's time. JVM workers answer so at once; one of these only where it may pass nothing on.
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

/// Between two attempts to find a worker that can be reached and does not refuse.
const RETRY: Duration = Duration::from_millis(100);
/// How long the last worker that may be asked waits until the request belongs there. Not longer, because what it waits for may
/// have gone on to another worker: the one that passed the request on finds out where.
const LAST_HOP: Duration = Duration::from_secs(2);
/// How the messages begin with which workers, JVM ones in the first place, refuse a request before they do anything, because the
/// group is changing: no leader is known, an assignment is older than the configurations, or two hops did not suffice.
const REFUSALS: [&str; 3] = [
    "Cannot complete request momentarily due to no known leader URL",
    "Cannot complete request momentarily due to stale configuration",
    MISDIRECTED,
];
const MISDIRECTED: &str =
    "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
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
    let Some(ForwardTo(mut worker)) = response.extensions().get::<ForwardTo>().cloned() else {
        return response;
    };
    let body: Bytes = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner)).into();
    let hop = next_hop(&uri);
    let time = forwarding.timeouts.request;
    let now = Instant::now();
    let give_up = now + time;
    // The rest is for the last answer: the worker that passed this on would take silence for a request that is lost.
    let last_attempt = now + hop.map_or(time.min(LAST_HOP), |_| time * 8 / 9);
    loop {
        let (answer, may_change) = match hop {
            None => (
                ApiError::new(StatusCode::CONFLICT, MISDIRECTED).into_response(),
                true,
            ),
            Some(hop) => {
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
                let may_change = has_done_nothing(&outcome);
                (handed_back(outcome, host.as_ref()), may_change)
            }
        };
        let is_over = || Instant::now() + RETRY >= last_attempt;
        if !may_change || is_over() {
            return answer;
        }
        tokio::time::sleep(RETRY).await;
        // Somebody else may be the right one by now, this worker included.
        let again = Request::from_parts(head.clone(), Body::from(body.clone()));
        let response = next.clone().run(again).await;
        match response.extensions().get::<ForwardTo>() {
            Some(_) if is_over() => return answer,
            Some(ForwardTo(other)) => worker.clone_from(other),
            None => return response,
        }
    }
}

/// Whether it is certain that another worker has left a request undone, and that it may do it another time.
fn has_done_nothing(outcome: &Result<WorkerAnswer, AskError>) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    match outcome {
        Ok(answer) if answer.status == StatusCode::CONFLICT => serde_json::from_slice(&answer.body)
            .is_ok_and(|Refusal { message }| REFUSALS.iter().any(|beginning| message.starts_with(beginning))),
        Ok(_) => false,
        Err(error) => matches!(error, AskError::Unreachable { .. }),
    }
}

/// The answer for the client.
fn handed_back(outcome: Result<WorkerAnswer, AskError>, host: Option<&HeaderValue>) -> Response {
    match outcome {
        Ok(answer) => {
            let mut response = Response::new(Body::from(answer.body));
            *response.status_mut() = answer.status;
            let headers = response.headers_mut();
            headers.extend(answer.content_type.map(|value| (header::CONTENT_TYPE, value)));
            let location = answer.location.map(|value| as_addressed(&value, host));
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
