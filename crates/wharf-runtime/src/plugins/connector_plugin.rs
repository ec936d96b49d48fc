//! One connector class in one version, ready to make instances.

use std::path::Path;
use std::sync::Arc;

use wharf_abi::host::{ConnectorHandle, HostServices, Module, NoServices, SinkTaskHandle, SourceTaskHandle};
use wharf_abi::module::Role;
use wharf_api::config::ConfigKeyInfo;
use wharf_api::{ConfigMap, Result};

use crate::config::PluginValidation;
use crate::herder::ConnectorType;

/// A connector class of a loaded library. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ConnectorPlugin {
    /// The full class name.
    pub class: Arc<str>,
    /// The version; empty when the plugin does not state one.
    pub version: Arc<str>,
    /// Source or sink.
    pub kind: ConnectorType,
    /// The class name of its tasks, which `task.class` says.
    pub task_class: Arc<str>,
    /// The library.
    pub path: Arc<Path>,
    pub(super) module: Arc<Module>,
    pub(super) position: usize,
}

impl ConnectorPlugin {
    /// The version as statuses show it: not at all when the plugin states none.
    #[must_use]
    pub fn stated_version(&self) -> Option<String> {
        Some(self.version.to_string()).filter(|version| !version.is_empty())
    }

    /// A connector instance that may ask these services.
    ///
    /// # Errors
    /// When the plugin's constructor fails or panics.
    pub fn new_connector(&self, services: Box<dyn HostServices>) -> Result<ConnectorHandle> {
        self.module
            .create(self.position, Role::Plugin, services)
            .map(ConnectorHandle::new)
    }

    /// An instance of a source's task.
    ///
    /// # Errors
    /// When the plugin's constructor fails or panics.
    pub fn new_source_task(&self, services: Box<dyn HostServices>) -> Result<SourceTaskHandle> {
        SourceTaskHandle::new(self.module.create(self.position, Role::Task, services)?)
    }

    /// An instance of a sink's task.
    ///
    /// # Errors
    /// When the plugin's constructor fails or panics.
    pub fn new_sink_task(&self, services: Box<dyn HostServices>) -> Result<SinkTaskHandle> {
        self.module
            .create(self.position, Role::Task, services)
            .map(SinkTaskHandle::new)
    }

    /// The connector's own configuration keys, from an instance made for the question.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn config(&self) -> Result<Vec<ConfigKeyInfo>> {
        self.new_connector(Box::new(NoServices))?.config()
    }

    /// Lets an instance made for it check a configuration.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn validate(&self, config: &ConfigMap) -> Result<PluginValidation> {
        let mut connector = self.new_connector(Box::new(NoServices))?;
        Ok(PluginValidation {
            definition: connector.config()?,
            values: connector.validate(config)?,
        })
    }
}
