//! What the config topic says at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Properties;
use crate::ids::ConnectorTaskId;
use crate::session_key::SessionKey;
use crate::target_state::TargetState;

/// Task configurations by number.
pub(super) type TaskConfigs = BTreeMap<i32, Arc<Properties>>;

/// All that is known of one connector. Parts of it outlive the connector, so that one of the same name continues them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectorState {
    /// The configuration; none when there is no such connector.
    pub config: Option<Arc<Properties>>,
    /// What it shall be.
    pub target_state: Option<TargetState>,
    /// How many tasks the last commit named.
    pub task_count: Option<i32>,
    /// Task configurations that were committed. There may be more than tasks, left from a larger past count.
    pub task_configs: TaskConfigs,
    /// Whether the last commit came without all of its task configurations. There are no tasks then.
    pub inconsistent: bool,
    /// How many tasks the last fencing was written for.
    pub task_count_record: Option<i32>,
    /// Whether a commit came after the last fencing.
    pub pending_fencing: bool,
    /// How often this reader saw task configurations change, from 0. Other workers count otherwise.
    pub task_config_generation: Option<i32>,
    /// The configuration that held when task configurations were last committed in full.
    pub applied_config: Option<Arc<Properties>>,
    /// Task configurations that wait for their commit. That there was never one is not the same as that there is none now.
    pub(super) deferred: Option<TaskConfigs>,
}

impl ConnectorState {
    /// The configuration goes and what hangs on it. Target state, fencing and the generation stay.
    pub(super) fn remove(&mut self) {
        self.config = None;
        self.task_count = None;
        self.task_configs.clear();
        self.deferred = None;
        self.applied_config = None;
    }
}

/// The config offset of who has read no record. Workers tell it each other like any other.
pub const NO_OFFSET: i64 = -1;

/// What is known of all connectors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contents {
    pub(super) offset: i64,
    pub(super) session_key: Option<Arc<SessionKey>>,
    pub(super) connectors: BTreeMap<Arc<str>, Arc<ConnectorState>>,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            offset: NO_OFFSET,
            session_key: None,
            connectors: BTreeMap::new(),
        }
    }
}

/// What the config topic says at one moment. A clone costs a counter, and later records do not change it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConfigSnapshot(pub(super) Arc<Contents>);

impl ConfigSnapshot {
    /// The config offset: how much of the topic this stands for, as all workers of the group count it; [`NO_OFFSET`] for
    /// nothing.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.0.offset
    }

    /// The key that internal requests are signed with.
    #[must_use]
    pub fn session_key(&self) -> Option<&Arc<SessionKey>> {
        self.0.session_key.as_ref()
    }

    /// Whether there is a connector of this name.
    #[must_use]
    pub fn contains(&self, connector: &str) -> bool {
        self.config(connector).is_some()
    }

    /// Names of all connectors, in order.
    pub fn connectors(&self) -> impl Iterator<Item = &str> {
        self.0
            .connectors
            .iter()
            .filter(|(_, state)| state.config.is_some())
            .map(|(name, _)| &**name)
    }

    /// All that is known of a connector, deleted ones included.
    #[must_use]
    pub fn connector(&self, connector: &str) -> Option<&Arc<ConnectorState>> {
        self.0.connectors.get(connector)
    }

    /// A connector's configuration, unresolved.
    #[must_use]
    pub fn config(&self, connector: &str) -> Option<&Arc<Properties>> {
        self.connector(connector)?.config.as_ref()
    }

    /// What a connector shall be.
    #[must_use]
    pub fn target_state(&self, connector: &str) -> Option<TargetState> {
        self.connector(connector)?.target_state
    }

    /// How many tasks the last commit of a connector named; 0 when there was none. An inconsistent connector has none of
    /// them, see [`tasks`](Self::tasks).
    #[must_use]
    pub fn task_count(&self, connector: &str) -> i32 {
        self.connector(connector)
            .and_then(|state| state.task_count)
            .unwrap_or(0)
    }

    /// The tasks of a connector, as far as assignment is concerned.
    #[must_use]
    pub fn tasks(&self, connector: &str) -> Vec<ConnectorTaskId> {
        match self.connector(connector) {
            Some(state) if !state.inconsistent => (0..state.task_count.unwrap_or(0))
                .map(|task| ConnectorTaskId::new(connector, task))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A task's committed configuration, unresolved.
    #[must_use]
    pub fn task_config(&self, id: &ConnectorTaskId) -> Option<&Arc<Properties>> {
        self.connector(&id.connector)?.task_configs.get(&id.task)
    }

    /// Connectors whose last commit was incomplete.
    pub fn inconsistent_connectors(&self) -> impl Iterator<Item = &str> {
        self.0
            .connectors
            .iter()
            .filter(|(_, state)| state.inconsistent)
            .map(|(name, _)| &**name)
    }
}
