//! The offsets API of a group: any worker reads, the leader changes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wharf_api::ConfigMap;
use wharf_cluster::target_state::TargetState;

use super::Inner;
use super::running::config_map;
use crate::herder::common::not_found;
use crate::herder::{ConnectorOffsets, ConnectorType, HerderError, OffsetChange, connector_offsets};
use crate::plugins::ConnectorPlugin;

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
        // No task of it may be configured until this is done; other connectors do not wait.
        let _turn = self.connector_turns.turn(&name).await;
        let (config, plugin) = self.alterable(&name, changes.as_deref())?;
        // Nothing that a zombie still commits may come after what is written here.
        if self.settings.exactly_once.is_enabled() && plugin.kind == ConnectorType::Source {
            self.fence_all(&name).await?;
        }
        let allowed = Arc::new(AtomicBool::new(true));
        connector_offsets::alter(Arc::clone(&self.worker), name, config, plugin, changes, allowed).await
    }

    /// A connector whose offsets may be changed now: its configuration and its plugin.
    fn alterable(
        &self,
        name: &str,
        changes: Option<&[OffsetChange]>,
    ) -> Result<(ConfigMap, ConnectorPlugin), HerderError> {
        let snapshot = self.configs.snapshot();
        let config = config_map(snapshot.config(name).ok_or_else(|| not_found(name))?);
        let stopped =
            snapshot.target_state(name) == Some(TargetState::Stopped) && snapshot.task_count(name) == 0;
        connector_offsets::check_changes(name, changes, stopped)?;
        let plugin = self.plugin_of(&config)?;
        Ok((config, plugin))
    }
}
