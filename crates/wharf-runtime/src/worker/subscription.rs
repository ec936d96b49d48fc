//! Which topics a sink task reads. Patterns are matched here against the cluster's topics, as a Java regular expression
//! over the whole name, because librdkafka's patterns are of another kind.

use std::time::{Duration, Instant};

use wharf_api::Result;
use wharf_kafka::Consumer;

use super::record_sender::kafka_error;
use crate::config::TopicSelection;

/// `metadata.max.age.ms` may be 0, which must not keep the broker busy.
const SHORTEST_REFRESH: Duration = Duration::from_millis(100);
/// How soon topics are listed again when none matches yet or that failed, and how long it may take.
const TOPIC_RETRY: Duration = Duration::from_secs(5);
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// Which topics are read.
pub(super) struct Subscription {
    topics: TopicSelection,
    current: Option<Vec<String>>,
    next_refresh: Instant,
}

impl Subscription {
    pub(super) fn new(topics: TopicSelection) -> Self {
        Self {
            topics,
            current: None,
            next_refresh: Instant::now(),
        }
    }

    /// When [`refresh`](Self::refresh) has to look at the topics again; never for a fixed list.
    pub(super) fn next_refresh(&self) -> Option<Instant> {
        match self.topics {
            TopicSelection::List(_) => None,
            TopicSelection::Regex(_) => Some(self.next_refresh),
        }
    }

    /// Subscribes at first, and again when the topics that match a pattern have changed.
    pub(super) fn refresh(&mut self, consumer: &Consumer) -> Result<()> {
        let wanted = match &self.topics {
            TopicSelection::List(topics) if self.current.is_none() => topics.clone(),
            TopicSelection::List(_) => return Ok(()),
            TopicSelection::Regex(_) if Instant::now() < self.next_refresh => return Ok(()),
            TopicSelection::Regex(regex) => match consumer.list_topics(LIST_TIMEOUT) {
                Ok(topics) => {
                    let mut matching: Vec<String> = topics
                        .into_iter()
                        .map(|topic| topic.name)
                        .filter(|name| regex.matches(name))
                        .collect();
                    matching.sort();
                    let refresh = consumer.settings().metadata_max_age.max(SHORTEST_REFRESH);
                    self.next_refresh = Instant::now()
                        + if matching.is_empty() {
                            TOPIC_RETRY.min(refresh)
                        } else {
                            refresh
                        };
                    matching
                }
                Err(error) => {
                    tracing::warn!(
                        "the topics of the cluster cannot be listed, which is tried again: {error}"
                    );
                    self.next_refresh = Instant::now() + TOPIC_RETRY;
                    return Ok(());
                }
            },
        };
        if wanted.is_empty() || self.current.as_ref() == Some(&wanted) {
            return Ok(());
        }
        tracing::info!("subscribing to {}", wanted.join(", "));
        consumer.subscribe(&wanted).map_err(|error| kafka_error(&error))?;
        self.current = Some(wanted);
        Ok(())
    }
}
