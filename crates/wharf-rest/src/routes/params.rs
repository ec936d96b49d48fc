//! Path and query parameters, read as upstream reads them: a segment is percent-decoded (so `%2F` may be in a name), a
//! flag is true only for the text `true`, and an empty segment or a task number that is none is an unknown path.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use wharf_runtime::herder::TaskId;

use crate::error::ApiError;

/// The one parameter of a path: a connector, plugin or logger.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::from_request_parts(parts, state).await.map_err(not_text)?;
        not_empty(name).map(Self)
    }
}

/// The connector and number of a path.
pub(super) struct Task(pub(super) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for Task {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((connector, task)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(not_text)?;
        let task = task
            .parse()
            .map_err(|_| ApiError::of_status(StatusCode::NOT_FOUND))?;
        let connector = not_empty(connector)?;
        Ok(Self(TaskId { connector, task }))
    }
}

/// The router takes an empty segment for a parameter; JAX-RS does not.
fn not_empty(segment: String) -> Result<String, ApiError> {
    if segment.is_empty() {
        return Err(ApiError::of_status(StatusCode::NOT_FOUND));
    }
    Ok(segment)
}

fn not_text(_: impl std::error::Error) -> ApiError {
    ApiError::bad_request("the path is not UTF-8 after percent-decoding: encode names as UTF-8")
}

/// The query as it came, in order.
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|error| ApiError::bad_request(format!("the query cannot be read: {error}")))
    }
}

impl Query {
    /// All values of a repeatable parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A flag: only the text `true`, in any case, is true; an empty one counts as not given.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.first(name)
            .filter(|value| !value.is_empty())
            .map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }
}
