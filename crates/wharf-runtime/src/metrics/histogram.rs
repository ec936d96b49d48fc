//! Histograms with fixed bounds, as Prometheus takes them: counted with plain additions, read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of a histogram's buckets.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// As text in seconds, in the canonical form of OpenMetrics, and in the unit in which values are given; rising.
    pub(crate) upper: &'static [(&'static str, u64)],
    /// How many of that unit are a second.
    pub(crate) per_second: f64,
}

/// For a step over a whole batch, in nanoseconds.
pub(crate) static BATCH: Bounds = Bounds {
    upper: &[
        ("1e-05", 10_000),
        ("0.0001", 100_000),
        ("0.0005", 500_000),
        ("0.0025", 2_500_000),
        ("0.01", 10_000_000),
        ("0.05", 50_000_000),
        ("0.25", 250_000_000),
        ("1.0", 1_000_000_000),
        ("5.0", 5_000_000_000),
        ("30.0", 30_000_000_000),
    ],
    per_second: 1e9,
};

/// For a step with one record, in nanoseconds.
pub(crate) static RECORD: Bounds = Bounds {
    upper: &[
        ("2.5e-07", 250),
        ("1e-06", 1_000),
        ("2.5e-06", 2_500),
        ("1e-05", 10_000),
        ("2.5e-05", 25_000),
        ("0.0001", 100_000),
        ("0.001", 1_000_000),
        ("0.01", 10_000_000),
        ("0.1", 100_000_000),
        ("1.0", 1_000_000_000),
    ],
    per_second: 1e9,
};

/// For the age of records, in milliseconds.
pub(crate) static LAG: Bounds = Bounds {
    upper: &[
        ("0.005", 5),
        ("0.025", 25),
        ("0.1", 100),
        ("0.25", 250),
        ("1.0", 1_000),
        ("2.5", 2_500),
        ("10.0", 10_000),
        ("60.0", 60_000),
        ("300.0", 300_000),
        ("3600.0", 3_600_000),
        ("86400.0", 86_400_000),
    ],
    per_second: 1e3,
};

/// How often values fell into each bucket.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static Bounds,
    /// One for each bound, and one for what is above all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Nothing observed yet.
    pub(crate) fn new(bounds: &'static Bounds) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.upper.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Observes the same value this many times.
    pub(crate) fn observe(&self, value: u64, times: u64) {
        let bucket = self
            .bounds
            .upper
            .iter()
            .position(|(_, bound)| value <= *bound)
            .unwrap_or(self.bounds.upper.len());
        self.counts[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    /// The bounds with how many values are at or below each; the number of all values; their sum in seconds.
    pub(crate) fn read(&self) -> (Vec<(&'static str, u64)>, u64, f64) {
        let sum = self.sum.load(Ordering::Relaxed);
        let mut below = 0;
        let counts = self.bounds.upper.iter().zip(&self.counts);
        let buckets = counts
            .map(|((text, _), count)| {
                below += count.load(Ordering::Relaxed);
                (*text, below)
            })
            .collect();
        let above = self
            .counts
            .last()
            .map_or(0, |count| count.load(Ordering::Relaxed));
        (buckets, below + above, sum as f64 / self.bounds.per_second)
    }

    /// Whether nothing was observed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_and_their_texts_say_the_same_in_seconds() {
        for bounds in [&BATCH, &RECORD, &LAG] {
            assert!(bounds.upper.is_sorted_by_key(|(_, value)| *value));
            for (text, value) in bounds.upper {
                let seconds: f64 = text.parse().unwrap();
                let difference = (seconds - *value as f64 / bounds.per_second).abs();
                assert!(difference < 1e-12, "{text} is not {value}");
                assert!(
                    text.contains('.') || text.contains('e'),
                    "{text} is not canonical"
                );
            }
        }
    }

    #[test]
    fn a_value_counts_in_its_bucket_and_in_all_above() {
        let histogram = Histogram::new(&LAG);
        assert!(histogram.is_empty());
        for (value, times) in [(5, 1), (6, 2), (86_400_000, 1), (86_400_001, 4)] {
            histogram.observe(value, times);
        }
        let (buckets, count, sum) = histogram.read();
        assert_eq!(buckets[0], ("0.005", 1));
        assert_eq!(buckets[1], ("0.025", 3));
        assert_eq!(buckets.last(), Some(&("86400.0", 4)));
        assert_eq!((count, sum), (8, 432_000.021));
        assert!(!histogram.is_empty());
    }
}
