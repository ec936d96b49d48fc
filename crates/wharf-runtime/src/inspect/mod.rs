//! A group of workers and its topics, looked at from outside: what `wharf cluster` and `wharf migrate check` show.
//!
//! [`Observer`] asks the brokers, [`ClusterReport`] puts together who runs what, [`MigrationReport`] whether a group's
//! connectors can run on native workers. What is said of them is decided by functions without I/O ([`findings`], and what
//! validation says already).
//!
//! What must stay true: nothing is written, created or joined; what could not be learned is said to be unknown, never guessed;
//! a value of a key that holds a secret is in no answer.

mod client_file;
mod cluster;
mod connector_check;
pub mod dead_letters;
mod findings;
mod found_offsets;
mod group;
mod migration;
mod observer;
mod resolved_file;
mod secrets;
mod topics;
mod worker_check;
mod worker_file;
mod workers;

use std::time::Duration;

use wharf_kafka::KafkaError;

pub use self::client_file::ClientFile;
pub use self::cluster::{
    ClusterReport, ConnectorReport, GenerationReport, GenerationSource, LeaderReport, MemberReport,
    MemberTopicReport, StatusReport, WorkReport,
};
pub use self::connector_check::{ConnectorCheck, ConverterFound, OffsetsFound, PluginFound, Problem};
pub use self::findings::{Finding, FindingKind};
pub use self::migration::{MigrationReport, UnreadableRecord};
pub use self::observer::Observer;
pub use self::topics::TopicReport;
pub use self::worker_check::{Difference, WorkerCheck};
pub use self::worker_file::WorkerFile;
pub use self::workers::WorkerKind;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The worker file cannot be used even for looking.
    #[error("{}", .0.join("\n"))]
    WorkerFile(Vec<String>),
    /// Kafka does not answer, or refuses.
    #[error(
        "Kafka at {servers} cannot be asked: {reason}; check bootstrap.servers and the security settings of the worker file"
    )]
    Unreachable {
        /// `bootstrap.servers`.
        servers: String,
        /// What happened.
        reason: KafkaError,
    },
    /// A request failed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The group is not one of workers.
    #[error(
        "group {group} is not a group of Connect workers: its members are of protocol type `{found}`, those of workers of \
         `connect`; check group.id of the worker file"
    )]
    OtherProtocol {
        /// `group.id`.
        group: String,
        /// The type of its members.
        found: String,
    },
    /// There is neither the group nor what it would have left behind.
    #[error(
        "there is no group {group}, and no topic {topic} (config.storage.topic) either: check whether the worker file is that of \
         the group, and bootstrap.servers that of its cluster"
    )]
    NoSuchGroup {
        /// `group.id`.
        group: String,
        /// The config topic.
        topic: String,
    },
    /// There is no config topic, and so nothing to look at.
    #[error(
        "topic {topic}, named by {key}, does not exist: check whether the worker file is that of the group to be moved"
    )]
    NoSuchTopic {
        /// The topic.
        topic: String,
        /// The worker key that names it.
        key: &'static str,
    },
    /// A topic is there and cannot be read to its end.
    #[error("topic {topic} cannot be read: {reason}")]
    Unreadable {
        /// The topic.
        topic: String,
        /// What happened.
        reason: String,
    },
}

/// Waits until the clients of observers that were dropped are gone, so that none is torn out of its work by the end of the
/// process; not for long, as one that waits for a dead broker takes its time.
pub fn finish() {
    const LONGEST: Duration = Duration::from_secs(2);
    // What is left after that has nothing to lose.
    let _ = wharf_kafka::wait_for_closed_clients(LONGEST);
}
