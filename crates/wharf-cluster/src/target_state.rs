//! What a user asked a connector to be: started, paused or stopped.

use std::fmt;

/// The state that a connector and its tasks shall reach, whatever worker runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TargetState {
    /// Connector and tasks run. What a connector without a record is.
    #[default]
    Started,
    /// Connector and tasks keep their places and do nothing.
    Paused,
    /// The connector is stopped and has no tasks (KIP-875).
    Stopped,
}

impl TargetState {
    /// The name in records and in the REST API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The name that workers older than KIP-875 understand: for them a stopped connector is a paused one.
    #[must_use]
    pub const fn v1_name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused | Self::Stopped => "PAUSED",
        }
    }

    /// The state of this name; names are upper case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_states() {
        for state in [TargetState::Started, TargetState::Paused, TargetState::Stopped] {
            assert_eq!(TargetState::from_name(state.name()), Some(state));
        }
        for name in ["", "started", "RUNNING", "STOPPED "] {
            assert_eq!(TargetState::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn old_workers_see_a_stopped_connector_as_paused() {
        assert_eq!(TargetState::Stopped.v1_name(), "PAUSED");
        assert_eq!(TargetState::Paused.v1_name(), "PAUSED");
        assert_eq!(TargetState::Started.v1_name(), "STARTED");
    }
}
