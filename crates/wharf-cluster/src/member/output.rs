//! What a member wants to be done, and what it tells the herder.

use super::{KafkaError, MemberError, Request};
use crate::protocol::{Assignment, ConnectProtocol, ProtocolError};

/// One thing for the driver, to be done in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a request, over a new connection if there is none to its destination.
    Send(Request),
    /// Close all connections to the coordinator. Answers that still come over it are not handed in; they would do no harm.
    Disconnect,
    /// Tell the herder.
    Event(Event),
}

/// What the herder has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A rebalance begins. With `revoke_all` everything has to stop first, and the join waits for
    /// [`super::GroupMember::prepared`]; without it everything keeps running and the join goes out at once.
    Prepare {
        /// Whether everything has to stop.
        revoke_all: bool,
    },
    /// This member leads: [`super::GroupMember::assignments`] has to follow.
    Elected(Elected),
    /// The rebalance is over. If it revoked anything, the next join waits for [`super::GroupMember::prepared`].
    Joined(Joined),
    /// The assignment cannot be read; the member joins again.
    AssignmentUnreadable(ProtocolError),
    /// The coordinator has been unknown for the discovery timeout. A JVM worker would stop its work here; the lease goes on.
    CoordinatorLost,
    /// Others may run this worker's work from now on: stop it all, store nothing any more, send nothing any more. The member
    /// does not join again before [`super::GroupMember::request_rejoin`], by which time the metadata must own nothing.
    LeaseLapsed {
        /// For the log.
        reason: &'static str,
    },
    /// The broker did not like the goodbye; this is no member all the same.
    LeaveRefused(KafkaError),
    /// The member has left for good.
    Closed,
    /// The member cannot go on; the worker ends.
    Fatal(MemberError),
}

impl Event {
    /// Whether it changes what this member owns. The herder says [`super::GroupMember::event_taken`] when it begins to act on
    /// it: between two threads, what it said before may arrive after.
    #[must_use]
    pub fn decides_ownership(&self) -> bool {
        matches!(
            self,
            Self::Prepare { revoke_all: true } | Self::Joined(_) | Self::LeaseLapsed { .. }
        )
    }
}

/// A JoinGroup response for the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elected {
    /// The generation that begins.
    pub generation: i32,
    /// The generation of this member's last assignment; −1 when it had none.
    pub last_completed_generation: i32,
    /// This member.
    pub member_id: String,
    /// What the group agreed on.
    pub protocol: ConnectProtocol,
    /// Ids and metadata of all members, this one included.
    pub members: Vec<(String, Vec<u8>)>,
}

/// A new assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its generation.
    pub generation: i32,
    /// This member.
    pub member_id: String,
    /// What the group agreed on.
    pub protocol: ConnectProtocol,
    /// The assignment as the leader wrote it: under a cooperative protocol only what is new and what is revoked.
    pub assignment: Assignment,
    /// Whether this member leads.
    pub is_leader: bool,
}
