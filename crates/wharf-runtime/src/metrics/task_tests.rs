//! What a task's loops count, and what becomes of it under a clock that is turned.

use super::*;
use crate::metrics::TextFormat;
use crate::metrics::clock::Turn;
use crate::metrics::text_check::check;

struct Measured {
    metrics: TaskMetrics,
    turn: Turn,
}

impl Measured {
    fn new(kind: TaskKind) -> Self {
        let (clock, turn) = MetricsClock::turned();
        Self {
            metrics: TaskMetrics::new(clock, Sampling::default(), "c", 0, kind),
            turn,
        }
    }

    fn values(&self) -> Vec<(String, f64)> {
        let mut out = Exposition::new(TextFormat::Prometheus);
        self.metrics.write(&mut out);
        let samples = check(&out.finish(), TextFormat::Prometheus);
        let plain = |name: &str| {
            name.strip_suffix("{connector=\"c\",task=\"0\"}")
                .map(str::to_owned)
        };
        let samples = samples
            .iter()
            .filter_map(|(name, value)| Some((plain(name)?, *value)));
        samples.collect()
    }

    /// The values of metrics by the ends of their names; `NaN` for one that is not served.
    fn check(&self, expected: &[(&str, f64)]) {
        let values = self.values();
        for (end, expected) in expected {
            let found: Vec<_> = values
                .iter()
                .filter(|(name, _)| name.ends_with(&format!("_{end}")))
                .collect();
            match found.as_slice() {
                [] => assert!(expected.is_nan(), "{end} is not served"),
                [(name, value)] => {
                    assert!(
                        (value - expected).abs() < 1e-9,
                        "{name} is {value}, not {expected}"
                    );
                }
                more => panic!("{end} is several: {more:?}"),
            }
        }
    }
}

#[test]
fn a_source_task_counts_what_it_polls_and_what_is_acknowledged() {
    let task = Measured::new(TaskKind::Source);
    let metrics = &task.metrics;
    task.check(&[
        ("source_record_poll_total", 0.0),
        ("poll_batch_max_time_ms", f64::NAN),
        ("source_record_active_count", 0.0),
        ("transaction_size_max", f64::NAN),
        ("partition_count", f64::NAN),
    ]);
    for (millis, records) in [(40, 100), (20, 50)] {
        let began = metrics.now();
        task.turn.by_millis(millis);
        metrics.polled(began, metrics.now(), records);
    }
    task.check(&[
        ("source_record_poll_total", 150.0),
        ("source_record_poll_rate", 150.0 / 30.02),
        ("source_record_write_total", 0.0),
        ("poll_batch_max_time_ms", 40.0),
        ("poll_batch_avg_time_ms", 30.0),
        ("source_record_active_count", 150.0),
        ("source_record_active_count_max", 150.0),
        ("source_record_active_count_avg", 125.0),
        ("batch_size_max", 100.0),
        ("batch_size_avg", 75.0),
    ]);
    metrics.written(120, 20);
    metrics.written(0, 0);
    metrics.transaction(7);
    metrics.transaction(3);
    task.check(&[
        ("source_record_write_total", 120.0),
        ("source_record_active_count", 10.0),
        ("transaction_size_min", 3.0),
        ("transaction_size_max", 7.0),
        ("transaction_size_avg", 5.0),
    ]);
    metrics.written(50, 0);
    task.check(&[
        ("source_record_active_count", 0.0),
        ("source_record_write_total", 170.0),
    ]);
    task.turn.by_millis(60_000);
    task.check(&[
        ("source_record_poll_rate", 0.0),
        ("source_record_poll_total", 150.0),
        ("poll_batch_max_time_ms", f64::NAN),
        ("source_record_active_count", 0.0),
        ("source_record_active_count_max", f64::NAN),
    ]);
}

#[test]
fn a_sink_task_counts_what_it_reads_and_what_the_plugin_takes() {
    let task = Measured::new(TaskKind::Sink);
    let metrics = &task.metrics;
    metrics.partitions(3);
    metrics.read(40, 40);
    let began = metrics.now();
    task.turn.by_millis(8);
    metrics.put(began, began, 38);
    task.check(&[
        ("partition_count", 3.0),
        ("sink_record_read_total", 40.0),
        ("sink_record_send_total", 38.0),
        ("sink_record_send_rate", 38.0 / 30.0),
        ("put_batch_max_time_ms", 8.0),
        ("put_batch_avg_time_ms", 8.0),
        ("batch_size_max", 38.0),
        ("sink_record_active_count", 40.0),
        ("offset_commit_seq_no", 0.0),
        ("source_record_poll_total", f64::NAN),
    ]);
    metrics.commit_begins(5);
    metrics.active(2);
    metrics.commit_skipped();
    metrics.partitions(0);
    task.check(&[
        ("offset_commit_seq_no", 5.0),
        ("sink_record_active_count", 2.0),
        ("sink_record_active_count_max", 40.0),
        ("sink_record_active_count_avg", 21.0),
        ("offset_commit_skip_total", 1.0),
        ("offset_commit_completion_total", 0.0),
        ("partition_count", 0.0),
        ("sink_record_read_total", 40.0),
    ]);
}

#[test]
fn commits_that_fail_count_but_their_times_do_not() {
    for (kind, completed) in [(TaskKind::Source, f64::NAN), (TaskKind::Sink, 3.0)] {
        let task = Measured::new(kind);
        for (millis, success) in [(10, true), (99, false), (20, true), (30, true)] {
            let began = task.metrics.now();
            task.turn.by_millis(millis);
            task.metrics.committed(began, success);
        }
        task.check(&[
            ("offset_commit_max_time_ms", 30.0),
            ("offset_commit_avg_time_ms", 20.0),
            ("offset_commit_failure_percentage", 0.25),
            ("offset_commit_success_percentage", 0.75),
            ("offset_commit_completion_total", completed),
        ]);
    }
}

#[test]
fn ratios_are_shares_of_the_tasks_life() {
    let task = Measured::new(TaskKind::Sink);
    task.check(&[("running_ratio", 0.0), ("pause_ratio", 0.0)]);
    for (state, millis) in [
        (ConnectorState::Unassigned, 100),
        (ConnectorState::Running, 500),
        (ConnectorState::Paused, 200),
        (ConnectorState::Running, 100),
        (ConnectorState::Failed, 50),
    ] {
        task.metrics.state(state);
        task.turn.by_millis(millis);
    }
    task.check(&[("running_ratio", 600.0 / 950.0), ("pause_ratio", 200.0 / 950.0)]);
    task.metrics.state(ConnectorState::Running);
    task.turn.by_millis(50);
    task.check(&[("running_ratio", 0.65), ("pause_ratio", 0.2)]);
}

#[test]
fn errors_are_served_as_they_were_counted() {
    let task = Measured::new(TaskKind::Source);
    let errors = &task.metrics.errors;
    errors.failure();
    errors.retry();
    errors.failure();
    errors.error(true);
    errors.logged();
    errors.dead_letter();
    errors.dead_letter();
    errors.dead_letter_failed();
    task.check(&[
        ("record_failures_total", 2.0),
        ("record_errors_total", 1.0),
        ("records_skipped_total", 1.0),
        ("retries_total", 1.0),
        ("errors_logged_total", 1.0),
        ("deadletterqueue_produce_requests_total", 2.0),
        ("deadletterqueue_produce_failures_total", 1.0),
    ]);
    let values = task.values();
    let last = values
        .iter()
        .find(|(name, _)| name.ends_with("last_error_timestamp_ms"));
    assert!(last.unwrap().1 > 1.7e12, "{last:?}");
}

#[test]
fn lag_is_measured_when_records_have_arrived() {
    let task = Measured::new(TaskKind::Sink);
    let mut timestamps = Timestamps::default();
    task.check(&[("record_lag_seconds_count", f64::NAN)]);
    task.turn.by_millis(10_000);
    for timestamp in [9_000, 9_000, 9_999, 20_000] {
        timestamps.note(timestamp);
    }
    task.metrics.arrived(&mut timestamps);
    task.check(&[
        ("record_lag_seconds_count", 4.0),
        ("record_lag_seconds_sum", 2.001),
    ]);
}
