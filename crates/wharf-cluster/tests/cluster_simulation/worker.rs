//! A worker: real member, assignor, config reader and herder machine, on two threads that talk through queues, as the
//! worker's own driver connects them. What runs is played.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use wharf_cluster::assignor::{Assignor, ConfiguredWork, Round};
use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot, ConfigState};
use wharf_cluster::herder::{
    Command, ConfigNote, Event, HerderMachine, HerderSettings, ToldViews, WorkId, WorkSet,
};
use wharf_cluster::member::{self, Elected, GroupMember, Lease, MemberSettings, Output};
use wharf_cluster::protocol::{Assignment, ConnectProtocol};
use wharf_cluster::target_state::TargetState;
use wharf_cluster::time::Millis;
use wharf_test_services::Random;

use super::broker::Connection;
use super::parts::{Deed, Input, Order, Run, Times, url};
use super::topic::Topic;
use super::writer::Writer;

pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) alive: bool,
    pub(crate) frozen_until: Millis,
    pub(crate) cut_until: Millis,
    /// The config topic cannot be read.
    pub(crate) blind_until: Millis,
    /// Only the herder's thread stands still.
    pub(crate) busy_until: Millis,
    pub(crate) lapses: usize,
    pub(crate) member: GroupMember,
    pub(crate) machine: HerderMachine<ConfigSnapshot>,
    pub(crate) writer: Writer,
    times: Times,
    assignor: Assignor,
    lease: Option<Lease>,
    last_lease: u64,
    state: ConfigState,
    position: usize,
    read_at: Option<Millis>,
    /// Reads to the end: what has to be read, and when that has failed.
    reads: Vec<(usize, Millis)>,
    told: ToldViews<ConfigSnapshot>,
    restarts: BTreeSet<String>,
    to_member: VecDeque<(Millis, Order)>,
    to_herder: VecDeque<(Millis, Input)>,
    pub(crate) runs: Vec<Run>,
    next_run: u64,
    deeds: Vec<Deed>,
    /// Something may have an effect since the last look that had none before.
    pub(crate) has_news: bool,
    main: Option<Connection>,
    aside: Option<Connection>,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        mode: ConnectProtocol,
        times: Times,
        seed: u64,
        now: Millis,
        topic: &Topic,
        random: &mut Random,
    ) -> Self {
        let settings = MemberSettings {
            mode,
            session_timeout: times.session,
            heartbeat_interval: times.heartbeat,
            rebalance_timeout: times.rebalance,
            request_timeout: times.request,
            discovery_timeout: times.session / 2,
            jitter_seed: seed + number as u64,
            ..MemberSettings::new("workers", url(number))
        };
        let mut worker = Self {
            number,
            alive: true,
            frozen_until: 0,
            cut_until: 0,
            blind_until: 0,
            busy_until: 0,
            lapses: 0,
            member: GroupMember::new(settings, now).unwrap(),
            machine: HerderMachine::new(HerderSettings {
                sync_timeout: times.sync,
                unsync_backoff: times.unsync,
            }),
            writer: Writer::default(),
            times,
            assignor: Assignor::new(times.max_delay),
            lease: None,
            last_lease: 0,
            state: ConfigState::new(),
            position: 0,
            read_at: None,
            reads: Vec::new(),
            told: ToldViews::default(),
            restarts: BTreeSet::new(),
            to_member: VecDeque::new(),
            to_herder: VecDeque::new(),
            runs: Vec::new(),
            next_run: 0,
            deeds: Vec::new(),
            has_news: false,
            main: None,
            aside: None,
        };
        worker.apply(topic, topic.end());
        worker.state.initial_read_complete();
        let first = Event::Config {
            view: worker.snapshot(),
            notes: Vec::new(),
        };
        worker.machine_event(now, random, topic, first);
        worker
    }

    pub(crate) fn snapshot(&self) -> ConfigSnapshot {
        self.state.snapshot()
    }

    pub(crate) fn position(&self) -> usize {
        self.position
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
            self.call(now, |member| member.connection_lost(now));
        } else if self.aside == Some(connection) {
            self.aside = None;
        }
    }

    pub(crate) fn crash(&mut self) -> Vec<Connection> {
        self.alive = false;
        self.runs.clear();
        self.disconnect()
    }

    /// Something for the member's thread. Afterwards everybody in the process sees the lease that holds then.
    pub(crate) fn call(&mut self, now: Millis, call: impl FnOnce(&mut GroupMember)) {
        if !self.alive {
            return;
        }
        call(&mut self.member);
        let lease = self.member.lease();
        let held = |lease: Option<Lease>| lease.is_some_and(|lease| lease.until > now);
        self.has_news |=
            held(lease) && (!held(self.lease) || lease.map(|it| it.number) != self.lease.map(|it| it.number));
        self.last_lease = lease.map_or(self.last_lease, |lease| lease.number);
        self.lease = lease;
    }

    /// What runs here and has an effect.
    pub(crate) fn effective(&self, now: Millis) -> impl Iterator<Item = &WorkId> {
        self.effective_runs(now).map(|run| &run.id)
    }

    pub(crate) fn effective_runs(&self, now: Millis) -> impl Iterator<Item = &Run> {
        let lease = self.lease.filter(|lease| self.alive && lease.until > now);
        self.runs
            .iter()
            .filter(move |run| lease.is_some_and(|lease| lease.number == run.lease))
    }

    /// The start of a connector that runs here.
    pub(crate) fn connector_run(&self, name: &str, number: u64) -> Option<&Run> {
        let id = WorkId::Connector(name.to_owned());
        let mut runs = self.runs.iter();
        runs.find(|run| run.id == id && run.number == number && run.ends_at.is_none())
    }

    pub(crate) fn tell(&mut self, now: Millis, random: &mut Random, input: Input) {
        self.to_herder.push_back((now + random.below_u64(4), input));
    }

    fn order(&mut self, now: Millis, random: &mut Random, order: Order) {
        self.to_member.push_back((now + random.below_u64(4), order));
    }

    /// There is more to read, soon.
    pub(crate) fn records_came(&mut self, now: Millis, random: &mut Random) {
        let lag = if random.below_u64(8) == 0 {
            random.below_u64(self.times.lag)
        } else {
            random.below_u64(20)
        };
        self.read_at.get_or_insert(now + 1 + lag);
    }

    pub(crate) fn next_time(&self, now: Millis) -> Option<Millis> {
        let herder = self.to_herder.front().map(|(at, _)| *at);
        let herder = [herder, self.machine.next_deadline()].into_iter().flatten();
        let herder = herder.map(|at| at.max(self.busy_until.max(now + 1)));
        let ends = self.runs.iter().filter_map(|run| run.ends_at);
        let reads = self.reads.iter().map(|(_, until)| *until);
        let next = ends
            .chain(reads)
            .chain(self.read_at)
            .chain(self.to_member.front().map(|(at, _)| *at))
            .chain(self.member.next_deadline())
            .chain(herder)
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

    /// One moment of life.
    pub(crate) fn step(&mut self, now: Millis, random: &mut Random, topic: &Topic) -> Vec<Deed> {
        if !self.alive || now < self.frozen_until {
            return Vec::new();
        }
        // Threads of a process that stood still wake in any order.
        if random.below_u64(2) == 0 {
            self.member_thread(now, random);
        }
        self.reader(now, random, topic);
        self.end_runs(now, random);
        if now >= self.busy_until {
            self.herder_thread(now, random, topic);
        }
        self.member_thread(now, random);
        std::mem::take(&mut self.deeds)
    }

    fn member_thread(&mut self, now: Millis, random: &mut Random) {
        self.call(now, |member| member.poll(now));
        while self.to_member.front().is_some_and(|(at, _)| *at <= now) {
            let (_, order) = self.to_member.pop_front().unwrap();
            self.call(now, |member| match order {
                Order::EventTaken => member.event_taken(now),
                Order::SetMetadata(offset, allocation) => member.set_metadata(now, offset, allocation),
                Order::Rejoin(reason) => member.request_rejoin(now, &reason),
                Order::Prepared => member.prepared(now),
                Order::Assignments(generation, entries) => {
                    member.assignments(now, generation, entries).unwrap();
                }
                Order::Leave => member.leave(now, "cannot read"),
                Order::Close => member.close(now, "the worker stops"),
            });
        }
        while let Some(output) = self.member.next_output() {
            match output {
                Output::Event(event) => {
                    self.lapses += usize::from(matches!(event, member::Event::LeaseLapsed { .. }));
                    self.tell(now, random, Input::Member(event));
                }
                network => self.deeds.push(Deed::Network(network)),
            }
        }
    }

    fn apply(&mut self, topic: &Topic, until: usize) -> Vec<ConfigEvent> {
        let records = &topic.records[self.position..until];
        self.position = until;
        let mut events = Vec::new();
        for (offset, record) in records {
            let value = record.value.as_deref();
            events.extend(self.state.apply(*offset, Some(record.key.as_bytes()), value));
        }
        events
    }

    fn reader(&mut self, now: Millis, random: &mut Random, topic: &Topic) {
        if self.read_at.is_some_and(|at| at <= now) {
            let left = topic.end() - self.position;
            if now < self.blind_until {
                self.read_at = Some(self.blind_until);
            } else {
                let count = if random.below_u64(4) == 0 {
                    random.below_u64(left as u64 + 1) as usize
                } else {
                    left
                };
                let events = self.apply(topic, self.position + count);
                self.read_at = (count < left).then_some(now + 1 + random.below_u64(10));
                let snapshot = self.snapshot();
                self.tell(now, random, Input::Config(events, snapshot));
            }
        }
        let done = |(target, until): &mut (usize, Millis)| *target <= self.position || *until <= now;
        let answers: Vec<_> = self.reads.extract_if(.., done).collect();
        for (target, _) in answers {
            let complete = target <= self.position;
            self.tell(now, random, Input::Read(complete));
        }
    }

    fn end_runs(&mut self, now: Millis, random: &mut Random) {
        let over = |run: &mut Run| run.ends_at.is_some_and(|at| at <= now);
        let ended: Vec<_> = self.runs.extract_if(.., over).collect();
        for run in ended {
            self.tell(now, random, Input::Stopped(run.id));
        }
    }

    fn herder_thread(&mut self, now: Millis, random: &mut Random, topic: &Topic) {
        self.call(now, |member| member.herder_is_alive(now));
        let mut idle = true;
        while self.alive && self.to_herder.front().is_some_and(|(at, _)| *at <= now) {
            let (_, input) = self.to_herder.pop_front().unwrap();
            idle = false;
            self.input(now, random, topic, input);
            self.restart_what_was_asked_for(now, random, topic);
        }
        if idle && self.machine.next_deadline().is_some_and(|at| at <= now) {
            self.machine_event(now, random, topic, Event::Tick);
            self.restart_what_was_asked_for(now, random, topic);
        }
    }

    fn input(&mut self, now: Millis, random: &mut Random, topic: &Topic, input: Input) {
        match input {
            Input::Member(event) => self.member_event(now, random, topic, event),
            Input::Config(events, view) => {
                let mut notes = Vec::new();
                for event in events {
                    match event {
                        ConfigEvent::ConnectorConfigUpdated(name) => notes.push(ConfigNote::Connector(name)),
                        ConfigEvent::ConnectorConfigRemoved(name) => notes.push(ConfigNote::Removed(name)),
                        ConfigEvent::TaskConfigsUpdated { connector, .. } => {
                            // What was written may be what an earlier run proposed.
                            self.publish(&connector);
                            notes.push(ConfigNote::Tasks(connector));
                        }
                        ConfigEvent::TargetStateChanged(name) => notes.push(ConfigNote::Target(name)),
                        ConfigEvent::RestartRequested(request) => {
                            self.restarts.insert(request.connector);
                        }
                        _ => {}
                    }
                }
                self.machine_event(now, random, topic, Event::Config { view, notes });
            }
            Input::Read(true) => self.machine_event(now, random, topic, Event::ReadToEnd),
            Input::Read(false) => self.machine_event(now, random, topic, Event::ReadFailed),
            Input::Stopped(id) => self.machine_event(now, random, topic, Event::Stopped(id)),
            Input::ShutDown => self.machine_event(now, random, topic, Event::ShutDown),
        }
    }

    fn restart_what_was_asked_for(&mut self, now: Millis, random: &mut Random, topic: &Topic) {
        if self.restarts.is_empty() || !self.machine.is_stable() {
            return;
        }
        let names = std::mem::take(&mut self.restarts);
        let active = self.machine.active().filter(|id| self.machine.is_running(id));
        let ids: WorkSet = active
            .filter(|id| names.contains(id.connector()))
            .cloned()
            .collect();
        if !ids.is_empty() {
            self.machine_event(now, random, topic, Event::Restart(ids));
        }
    }

    fn member_event(&mut self, now: Millis, random: &mut Random, topic: &Topic, event: member::Event) {
        if event.decides_ownership() {
            self.order(now, random, Order::EventTaken);
        }
        match event {
            member::Event::Prepare { revoke_all: true } => {
                self.machine_event(now, random, topic, Event::GiveUpAll);
            }
            member::Event::Elected(elected) => self.elected(now, random, &elected),
            member::Event::Joined(joined) => {
                self.told.joined();
                let joined = Event::Joined(joined.into());
                self.machine_event(now, random, topic, joined);
            }
            member::Event::LeaseLapsed { .. } => self.machine_event(now, random, topic, Event::LeaseLapsed),
            member::Event::Closed => self.alive = false,
            member::Event::Fatal(error) => panic!("worker {}: {error}", self.number),
            _ => {}
        }
    }

    fn elected(&mut self, now: Millis, random: &mut Random, elected: &Elected) {
        let joined_with = self.told.joined_with(elected);
        let answer = self.assignor.assign(&Round {
            now,
            protocol: elected.protocol,
            leader: &elected.member_id,
            generation: elected.generation,
            last_completed_generation: elected.last_completed_generation,
            members: &elected.members,
            joined_with: &joined_with,
            fresh: &ConfiguredWork::of(&self.state.snapshot()),
            can_run: None,
        });
        let entries = answer.unwrap().entries;
        self.order(now, random, Order::Assignments(elected.generation, entries));
    }

    fn machine_event(
        &mut self,
        now: Millis,
        random: &mut Random,
        topic: &Topic,
        event: Event<ConfigSnapshot>,
    ) {
        for command in self.machine.handle(now, event) {
            match command {
                Command::Start(id) => self.start(id),
                Command::Stop(id) => self.stop(now, random, id),
                Command::ApplyTarget(name) => self.apply_target(&name),
                Command::ReadToEnd => {
                    self.reads.push((topic.end(), now + self.times.sync));
                    self.read_at.get_or_insert(now + 1);
                }
                Command::SetMetadata {
                    config_offset,
                    allocation,
                } => {
                    let view = self.machine.view().cloned().unwrap_or_default();
                    self.told.tell(config_offset, view);
                    self.order(
                        now,
                        random,
                        Order::SetMetadata(config_offset, allocation.map(Assignment::from)),
                    );
                }
                Command::Rejoin { reason } => self.order(now, random, Order::Rejoin(reason)),
                Command::JoinPrepared | Command::RevocationDone => self.order(now, random, Order::Prepared),
                Command::Leave { .. } => self.order(now, random, Order::Leave),
                Command::Lead => {}
                Command::End => self.order(now, random, Order::Close),
            }
        }
    }

    fn start(&mut self, id: WorkId) {
        assert!(
            self.runs.iter().all(|run| run.id != id),
            "worker {}: {id} runs already",
            self.number
        );
        let view = self.machine.view().unwrap();
        let config = view
            .config(id.connector())
            .expect("only what is configured starts");
        let task_config = match &id {
            WorkId::Connector(_) => None,
            WorkId::Task(task) => Some(Arc::clone(view.task_config(task).expect("it is configured"))),
        };
        self.next_run += 1;
        self.has_news = true;
        if let WorkId::Connector(name) = &id {
            let (name, run) = (name.clone(), self.next_run);
            self.deeds.push(Deed::Publish { name, run });
        }
        self.runs.push(Run {
            number: self.next_run,
            lease: self.last_lease,
            config: Arc::clone(config),
            task_config,
            ends_at: None,
            id,
        });
    }

    fn stop(&mut self, now: Millis, random: &mut Random, id: WorkId) {
        let takes = match random.below_u64(30) {
            0 => self.times.stop_limit,
            1..=5 => random.below_u64(self.times.stop_limit),
            _ => random.below_u64(self.times.stop),
        };
        let takes = takes.min(self.times.stop_limit);
        match self.runs.iter_mut().find(|run| run.id == id) {
            Some(run) => {
                run.ends_at.get_or_insert(now + takes);
            }
            None => self.tell(now, random, Input::Stopped(id)),
        }
    }

    fn apply_target(&mut self, name: &str) {
        let view = self.machine.view().unwrap();
        if view.target_state(name) == Some(TargetState::Started) {
            self.publish(name);
        }
    }

    /// If the connector runs here, it is asked for its task configurations.
    fn publish(&mut self, name: &str) {
        let id = WorkId::Connector(name.to_owned());
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.id == id && run.ends_at.is_none());
        let deed = run.map(|run| Deed::Publish {
            name: name.to_owned(),
            run: run.number,
        });
        self.deeds.extend(deed);
    }

    pub(crate) fn picture(&self) -> String {
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|run| (run.id.to_string(), run.lease, run.ends_at))
            .collect();
        format!(
            "worker {} alive {} lease {:?} position {} runs {runs:?} {:?} {:?}",
            self.number,
            self.alive,
            self.lease,
            self.position,
            self.machine.allocation(),
            self.member
        )
    }
}
