//! The age of records when they have arrived: now, less their timestamps. The clock is read once for all that arrive
//! together, and neighbours with the same timestamp, as producers send them, count as one entry.

use super::histogram::Histogram;

/// Timestamps of records that are on their way together; kept by the task's thread.
#[derive(Debug, Default)]
pub(crate) struct Timestamps {
    runs: Vec<(i64, u64)>,
}

impl Timestamps {
    /// One more record; one without timestamp (negative) has no age.
    #[inline]
    pub(crate) fn note(&mut self, timestamp: i64) {
        match self.runs.last_mut() {
            Some((last, times)) if *last == timestamp => *times += 1,
            _ if timestamp < 0 => {}
            _ => self.runs.push((timestamp, 1)),
        }
    }

    /// They are forgotten.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
    }

    /// All have arrived now. A timestamp of the future, of a clock that is ahead, is an age of 0.
    pub(crate) fn arrived(&mut self, lag: &Histogram, epoch_millis: i64) {
        for (timestamp, times) in self.runs.drain(..) {
            let age = epoch_millis.saturating_sub(timestamp).max(0);
            lag.observe(age.unsigned_abs(), times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::histogram::LAG;

    #[test]
    fn each_record_counts_with_its_age_on_arrival() {
        let lag = Histogram::new(&LAG);
        let mut timestamps = Timestamps::default();
        for timestamp in [1_000, 1_000, 1_001, -1, -1, 9_000] {
            timestamps.note(timestamp);
        }
        timestamps.arrived(&lag, 2_001);
        timestamps.arrived(&lag, 5_000);
        let (buckets, count, sum) = lag.read();
        assert_eq!((count, sum), (4, 1_001.0 * 2.0 / 1e3 + 1.0));
        let at = |bound: &str| buckets.iter().find(|(text, _)| *text == bound).unwrap().1;
        assert_eq!((at("0.005"), at("1.0"), at("2.5")), (1, 2, 4));
    }

    #[test]
    fn what_is_forgotten_does_not_arrive() {
        let lag = Histogram::new(&LAG);
        let mut timestamps = Timestamps::default();
        timestamps.note(5);
        timestamps.clear();
        timestamps.arrived(&lag, 10);
        assert!(lag.is_empty());
    }
}
