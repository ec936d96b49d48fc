//! What answers mean.

use super::messages::{
    FindCoordinatorResponse, HeartbeatResponse, JoinGroupResponse, KafkaError, LeaveGroupResponse,
    RequestKind, Response, SyncGroupResponse,
};
use super::state::{Identity, Link, MemberState, Pending, Retry};
use super::{Elected, Event, GroupMember, Joined, MemberError};
use crate::protocol::{Assignment, ConnectProtocol, PROTOCOL_TYPE};
use crate::time::Millis;

impl GroupMember {
    pub(super) fn answered(&mut self, now: Millis, pending: &Pending, response: Response) {
        match (pending.kind, response) {
            (RequestKind::FindCoordinator, Response::FindCoordinator(response)) => {
                self.coordinator_found(now, response)
            }
            (RequestKind::JoinGroup, Response::JoinGroup(response)) => {
                self.group_joined(now, pending, response)
            }
            (RequestKind::SyncGroup, Response::SyncGroup(response)) => {
                self.group_synced(now, pending, response)
            }
            (RequestKind::Heartbeat, Response::Heartbeat(response)) => {
                self.heart_beaten(now, pending, &response)
            }
            (RequestKind::LeaveGroup, Response::LeaveGroup(response)) => self.group_left(&response),
            // A driver that mixes up its answers has lost the thread of the connection.
            _ => self.coordinator_unknown(now, Link::Doubtful),
        }
    }

    fn coordinator_found(&mut self, now: Millis, response: FindCoordinatorResponse) {
        match response.error {
            KafkaError::None => {
                self.discovery.found(response.coordinator);
                self.liveness.session_ends = now.saturating_add(self.settings.session_timeout);
                // Its silence may have lasted for most of a lease.
                self.liveness.next_heartbeat = self.liveness.next_heartbeat.min(now);
            }
            error if error.is_retriable() => self.search_failed(now),
            error => self.refused(RequestKind::FindCoordinator, error),
        }
    }

    fn group_joined(&mut self, now: Millis, pending: &Pending, response: JoinGroupResponse) {
        match response.error {
            KafkaError::None => self.generation_begins(now, pending, response),
            KafkaError::CoordinatorLoadInProgress => {
                self.join_failed(now, "COORDINATOR_LOAD_IN_PROGRESS", Retry::AfterBackoff);
            }
            error @ (KafkaError::CoordinatorNotAvailable | KafkaError::NotCoordinator) => {
                self.join_failed(now, &error.to_string(), Retry::AfterBackoff);
                self.coordinator_unknown(now, Link::Doubtful);
            }
            KafkaError::UnknownMemberId => self.counted_out(now, pending),
            KafkaError::MemberIdRequired => {
                self.identity = Identity {
                    member_id: response.member_id,
                    ..Identity::nobody()
                };
                self.rejoin = Some(format!(
                    "need to re-join with the given member-id: {}",
                    self.identity.member_id
                ));
                self.join_at = now;
            }
            KafkaError::RebalanceInProgress => self.join_failed(now, "REBALANCE_IN_PROGRESS", Retry::AtOnce),
            error => self.refused(RequestKind::JoinGroup, error),
        }
    }

    fn generation_begins(&mut self, now: Millis, pending: &Pending, response: JoinGroupResponse) {
        if let Some(other) = response.protocol_type.filter(|it| it != PROTOCOL_TYPE) {
            return self.unexpected_protocol(RequestKind::JoinGroup, other);
        }
        let name = response.protocol_name.unwrap_or_default();
        let agreed = ConnectProtocol::from_name(&name).ok();
        let Some(protocol) = agreed.filter(|it| self.settings.mode.offers().contains(it)) else {
            return self.unexpected_protocol(RequestKind::JoinGroup, name);
        };
        if response.skip_assignment {
            let group = self.settings.group_id.clone();
            return self.fail(MemberError::SkipAssignment { group });
        }
        self.state = MemberState::CompletingRebalance;
        self.identity = Identity {
            generation: response.generation,
            member_id: response.member_id,
            protocol: Some(protocol),
        };
        self.liveness.start(now, pending.sent, &self.settings);
        if response.leader != self.identity.member_id {
            return self.send_sync(now, Vec::new());
        }
        self.elected = Some(
            response
                .members
                .iter()
                .map(|(member, _)| member.clone())
                .collect(),
        );
        self.tell(Event::Elected(Elected {
            generation: response.generation,
            last_completed_generation: self.last_completed_generation,
            member_id: self.identity.member_id.clone(),
            protocol,
            members: response.members,
        }));
    }

    fn group_synced(&mut self, now: Millis, pending: &Pending, response: SyncGroupResponse) {
        match response.error {
            KafkaError::None => self.generation_completes(now, pending, response),
            KafkaError::RebalanceInProgress => self.join_failed(now, "REBALANCE_IN_PROGRESS", Retry::AtOnce),
            KafkaError::UnknownMemberId => self.counted_out(now, pending),
            KafkaError::IllegalGeneration => self.generation_lost(now, pending),
            KafkaError::CoordinatorLoadInProgress => {
                self.join_failed(now, "COORDINATOR_LOAD_IN_PROGRESS", Retry::AfterBackoff);
            }
            error @ (KafkaError::CoordinatorNotAvailable | KafkaError::NotCoordinator) => {
                self.join_failed(now, &error.to_string(), Retry::AfterBackoff);
                self.coordinator_unknown(now, Link::Doubtful);
            }
            error => self.refused(RequestKind::SyncGroup, error),
        }
    }

    fn generation_completes(&mut self, now: Millis, pending: &Pending, response: SyncGroupResponse) {
        if let Some(other) = response.protocol_type.filter(|it| it != PROTOCOL_TYPE) {
            return self.unexpected_protocol(RequestKind::SyncGroup, other);
        }
        let Some(protocol) = self
            .identity
            .protocol
            .filter(|_| self.state == MemberState::CompletingRebalance)
        else {
            // A heartbeat has found out in the meantime that this generation is over.
            return self.join_failed(now, "ILLEGAL_GENERATION", Retry::AtOnce);
        };
        if let Some(other) = response.protocol_name.filter(|it| it != protocol.name()) {
            return self.unexpected_protocol(RequestKind::SyncGroup, other);
        }
        self.liveness.confirmed(now, pending.sent, &self.settings);
        if now >= self.liveness.counted_until {
            // No heartbeat has come through since it was asked for: it may be void already.
            return self.join_failed(now, "the assignment came too late", Retry::AtOnce);
        }
        self.state = MemberState::Stable;
        self.needs_prepare = true;
        self.current_protocol = protocol;
        let assignment = match Assignment::decode(&response.assignment) {
            Ok(assignment) => assignment,
            Err(error) => {
                self.tell(Event::AssignmentUnreadable(error));
                self.rejoin
                    .get_or_insert_with(|| "the assignment cannot be read".to_owned());
                self.join_at = now.saturating_add(self.settings.retry_backoff_max);
                return;
            }
        };
        self.last_completed_generation = self.identity.generation;
        self.liveness.holds_work = true;
        self.taken_in = false;
        // Joining again without something that still runs would have it started elsewhere.
        self.preparing = !assignment.revoked.is_empty();
        self.tell(Event::Joined(Joined {
            generation: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            protocol,
            is_leader: assignment.leader == self.identity.member_id,
            assignment,
        }));
    }

    fn heart_beaten(&mut self, now: Millis, pending: &Pending, response: &HeartbeatResponse) {
        let is_current = pending.identity == self.identity;
        match response.error {
            KafkaError::None => self.liveness.confirmed(now, pending.sent, &self.settings),
            KafkaError::RebalanceInProgress => {
                // The broker counts it all the same.
                self.liveness
                    .confirmed_in_rebalance(now, pending.sent, &self.settings);
                if self.state == MemberState::Stable {
                    self.rejoin
                        .get_or_insert_with(|| "group is already rebalancing".to_owned());
                }
            }
            KafkaError::CoordinatorNotAvailable | KafkaError::NotCoordinator => {
                self.heartbeat_failed(now);
                self.coordinator_unknown(now, Link::Doubtful);
            }
            KafkaError::CoordinatorLoadInProgress => self.heartbeat_failed(now),
            KafkaError::UnknownMemberId if is_current => self.counted_out(now, pending),
            // While a JoinGroup response is on its way, the generation here is old.
            KafkaError::IllegalGeneration if self.is_pending(RequestKind::JoinGroup) => {
                self.heartbeat_failed(now);
            }
            KafkaError::IllegalGeneration if is_current => self.generation_lost(now, pending),
            // About a generation that is over.
            KafkaError::UnknownMemberId | KafkaError::IllegalGeneration => {}
            error => self.refused(RequestKind::Heartbeat, error),
        }
    }

    pub(super) fn heartbeat_failed(&mut self, now: Millis) {
        let wait = self.backoff.wait(self.liveness.failures);
        self.liveness.failures = self.liveness.failures.saturating_add(1);
        self.liveness.next_heartbeat = now.saturating_add(wait);
    }

    fn group_left(&mut self, response: &LeaveGroupResponse) {
        let errors = std::iter::once(response.error).chain(response.members.iter().copied());
        if let Some(error) = errors.into_iter().find(|error| *error != KafkaError::None) {
            self.tell(Event::LeaveRefused(error));
        }
    }

    /// The broker does not know this member: what it held may have been given away.
    fn counted_out(&mut self, now: Millis, pending: &Pending) {
        if pending.identity == self.identity {
            self.identity = Identity::nobody();
            self.reset(now, &format!("UNKNOWN_MEMBER_ID from {} response", pending.kind));
            if self.liveness.holds_work {
                self.lapse("the broker does not count this worker in any more");
                if self.is_joining() {
                    // It claims work that may be somebody else's.
                    self.coordinator_unknown(now, Link::Doubtful);
                }
            }
        } else {
            self.join_failed(now, "UNKNOWN_MEMBER_ID", Retry::AtOnce);
        }
    }

    /// The broker is in another generation, but knows this member.
    fn generation_lost(&mut self, now: Millis, pending: &Pending) {
        if pending.identity == self.identity {
            self.identity.generation = -1;
            self.identity.protocol = None;
            self.reset(now, &format!("ILLEGAL_GENERATION from {} response", pending.kind));
        } else {
            self.join_failed(now, "ILLEGAL_GENERATION", Retry::AtOnce);
        }
    }

    fn reset(&mut self, now: Millis, reason: &str) {
        self.state = MemberState::Unjoined;
        self.elected = None;
        self.needs_prepare = true;
        self.rejoin = Some(format!("encountered {reason}"));
        self.join_at = now;
    }

    fn refused(&mut self, request: RequestKind, error: KafkaError) {
        let group = self.settings.group_id.clone();
        self.fail(MemberError::Refused {
            request,
            group,
            error,
        });
    }

    fn unexpected_protocol(&mut self, request: RequestKind, protocol: String) {
        let group = self.settings.group_id.clone();
        self.fail(MemberError::Protocol {
            request,
            group,
            protocol,
        });
    }
}
