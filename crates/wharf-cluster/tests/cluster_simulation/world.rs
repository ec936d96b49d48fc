//! All workers, the network between them and the broker, the config topic, and users who change things.

use std::collections::BTreeMap;

use wharf_cluster::config_state::{
    ConfigSnapshot, ConfigState, publication_backoff_ms, task_configs_changed, write::WriteStep,
};
use wharf_cluster::herder::WorkId;
use wharf_cluster::herder::invariants::{nothing_runs_twice, runs_as_configured};
use wharf_cluster::member::{
    Coordinator, Destination, FindCoordinatorResponse, KafkaError, Output, Request, RequestId, Response,
};
use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::target_state::TargetState;
use wharf_cluster::time::Millis;
use wharf_cluster::topic_record::TopicRecord;
use wharf_test_services::Random;

use super::broker::{Broker, Connection};
use super::parts::{Deed, Input, Times, url};
use super::requests::{self, PATIENCE, Requests};
use super::topic::Topic;
use super::worker::Worker;
use super::writer::{Change, Token, task_configs};

/// How long an attempt to connect takes that leads nowhere.
const CONNECT: Millis = 1_000;

pub(crate) enum Mail {
    ToBroker(Connection, Request),
    ToWorker(usize, Option<Connection>, RequestId, Response),
    Failed(usize, RequestId),
    Broken(usize, Connection),
    /// A request to a worker.
    Request(usize, requests::Request),
    /// A connector is asked for its task configurations: which start of it, after how many failures.
    Publish(usize, String, u64, u32),
    /// Whether they were written.
    Answer(Token, bool),
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    pub(crate) now: Millis,
    pub(crate) times: Times,
    pub(crate) broker: Broker,
    pub(crate) topic: Topic,
    pub(crate) workers: Vec<Worker>,
    pub(crate) requests: Requests,
    mail: BTreeMap<(Millis, u64), Mail>,
    arrivals: BTreeMap<(Connection, bool), Millis>,
    posted: u64,
    connections: Connection,
    /// Who waits for an answer about task configurations.
    awaiting: BTreeMap<Token, (usize, String, u64, u32)>,
    tokens: Token,
    pub(crate) versions: u64,
    /// Of somebody who is no worker.
    reader: ConfigState,
    read: usize,
}

impl World {
    pub(crate) fn new(seed: u64, times: Times) -> Self {
        Self {
            seed,
            random: Random::new(seed),
            now: 1,
            times,
            broker: Broker::new(),
            topic: Topic::default(),
            workers: Vec::new(),
            requests: Requests::new(seed),
            mail: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            posted: 0,
            connections: 0,
            awaiting: BTreeMap::new(),
            tokens: 0,
            versions: 0,
            reader: ConfigState::new(),
            read: 0,
        }
    }

    pub(crate) fn start_worker(&mut self, mode: ConnectProtocol) -> usize {
        let number = self.workers.len();
        let worker = Worker::new(
            number,
            mode,
            self.times,
            self.seed,
            self.now,
            &self.topic,
            &mut self.random,
        );
        self.workers.push(worker);
        number
    }

    pub(crate) fn post(&mut self, at: Millis, mail: Mail) {
        self.posted += 1;
        self.mail.insert((at, self.posted), mail);
    }

    fn travel(&mut self, worker: usize, connection: Connection, to_broker: bool, mail: Mail) {
        let cut = self.workers[worker].cut_until;
        let arrives = self.now.max(cut) + 1 + self.random.below_u64(20);
        let last = self.arrivals.entry((connection, to_broker)).or_default();
        *last = arrives.max(*last + 1);
        let arrives = *last;
        self.post(arrives, mail);
    }

    fn send(&mut self, number: usize, request: Request) {
        let cut = self.workers[number].cut_until > self.now;
        let down = self.broker.down_until > self.now;
        let aside = match request.to {
            Destination::AnyBroker => {
                let after = self.now + 1 + self.random.below_u64(20);
                let error = if down {
                    KafkaError::CoordinatorNotAvailable
                } else {
                    KafkaError::None
                };
                let coordinator = Coordinator::default();
                let response = Response::FindCoordinator(FindCoordinatorResponse { error, coordinator });
                return if cut {
                    self.post(self.now + CONNECT, Mail::Failed(number, request.id));
                } else {
                    self.post(after, Mail::ToWorker(number, None, request.id, response));
                };
            }
            Destination::Coordinator(_) => false,
            Destination::CoordinatorAside(_) => true,
        };
        let connection = match self.workers[number].connection(aside) {
            Some(connection) => connection,
            None => {
                self.connections += 1;
                self.workers[number].connect(aside, self.connections);
                if cut || down {
                    self.post(self.now + CONNECT, Mail::Broken(number, self.connections));
                }
                self.connections
            }
        };
        self.travel(number, connection, true, Mail::ToBroker(connection, request));
    }

    fn deliver(&mut self, mail: Mail) {
        let now = self.now;
        match mail {
            Mail::ToBroker(connection, request) => {
                let owner = self.workers.iter().any(|worker| worker.has(connection));
                if owner && now >= self.broker.down_until {
                    self.broker.receive(now, connection, request);
                }
            }
            Mail::ToWorker(number, connection, id, response) => {
                let worker = &mut self.workers[number];
                if connection.is_none_or(|connection| worker.has(connection)) {
                    worker.call(now, |member| member.handle_response(now, id, response));
                }
            }
            Mail::Failed(number, id) => {
                self.workers[number].call(now, |member| member.request_failed(now, id));
            }
            Mail::Broken(number, connection) => {
                self.broker.close(connection);
                self.workers[number].broken(now, connection);
            }
            Mail::Request(number, request) => self.requested(number, request),
            Mail::Publish(number, name, run, failures) => self.publish(number, name, run, failures),
            Mail::Answer(token, written) => {
                if let Some((number, name, run, failures)) = self.awaiting.remove(&token)
                    && !written
                {
                    // No longer than peace lasts.
                    let wait = publication_backoff_ms(failures.min(3));
                    self.post(now + wait, Mail::Publish(number, name, run, failures + 1));
                }
            }
        }
    }

    fn publish(&mut self, number: usize, name: String, run: u64, failures: u32) {
        let worker = &self.workers[number];
        let Some(start) = worker.connector_run(&name, run).filter(|_| worker.alive) else {
            return;
        };
        let view = worker.snapshot();
        let Some(config) = view
            .config(&name)
            .filter(|_| view.target_state(&name) == Some(TargetState::Started))
        else {
            return;
        };
        let configs = task_configs(&start.config);
        let applied = view
            .connector(&name)
            .and_then(|state| state.applied_config.as_deref());
        if !task_configs_changed(&view, &name, &configs, applied, Some(config)) {
            return;
        }
        self.tokens += 1;
        let token = self.tokens;
        self.awaiting.insert(token, (number, name.clone(), run, failures));
        self.post(self.now + PATIENCE + 500, Mail::Answer(token, false));
        let change = Change::TaskConfigs { name, configs, token };
        self.ask_at_home(number, change);
    }

    /// The operation that this worker is at goes on as far as it can.
    fn write(&mut self, number: usize) {
        let now = self.now;
        loop {
            let worker = &mut self.workers[number];
            if !worker.alive || now < worker.frozen_until {
                return;
            }
            let position = worker.position();
            let view = worker.snapshot();
            let Some(job) = worker.writer.0.front_mut() else {
                return;
            };
            let reads_to = job.reads_to;
            let done = match reads_to {
                Some(until) if position < until && now < job.expires => return,
                Some(until) if position < until => Some(false),
                _ if now < job.next_at => return,
                _ if !job.begin(&view) => Some(false),
                _ => match job.next_step() {
                    None => Some(true),
                    Some(WriteStep::ReadToEnd | WriteStep::TryReadToEnd) => {
                        job.reads_to = Some(self.topic.end());
                        if position < self.topic.end() {
                            worker.records_came(now, &mut self.random);
                        }
                        None
                    }
                    Some(step) => {
                        job.reads_to = None;
                        job.next_at = now + 1 + self.random.below_u64(8);
                        let records = match step {
                            WriteStep::Privileged(records) => records,
                            WriteStep::Plain(record) => vec![record],
                            other => panic!("{other:?}"),
                        };
                        self.append(records);
                        None
                    }
                },
            };
            if let Some(written) = done
                && let Some(job) = self.workers[number].writer.0.pop_front()
            {
                self.answer(3, &job.request, written);
            }
        }
    }

    fn append(&mut self, records: Vec<TopicRecord>) {
        self.topic.append(&mut self.random, records);
        for worker in self.workers.iter_mut().filter(|worker| worker.alive) {
            worker.records_came(self.now, &mut self.random);
        }
    }

    fn next_time(&self, end: Millis) -> Millis {
        let mail = self.mail.keys().next().map(|(at, _)| *at);
        let workers = self
            .workers
            .iter()
            .filter_map(|worker| worker.next_time(self.now));
        let awake = |worker: &&Worker| worker.alive && worker.frozen_until <= self.now;
        let writers = self
            .workers
            .iter()
            .filter(awake)
            .filter_map(|worker| worker.writer.next_time());
        let broker = self.broker.next_time(self.now);
        let next = workers.chain(writers).chain(mail).chain(broker).min();
        next.map_or(end, |at| at.clamp(self.now + 1, end))
    }

    /// Runs until `end`.
    pub(crate) fn run(&mut self, end: Millis) {
        while self.now < end {
            self.now = self.next_time(end);
            self.broker.tick(self.now);
            while let Some(entry) = self.mail.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let mail = entry.remove();
                let sleeps = match &mail {
                    Mail::ToBroker(..) | Mail::Answer(..) => 0,
                    Mail::ToWorker(number, ..)
                    | Mail::Failed(number, _)
                    | Mail::Broken(number, _)
                    | Mail::Request(number, _)
                    | Mail::Publish(number, ..) => self.workers[*number].frozen_until,
                };
                if sleeps > self.now {
                    self.post(sleeps, mail);
                } else {
                    self.deliver(mail);
                }
            }
            for (connection, id, response) in std::mem::take(&mut self.broker.answers) {
                if let Some(number) = self.workers.iter().position(|worker| worker.has(connection)) {
                    let mail = Mail::ToWorker(number, Some(connection), id, response);
                    self.travel(number, connection, false, mail);
                }
            }
            for number in 0..self.workers.len() {
                for deed in self.workers[number].step(self.now, &mut self.random, &self.topic) {
                    match deed {
                        Deed::Network(Output::Send(request)) => self.send(number, request),
                        Deed::Network(Output::Disconnect) => {
                            for connection in self.workers[number].disconnect() {
                                self.broker.close(connection);
                            }
                        }
                        Deed::Network(other) => panic!("{other:?}"),
                        Deed::Publish { name, run } => {
                            let after = self.now + 1 + self.random.below_u64(40);
                            self.post(after, Mail::Publish(number, name, run, 0));
                        }
                    }
                }
                self.write(number);
            }
            if self
                .workers
                .iter_mut()
                .any(|worker| std::mem::take(&mut worker.has_news))
            {
                self.nothing_runs_twice();
            }
        }
    }

    fn nothing_runs_twice(&self) {
        let effective = |worker: &Worker| worker.effective(self.now).cloned().collect::<Vec<WorkId>>();
        let all: Vec<_> = self
            .workers
            .iter()
            .map(|worker| (url(worker.number), effective(worker)))
            .collect();
        let running = nothing_runs_twice(all.iter().map(|(name, ids)| (name.as_str(), ids)));
        if let Err(violation) = running {
            panic!(
                "seed {} at {}: {violation}\n{}",
                self.seed,
                self.now,
                self.picture()
            );
        }
    }

    /// What the config topic says to somebody who reads all of it.
    fn truth(&mut self) -> ConfigSnapshot {
        for (offset, record) in &self.topic.records[self.read..] {
            self.reader
                .apply(*offset, Some(record.key.as_bytes()), record.value.as_deref());
        }
        self.read = self.topic.end();
        self.reader.snapshot()
    }

    /// Why the group is not yet as it should be.
    pub(crate) fn unrest(&mut self) -> Option<String> {
        let truth = self.truth();
        let all = self
            .workers
            .iter()
            .map(|worker| ("a worker", worker.effective(self.now)));
        let outcome = nothing_runs_twice(all).and_then(|running| runs_as_configured(&truth, &running));
        if let Err(violation) = outcome {
            return Some(violation.to_string());
        }
        for run in self
            .workers
            .iter()
            .flat_map(|worker| worker.effective_runs(self.now))
        {
            let config = truth.config(run.id.connector());
            let task_config = match &run.id {
                WorkId::Connector(_) => None,
                WorkId::Task(task) => truth.task_config(task),
            };
            // A paused connector says what its tasks have to do when it is resumed.
            let waits = run.task_config.is_some()
                && truth.target_state(run.id.connector()) != Some(TargetState::Started);
            if (config != Some(&run.config) && !waits) || task_config != run.task_config.as_ref() {
                return Some(format!("{} runs with an old configuration", run.id));
            }
        }
        for name in truth.connectors() {
            let wanted = task_configs(truth.config(name).unwrap());
            let tasks = truth.tasks(name);
            let same = tasks.len() == wanted.len()
                && tasks
                    .iter()
                    .zip(&wanted)
                    .all(|(task, config)| **truth.task_config(task).unwrap() == *config);
            // One that is stopped may have tasks: two leaders that know nothing of each other can write in turns.
            if truth.target_state(name) == Some(TargetState::Started) && !same {
                return Some(format!("{name} has other tasks than its connector wants"));
            }
        }
        None
    }

    /// Runs until the group is as it should be; how long that took, at most `limit`.
    pub(crate) fn time_to_rest(&mut self, limit: Millis) -> Millis {
        let begin = self.now;
        while let Some(reason) = self.unrest() {
            assert!(
                self.now < begin + limit,
                "seed {}: {reason}\n{}",
                self.seed,
                self.picture()
            );
            self.run(self.now + 10);
        }
        self.now - begin
    }

    pub(crate) fn picture(&self) -> String {
        let workers: Vec<_> = self
            .workers
            .iter()
            .filter(|it| it.alive)
            .map(Worker::picture)
            .collect();
        workers.join("\n")
    }

    /// Every connection of this worker breaks, at `at`.
    pub(crate) fn break_connections(&mut self, number: usize, at: Millis) {
        for connection in self.workers[number].open() {
            let arrives = at.max(self.workers[number].cut_until) + 1;
            self.post(arrives, Mail::Broken(number, connection));
        }
    }

    pub(crate) fn crash(&mut self, number: usize) {
        for connection in self.workers[number].crash() {
            self.broker.close(connection);
        }
    }

    pub(crate) fn shut_down(&mut self, number: usize) {
        let now = self.now;
        self.workers[number].tell(now, &mut self.random, Input::ShutDown);
    }

    pub(crate) fn alive(&self) -> Vec<usize> {
        self.workers
            .iter()
            .filter(|worker| worker.alive)
            .map(|worker| worker.number)
            .collect()
    }
}
