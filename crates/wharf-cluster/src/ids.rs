//! Names of the things that are assigned: connectors and their tasks.

use std::fmt;

/// A task of a connector: `name-3` in logs and status keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectorTaskId {
    /// Name of the connector.
    pub connector: String,
    /// Number of the task, from 0.
    pub task: i32,
}

impl ConnectorTaskId {
    /// The task of this number.
    pub fn new(connector: impl Into<String>, task: i32) -> Self {
        Self {
            connector: connector.into(),
            task,
        }
    }
}

impl fmt::Display for ConnectorTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}
