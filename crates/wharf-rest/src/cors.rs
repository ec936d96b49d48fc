//! What a browser is told of who may ask from other origins, as Jetty's handler tells it for upstream: headers only. A request from
//! an origin that is not allowed is answered all the same, without the headers by which its page could read the answer;
//! most requests that change something are kept away by their preflight request. Those without a body, such as a restart, need none and
//! are carried out, as upstream does.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use wharf_runtime::config::CrossOrigin;

/// Jetty's defaults, which upstream leaves alone.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("Content-Type");
const MAX_AGE: HeaderValue = HeaderValue::from_static("60");
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The headers for the answer to a request.
pub(crate) fn headers(rules: &CrossOrigin, method: &Method, request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // on every answer, because each would be another one with another origin
    headers.insert(header::VARY, ORIGIN);
    let Some(origin) = request
        .get(header::ORIGIN)
        .filter(|origin| is_allowed(rules, origin))
    else {
        return headers;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if is_preflight(method, request) {
        let methods = rules.methods();
        if let Some(methods) = HeaderValue::try_from(methods)
            .ok()
            .filter(|methods| !methods.is_empty())
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    headers
}

fn is_allowed(rules: &CrossOrigin, origin: &HeaderValue) -> bool {
    rules.allows(&String::from_utf8_lossy(origin.as_bytes()))
}

/// Whether a browser asks what it may send.
fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
    method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
