//! Exit codes, which scripts and service managers rely on: upstream's where upstream has one.

use std::process::ExitCode;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// Asked for nothing that can be done: a script's usage was printed, or a plugin is refused or unknown.
    Refused,
    /// The answer is that something is wrong: work of a group does not run as it should, or cannot move.
    Trouble,
    /// The worker can no longer be a member of its group, and has stopped its work; upstream's code for it.
    Lost,
    /// Something is wrong before the start: command line, settings, Kafka, addresses.
    Setup,
    /// The start failed, or a connector of the command line.
    Start,
    /// An orderly stop after SIGINT.
    Interrupted,
    /// An orderly stop after SIGTERM.
    Terminated,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused | Self::Trouble | Self::Lost => 1,
            Self::Setup => 2,
            Self::Start => 3,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
