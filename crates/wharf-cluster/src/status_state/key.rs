//! Keys of the status topic.

use std::fmt;

use super::StatusIgnored;
use crate::config_state::task_in_key;
use crate::ids::ConnectorTaskId;

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const TOPIC_CONNECTOR: &str = ":connector-";
/// Pieces between dashes before the name in the key of a task.
const TASK_PREFIX_PIECES: usize = 2;

/// What a record of the status topic is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StatusKey {
    /// `status-connector-NAME`
    Connector(String),
    /// `status-task-NAME-N`
    Task(ConnectorTaskId),
    /// `status-topic-TOPIC:connector-NAME`
    Topic {
        /// Name of the topic.
        topic: String,
        /// Name of the connector that uses it.
        connector: String,
    },
}

impl StatusKey {
    /// What a key is about.
    ///
    /// # Errors
    /// When it is no key of the status topic.
    pub fn parse(key: &str) -> Result<Self, StatusIgnored> {
        let parsed = if let Some(name) = key.strip_prefix(CONNECTOR) {
            (!name.is_empty()).then(|| Self::Connector(name.to_owned()))
        } else if key.starts_with(TASK) {
            task_in_key(key, TASK_PREFIX_PIECES).map(Self::Task)
        } else if let Some(rest) = key.strip_prefix(TOPIC) {
            rest.split_once(':')
                .and_then(|(topic, _)| Some((topic, rest[topic.len()..].strip_prefix(TOPIC_CONNECTOR)?)))
                .filter(|(topic, connector)| !topic.is_empty() && !connector.is_empty())
                .map(|(topic, connector)| Self::Topic {
                    topic: topic.to_owned(),
                    connector: connector.to_owned(),
                })
        } else {
            return Err(StatusIgnored::UnknownKey);
        };
        parsed.ok_or(StatusIgnored::IncompleteKey)
    }
}

impl fmt::Display for StatusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector(name) => write!(f, "{CONNECTOR}{name}"),
            Self::Task(id) => write!(f, "{TASK}{id}"),
            Self::Topic { topic, connector } => write!(f, "{TOPIC}{topic}{TOPIC_CONNECTOR}{connector}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_printed() {
        let topic = |topic: &str, connector: &str| StatusKey::Topic {
            topic: topic.to_owned(),
            connector: connector.to_owned(),
        };
        let task = |name: &str, task| StatusKey::Task(ConnectorTaskId::new(name, task));
        for (text, key) in [
            ("status-connector-a-b", StatusKey::Connector("a-b".to_owned())),
            ("status-task-a-0", task("a", 0)),
            ("status-task-a-1-2", task("a-1", 2)),
            ("status-task-a--2", task("a-", 2)),
            ("status-topic-t:connector-c", topic("t", "c")),
            (
                "status-topic-t-1.x:connector-a:connector-b",
                topic("t-1.x", "a:connector-b"),
            ),
        ] {
            assert_eq!(StatusKey::parse(text), Ok(key.clone()), "{text}");
            assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn keys_of_others_are_refused() {
        for key in ["", "status", "status-", "connector-a", "status-topics-a"] {
            assert_eq!(StatusKey::parse(key), Err(StatusIgnored::UnknownKey), "{key}");
        }
        for key in [
            "status-connector-",
            "status-task-",
            "status-task-a",
            "status-task-1",
            "status-task-a-b",
            "status-topic-",
            "status-topic-t",
            "status-topic-t:c",
            "status-topic-:connector-c",
            "status-topic-t:connector-",
            "status-topic-t:ä-connector-c",
        ] {
            assert_eq!(StatusKey::parse(key), Err(StatusIgnored::IncompleteKey), "{key}");
        }
    }
}
