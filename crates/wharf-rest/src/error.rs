//! Errors: of an answer ([`ApiError`], always the JSON shape of Connect) and of the server itself ([`RestError`]).

use std::io::ErrorKind;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wharf_runtime::herder::HerderError;

use crate::api::json;
use crate::forwarding::ForwardTo;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// An address cannot be listened on.
    #[error("cannot listen on {listener}: {source}; {}", remedy(source, key))]
    Bind {
        /// The listener as configured.
        listener: String,
        /// The key that holds it.
        key: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The host of a listener has no address.
    #[error(
        "cannot listen on {listener}: its host cannot be resolved ({source}); correct the name in `{key}`, make DNS or \
         /etc/hosts know it, or give an address of this machine"
    )]
    Resolve {
        /// The listener as configured.
        listener: String,
        /// The key that holds it.
        key: &'static str,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// An encrypted listener.
    #[error(
        "cannot listen on {listener}: https listeners are not supported by this build; use http:// in `{key}`"
    )]
    Https {
        /// The listener as configured.
        listener: String,
        /// The key that holds it.
        key: &'static str,
    },
}

/// What to do about an address that cannot be listened on.
fn remedy(error: &std::io::Error, key: &str) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!("free the port or change it in `{key}`"),
        ErrorKind::AddrNotAvailable => {
            format!("give an address of this machine in `{key}`, or no host for all")
        }
        ErrorKind::PermissionDenied => {
            format!("give a port from 1024 on in `{key}`, or allow the worker to use lower ones")
        }
        _ => format!("correct the address in `{key}`"),
    }
}

/// An answer that reports a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    /// URL of the worker that has to be asked instead.
    elsewhere: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: u16,
    message: &'a str,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            elsewhere: None,
        }
    }

    /// The user made a mistake; the message says what to change.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// The HTTP layer's own refusals: `HTTP 404 Not Found`, in the words of Jersey.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        Self::new(
            status,
            format!(
                "HTTP {} {}",
                status.as_u16(),
                status.canonical_reason().unwrap_or("Error")
            ),
        )
    }
}

impl From<HerderError> for ApiError {
    fn from(error: HerderError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let elsewhere = match &error {
            HerderError::Elsewhere(url) => Some(url.clone()),
            _ => None,
        };
        Self {
            elsewhere,
            ..Self::new(status, error.to_string())
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(
            self.status,
            &ErrorBody {
                error_code: self.status.as_u16(),
                message: &self.message,
            },
        );
        if let Some(url) = self.elsewhere {
            response.extensions_mut().insert(ForwardTo(url));
        }
        response
    }
}
