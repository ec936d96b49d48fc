//! Membership in the group: one member's half of the classic group protocol (FindCoordinator, JoinGroup, SyncGroup,
//! Heartbeat, LeaveGroup), as a state machine without clock and without I/O.
//!
//! A driver owns the connections. It hands the time and every response to [`GroupMember`], takes its [`Output`]s until there
//! are none, and comes back at [`GroupMember::next_deadline`]. The herder decides what is told to the group
//! ([`GroupMember::set_metadata`]) and when to join ([`GroupMember::request_rejoin`]).
//!
//! Where this differs from a JVM worker, and why:
//! - Work is held under a [`Lease`]: a session timeout after the last heartbeat that the broker confirmed. By then the broker may
//!   have given the work to others, so [`Event::LeaseLapsed`] ends it here. A JVM worker runs on, and relies on its leader
//!   waiting for five minutes.
//! - Heartbeats go on while the broker holds back the answer to a join, over another connection: that is how a member knows
//!   that its lease goes on. A JVM worker sends none then.
//! - Losing sight of the coordinator is told ([`Event::CoordinatorLost`]) but stops nothing before the lease does.
//! - An assignment that cannot be read is asked for again instead of ending the process.
//!
//! What must stay true:
//! - At most one join is under way, and none before the herder has stopped what the last assignment revoked and what the
//!   eager protocol takes away.
//! - Whoever gave up its lease does not join before the herder knows: it would claim work that it no longer runs.
//! - A lost connection alone costs neither member id nor generation.
//! - Answers to requests of an earlier generation or an earlier connection change nothing.

mod advance;
mod backoff;
mod coordinator;
mod error;
mod liveness;
mod machine;
mod messages;
mod output;
mod responses;
mod settings;
mod state;

pub use self::coordinator::Coordinator;
pub use self::error::MemberError;
pub use self::liveness::Lease;
pub use self::machine::GroupMember;
pub use self::messages::{
    Destination, FindCoordinatorResponse, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, KafkaError,
    LeaveGroupResponse, Request, RequestBody, RequestId, RequestKind, Response, SyncGroupRequest,
    SyncGroupResponse,
};
pub use self::output::{Elected, Event, Joined, Output};
pub use self::settings::MemberSettings;

#[cfg(test)]
mod tests;
