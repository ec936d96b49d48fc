//! The sink connector: every task writes the records of its partitions.

use tracing::{info, warn};
use wharf_api::config::{ConfigDef, ConfigValue};
use wharf_api::sink::SinkOffsetChange;
use wharf_api::{ConfigMap, ConnectorContext, Result, SinkConnector};

use super::JdbcSinkTask;
use super::config::{SinkConfig, definition, validate};
use crate::jvm_keys;

macro_rules! sink_connectors {
    ($($(#[$doc:meta])* $name:ident, $log:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            config: ConfigMap,
        }

        impl SinkConnector for $name {
            type Task = JdbcSinkTask;

            fn config(&self) -> ConfigDef {
                definition()
            }

            fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<()> {
                let parsed = SinkConfig::of(config)?;
                info!(target: $log, "writing into the {}", parsed.connection.url);
                if let Some(text) = jvm_keys::warning(&definition().validate(config)) {
                    warn!(target: $log, "{text}");
                }
                self.config = config.clone();
                Ok(())
            }

            fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
                Ok(vec![self.config.clone(); max_tasks])
            }

            fn validate(&self, config: &ConfigMap) -> Result<Vec<ConfigValue>> {
                Ok(validate(config))
            }

            fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SinkOffsetChange]) -> Result<bool> {
                // Nothing is kept beside the consumer group's offsets.
                Ok(true)
            }
        }
    )*};
}

sink_connectors! {
    /// Writes records into tables, under the name that most configurations have.
    JdbcSinkConnector, "io.confluent.connect.jdbc.JdbcSinkConnector";
    /// The same, under the name that configurations for Aiven's connector have.
    AivenJdbcSinkConnector, "io.aiven.connect.jdbc.JdbcSinkConnector";
}
