//! A member against a broker that the test plays.

mod errors;
mod fuzz;
mod joining;
mod lease;
mod leaving;

use super::*;
use crate::protocol::{Assignment, ConnectProtocol};
use crate::time::Millis;

pub(super) const SESSION: Millis = 10_000;
pub(super) const HEARTBEAT: Millis = 500;
pub(super) const BACKOFF: Millis = 100;
pub(super) const DISCOVERY: Millis = 3_000;
pub(super) const REBALANCE: Millis = 60_000;
pub(super) const ID: &str = "connect-w1:8083-x";

/// A member, the time, and what the member wanted so far.
pub(super) struct Table {
    pub(super) member: GroupMember,
    pub(super) now: Millis,
    pub(super) requests: Vec<Request>,
    pub(super) events: Vec<Event>,
    pub(super) disconnects: usize,
}

impl Table {
    pub(super) fn new(mode: ConnectProtocol) -> Self {
        let settings = MemberSettings {
            mode,
            heartbeat_interval: HEARTBEAT,
            ..MemberSettings::new("workers", "http://w1:8083/")
        };
        let now = 1_000_000;
        let mut table = Self {
            member: GroupMember::new(settings, now).unwrap(),
            now,
            requests: Vec::new(),
            events: Vec::new(),
            disconnects: 0,
        };
        table.act(|member, now| member.poll(now));
        table
    }

    /// In a group, following another leader, with something to run.
    pub(super) fn stable() -> Self {
        let mut table = Self::new(ConnectProtocol::Sessioned);
        table.find();
        table.rejoin();
        table.join("other", Vec::new());
        table.sync(&something());
        table.act(|member, now| member.set_metadata(now, 5, Some(something())));
        table.events.clear();
        table
    }

    pub(super) fn act<T>(&mut self, act: impl FnOnce(&mut GroupMember, Millis) -> T) -> T {
        let result = act(&mut self.member, self.now);
        while let Some(output) = self.member.next_output() {
            match output {
                Output::Send(request) => self.requests.push(request),
                Output::Disconnect => self.disconnects += 1,
                Output::Event(event) => {
                    if event.decides_ownership() {
                        self.member.event_taken(self.now);
                    }
                    self.events.push(event);
                }
            }
        }
        result
    }

    /// Time passes as a good driver lets it: with a poll at every deadline.
    pub(super) fn pass(&mut self, duration: Millis) {
        let end = self.now + duration;
        while let Some(at) = self.member.next_deadline().filter(|at| *at <= end) {
            assert!(
                at > self.now,
                "the deadline {at} stays in the past at {}",
                self.now
            );
            self.now = at;
            self.act(|member, now| member.poll(now));
        }
        self.now = end;
        self.act(|member, now| member.poll(now));
    }

    /// The one request that waits for an answer, of this kind.
    pub(super) fn request(&mut self, kind: RequestKind) -> Request {
        assert_eq!(self.requests.len(), 1, "{:?}", self.requests);
        let request = self.requests.remove(0);
        assert_eq!(request.body.kind(), kind, "{request:?}");
        request
    }

    pub(super) fn no_request(&self) {
        assert_eq!(self.requests, [], "nothing should have been sent");
    }

    pub(super) fn event(&mut self) -> Event {
        assert_eq!(self.events.len(), 1, "{:?}", self.events);
        self.events.remove(0)
    }

    pub(super) fn answer(&mut self, kind: RequestKind, response: Response) {
        let request = self.request(kind);
        self.act(|member, now| member.handle_response(now, request.id, response));
    }

    pub(super) fn find(&mut self) {
        let response = FindCoordinatorResponse {
            error: KafkaError::None,
            coordinator: Coordinator {
                node_id: 1,
                host: "kafka".to_owned(),
                port: 9092,
            },
        };
        self.answer(RequestKind::FindCoordinator, Response::FindCoordinator(response));
    }

    pub(super) fn rejoin(&mut self) {
        self.act(|member, now| member.request_rejoin(now, "asked"));
    }

    /// The broker's answer to the JoinGroup request.
    pub(super) fn join(&mut self, leader: &str, members: Vec<(String, Vec<u8>)>) {
        let response = JoinGroupResponse {
            generation: 7,
            protocol_type: Some("connect".to_owned()),
            protocol_name: Some(self.member.settings.mode.name().to_owned()),
            leader: leader.to_owned(),
            member_id: ID.to_owned(),
            members,
            ..JoinGroupResponse::default()
        };
        self.answer(RequestKind::JoinGroup, Response::JoinGroup(response));
    }

    pub(super) fn sync(&mut self, assignment: &Assignment) {
        let response = SyncGroupResponse {
            protocol_type: Some("connect".to_owned()),
            protocol_name: Some(self.member.settings.mode.name().to_owned()),
            assignment: assignment.encode(self.member.settings.mode).unwrap(),
            ..SyncGroupResponse::default()
        };
        self.answer(RequestKind::SyncGroup, Response::SyncGroup(response));
    }

    pub(super) fn heartbeat(&mut self, error: KafkaError) {
        self.answer(
            RequestKind::Heartbeat,
            Response::Heartbeat(HeartbeatResponse { error }),
        );
    }

    /// Time passes, and every heartbeat is answered well.
    pub(super) fn pass_alive(&mut self, duration: Millis) {
        let end = self.now + duration;
        while let Some(at) = self.member.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            self.act(|member, now| member.poll(now));
            if self
                .requests
                .iter()
                .any(|request| request.body.kind() == RequestKind::Heartbeat)
            {
                self.heartbeat(KafkaError::None);
            }
        }
        self.now = end;
    }

    pub(super) fn lease(&self) -> Option<Millis> {
        self.member.lease().map(|lease| lease.until)
    }

    pub(super) fn join_request(&mut self) -> JoinGroupRequest {
        match self.request(RequestKind::JoinGroup).body {
            RequestBody::JoinGroup(request) => request,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn something() -> Assignment {
    let mut assignment = Assignment {
        leader: "other".to_owned(),
        leader_url: "http://other:8083/".to_owned(),
        config_offset: 5,
        ..Assignment::default()
    };
    assignment.assigned.connectors.push("a".to_owned());
    assignment
}
