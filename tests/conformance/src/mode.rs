//! The two ways in which a worker runs: alone, or as a member of a group.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Standalone or distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One worker, which keeps what it knows in memory and in a file.
    Standalone,
    /// Workers of a group, which keep what they know in three topics.
    Distributed,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standalone, Self::Distributed];

    /// As scenarios, folders and arguments call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Distributed => "distributed",
        }
    }

    /// The one that is called so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_found_by_its_name_and_written_by_it() {
        for mode in Mode::ALL {
            assert_eq!(Mode::of_name(mode.name()), Some(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.to_string());
        }
        assert_eq!(Mode::of_name("cluster"), None);
    }
}
