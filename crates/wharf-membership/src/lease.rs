//! Until when the work of this worker is surely its own, for everybody in the process to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wharf_cluster::time::Millis;

/// No lease is held.
const NONE: u64 = 0;

/// Time as the group's machinery counts it: milliseconds since the worker began, plus one so that 0 is never a time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time.
    #[must_use]
    pub fn now(self) -> Millis {
        Millis::try_from(self.0.elapsed().as_millis()).map_or(Millis::MAX, |millis| millis.saturating_add(1))
    }
}

#[derive(Debug)]
struct State {
    number: AtomicU64,
    until: AtomicU64,
}

/// The lease of this worker, whichever it is now. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease {
    clock: Clock,
    state: Arc<State>,
}

/// The lease under which some work was started. A later lease does not bring the work back: by then it may run elsewhere.
#[derive(Debug, Clone)]
pub struct HeldLease {
    lease: Lease,
    number: u64,
}

impl Lease {
    /// None is held yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::new(State {
                number: AtomicU64::new(0),
                until: AtomicU64::new(NONE),
            }),
        }
    }

    /// The lease that is held now, for work that starts now.
    #[must_use]
    pub fn hold(&self) -> HeldLease {
        HeldLease {
            lease: self.clone(),
            number: self.state.number.load(Ordering::Acquire),
        }
    }

    pub(crate) fn set(&self, lease: Option<wharf_cluster::member::Lease>) {
        let state = &self.state;
        let (number, until) = lease.map_or((None, NONE), |lease| (Some(lease.number), lease.until));
        if let Some(number) = number.filter(|number| *number != state.number.load(Ordering::Acquire)) {
            // In this order, so that nobody sees the new number with the old end or the other way round.
            state.until.store(NONE, Ordering::Release);
            state.number.store(number, Ordering::Release);
        }
        state.until.store(until, Ordering::Release);
    }
}

impl HeldLease {
    /// Whether work may have effects that others see: a clock and two atomic loads. It is asked right before each; after a
    /// process stood still, the answer is no before anything else has run.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let state = &self.lease.state;
        self.lease.clock.now() < state.until.load(Ordering::Acquire)
            && state.number.load(Ordering::Acquire) == self.number
    }
}

#[cfg(test)]
mod tests {
    use wharf_cluster::member;

    use super::*;

    fn of(number: u64, until: Millis) -> Option<member::Lease> {
        Some(member::Lease { number, until })
    }

    #[test]
    fn work_is_covered_by_the_lease_it_was_started_under_and_by_no_later_one() {
        let lease = Lease::new(Clock::start());
        assert!(!lease.hold().is_valid());
        lease.set(of(1, Millis::MAX));
        let first = lease.hold();
        assert!(first.is_valid());
        lease.set(of(1, 1));
        assert!(!first.is_valid());
        lease.set(of(1, Millis::MAX));
        assert!(first.is_valid());
        lease.set(None);
        assert!(!first.is_valid());
        lease.set(of(2, Millis::MAX));
        assert!(!first.is_valid() && lease.hold().is_valid());
    }
}
