//! The source connector: one file, one task.

use tracing::info;
use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::source::SourceOffsetChange;
use wharf_api::{
    ConfigMap, ConnectError, ConnectorContext, ExactlyOnceSupport, OffsetMap, Result, SourceConnector, Value,
};

use crate::{BATCH_SIZE_CONFIG, FILE_CONFIG, FileStreamSourceTask, TOPIC_CONFIG};

/// Key of a source partition: the file's path as configured; null for standard input.
pub(crate) const FILENAME_FIELD: &str = "filename";
/// Key of a source offset: bytes of the file that were emitted, ends of lines included; null for standard input.
pub(crate) const POSITION_FIELD: &str = "position";

const LOG: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const DEFAULT_BATCH_SIZE: i32 = 2000;

/// The configuration keys, for connector and task.
pub(crate) fn definition() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new(FILE_CONFIG, Type::String)
                .default_null()
                .importance(Importance::High)
                .doc("Path of the file to read. Without it, standard input is read."),
        )
        .define(
            ConfigKey::new(TOPIC_CONFIG, Type::String)
                .validator(Validator::NonEmptyString)
                .importance(Importance::High)
                .doc("The topic that lines are written to."),
        )
        .define(
            ConfigKey::new(BATCH_SIZE_CONFIG, Type::Int)
                .default(DEFAULT_BATCH_SIZE)
                .importance(Importance::Low)
                .doc("The largest number of lines that the task hands over at once."),
        )
}

/// Reads a file line by line, also while it grows.
#[derive(Debug, Default)]
pub struct FileStreamSourceConnector {
    config: ConfigMap,
}

impl SourceConnector for FileStreamSourceConnector {
    type Task = FileStreamSourceTask;

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        let parsed = definition().parse(config)?;
        let source = crate::file(&parsed).unwrap_or("standard input");
        info!(target: LOG, "Starting file source connector reading from {source}");
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<ConfigMap>> {
        // A file cannot be split among tasks, because where a line begins is known by reading what is before it.
        Ok(vec![self.config.clone()])
    }

    fn exactly_once_support(&self, config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
        let parsed = definition().parse(config)?;
        Ok(Some(match crate::file(&parsed) {
            Some(_) => ExactlyOnceSupport::Supported,
            // A console cannot be read again.
            None => ExactlyOnceSupport::Unsupported,
        }))
    }

    fn alter_offsets(&self, config: &ConfigMap, offsets: &[SourceOffsetChange]) -> Result<bool> {
        let parsed = definition().parse(config)?;
        if crate::file(&parsed).is_none() {
            return Err(ConnectError::connect(
                "Offsets cannot be modified if the 'file' configuration is unspecified. \
                 This is because stdin is used for input and offsets are not tracked.",
            ));
        }
        // Partitions of earlier configurations are welcome too, so the file's name is not compared.
        for (partition, offset) in offsets {
            if let Some(offset) = offset {
                check_offset(partition, offset)?;
            }
        }
        Ok(true)
    }
}

fn check_offset(partition: &OffsetMap, offset: &OffsetMap) -> Result<()> {
    let refused = |reason: &str| Err(ConnectError::connect(reason));
    match offset.get(POSITION_FIELD) {
        None => refused("Offset objects should either be null or contain the key 'position'"),
        Some(Value::Int64(position)) if *position < 0 => {
            refused("The value for the 'position' key in the offset should be a non-negative value")
        }
        Some(Value::Int64(_)) if partition.get(FILENAME_FIELD).is_none() => {
            refused("Partition objects should contain the key 'filename'")
        }
        Some(Value::Int64(_)) => Ok(()),
        Some(_) => refused("The value for the 'position' key in the offset is expected to be a Long value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn alter(partition: OffsetMap, offset: Option<OffsetMap>) -> Result<bool> {
        let config = config(&[("file", "a.txt"), ("topic", "t")]);
        FileStreamSourceConnector::default().alter_offsets(&config, &[(partition, offset)])
    }

    #[test]
    fn offsets_that_fit_may_be_set() {
        let file = || OffsetMap::from([("filename", "a.txt")]);
        let other = || OffsetMap::from([("someKey", "x")]);
        for (partition, offset) in [
            (file(), None),
            (other(), None),
            (OffsetMap::new(), None),
            (file(), Some(OffsetMap::from([("position", 0_i64)]))),
            (file(), Some(OffsetMap::from([("position", 10_i64)]))),
        ] {
            assert_eq!(alter(partition, offset), Ok(true));
        }
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused_with_the_reason() {
        let file = || OffsetMap::from([("filename", "a.txt")]);
        let position = |value: Value| OffsetMap::from([("position", value)]);
        for (partition, offset, reason) in [
            (
                file(),
                OffsetMap::from([("other_offset_key", 0_i64)]),
                "contain the key 'position'",
            ),
            (file(), position(Value::Null), "expected to be a Long"),
            (file(), position("10".into()), "expected to be a Long"),
            (file(), position(10_i32.into()), "expected to be a Long"),
            (file(), position(true.into()), "expected to be a Long"),
            (file(), position((-1_i64).into()), "non-negative"),
            (
                OffsetMap::from([("other_partition_key", "a")]),
                position(0_i64.into()),
                "key 'filename'",
            ),
        ] {
            let error = alter(partition, Some(offset)).unwrap_err();
            assert!(error.message().contains(reason), "{reason}: {error}");
        }
    }

    #[test]
    fn one_bad_offset_among_several_refuses_all() {
        let offsets = [
            (
                OffsetMap::from([("filename", "a")]),
                Some(OffsetMap::from([("position", 0_i64)])),
            ),
            (
                OffsetMap::from([("x", "a")]),
                Some(OffsetMap::from([("position", 0_i64)])),
            ),
        ];
        let config = config(&[("file", "a"), ("topic", "t")]);
        assert!(
            FileStreamSourceConnector::default()
                .alter_offsets(&config, &offsets)
                .is_err()
        );
    }

    #[test]
    fn standard_input_has_neither_offsets_nor_exactly_once() {
        for console in [config(&[("topic", "t")]), config(&[("topic", "t"), ("file", "")])] {
            let connector = FileStreamSourceConnector::default();
            let error = connector.alter_offsets(&console, &[]).unwrap_err();
            assert!(
                error.message().starts_with("Offsets cannot be modified"),
                "{error}"
            );
            assert_eq!(
                connector.exactly_once_support(&console),
                Ok(Some(ExactlyOnceSupport::Unsupported))
            );
        }
        let file = config(&[("topic", "t"), ("file", "a.txt")]);
        let support = FileStreamSourceConnector::default().exactly_once_support(&file);
        assert_eq!(support, Ok(Some(ExactlyOnceSupport::Supported)));
    }

    #[test]
    fn mistakes_in_the_configuration_are_named() {
        let errors = |entries: &[(&str, &str)]| -> Vec<String> {
            let values = FileStreamSourceConnector::default()
                .validate(&config(entries))
                .unwrap();
            values.into_iter().flat_map(|value| value.errors).collect()
        };
        assert_eq!(
            errors(&[]),
            ["Missing required configuration \"topic\" which has no default value."]
        );
        assert_eq!(
            errors(&[("topic", "")]),
            ["Invalid value  for configuration topic: String must be non-empty"]
        );
        assert_eq!(
            errors(&[("topic", "t"), ("batch.size", "many")]),
            ["Invalid value many for configuration batch.size: Not a number of type INT"]
        );
        assert!(errors(&[("topic", "t")]).is_empty());
    }
}
