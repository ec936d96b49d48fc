//! A member's requests as messages of the version that the broker speaks, and its answers back.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use wharf_cluster::member::{
    self, Coordinator, FindCoordinatorResponse, HeartbeatResponse, JoinGroupResponse, KafkaError,
    LeaveGroupResponse, RequestBody, Response, SyncGroupResponse,
};
use wharf_cluster::protocol::PROTOCOL_TYPE;

use crate::{Connection, ConnectionError};

/// `key_type` of groups in FindCoordinator.
const GROUP: i8 = 0;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Sends a request about `group` and waits for the answer.
///
/// # Errors
/// As [`Connection::send`].
pub(crate) async fn ask(
    connection: &mut Connection,
    group: &str,
    body: &RequestBody,
    timeout: Duration,
) -> Result<Response, ConnectionError> {
    let time = Some(timeout);
    match body {
        RequestBody::JoinGroup(request) => join(connection, group, request, time).await,
        RequestBody::SyncGroup(request) => sync(connection, group, request, time).await,
        RequestBody::Heartbeat {
            generation,
            member_id,
        } => {
            let version = connection.version_of::<HeartbeatRequest>(4)?;
            let request = HeartbeatRequest::default()
                .with_group_id(group_id(group))
                .with_generation_id(*generation)
                .with_member_id(text(member_id));
            let answer = connection.send(&request, version, time).await?;
            Ok(Response::Heartbeat(HeartbeatResponse {
                error: KafkaError::from_code(answer.error_code),
            }))
        }
        RequestBody::LeaveGroup { member_id, reason } => {
            leave(connection, group, member_id, reason, time).await
        }
        // The one that is left: this machine asks for nothing else.
        _ => find(connection, group, time).await,
    }
}

async fn find(
    connection: &mut Connection,
    group: &str,
    time: Option<Duration>,
) -> Result<Response, ConnectionError> {
    let version = connection.version_of::<FindCoordinatorRequest>(6)?;
    let request = FindCoordinatorRequest::default();
    let request = if version >= 4 {
        request
            .with_key_type(GROUP)
            .with_coordinator_keys(vec![text(group)])
    } else if version >= 1 {
        request.with_key_type(GROUP).with_key(text(group))
    } else {
        request.with_key(text(group))
    };
    let answer = connection.send(&request, version, time).await?;
    let (code, node, host, port) = match answer.coordinators.first() {
        Some(found) => (found.error_code, found.node_id, &found.host, found.port),
        None => (answer.error_code, answer.node_id, &answer.host, answer.port),
    };
    Ok(Response::FindCoordinator(FindCoordinatorResponse {
        error: KafkaError::from_code(code),
        coordinator: Coordinator {
            node_id: node.0,
            host: host.to_string(),
            port,
        },
    }))
}

fn millis(time: u64) -> i32 {
    i32::try_from(time).unwrap_or(i32::MAX)
}

async fn join(
    connection: &mut Connection,
    group: &str,
    asked: &member::JoinGroupRequest,
    time: Option<Duration>,
) -> Result<Response, ConnectionError> {
    let version = connection.version_of::<JoinGroupRequest>(9)?;
    let protocols = asked
        .protocols
        .iter()
        .map(|(protocol, metadata)| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(protocol.name()))
                .with_metadata(Bytes::copy_from_slice(metadata))
        })
        .collect();
    let mut request = JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(millis(asked.session_timeout))
        .with_member_id(text(&asked.member_id))
        .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
        .with_protocols(protocols);
    if version >= 1 {
        request = request.with_rebalance_timeout_ms(millis(asked.rebalance_timeout));
    }
    if version >= 8 {
        request = request.with_reason(Some(text(&asked.reason)));
    }
    let answer = connection.send(&request, version, time).await?;
    Ok(Response::JoinGroup(JoinGroupResponse {
        error: KafkaError::from_code(answer.error_code),
        generation: answer.generation_id,
        protocol_type: answer.protocol_type.map(|name| name.to_string()),
        protocol_name: answer.protocol_name.map(|name| name.to_string()),
        leader: answer.leader.to_string(),
        member_id: answer.member_id.to_string(),
        members: answer
            .members
            .into_iter()
            .map(|member| (member.member_id.to_string(), member.metadata.to_vec()))
            .collect(),
        skip_assignment: answer.skip_assignment,
    }))
}

async fn sync(
    connection: &mut Connection,
    group: &str,
    asked: &member::SyncGroupRequest,
    time: Option<Duration>,
) -> Result<Response, ConnectionError> {
    let version = connection.version_of::<SyncGroupRequest>(5)?;
    let assignments = asked
        .assignments
        .iter()
        .map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::copy_from_slice(assignment))
        })
        .collect();
    let mut request = SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(asked.generation)
        .with_member_id(text(&asked.member_id))
        .with_assignments(assignments);
    if version >= 5 {
        request = request
            .with_protocol_type(Some(StrBytes::from_static_str(PROTOCOL_TYPE)))
            .with_protocol_name(Some(StrBytes::from_static_str(asked.protocol.name())));
    }
    let answer = connection.send(&request, version, time).await?;
    Ok(Response::SyncGroup(SyncGroupResponse {
        error: KafkaError::from_code(answer.error_code),
        protocol_type: answer.protocol_type.map(|name| name.to_string()),
        protocol_name: answer.protocol_name.map(|name| name.to_string()),
        assignment: answer.assignment.to_vec(),
    }))
}

async fn leave(
    connection: &mut Connection,
    group: &str,
    member_id: &str,
    reason: &str,
    time: Option<Duration>,
) -> Result<Response, ConnectionError> {
    let version = connection.version_of::<LeaveGroupRequest>(5)?;
    let mut request = LeaveGroupRequest::default().with_group_id(group_id(group));
    if version >= 3 {
        let mut member = MemberIdentity::default().with_member_id(text(member_id));
        if version >= 5 {
            member = member.with_reason(Some(text(reason)));
        }
        request = request.with_members(vec![member]);
    } else {
        request = request.with_member_id(text(member_id));
    }
    let answer = connection.send(&request, version, time).await?;
    Ok(Response::LeaveGroup(LeaveGroupResponse {
        error: KafkaError::from_code(answer.error_code),
        members: answer
            .members
            .iter()
            .map(|member| KafkaError::from_code(member.error_code))
            .collect(),
    }))
}
