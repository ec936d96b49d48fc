//! Requests of users and connectors, on their way from worker to worker until one carries them out. Networks bring some of
//! them twice and lose answers; what must hold of those that were given is said here.

use std::collections::{BTreeMap, BTreeSet};

use wharf_cluster::herder::{Admission, RequestKind};
use wharf_cluster::time::Millis;
use wharf_test_services::Random;

use super::parts::url;
use super::world::{Mail, World};
use super::writer::Change;

/// How long somebody waits for a worker's answer.
pub(crate) const PATIENCE: Millis = 3_000;
/// How much later the second of two comes at worst.
const LATE: u64 = 4_000;

/// Names one that arrived; one that comes twice has arrived twice.
pub(crate) type Arrival = u64;

/// A request, wherever it is.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) arrival: Arrival,
    pub(crate) change: Change,
    /// How often it was forwarded.
    hops: u32,
    /// Until when it may wait.
    until: Millis,
}

/// What was asked and what was answered, and what the network does to both.
pub(crate) struct Requests {
    pub(crate) is_reliable: bool,
    /// Apart from the chance of everything else, so that a seed without trouble of this kind stays what it is.
    random: Random,
    arrivals: Arrival,
    open: BTreeSet<Arrival>,
    /// Who carried out what only leaders may, by generation.
    leaders: BTreeMap<i32, usize>,
    pub(crate) doubled: usize,
    pub(crate) lost: usize,
}

impl Requests {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            is_reliable: true,
            random: Random::new(!seed),
            arrivals: 0,
            open: BTreeSet::new(),
            leaders: BTreeMap::new(),
            doubled: 0,
            lost: 0,
        }
    }

    fn arrives(&mut self) -> Arrival {
        self.arrivals += 1;
        self.open.insert(self.arrivals);
        self.arrivals
    }

    /// How much later this one comes again.
    fn comes_again(&mut self) -> Option<Millis> {
        let again = !self.is_reliable && self.random.once_in(4);
        self.doubled += usize::from(again);
        again.then(|| 1 + self.random.below_u64(LATE))
    }

    fn loses_answer(&mut self) -> bool {
        let lost = !self.is_reliable && self.random.once_in(5);
        self.lost += usize::from(lost);
        lost
    }
}

/// A request is answered once.
fn answered_once(open: &mut BTreeSet<Arrival>, arrival: Arrival) -> Result<(), String> {
    open.remove(&arrival)
        .then_some(())
        .ok_or_else(|| format!("request {arrival} was answered twice"))
}

/// None is forgotten: what has no answer died with its worker.
fn none_is_forgotten(open: &BTreeSet<Arrival>, died: &BTreeSet<Arrival>) -> Result<(), String> {
    match open.difference(died).next() {
        Some(arrival) => Err(format!("request {arrival} was never answered")),
        None => Ok(()),
    }
}

/// Of each generation one worker carries out what only leaders may.
fn one_leader_in_a_generation(
    leaders: &mut BTreeMap<i32, usize>,
    generation: i32,
    worker: usize,
) -> Result<(), String> {
    let first = *leaders.entry(generation).or_insert(worker);
    if first == worker {
        return Ok(());
    }
    Err(format!("{first} and {worker} lead in generation {generation}"))
}

impl World {
    /// A user asks this worker for something.
    pub(crate) fn ask(&mut self, number: usize, change: Change) {
        let request = self.request(change);
        self.bring(number, self.now + 1, request);
    }

    /// A connector asks the worker on which it runs for something.
    pub(crate) fn ask_at_home(&mut self, number: usize, change: Change) {
        let request = self.request(change);
        self.post(self.now, Mail::Request(number, request));
    }

    fn request(&mut self, change: Change) -> Request {
        Request {
            arrival: self.requests.arrives(),
            change,
            hops: 0,
            until: self.now + PATIENCE,
        }
    }

    /// Sends a request to a worker, where it may arrive twice.
    fn bring(&mut self, number: usize, at: Millis, request: Request) {
        if let Some(later) = self.requests.comes_again() {
            let again = Request {
                arrival: self.requests.arrives(),
                ..request.clone()
            };
            self.post(at + later, Mail::Request(number, again));
        }
        self.post(at, Mail::Request(number, request));
    }

    /// A request has arrived at a worker.
    pub(crate) fn requested(&mut self, number: usize, mut request: Request) {
        let worker = &mut self.workers[number];
        if !worker.alive {
            return self.answer(5, &request, false);
        }
        let kind = if request.change.is_for_anybody() {
            RequestKind::Member
        } else {
            RequestKind::Leader
        };
        match worker.machine.admit(kind) {
            Admission::Here => {
                let generation = worker.machine.allocation().map(|it| it.generation);
                worker.writer.push(self.now, request);
                if let (RequestKind::Leader, Some(generation)) = (kind, generation) {
                    let outcome = one_leader_in_a_generation(&mut self.requests.leaders, generation, number);
                    self.must_be(outcome);
                }
            }
            Admission::Forward(to) if request.hops < 2 => {
                let to = (0..self.workers.len()).find(|number| url(*number) == to).unwrap();
                request.hops += 1;
                self.bring(to, self.now + 2, request);
            }
            Admission::Wait if self.now < request.until => {
                self.post(self.now + 20, Mail::Request(number, request));
            }
            _ => self.answer(5, &request, false),
        }
    }

    /// Whether what was asked is done. Between workers the answer may be lost.
    pub(crate) fn answer(&mut self, after: Millis, request: &Request, done: bool) {
        let outcome = answered_once(&mut self.requests.open, request.arrival);
        self.must_be(outcome);
        if let Some(token) = request.change.token()
            && !(request.hops > 0 && self.requests.loses_answer())
        {
            self.post(self.now + after, Mail::Answer(token, done));
        }
    }

    /// At the end, when nothing is under way any more.
    pub(crate) fn everybody_was_answered(&self) -> Result<(), String> {
        let dead = self.workers.iter().filter(|worker| !worker.alive);
        let died = dead.flat_map(|worker| worker.writer.arrivals()).collect();
        none_is_forgotten(&self.requests.open, &died)
    }

    fn must_be(&self, outcome: Result<(), String>) {
        if let Err(reason) = outcome {
            panic!("seed {} at {}: {reason}\n{}", self.seed, self.now, self.picture());
        }
    }
}
