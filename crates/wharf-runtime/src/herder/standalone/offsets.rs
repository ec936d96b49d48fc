//! The offsets API: reading and changing stored offsets of source connectors and group offsets of sink connectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Inner;
use crate::herder::common::not_found;
use crate::herder::{ConnectorOffsets, HerderError, OffsetChange, connector_offsets};
use crate::worker::TargetState;

impl Inner {
    /// Stored offsets of a connector.
    pub(super) async fn offsets(self: Arc<Self>, name: String) -> Result<ConnectorOffsets, HerderError> {
        let slot = self.existing(&name).ok_or_else(|| not_found(&name))?;
        let (config, connector_type) = slot.with(|entry| (entry.config.clone(), entry.connector_type))?;
        connector_offsets::read(Arc::clone(&self.worker), name, config, connector_type).await
    }

    /// Changes offsets of a stopped connector; no changes given means that all are forgotten.
    pub(super) async fn alter_offsets(
        self: Arc<Self>,
        name: String,
        changes: Option<Vec<OffsetChange>>,
    ) -> Result<String, HerderError> {
        self.check_running()?;
        connector_offsets::check_changes(&name, changes.as_deref(), true)?;
        let slot = self.existing(&name).ok_or_else(|| not_found(&name))?;
        let mut operation = slot.begin().await;
        let (config, stopped) = slot.with(|entry| {
            (
                entry.config.clone(),
                entry.target == TargetState::Stopped && entry.task_configs.is_empty(),
            )
        })?;
        connector_offsets::check_changes(&name, changes.as_deref(), stopped)?;
        let _stage = self.stage(format!("modifying offsets for connector {name}"));
        let plugin = self.plugin_of(&config)?;
        // An operation that was taken over while the plugin thought must not write any more.
        let allowed = Arc::new(AtomicBool::new(true));
        let asked = connector_offsets::alter(
            Arc::clone(&self.worker),
            name.clone(),
            config,
            plugin,
            changes,
            Arc::clone(&allowed),
        );
        tokio::select! {
            answer = asked => answer,
            _ = operation.taken_over.changed() => {
                allowed.store(false, Ordering::Release);
                Err(HerderError::taken_over(&name))
            }
        }
    }
}
