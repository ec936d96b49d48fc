//! How long the steps of a task take. A step over a whole batch is timed each time; of the steps with single records, those
//! with one record of 61 are, so that the clock is not read for each: 61 is prime, so that a pattern in the records is not met
//! in step.

use super::catalogue::MetricId;
use super::clock::{MetricsClock, Moment};
use super::exposition::{Exposition, Labels};
use super::histogram::{BATCH, Histogram, RECORD};

/// A step over a whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchStage {
    /// A source task is asked for records.
    Poll,
    /// The bytes that crossed the border are read, or those that are to cross are finished.
    Border,
    /// A sink task takes records.
    Put,
    /// Offsets are committed.
    Commit,
}

/// A step with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordStage {
    /// All transformations.
    Transform,
    /// Key, value and headers.
    Convert,
    /// Into the producer's queue.
    Send,
}

/// One record of so many is timed.
const EVERY: u32 = 61;

/// The steps of one task.
#[derive(Debug)]
pub(crate) struct Stages {
    batch: [Histogram; 4],
    record: [Histogram; 3],
}

impl Stages {
    pub(crate) fn new() -> Self {
        Self {
            batch: std::array::from_fn(|_| Histogram::new(&BATCH)),
            record: std::array::from_fn(|_| Histogram::new(&RECORD)),
        }
    }

    /// A step over a batch took this long.
    pub(crate) fn batch(&self, stage: BatchStage, nanos: u64) {
        self.batch[stage as usize].observe(nanos, 1);
    }

    /// A step with a record took this long.
    pub(crate) fn record(&self, stage: RecordStage, nanos: u64) {
        self.record[stage as usize].observe(nanos, 1);
    }

    /// A step took this long for all of these records together: as if each had been timed, one of 61.
    pub(crate) fn records(&self, stage: RecordStage, nanos: u64, records: usize) {
        let records = records as u64;
        if records > 0 {
            let timed = records.div_ceil(u64::from(EVERY));
            self.record[stage as usize].observe(nanos / records, timed);
        }
    }

    /// Those that were met.
    pub(crate) fn write(&self, out: &mut Exposition, labels: &Labels) {
        const BATCH_STAGES: [&str; 4] = ["poll", "border", "put", "commit"];
        const RECORD_STAGES: [&str; 3] = ["transform", "convert", "send"];
        let batch = self.batch.iter().zip(BATCH_STAGES);
        let record = self.record.iter().zip(RECORD_STAGES);
        for (id, (histogram, stage)) in batch
            .map(|it| (MetricId::BatchStageSeconds, it))
            .chain(record.map(|it| (MetricId::RecordStageSeconds, it)))
        {
            if !histogram.is_empty() {
                out.histogram(id, &labels.with("stage", stage), histogram);
            }
        }
    }
}

/// Times the steps of some records; kept by the task's thread.
#[derive(Debug)]
pub(crate) struct RecordTimer {
    clock: MetricsClock,
    /// Records until the next one that is timed.
    left: u32,
    /// When the last step of the record ended that is timed.
    since: Option<Moment>,
}

impl RecordTimer {
    pub(crate) fn new(clock: MetricsClock) -> Self {
        // The first is timed too, so that slow tasks are seen.
        Self {
            clock,
            left: 0,
            since: None,
        }
    }

    /// The steps of a record begin.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.left == 0 {
            self.left = EVERY - 1;
            self.since = Some(self.clock.now());
        } else {
            self.left -= 1;
            self.since = None;
        }
    }

    /// A step has ended, and the next begins.
    #[inline]
    pub(crate) fn lap(&mut self, stages: &Stages, stage: RecordStage) {
        if let Some(since) = self.since {
            self.timed_lap(stages, stage, since);
        }
    }

    #[cold]
    fn timed_lap(&mut self, stages: &Stages, stage: RecordStage, since: Moment) {
        let now = self.clock.now();
        stages.record(stage, now.nanos_since(since));
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::TextFormat;
    use crate::metrics::text_check::check;

    fn served(stages: &Stages) -> impl Fn(&str) -> Option<f64> + use<> {
        let mut out = Exposition::new(TextFormat::Prometheus);
        stages.write(&mut out, &Labels::task("c", 0));
        let samples = check(&out.finish(), TextFormat::Prometheus);
        move |series| samples.get(series).copied()
    }

    #[test]
    fn one_record_of_61_is_timed() {
        let (clock, turn) = MetricsClock::turned();
        let stages = Stages::new();
        let mut timer = RecordTimer::new(clock);
        for _ in 0..(2 * 61 + 1) {
            timer.begin();
            turn.by(Duration::from_micros(2));
            timer.lap(&stages, RecordStage::Convert);
            turn.by(Duration::from_micros(20));
            timer.lap(&stages, RecordStage::Send);
        }
        let served = served(&stages);
        let of = |what: &str, stage: &str, more: &str| {
            served(&format!(
                "wharf_task_record_stage_seconds_{what}{{connector=\"c\",task=\"0\",stage=\"{stage}\"{more}}}"
            ))
        };
        assert_eq!(of("count", "convert", ""), Some(3.0));
        assert_eq!(of("sum", "convert", ""), Some(6e-6));
        assert_eq!(of("bucket", "convert", ",le=\"1e-06\""), Some(0.0));
        assert_eq!(of("bucket", "convert", ",le=\"2.5e-06\""), Some(3.0));
        assert_eq!(of("bucket", "send", ",le=\"2.5e-05\""), Some(3.0));
        assert_eq!(
            of("count", "transform", ""),
            None,
            "a step that is not met is not served"
        );
    }

    #[test]
    fn a_step_over_many_records_counts_as_often_as_if_they_were_timed() {
        let stages = Stages::new();
        stages.batch(BatchStage::Put, 40_000);
        for (records, nanos) in [(122, 122_000), (0, 5), (1, 1_000)] {
            stages.records(RecordStage::Transform, nanos, records);
        }
        let served = served(&stages);
        let labels = "{connector=\"c\",task=\"0\",stage=\"transform\"}";
        assert_eq!(
            served(&format!("wharf_task_record_stage_seconds_count{labels}")),
            Some(3.0)
        );
        assert_eq!(
            served(&format!("wharf_task_record_stage_seconds_sum{labels}")),
            Some(3e-6)
        );
        let put = "wharf_task_batch_stage_seconds_sum{connector=\"c\",task=\"0\",stage=\"put\"}";
        assert_eq!(served(put), Some(4e-5));
    }
}
