//! Takes a transactional id away from whoever uses it: to fence, or to write in the place of the task it belongs to.

use std::time::{Duration, Instant};

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_kafka::{Producer, TransactionError};

use super::{Worker, client_properties};
use crate::config::{ClientKind, offsets_admin_config, offsets_producer_config, transactional};
use crate::offsets::{OffsetEntry, OffsetTopic, send_offsets};

/// How long one attempt to claim lasts.
const CLAIM_STEP: Duration = Duration::from_secs(1);
/// For the end of a transaction that failed.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the producer is configured with.
enum As {
    /// The connector's admin settings: who fences needs no right to write records.
    Admin,
    /// The connector's producer settings.
    Producer,
}

/// Claims the id with the connector's admin settings: its former owner can commit nothing more, what it had open is aborted.
/// Blocks.
///
/// # Errors
/// When Kafka refuses, or does not answer in time.
pub(crate) fn claim_transactional_id(
    worker: &Worker,
    connector: &str,
    config: &ConfigMap,
    id: &str,
    timeout: Duration,
) -> Result<Producer> {
    claim(worker, connector, config, id, timeout, &As::Admin)
}

fn claim(
    worker: &Worker,
    connector: &str,
    config: &ConfigMap,
    id: &str,
    timeout: Duration,
    with: &As,
) -> Result<Producer> {
    let (kind, settings) = match with {
        As::Admin => (
            ClientKind::Admin,
            offsets_admin_config(&worker.config, connector, config),
        ),
        As::Producer => (
            ClientKind::Producer,
            offsets_producer_config(&worker.config, connector, config),
        ),
    };
    let settings = transactional(settings, id, connector);
    let properties = client_properties(
        wharf_kafka::ClientKind::Producer,
        &settings,
        &kind.overrides(config),
    )?;
    let failed = |why: &dyn std::fmt::Display| {
        ConnectError::connect(format!("the transactional id {id} cannot be claimed: {why}"))
    };
    let producer = Producer::new(&properties).map_err(|error| failed(&error))?;
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(CLAIM_STEP);
        match producer.init_transactions(left) {
            Ok(()) => return Ok(producer),
            Err(TransactionError::Retriable(_)) if Instant::now() < deadline => {}
            Err(error) => return Err(failed(&error)),
        }
    }
}

/// Writes offsets of a connector that is stopped, in a transaction of its first task. Blocks.
///
/// # Errors
/// When Kafka refuses, or does not answer in time; then nothing was changed.
pub(crate) fn write_offsets_in_transaction(
    worker: &Worker,
    connector: &str,
    config: &ConfigMap,
    id: &str,
    topic: &dyn OffsetTopic,
    entries: Vec<OffsetEntry>,
    timeout: Duration,
) -> Result<()> {
    let producer = claim(worker, connector, config, id, timeout, &As::Producer)?;
    let failed = |why: &dyn std::fmt::Display| {
        ConnectError::connect(format!(
            "offsets cannot be written to topic {}: {why}",
            topic.topic()
        ))
    };
    topic.before_transaction(&entries)?;
    let handle = producer.topic(topic.topic()).map_err(|error| failed(&error))?;
    producer.begin_transaction().map_err(|error| failed(&error))?;
    let committed = send_offsets(&producer, &handle, &entries, 0, timeout, |_| {}).and_then(|()| {
        producer
            .commit_transaction(timeout, |_| {})
            .map_err(|error| failed(&error))
    });
    if committed.is_err() {
        // Left open, it would hold up everybody who reads the topic.
        let _ = producer.abort_transaction(ABORT_TIMEOUT, |_| {});
    }
    committed?;
    topic.after_transaction(entries);
    Ok(())
}
