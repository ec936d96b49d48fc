//! The client library's log lines, on the worker's log.
//!
//! Lines appear under the logger names that users of the Java clients know, so that a level set for
//! `org.apache.kafka.clients.consumer` at `/admin/loggers` does what they expect. Nothing here may
//! panic or block: the library calls it from its own threads.

use crate::properties::ClientKind;

/// Logger name of producers.
pub const PRODUCER_TARGET: &str = "org.apache.kafka.clients.producer";
/// Logger name of consumers.
pub const CONSUMER_TARGET: &str = "org.apache.kafka.clients.consumer";
/// Logger name of admin clients.
pub const ADMIN_TARGET: &str = "org.apache.kafka.clients.admin";

macro_rules! emit {
    ($target:expr, $level:expr, $client:expr, $facility:expr, $line:expr) => {
        match $level {
            0..=3 => tracing::error!(target: $target, client_id = $client, facility = $facility, "{}", $line),
            4 => tracing::warn!(target: $target, client_id = $client, facility = $facility, "{}", $line),
            5 | 6 => tracing::info!(target: $target, client_id = $client, facility = $facility, "{}", $line),
            _ => tracing::debug!(target: $target, client_id = $client, facility = $facility, "{}", $line),
        }
    };
}

/// Writes one line; `level` is the syslog level, 0 (worst) to 7 (debug).
pub(crate) fn log(kind: ClientKind, level: i32, client: &str, facility: &str, line: &str) {
    match kind {
        ClientKind::Producer => emit!(PRODUCER_TARGET, level, client, facility, line),
        ClientKind::Consumer => emit!(CONSUMER_TARGET, level, client, facility, line),
        ClientKind::Admin => emit!(ADMIN_TARGET, level, client, facility, line),
    }
}
