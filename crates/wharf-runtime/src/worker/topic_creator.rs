//! Creates the topics of a source connector by its rules (`topic.creation.*`), just before the first record for a missing one.

use std::collections::HashSet;
use std::time::Duration;

use wharf_api::{ConnectError, Result};
use wharf_kafka::{Admin, NewTopic, TopicCreation as Outcome, Translated};

use super::record_sender::kafka_error;
use crate::config::TopicCreation;

/// How long Kafka may take to describe or create a topic.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The rules of one task, and what an admin client is made with to carry them out.
pub(crate) struct TopicCreator {
    rules: TopicCreation,
    admin: Translated,
    known: HashSet<String>,
}

impl TopicCreator {
    pub(crate) fn new(rules: TopicCreation, admin: Translated) -> Self {
        Self {
            rules,
            admin,
            known: HashSet::new(),
        }
    }

    /// Makes sure that the topic exists. An existing one is never changed.
    pub(crate) fn ensure(&mut self, topic: &str) -> Result<()> {
        if self.known.contains(topic) {
            return Ok(());
        }
        // Topics are few and stay: the client is there only as long as it is needed.
        let admin = Admin::new(&self.admin).map_err(|error| kafka_error(&error))?;
        let existing = admin
            .describe_topic(topic, TIMEOUT)
            .map_err(|error| kafka_error(&error))?;
        if existing.is_none() {
            let group = self.rules.group_for(topic);
            tracing::info!(
                "creating topic {topic} by the rules of topic creation group {}",
                group.name
            );
            let new = NewTopic {
                name: topic.to_owned(),
                partitions: Some(group.partitions).filter(|count| *count > 0),
                replication_factor: Some(group.replication_factor).filter(|factor| *factor > 0),
                configs: group.configs.clone(),
            };
            let outcome = admin.create_topic(&new, TIMEOUT).map_err(|error| {
                let cause = kafka_error(&error);
                let error_of = if cause.is_retriable() {
                    ConnectError::retriable
                } else {
                    ConnectError::connect
                };
                error_of(format!(
                    "topic {topic} cannot be created; create it by hand or change topic.creation.{}.*",
                    group.name
                ))
                .caused_by(cause)
            })?;
            if matches!(outcome, Outcome::Existed) {
                tracing::info!("topic {topic} was created by another client meanwhile");
            }
        }
        self.known.insert(topic.to_owned());
        Ok(())
    }
}
