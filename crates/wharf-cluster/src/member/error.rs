//! Why a member cannot go on.

use super::{KafkaError, RequestKind};
use crate::protocol::ProtocolError;
use crate::time::Millis;

/// What ends the membership, and the worker with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// A broker refused, and would do so again.
    #[error("{request} for group '{group}' was refused: {error}{}", hint(*.error))]
    Refused {
        /// Which request.
        request: RequestKind,
        /// For which group.
        group: String,
        /// Why.
        error: KafkaError,
    },
    /// The group is not one of workers, or its members agreed on something that this one did not offer.
    #[error(
        "{request} for group '{group}' answered with the protocol '{protocol}', which this worker did not offer; \
         does another kind of client use the same group id"
    )]
    Protocol {
        /// Which request.
        request: RequestKind,
        /// Which group.
        group: String,
        /// What it answered.
        protocol: String,
    },
    /// The broker wants the leader not to assign, as if it were a static member.
    #[error(
        "JoinGroup for group '{group}' answered that the leader shall skip the assignment, which workers cannot"
    )]
    SkipAssignment {
        /// Which group.
        group: String,
    },
    /// The leader's assignment leaves out a member.
    #[error("the assignment of generation {generation} has no entry for member '{member}'")]
    MissingEntry {
        /// The generation.
        generation: i32,
        /// The member.
        member: String,
    },
    /// The metadata of this worker cannot be sent.
    #[error("the metadata of this worker cannot be sent: {0}")]
    Metadata(#[from] ProtocolError),
    /// Heartbeats would come too late.
    #[error(
        "heartbeat.interval.ms ({heartbeat_interval}) must be lower than session.timeout.ms ({session_timeout})"
    )]
    HeartbeatInterval {
        /// `heartbeat.interval.ms`.
        heartbeat_interval: Millis,
        /// `session.timeout.ms`.
        session_timeout: Millis,
    },
}

/// What to do about it.
fn hint(error: KafkaError) -> &'static str {
    match error {
        KafkaError::InconsistentGroupProtocol => {
            "; another kind of client uses the same group.id, or connect.protocol has nothing in common with the group's"
        }
        KafkaError::InvalidSessionTimeout => {
            "; set session.timeout.ms between group.min.session.timeout.ms and group.max.session.timeout.ms of the broker"
        }
        KafkaError::InvalidGroupId => "; set group.id",
        KafkaError::GroupAuthorizationFailed => "; allow this worker's principal to READ the group",
        KafkaError::GroupMaxSizeReached => "; raise group.max.size of the broker, or stop a worker",
        _ => "",
    }
}
