//! Keys of the config topic.

use std::fmt;

use super::IgnoreReason;
use crate::ids::ConnectorTaskId;

const TARGET_STATE: &str = "target-state-";
const CONNECTOR: &str = "connector-";
const TASK: &str = "task-";
const COMMIT: &str = "commit-";
const RESTART: &str = "restart-connector-";
const TASKS_FENCING: &str = "tasks-fencing-";
const SESSION_KEY: &str = "session-key";
const LOGGER: &str = "logger-cluster-";

/// What a record of the config topic is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigKey {
    /// `target-state-NAME`
    TargetState(String),
    /// `connector-NAME`
    Connector(String),
    /// `task-NAME-N`
    Task(ConnectorTaskId),
    /// `commit-NAME`
    Commit(String),
    /// `restart-connector-NAME`
    Restart(String),
    /// `tasks-fencing-NAME`
    TasksFencing(String),
    /// `session-key`
    SessionKey,
    /// `logger-cluster-NAMESPACE`
    Logger(String),
}

impl ConfigKey {
    /// What a key is about. The first prefix that fits counts, in upstream's order; all that follows it is the name.
    ///
    /// # Errors
    /// When it is no key of the config topic, or begins like a task's and no number of a task follows.
    pub fn parse(key: &str) -> Result<Self, IgnoreReason> {
        let after = |prefix: &str| key.strip_prefix(prefix).map(str::to_owned);
        Ok(if let Some(name) = after(TARGET_STATE) {
            Self::TargetState(name)
        } else if let Some(name) = after(CONNECTOR) {
            Self::Connector(name)
        } else if key.starts_with(TASK) {
            Self::Task(task_in_key(key, 1).ok_or(IgnoreReason::NotATask)?)
        } else if let Some(name) = after(COMMIT) {
            Self::Commit(name)
        } else if let Some(name) = after(RESTART) {
            Self::Restart(name)
        } else if let Some(name) = after(TASKS_FENCING) {
            Self::TasksFencing(name)
        } else if key == SESSION_KEY {
            Self::SessionKey
        } else if let Some(namespace) = after(LOGGER) {
            Self::Logger(namespace)
        } else {
            return Err(IgnoreReason::UnknownKey);
        })
    }
}

/// The task that a key names, after so many pieces between dashes. The number is the last piece, the name all before it.
/// Java's `split`, which upstream uses, drops dashes at the end, so `task-a-1-` is task 1 of `a`.
pub(crate) fn task_in_key(key: &str, prefix_pieces: usize) -> Option<ConnectorTaskId> {
    let (before, number) = key.trim_end_matches('-').rsplit_once('-')?;
    let name = before.splitn(prefix_pieces + 1, '-').nth(prefix_pieces)?;
    Some(ConnectorTaskId::new(name, number.parse().ok()?))
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetState(name) => write!(f, "{TARGET_STATE}{name}"),
            Self::Connector(name) => write!(f, "{CONNECTOR}{name}"),
            Self::Task(id) => write!(f, "{TASK}{id}"),
            Self::Commit(name) => write!(f, "{COMMIT}{name}"),
            Self::Restart(name) => write!(f, "{RESTART}{name}"),
            Self::TasksFencing(name) => write!(f, "{TASKS_FENCING}{name}"),
            Self::SessionKey => f.write_str(SESSION_KEY),
            Self::Logger(namespace) => write!(f, "{LOGGER}{namespace}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(connector: &str, task: i32) -> ConfigKey {
        ConfigKey::Task(ConnectorTaskId::new(connector, task))
    }

    #[test]
    fn keys_are_read_and_printed() {
        for (text, key) in [
            ("target-state-a-b", ConfigKey::TargetState("a-b".to_owned())),
            ("connector-", ConfigKey::Connector(String::new())),
            ("connector-task-x-1", ConfigKey::Connector("task-x-1".to_owned())),
            ("task-a-0", task("a", 0)),
            ("task-a-1-2", task("a-1", 2)),
            ("task-state-7", task("state", 7)),
            ("task-a--3", task("a-", 3)),
            ("commit-a", ConfigKey::Commit("a".to_owned())),
            ("restart-connector-a", ConfigKey::Restart("a".to_owned())),
            ("tasks-fencing-a", ConfigKey::TasksFencing("a".to_owned())),
            ("session-key", ConfigKey::SessionKey),
            ("logger-cluster-org.x", ConfigKey::Logger("org.x".to_owned())),
        ] {
            assert_eq!(ConfigKey::parse(text), Ok(key.clone()), "{text}");
            assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn keys_of_others_are_told_apart() {
        for key in [
            "",
            "session-key-2",
            "Connector-a",
            "tasks-a",
            "restart-a",
            "logger-a",
            "connector",
            "my-topic-key",
        ] {
            assert_eq!(ConfigKey::parse(key), Err(IgnoreReason::UnknownKey), "{key}");
        }
        for key in [
            "task-",
            "task-a",
            "task-1",
            "task-a-b",
            "task-a-1x",
            "task-a-99999999999",
            "task---",
        ] {
            assert_eq!(ConfigKey::parse(key), Err(IgnoreReason::NotATask), "{key}");
        }
        assert_eq!(ConfigKey::parse("task-a-1--"), Ok(task("a", 1)));
        assert_eq!(ConfigKey::parse("task--1"), Ok(task("", 1)));
    }
}
