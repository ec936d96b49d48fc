//! Everything of Wharf that speaks to Kafka.
//!
//! Java client properties are translated by [`translate`]; of the result a [`Producer`], a [`Consumer`] or an
//! [`Admin`] is made. All three are blocking and meant for threads of their own; none knows what a connector is.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//! use wharf_kafka::{ClientKind, Producer, SendError, translate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let properties = BTreeMap::from([("bootstrap.servers".to_owned(), "localhost:9092".to_owned())]);
//! let translated = translate(ClientKind::Producer, &properties).map_err(|problems| problems[0].to_string())?;
//! let producer = Producer::new(&translated)?;
//! let topic = producer.topic("lines")?;
//! for number in 0..1000 {
//!     while let Err(error) = producer.send(&topic, None, None, None, Some(b"hello"), &[], number) {
//!         match error {
//!             // Backpressure: take reports, which frees the buffer, and try again.
//!             SendError::QueueFull => drop(producer.poll_acks(Duration::from_millis(100), |_| {})),
//!             other => return Err(other.into()),
//!         }
//!     }
//!     producer.poll_acks(Duration::ZERO, |delivery| {
//!         // Here the record with this number is safe (or lost, with a reason).
//!         let _ = (delivery.opaque, delivery.result);
//!     });
//! }
//! producer.flush(Duration::from_secs(10), |_| {});
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: no record that was accepted goes unreported; a consumer keeps its partitions until its handler let go of
//! them; secrets of the properties reach librdkafka and nothing else.

mod admin;
mod consumer;
mod error;
mod groups;
mod kept_records;
pub mod logging;
mod murmur2;
mod native;
mod producer;
mod properties;
mod reader;
mod topic_log;
mod transactions;
mod types;
mod waker;

pub use admin::{Admin, Deletion, GroupDescription, NewTopic, OffsetSpec, TopicCreation};
pub use consumer::{Consumer, ConsumerHandler};
pub use error::{ErrorCode, KafkaError};
pub use groups::{GroupMember, GroupMembers};
pub use kept_records::KeptRecords;
pub use murmur2::{murmur2, partition_for_key};
pub use native::librdkafka_version;
pub use native::memory::trim as trim_memory;
pub use native::messages::{Headers, MessageRef};
pub use producer::{Delivery, Producer, SendError, TopicHandle, Undelivered};
pub use properties::{
    ClientKind, OffsetReset, PropertyDefault, PropertyDefinition, PropertyImportance, PropertyProblem,
    RuntimeSettings, Translated, Type as PropertyType, definition, translate,
};
pub use reader::Reader;
pub use topic_log::{LogClients, LogError, LogRecord, LogTopic, ReadPositions, TopicLog, write_all};
pub use transactions::TransactionError;
pub use types::{PartitionOffset, Timestamp, TopicMetadata, TopicPartition};
pub use waker::ConsumerWaker;

/// Waits until the clients that were dropped are destroyed in the background; `false` when `timeout` was not enough.
///
/// A worker calls it last before its process ends, so that no client thread is torn out of its work. A client that
/// somebody still holds makes it wait in vain.
pub fn wait_for_closed_clients(timeout: std::time::Duration) -> bool {
    native::client::wait_destroyed(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_be_handed_to_the_thread_that_owns_the_task() {
        fn send<T: Send>() {}
        fn share<T: Send + Sync>() {}
        send::<Consumer>();
        send::<KeptRecords>();
        send::<Reader>();
        share::<Producer>();
        share::<TopicHandle>();
        share::<Admin>();
    }
}
