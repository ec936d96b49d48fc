//! Until when what is written has to be committed. A task that does not come back to its worker for longer than the consumer's
//! `max.poll.interval.ms` loses its partitions, and what it commits then may be older than what their new owner has written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::session::Stop;

/// A point in time that is set anew for each call of the worker; none has passed before.
#[derive(Debug, Default)]
pub(super) struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    /// The time that is left begins now.
    pub(super) fn begin(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(time);
    }

    /// Nothing where no time is set.
    fn left(&self) -> Option<Duration> {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub(super) fn has_passed(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// What tells connections to stop: the task, and the time.
    pub(super) fn stop(self: &Arc<Self>, task: Stop) -> Stop {
        let this = Arc::clone(self);
        Arc::new(move |time| {
            let time = this.left().map_or(time, |left| time.min(left));
            task(time) || this.has_passed()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_task_is_to_stop_or_the_time_is_over() {
        let deadline = Arc::new(Deadline::default());
        let never: Stop = Arc::new(|time| {
            assert!(time <= Duration::from_secs(1));
            false
        });
        let stop = deadline.stop(never);
        assert!(!stop(Duration::from_secs(1)));
        deadline.begin(Duration::from_secs(3600));
        assert!(!stop(Duration::from_secs(1)));
        deadline.begin(Duration::ZERO);
        assert!(stop(Duration::from_secs(3600)));
        assert!(deadline.has_passed());
        deadline.begin(Duration::from_secs(3600));
        let stopping = deadline.stop(Arc::new(|_| true));
        assert!(stopping(Duration::ZERO));
    }
}
