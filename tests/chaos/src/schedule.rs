//! What is done to workers and broker, and when: drawn from the seed before anything runs.
//!
//! What must stay true: what was taken away comes back before the end and before each [`Action::Settle`]; a worker gets its
//! next blow only after it was given back, the broker likewise, but a worker may be hit while another one is away, or the broker.

use std::time::Duration;

use crate::random::Random;
use crate::settings::{SESSION, Settings};

/// Blows between two moments at which everything has to come to rest.
const BLOWS_TO_SETTLE: usize = 8;
/// Between a start of a worker and its next blow: less than a start takes when the machine is busy.
const START: Duration = Duration::from_millis(1_500);
/// The same for the broker, a JVM.
const BROKER_START: Duration = Duration::from_secs(12);

/// One act. Workers are known by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// SIGKILL.
    Kill(usize),
    /// SIGTERM, and its end is waited for.
    Terminate(usize),
    /// One that was ended is started again.
    Start(usize),
    /// SIGSTOP.
    Freeze(usize),
    /// SIGCONT.
    Wake(usize),
    /// The broker is stopped in order.
    StopBroker,
    /// The broker is ended by SIGKILL.
    KillBroker,
    /// It is started again.
    StartBroker,
    /// Everything has to come to rest, and is checked.
    Settle,
}

/// An act and the pause before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill,
    Terminate,
    Freeze,
    Broker,
}

/// The whole run.
pub(crate) fn schedule(settings: &Settings) -> Vec<Step> {
    let mut random = Random::new(settings.seed);
    let mut blows = Vec::new();
    for (blow, count) in [
        (Blow::Kill, settings.kills),
        (Blow::Terminate, settings.planned_stops),
        (Blow::Freeze, settings.freezes),
        (Blow::Broker, settings.broker_restarts),
    ] {
        blows.extend(std::iter::repeat_n(blow, count));
    }
    random.shuffle(&mut blows);
    let mut steps = Vec::new();
    for some in blows.chunks(BLOWS_TO_SETTLE) {
        let mut timed = Timeline::new(settings.workers);
        for blow in some {
            timed.add(*blow, &mut random);
        }
        steps.extend(timed.into_steps());
        steps.push(Step {
            pause: Duration::ZERO,
            action: Action::Settle,
        });
    }
    steps
}

/// Acts between two rests, by the time since the last one.
struct Timeline {
    now: Duration,
    /// When each worker can take another blow.
    workers: Vec<Duration>,
    broker: Duration,
    acts: Vec<(Duration, Action)>,
}

impl Timeline {
    fn new(workers: usize) -> Self {
        Self {
            now: Duration::ZERO,
            workers: vec![Duration::ZERO; workers],
            broker: Duration::ZERO,
            acts: Vec::new(),
        }
    }

    fn add(&mut self, blow: Blow, random: &mut Random) {
        self.now += random.millis(300, 4_000);
        if matches!(blow, Blow::Broker) {
            self.now = self.now.max(self.broker);
            let back = self.now + random.millis(0, 3_000);
            let action = random.one_of(&[Action::StopBroker, Action::KillBroker]);
            self.acts.extend(action.map(|action| (self.now, action)));
            self.acts.push((back, Action::StartBroker));
            self.broker = back + BROKER_START;
            return;
        }
        let worker = self.worker(random);
        self.now = self.now.max(self.workers[worker]);
        let (first, away, then) = match blow {
            Blow::Kill => (
                Action::Kill(worker),
                random.millis(0, 4_000),
                Action::Start(worker),
            ),
            Blow::Terminate => (
                Action::Terminate(worker),
                random.millis(0, 2_000),
                Action::Start(worker),
            ),
            _ => (
                Action::Freeze(worker),
                SESSION + random.millis(500, 3_000),
                Action::Wake(worker),
            ),
        };
        self.acts.push((self.now, first));
        self.acts.push((self.now + away, then));
        self.workers[worker] = self.now + away + START;
    }

    /// One that is there, or the one that is back first.
    fn worker(&self, random: &mut Random) -> usize {
        let there: Vec<usize> = (0..self.workers.len())
            .filter(|worker| self.workers[*worker] <= self.now)
            .collect();
        let first_back = || (0..self.workers.len()).min_by_key(|worker| self.workers[*worker]);
        random.one_of(&there).or_else(first_back).unwrap_or_default()
    }

    fn into_steps(mut self) -> impl Iterator<Item = Step> {
        // Stable: what is given back at the moment it is taken comes after.
        self.acts.sort_by_key(|(at, _)| *at);
        let mut last = Duration::ZERO;
        self.acts.into_iter().map(move |(at, action)| {
            let pause = at - last;
            last = at;
            Step { pause, action }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(steps: &[Step], wanted: impl Fn(Action) -> bool) -> usize {
        steps.iter().filter(|step| wanted(step.action)).count()
    }

    #[test]
    fn a_schedule_has_what_was_ordered_and_everything_comes_back_before_each_rest() {
        for seed in 0..200 {
            let settings = Settings::short(seed);
            let steps = schedule(&settings);
            assert_eq!(count(&steps, |it| matches!(it, Action::Kill(_))), 20);
            assert_eq!(count(&steps, |it| matches!(it, Action::Freeze(_))), 5);
            assert_eq!(count(&steps, |it| matches!(it, Action::Terminate(_))), 4);
            assert_eq!(
                count(&steps, |it| matches!(it, Action::StopBroker | Action::KillBroker)),
                3
            );
            assert_eq!(steps.last().map(|step| step.action), Some(Action::Settle));
            let (mut workers, mut broker) = (vec![None; settings.workers], true);
            let mut now = Duration::ZERO;
            for step in steps {
                now += step.pause;
                match step.action {
                    Action::Kill(it) | Action::Terminate(it) | Action::Freeze(it) => {
                        assert_eq!(workers[it].replace((step.action, now)), None);
                    }
                    Action::Start(it) => {
                        let (taken, _) = workers[it].take().unwrap();
                        assert!(matches!(taken, Action::Kill(_) | Action::Terminate(_)));
                    }
                    Action::Wake(it) => {
                        let (taken, since) = workers[it].take().unwrap();
                        assert!(taken == Action::Freeze(it) && now - since > SESSION);
                    }
                    Action::StopBroker | Action::KillBroker => assert!(std::mem::take(&mut broker)),
                    Action::StartBroker => assert!(!std::mem::replace(&mut broker, true)),
                    Action::Settle => assert!(broker && workers.iter().all(Option::is_none)),
                }
            }
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let of = |seed| schedule(&Settings::short(seed));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
