//! What follows from the state and the time alone, after every input.

use super::messages::{
    Destination, JoinGroupRequest, Request, RequestBody, RequestId, RequestKind, SyncGroupRequest,
};
use super::state::{Identity, Link, MemberState, Pending, Retry};
use super::{Event, GroupMember, Output};
use crate::protocol::Assignment;
use crate::time::Millis;

/// The longest reason that brokers take.
const REASON_CHARS: usize = 255;

/// How long an answer to a LeaveGroup request is waited for.
const LEAVE_TIMEOUT: Millis = 2_000;

impl GroupMember {
    /// The beginning of every call: whoever slept too long has nothing left to protect, whatever else has come meanwhile.
    pub(super) fn enter(&mut self, now: Millis) {
        if self.liveness.has_lapsed(now) {
            self.lapse("no heartbeat was confirmed for the session timeout");
            self.coordinator_unknown(now, Link::Doubtful);
        }
    }

    /// What this member was given may be somebody else's. It joins again when the herder knows that.
    pub(super) fn lapse(&mut self, reason: &'static str) {
        self.liveness.holds_work = false;
        self.liveness.lease_number += 1;
        self.metadata.allocation = None;
        self.held_back = true;
        // Whatever still stops does no harm any more.
        self.preparing = false;
        self.taken_in = true;
        self.tell(Event::LeaseLapsed { reason });
    }

    /// The coordinator is not where it was. What is under way there fails.
    pub(super) fn coordinator_unknown(&mut self, now: Millis, link: Link) {
        if self.discovery.forget(now) && link == Link::Doubtful {
            self.outputs.push_back(Output::Disconnect);
        }
        let failed: Vec<_> = self
            .pending
            .extract_if(.., |it| it.kind != RequestKind::FindCoordinator)
            .collect();
        if failed
            .iter()
            .any(|it| matches!(it.kind, RequestKind::JoinGroup | RequestKind::SyncGroup))
        {
            self.join_failed(now, "the coordinator was lost", Retry::AfterBackoff);
        }
        if self.elected.take().is_some() {
            self.join_failed(now, "the coordinator was lost", Retry::AfterBackoff);
        }
    }

    /// The join has to be repeated.
    pub(super) fn join_failed(&mut self, now: Millis, reason: &str, retry: Retry) {
        if matches!(
            self.state,
            MemberState::PreparingRebalance | MemberState::CompletingRebalance
        ) {
            self.state = MemberState::PreparingRebalance;
        }
        self.elected = None;
        self.rejoin
            .get_or_insert_with(|| format!("rebalance failed: {reason}"));
        self.join_at = match retry {
            Retry::AtOnce => now,
            Retry::AfterBackoff => now.saturating_add(self.settings.retry_backoff),
        };
    }

    pub(super) fn search_failed(&mut self, now: Millis) {
        let wait = self.backoff.wait(self.discovery.failures);
        self.discovery.failures = self.discovery.failures.saturating_add(1);
        self.discovery.next = now.saturating_add(wait);
    }

    /// Says goodbye if there is anybody to say it to, and is nobody then.
    pub(super) fn leave_group(&mut self, now: Millis, reason: &str) {
        let known = self.state != MemberState::Unjoined && !self.identity.member_id.is_empty();
        if self.is_joining() {
            // The broker reads nothing more from a connection whose JoinGroup it holds back.
            self.outputs.push_back(Output::Disconnect);
        }
        if known && self.discovery.known.is_some() {
            let member_id = self.identity.member_id.clone();
            let reason = shortened(reason);
            self.send(now, RequestBody::LeaveGroup { member_id, reason });
        }
        self.pending
            .retain(|it| matches!(it.kind, RequestKind::LeaveGroup | RequestKind::FindCoordinator));
        self.state = MemberState::Unjoined;
        self.identity = Identity::nobody();
        self.taken_in = true;
        self.needs_prepare = true;
        self.preparing = false;
        self.elected = None;
    }

    pub(super) fn send(&mut self, now: Millis, body: RequestBody) {
        let timeout = match body {
            RequestBody::JoinGroup(_) => self.settings.join_timeout(),
            RequestBody::LeaveGroup { .. } => LEAVE_TIMEOUT.min(self.settings.request_timeout),
            _ => self.settings.request_timeout,
        };
        let to = match (&body, &self.discovery.known) {
            (RequestBody::FindCoordinator, _) | (_, None) => Destination::AnyBroker,
            (RequestBody::Heartbeat { .. }, Some(coordinator)) if self.is_joining() => {
                Destination::CoordinatorAside(coordinator.clone())
            }
            (_, Some(coordinator)) => Destination::Coordinator(coordinator.clone()),
        };
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.push(Pending {
            id,
            kind: body.kind(),
            aside: matches!(to, Destination::CoordinatorAside(_)),
            sent: now,
            expires: now.saturating_add(timeout),
            identity: self.identity.clone(),
        });
        self.outputs.push_back(Output::Send(Request {
            id,
            to,
            body,
            timeout,
        }));
    }

    pub(super) fn send_sync(&mut self, now: Millis, assignments: Vec<(String, Vec<u8>)>) {
        let Some(protocol) = self.identity.protocol else {
            return;
        };
        let body = SyncGroupRequest {
            generation: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            protocol,
            assignments,
        };
        self.send(now, RequestBody::SyncGroup(body));
    }

    /// Everything that follows from the state and the time.
    pub(super) fn advance(&mut self, now: Millis) {
        if self.state == MemberState::Ended {
            return;
        }
        self.expire_requests(now);
        if self.state == MemberState::Closing {
            if self.pending.is_empty() {
                self.state = MemberState::Ended;
                self.outputs.push_back(Output::Disconnect);
                self.tell(Event::Closed);
            }
            return;
        }
        if self.state.has_joined() && now >= self.liveness.herder_ends {
            self.leave_group(now, "worker poll timeout has expired.");
            if !self.held_back {
                self.lapse("the herder was silent for the rebalance timeout");
            }
        }
        if self.watches_session() && now >= self.liveness.session_ends {
            self.coordinator_unknown(now, Link::Doubtful);
        }
        if self.discovery.known.is_none() {
            self.search(now);
            return;
        }
        self.join(now);
        self.beat(now);
    }

    /// Heartbeats. While the broker holds back an answer it neither reads them from that connection nor needs them; but
    /// without them nobody here knows whether work is still its own, so they take another one then.
    fn beat(&mut self, now: Millis) {
        if self.next_heartbeat().is_none_or(|at| now < at) {
            return;
        }
        self.liveness.next_heartbeat = now.saturating_add(self.settings.heartbeat_interval);
        let generation = self.identity.generation;
        let member_id = self.identity.member_id.clone();
        self.send(
            now,
            RequestBody::Heartbeat {
                generation,
                member_id,
            },
        );
    }

    /// When the next heartbeat is to be sent, if one is wanted at all.
    pub(super) fn next_heartbeat(&self) -> Option<Millis> {
        if self.discovery.known.is_none() || self.is_pending(RequestKind::Heartbeat) {
            return None;
        }
        if self.is_joining() {
            let knows = self.liveness.holds_work || self.state == MemberState::CompletingRebalance;
            let asks = knows && self.identity.generation >= 0;
            return asks.then(|| self.liveness.next_aside(&self.settings));
        }
        self.state.has_joined().then_some(self.liveness.next_heartbeat)
    }

    fn expire_requests(&mut self, now: Millis) {
        let expired: Vec<_> = self.pending.extract_if(.., |it| it.expires <= now).collect();
        for pending in expired {
            match pending.kind {
                RequestKind::FindCoordinator => self.search_failed(now),
                RequestKind::LeaveGroup => {}
                RequestKind::JoinGroup | RequestKind::SyncGroup => {
                    self.join_failed(now, "no answer in time", Retry::AfterBackoff);
                    self.coordinator_unknown(now, Link::Doubtful);
                }
                _ => self.coordinator_unknown(now, Link::Doubtful),
            }
        }
    }

    fn search(&mut self, now: Millis) {
        let unknown = now.saturating_sub(self.discovery.since);
        if self.liveness.holds_work && !self.discovery.told && unknown >= self.settings.discovery_timeout {
            self.discovery.told = true;
            self.tell(Event::CoordinatorLost);
        }
        if !self.is_pending(RequestKind::FindCoordinator) && now >= self.discovery.next {
            self.send(now, RequestBody::FindCoordinator);
        }
    }

    fn join(&mut self, now: Millis) {
        if !self.may_join() {
            return;
        }
        if self.preparing {
            return;
        }
        if std::mem::take(&mut self.needs_prepare) {
            let holds = |it: &Assignment| !it.failed();
            let revoke_all = !self.current_protocol.is_cooperative()
                && self.metadata.allocation.as_ref().is_some_and(holds);
            self.preparing = revoke_all;
            self.tell(Event::Prepare { revoke_all });
        }
        if self.preparing || now < self.join_at {
            return;
        }
        let protocols = match self.metadata.offers(self.settings.mode) {
            Ok(protocols) => protocols,
            Err(error) => return self.fail(error.into()),
        };
        let reason = self.rejoin.take().unwrap_or_default();
        self.state = MemberState::PreparingRebalance;
        let body = JoinGroupRequest {
            member_id: self.identity.member_id.clone(),
            session_timeout: self.settings.session_timeout,
            rebalance_timeout: self.settings.rebalance_timeout,
            protocols,
            reason: shortened(&reason),
        };
        self.send(now, RequestBody::JoinGroup(body));
    }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS).collect()
}
