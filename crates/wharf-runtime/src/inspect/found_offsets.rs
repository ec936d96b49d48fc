//! The offsets from which connectors would go on.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf_api::ConfigMap;

use super::connector_check::OffsetsFound;
use super::{InspectError, Observer};
use crate::config::{ClientKind, InternalTopic, sink_consumer_group};
use crate::herder::ConnectorType;
use crate::offsets::KnownOffsets;

/// For one request.
const REQUEST: Duration = Duration::from_secs(20);
/// Where a source keeps its offsets, if not where the worker does (KIP-618).
const OFFSETS_TOPIC: &str = "offsets.storage.topic";
/// By which a connector has its records, and with them its offsets, in another cluster.
const SERVERS: &str = "bootstrap.servers";

impl Observer {
    /// The offsets in the worker's offset topic.
    pub(super) fn source_offsets(&self) -> Result<KnownOffsets, InspectError> {
        self.offsets_in(&self.config().offset_topic.topic.name)
    }

    fn offsets_in(&self, topic: &str) -> Result<KnownOffsets, InspectError> {
        let mut known = KnownOffsets::default();
        let committed_only = self.config().exactly_once.is_enabled();
        let report = self.named_topic(InternalTopic::Offset, topic, committed_only)?;
        self.read(&report, |message| {
            // What is no offset is none for workers either.
            let _ = known.apply(message.key(), message.value());
        })?;
        Ok(known)
    }

    /// The offsets of a connector. `of_worker` are those in the worker's topic.
    pub(super) fn offsets_of(
        &self,
        name: &str,
        config: &ConfigMap,
        kind: ConnectorType,
        of_worker: &KnownOffsets,
    ) -> OffsetsFound {
        let elsewhere = |client: ClientKind| client.overrides(config).contains_key(SERVERS);
        if kind == ConnectorType::Sink {
            let group = sink_consumer_group(&self.config().worker, name, config);
            let place = format!("consumer group {group}");
            if elsewhere(ClientKind::Consumer) || self.config().worker.consumer.contains_key(SERVERS) {
                return OffsetsFound::not_counted(place, "it is in the cluster of the connector's consumer");
            }
            return match self.admin().group_offsets(&group, REQUEST) {
                Ok(offsets) => OffsetsFound::counted(place, offsets.len()),
                Err(error) => OffsetsFound::not_counted(place, &error.to_string()),
            };
        }
        let keys = |known: &KnownOffsets| -> BTreeSet<Vec<u8>> {
            known
                .of_connector(name)
                .into_iter()
                .map(|entry| entry.key)
                .collect()
        };
        let mut found = keys(of_worker);
        let worker_topic = &self.config().offset_topic.topic.name;
        let own = config.get(OFFSETS_TOPIC).map_or("", |topic| topic.trim());
        if own.is_empty() || own == worker_topic {
            return OffsetsFound::counted(format!("topic {worker_topic}"), found.len());
        }
        let place = format!("topic {own}");
        if elsewhere(ClientKind::Producer) || self.config().worker.producer.contains_key(SERVERS) {
            return OffsetsFound::not_counted(place, "it is in the cluster of the connector's producer");
        }
        match self.offsets_in(own) {
            Ok(known) => {
                found.extend(keys(&known));
                OffsetsFound::counted(format!("{place} and topic {worker_topic}"), found.len())
            }
            Err(error) => OffsetsFound::not_counted(place, &error.to_string()),
        }
    }
}
