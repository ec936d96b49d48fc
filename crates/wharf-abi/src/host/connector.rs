//! A connector of a plugin, as the worker calls it.

use wharf_api::config::{ConfigDef, ConfigKeyInfo, ConfigValue};
use wharf_api::sink::SinkOffsetChange;
use wharf_api::source::SourceOffsetChange;
use wharf_api::{ConfigMap, ConnectorTransactionBoundaries, ExactlyOnceSupport, Result, Value};

use super::{Handle, or_default};
use crate::method::plugin as method;

/// A source or sink connector.
#[derive(Debug)]
pub struct ConnectorHandle(Handle);

impl ConnectorHandle {
    /// The connector behind this instance.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Its configuration keys.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn config(&mut self) -> Result<Vec<ConfigKeyInfo>> {
        self.0.ask(method::CONFIG, &Value::Null)
    }

    /// Its configuration keys as a definition without validators and recommenders, which stay in the plugin.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn config_def(&mut self) -> Result<ConfigDef> {
        Ok(ConfigDef::from_infos(self.config()?))
    }

    /// Checks a configuration with the plugin's validators.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn validate(&mut self, config: &ConfigMap) -> Result<Vec<ConfigValue>> {
        self.0.ask(method::VALIDATE, config)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn start(&mut self, config: &ConfigMap) -> Result<()> {
        self.0.tell(method::CONNECTOR_START, config)
    }

    /// Configurations of at most this many tasks.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        self.0.ask(
            method::TASK_CONFIGS,
            &i64::try_from(max_tasks).unwrap_or(i64::MAX),
        )
    }

    /// Stops it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<()> {
        self.0.tell(method::CONNECTOR_STOP, &Value::Null)
    }

    /// Whether exactly-once works; `None` when the connector does not say.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn exactly_once_support(&mut self, config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
        let support: Option<bool> = or_default(self.0.ask(method::EXACTLY_ONCE_SUPPORT, config), || None)?;
        Ok(support.map(|yes| {
            if yes {
                ExactlyOnceSupport::Supported
            } else {
                ExactlyOnceSupport::Unsupported
            }
        }))
    }

    /// Whether tasks can say where transactions end.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn transaction_boundaries(&mut self, config: &ConfigMap) -> Result<ConnectorTransactionBoundaries> {
        let supported = or_default(self.0.ask(method::TRANSACTION_BOUNDARIES, config), || false)?;
        Ok(if supported {
            ConnectorTransactionBoundaries::Supported
        } else {
            ConnectorTransactionBoundaries::Unsupported
        })
    }

    /// Tells a source connector of an offset change.
    ///
    /// # Errors
    /// When the connector refuses it.
    pub fn alter_source_offsets(
        &mut self,
        config: &ConfigMap,
        offsets: Vec<SourceOffsetChange>,
    ) -> Result<bool> {
        or_default(
            self.0.ask(method::ALTER_OFFSETS, &(config.clone(), offsets)),
            || false,
        )
    }

    /// Tells a sink connector of an offset change.
    ///
    /// # Errors
    /// When the connector refuses it.
    pub fn alter_sink_offsets(&mut self, config: &ConfigMap, offsets: Vec<SinkOffsetChange>) -> Result<bool> {
        or_default(
            self.0.ask(method::ALTER_OFFSETS, &(config.clone(), offsets)),
            || false,
        )
    }
}
