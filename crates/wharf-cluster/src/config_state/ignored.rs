//! Why a record, or a part of one, has no effect.

use thiserror::Error;

use crate::java_json::JsonError;

/// How loudly an ignored record is to be logged; upstream's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Normal at every start.
    Trace,
    /// Normal after compaction.
    Debug,
    /// Read with a default in place of what was wrong.
    Warn,
    /// Somebody wrote what no worker writes.
    Error,
}

/// Why a record has no effect, or less than it could have. No value of a configuration appears in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IgnoreReason {
    /// The value is not JSON. The only reason that keeps the config offset where it was.
    #[error("its value is {0}; check whether another application writes to this topic")]
    NotJson(#[from] JsonError),
    /// There is no key.
    #[error("it has no key; check whether another application writes to this topic")]
    NoKey,
    /// The key is none that a worker writes here.
    #[error("no worker writes this key; check whether another application writes to this topic")]
    UnknownKey,
    /// The key begins like a task's and does not end with a number.
    #[error("its key does not end with the number of a task")]
    NotATask,
    /// The value is null where that means nothing.
    #[error("its value is null, which means nothing for this key")]
    Tombstone,
    /// The value is no object.
    #[error("its value is {0} where an object is expected")]
    NotAnObject(&'static str),
    /// A field is missing or has another type.
    #[error("its field `{field}` is {found} where {expected} is expected")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value of a configuration is neither text nor null.
    #[error("its property `{key}` is {found} where a text is expected")]
    Property {
        /// The key of the configuration.
        key: String,
        /// What its value is.
        found: &'static str,
    },
    /// A name of a target state that is none.
    #[error("`{0}` is no target state; the states are STARTED, PAUSED and STOPPED")]
    UnknownTargetState(String),
    /// The session key is not Base64, or empty.
    #[error("its session key is not the Base64 text of at least one byte")]
    UnusableSessionKey,
    /// A boolean was wrong and counts as false.
    #[error("its field `{field}` is {found} where a boolean is expected; false is assumed")]
    AssumedFalse {
        /// Name of the field.
        field: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A newer field is wrong, and an older one is used in its place.
    #[error("its field `{field}` is {found} where a text is expected; the older field counts")]
    OlderFieldCounts {
        /// Name of the field.
        field: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A commit without all task configurations before it, as compaction may leave it.
    #[error(
        "it commits {expected} tasks and only {found} usable configurations came before it; the connector has no tasks \
         until its configurations are published again"
    )]
    IncompleteTaskConfigs {
        /// How many tasks it commits.
        expected: i32,
        /// How many configurations of these tasks there were.
        found: usize,
    },
    /// A commit for a connector that is not there (any more).
    #[error("its connector is not there; it was probably deleted")]
    ConnectorUnknown,
    /// A restart or a log level from before this worker had read the topic once.
    #[error("it was written before this worker had read the topic to its end")]
    BeforeStart,
}

impl IgnoreReason {
    /// How loudly it is to be logged.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::BeforeStart => Severity::Trace,
            Self::IncompleteTaskConfigs { .. } | Self::ConnectorUnknown => Severity::Debug,
            Self::AssumedFalse { .. } => Severity::Warn,
            _ => Severity::Error,
        }
    }
}
