//! Statistics over the recent past, as upstream keeps them: `metrics.num.samples` windows of `metrics.sample.window.ms`, and
//! one more, so that a window that reaches into the monitored time is not lost. Rate, average, maximum, minimum and share are
//! read from the same windows.
//!
//! One thread records; any may read, without a lock. A reader that meets the writer in the middle of a record may miss that
//! record, and one that meets it at the change of windows looks again.
//!
//! One thing differs: upstream resets old windows when somebody reads, so that values depend on who looked when. Here reading
//! changes nothing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::clock::Moment;

/// More windows than this are kept as this many: each metric of each task has them all.
pub(crate) const MOST_SAMPLES: usize = 100;

/// How statistics are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// How many windows are looked back on.
    pub samples: usize,
    /// Length of one, in milliseconds.
    pub window_ms: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            samples: 2,
            window_ms: 30_000,
        }
    }
}

impl Sampling {
    fn windows(self) -> usize {
        self.samples.clamp(1, MOST_SAMPLES)
    }

    fn window_ms(self) -> u64 {
        self.window_ms.max(1)
    }

    /// What is older is forgotten.
    fn expires_after(self) -> u64 {
        (self.windows() as u64).saturating_mul(self.window_ms())
    }
}

/// A window that was never used began then.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
struct Window {
    /// When it began, in milliseconds.
    began: AtomicU64,
    /// When its last event was.
    last: AtomicU64,
    events: AtomicU64,
    /// Bits of a float, as are the next two.
    sum: AtomicU64,
    max: AtomicU64,
    min: AtomicU64,
}

/// What is known of one window.
#[derive(Debug, Clone, Copy)]
struct Seen {
    began: u64,
    last: u64,
    events: u64,
    sum: f64,
    max: f64,
    min: f64,
}

impl Window {
    fn unused() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            began: AtomicU64::new(NEVER),
            last: zero(),
            events: zero(),
            sum: zero(),
            max: zero(),
            min: zero(),
        }
    }

    /// Begins anew. The events go first: a reader that sees none does not care for the rest.
    fn begin(&self, now: u64) {
        self.events.store(0, Ordering::Release);
        self.began.store(now, Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
        for (bits, value) in [
            (&self.sum, 0.0),
            (&self.max, f64::NEG_INFINITY),
            (&self.min, f64::INFINITY),
        ] {
            bits.store(f64::to_bits(value), Ordering::Relaxed);
        }
    }

    fn add(&self, value: f64, now: u64) {
        let change = |bits: &AtomicU64, to: f64| bits.store(to.to_bits(), Ordering::Relaxed);
        let of = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        change(&self.sum, of(&self.sum) + value);
        change(&self.max, of(&self.max).max(value));
        change(&self.min, of(&self.min).min(value));
        self.last.store(now, Ordering::Relaxed);
        let events = self.events.load(Ordering::Relaxed);
        self.events.store(events + 1, Ordering::Release);
    }

    fn see(&self) -> Seen {
        let of = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Acquire));
        loop {
            let events = self.events.load(Ordering::Acquire);
            let seen = Seen {
                began: self.began.load(Ordering::Acquire),
                last: self.last.load(Ordering::Acquire),
                events,
                // Between two lives of a window the old sum is still there.
                sum: if events == 0 { 0.0 } else { of(&self.sum) },
                max: of(&self.max),
                min: of(&self.min),
            };
            // Fewer events than before: the window began anew in between.
            if self.events.load(Ordering::Acquire) >= events
                && self.began.load(Ordering::Relaxed) == seen.began
            {
                return seen;
            }
        }
    }
}

/// A value that is recorded now and then.
#[derive(Debug)]
pub(crate) struct Sampled {
    sampling: Sampling,
    windows: Box<[Window]>,
    current: AtomicUsize,
}

impl Sampled {
    /// Nothing recorded yet.
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self {
            sampling,
            windows: (0..=sampling.windows()).map(|_| Window::unused()).collect(),
            current: AtomicUsize::new(0),
        }
    }

    /// Records a value. One thread at a time.
    pub(crate) fn record(&self, value: f64, now: Moment) {
        let now = now.millis();
        let mut at = self.current.load(Ordering::Relaxed);
        let began = self.windows[at].began.load(Ordering::Relaxed);
        if began == NEVER {
            self.windows[at].begin(now);
        } else if now.saturating_sub(began) >= self.sampling.window_ms() {
            at = (at + 1) % self.windows.len();
            self.windows[at].begin(now);
            self.current.store(at, Ordering::Relaxed);
        }
        self.windows[at].add(value, now);
    }

    /// Windows that still count.
    fn seen(&self, now: u64) -> impl Iterator<Item = Seen> {
        let expires_after = self.sampling.expires_after();
        self.windows
            .iter()
            .map(Window::see)
            .filter(move |seen| seen.began != NEVER && now.saturating_sub(seen.last) < expires_after)
    }

    fn count(&self, now: Moment) -> u64 {
        self.seen(now.millis()).map(|seen| seen.events).sum()
    }

    fn sum(&self, now: Moment) -> f64 {
        self.seen(now.millis()).map(|seen| seen.sum).sum()
    }

    /// Milliseconds that the windows cover; windows that are missing count as if nothing had happened in them.
    fn covered(&self, now: Moment) -> u64 {
        let now = now.millis();
        let oldest = self.seen(now).map(|seen| seen.began).min().unwrap_or(now);
        let covered = now.saturating_sub(oldest);
        let wanted = self.sampling.windows() as u64 - 1;
        let missing = wanted.saturating_sub(covered / self.sampling.window_ms());
        covered + missing * self.sampling.window_ms()
    }

    /// The sum of the values per second.
    pub(crate) fn rate(&self, now: Moment) -> f64 {
        self.sum(now) / (self.covered(now).max(1) as f64 / 1e3)
    }

    /// How often something was recorded, per second.
    pub(crate) fn event_rate(&self, now: Moment) -> f64 {
        self.count(now) as f64 / (self.covered(now).max(1) as f64 / 1e3)
    }

    /// The mean value; `None` when there is none.
    pub(crate) fn average(&self, now: Moment) -> Option<f64> {
        let events = self.count(now);
        (events > 0).then(|| self.sum(now) / events as f64)
    }

    /// The largest value; `None` when there is none.
    pub(crate) fn max(&self, now: Moment) -> Option<f64> {
        let seen = self.seen(now.millis()).filter(|seen| seen.events > 0);
        seen.map(|seen| seen.max).reduce(f64::max)
    }

    /// The smallest value; `None` when there is none.
    pub(crate) fn min(&self, now: Moment) -> Option<f64> {
        let seen = self.seen(now.millis()).filter(|seen| seen.events > 0);
        seen.map(|seen| seen.min).reduce(f64::min)
    }

    /// Of values that are 0 or 1, the shares of zeros and of ones; both are 0 when there are no values.
    pub(crate) fn shares(&self, now: Moment) -> (f64, f64) {
        match self.average(now) {
            None => (0.0, 0.0),
            Some(ones) => (1.0 - ones, ones),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::clock::MetricsClock;

    const SECOND: u64 = 1_000;

    fn sampled() -> Sampled {
        Sampled::new(Sampling::default())
    }

    /// Values at seconds, and what is read at a last second: rate, average, maximum, minimum.
    #[test]
    fn statistics_look_back_on_two_windows() {
        type Read = (f64, Option<f64>, Option<f64>, Option<f64>);
        let cases: [(&str, &[(u64, f64)], u64, Read); 7] = [
            ("nothing", &[], 5, (0.0, None, None, None)),
            (
                "one window: the one before it counts as empty",
                &[(0, 60.0), (10, 20.0)],
                10,
                (2.0, Some(40.0), Some(60.0), Some(20.0)),
            ),
            (
                "two windows",
                &[(0, 60.0), (30, 30.0)],
                45,
                (2.0, Some(45.0), Some(60.0), Some(30.0)),
            ),
            (
                "a window that reaches into the time looked at counts whole",
                &[(0, 60.0), (29, 12.0), (58, 8.0), (88, 10.0)],
                88,
                (90.0 / 88.0, Some(22.5), Some(60.0), Some(8.0)),
            ),
            (
                "the first window has expired",
                &[(0, 60.0), (58, 8.0), (89, 12.0)],
                90,
                (20.0 / 32.0, Some(10.0), Some(12.0), Some(8.0)),
            ),
            ("all have", &[(0, 60.0)], 60, (0.0, None, None, None)),
            (
                "after a rest",
                &[(0, 60.0), (1_000, 31.0)],
                1_001,
                (1.0, Some(31.0), Some(31.0), Some(31.0)),
            ),
        ];
        for (name, values, read_at, expected) in cases {
            let (clock, turn) = MetricsClock::turned();
            let stat = sampled();
            let mut at = 0;
            for (second, value) in values {
                turn.by_millis((second - at) * SECOND);
                at = *second;
                stat.record(*value, clock.now());
            }
            turn.by_millis((read_at - at) * SECOND);
            let now = clock.now();
            let read = (stat.rate(now), stat.average(now), stat.max(now), stat.min(now));
            assert_eq!(read, expected, "{name}");
            let again = (stat.rate(now), stat.average(now), stat.max(now), stat.min(now));
            assert_eq!(again, expected, "{name}: reading changes nothing");
        }
    }

    #[test]
    fn shares_are_of_what_was_recorded_lately() {
        let (clock, turn) = MetricsClock::turned();
        let stat = sampled();
        assert_eq!(stat.shares(clock.now()), (0.0, 0.0));
        for value in [1.0, 1.0, 1.0, 0.0] {
            stat.record(value, clock.now());
        }
        assert_eq!(stat.shares(clock.now()), (0.25, 0.75));
        turn.by_millis(60 * SECOND);
        assert_eq!(stat.shares(clock.now()), (0.0, 0.0));
    }

    #[test]
    fn settings_decide_how_far_back() {
        for (samples, window_ms, alive_after) in
            [(1, 1_000, 999), (3, 1_000, 2_999), (2, 0, 1), (1_000, 10, 999)]
        {
            let (clock, turn) = MetricsClock::turned();
            let stat = Sampled::new(Sampling { samples, window_ms });
            stat.record(7.0, clock.now());
            turn.by_millis(alive_after);
            assert_eq!(stat.max(clock.now()), Some(7.0), "{samples} of {window_ms} ms");
            turn.by_millis(1);
            assert_eq!(stat.max(clock.now()), None, "{samples} of {window_ms} ms");
            assert_eq!(stat.event_rate(clock.now()), 0.0);
        }
    }

    #[test]
    fn who_reads_while_another_writes_sees_whole_windows() {
        let stat = std::sync::Arc::new(Sampled::new(Sampling {
            samples: 2,
            window_ms: 1,
        }));
        let (clock, turn) = MetricsClock::turned();
        let writer = std::sync::Arc::clone(&stat);
        let of_writer = clock.clone();
        let thread = std::thread::spawn(move || {
            for _ in 0..20_000 {
                writer.record(3.0, of_writer.now());
                turn.by(std::time::Duration::from_micros(100));
            }
        });
        while !thread.is_finished() {
            if let Some(max) = stat.max(clock.now()) {
                assert!(max == 3.0, "{max}");
            }
        }
        thread.join().unwrap();
        assert_eq!(stat.average(clock.now()), Some(3.0));
    }
}
