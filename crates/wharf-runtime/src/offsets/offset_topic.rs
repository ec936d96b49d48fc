//! Offsets that a task's own producer writes, in the transaction of its records (exactly-once, KIP-618).
//!
//! The order of a commit: [`OffsetTopic::before_transaction`], then [`send_offsets`] into the open transaction, the commit
//! itself, then [`OffsetTopic::after_transaction`]. What must stay true: the transaction alone decides whether the offsets
//! count; what happens outside of it can only forget an offset earlier or lag behind, never run ahead.

use std::time::{Duration, Instant};

use wharf_api::{ConnectError, Result};
use wharf_kafka::{Delivery, Producer, SendError, TopicHandle};

use super::store::{OffsetBackingStore, OffsetEntry};

/// How long one wait for room in the producer's queue lasts.
const STEP: Duration = Duration::from_millis(20);

/// A store that is a topic, so that another producer than its own can write to it.
pub trait OffsetTopic: OffsetBackingStore {
    /// Name of the topic. Keys and values of entries are those of its records; the producer chooses the partition by the
    /// key's murmur2 hash, which is what [`Producer::send`] does without a partition.
    fn topic(&self) -> &str;

    /// Whether the topic says that this offset was forgotten, so that none from elsewhere counts.
    fn is_forgotten(&self, key: &[u8]) -> bool {
        let _ = key;
        false
    }

    /// What has to be stored elsewhere before these entries are sent.
    ///
    /// # Errors
    /// When that failed; the transaction must not be committed then.
    fn before_transaction(&self, entries: &[OffsetEntry]) -> Result<()> {
        let _ = entries;
        Ok(())
    }

    /// What is to be stored elsewhere once the transaction with these entries is committed. It does not wait, and failures
    /// are logged: the topic has the offsets.
    fn after_transaction(&self, entries: Vec<OffsetEntry>) {
        drop(entries);
    }
}

/// Gives entries to a producer as records of its open transaction. Each is reported with the number `opaque`, in whatever
/// `each` or a later poll or commit is given; the commit fails when one was not delivered.
///
/// # Errors
/// When a record is not taken; the transaction has to be aborted then. Retriable when the producer's queue stays full for
/// `timeout`: all of them may be given again.
pub fn send_offsets(
    producer: &Producer,
    topic: &TopicHandle,
    entries: &[OffsetEntry],
    opaque: u64,
    timeout: Duration,
    mut each: impl FnMut(Delivery),
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    for (key, value) in entries {
        loop {
            match producer.send(topic, None, None, Some(key), value.as_deref(), &[], opaque) {
                Ok(()) => break,
                Err(SendError::QueueFull) if Instant::now() < deadline => {
                    producer.poll_acks(STEP, &mut each);
                }
                Err(SendError::QueueFull) => {
                    return Err(ConnectError::retriable(format!(
                        "offsets for topic {} found no room in the producer's buffer within {} ms; raise buffer.memory",
                        topic.name(),
                        timeout.as_millis()
                    )));
                }
                Err(error) => {
                    return Err(ConnectError::connect(format!(
                        "offsets cannot be written to topic {}: {error}",
                        topic.name()
                    )));
                }
            }
        }
    }
    Ok(())
}
