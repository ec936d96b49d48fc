//! Dead letters: what is in a dead letter topic, and the way back of what is in it.
//!
//! [`DeadLetterTopic`] reads, [`Replay`] sends again, [`ThroughConnector`] lets a sink connector alone have what is sent. What
//! a letter says ([`FailureContext`]), whether it is meant ([`Selection`]), where it goes ([`ReplayPlan`]) and how far a replay is are
//! functions without I/O.
//!
//! What must stay true: looking writes nothing; a replay passes no letter before Kafka has acknowledged what it sent for it; what
//! cannot be sent is told before anything is.

mod letter;
mod names;
mod overview;
mod plan;
mod progress;
mod queue;
mod replay;
mod run;
mod selection;
mod stand_in;
mod through;

use wharf_kafka::KafkaError;

pub use self::letter::{Content, DeadLetter, FailureContext, FirstFailure, HeaderBytes};
pub use self::names::{replay_connector, replay_topic};
pub use self::overview::{LetterGroup, LetterLine, Overview};
pub use self::plan::{Destination, Obstacle, ReplayPlan, ReplayRequest};
pub use self::queue::DeadLetterTopic;
pub use self::replay::{Outcome, Replay};
pub use self::selection::{Selection, parse_time, show_time};
pub use self::through::{Drained, ThroughConnector};

use super::InspectError;

/// Why dead letters could not be looked at or sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// As with any look.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// There is no such topic.
    #[error("topic {topic} does not exist: check --topic, and bootstrap.servers of the worker file")]
    NoSuchTopic {
        /// The topic.
        topic: String,
    },
    /// The group keeps the progress of something else.
    #[error("group {group} keeps the progress of something else ({found}): name another --group, or none")]
    OtherProgress {
        /// The group.
        group: String,
        /// What it says of itself.
        found: String,
    },
    /// What was asked for is more than fits beside an offset.
    #[error("the selection is too long to be kept beside the progress ({length} bytes): shorten --reason")]
    TooLong {
        /// Bytes of the note.
        length: usize,
    },
    /// Another run does the same now.
    #[error(
        "another run of this replay has begun, so this one ends: it goes on from where this one was, and repeats what this one \
         sent in its last second"
    )]
    TakenOver,
    /// A record was not taken.
    #[error(
        "the letter at {partition}:{offset} cannot be sent to topic {topic}: {reason}; what was sent before is noted, and the same \
         command goes on with this letter, or without it if --except {partition}:{offset} is added"
    )]
    NotSent {
        /// Partition of the letter.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// Where it was to go.
        topic: String,
        /// What Kafka said.
        reason: KafkaError,
    },
    /// A worker was asked and did not do it.
    #[error("{0}")]
    Worker(String),
}

impl From<KafkaError> for DeadLetterError {
    fn from(error: KafkaError) -> Self {
        Self::Inspect(error.into())
    }
}
