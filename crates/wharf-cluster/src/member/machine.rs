//! The member itself: its inputs, and what can be asked of it.

use std::collections::VecDeque;

use super::backoff::Backoff;
use super::coordinator::Discovery;
use super::liveness::{Lease, Liveness};
use super::messages::{RequestId, RequestKind, Response};
use super::state::{Identity, Link, MemberState, Pending};
use super::{Coordinator, Event, MemberError, MemberSettings, Output};
use crate::protocol::{Assignment, ConnectProtocol, WorkerState};
use crate::time::Millis;

/// One member of the group. See the module's text for how it is driven.
#[derive(Debug)]
pub struct GroupMember {
    pub(super) settings: MemberSettings,
    pub(super) state: MemberState,
    pub(super) identity: Identity,
    pub(super) last_completed_generation: i32,
    pub(super) current_protocol: ConnectProtocol,
    pub(super) metadata: WorkerState,
    pub(super) discovery: Discovery,
    pub(super) liveness: Liveness,
    pub(super) backoff: Backoff,
    pub(super) pending: Vec<Pending>,
    /// Why to join again, when that is due.
    pub(super) rejoin: Option<String>,
    /// Not before this time.
    pub(super) join_at: Millis,
    /// Only the herder may say when to join again.
    pub(super) held_back: bool,
    /// Whether the metadata says what the last assignment made of it.
    pub(super) taken_in: bool,
    /// Whether the herder does not know yet that a rebalance begins.
    pub(super) needs_prepare: bool,
    /// Whether the herder is stopping something that the next join must not go without.
    pub(super) preparing: bool,
    /// Told events that decide what this member owns and that the herder has not seen yet.
    pub(super) untaken: u32,
    /// The members that wait for assignments of this leader.
    pub(super) elected: Option<Vec<String>>,
    pub(super) next_request: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl GroupMember {
    /// A member that has not joined, and does not before it is asked to.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(settings: MemberSettings, now: Millis) -> Result<Self, MemberError> {
        settings.check()?;
        Ok(Self {
            state: MemberState::Unjoined,
            identity: Identity::nobody(),
            last_completed_generation: -1,
            current_protocol: settings.mode,
            metadata: WorkerState {
                url: settings.url.clone(),
                config_offset: -1,
                allocation: None,
                plugins: settings.plugins.clone(),
            },
            discovery: Discovery::new(now),
            liveness: Liveness::default(),
            backoff: Backoff::new(
                settings.retry_backoff,
                settings.retry_backoff_max,
                settings.jitter_seed,
            ),
            pending: Vec::new(),
            rejoin: None,
            join_at: now,
            held_back: false,
            taken_in: true,
            needs_prepare: true,
            preparing: false,
            untaken: 0,
            elected: None,
            next_request: 0,
            outputs: VecDeque::new(),
            settings,
        })
    }

    /// Time has passed.
    pub fn poll(&mut self, now: Millis) {
        self.enter(now);
        self.advance(now);
    }

    /// What to do next; to be asked for after every call until there is nothing.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The herder begins to act on an event of which [`Event::decides_ownership`] is true. What it says before that, it says
    /// about work that it may not have any more, or without work that it has now; see the methods below.
    pub fn event_taken(&mut self, now: Millis) {
        self.enter(now);
        self.untaken = self.untaken.saturating_sub(1);
        self.advance(now);
    }

    /// What to tell the group with the next join. It has to be said after every [`Event::Joined`]: there is no join before
    /// the herder has taken in the last one. From a herder that has not seen the last event, only the offset counts.
    pub fn set_metadata(&mut self, now: Millis, config_offset: i64, allocation: Option<Assignment>) {
        self.enter(now);
        self.metadata.config_offset = config_offset;
        if self.untaken == 0 {
            self.metadata.allocation = allocation;
            self.taken_in = true;
        }
        self.advance(now);
    }

    /// Asks for a rebalance; also the first time. A herder that has not seen yet that the lease lapsed has to ask again.
    pub fn request_rejoin(&mut self, now: Millis, reason: &str) {
        self.enter(now);
        self.held_back &= self.untaken > 0;
        self.rejoin = Some(reason.to_owned());
        self.advance(now);
    }

    /// Everything has stopped that [`Event::Prepare`] wanted to, or that [`Event::Joined`] revoked: the next join may go out.
    /// From a herder that has not seen the last event, it is about an earlier one and does not count.
    pub fn prepared(&mut self, now: Millis) {
        self.enter(now);
        self.preparing &= self.untaken > 0;
        self.advance(now);
    }

    /// The herder lives. When it has been silent for the rebalance timeout, the member leaves: others shall have the work of
    /// a worker that hangs.
    pub fn herder_is_alive(&mut self, now: Millis) {
        self.enter(now);
        self.liveness.herder_ends = now.saturating_add(self.settings.rebalance_timeout);
        self.advance(now);
    }

    /// The leader's answer to [`Event::Elected`]: an assignment for every member. One for another generation comes too late
    /// and is dropped.
    ///
    /// # Errors
    /// When a member has no entry. The JVM workers among those would end.
    pub fn assignments(
        &mut self,
        now: Millis,
        generation: i32,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), MemberError> {
        self.enter(now);
        if generation == self.identity.generation
            && let Some(members) = self.elected.take()
        {
            let missing = members
                .iter()
                .find(|member| !entries.iter().any(|(id, _)| id == *member));
            if let Some(member) = missing {
                let member = member.clone();
                self.elected = Some(members);
                return Err(MemberError::MissingEntry { generation, member });
            }
            self.send_sync(now, entries);
        }
        self.advance(now);
        Ok(())
    }

    /// An answer came. One that nobody waits for any more changes nothing.
    pub fn handle_response(&mut self, now: Millis, id: RequestId, response: Response) {
        self.enter(now);
        if let Some(place) = self.pending.iter().position(|pending| pending.id == id) {
            let pending = self.pending.swap_remove(place);
            self.answered(now, &pending, response);
        }
        self.advance(now);
    }

    /// A request could not be sent, or its connection broke. When that was the coordinator's main connection, everything
    /// else on it has failed as well, as with [`GroupMember::connection_lost`].
    pub fn request_failed(&mut self, now: Millis, id: RequestId) {
        self.enter(now);
        if let Some(place) = self.pending.iter().position(|pending| pending.id == id) {
            match &self.pending[place] {
                pending if pending.kind == RequestKind::FindCoordinator => {
                    self.pending.swap_remove(place);
                    self.search_failed(now);
                }
                pending if pending.aside => {
                    self.pending.swap_remove(place);
                    self.heartbeat_failed(now);
                }
                _ => self.coordinator_unknown(now, Link::Broken),
            }
        }
        self.advance(now);
    }

    /// The connection to the coordinator broke, or could not be made.
    pub fn connection_lost(&mut self, now: Millis) {
        self.enter(now);
        self.coordinator_unknown(now, Link::Broken);
        self.advance(now);
    }

    /// Leaves the group. The member joins again when [`GroupMember::request_rejoin`] asks for it.
    pub fn leave(&mut self, now: Millis, reason: &str) {
        self.enter(now);
        if !matches!(self.state, MemberState::Closing | MemberState::Ended) {
            self.leave_group(now, reason);
            if self.metadata.allocation.is_some() {
                self.lapse("this worker left the group");
            }
            self.liveness.holds_work = false;
            self.held_back = true;
            self.rejoin = None;
        }
        self.advance(now);
    }

    /// Leaves the group for good, and says [`Event::Closed`] when that is done or takes too long. All work must have stopped.
    pub fn close(&mut self, now: Millis, reason: &str) {
        self.enter(now);
        if !matches!(self.state, MemberState::Closing | MemberState::Ended) {
            self.liveness.holds_work = false;
            self.leave_group(now, reason);
            self.pending
                .retain(|pending| pending.kind == RequestKind::LeaveGroup);
            self.state = MemberState::Closing;
        }
        self.advance(now);
    }

    /// When [`GroupMember::poll`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.state == MemberState::Ended {
            return None;
        }
        let mut deadlines: Vec<Millis> = self.pending.iter().map(|pending| pending.expires).collect();
        let liveness = &self.liveness;
        if liveness.holds_work {
            deadlines.push(liveness.counted_until);
        }
        if self.state.has_joined() {
            deadlines.push(liveness.herder_ends);
        }
        if self.discovery.known.is_none() {
            if !self.is_pending(RequestKind::FindCoordinator) && self.state != MemberState::Closing {
                deadlines.push(self.discovery.next);
            }
            if liveness.holds_work && !self.discovery.told {
                deadlines.push(
                    self.discovery
                        .since
                        .saturating_add(self.settings.discovery_timeout),
                );
            }
        } else {
            if self.watches_session() {
                deadlines.push(liveness.session_ends);
            }
            deadlines.extend(self.next_heartbeat());
            if self.may_join() && !self.preparing {
                deadlines.push(self.join_at);
            }
        }
        deadlines.into_iter().min()
    }

    /// The lease on this member's work; `None` when it has none.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.liveness.holds_work.then_some(Lease {
            number: self.liveness.lease_number,
            until: self.liveness.counted_until,
        })
    }

    /// Its member id while its assignment is in force.
    #[must_use]
    pub fn member_id(&self) -> Option<&str> {
        (self.state == MemberState::Stable).then_some(self.identity.member_id.as_str())
    }

    /// Its generation; −1 when it has none.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.identity.generation
    }

    /// What the group agreed on last; before the first join what is configured.
    #[must_use]
    pub fn current_protocol(&self) -> ConnectProtocol {
        self.current_protocol
    }

    /// The broker that coordinates the group, if it is known.
    #[must_use]
    pub fn coordinator(&self) -> Option<&Coordinator> {
        self.discovery.known.as_ref()
    }

    pub(super) fn is_pending(&self, kind: RequestKind) -> bool {
        self.pending.iter().any(|pending| pending.kind == kind)
    }

    /// Whether the broker holds back an answer until the group is ready.
    pub(super) fn is_joining(&self) -> bool {
        self.is_pending(RequestKind::JoinGroup) || self.is_pending(RequestKind::SyncGroup)
    }

    /// Whether the coordinator's silence means something. While it holds back a SyncGroup response, heartbeats wait behind it.
    pub(super) fn watches_session(&self) -> bool {
        self.state.has_joined() && self.discovery.known.is_some() && !self.is_pending(RequestKind::SyncGroup)
    }

    /// Whether a JoinGroup request is wanted and nothing of an earlier one is under way.
    pub(super) fn may_join(&self) -> bool {
        self.rejoin.is_some()
            && !self.held_back
            && self.taken_in
            && !self.is_joining()
            && matches!(
                self.state,
                MemberState::Unjoined | MemberState::PreparingRebalance | MemberState::Stable
            )
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.untaken += u32::from(event.decides_ownership());
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn fail(&mut self, error: MemberError) {
        self.state = MemberState::Ended;
        self.liveness.holds_work = false;
        self.pending.clear();
        self.outputs.push_back(Output::Disconnect);
        self.tell(Event::Fatal(error));
    }
}
