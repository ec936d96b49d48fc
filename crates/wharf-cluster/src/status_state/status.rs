//! Values of the status topic.

use std::fmt;

use thiserror::Error;

use crate::config_state::{IgnoreReason, integer_field, text_field};
use crate::java_json::{Json, JsonError, Object, ObjectWriter};

const STATE: &str = "state";
const TRACE: &str = "trace";
const WORKER_ID: &str = "worker_id";
const GENERATION: &str = "generation";
const VERSION: &str = "version";
const TOPIC: &str = "topic";
const NAME: &str = "name";
const CONNECTOR: &str = "connector";
const TASK: &str = "task";
const DISCOVER_TIMESTAMP: &str = "discoverTimestamp";

/// The state that a connector or task reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No worker runs it.
    Unassigned,
    /// It runs.
    Running,
    /// It keeps its place and does nothing.
    Paused,
    /// It failed and waits for a restart.
    Failed,
    /// A restart is being carried out.
    Restarting,
    /// The connector is stopped and has no tasks.
    Stopped,
    /// It was deleted. Never written: a tombstone says so.
    Destroyed,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Unassigned,
        Self::Running,
        Self::Paused,
        Self::Failed,
        Self::Restarting,
        Self::Stopped,
        Self::Destroyed,
    ];

    /// The name in records and in the REST API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
            Self::Destroyed => "DESTROYED",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a record of the status topic has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StatusIgnored {
    /// There is no key.
    #[error("it has no key; check whether another application writes to this topic")]
    NoKey,
    /// The key is none that a worker writes here.
    #[error("no worker writes this key; check whether another application writes to this topic")]
    UnknownKey,
    /// The key begins like one and misses a name or the number of a task.
    #[error("its key misses a name or the number of a task")]
    IncompleteKey,
    /// The value is not JSON.
    #[error("its value is {0}; check whether another application writes to this topic")]
    NotJson(#[from] JsonError),
    /// The value, or a part of it, is no object.
    #[error("its {part} is {found} where an object is expected")]
    NotAnObject {
        /// Which part.
        part: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A field is missing or has another type.
    #[error("{0}")]
    Field(IgnoreReason),
    /// A name of a state that is none.
    #[error("`{0}` is no state of a connector or task")]
    UnknownState(String),
    /// A task is known to run in this or a later generation, and one that gave it up says so late.
    #[error("it says UNASSIGNED late: the task runs elsewhere, in the same generation or a later one")]
    LateUnassigned,
}

impl StatusIgnored {
    /// Whether this happens in a healthy group, and need not be logged loudly.
    #[must_use]
    pub const fn is_normal(&self) -> bool {
        matches!(self, Self::LateUnassigned)
    }
}

/// What a worker said about a connector or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Why it failed, in the form of a Java stack trace.
    pub trace: Option<String>,
    /// `host:port` of the worker that wrote this.
    pub worker_id: String,
    /// The group's generation, as far as that worker knew.
    pub generation: i32,
    /// Version of the plugin (KIP-891, written since 4.1), if known.
    pub version: Option<String>,
}

impl Status {
    /// The bytes of a record's value; none, a tombstone, for what was destroyed.
    #[must_use]
    pub fn to_record_value(&self) -> Option<Vec<u8>> {
        if self.state == State::Destroyed {
            return None;
        }
        let object = ObjectWriter::new()
            .text(STATE, Some(self.state.name()))
            .text(TRACE, self.trace.as_deref())
            .text(WORKER_ID, Some(&self.worker_id))
            .int(GENERATION, self.generation.into())
            .text(VERSION, self.version.as_deref());
        Some(object.finish())
    }

    /// What the value of a record says.
    ///
    /// # Errors
    /// When no worker writes such a value.
    pub fn from_record_value(value: &[u8]) -> Result<Self, StatusIgnored> {
        let value = Json::parse(value)?;
        let members = object("value", &value)?;
        let name = text_field(members, STATE)?;
        Ok(Self {
            state: State::from_name(name)
                .ok_or_else(|| StatusIgnored::UnknownState(name.chars().take(40).collect()))?,
            trace: optional_text(members, TRACE)?,
            worker_id: optional_text(members, WORKER_ID)?.unwrap_or_default(),
            generation: int32(members, GENERATION)?,
            version: optional_text(members, VERSION)?,
        })
    }

    /// Whether a safe put of this status may replace one that is known.
    #[must_use]
    pub fn may_replace(&self, known: Option<&Self>) -> bool {
        known.is_none_or(|known| known.worker_id == self.worker_id || known.generation <= self.generation)
    }
}

/// That a connector uses a topic (KIP-558).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStatus {
    /// Name of the topic.
    pub topic: String,
    /// Name of the connector.
    pub connector: String,
    /// Number of the task that found out.
    pub task: i32,
    /// When, in milliseconds since 1970.
    pub discover_timestamp_ms: i64,
}

impl TopicStatus {
    /// The bytes of a record's value.
    #[must_use]
    pub fn to_record_value(&self) -> Vec<u8> {
        ObjectWriter::new()
            .begin(TOPIC)
            .text(NAME, Some(&self.topic))
            .text(CONNECTOR, Some(&self.connector))
            .int(TASK, self.task.into())
            .int(DISCOVER_TIMESTAMP, self.discover_timestamp_ms)
            .finish()
    }

    /// What the value of a record says.
    ///
    /// # Errors
    /// When no worker writes such a value.
    pub fn from_record_value(value: &[u8]) -> Result<Self, StatusIgnored> {
        let value = Json::parse(value)?;
        let members = object("value", &value)?;
        let members = object("field `topic`", members.get(TOPIC).unwrap_or(&Json::Null))?;
        Ok(Self {
            topic: text_field(members, NAME)?.to_owned(),
            connector: text_field(members, CONNECTOR)?.to_owned(),
            task: int32(members, TASK)?,
            discover_timestamp_ms: integer_field(members, DISCOVER_TIMESTAMP)?,
        })
    }
}

impl From<IgnoreReason> for StatusIgnored {
    fn from(reason: IgnoreReason) -> Self {
        Self::Field(reason)
    }
}

fn object<'a>(part: &'static str, value: &'a Json) -> Result<&'a Object, StatusIgnored> {
    value.as_object().ok_or(StatusIgnored::NotAnObject {
        part,
        found: value.kind(),
    })
}

/// A text that may be null or missing.
fn optional_text(members: &Object, field: &'static str) -> Result<Option<String>, StatusIgnored> {
    match members.get(field) {
        None | Some(Json::Null) => Ok(None),
        Some(_) => Ok(Some(text_field(members, field)?.to_owned())),
    }
}

/// An integer, cut to 32 bits as upstream cuts it.
fn int32(members: &Object, field: &'static str) -> Result<i32, StatusIgnored> {
    Ok(integer_field(members, field)? as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, trace: Option<&str>, version: Option<&str>) -> Status {
        Status {
            state,
            trace: trace.map(str::to_owned),
            worker_id: "host:8083".to_owned(),
            generation: 5,
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn statuses_are_written_with_every_field() {
        for (status, json) in [
            (
                status(State::Running, None, Some("1.0")),
                r#"{"state":"RUNNING","trace":null,"worker_id":"host:8083","generation":5,"version":"1.0"}"#,
            ),
            (
                status(State::Failed, Some("a\n\tb"), None),
                r#"{"state":"FAILED","trace":"a\n\tb","worker_id":"host:8083","generation":5,"version":null}"#,
            ),
        ] {
            assert_eq!(status.to_record_value().unwrap(), json.as_bytes());
            assert_eq!(Status::from_record_value(json.as_bytes()), Ok(status));
        }
        assert_eq!(status(State::Destroyed, None, None).to_record_value(), None);
    }

    #[test]
    fn statuses_of_older_and_newer_workers_are_read() {
        let old = br#"{"state":"PAUSED","trace":null,"worker_id":"host:8083","generation":5}"#;
        assert_eq!(
            Status::from_record_value(old),
            Ok(status(State::Paused, None, None))
        );
        let new = br#"{"generation":5,"state":"STOPPED","worker_id":"host:8083","else":{"x":[]}}"#;
        assert_eq!(
            Status::from_record_value(new),
            Ok(status(State::Stopped, None, None))
        );
    }

    #[test]
    fn what_no_worker_writes_is_refused() {
        for value in [
            "",
            "null",
            "[]",
            "{}",
            "x",
            r#"{"state":"RUNNING","worker_id":"w"}"#,
            r#"{"state":"RUNNING","worker_id":"w","generation":"5"}"#,
            r#"{"state":"RUNNING","worker_id":"w","generation":5.0}"#,
            r#"{"state":"running","worker_id":"w","generation":5}"#,
            r#"{"state":null,"worker_id":"w","generation":5}"#,
            r#"{"state":"RUNNING","worker_id":1,"generation":5}"#,
            r#"{"state":"RUNNING","trace":{},"worker_id":"w","generation":5}"#,
        ] {
            assert!(Status::from_record_value(value.as_bytes()).is_err(), "{value}");
        }
        for value in [
            "null",
            "{}",
            r#"{"topic":null}"#,
            r#"{"topic":{"name":"t","connector":"c","task":0}}"#,
        ] {
            assert!(
                TopicStatus::from_record_value(value.as_bytes()).is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn topic_statuses_are_written_and_read() {
        let status = TopicStatus {
            topic: "t".to_owned(),
            connector: "c".to_owned(),
            task: 3,
            discover_timestamp_ms: 1_700_000_000_000,
        };
        let json = br#"{"topic":{"name":"t","connector":"c","task":3,"discoverTimestamp":1700000000000}}"#;
        assert_eq!(status.to_record_value(), json);
        assert_eq!(TopicStatus::from_record_value(json), Ok(status));
    }
}
