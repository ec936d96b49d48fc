//! Validation of connector configurations.

use std::sync::Arc;

use super::Inner;
use crate::config::ConfigInfos;
use crate::herder::{HerderError, RawConfig, plugin_calls};
use crate::plugins::Outreach;

impl Inner {
    /// Checks a configuration.
    pub(super) async fn validate(
        self: Arc<Self>,
        config: RawConfig,
        outreach: Outreach,
    ) -> Result<ConfigInfos, HerderError> {
        let _stage = self.stage("performing multi-property validation for the connector".to_owned());
        plugin_calls::validate(Arc::clone(&self.worker), config, outreach).await
    }

    /// Refuses a configuration with errors, in upstream's words.
    pub(super) async fn check_valid(
        self: &Arc<Self>,
        config: RawConfig,
        outreach: Outreach,
    ) -> Result<(), HerderError> {
        plugin_calls::check_valid(&Arc::clone(self).validate(config, outreach).await?)
    }
}
