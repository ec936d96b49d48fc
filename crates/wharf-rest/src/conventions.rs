//! What holds for every request, known path or not: a trailing slash is tolerated, OPTIONS lists the methods, bare
//! refusals get the JSON shape, and one line goes to the request log.

use std::time::Instant;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower::Layer;

use crate::error::ApiError;
use crate::request_log;

/// Puts the conventions around routes. They have to see the request before routing, so the routes become the fallback of
/// an otherwise empty router.
pub(crate) fn around(routes: Router) -> Router {
    Router::new().fallback_service(middleware::from_fn(apply).layer(routes))
}

async fn apply(mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let line = request_log::Entry::of(
        &request,
        request.extensions().get::<ConnectInfo<_>>().map(|info| info.0),
    );
    let method = request.method().clone();
    if let Some(uri) = without_trailing_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    let response = if has_broken_escape(request.uri().path()) {
        let path = request.uri().path();
        ApiError::bad_request(format!(
            "the path {path} has a % that two hexadecimal digits do not follow: write %25 for a percent sign"
        ))
        .into_response()
    } else {
        dressed(&method, next.run(request).await)
    };
    line.write(&response, start.elapsed());
    response
}

fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let mut parts = uri.clone().into_parts();
    let path_and_query = match uri.query() {
        None => path.to_owned(),
        Some(query) => format!("{path}?{query}"),
    };
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The router would take such a `%` for a part of the name.
fn has_broken_escape(path: &str) -> bool {
    path.split('%').skip(1).any(|after| {
        let digits = after.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Turns the router's own bare answers into Connect's.
fn dressed(method: &Method, response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED
        || response.headers().contains_key(header::CONTENT_TYPE)
    {
        return response;
    }
    let allow = response
        .headers()
        .get(header::ALLOW)
        .and_then(|allow| allow.to_str().ok())
        .unwrap_or_default();
    let allow = format!("{allow},OPTIONS");
    let mut dressed = if method == Method::OPTIONS {
        (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "text/plain")],
            allow.replace(',', ", "),
        )
            .into_response()
    } else {
        ApiError::of_status(StatusCode::METHOD_NOT_ALLOWED).into_response()
    };
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        dressed.headers_mut().insert(header::ALLOW, allow);
    }
    dressed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_needs_two_hexadecimal_digits() {
        let cases = [
            ("/connectors/a%2Fb", false),
            ("/%25", false),
            ("/plain", false),
            ("/%zz", true),
            ("/a%2", true),
            ("/%", true),
            ("/%25%", true),
        ];
        for (path, broken) in cases {
            assert_eq!(has_broken_escape(path), broken, "{path}");
        }
    }

    #[test]
    fn one_trailing_slash_is_dropped_and_the_query_kept() {
        let cases = [
            ("/", None),
            ("/connectors", None),
            ("/connectors/", Some("/connectors")),
            ("/connectors/?expand=info", Some("/connectors?expand=info")),
            ("/connectors/a%2F", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(
                without_trailing_slash(&uri.parse().unwrap()).map(|uri| uri.to_string()),
                expected.map(str::to_owned),
                "{uri}"
            );
        }
    }
}
