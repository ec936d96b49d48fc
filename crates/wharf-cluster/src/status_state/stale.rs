//! Statuses that nobody will ever replace, because what they speak of was deleted.

use std::collections::BTreeSet;

use super::{StatusKey, StatusState};
use crate::config_state::ConfigSnapshot;
use crate::ids::ConnectorTaskId;

/// What a leader tombstones when it has joined: the statuses of connectors without configuration, after those of all their
/// tasks, and of tasks beyond those that are configured.
#[must_use]
pub fn stale_statuses(statuses: &StatusState, configs: &ConfigSnapshot) -> Vec<StatusKey> {
    let mut stale = Vec::new();
    for connector in statuses.connectors() {
        let configured: BTreeSet<i32> = configs.tasks(connector).into_iter().map(|id| id.task).collect();
        let is_deleted = !configs.contains(connector);
        stale.extend(
            statuses
                .tasks(connector)
                .filter(|(task, _)| is_deleted || !configured.contains(task))
                .map(|(task, _)| StatusKey::Task(ConnectorTaskId::new(connector, task))),
        );
        if is_deleted {
            stale.push(StatusKey::Connector(connector.to_owned()));
        }
    }
    stale
}
