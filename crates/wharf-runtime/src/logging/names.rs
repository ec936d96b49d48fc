//! Logger names. Upstream's class names are the one name space, because operators' runbooks and scripts know them;
//! module paths of this workspace have a row here.
//!
//! The binary's crate has rows for its single modules only: a row for all of `wharf` would also take the classes of plugins
//! whose names begin with `wharf.`.

/// Module path → logger name. The longest row that fits decides; what is left of the path is appended with dots.
pub(super) const ROWS: &[(&str, &str)] = &[
    ("rdkafka", "org.apache.kafka.clients"),
    (
        "wharf.distributed",
        "org.apache.kafka.connect.cli.ConnectDistributed",
    ),
    ("wharf.signals", "org.apache.kafka.connect.cli.ConnectStandalone"),
    (
        "wharf.standalone",
        "org.apache.kafka.connect.cli.ConnectStandalone",
    ),
    ("wharf_abi", "org.apache.kafka.connect.runtime.isolation"),
    ("wharf_avro", "io.confluent.connect.avro"),
    ("wharf_change_events", "io.debezium.transforms"),
    ("wharf_cluster", "org.apache.kafka.connect.runtime.distributed"),
    ("wharf_converters", "org.apache.kafka.connect.converters"),
    ("wharf_converters.json", "org.apache.kafka.connect.json"),
    ("wharf_file", "org.apache.kafka.connect.file"),
    (
        "wharf_file.file_stream_sink_connector",
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
    ),
    (
        "wharf_file.file_stream_sink_task",
        "org.apache.kafka.connect.file.FileStreamSinkTask",
    ),
    (
        "wharf_file.file_stream_source_connector",
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
    ),
    (
        "wharf_file.file_stream_source_task",
        "org.apache.kafka.connect.file.FileStreamSourceTask",
    ),
    ("wharf_jdbc", "io.confluent.connect.jdbc"),
    ("wharf_json_schema", "io.confluent.connect.json"),
    ("wharf_kafka", "org.apache.kafka.clients"),
    ("wharf_kafka.admin", "org.apache.kafka.clients.admin"),
    ("wharf_kafka.consumer", "org.apache.kafka.clients.consumer"),
    ("wharf_kafka.producer", "org.apache.kafka.clients.producer"),
    (
        "wharf_kafka.topic_log",
        "org.apache.kafka.connect.util.KafkaBasedLog",
    ),
    (
        "wharf_membership",
        "org.apache.kafka.connect.runtime.distributed.WorkerGroupMember",
    ),
    ("wharf_oauth", "org.apache.kafka.common.security.oauthbearer"),
    ("wharf_protobuf", "io.confluent.connect.protobuf"),
    ("wharf_rest", "org.apache.kafka.connect.runtime.rest"),
    (
        "wharf_rest.server",
        "org.apache.kafka.connect.runtime.rest.RestServer",
    ),
    ("wharf_runtime", "org.apache.kafka.connect.runtime"),
    (
        "wharf_runtime.config",
        "org.apache.kafka.connect.runtime.WorkerConfig",
    ),
    (
        "wharf_runtime.distributed",
        "org.apache.kafka.connect.runtime.distributed.DistributedHerder",
    ),
    (
        "wharf_runtime.herder",
        "org.apache.kafka.connect.runtime.AbstractHerder",
    ),
    (
        "wharf_runtime.herder.distributed",
        "org.apache.kafka.connect.runtime.distributed.DistributedHerder",
    ),
    (
        "wharf_runtime.herder.standalone",
        "org.apache.kafka.connect.runtime.standalone.StandaloneHerder",
    ),
    (
        "wharf_runtime.logging",
        "org.apache.kafka.connect.runtime.Loggers",
    ),
    (
        "wharf_runtime.metrics",
        "org.apache.kafka.connect.runtime.ConnectMetrics",
    ),
    (
        "wharf_runtime.offsets",
        "org.apache.kafka.connect.storage.OffsetStorage",
    ),
    (
        "wharf_runtime.offsets.file_store",
        "org.apache.kafka.connect.storage.FileOffsetBackingStore",
    ),
    (
        "wharf_runtime.offsets.kafka_store",
        "org.apache.kafka.connect.storage.KafkaOffsetBackingStore",
    ),
    (
        "wharf_runtime.offsets.offset_writer",
        "org.apache.kafka.connect.storage.OffsetStorageWriter",
    ),
    (
        "wharf_runtime.plugins",
        "org.apache.kafka.connect.runtime.isolation.Plugins",
    ),
    (
        "wharf_runtime.standalone",
        "org.apache.kafka.connect.runtime.standalone.StandaloneHerder",
    ),
    (
        "wharf_runtime.stores.config_store",
        "org.apache.kafka.connect.storage.KafkaConfigBackingStore",
    ),
    (
        "wharf_runtime.stores.status_store",
        "org.apache.kafka.connect.storage.KafkaStatusBackingStore",
    ),
    (
        "wharf_runtime.stores.status_writer",
        "org.apache.kafka.connect.storage.KafkaStatusBackingStore",
    ),
    ("wharf_runtime.worker", "org.apache.kafka.connect.runtime.Worker"),
    (
        "wharf_runtime.worker.errors",
        "org.apache.kafka.connect.runtime.errors",
    ),
    (
        "wharf_runtime.worker.errors.dead_letter_queue",
        "org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter",
    ),
    (
        "wharf_runtime.worker.errors.log_reporter",
        "org.apache.kafka.connect.runtime.errors.LogReporter",
    ),
    (
        "wharf_runtime.worker.errors.retry_with_tolerance",
        "org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator",
    ),
    (
        "wharf_runtime.worker.errors.sink_reporter",
        "org.apache.kafka.connect.runtime.errors.WorkerErrantRecordReporter",
    ),
    (
        "wharf_runtime.worker.submitted_records",
        "org.apache.kafka.connect.runtime.SubmittedRecords",
    ),
    (
        "wharf_runtime.worker.topic_creator",
        "org.apache.kafka.connect.util.TopicAdmin",
    ),
    (
        "wharf_runtime.worker.transactions",
        "org.apache.kafka.connect.runtime.ExactlyOnceWorkerSourceTask",
    ),
    (
        "wharf_runtime.worker.transformation_chain",
        "org.apache.kafka.connect.runtime.TransformationChain",
    ),
    (
        "wharf_runtime.worker.worker_connector",
        "org.apache.kafka.connect.runtime.WorkerConnector",
    ),
    (
        "wharf_runtime.worker.worker_sink_task",
        "org.apache.kafka.connect.runtime.WorkerSinkTask",
    ),
    (
        "wharf_runtime.worker.worker_source_task",
        "org.apache.kafka.connect.runtime.WorkerSourceTask",
    ),
    (
        "wharf_schema_registry",
        "io.confluent.kafka.schemaregistry.client",
    ),
    ("wharf_schema_registry.serde", "io.confluent.kafka.serializers"),
    ("wharf_transforms", "org.apache.kafka.connect.transforms"),
];

/// The logger that a `tracing` target, a module path or a name of either kind stands for.
#[must_use]
pub fn logger_name(target: &str) -> String {
    let dotted = target.trim().replace("::", ".");
    let row = ROWS
        .iter()
        .filter_map(|(path, name)| {
            let rest = dotted.strip_prefix(path)?;
            (rest.is_empty() || rest.starts_with('.')).then_some((path.len(), *name, rest))
        })
        .max_by_key(|(length, ..)| *length);
    match row {
        Some((_, name, rest)) => format!("{name}{rest}"),
        None => dotted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_fitting_row_decides() {
        let cases = [
            (
                "wharf_runtime::worker::worker_source_task",
                "org.apache.kafka.connect.runtime.WorkerSourceTask",
            ),
            (
                "wharf_runtime.worker.worker_source_task",
                "org.apache.kafka.connect.runtime.WorkerSourceTask",
            ),
            (
                "wharf_runtime::worker::worker_sink_task::offsets",
                "org.apache.kafka.connect.runtime.WorkerSinkTask.offsets",
            ),
            ("wharf_runtime::worker", "org.apache.kafka.connect.runtime.Worker"),
            (
                "wharf_runtime::workers",
                "org.apache.kafka.connect.runtime.workers",
            ),
            ("wharf_runtime", "org.apache.kafka.connect.runtime"),
            (
                "wharf::standalone",
                "org.apache.kafka.connect.cli.ConnectStandalone",
            ),
            ("wharf.test.ChattySource", "wharf.test.ChattySource"),
            ("wharf", "wharf"),
            ("wharfish", "wharfish"),
            (
                "org.apache.kafka.clients.producer",
                "org.apache.kafka.clients.producer",
            ),
            ("my_plugin::task", "my_plugin.task"),
        ];
        for (target, expected) in cases {
            assert_eq!(logger_name(target), expected, "{target}");
        }
    }

    #[test]
    fn rows_are_of_modules_that_there_are() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (path, _) in ROWS.iter().filter(|(path, _)| path.starts_with("wharf")) {
            let (package, module) = path.split_once('.').unwrap_or((path, "lib"));
            let module = module.replace('.', "/");
            let folders = [
                format!("crates/{}", package.replace('_', "-")),
                format!(
                    "plugins/{}",
                    package.trim_start_matches("wharf_").replace('_', "-")
                ),
            ];
            let is_there = folders.iter().any(|folder| {
                let source = root.join(folder).join("src");
                source.join(format!("{module}.rs")).is_file() || source.join(&module).join("mod.rs").is_file()
            });
            assert!(is_there, "{path}");
        }
    }

    #[test]
    fn every_plugin_of_this_workspace_has_a_row() {
        let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        let mut count = 0;
        for plugin in std::fs::read_dir(plugins).unwrap() {
            let name = plugin.unwrap().file_name().into_string().unwrap();
            let path = format!("wharf_{}", name.replace('-', "_"));
            assert!(ROWS.iter().any(|(row, _)| *row == path), "{path}");
            count += 1;
        }
        assert!(count > 0);
    }

    #[test]
    fn upstreams_names_of_what_handles_records_reach_our_modules() {
        for (target, name) in [
            (
                "wharf_runtime::worker::errors::log_reporter",
                "org.apache.kafka.connect.runtime.errors.LogReporter",
            ),
            (
                "wharf_runtime::worker::errors::stage",
                "org.apache.kafka.connect.runtime.errors.stage",
            ),
            (
                "wharf_runtime::worker::transformation_chain",
                "org.apache.kafka.connect.runtime.TransformationChain",
            ),
            (
                "wharf_transforms::cast",
                "org.apache.kafka.connect.transforms.cast",
            ),
        ] {
            assert_eq!(logger_name(target), name);
        }
    }

    #[test]
    fn rows_are_sorted_and_no_path_comes_twice() {
        assert!(ROWS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
