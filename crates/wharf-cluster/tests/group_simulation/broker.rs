//! A group coordinator as a broker has it, for classic groups: as much of it as members can tell apart.

use std::collections::{BTreeMap, VecDeque};

use wharf_cluster::member::{
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, KafkaError, LeaveGroupResponse, Request,
    RequestBody, RequestId, Response, SyncGroupRequest, SyncGroupResponse,
};
use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::time::Millis;

/// One connection, of which the broker answers one request after the other.
pub(crate) type Connection = u64;

#[derive(Clone, Default)]
struct Member {
    protocols: Vec<(ConnectProtocol, Vec<u8>)>,
    session_timeout: Millis,
    session_ends: Millis,
    join: Option<(Connection, RequestId)>,
    sync: Option<(Connection, RequestId)>,
    assignment: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preparing { until: Millis },
    Completing,
    Stable,
}

/// The coordinator. It knows one group.
pub(crate) struct Broker {
    members: BTreeMap<String, Member>,
    given_ids: Vec<String>,
    generation: i32,
    protocol: ConnectProtocol,
    leader: String,
    state: State,
    /// Generation, protocol, leader and members as they were when the last assignments came: what a restart brings back.
    stored: (i32, ConnectProtocol, String, BTreeMap<String, Member>),
    /// For each connection what it has not read yet, and whether an answer is held back on it.
    connections: BTreeMap<Connection, (VecDeque<Request>, bool)>,
    pub(crate) answers: Vec<(Connection, RequestId, Response)>,
    pub(crate) down_until: Millis,
    pub(crate) rebalances: usize,
}

impl Broker {
    pub(crate) fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            given_ids: Vec::new(),
            generation: 0,
            protocol: ConnectProtocol::Eager,
            leader: String::new(),
            state: State::Stable,
            stored: (0, ConnectProtocol::Eager, String::new(), BTreeMap::new()),
            connections: BTreeMap::new(),
            answers: Vec::new(),
            down_until: 0,
            rebalances: 0,
        }
    }

    /// Another broker takes over, or the same one comes back: connections are gone, the last complete state is there again.
    pub(crate) fn restart(&mut self, now: Millis, down_until: Millis) {
        self.connections.clear();
        self.down_until = down_until;
        (self.generation, self.protocol, self.leader, self.members) = self.stored.clone();
        for member in self.members.values_mut() {
            member.session_ends = down_until.max(now) + member.session_timeout;
        }
        self.state = State::Stable;
    }

    pub(crate) fn close(&mut self, connection: Connection) {
        self.connections.remove(&connection);
    }

    pub(crate) fn receive(&mut self, now: Millis, connection: Connection, request: Request) {
        let (queue, _) = self.connections.entry(connection).or_default();
        queue.push_back(request);
        self.read(now, connection);
    }

    fn read(&mut self, now: Millis, connection: Connection) {
        while let Some((queue, false)) = self.connections.get_mut(&connection) {
            let Some(request) = queue.pop_front() else { return };
            self.connections.get_mut(&connection).unwrap().1 = true;
            let from = (connection, request.id);
            match request.body {
                RequestBody::JoinGroup(join) => self.join(now, from, join),
                RequestBody::SyncGroup(sync) => self.sync(now, from, sync),
                RequestBody::Heartbeat {
                    generation,
                    member_id,
                } => {
                    let error = self.heartbeat(now, generation, &member_id);
                    self.answer(from, Response::Heartbeat(HeartbeatResponse { error }));
                }
                RequestBody::LeaveGroup { member_id, .. } => {
                    let known = self.members.contains_key(&member_id);
                    self.remove(now, &member_id);
                    let error = if known {
                        KafkaError::None
                    } else {
                        KafkaError::UnknownMemberId
                    };
                    let members = vec![error];
                    self.answer(
                        from,
                        Response::LeaveGroup(LeaveGroupResponse {
                            error: KafkaError::None,
                            members,
                        }),
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, (connection, id): (Connection, RequestId), response: Response) {
        if let Some((_, held_back)) = self.connections.get_mut(&connection) {
            *held_back = false;
            self.answers.push((connection, id, response));
        }
    }

    fn answer_join(&mut self, from: (Connection, RequestId), error: KafkaError, member_id: &str) {
        let leads = error == KafkaError::None && member_id == self.leader;
        let members = self.members.iter().filter(|_| leads).map(|(id, member)| {
            let metadata = member
                .protocols
                .iter()
                .find(|(protocol, _)| *protocol == self.protocol);
            (id.clone(), metadata.unwrap().1.clone())
        });
        let response = JoinGroupResponse {
            error,
            generation: self.generation,
            protocol_type: Some("connect".to_owned()),
            protocol_name: Some(self.protocol.name().to_owned()),
            leader: self.leader.clone(),
            member_id: member_id.to_owned(),
            members: members.collect(),
            skip_assignment: false,
        };
        self.answer(from, Response::JoinGroup(response));
    }

    fn answer_sync(&mut self, from: (Connection, RequestId), error: KafkaError, assignment: Vec<u8>) {
        let response = SyncGroupResponse {
            error,
            protocol_type: Some("connect".to_owned()),
            protocol_name: Some(self.protocol.name().to_owned()),
            assignment,
        };
        self.answer(from, Response::SyncGroup(response));
    }

    fn join(&mut self, now: Millis, from: (Connection, RequestId), request: JoinGroupRequest) {
        let mut id = request.member_id;
        if id.is_empty() {
            id = format!("member-{}", self.given_ids.len());
            self.given_ids.push(id.clone());
            return self.answer_join(from, KafkaError::MemberIdRequired, &id);
        }
        if !self.members.contains_key(&id) && !self.given_ids.contains(&id) {
            return self.answer_join(from, KafkaError::UnknownMemberId, &id);
        }
        // An id is good for one membership.
        self.given_ids
            .iter_mut()
            .filter(|given| **given == id)
            .for_each(String::clear);
        let is_new = !self.members.contains_key(&id);
        let member = self.members.entry(id.clone()).or_default();
        let changed = is_new || member.protocols != request.protocols;
        member.protocols = request.protocols;
        member.session_timeout = request.session_timeout;
        member.session_ends = now + request.session_timeout;
        let preparing = matches!(self.state, State::Preparing { .. });
        let restarts = changed || (self.state == State::Stable && id == self.leader);
        if !preparing && !restarts {
            return self.answer_join(from, KafkaError::None, &id);
        }
        member.join = Some(from);
        self.prepare(now, request.rebalance_timeout);
        self.complete(now);
    }

    fn prepare(&mut self, now: Millis, rebalance_timeout: Millis) {
        if matches!(self.state, State::Preparing { .. }) {
            return;
        }
        self.state = State::Preparing {
            until: now + rebalance_timeout,
        };
        let waiting: Vec<_> = self
            .members
            .values_mut()
            .filter_map(|member| member.sync.take())
            .collect();
        for from in waiting {
            self.answer_sync(from, KafkaError::RebalanceInProgress, Vec::new());
        }
    }

    /// The next generation begins when everybody has joined, or the time for it is over.
    fn complete(&mut self, now: Millis) {
        let State::Preparing { until } = self.state else {
            return;
        };
        if now >= until {
            self.members.retain(|_, member| member.join.is_some());
        }
        if self.members.values().any(|member| member.join.is_none()) {
            return;
        }
        let Some(first) = self.members.keys().next() else {
            self.state = State::Stable;
            return;
        };
        if !self.members.contains_key(&self.leader) {
            self.leader = first.clone();
        }
        self.generation += 1;
        self.rebalances += 1;
        let offers =
            |member: &Member, wanted| member.protocols.iter().any(|(protocol, _)| *protocol == wanted);
        let common =
            |protocol: &ConnectProtocol| self.members.values().all(|member| offers(member, *protocol));
        self.protocol = ConnectProtocol::ALL.into_iter().rev().find(common).unwrap();
        self.state = State::Completing;
        let joined: Vec<_> = self
            .members
            .iter_mut()
            .map(|(id, member)| {
                member.session_ends = now + member.session_timeout;
                (member.join.take().unwrap(), id.clone())
            })
            .collect();
        for (from, id) in joined {
            self.answer_join(from, KafkaError::None, &id);
        }
    }

    fn sync(&mut self, now: Millis, from: (Connection, RequestId), request: SyncGroupRequest) {
        let Some(member) = self.members.get_mut(&request.member_id) else {
            return self.answer_sync(from, KafkaError::UnknownMemberId, Vec::new());
        };
        if request.generation != self.generation {
            return self.answer_sync(from, KafkaError::IllegalGeneration, Vec::new());
        }
        member.session_ends = now + member.session_timeout;
        match self.state {
            State::Preparing { .. } => self.answer_sync(from, KafkaError::RebalanceInProgress, Vec::new()),
            State::Stable => {
                let assignment = member.assignment.clone();
                self.answer_sync(from, KafkaError::None, assignment);
            }
            State::Completing => {
                member.sync = Some(from);
                if request.member_id != self.leader {
                    return;
                }
                for (id, assignment) in request.assignments {
                    if let Some(member) = self.members.get_mut(&id) {
                        member.assignment = assignment;
                    }
                }
                self.state = State::Stable;
                let waiting: Vec<_> = self
                    .members
                    .values_mut()
                    .filter_map(|member| {
                        member.session_ends = now + member.session_timeout;
                        Some((member.sync.take()?, member.assignment.clone()))
                    })
                    .collect();
                self.stored = (
                    self.generation,
                    self.protocol,
                    self.leader.clone(),
                    self.members.clone(),
                );
                for (from, assignment) in waiting {
                    self.answer_sync(from, KafkaError::None, assignment);
                }
            }
        }
    }

    fn heartbeat(&mut self, now: Millis, generation: i32, id: &str) -> KafkaError {
        let Some(member) = self.members.get_mut(id) else {
            return KafkaError::UnknownMemberId;
        };
        if generation != self.generation {
            return KafkaError::IllegalGeneration;
        }
        member.session_ends = now + member.session_timeout;
        match self.state {
            State::Preparing { .. } => KafkaError::RebalanceInProgress,
            _ => KafkaError::None,
        }
    }

    fn remove(&mut self, now: Millis, id: &str) {
        if self.members.remove(id).is_some() {
            self.prepare(now, super::REBALANCE);
            self.complete(now);
        }
    }

    /// When time alone changes something.
    pub(crate) fn next_time(&self, now: Millis) -> Option<Millis> {
        if now < self.down_until {
            return Some(self.down_until);
        }
        let rebalance = match self.state {
            State::Preparing { until } => Some(until),
            _ => None,
        };
        let waited_for = self
            .members
            .values()
            .filter(|member| member.join.is_none() && member.sync.is_none());
        waited_for
            .map(|member| member.session_ends)
            .chain(rebalance)
            .min()
    }

    /// Time passes: sessions and rebalances end.
    pub(crate) fn tick(&mut self, now: Millis) {
        if now < self.down_until {
            return;
        }
        let silent = self.members.iter().filter(|(_, member)| {
            member.session_ends <= now && member.join.is_none() && member.sync.is_none()
        });
        let silent: Vec<String> = silent.map(|(id, _)| id.clone()).collect();
        for id in silent {
            self.remove(now, &id);
        }
        self.complete(now);
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            self.read(now, connection);
        }
    }
}
