//! The offsets API: reading and changing stored offsets of source connectors and group offsets of sink connectors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value as Json};
use wharf_abi::host::NoServices;
use wharf_api::source::SourceOffsetChange;
use wharf_api::{ConfigMap, ConnectError, ErrorKind, TopicPartition};
use wharf_kafka::{Admin, ErrorCode, PartitionOffset, translate};

use super::plugin_calls::on_thread;
use crate::config::{offsets_admin_config, sink_consumer_group};
use crate::herder::{ConnectorOffset, ConnectorOffsets, ConnectorType, HerderError, OffsetChange};
use crate::offsets::{OffsetStorage, offset_json};
use crate::plugins::ConnectorPlugin;
use crate::worker::{Worker, write_offsets_in_transaction};

/// How long Kafka may take for one request of the offsets API.
const TIMEOUT: Duration = Duration::from_secs(60);

type Object = Map<String, Json>;

fn bad_request(message: impl Into<String>) -> HerderError {
    HerderError::BadRequest(message.into())
}

fn kafka(error: &wharf_kafka::KafkaError) -> HerderError {
    HerderError::Internal(error.to_string())
}

/// Stored offsets of a connector. One whose class is not here may be of either kind, and runs on another worker of the group:
/// what is stored tells.
pub(super) async fn read(
    worker: Arc<Worker>,
    name: String,
    config: ConfigMap,
    connector_type: ConnectorType,
) -> Result<ConnectorOffsets, HerderError> {
    on_thread("connector-offsets", move || {
        let resolved = worker.resolve(&config)?;
        let config = &resolved.config;
        match connector_type {
            ConnectorType::Source => source_offsets(&worker, &name, config),
            ConnectorType::Sink => sink_offsets(&worker, &name, config),
            ConnectorType::Unknown => {
                let stored = source_offsets(&worker, &name, config)?;
                if stored.offsets.is_empty() {
                    sink_offsets(&worker, &name, config)
                } else {
                    Ok(stored)
                }
            }
        }
    })
    .await
}

/// Changes offsets of a connector that is stopped; no changes given means that all are forgotten. When `allowed` is no longer
/// true after the plugin has had its say, nothing is written.
pub(super) async fn alter(
    worker: Arc<Worker>,
    name: String,
    config: ConfigMap,
    plugin: ConnectorPlugin,
    changes: Option<Vec<OffsetChange>>,
    allowed: Arc<AtomicBool>,
) -> Result<String, HerderError> {
    on_thread("connector-offsets", move || {
        let resolved = worker.resolve(&config)?;
        let config = &resolved.config;
        match plugin.kind {
            ConnectorType::Source => alter_source(&worker, &name, &plugin, config, changes, &allowed),
            _ => alter_sink(&worker, &name, &plugin, config, changes, &allowed),
        }
    })
    .await
}

/// Refuses what could not be altered whatever the connector says.
pub(super) fn check_changes(
    name: &str,
    changes: Option<&[OffsetChange]>,
    is_stopped: bool,
) -> Result<(), HerderError> {
    if changes.is_some_and(<[OffsetChange]>::is_empty) {
        return Err(bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    if !is_stopped {
        return Err(bad_request(format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
             specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        )));
    }
    Ok(())
}

fn source_offsets(worker: &Worker, name: &str, config: &ConfigMap) -> Result<ConnectorOffsets, HerderError> {
    let offsets = worker.source_offsets(name, config)?;
    let stored = OffsetStorage::new(name, Arc::clone(&offsets.store)).list()?;
    let offsets = stored
        .into_iter()
        .map(|(partition, offset)| ConnectorOffset {
            partition: offset_json::to_json_object(&partition),
            offset: Some(offset_json::to_json_object(&offset)),
        })
        .collect();
    Ok(ConnectorOffsets { offsets })
}

fn admin(worker: &Worker, name: &str, config: &ConfigMap) -> Result<Admin, HerderError> {
    let settings = offsets_admin_config(&worker.config, name, config);
    let translated = translate(wharf_kafka::ClientKind::Admin, &settings).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        HerderError::Internal(list.join("; "))
    })?;
    Admin::new(&translated).map_err(|error| kafka(&error))
}

fn sink_offsets(worker: &Worker, name: &str, config: &ConfigMap) -> Result<ConnectorOffsets, HerderError> {
    let group = sink_consumer_group(&worker.config, name, config);
    let known = admin(worker, name, config)?
        .group_offsets(&group, TIMEOUT)
        .map_err(|error| kafka(&error))?;
    let offsets = known
        .into_iter()
        .map(|known| ConnectorOffset {
            partition: object([
                ("kafka_topic", Json::from(known.partition.topic.as_ref())),
                ("kafka_partition", Json::from(known.partition.partition)),
            ]),
            offset: Some(object([("kafka_offset", Json::from(known.offset))])),
        })
        .collect();
    Ok(ConnectorOffsets { offsets })
}

fn alter_source(
    worker: &Worker,
    name: &str,
    plugin: &ConnectorPlugin,
    config: &ConfigMap,
    changes: Option<Vec<OffsetChange>>,
    allowed: &AtomicBool,
) -> Result<String, HerderError> {
    let offsets = worker.source_offsets(name, config)?;
    let storage = OffsetStorage::new(name, Arc::clone(&offsets.store));
    let is_reset = changes.is_none();
    let changes: Vec<SourceOffsetChange> = match changes {
        None => storage
            .list()?
            .into_iter()
            .map(|(partition, _)| (partition, None))
            .collect(),
        Some(changes) => changes.iter().map(source_change).collect::<Result<_, _>>()?,
    };
    let asked = plugin
        .new_connector(Box::new(NoServices))
        .and_then(|mut connector| connector.alter_source_offsets(config, changes.clone()));
    let checked = asked.map_err(|error| refused(name, &error))?;
    still_allowed(allowed, name)?;
    match (&offsets.topic, worker.transactional_id(name, 0)) {
        (Some(topic), Some(id)) => {
            let entries = storage.entries(&changes)?;
            write_offsets_in_transaction(worker, name, config, &id, &**topic, entries, TIMEOUT)?;
        }
        _ => storage.write(&changes)?,
    }
    Ok(message(is_reset, checked))
}

fn alter_sink(
    worker: &Worker,
    name: &str,
    plugin: &ConnectorPlugin,
    config: &ConfigMap,
    changes: Option<Vec<OffsetChange>>,
    allowed: &AtomicBool,
) -> Result<String, HerderError> {
    let group = sink_consumer_group(&worker.config, name, config);
    let admin = admin(worker, name, config)?;
    let is_reset = changes.is_none();
    let changes: BTreeMap<TopicPartition, Option<i64>> = match &changes {
        None => admin
            .group_offsets(&group, TIMEOUT)
            .map_err(|error| kafka(&error))?
            .into_iter()
            .map(|known| {
                (
                    TopicPartition::new(known.partition.topic.as_ref(), known.partition.partition),
                    None,
                )
            })
            .collect(),
        Some(changes) => changes.iter().map(sink_change).collect::<Result<_, _>>()?,
    };
    let asked = plugin
        .new_connector(Box::new(NoServices))
        .and_then(|mut connector| {
            connector.alter_sink_offsets(config, changes.clone().into_iter().collect())
        });
    let checked = asked.map_err(|error| refused(name, &error))?;
    still_allowed(allowed, name)?;
    let in_use = |error: wharf_kafka::KafkaError| {
        if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
            bad_request(format!(
                "a topic or partition of the request does not exist: {error}"
            ))
        } else if Admin::is_group_in_use(&error) {
            HerderError::Internal(format!(
                "Failed to alter consumer group offsets for connector {name} either because its tasks haven't stopped \
                     completely yet or the connector was resumed before the request to alter its offsets could be \
                     successfully completed. If the connector is in a stopped state, this operation can be safely retried. \
                     If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie \
                     sink tasks. ({error})"
            ))
        } else {
            kafka(&error)
        }
    };
    if is_reset {
        admin.delete_group(&group, TIMEOUT).map_err(in_use)?;
        return Ok(message(is_reset, checked));
    }
    let alter: Vec<PartitionOffset> = changes
        .iter()
        .filter_map(|(tp, offset)| Some(PartitionOffset::new(tp.topic.as_str(), tp.partition, (*offset)?)))
        .collect();
    let delete: Vec<wharf_kafka::TopicPartition> = changes
        .iter()
        .filter(|(_, offset)| offset.is_none())
        .map(|(tp, _)| wharf_kafka::TopicPartition::new(tp.topic.as_str(), tp.partition))
        .collect();
    if !alter.is_empty() {
        admin
            .alter_group_offsets(&group, &alter, TIMEOUT)
            .map_err(in_use)?;
    }
    if !delete.is_empty() {
        admin
            .delete_group_offsets(&group, &delete, TIMEOUT)
            .map_err(in_use)?;
    }
    Ok(message(is_reset, checked))
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Object {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn still_allowed(allowed: &AtomicBool, name: &str) -> Result<(), HerderError> {
    if allowed.load(Ordering::Acquire) {
        Ok(())
    } else {
        Err(HerderError::taken_over(name))
    }
}

/// The answer's text, upstream's own.
fn message(is_reset: bool, checked: bool) -> String {
    let done = if is_reset { "reset" } else { "altered" };
    if checked {
        return format!("The offsets for this connector have been {done} successfully");
    }
    format!(
        "The Connect framework-managed offsets for this connector have been {done} successfully. However, if this connector \
         manages offsets externally, they will need to be manually {done} in the system that the connector uses."
    )
}

/// The connector's refusal. What a user wrote wrongly is the user's error.
fn refused(name: &str, error: &ConnectError) -> HerderError {
    match error.kind() {
        ErrorKind::Unsupported => HerderError::Internal(format!(
            "Failed to modify offsets for connector {name} because it doesn't support external modification of offsets"
        )),
        ErrorKind::Panic => HerderError::Internal(format!(
            "Failed to modify offsets for connector {name}: {error:#}"
        )),
        _ => HerderError::BadRequest(format!("{error:#}")),
    }
}

fn source_change(change: &OffsetChange) -> Result<SourceOffsetChange, HerderError> {
    let read =
        |object: &Object| offset_json::from_json_object(object).map_err(|error| bad_request(error.message()));
    let partition = change.partition.as_ref().ok_or_else(|| {
        bad_request("The partition for a source connector offset cannot be null or missing")
    })?;
    Ok((read(partition)?, change.offset.as_ref().map(read).transpose()?))
}

fn integer(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn plain_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sink_change(change: &OffsetChange) -> Result<(TopicPartition, Option<i64>), HerderError> {
    let partition = change
        .partition
        .as_ref()
        .ok_or_else(|| bad_request("The partition for a sink connector offset cannot be null or missing"))?;
    let (Some(topic), Some(number)) = (partition.get("kafka_topic"), partition.get("kafka_partition")) else {
        return Err(bad_request(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
        ));
    };
    if topic.is_null() {
        return Err(bad_request(
            "Kafka topic names must be valid strings and may not be null",
        ));
    }
    if number.is_null() {
        return Err(bad_request(
            "Kafka partitions must be valid numbers and may not be null",
        ));
    }
    // upstream's words where upstream refuses, too
    let hint = |value: &Json| match integer(value) {
        Some(number) if number < 0 => " that are not negative",
        _ => "",
    };
    let partition = integer(number)
        .and_then(|number| i32::try_from(number).ok())
        .filter(|number| *number >= 0);
    let partition = partition.ok_or_else(|| {
        bad_request(format!(
            "Failed to parse the following Kafka partition value in the provided offsets: '{}'. Partition values for sink \
             connectors need to be integers{}.",
            plain_text(number),
            hint(number)
        ))
    })?;
    let topic = plain_text(topic);
    let Some(offset) = &change.offset else {
        return Ok((TopicPartition::new(topic, partition), None));
    };
    let value = offset.get("kafka_offset").ok_or_else(|| {
        bad_request("The offset for a sink connector should either be null or contain the key 'kafka_offset'")
    })?;
    let number = integer(value).filter(|number| *number >= 0).ok_or_else(|| {
        bad_request(format!(
            "Failed to parse the following Kafka offset value in the provided offsets: '{}'. Offset values for sink connectors \
             need to be integers{}.",
            plain_text(value),
            hint(value)
        ))
    })?;
    Ok((TopicPartition::new(topic, partition), Some(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(partition: Json, offset: Json) -> OffsetChange {
        OffsetChange {
            partition: partition.as_object().cloned(),
            offset: offset.as_object().cloned(),
        }
    }

    #[test]
    fn sink_offsets_are_read_as_numbers_or_texts() {
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let read = |partition: &str, offset: &str| {
            sink_change(&change(json(partition), json(offset))).map_err(|error| error.to_string())
        };
        let t0 = TopicPartition::new("t", 0);
        let partition = r#"{"kafka_topic":"t","kafka_partition":0}"#;
        assert_eq!(
            read(partition, r#"{"kafka_offset":10}"#),
            Ok((t0.clone(), Some(10)))
        );
        assert_eq!(
            read(
                r#"{"kafka_topic":"t","kafka_partition":"0"}"#,
                r#"{"kafka_offset":"10"}"#
            ),
            Ok((t0.clone(), Some(10)))
        );
        assert_eq!(read(partition, "null"), Ok((t0, None)));
        for (partition, offset, part) in [
            ("null", "null", "cannot be null or missing"),
            (r#"{"kafka_topic":"t"}"#, "null", "must contain the keys"),
            (
                r#"{"kafka_topic":null,"kafka_partition":0}"#,
                "null",
                "topic names must be",
            ),
            (
                r#"{"kafka_topic":"t","kafka_partition":null}"#,
                "null",
                "partitions must be",
            ),
            (r#"{"kafka_topic":"t","kafka_partition":"x"}"#, "null", "'x'"),
            (r#"{"kafka_topic":"t","kafka_partition":-1}"#, "null", "'-1'"),
            (partition, "{}", "contain the key 'kafka_offset'"),
            (partition, r#"{"kafka_offset":null}"#, "'null'"),
            (partition, r#"{"kafka_offset":-5}"#, "'-5'"),
        ] {
            let error = read(partition, offset).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
