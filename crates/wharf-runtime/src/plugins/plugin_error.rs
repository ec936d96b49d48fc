//! Why a plugin that was asked for cannot be had.

use wharf_api::ConnectError;

use crate::config::VersionProblem;

/// Upstream's class for a class that is not there in the version asked for.
const VERSIONED_LOADING_EXCEPTION: &str =
    "org.apache.kafka.connect.runtime.isolation.VersionedPluginLoadingException";

/// A version of a class that cannot be had.
pub(super) fn no_such_version(class: &str, range: &str, available: Vec<String>) -> VersionProblem {
    VersionProblem {
        message: format!(
            "Plugin {class} not found that matches the version range {range}, available versions: [{}]",
            available.join(", ")
        ),
        available,
    }
}

/// A requirement that cannot be read.
pub(super) fn unreadable_range(reason: String) -> VersionProblem {
    VersionProblem {
        message: reason,
        available: Vec::new(),
    }
}

/// The problem as a config error.
pub(super) fn version_error(problem: VersionProblem) -> ConnectError {
    ConnectError::config(problem.message).with_class(VERSIONED_LOADING_EXCEPTION)
}

/// Nothing has this name. The kind says "not found", which REST answers to as a mistake of the user; traces show
/// upstream's class.
pub(super) fn not_found(message: String) -> ConnectError {
    ConnectError::not_found(message).with_class("org.apache.kafka.connect.errors.ConnectException")
}
