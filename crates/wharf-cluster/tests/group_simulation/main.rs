//! Many workers in one group, with everything that networks, brokers and machines do to them, many times over.
//!
//! The members and the assignors are the real ones; the broker is played ([`broker`]), and what runs is a set of names
//! ([`worker`]). A failing run prints its seed.

mod broker;
mod worker;

use std::collections::BTreeMap;

use wharf_cluster::member::{
    Coordinator, Destination, FindCoordinatorResponse, KafkaError, Output, Request, RequestId, Response,
};
use wharf_cluster::protocol::ConnectProtocol;
use wharf_cluster::time::Millis;
use wharf_test_services::Random;

use broker::{Broker, Connection};
use worker::Worker;

const SESSION: Millis = 2_000;
const HEARTBEAT: Millis = 200;
const REBALANCE: Millis = 5_000;
const REQUEST: Millis = 4_000;
/// How long an attempt to connect takes that leads nowhere.
const CONNECT: Millis = 1_000;

enum Mail {
    ToBroker(Connection, Request),
    ToWorker(usize, Option<Connection>, RequestId, Response),
    Failed(usize, RequestId),
    /// A connection that could not be made, or broke.
    Broken(usize, Connection),
}

struct World {
    seed: u64,
    random: Random,
    now: Millis,
    broker: Broker,
    workers: Vec<Worker>,
    /// By time and then in order of posting.
    mail: BTreeMap<(Millis, u64), Mail>,
    /// When the last message of a connection and direction arrives: they keep their order.
    arrivals: BTreeMap<(Connection, bool), Millis>,
    posted: u64,
    connections: Connection,
    most_at_once: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            random: Random::new(seed),
            now: 1,
            broker: Broker::new(),
            workers: Vec::new(),
            mail: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            posted: 0,
            connections: 0,
            most_at_once: 0,
        };
        for _ in 0..2 + world.random.below_u64(4) {
            world.start_worker();
        }
        world
    }

    fn start_worker(&mut self) {
        // An eager worker that joins a group of others is left out: they learn that they should have stopped first when it is
        // too late, as upstream's do.
        let mode = match (self.seed % 5, self.workers.len() % 3) {
            (0, _) => ConnectProtocol::Eager,
            (_, 1) => ConnectProtocol::Compatible,
            _ => ConnectProtocol::Sessioned,
        };
        let number = self.workers.len();
        self.workers.push(Worker::new(number, mode, self.seed, self.now));
    }

    fn post(&mut self, at: Millis, mail: Mail) {
        self.posted += 1;
        self.mail.insert((at, self.posted), mail);
    }

    /// A message travels; it is late when the network is cut, and keeps its place on its connection.
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
                    worker.call(|member| member.handle_response(now, id, response));
                }
            }
            Mail::Failed(number, id) => self.workers[number].call(|member| member.request_failed(now, id)),
            Mail::Broken(number, connection) => {
                self.broker.close(connection);
                self.workers[number].broken(now, connection);
            }
        }
    }

    /// When anything is due next, at `end` at the latest.
    fn next_time(&self, end: Millis) -> Millis {
        let mail = self.mail.keys().next().map(|(at, _)| *at);
        let workers = self
            .workers
            .iter()
            .filter_map(|worker| worker.next_time(self.now));
        let next = workers.chain(mail).chain(self.broker.next_time(self.now)).min();
        next.map_or(end, |at| at.clamp(self.now + 1, end))
    }

    /// Runs until `end`.
    fn run(&mut self, end: Millis) {
        while self.now < end {
            self.now = self.next_time(end);
            self.broker.tick(self.now);
            while let Some(entry) = self.mail.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let mail = entry.remove();
                let sleeps = match &mail {
                    Mail::ToBroker(..) => 0,
                    Mail::ToWorker(number, ..) | Mail::Failed(number, _) | Mail::Broken(number, _) => {
                        self.workers[*number].frozen_until
                    }
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
                let outputs = self.workers[number].step(self.now, &mut self.random);
                for output in outputs {
                    match output {
                        Output::Send(request) => self.send(number, request),
                        Output::Disconnect => {
                            for connection in self.workers[number].disconnect() {
                                self.broker.close(connection);
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            self.nothing_runs_twice();
        }
    }

    /// Whatever the group does, no two workers hold a lease for the same work.
    fn nothing_runs_twice(&mut self) {
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        for worker in &self.workers {
            for piece in worker.effective(self.now) {
                if let Some(other) = owners.insert(piece, worker.number) {
                    panic!(
                        "seed {}: {piece} runs on {other} and {} at {}",
                        self.seed, worker.number, self.now
                    );
                }
            }
        }
        self.most_at_once = self.most_at_once.max(owners.len());
    }

    fn something_happens(&mut self) {
        let number = self.random.below_u64(self.workers.len() as u64) as usize;
        let duration = 300 + self.random.below_u64(3 * SESSION);
        let until = self.now + duration;
        let alive = self.workers.iter().filter(|worker| worker.alive).count();
        match self.random.below_u64(12) {
            0 | 1 if alive > 1 => {
                for connection in self.workers[number].crash() {
                    self.broker.close(connection);
                }
            }
            2 | 3 if alive < 7 => self.start_worker(),
            4 | 5 => self.workers[number].frozen_until = until,
            6 | 7 => self.workers[number].cut_until = until,
            8 => {
                self.broker.restart(self.now, self.now + duration / 3);
                for number in 0..self.workers.len() {
                    for connection in self.workers[number].open() {
                        let arrives = self.now.max(self.workers[number].cut_until) + 1;
                        self.post(arrives, Mail::Broken(number, connection));
                    }
                }
            }
            9 => {
                let now = self.now;
                self.workers[number].call(|member| member.request_rejoin(now, "for no reason"));
            }
            10 if alive > 1 => self.workers[number].close(self.now),
            _ => {
                // A connection breaks.
                for connection in self.workers[number].open() {
                    self.post(self.now + 1, Mail::Broken(number, connection));
                }
            }
        }
    }
}

/// How many groups are played.
const SEEDS: u64 = 2_000;

fn simulate(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(3_000);
    for _ in 0..12 {
        world.something_happens();
        let pause = 1 + world.random.below_u64(2_500);
        world.run(world.now + pause);
    }
    // Then peace, and one more worker, because the others may all be gone.
    world.start_worker();
    world.run(world.now + 25_000);
    let mut running: Vec<&str> = world
        .workers
        .iter()
        .flat_map(|worker| worker.effective(world.now))
        .collect();
    running.sort_unstable();
    let mut wanted: Vec<String> = worker::everything();
    wanted.sort_unstable();
    let picture: Vec<String> = world.workers.iter().map(Worker::picture).collect();
    assert_eq!(
        running, wanted,
        "seed {seed}: not everything runs again: {picture:#?}"
    );
    world
}

#[test]
fn work_never_runs_twice_and_always_runs_again() {
    let (mut rebalances, mut lapses) = (0, 0);
    for seed in 0..SEEDS {
        let world = simulate(seed);
        assert_eq!(world.most_at_once, worker::everything().len(), "seed {seed}");
        rebalances += world.broker.rebalances;
        lapses += world.workers.iter().map(|worker| worker.lapses).sum::<usize>();
    }
    assert!(
        rebalances > 5 * SEEDS as usize && lapses > SEEDS as usize,
        "too little happened: {rebalances} {lapses}"
    );
}
