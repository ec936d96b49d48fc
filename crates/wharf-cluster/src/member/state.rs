//! How far a member is, and what it waits for.

use super::messages::{RequestId, RequestKind};
use crate::protocol::ConnectProtocol;
use crate::time::Millis;

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberState {
    /// Of no group.
    Unjoined,
    /// JoinGroup is under way or has to be sent again.
    PreparingRebalance,
    /// The generation is known, the assignment is not.
    CompletingRebalance,
    /// The assignment is known.
    Stable,
    /// The last goodbye is under way.
    Closing,
    /// Over, in peace or not.
    Ended,
}

impl MemberState {
    /// Whether heartbeats are sent.
    pub(super) fn has_joined(self) -> bool {
        matches!(self, Self::CompletingRebalance | Self::Stable)
    }
}

/// What the broker knows this member by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) protocol: Option<ConnectProtocol>,
}

impl Identity {
    pub(super) fn nobody() -> Self {
        Self {
            generation: -1,
            member_id: String::new(),
            protocol: None,
        }
    }
}

/// A request without an answer yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: RequestId,
    pub(super) kind: RequestKind,
    /// Whether it does not use the coordinator's main connection.
    pub(super) aside: bool,
    pub(super) sent: Millis,
    pub(super) expires: Millis,
    pub(super) identity: Identity,
}

/// Whether a connection has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is closed already.
    Broken,
    /// It may be open, but nothing good is expected from it.
    Doubtful,
}

/// When to join again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    AtOnce,
    AfterBackoff,
}
