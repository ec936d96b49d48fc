//! Requests and responses as far as membership needs them. The driver turns them into messages of whatever version the
//! broker speaks.

use std::fmt;

use super::Coordinator;
use crate::protocol::ConnectProtocol;
use crate::time::Millis;

/// Names a request, so that an answer finds what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be given back with the response.
    pub id: RequestId,
    /// Which broker it is for.
    pub to: Destination,
    /// What it asks.
    pub body: RequestBody,
    /// How long an answer is waited for. The machine watches it; the driver need not.
    pub timeout: Millis,
}

/// Which broker a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Whichever can be reached.
    AnyBroker,
    /// The coordinator, over a connection that nothing else uses: a JoinGroup request blocks it until the group has joined.
    Coordinator(Coordinator),
    /// The coordinator, over one more connection, because that one is blocked. It may be closed when it is not used.
    CoordinatorAside(Coordinator),
}

/// What a request asks. Group id, protocol type `connect` and no instance id are the same in all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestBody {
    /// Who coordinates the group.
    FindCoordinator,
    /// To become or stay a member of the next generation.
    JoinGroup(JoinGroupRequest),
    /// To hand in all assignments as leader, and to get one's own.
    SyncGroup(SyncGroupRequest),
    /// To stay a member.
    Heartbeat {
        /// The generation that this member is in.
        generation: i32,
        /// This member.
        member_id: String,
    },
    /// To be a member no longer.
    LeaveGroup {
        /// This member.
        member_id: String,
        /// For the broker's log.
        reason: String,
    },
}

impl RequestBody {
    /// Which request it is.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::FindCoordinator => RequestKind::FindCoordinator,
            Self::JoinGroup(_) => RequestKind::JoinGroup,
            Self::SyncGroup(_) => RequestKind::SyncGroup,
            Self::Heartbeat { .. } => RequestKind::Heartbeat,
            Self::LeaveGroup { .. } => RequestKind::LeaveGroup,
        }
    }
}

/// The requests of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// See [`RequestBody::FindCoordinator`].
    FindCoordinator,
    /// See [`RequestBody::JoinGroup`].
    JoinGroup,
    /// See [`RequestBody::SyncGroup`].
    SyncGroup,
    /// See [`RequestBody::Heartbeat`].
    Heartbeat,
    /// See [`RequestBody::LeaveGroup`].
    LeaveGroup,
}

/// By its name in the protocol.
impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What JoinGroup says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinGroupRequest {
    /// Empty the first time.
    pub member_id: String,
    /// `session.timeout.ms`.
    pub session_timeout: Millis,
    /// `rebalance.timeout.ms`.
    pub rebalance_timeout: Millis,
    /// The protocols offered, most wanted first, each with this worker's metadata.
    pub protocols: Vec<(ConnectProtocol, Vec<u8>)>,
    /// For the broker's log (KIP-800).
    pub reason: String,
}

/// What SyncGroup says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroupRequest {
    /// The generation that begins.
    pub generation: i32,
    /// This member.
    pub member_id: String,
    /// What the group agreed on.
    pub protocol: ConnectProtocol,
    /// Every member's assignment if this one leads; else none.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// To [`RequestBody::FindCoordinator`].
    FindCoordinator(FindCoordinatorResponse),
    /// To [`RequestBody::JoinGroup`].
    JoinGroup(JoinGroupResponse),
    /// To [`RequestBody::SyncGroup`].
    SyncGroup(SyncGroupResponse),
    /// To [`RequestBody::Heartbeat`].
    Heartbeat(HeartbeatResponse),
    /// To [`RequestBody::LeaveGroup`].
    LeaveGroup(LeaveGroupResponse),
}

/// Who coordinates the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindCoordinatorResponse {
    /// Whether there is one.
    pub error: KafkaError,
    /// Which, when there is no error.
    pub coordinator: Coordinator,
}

/// A new generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinGroupResponse {
    /// Whether there is one.
    pub error: KafkaError,
    /// Its number.
    pub generation: i32,
    /// `connect`, where the message's version says it.
    pub protocol_type: Option<String>,
    /// What the group agreed on.
    pub protocol_name: Option<String>,
    /// Member id of the leader.
    pub leader: String,
    /// This member's id, also with [`KafkaError::MemberIdRequired`].
    pub member_id: String,
    /// Ids and metadata of all members; only the leader gets them.
    pub members: Vec<(String, Vec<u8>)>,
    /// That the leader shall not assign, which happens with static members only.
    pub skip_assignment: bool,
}

/// This member's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncGroupResponse {
    /// Whether there is one.
    pub error: KafkaError,
    /// `connect`, where the message's version says it.
    pub protocol_type: Option<String>,
    /// What the group agreed on, where the message's version says it.
    pub protocol_name: Option<String>,
    /// The assignment as the leader wrote it.
    pub assignment: Vec<u8>,
}

/// Whether this is still a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatResponse {
    /// None if it is.
    pub error: KafkaError,
}

/// Whether this was a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaveGroupResponse {
    /// Of the request as a whole.
    pub error: KafkaError,
    /// Of each member that it named.
    pub members: Vec<KafkaError>,
}

/// The error codes that a member has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KafkaError {
    /// No error.
    #[default]
    None,
    /// `COORDINATOR_LOAD_IN_PROGRESS`.
    CoordinatorLoadInProgress,
    /// `COORDINATOR_NOT_AVAILABLE`; a fresh cluster says so until its offsets topic exists.
    CoordinatorNotAvailable,
    /// `NOT_COORDINATOR`.
    NotCoordinator,
    /// `ILLEGAL_GENERATION`.
    IllegalGeneration,
    /// `INCONSISTENT_GROUP_PROTOCOL`.
    InconsistentGroupProtocol,
    /// `INVALID_GROUP_ID`.
    InvalidGroupId,
    /// `UNKNOWN_MEMBER_ID`.
    UnknownMemberId,
    /// `INVALID_SESSION_TIMEOUT`.
    InvalidSessionTimeout,
    /// `REBALANCE_IN_PROGRESS`.
    RebalanceInProgress,
    /// `GROUP_AUTHORIZATION_FAILED`.
    GroupAuthorizationFailed,
    /// `MEMBER_ID_REQUIRED`.
    MemberIdRequired,
    /// `GROUP_MAX_SIZE_REACHED`.
    GroupMaxSizeReached,
    /// Any other code.
    Other(i16),
}

impl KafkaError {
    const NAMED: [(i16, Self, &'static str); 13] = [
        (0, Self::None, "NONE"),
        (
            14,
            Self::CoordinatorLoadInProgress,
            "COORDINATOR_LOAD_IN_PROGRESS",
        ),
        (15, Self::CoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE"),
        (16, Self::NotCoordinator, "NOT_COORDINATOR"),
        (22, Self::IllegalGeneration, "ILLEGAL_GENERATION"),
        (23, Self::InconsistentGroupProtocol, "INCONSISTENT_GROUP_PROTOCOL"),
        (24, Self::InvalidGroupId, "INVALID_GROUP_ID"),
        (25, Self::UnknownMemberId, "UNKNOWN_MEMBER_ID"),
        (26, Self::InvalidSessionTimeout, "INVALID_SESSION_TIMEOUT"),
        (27, Self::RebalanceInProgress, "REBALANCE_IN_PROGRESS"),
        (30, Self::GroupAuthorizationFailed, "GROUP_AUTHORIZATION_FAILED"),
        (79, Self::MemberIdRequired, "MEMBER_ID_REQUIRED"),
        (81, Self::GroupMaxSizeReached, "GROUP_MAX_SIZE_REACHED"),
    ];

    /// The error of a response's code.
    #[must_use]
    pub fn from_code(code: i16) -> Self {
        let named = Self::NAMED.iter().find(|(named, ..)| *named == code);
        named.map_or(Self::Other(code), |(_, error, _)| *error)
    }

    /// Its code.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Self::Other(code) => code,
            _ => Self::NAMED
                .iter()
                .find(|(_, error, _)| *error == self)
                .map_or(-1, |(code, ..)| *code),
        }
    }

    /// Whether the search for a coordinator goes on after it.
    pub(super) fn is_retriable(self) -> bool {
        /// Of metadata that is not there yet, of time that is over, of a connection.
        const PASSING: [i16; 9] = [3, 5, 6, 7, 8, 9, 13, 19, 20];
        match self {
            Self::CoordinatorLoadInProgress | Self::CoordinatorNotAvailable | Self::NotCoordinator => true,
            Self::Other(code) => PASSING.contains(&code),
            _ => false,
        }
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(_, error, _)| error == self) {
            Some((.., name)) => f.write_str(name),
            None => write!(f, "error code {}", self.code()),
        }
    }
}
