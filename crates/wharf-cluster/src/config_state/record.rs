//! Records of the config topic with their meaning: from bytes and back.

use super::key::ConfigKey;
use super::{IgnoreReason, Properties};
use crate::ids::ConnectorTaskId;
use crate::java_json::{Json, Object, ObjectWriter};
use crate::restart::RestartRequest;
use crate::session_key::SessionKey;
use crate::target_state::TargetState;
use crate::topic_record::TopicRecord;

const PROPERTIES: &str = "properties";
const STATE: &str = "state";
const STATE_V2: &str = "state.v2";
const TASKS: &str = "tasks";
const TASK_COUNT: &str = "task-count";
const INCLUDE_TASKS: &str = "include-tasks";
const ONLY_FAILED: &str = "only-failed";
const LEVEL: &str = "level";

/// One record of the config topic, understood.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConfigRecord {
    /// A connector's configuration; none when it was deleted.
    Connector {
        /// Name of the connector.
        name: String,
        /// Its configuration.
        config: Option<Properties>,
    },
    /// What a connector shall be; none when that was forgotten.
    TargetState {
        /// Name of the connector.
        connector: String,
        /// The state.
        state: Option<TargetState>,
    },
    /// A task's configuration, which waits for a commit.
    Task {
        /// The task.
        id: ConnectorTaskId,
        /// Its configuration.
        config: Properties,
    },
    /// The task configurations before it count now.
    Commit {
        /// Name of the connector.
        connector: String,
        /// How many tasks it has.
        tasks: i32,
    },
    /// So many tasks may run with exactly-once now; the producers of earlier ones are fenced.
    TasksFencing {
        /// Name of the connector.
        connector: String,
        /// How many tasks there are.
        tasks: i32,
    },
    /// The key that internal requests are signed with.
    SessionKey(SessionKey),
    /// Connector and tasks shall restart.
    Restart(RestartRequest),
    /// A logger's level in the whole group.
    Logger {
        /// Name of the logger, or of a tree of them.
        namespace: String,
        /// Name of the level.
        level: String,
    },
}

impl ConfigRecord {
    /// Understands one record.
    ///
    /// # Errors
    /// Why it is to be ignored.
    pub fn parse(key: &str, value: Option<&[u8]>) -> Result<Self, IgnoreReason> {
        let value = value.map_or(Ok(Json::Null), Json::parse)?;
        Self::from_json(ConfigKey::parse(key)?, value, &mut |_| ())
    }

    /// Understands a decoded value; `note` is told about parts that are ignored.
    pub(super) fn from_json(
        key: ConfigKey,
        value: Json,
        note: &mut dyn FnMut(IgnoreReason),
    ) -> Result<Self, IgnoreReason> {
        let members = match (&value, &key) {
            (Json::Null, ConfigKey::Connector(name)) => {
                return Ok(Self::Connector {
                    name: name.clone(),
                    config: None,
                });
            }
            (Json::Null, ConfigKey::TargetState(connector)) => {
                return Ok(Self::TargetState {
                    connector: connector.clone(),
                    state: None,
                });
            }
            (Json::Null, _) => return Err(IgnoreReason::Tombstone),
            (Json::Object(members), _) => members,
            (other, _) => return Err(IgnoreReason::NotAnObject(other.kind())),
        };
        Ok(match key {
            ConfigKey::Connector(name) => Self::Connector {
                name,
                config: Some(properties(members)?),
            },
            ConfigKey::TargetState(connector) => Self::TargetState {
                connector,
                state: Some(target_state(members, note)?),
            },
            ConfigKey::Task(id) => Self::Task {
                id,
                config: properties(members)?,
            },
            ConfigKey::Commit(connector) => Self::Commit {
                connector,
                tasks: count(members, TASKS)?,
            },
            ConfigKey::TasksFencing(connector) => Self::TasksFencing {
                connector,
                tasks: count(members, TASK_COUNT)?,
            },
            ConfigKey::SessionKey => Self::SessionKey(SessionKey::from_json(members)?),
            ConfigKey::Restart(connector) => Self::Restart(RestartRequest {
                only_failed: boolean(members, ONLY_FAILED, note),
                include_tasks: boolean(members, INCLUDE_TASKS, note),
                connector,
            }),
            ConfigKey::Logger(namespace) => Self::Logger {
                namespace,
                level: text(members, LEVEL)?.to_owned(),
            },
        })
    }

    /// The key of the record.
    #[must_use]
    pub fn key(&self) -> ConfigKey {
        match self {
            Self::Connector { name, .. } => ConfigKey::Connector(name.clone()),
            Self::TargetState { connector, .. } => ConfigKey::TargetState(connector.clone()),
            Self::Task { id, .. } => ConfigKey::Task(id.clone()),
            Self::Commit { connector, .. } => ConfigKey::Commit(connector.clone()),
            Self::TasksFencing { connector, .. } => ConfigKey::TasksFencing(connector.clone()),
            Self::SessionKey(_) => ConfigKey::SessionKey,
            Self::Restart(request) => ConfigKey::Restart(request.connector.clone()),
            Self::Logger { namespace, .. } => ConfigKey::Logger(namespace.clone()),
        }
    }

    /// The value of the record, byte for byte as a Java worker writes it.
    #[must_use]
    pub fn value(&self) -> Option<Vec<u8>> {
        let object = ObjectWriter::new();
        Some(match self {
            Self::Connector { config: None, .. } | Self::TargetState { state: None, .. } => return None,
            Self::Connector {
                config: Some(config), ..
            }
            | Self::Task { config, .. } => config.to_record_value(),
            Self::TargetState {
                state: Some(state), ..
            } => object
                .text(STATE, Some(state.v1_name()))
                .text(STATE_V2, Some(state.name()))
                .finish(),
            Self::Commit { tasks, .. } => object.int(TASKS, (*tasks).into()).finish(),
            Self::TasksFencing { tasks, .. } => object.int(TASK_COUNT, (*tasks).into()).finish(),
            Self::SessionKey(key) => key.to_record_value(),
            Self::Restart(request) => object
                .bool(INCLUDE_TASKS, request.include_tasks)
                .bool(ONLY_FAILED, request.only_failed)
                .finish(),
            Self::Logger { level, .. } => object.text(LEVEL, Some(level)).finish(),
        })
    }

    /// The record as it is written.
    #[must_use]
    pub fn to_topic_record(&self) -> TopicRecord {
        TopicRecord {
            key: self.key().to_string(),
            value: self.value(),
        }
    }
}

/// What a field is, for messages.
pub(crate) fn kind_of(members: &Object, field: &str) -> &'static str {
    members.get(field).map_or("missing", Json::kind)
}

/// A field that must be a text.
pub(crate) fn text<'a>(members: &'a Object, field: &'static str) -> Result<&'a str, IgnoreReason> {
    members
        .get(field)
        .and_then(Json::as_text)
        .ok_or_else(|| IgnoreReason::Field {
            field,
            expected: "a text",
            found: kind_of(members, field),
        })
}

/// A field that must be an integer.
pub(crate) fn integer(members: &Object, field: &'static str) -> Result<i64, IgnoreReason> {
    members
        .get(field)
        .and_then(Json::as_int)
        .ok_or_else(|| IgnoreReason::Field {
            field,
            expected: "an integer",
            found: kind_of(members, field),
        })
}

/// A number of tasks, cut to 32 bits as upstream cuts it.
fn count(members: &Object, field: &'static str) -> Result<i32, IgnoreReason> {
    integer(members, field).map(|count| count as i32)
}

fn boolean(members: &Object, field: &'static str, note: &mut dyn FnMut(IgnoreReason)) -> bool {
    members.get(field).and_then(Json::as_bool).unwrap_or_else(|| {
        note(IgnoreReason::AssumedFalse {
            field,
            found: kind_of(members, field),
        });
        false
    })
}

fn properties(members: &Object) -> Result<Properties, IgnoreReason> {
    let properties =
        members
            .get(PROPERTIES)
            .and_then(Json::as_object)
            .ok_or_else(|| IgnoreReason::Field {
                field: PROPERTIES,
                expected: "an object",
                found: kind_of(members, PROPERTIES),
            })?;
    Properties::from_json(properties).map_err(|(key, found)| IgnoreReason::Property { key, found })
}

fn target_state(members: &Object, note: &mut dyn FnMut(IgnoreReason)) -> Result<TargetState, IgnoreReason> {
    let name = match members.get(STATE_V2) {
        Some(Json::Text(name)) => name,
        newer => {
            if !matches!(newer, None | Some(Json::Null)) {
                note(IgnoreReason::OlderFieldCounts {
                    field: STATE_V2,
                    found: kind_of(members, STATE_V2),
                });
            }
            text(members, STATE)?
        }
    };
    TargetState::from_name(name)
        .ok_or_else(|| IgnoreReason::UnknownTargetState(name.chars().take(40).collect()))
}
