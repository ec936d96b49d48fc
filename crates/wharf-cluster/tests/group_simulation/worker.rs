//! A worker: a real member and a real assignor, and a herder that does what it is told.

use std::collections::{BTreeMap, BTreeSet};

use wharf_cluster::assignor::{Assignor, ConfiguredWork, Round};
use wharf_cluster::member::{Elected, Event, GroupMember, Joined, MemberSettings, Output};
use wharf_cluster::protocol::{Assignment, ConnectProtocol, ConnectorsAndTasks};
use wharf_cluster::time::Millis;
use wharf_test_services::Random;

use super::broker::Connection;
use super::{HEARTBEAT, REBALANCE, REQUEST, SESSION};

const CONNECTORS: [(&str, i32); 3] = [("a", 4), ("b", 3), ("c", 1)];

fn configured() -> ConfiguredWork {
    ConfiguredWork {
        offset: 5,
        connectors: CONNECTORS
            .iter()
            .map(|(name, tasks)| ((*name).to_owned(), *tasks))
            .collect(),
    }
}

/// Names of all that has to run.
pub(crate) fn everything() -> Vec<String> {
    let tasks = |(name, tasks): (&str, i32)| {
        let name = name.to_owned();
        std::iter::once(name.clone()).chain((0..tasks).map(move |task| format!("{name}-{task}")))
    };
    CONNECTORS.into_iter().flat_map(tasks).collect()
}

fn pieces(work: &ConnectorsAndTasks) -> BTreeSet<String> {
    let tasks = work.tasks.iter().map(ToString::to_string);
    work.connectors.iter().cloned().chain(tasks).collect()
}

#[derive(Debug, Clone, Copy)]
struct Run {
    /// The lease under which it was started.
    lease: u64,
    /// When it will have stopped, if it is stopping.
    stops_at: Option<Millis>,
}

pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) alive: bool,
    pub(crate) frozen_until: Millis,
    pub(crate) cut_until: Millis,
    pub(crate) lapses: usize,
    member: GroupMember,
    assignor: Assignor,
    allocation: Option<Assignment>,
    /// What runs or has not stopped yet.
    running: BTreeMap<String, Run>,
    /// What was assigned and starts when an earlier run of it has stopped.
    wanted: BTreeSet<String>,
    /// What the member waits for.
    stops: BTreeSet<String>,
    rejoins_after: bool,
    must_prepare: bool,
    main: Option<Connection>,
    aside: Option<Connection>,
}

impl Worker {
    pub(crate) fn new(number: usize, mode: ConnectProtocol, seed: u64, now: Millis) -> Self {
        let settings = MemberSettings {
            mode,
            session_timeout: SESSION,
            heartbeat_interval: HEARTBEAT,
            rebalance_timeout: REBALANCE,
            request_timeout: REQUEST,
            discovery_timeout: SESSION / 2,
            jitter_seed: seed + number as u64,
            ..MemberSettings::new("workers", format!("http://w{number}:8083/"))
        };
        let mut member = GroupMember::new(settings, now).unwrap();
        member.set_metadata(now, 5, None);
        member.request_rejoin(now, "starts");
        Self {
            number,
            alive: true,
            frozen_until: 0,
            cut_until: 0,
            lapses: 0,
            member,
            assignor: Assignor::new(0),
            allocation: None,
            running: BTreeMap::new(),
            wanted: BTreeSet::new(),
            stops: BTreeSet::new(),
            rejoins_after: false,
            must_prepare: false,
            main: None,
            aside: None,
        }
    }

    pub(crate) fn call(&mut self, call: impl FnOnce(&mut GroupMember)) {
        if self.alive {
            call(&mut self.member);
        }
    }

    pub(crate) fn connection(&self, aside: bool) -> Option<Connection> {
        if aside { self.aside } else { self.main }
    }

    pub(crate) fn connect(&mut self, aside: bool, connection: Connection) {
        let place = if aside { &mut self.aside } else { &mut self.main };
        *place = Some(connection);
    }

    pub(crate) fn has(&self, connection: Connection) -> bool {
        self.alive && (self.main == Some(connection) || self.aside == Some(connection))
    }

    pub(crate) fn open(&self) -> Vec<Connection> {
        self.main.into_iter().chain(self.aside).collect()
    }

    pub(crate) fn disconnect(&mut self) -> Vec<Connection> {
        self.main.take().into_iter().chain(self.aside.take()).collect()
    }

    pub(crate) fn broken(&mut self, now: Millis, connection: Connection) {
        if self.main == Some(connection) {
            self.main = None;
            self.aside = None;
            self.call(|member| member.connection_lost(now));
        } else if self.aside == Some(connection) {
            // Its requests get no answer; the machine knows how long to wait.
            self.aside = None;
        }
    }

    pub(crate) fn crash(&mut self) -> Vec<Connection> {
        self.alive = false;
        self.running.clear();
        self.disconnect()
    }

    /// Stops everything and says goodbye.
    pub(crate) fn close(&mut self, now: Millis) {
        self.running.clear();
        self.wanted.clear();
        self.call(|member| member.close(now, "the worker stops"));
    }

    /// What runs here and has an effect.
    pub(crate) fn effective(&self, now: Millis) -> impl Iterator<Item = &str> {
        let lease = self
            .member
            .lease()
            .filter(|lease| self.alive && lease.until > now);
        let held = move |run: &Run| lease.is_some_and(|lease| lease.number == run.lease);
        self.running
            .iter()
            .filter(move |(_, run)| held(run))
            .map(|(piece, _)| piece.as_str())
    }

    pub(crate) fn picture(&self) -> String {
        format!(
            "{} alive {} {:?} {:#?}",
            self.number, self.alive, self.running, self.member
        )
    }

    /// When there is something to do here.
    pub(crate) fn next_time(&self, now: Millis) -> Option<Millis> {
        let stops = self.running.values().filter_map(|run| run.stops_at);
        let next = stops
            .chain(self.member.next_deadline())
            .min()
            .filter(|_| self.alive);
        next.map(|at| {
            at.max(if self.frozen_until > now {
                self.frozen_until
            } else {
                0
            })
        })
    }

    /// One moment of life. Gives back what concerns the network.
    pub(crate) fn step(&mut self, now: Millis, random: &mut Random) -> Vec<Output> {
        let mut network = Vec::new();
        if !self.alive || now < self.frozen_until {
            return network;
        }
        self.member.herder_is_alive(now);
        self.converge(now);
        while let Some(output) = self.member.next_output() {
            match output {
                Output::Event(event) => {
                    self.told(now, random, event);
                    self.converge(now);
                }
                other => network.push(other),
            }
        }
        network
    }

    fn stop(&mut self, now: Millis, random: &mut Random, what: &BTreeSet<String>) {
        for piece in what {
            self.wanted.remove(piece);
            if let Some(run) = self.running.get_mut(piece) {
                run.stops_at.get_or_insert(now + random.below_u64(400));
            }
        }
    }

    /// What has stopped is gone, what may start starts, and whoever waits for it is told.
    fn converge(&mut self, now: Millis) {
        self.running
            .retain(|_, run| run.stops_at.is_none_or(|at| at > now));
        for piece in std::mem::take(&mut self.wanted) {
            match self.member.lease() {
                Some(lease) if !self.running.contains_key(&piece) => {
                    let run = Run {
                        lease: lease.number,
                        stops_at: None,
                    };
                    self.running.insert(piece, run);
                }
                _ => {
                    self.wanted.insert(piece);
                }
            }
        }
        let waits = self.stops.iter().any(|piece| self.running.contains_key(piece));
        if !waits && std::mem::take(&mut self.must_prepare) {
            self.stops.clear();
            self.member.prepared(now);
            if std::mem::take(&mut self.rejoins_after) {
                self.member.request_rejoin(now, "what was revoked has ended");
            }
        }
    }

    fn told(&mut self, now: Millis, random: &mut Random, event: Event) {
        if event.decides_ownership() {
            self.member.event_taken(now);
        }
        match event {
            Event::Prepare { revoke_all: true } => {
                let all: BTreeSet<String> = self.running.keys().chain(&self.wanted).cloned().collect();
                self.stop(now, random, &all);
                self.allocation = None;
                self.member.set_metadata(now, 5, None);
                self.stops = all;
                self.must_prepare = true;
                self.rejoins_after = false;
            }
            Event::Elected(elected) => self.elected(now, &elected),
            Event::Joined(joined) => self.joined(now, random, joined),
            Event::LeaseLapsed { .. } => {
                self.lapses += 1;
                let all = self.running.keys().chain(&self.wanted).cloned().collect();
                self.stop(now, random, &all);
                self.allocation = None;
                self.must_prepare = false;
                self.member.set_metadata(now, 5, None);
                self.member.request_rejoin(now, "gave up its work");
            }
            Event::Closed => self.alive = false,
            Event::Fatal(error) => panic!("worker {}: {error}", self.number),
            _ => {}
        }
    }

    fn elected(&mut self, now: Millis, elected: &Elected) {
        let answer = self.assignor.assign(&Round {
            now,
            protocol: elected.protocol,
            leader: &elected.member_id,
            generation: elected.generation,
            last_completed_generation: elected.last_completed_generation,
            members: &elected.members,
            joined_with: &configured(),
            fresh: &configured(),
            can_run: None,
        });
        let entries = answer.unwrap().entries;
        self.member.assignments(now, elected.generation, entries).unwrap();
    }

    fn joined(&mut self, now: Millis, random: &mut Random, joined: Joined) {
        let new = joined.assignment;
        assert!(!new.failed());
        let revoked = pieces(&new.revoked);
        let mut merged = new.clone();
        if let Some(old) = self
            .allocation
            .take()
            .filter(|_| joined.protocol.is_cooperative())
        {
            merged.assigned.connectors.extend(old.assigned.connectors);
            merged.assigned.tasks.extend(old.assigned.tasks);
        }
        merged.assigned.connectors.retain(|name| !revoked.contains(name));
        merged
            .assigned
            .tasks
            .retain(|id| !revoked.contains(&id.to_string()));
        merged.revoked = ConnectorsAndTasks::default();
        let owned = pieces(&merged.assigned);
        let surplus: BTreeSet<String> = self
            .running
            .keys()
            .filter(|piece| !owned.contains(*piece))
            .cloned()
            .collect();
        self.stop(now, random, &surplus);
        let missing = owned
            .iter()
            .filter(|piece| self.running.get(*piece).is_none_or(|run| run.stops_at.is_some()));
        self.wanted = missing.cloned().collect();
        self.member.set_metadata(now, 5, Some(merged.clone()));
        self.allocation = Some(merged);
        self.must_prepare = !revoked.is_empty();
        self.rejoins_after = self.must_prepare;
        self.stops = revoked;
        if new.delay > 0 {
            self.member.request_rejoin(now, "delay");
        }
    }
}
