//! The rules on `Content-Type` and `Accept`, which JAX-RS gives upstream: 415 for anything but JSON, 406 for a client
//! that does not want JSON.

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// For resources that take JSON only: whatever has a body, or states a content type, must be JSON.
pub(crate) async fn json_only(request: Request, next: Next) -> Response {
    let acceptable = match request.headers().get(header::CONTENT_TYPE) {
        Some(value) => value
            .to_str()
            .is_ok_and(|value| essence(value).eq_ignore_ascii_case("application/json")),
        None => request.body().is_end_stream(),
    };
    if !acceptable {
        return ApiError::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    accepts_json(request, next).await
}

/// For resources that answer with JSON.
pub(crate) async fn accepts_json(request: Request, next: Next) -> Response {
    if wants_json(request.headers()) {
        next.run(request).await
    } else {
        ApiError::of_status(StatusCode::NOT_ACCEPTABLE).into_response()
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let mut stated = false;
    for value in headers.get_all(header::ACCEPT) {
        for range in value
            .to_str()
            .unwrap_or_default()
            .split(',')
            .filter(|range| !range.trim().is_empty())
        {
            stated = true;
            let essence = essence(range).to_ascii_lowercase();
            if matches!(
                essence.as_str(),
                "application/json" | "application/*" | "*/*" | "*"
            ) && !is_refused(range)
            {
                return true;
            }
        }
    }
    !stated
}

/// The part before the parameters.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// `;q=0` in any spelling.
fn is_refused(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        parameter
            .trim()
            .strip_prefix("q=")
            .is_some_and(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_must_leave_room_for_json() {
        let cases: &[(&[&str], bool)] = &[
            (&[], true),
            (&[""], true),
            (&["*/*"], true),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["text/html, application/*;q=0.5"], true),
            (&["text/html", "*/*"], true),
            (&["text/html"], false),
            (&["application/json;q=0"], false),
            (&["application/xml;q=0.9, */*; q=0.0"], false),
        ];
        for (values, expected) in cases {
            let headers = values
                .iter()
                .map(|value| (header::ACCEPT, value.parse().unwrap()))
                .collect();
            assert_eq!(wants_json(&headers), *expected, "{values:?}");
        }
    }
}
