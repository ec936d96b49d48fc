//! Why there is no answer.

use std::time::Duration;

use wharf_oauth::TokenError;

/// A failure of a connection; afterwards the connection is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// A setting cannot be used.
    #[error("{key}: {reason}")]
    Setting {
        /// librdkafka's key.
        key: &'static str,
        /// What is wrong with it; never its value when that is a secret.
        reason: String,
    },
    /// No connection to the broker.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system or TLS said.
        reason: String,
    },
    /// One side does not take the other's certificate.
    #[error("the connection to {address} is refused: {reason}")]
    Refused {
        /// `host:port`.
        address: String,
        /// Which side refuses what, and what helps.
        reason: String,
    },
    /// The broker does not accept the credentials.
    #[error("{address} refused the authentication by {mechanism}: {reason}")]
    Authentication {
        /// `host:port`.
        address: String,
        /// The SASL mechanism.
        mechanism: String,
        /// What the broker said, and what helps.
        reason: String,
    },
    /// There is no token to authenticate with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The connection was lost.
    #[error("the connection to {address} was lost: {reason}")]
    Lost {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
    /// No answer in time.
    #[error("{address} did not answer {request} within {} ms", waited.as_millis())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// Name of the request.
        request: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The broker speaks no version of this request that is known here.
    #[error("{address} offers {request} in the versions {offered}, this worker knows {known}")]
    Version {
        /// `host:port`.
        address: String,
        /// Name of the request.
        request: &'static str,
        /// Versions of the broker.
        offered: String,
        /// Versions known here.
        known: String,
    },
    /// What came is no answer to what was asked.
    #[error("{address} answered {request} with what cannot be read: {reason}")]
    Malformed {
        /// `host:port`.
        address: String,
        /// Name of the request.
        request: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ConnectionError {
    /// Whether trying again can help: not with wrong settings, certificates, credentials or versions.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        if let Self::Token(error) = self {
            return !error.is_final();
        }
        matches!(
            self,
            Self::Connect { .. } | Self::Lost { .. } | Self::TimedOut { .. } | Self::Malformed { .. }
        )
    }
}
