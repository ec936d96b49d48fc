//! Makes sure, when a task starts, that its dead letter topic is there.

use std::time::Duration;

use wharf_api::{ConnectError, Result};
use wharf_kafka::{Admin, NewTopic, Translated};

use crate::config::DeadLetterConfig;
use crate::worker::record_sender::kafka_error;

/// How long Kafka may take to describe or create the topic.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Creates the topic with one partition when it is missing; an existing one is never changed.
///
/// # Errors
/// When Kafka cannot say or refuses.
pub(crate) fn ensure_dead_letter_topic(config: &DeadLetterConfig, admin: &Translated) -> Result<()> {
    let topic = config.topic.as_str();
    let failed = |error: &wharf_kafka::KafkaError| {
        ConnectError::connect(format!(
            "Could not initialize dead letter queue with topic={topic}"
        ))
        .caused_by(kafka_error(error))
    };
    let admin = Admin::new(admin).map_err(|error| failed(&error))?;
    if admin
        .describe_topic(topic, TIMEOUT)
        .map_err(|error| failed(&error))?
        .is_some()
    {
        return Ok(());
    }
    tracing::info!("creating the dead letter topic {topic}");
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(1),
        replication_factor: Some(config.replication_factor),
        configs: Default::default(),
    };
    admin
        .create_topic(&new, TIMEOUT)
        .map(|_| ())
        .map_err(|error| failed(&error))
}
