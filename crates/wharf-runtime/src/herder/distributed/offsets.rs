//! The offsets API of a group: any worker reads, the leader changes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wharf_cluster::target_state::TargetState;

use super::Inner;
use super::running::config_map;
use crate::herder::common::not_found;
use crate::herder::{ConnectorOffsets, ConnectorType, HerderError, OffsetChange, connector_offsets};

impl Inner {
    pub(super) async fn offsets(self: Arc<Self>, name: String) -> Result<ConnectorOffsets, HerderError> {
        let snapshot = self.configs.snapshot();
        let config = config_map(snapshot.config(&name).ok_or_else(|| not_found(&name))?);
        let connector_type = self
            .plugin_of(&config)
            .map_or(ConnectorType::Unknown, |plugin| plugin.kind);
        connector_offsets::read(Arc::clone(&self.worker), name, config, connector_type).await
    }

    pub(super) async fn alter_offsets(
        self: Arc<Self>,
        name: String,
        changes: Option<Vec<OffsetChange>>,
    ) -> Result<String, HerderError> {
        connector_offsets::check_changes(&name, changes.as_deref(), true)?;
        self.admit_leader().await?;
        let _order = self.writes.lock().await;
        let snapshot = self.configs.snapshot();
        let config = config_map(snapshot.config(&name).ok_or_else(|| not_found(&name))?);
        let stopped =
            snapshot.target_state(&name) == Some(TargetState::Stopped) && snapshot.task_count(&name) == 0;
        connector_offsets::check_changes(&name, changes.as_deref(), stopped)?;
        let plugin = self.plugin_of(&config)?;
        let allowed = Arc::new(AtomicBool::new(true));
        connector_offsets::alter(Arc::clone(&self.worker), name, config, plugin, changes, allowed).await
    }
}
