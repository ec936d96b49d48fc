//! The sink connector: every task appends to the same file.

use tracing::info;
use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::sink::SinkOffsetChange;
use wharf_api::{ConfigMap, ConnectorContext, Result, SinkConnector};

use crate::{FILE_CONFIG, FileStreamSinkTask};

const LOG: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

/// The configuration keys, for connector and task.
pub(crate) fn definition() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new(FILE_CONFIG, Type::String)
            .default_null()
            .importance(Importance::High)
            .doc("Path of the file to append to. Without it, records are written to standard output."),
    )
}

/// Appends records to a file, one line each.
#[derive(Debug, Default)]
pub struct FileStreamSinkConnector {
    config: ConfigMap,
}

impl SinkConnector for FileStreamSinkConnector {
    type Task = FileStreamSinkTask;

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        let parsed = definition().parse(config)?;
        let target = crate::file(&parsed).unwrap_or("standard output");
        info!(target: LOG, "Starting file sink connector writing to {target}");
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        Ok(vec![self.config.clone(); max_tasks])
    }

    fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SinkOffsetChange]) -> Result<bool> {
        // Nothing is kept beside the consumer group's offsets.
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::TopicPartition;

    #[test]
    fn any_offset_may_be_set_or_forgotten() {
        let changes = [
            (TopicPartition::new("t", 0), Some(5)),
            (TopicPartition::new("u", 1), None),
        ];
        let connector = FileStreamSinkConnector::default();
        assert_eq!(connector.alter_offsets(&ConfigMap::new(), &changes), Ok(true));
    }
}
