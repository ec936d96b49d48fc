//! `GET /metrics`: all metrics of this worker as text. Upstream has no such resource; there they go to JMX and to reporters.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use wharf_runtime::metrics::TextFormat;

use crate::api::Api;
use crate::error::ApiError;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let format = wanted(&headers);
    // Thousands of tasks take a while to write; the thread that answers others is not held meanwhile.
    let herder = api.herder;
    let text = tokio::task::spawn_blocking(move || herder.metrics(format)).await;
    match text {
        Ok(text) => Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response()),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written; this is a defect of wharf");
            Err(ApiError::of_status(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// OpenMetrics for who names it and does not give it the weight 0; Prometheus' own format for everybody else.
fn wanted(headers: &HeaderMap) -> TextFormat {
    let ranges = headers.get_all(header::ACCEPT).iter();
    let mut ranges = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let is_wanted = ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let names_it = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
        let weight = |part: &str| {
            part.strip_prefix("q=")
                .and_then(|weight| weight.parse::<f32>().ok())
        };
        names_it && parts.all(|part| weight(part) != Some(0.0))
    });
    if is_wanted {
        TextFormat::OpenMetrics
    } else {
        TextFormat::Prometheus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_who_names_it() {
        use TextFormat::{OpenMetrics, Prometheus};
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            (
                "application/openmetrics-text; version=1.0.0; q=0.5, text/plain",
                OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4, Application/OpenMetrics-Text;q=0.3",
                OpenMetrics,
            ),
            ("application/openmetrics-text;q=0, */*", Prometheus),
            ("application/json", Prometheus),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(wanted(&headers), format, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Prometheus);
    }
}
