//! Time as metrics see it: how long the worker has run, and what time it is for who stamps records. A test has one that it
//! turns by hand, so nothing here waits.

#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time: nanoseconds since the clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Milliseconds since the clock was made.
    pub(crate) fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Nanoseconds since the clock was made.
    pub(crate) fn nanos(self) -> u64 {
        self.0
    }

    /// Nanoseconds from an earlier moment; 0 when it was not earlier.
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Nanoseconds as milliseconds, with what is below one.
pub(crate) fn as_millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[derive(Debug, Clone)]
enum Source {
    System {
        since: Instant,
        began: i64,
    },
    #[cfg(test)]
    Turned(Arc<AtomicU64>),
}

/// A clock.
#[derive(Debug, Clone)]
pub(crate) struct MetricsClock(Source);

impl MetricsClock {
    /// The system's clocks.
    pub(crate) fn system() -> Self {
        Self(Source::System {
            since: Instant::now(),
            began: now_epoch_millis(),
        })
    }

    /// A clock that stands still until it is turned; it was made at the epoch.
    #[cfg(test)]
    pub(crate) fn turned() -> (Self, Turn) {
        let nanos = Arc::new(AtomicU64::new(0));
        (Self(Source::Turned(Arc::clone(&nanos))), Turn(nanos))
    }

    /// Now.
    pub(crate) fn now(&self) -> Moment {
        match &self.0 {
            Source::System { since, .. } => Moment(nanos(since.elapsed())),
            #[cfg(test)]
            Source::Turned(nanos) => Moment(nanos.load(Ordering::Relaxed)),
        }
    }

    /// Milliseconds since 1970, to be compared with timestamps of records.
    pub(crate) fn epoch_millis(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => now_epoch_millis(),
            #[cfg(test)]
            Source::Turned(nanos) => {
                i64::try_from(nanos.load(Ordering::Relaxed) / 1_000_000).unwrap_or(i64::MAX)
            }
        }
    }

    /// When the clock was made; milliseconds since 1970.
    pub(crate) fn began(&self) -> i64 {
        match &self.0 {
            Source::System { began, .. } => *began,
            #[cfg(test)]
            Source::Turned(_) => 0,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn now_epoch_millis() -> i64 {
    // A system clock before 1970 gives lags that are as wrong as it is.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The hand that turns a clock.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Turn(Arc<AtomicU64>);

#[cfg(test)]
impl Turn {
    /// Lets time pass.
    pub(crate) fn by(&self, time: Duration) {
        self.0.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Lets milliseconds pass.
    pub(crate) fn by_millis(&self, millis: u64) {
        self.by(Duration::from_millis(millis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_moves_only_when_it_is_turned() {
        let (clock, turn) = MetricsClock::turned();
        let began = clock.now();
        assert_eq!((clock.now().nanos_since(began), clock.epoch_millis()), (0, 0));
        turn.by(Duration::from_micros(2_500));
        assert_eq!(clock.now().nanos_since(began), 2_500_000);
        assert_eq!((clock.now().millis(), clock.epoch_millis()), (2, 2));
        assert_eq!(began.nanos_since(clock.now()), 0);
    }
}
