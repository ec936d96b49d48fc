//! The reader of the config topic: applies one record after another.

use std::fmt;
use std::sync::Arc;

use super::snapshot::{ConfigSnapshot, ConnectorState, Contents};
use super::{ConfigKey, ConfigRecord, IgnoreReason};
use crate::ids::ConnectorTaskId;
use crate::java_json::Json;
use crate::restart::RestartRequest;
use crate::session_key::SessionKey;
use crate::target_state::TargetState;

/// How many characters of a strange key a message shows.
const SHOWN_KEY: usize = 200;

/// What a record changed, for whom it concerns.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConfigEvent {
    /// A connector is new or has another configuration.
    ConnectorConfigUpdated(String),
    /// A connector was deleted.
    ConnectorConfigRemoved(String),
    /// A commit: these tasks have new configurations. The list is empty when the commit was incomplete or came alone.
    TaskConfigsUpdated {
        /// Name of the connector.
        connector: String,
        /// Tasks whose configurations were committed.
        tasks: Vec<ConnectorTaskId>,
    },
    /// A connector that is there shall be something else than before.
    TargetStateChanged(String),
    /// There is another session key.
    SessionKeyUpdated(Arc<SessionKey>),
    /// Somebody asked for a restart.
    RestartRequested(RestartRequest),
    /// A logger's level was set in the whole group.
    LoggingLevelUpdated {
        /// Name of the logger.
        namespace: String,
        /// Name of the level.
        level: String,
    },
    /// The record, or a part of it, has no effect. Comes during the first read too; to be logged.
    Ignored(Ignored),
}

/// A record that has no effect, or less than it could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its place in the topic.
    pub offset: i64,
    /// Its key, cut when it is long.
    pub key: String,
    /// Why.
    pub reason: IgnoreReason,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "record `{}` at offset {} of the config topic: {}",
            self.key.escape_debug(),
            self.offset,
            self.reason
        )
    }
}

/// What the records read so far amount to.
#[derive(Debug, Default)]
pub struct ConfigState {
    contents: Arc<Contents>,
    is_live: bool,
}

impl ConfigState {
    /// Nothing read yet; the config offset is [`NO_OFFSET`](super::NO_OFFSET).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// To be called once, when the topic was read to its end for the first time. From now on changes are reported; before,
    /// records only build state, so that restarts and log levels of the past are not repeated.
    pub fn initial_read_complete(&mut self) {
        self.is_live = true;
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> ConfigSnapshot {
        ConfigSnapshot(Arc::clone(&self.contents))
    }

    /// The config offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.contents.offset
    }

    /// Whether there is a connector of this name, without a snapshot.
    #[must_use]
    pub fn contains(&self, connector: &str) -> bool {
        self.connector(connector)
            .is_some_and(|state| state.config.is_some())
    }

    fn connector(&self, connector: &str) -> Option<&ConnectorState> {
        self.contents.connectors.get(connector).map(|state| &**state)
    }

    fn connector_mut(&mut self, connector: &str) -> &mut ConnectorState {
        let contents = Arc::make_mut(&mut self.contents);
        let state = contents.connectors.entry(connector.into()).or_default();
        Arc::make_mut(state)
    }

    /// Applies the record at this offset. Records come in the order of their offsets; transaction markers do not come.
    pub fn apply(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Vec<ConfigEvent> {
        let mut events = Vec::new();
        let mut ignore = |reason| {
            let shown = key.map_or_else(String::new, |key| {
                String::from_utf8_lossy(key).chars().take(SHOWN_KEY).collect()
            });
            events.push(ConfigEvent::Ignored(Ignored {
                offset,
                key: shown,
                reason,
            }));
        };
        let effect = self.interpret(offset, key, value, &mut ignore);
        match effect {
            Ok(Some(event)) => events.push(event),
            Ok(None) => {}
            Err(reason) => ignore(reason),
        }
        events
    }

    fn interpret(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        ignore: &mut dyn FnMut(IgnoreReason),
    ) -> Result<Option<ConfigEvent>, IgnoreReason> {
        let value = value.map_or(Ok(Json::Null), Json::parse)?;
        // After decoding and before anything else: keys and contents that are not understood count too.
        Arc::make_mut(&mut self.contents).offset = offset.saturating_add(1);
        let key = ConfigKey::parse(&String::from_utf8_lossy(key.ok_or(IgnoreReason::NoKey)?))?;
        if let ConfigKey::Commit(connector) = &key
            && !self.contains(connector)
        {
            // The connector was deleted, and compaction has taken the record that said so.
            self.connector_mut(connector).remove();
            return Err(IgnoreReason::ConnectorUnknown);
        }
        let record = ConfigRecord::from_json(key, value, ignore)?;
        let event = self.enact(record, ignore);
        if self.is_live {
            return Ok(event);
        }
        match event {
            // Nothing of these stays in the state.
            Some(ConfigEvent::RestartRequested(_) | ConfigEvent::LoggingLevelUpdated { .. }) => {
                Err(IgnoreReason::BeforeStart)
            }
            _ => Ok(None),
        }
    }

    fn enact(&mut self, record: ConfigRecord, ignore: &mut dyn FnMut(IgnoreReason)) -> Option<ConfigEvent> {
        match record {
            ConfigRecord::Connector {
                name,
                config: Some(config),
            } => {
                let state = self.connector_mut(&name);
                state.config = Some(Arc::new(config));
                state.target_state.get_or_insert(TargetState::Started);
                Some(ConfigEvent::ConnectorConfigUpdated(name))
            }
            ConfigRecord::Connector { name, config: None } => {
                self.connector_mut(&name).remove();
                Some(ConfigEvent::ConnectorConfigRemoved(name))
            }
            ConfigRecord::TargetState { connector, state } => self.set_target_state(connector, state),
            ConfigRecord::Task { id, config } => {
                self.connector_mut(&id.connector)
                    .deferred
                    .get_or_insert_default()
                    .insert(id.task, Arc::new(config));
                None
            }
            ConfigRecord::Commit { connector, tasks } => Some(self.commit(connector, tasks, ignore)),
            ConfigRecord::TasksFencing { connector, tasks } => {
                let state = self.connector_mut(&connector);
                state.task_count_record = Some(tasks);
                state.pending_fencing = false;
                None
            }
            ConfigRecord::SessionKey(key) => {
                let key = Arc::new(key);
                Arc::make_mut(&mut self.contents).session_key = Some(Arc::clone(&key));
                Some(ConfigEvent::SessionKeyUpdated(key))
            }
            ConfigRecord::Restart(request) => Some(ConfigEvent::RestartRequested(request)),
            ConfigRecord::Logger { namespace, level } => {
                Some(ConfigEvent::LoggingLevelUpdated { namespace, level })
            }
        }
    }

    fn set_target_state(&mut self, connector: String, target: Option<TargetState>) -> Option<ConfigEvent> {
        let state = self.connector_mut(&connector);
        let exists = state.config.is_some();
        let Some(target) = target else {
            state.target_state = exists.then_some(TargetState::Started);
            return None;
        };
        let before = state.target_state.replace(target);
        (exists && before != Some(target)).then_some(ConfigEvent::TargetStateChanged(connector))
    }

    fn commit(&mut self, connector: String, tasks: i32, ignore: &mut dyn FnMut(IgnoreReason)) -> ConfigEvent {
        let state = self.connector_mut(&connector);
        let was_deferred = state.deferred.is_some();
        let deferred = state.deferred.as_mut().map(std::mem::take).unwrap_or_default();
        let found = deferred.range(0..tasks.max(0)).count();
        let is_complete = i32::try_from(found).is_ok_and(|found| found == tasks.max(0));
        let mut updated = Vec::new();
        if is_complete {
            updated.extend(
                deferred
                    .keys()
                    .map(|task| ConnectorTaskId::new(&*connector, *task)),
            );
            if was_deferred {
                state.task_configs.extend(deferred);
                state.task_config_generation = Some(
                    state
                        .task_config_generation
                        .map_or(0, |generation| generation.wrapping_add(1)),
                );
            }
            state.applied_config.clone_from(&state.config);
        } else {
            ignore(IgnoreReason::IncompleteTaskConfigs {
                expected: tasks,
                found,
            });
        }
        state.inconsistent = !is_complete;
        state.task_count = Some(tasks);
        state.pending_fencing = true;
        ConfigEvent::TaskConfigsUpdated {
            connector,
            tasks: updated,
        }
    }
}
