//! Runs one operation of one record, tries it again where that may help, and judges what fails for good.
//!
//! What must stay true: only errors of kind retriable are tried again; no attempt begins after the deadline but the one that a
//! wait up to it was for; a task that is to stop gets an answer at once, and its record is neither failed nor skipped then.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::{ConnectError, Result};

use super::counters::ErrorCounters;
use super::stage::{RecordFailure, Stage};
use crate::config::{ErrorConfig, ToleranceType};
use crate::worker::control::TaskControl;
use crate::worker::task_context::Secrets;

/// The pause before the first attempt that is made again; each later one is twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(300);
/// A longer wait is cut into slices of this length: the end of a lease wakes nobody up.
const SLICE: Duration = Duration::from_millis(500);

/// Time and chance, as far as retries need them.
pub(crate) trait RetryClock: Send {
    fn now(&self) -> Instant;

    /// Waits, less when the task is to stop. Says whether it is.
    fn wait(&self, time: Duration) -> bool;

    /// Any number below this one, each as likely as the others.
    fn random_below(&self, bound: u64) -> u64;
}

/// The clock of a task that runs.
pub(crate) struct TaskClock(pub(crate) Arc<TaskControl>);

impl RetryClock for TaskClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, time: Duration) -> bool {
        let until = Instant::now().checked_add(time);
        loop {
            let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
            let _ = self.0.wait_stopping(left.min(SLICE));
            if self.0.is_stopping() || left <= SLICE && until.is_some() {
                return self.0.is_stopping();
            }
        }
    }

    fn random_below(&self, bound: u64) -> u64 {
        // The standard library's hasher is seeded by the system; the bias of the remainder does not matter for a pause.
        RandomState::new().build_hasher().finish() % bound.max(1)
    }
}

/// What became of an operation.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    Done(T),
    /// To be reported; then the record is skipped or the task fails.
    Failed(Box<RecordFailure>),
    /// The task is to stop: as if the operation had not been begun.
    Interrupted,
}

impl<T> Attempt<T> {
    /// The same with another result.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(done) => Attempt::Done(change(done)),
            Self::Failed(failure) => Attempt::Failed(failure),
            Self::Interrupted => Attempt::Interrupted,
        }
    }
}

/// The rules by which a task treats operations that fail.
pub(crate) struct RetryWithTolerance {
    timeout: Option<Duration>,
    max_delay: Duration,
    tolerance: ToleranceType,
    clock: Box<dyn RetryClock>,
    counters: Arc<ErrorCounters>,
    secrets: Secrets,
}

impl RetryWithTolerance {
    pub(crate) fn new(
        config: &ErrorConfig,
        clock: Box<dyn RetryClock>,
        counters: Arc<ErrorCounters>,
    ) -> Self {
        Self {
            timeout: config.retry_timeout,
            max_delay: config.retry_delay_max,
            tolerance: config.tolerance,
            clock,
            counters,
            secrets: Secrets::default(),
        }
    }

    /// The same, whose failures quote none of these values.
    pub(crate) fn hiding(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Whether an operation may be run more than once, so that what it takes has to be kept.
    #[inline]
    pub(crate) fn may_retry(&self) -> bool {
        self.timeout != Some(Duration::ZERO)
    }

    pub(crate) fn is_tolerant(&self) -> bool {
        self.tolerance == ToleranceType::All
    }

    /// Runs an operation.
    #[inline]
    pub(crate) fn execute<T>(
        &self,
        stage: Stage,
        class: &str,
        mut operation: impl FnMut() -> Result<T>,
    ) -> Attempt<T> {
        match operation() {
            Ok(done) => Attempt::Done(done),
            Err(error) => self.resume(stage, class, error, operation),
        }
    }

    /// Goes on after a first attempt that was made elsewhere, in a batch, and failed.
    #[cold]
    pub(crate) fn resume<T>(
        &self,
        stage: Stage,
        class: &str,
        first: ConnectError,
        mut operation: impl FnMut() -> Result<T>,
    ) -> Attempt<T> {
        let start = self.clock.now();
        let deadline = match self.timeout {
            None => None,
            Some(timeout) => start.checked_add(timeout),
        };
        let mut error = first;
        for attempt in 0u32.. {
            // What a plugin waited for was given up for the stop's sake, and has not failed.
            if error.is_interrupted() && self.clock.wait(Duration::ZERO) {
                return Attempt::Interrupted;
            }
            self.counters.failure();
            let now = self.clock.now();
            let is_late = deadline.is_some_and(|deadline| now >= deadline);
            if !error.is_retriable() || is_late {
                break;
            }
            let left = deadline.map_or(Duration::MAX, |deadline| deadline - now);
            let delay = self.delay(attempt).min(left);
            tracing::debug!(
                "stage {} with class {class} failed and is tried again in {} ms: {error:#}",
                stage.name(),
                delay.as_millis()
            );
            if self.clock.wait(delay) {
                return Attempt::Interrupted;
            }
            self.counters.retry();
            match operation() {
                Ok(done) => return Attempt::Done(done),
                Err(next) => error = next,
            }
        }
        Attempt::Failed(Box::new(self.judge(stage, class, error)))
    }

    /// The pause before an attempt is made again for the `retries`+1st time.
    fn delay(&self, retries: u32) -> Duration {
        let delay = 2u32
            .checked_pow(retries)
            .and_then(|factor| FIRST_DELAY.checked_mul(factor))
            .unwrap_or(Duration::MAX);
        if delay <= self.max_delay {
            return delay;
        }
        let cap = u64::try_from(self.max_delay.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.clock.random_below(cap))
    }

    /// A failure that came up outside of [`execute`](Self::execute): Kafka refused a record, a sink task reported one.
    pub(crate) fn failed(&self, stage: Stage, class: &str, error: ConnectError) -> Box<RecordFailure> {
        self.counters.failure();
        Box::new(self.judge(stage, class, error))
    }

    fn judge(&self, stage: Stage, class: &str, error: ConnectError) -> RecordFailure {
        let is_tolerated = self.is_tolerant();
        self.counters.error(is_tolerated);
        RecordFailure {
            stage,
            class: class.to_owned(),
            error: error.map_texts(&|text| self.secrets.hide(text)),
            is_tolerated,
        }
    }
}

#[cfg(test)]
#[path = "retry_with_tolerance_tests.rs"]
mod tests;
