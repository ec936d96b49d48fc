//! Which offset stores a source connector of a distributed worker has (KIP-618).

use std::collections::BTreeSet;

/// The stores of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetStores {
    /// The worker's, shared with all connectors.
    Worker,
    /// One with clients of the connector's own, and no other.
    Connector,
    /// One with clients of the connector's own over the worker's; see
    /// [`LayeredOffsetBackingStore`](super::LayeredOffsetBackingStore).
    Layered,
}

/// A topic and the brokers it is on, as `bootstrap.servers` names them.
#[derive(Debug, Clone, Copy)]
pub struct OffsetTopicPlace<'a> {
    /// Name of the topic.
    pub topic: &'a str,
    /// The servers; their order does not matter.
    pub servers: &'a [String],
}

impl OffsetTopicPlace<'_> {
    fn is(&self, other: &Self) -> bool {
        let servers = |place: &Self| place.servers.iter().cloned().collect::<BTreeSet<String>>();
        self.topic == other.topic && servers(self) == servers(other)
    }
}

impl OffsetStores {
    /// Decides for a connector. `topic` is its `offsets.storage.topic`, `producer_servers` are those its producer uses. With
    /// exactly-once its own producer writes offsets, to the worker's topic if it names no other.
    #[must_use]
    pub fn decide(
        exactly_once: bool,
        topic: Option<&str>,
        producer_servers: &[String],
        worker: OffsetTopicPlace<'_>,
    ) -> Self {
        if topic.is_none() && !exactly_once {
            return Self::Worker;
        }
        let own = OffsetTopicPlace {
            topic: topic.unwrap_or(worker.topic),
            servers: producer_servers,
        };
        if own.is(&worker) {
            Self::Connector
        } else {
            Self::Layered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_has_the_stores_that_upstream_gives_it() {
        let servers = |list: &str| -> Vec<String> { list.split(',').map(str::to_owned).collect() };
        let workers = servers("a:1,b:2");
        for (exactly_once, topic, own, expected) in [
            (false, None, "a:1,b:2", OffsetStores::Worker),
            (false, None, "other:1", OffsetStores::Worker),
            (false, Some("mine"), "a:1,b:2", OffsetStores::Layered),
            (false, Some("offsets"), "b:2,a:1", OffsetStores::Connector),
            (false, Some("offsets"), "a:1", OffsetStores::Layered),
            (true, None, "b:2,a:1,a:1", OffsetStores::Connector),
            (true, None, "other:1", OffsetStores::Layered),
            (true, Some("offsets"), "a:1,b:2", OffsetStores::Connector),
            (true, Some("mine"), "a:1,b:2", OffsetStores::Layered),
        ] {
            let worker = OffsetTopicPlace {
                topic: "offsets",
                servers: &workers,
            };
            assert_eq!(
                OffsetStores::decide(exactly_once, topic, &servers(own), worker),
                expected,
                "{exactly_once} {topic:?} {own}"
            );
        }
    }
}
