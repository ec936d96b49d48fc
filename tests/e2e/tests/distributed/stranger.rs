//! A member of a group that is no worker: it speaks the group's protocol itself, and says in it whatever a test wants.

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::runtime::Runtime;
use wharf_cluster::protocol::{Assignment, ConnectProtocol, PROTOCOL_TYPE, WorkerState};
use wharf_e2e::{PATIENCE, Stage};
use wharf_membership::{BrokerAddress, Connection, ConnectionSettings};

use crate::group::eventually;

/// What all of them agree on.
pub(crate) const PROTOCOL: ConnectProtocol = ConnectProtocol::Sessioned;
/// It need not send heartbeats, so this is how long it is a member; longer than any look at it takes.
const SESSION: i32 = 120_000;
/// The last versions in which members are told their ids when they join, and that ask for no more than is needed here.
const VERSION: i16 = 3;
const LEAVE_VERSION: i16 = 2;
/// Of a broker that reads what it knows of the group: it is no coordinator yet.
const IS_PREPARING: [i16; 3] = [14, 15, 16];
/// The group is to meet again.
const REBALANCE_IN_PROGRESS: i16 = 27;

/// A member that says whatever the test wants.
pub(crate) struct Stranger {
    runtime: Runtime,
    connection: Connection,
    group: GroupId,
    pub(crate) member: StrBytes,
    generation: i32,
}

impl Stranger {
    pub(crate) fn connect(stage: &Stage) -> Self {
        // Asking for the group makes the broker prepare for having it.
        stage.kafka().has_group(&stage.named("workers"));
        let address = BrokerAddress::parse(stage.bootstrap()).unwrap();
        let settings = ConnectionSettings {
            bootstrap: vec![address.clone()],
            client_id: "stranger".to_owned(),
            tls: None,
            sasl: None,
            request_timeout: PATIENCE,
            setup_timeout: PATIENCE,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime.block_on(Connection::open(&address, &settings)).unwrap();
        Self {
            runtime,
            connection,
            group: GroupId(StrBytes::from_string(stage.named("workers"))),
            member: StrBytes::default(),
            generation: -1,
        }
    }

    fn ask<R: Request>(&mut self, request: &R, limit: i16) -> R::Response {
        let version = self.connection.version_of::<R>(limit).unwrap();
        let answer = self.connection.send(request, version, None);
        self.runtime.block_on(answer).unwrap()
    }

    /// Joins, or joins again; this waits until all others have.
    pub(crate) fn join(&mut self, metadata: &[u8]) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str(PROTOCOL.name()))
            .with_metadata(metadata.to_vec().into());
        let request = JoinGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_session_timeout_ms(SESSION)
            .with_rebalance_timeout_ms(SESSION)
            .with_member_id(self.member.clone())
            .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
            .with_protocols(vec![protocol]);
        let mut answer = JoinGroupResponse::default();
        eventually("the broker is prepared for the group", || {
            answer = self.ask(&request, VERSION);
            !IS_PREPARING.contains(&answer.error_code)
        });
        assert_eq!(answer.error_code, 0);
        self.member = answer.member_id.clone();
        self.generation = answer.generation_id;
        answer
    }

    /// Hears what it has to do. A leader says it to the others.
    pub(crate) fn sync(&mut self, assignments: &[(StrBytes, &[u8])]) -> Vec<u8> {
        self.try_sync(assignments).expect("the group does not meet again")
    }

    /// The same; nothing when the group meets again.
    fn try_sync(&mut self, assignments: &[(StrBytes, &[u8])]) -> Option<Vec<u8>> {
        let assignments = assignments.iter().map(|(member, bytes)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(member.clone())
                .with_assignment(bytes.to_vec().into())
        });
        let request = SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.member.clone())
            .with_assignments(assignments.collect());
        let answer = self.ask(&request, VERSION);
        if answer.error_code == REBALANCE_IN_PROGRESS {
            return None;
        }
        assert_eq!(answer.error_code, 0);
        Some(answer.assignment.to_vec())
    }

    /// Whether the group waits for this member to join again.
    pub(crate) fn is_awaited(&mut self) -> bool {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.member.clone());
        let code = self.ask(&request, VERSION).error_code;
        assert!([0, REBALANCE_IN_PROGRESS].contains(&code), "{code}");
        code == REBALANCE_IN_PROGRESS
    }

    /// Joins as one that no work is given to, as often as the group meets.
    pub(crate) fn take_part(&mut self) {
        loop {
            let joined = self.join(b"garbage");
            assert_ne!(joined.leader, self.member, "a worker was there first");
            if self.try_sync(&[]).is_some() {
                return;
            }
        }
    }

    /// Takes part until the group has so many members and nothing to settle.
    pub(crate) fn settles(&mut self, stage: &Stage, count: usize) {
        eventually(&format!("the group has {count} members"), || {
            if self.is_awaited() {
                self.take_part();
            }
            is_settled(stage, count)
        });
    }

    /// Leads this many workers: gives none of them work, and tells all that the leader is at `url`.
    pub(crate) fn lead(&mut self, workers: usize, url: &str) {
        let own = WorkerState {
            url: url.to_owned(),
            config_offset: -1,
            ..WorkerState::default()
        };
        let own = own.encode(PROTOCOL).unwrap();
        let mut assignments = Vec::new();
        eventually("the workers hear who leads", || {
            // A leader that joins has all join again; at first it may be alone.
            let members = self.join(&own).members;
            if members.len() != workers + 1 {
                return false;
            }
            let states = members
                .iter()
                .map(|member| WorkerState::decode(&member.metadata).unwrap());
            let assignment = Assignment {
                leader: self.member.to_string(),
                leader_url: url.to_owned(),
                config_offset: states.map(|state| state.config_offset).max().unwrap(),
                ..Assignment::default()
            };
            let assignment = assignment.encode(PROTOCOL).unwrap();
            assignments.clear();
            assignments.extend(
                members
                    .into_iter()
                    .map(|member| (member.member_id, assignment.clone())),
            );
            let borrowed: Vec<_> = assignments
                .iter()
                .map(|(member, bytes)| (member.clone(), bytes.as_slice()))
                .collect();
            self.try_sync(&borrowed).is_some()
        });
    }

    pub(crate) fn leave(mut self) {
        let request = LeaveGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.member.clone());
        assert_eq!(self.ask(&request, LEAVE_VERSION).error_code, 0);
    }
}

/// Waits until the group has so many members and nothing to settle.
pub(crate) fn has_members(stage: &Stage, count: usize) {
    eventually(&format!("the group has {count} members"), || {
        is_settled(stage, count)
    });
}

fn is_settled(stage: &Stage, count: usize) -> bool {
    let found = stage.kafka().group(&stage.named("workers"));
    found.is_some_and(|found| found.state == "Stable" && found.members.len() == count)
}
