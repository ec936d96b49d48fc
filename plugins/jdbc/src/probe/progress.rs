//! How far a validation has come, how long it may take, and how many there may be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When what is being done is broken off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) files: Duration,
    /// With all servers that are tried in turn. A task has as long, or nearly, and the JVM's connectors have 40 s.
    pub(super) login: Duration,
    pub(super) questions: Duration,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Certificates, and the file of a database that is one.
    Files,
    Login,
    Questions,
}

impl Limits {
    pub(super) fn of(&self, step: Step) -> Duration {
        match step {
            Step::Files => self.files,
            Step::Login => self.login,
            Step::Questions => self.questions,
        }
    }
}

/// What is being done, and until when.
pub(super) struct Progress {
    pub(super) limits: Limits,
    present: Mutex<(Step, Instant)>,
}

impl Progress {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            present: Mutex::new((Step::Files, Instant::now() + limits.files)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Step, Instant)> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, step: Step) {
        *self.lock() = (step, Instant::now() + self.limits.of(step));
    }

    pub(super) fn present(&self) -> (Step, Instant) {
        *self.lock()
    }
}

/// How many threads there may be at a time. Those that hang are left behind, and nobody knows for how long.
pub(super) struct Threads {
    count: AtomicUsize,
    most: usize,
}

impl Threads {
    pub(super) const fn at_most(most: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            most,
        }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A place for one more, if there is room.
    pub(super) fn enter(&'static self) -> Option<Entered> {
        let more = |count| (count < self.most).then_some(count + 1);
        let entered = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Only then: it is given back when it is dropped.
        entered.is_ok().then(|| Entered(self))
    }
}

/// A thread's place, until the thread ends.
pub(super) struct Entered(&'static Threads);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}
