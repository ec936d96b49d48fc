//! The two ways in which a service can be missing.

use std::fmt;

/// Why a service is not running.
///
/// The difference decides whether a test may be skipped: only [`ServiceError::Unavailable`] may.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceError {
    /// This machine cannot run the service: a tool is missing, or its files cannot be fetched.
    Unavailable(String),
    /// Everything needed is here and the service still did not come up, or did not stop.
    Failed(String),
}

impl ServiceError {
    /// An error of the first kind.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// An error of the second kind.
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "unavailable: {reason}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ServiceError {}
